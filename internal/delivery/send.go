package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Limits of an answer.
const (
	MaxAnswer     = 1 << 20  // bytes that are read; more fail the attempt
	MaxKept       = 16 << 10 // bytes of a body that are kept
	maxAnswerHead = 64 << 10
	maxDetail     = 1000 // bytes of what is kept of an error, which may repeat the answer
	maxIdle       = 512  // kept connections, also to one host: many webhooks of a test point to one receiver
)

// sender makes HTTP requests: no redirects, no proxy from the environment, no compression, only to addresses that may
// be called.
type sender struct {
	dial      dialer
	transport *http.Transport
	base      context.Context //nolint:containedctx // ends every attempt when the server stops
	stop      context.CancelFunc
}

func newSender(o Options) *sender {
	dial := dialer{Dialer: net.Dialer{Control: guard{allowPublic: o.AllowPublic, own: o.Own}.control}, roots: trusted(o.Trust)}
	base, stop := context.WithCancel(context.Background())
	return &sender{
		dial: dial, base: base, stop: stop,
		transport: &http.Transport{
			DialContext: dial.plain, DialTLSContext: dial.secure, DisableCompression: true, MaxIdleConns: maxIdle,
			MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: 2 * time.Second, MaxResponseHeaderBytes: maxAnswerHead,
		},
	}
}

// answer is what came back of an attempt.
type answer struct {
	status   int
	response Response
	body     []byte        // whole, where the response keeps a part
	err      *AttemptError // no complete answer
}

// send makes a request. It is cut when base ends.
func (s *sender) send(base context.Context, r Request, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(base, timeout)
	defer cancel()
	var used *conn
	ctx = watching(ctx, func(c *conn) { used = c })
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err == nil {
		err = errors.Join(checkURL(req.URL), checkHeader(r.Header))
	}
	if err != nil {
		return answer{err: &AttemptError{Class: ClassRequest, Detail: err.Error()}}
	}
	req.Header = r.Header // the transport only reads it
	resp, err := s.transport.RoundTrip(req)
	if err != nil && used.brokeOff() {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	if err != nil {
		return answer{err: classify(ctx, base, err, timeout)}
	}
	defer func() { _ = resp.Body.Close() }()
	return read(ctx, base, resp, timeout)
}

// checkURL refuses what the transport would refuse in other words, or not at all.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("the URL %q has no scheme http or https, or no host", u)
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("the URL %q has a port that is none", u)
		}
	}
	return nil
}

func checkHeader(h http.Header) error {
	for name, values := range h {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("header %q: the value %q cannot be sent", name, v)
			}
		}
	}
	return nil
}

// read takes in a bounded answer.
// plain is a header whose values can be written in JSON: bytes that are not UTF-8 are shown as U+FFFD.
func plain(h http.Header) http.Header {
	for name, list := range h {
		for i, value := range list {
			h[name][i] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return h
}

func read(ctx, base context.Context, resp *http.Response, timeout time.Duration) answer {
	var body []byte
	var err error
	if resp.ContentLength != 0 { // after 101 it is 0: what follows is no answer, and need not end
		body, err = io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	}
	a := answer{status: resp.StatusCode, body: body, response: Response{Header: plain(resp.Header), Body: body}}
	if len(body) > MaxKept {
		a.response.Body, a.response.Truncated = bytes.Clone(body[:MaxKept]), true
	}
	switch {
	case len(body) > MaxAnswer:
		a.err = &AttemptError{Class: ClassTooLarge, Detail: fmt.Sprintf("the answer has more than %d bytes", MaxAnswer)}
	case err != nil:
		a.err = classify(ctx, base, err, timeout)
	}
	return a
}

// classify names the kind of failure.
func classify(ctx, base context.Context, err error, timeout time.Duration) *AttemptError {
	var forbidden forbiddenError
	var dns *net.DNSError
	var timedOut net.Error
	var handshake handshakeError
	var operation *net.OpError
	fail := func(class Class, detail string) *AttemptError {
		if len(detail) > maxDetail {
			detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
		}
		return &AttemptError{Class: class, Detail: detail}
	}
	switch {
	case base.Err() != nil:
		return fail(ClassStopped, "the server stopped")
	case errors.As(err, &forbidden):
		return fail(ClassForbidden, forbidden.Error())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fail(ClassTimeout, fmt.Sprintf("no complete answer within %s", timeout))
	case errors.As(err, &dns):
		return fail(ClassDNS, "the name "+dns.Name+" does not resolve: "+dns.Err)
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return fail(ClassTimeout, err.Error())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(ClassRefused, "connection refused: nobody listens there")
	case errors.As(err, &handshake):
		return fail(ClassTLS, "no TLS handshake: "+handshake.why())
	case errors.As(err, &operation) && operation.Op == "remote error": // an alert after the handshake
		return fail(ClassTLS, err.Error())
	case broken(err):
		return fail(ClassReset, "the connection broke before the answer was complete")
	case strings.Contains(err.Error(), "server closed idle connection"):
		return fail(ClassReset, "the connection was closed before the request was answered")
	case strings.Contains(err.Error(), "response headers exceeded"):
		return fail(ClassTooLarge, fmt.Sprintf("the header of the answer has more than %d bytes", maxAnswerHead))
	}
	return fail(ClassProtocol, err.Error())
}

// guard decides, after DNS and at the moment of connecting, which addresses may be called.
type guard struct {
	allowPublic bool
	own         func() []netip.AddrPort // where the control API listens; nil: nowhere
}

type forbiddenError struct{ address, why string }

func (e forbiddenError) Error() string {
	return "the address " + e.address + " is " + e.why
}

func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if why := g.forbids(ap.Addr().Unmap()); why != "" {
		return forbiddenError{address: ap.Addr().String(), why: why}
	}
	if g.calls(ap) {
		return forbiddenError{address: ap.String(), why: "this server's own, where the control API listens: a webhook must not drive it. Give the webhook another address, or the control API its own with --control-listen"}
	}
	return nil
}

// calls: an address is one at which the control API of this server listens.
func (g guard) calls(to netip.AddrPort) bool {
	if g.own == nil {
		return false
	}
	ip := to.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(g.own(), func(own netip.AddrPort) bool {
		switch at := own.Addr().Unmap().WithZone(""); {
		case own.Port() != to.Port():
			return false
		case at.IsUnspecified():
			return ip.IsLoopback() || ofThisMachine(ip)
		default:
			return at == ip
		}
	})
}

// ofThisMachine: an interface has the address. When that cannot be found out, it might.
func ofThisMachine(ip netip.Addr) bool {
	interfaces, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(interfaces, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap().WithZone("") == ip
	})
}

func (g guard) forbids(ip netip.Addr) string {
	ip = embedded(ip)
	switch {
	case metadata(ip):
		return "a cloud metadata service: never called"
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsMulticast(), ip.IsInterfaceLocalMulticast():
		return "link-local or multicast: never called"
	case ip.IsUnspecified(), ip.Is4() && (ip.As4()[0] == 0 || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		return "unspecified or broadcast: never called"
	case ip.IsLoopback(), ip.IsPrivate(), g.allowPublic:
		return ""
	}
	return "public: start with --allow-public-delivery to call it"
}

// embedded is the IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), or the address itself. It has
// no zone, which would keep it from being equal to another, or in a prefix.
func embedded(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() || ip == netip.IPv6Loopback() || ip.IsUnspecified() {
		return ip
	}
	b := ip.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(ip), netip.MustParsePrefix("::/96").Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}

// metadata lists the addresses at which clouds hand out credentials, beside the link-local ones.
func metadata(ip netip.Addr) bool {
	if netip.MustParsePrefix("fd00:ec2::/32").Contains(ip) {
		return true
	}
	switch ip.String() {
	case "169.254.169.254", "fd20:ce::254", "100.100.100.200", "fd00:100::100:200", "192.0.0.192", "fd00:c1::a9fe:a9fe", "168.63.129.16",
		"fd00:42::42", "fd00:a9fe:a9fe::1":
		return true
	}
	return false
}
