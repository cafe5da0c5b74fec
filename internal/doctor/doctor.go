// Package doctor says whether a webhook URL can be reached from here, and if not, why and what to do. It goes the way of a
// delivery one step at a time, by the delivery engine's own dialer, safety rules, trusted roots and sender, so that it
// says what a delivery would meet. It knows no provider and no sandbox: what it sends is no event and is signed by nobody.
package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/delivery"
)

// The bounds of a step's time.
const (
	DefaultTimeout = 5 * time.Second
	MinTimeout     = 10 * time.Millisecond
	MaxTimeout     = time.Minute
)

// Header marks the requests that a doctor sends, so that an app can tell them from deliveries.
const Header = "Mocksrv-Doctor"

// What a step came to.
const (
	OK      = "ok"
	Failed  = "failed"
	Skipped = "skipped"
)

// Options set up a doctor.
type Options struct {
	// Lookup resolves a name. Nil: this machine's resolver, which deliveries use.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Container says whether this runs in a container. Nil: it is found out.
	Container func() bool
}

// Doctor examines webhook URLs.
type Doctor struct {
	prober  *delivery.Prober
	options Options
}

// New returns a doctor that reaches receivers as a prober does.
func New(p *delivery.Prober, o Options) *Doctor {
	if o.Lookup == nil {
		o.Lookup = lookup
	}
	if o.Container == nil {
		o.Container = func() bool { return inContainer(os.DirFS("/")) }
	}
	return &Doctor{prober: p, options: o}
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// Check says what to examine, and how.
type Check struct {
	URL       string
	Timeout   time.Duration // of each step. 0: DefaultTimeout
	NoRequest bool          // nothing is sent to the receiver once it is connected to
}

// examination is one URL on its way to the receiver. Each step leaves what the next one needs.
type examination struct {
	*Doctor
	check    Check
	target   *url.URL
	port     uint16
	found    []netip.Addr
	callable []netip.AddrPort
	conn     net.Conn // nil: not connected (any more)
	reached  netip.AddrPort
	answer   answer
}

// finding is what a step came to.
type finding struct {
	cause   Cause // "": nothing is wrong
	skipped bool
	detail  string
	advice  []string
}

func fine(detail string, advice ...string) finding { return finding{detail: detail, advice: advice} }
func skipped(detail string) finding                { return finding{skipped: true, detail: detail} }
func wrong(c Cause, why string, do ...string) finding {
	return finding{cause: c, detail: why, advice: do}
}

func (f finding) outcome() string {
	switch {
	case f.cause != noCause:
		return Failed
	case f.skipped:
		return Skipped
	}
	return OK
}

// report is a finding as it is told.
func (f finding) report(step string) client.DoctorStep {
	told := client.DoctorStep{Step: step, Outcome: f.outcome(), Detail: printable(f.detail)}
	for _, advice := range f.advice {
		told.Advice = append(told.Advice, printable(advice))
	}
	return told
}

// step is one step of an examination.
type step struct {
	name string
	take func(context.Context) finding
}

func (e *examination) steps() []step {
	return []step{
		{"url", e.readURL},
		{"dns", e.resolve},
		{"address", e.checkAddresses},
		{"connect", e.connect},
		{"tls", e.secure},
		{"request", e.send},
		{"answer", e.judge},
	}
}

// Examine takes the steps in order up to the first that fails. The error says that ctx ended, or deliveries did.
func (d *Doctor) Examine(ctx context.Context, c Check) (client.DoctorReport, error) {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	e := &examination{Doctor: d, check: c}
	defer e.hangUp()
	report := client.DoctorReport{URL: shown(c.URL)}
	for _, s := range e.steps() {
		f := skipped("not reached")
		if report.Cause == "" {
			f = s.take(ctx)
		}
		if err := e.over(ctx); err != nil {
			return client.DoctorReport{}, err
		}
		if f.cause != noCause {
			report.Cause = string(f.cause)
		}
		report.Steps = append(report.Steps, f.report(s.name))
	}
	report.Reachable = report.Cause == ""
	return report, nil
}

// over says that nobody waits for the report any more, or that the server is stopping.
func (e *examination) over(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the examination ended early: %w", err)
	}
	if e.prober.Stopped() {
		return fmt.Errorf("the examination ended early: %w", context.Canceled)
	}
	return nil
}

func (e *examination) hangUp() {
	if e.conn != nil {
		_ = e.conn.Close()
		e.conn = nil
	}
}

// request is what the doctor sends, by any method.
func (e *examination) request(method, target string, body []byte) delivery.Request {
	h := http.Header{Header: {"1"}}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	return delivery.Request{Method: method, URL: target, Header: h, Body: body}
}

// shown is a URL without its password. One that does not parse is shown without all that may be user and password.
func shown(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return printable(u.Redacted())
	}
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		return "…" + printable(raw[at:])
	}
	return printable(raw)
}

// printable is text that holds what strangers sent, fit for JSON and for a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
