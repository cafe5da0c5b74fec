package receiver

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultAddress      = "127.0.0.1:0"
	defaultKeepRequests = 1000
	defaultKeepBytes    = 16 << 20

	maxReplies   = 1000
	maxReplyBody = 1 << 20
	maxDelay     = time.Hour
	maxName      = 63
	maxSaw       = 80 // how much of a wrong value is repeated
)

// FieldError says which field is wrong, what it holds and what would pass.
type FieldError struct {
	Field string `json:"field"` // as in JSON: replies[0].status
	Saw   string `json:"saw"`
	Want  string `json:"want"`
}

// Error implements error.
func (e FieldError) Error() string { return fmt.Sprintf("%s: saw %s, want %s", e.Field, e.Saw, e.Want) }

// InvalidError says what is wrong with a script or a spec: everything, not only the first thing.
type InvalidError struct{ Fields []FieldError }

// Error implements error.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		texts[i] = field.Error()
	}
	return "receiver: " + strings.Join(texts, "; ")
}

// checks collects what is wrong.
type checks []FieldError

// amount stands for a value that is too long to repeat.
type amount string

func amountOf(n int, of string) amount { return amount(fmt.Sprintf("%d %s", n, of)) }

func (c *checks) refuse(field string, saw any, want string) {
	text := fmt.Sprint(saw)
	if s, ok := saw.(string); ok {
		text = strconv.Quote(s)
	}
	if len(text) > maxSaw {
		text = strings.ToValidUTF8(text[:maxSaw], "") + "…"
	}
	*c = append(*c, FieldError{Field: field, Saw: text, Want: want})
}

func (c *checks) err() error {
	if len(*c) == 0 {
		return nil
	}
	return &InvalidError{Fields: *c}
}

// Validate returns an *InvalidError when Open would refuse the spec.
func (s Spec) Validate() error {
	var c checks
	if s.Name != "" && !validName(s.Name) {
		c.refuse("name", s.Name, wantName)
	}
	if !validAddress(s.Address) {
		c.refuse("address", s.Address, "a literal IP address and a port, such as 127.0.0.1:0")
	}
	if !slices.Contains(tlsKinds(), s.TLS) {
		c.refuse("tls", string(s.TLS), oneOf(tlsKinds()))
	}
	if s.KeepRequests < 0 {
		c.refuse("keep_requests", s.KeepRequests, "a positive number, or 0 for the default of 1000")
	}
	if s.KeepBytes < 0 {
		c.refuse("keep_bytes", s.KeepBytes, "a positive number, or 0 for the default of 16 MiB")
	}
	s.Script.check(&c, "script.")
	return c.err()
}

// Validate returns an *InvalidError when SetScript would refuse the script.
func (s Script) Validate() error {
	var c checks
	s.check(&c, "")
	return c.err()
}

func (s Script) check(c *checks, prefix string) {
	if s.Down {
		s.checkDown(c, prefix)
	}
	thens := []Then{"", ThenLast, ThenLoop, ThenOK}
	if !slices.Contains(thens, s.Then) {
		c.refuse(prefix+"then", string(s.Then), oneOf(thens))
	}
	if len(s.Replies) > maxReplies {
		c.refuse(prefix+"replies", amountOf(len(s.Replies), "replies"), fmt.Sprintf("at most %d", maxReplies))
		return
	}
	for i, reply := range s.Replies {
		reply.check(c, fmt.Sprintf("%sreplies[%d].", prefix, i))
	}
}

func (s Script) checkDown(c *checks, prefix string) {
	const want = "nothing: a receiver that is down gives no reply"
	if len(s.Replies) > 0 {
		c.refuse(prefix+"replies", amountOf(len(s.Replies), "replies"), want)
	}
	if s.Then != "" {
		c.refuse(prefix+"then", string(s.Then), want)
	}
}

func (r Reply) check(c *checks, prefix string) {
	rules := faultRules()
	at := slices.IndexFunc(rules, func(rule faultRule) bool { return rule.fault == r.Fault })
	if at < 0 {
		c.refuse(prefix+"fault", string(r.Fault), oneOf(faults(rules)))
		return
	}
	rule := rules[at]
	r.checkUnused(c, prefix, rule)
	if r.Times < 0 {
		c.refuse(prefix+"times", r.Times, "a positive number, or 0 for the default of 1")
	}
	r.checkStatus(c, prefix, rule)
	r.checkHeader(c, prefix)
	if len(r.Body) > maxReplyBody {
		c.refuse(prefix+"body", amountOf(len(r.Body), "bytes"), fmt.Sprintf("at most %d bytes", maxReplyBody))
	}
	if _, ok := parseDelay(r.Delay); !ok {
		c.refuse(prefix+"delay", r.Delay, `a duration from 0 to 1h, such as "2s" or "150ms"`)
	}
	if r.Fault == Redirect && (r.Location == "" || !validHeaderValue(r.Location)) {
		c.refuse(prefix+"location", r.Location, "where the redirect leads, a URL")
	}
}

// checkUnused refuses what would have no effect.
func (r Reply) checkUnused(c *checks, prefix string, rule faultRule) {
	unused := func(field string, given bool, saw any) {
		if given && !slices.Contains(rule.uses, field) {
			c.refuse(prefix+field, saw, fmt.Sprintf("nothing: fault %q does not use it", rule.fault))
		}
	}
	unused("status", r.Status != 0, r.Status)
	unused("header", len(r.Header) > 0, amountOf(len(r.Header), "headers"))
	unused("body", r.Body != "", r.Body)
	unused("delay", r.Delay != "", r.Delay)
	unused("location", r.Location != "", r.Location)
}

func (r Reply) checkStatus(c *checks, prefix string, rule faultRule) {
	noBody := r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
	redirects := []int{0, 301, 302, 303, 307, 308}
	switch {
	case r.Fault == Redirect && !slices.Contains(redirects, r.Status):
		c.refuse(prefix+"status", r.Status, "301, 302, 303, 307 or 308")
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		c.refuse(prefix+"status", r.Status, `200 to 599 (for a 1xx before the answer, fault "informational")`)
	case noBody && r.Body != "":
		c.refuse(prefix+"body", r.Body, fmt.Sprintf("nothing: an answer with status %d has no body", r.Status))
	case noBody && rule.needBody:
		c.refuse(prefix+"status", r.Status, fmt.Sprintf("a status that allows the body fault %q needs", rule.fault))
	}
}

func (r Reply) checkHeader(c *checks, prefix string) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		field := fmt.Sprintf("%sheader[%q]", prefix, name)
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !validHeaderName(name):
			c.refuse(field, name, "a header name")
		case canonical == "Content-Length" || canonical == "Transfer-Encoding" || canonical == "Trailer":
			c.refuse(field, r.Header[name], `nothing: the framing is the receiver's (fault "truncate" breaks it)`)
		case seen[canonical]:
			c.refuse(field, name, "each header once, in whatever case")
		case !validHeaderValue(r.Header[name]):
			c.refuse(field, r.Header[name], "a value without control characters")
		}
		seen[canonical] = true
	}
}

func faults(rules []faultRule) []Fault {
	all := make([]Fault, len(rules))
	for i, rule := range rules {
		all[i] = rule.fault
	}
	return all
}

func oneOf[T ~string](values []T) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = strconv.Quote(string(value))
	}
	return "one of " + strings.Join(quoted, ", ")
}

func parseDelay(text string) (time.Duration, bool) {
	if text == "" {
		return 0, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0 && d <= maxDelay
}

const wantName = "1 to 63 characters of a-z, 0-9, '-', '_', '.', the first a letter or digit"

func validName(name string) bool {
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	return name != "" && len(name) <= maxName &&
		strings.Contains(first, name[:1]) && onlyOf(name, first+"-_.")
}

func validAddress(text string) bool {
	if text == "" {
		return true
	}
	address, err := netip.ParseAddrPort(text)
	return err == nil && address.Addr().Zone() == ""
}

func validHeaderName(name string) bool {
	const allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return name != "" && onlyOf(name, allowed)
}

func validHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func onlyOf(text, allowed string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}
