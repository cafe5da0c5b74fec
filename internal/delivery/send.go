package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Limits of an answer.
const (
	MaxAnswer      = 1 << 20  // bytes that are read; more fail the attempt
	MaxKept        = 16 << 10 // bytes of a body that are kept
	maxAnswerHead  = 64 << 10
	maxIdlePerHost = 32
)

// sender makes HTTP requests: no redirects, no proxy from the environment, no compression, only to addresses that may
// be called.
type sender struct {
	transport *http.Transport
	base      context.Context //nolint:containedctx // ends every attempt when the server stops
	stop      context.CancelFunc
}

func newSender(o Options) *sender {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: guard{allowPublic: o.AllowPublic}.control}
	base, stop := context.WithCancel(context.Background())
	return &sender{
		base: base, stop: stop,
		transport: &http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true, MaxIdleConns: 512, MaxIdleConnsPerHost: maxIdlePerHost,
			IdleConnTimeout: 2 * time.Second, MaxResponseHeaderBytes: maxAnswerHead, TLSHandshakeTimeout: 10 * time.Second,
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

func (s *sender) send(r Request, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(s.base, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err == nil {
		err = checkHeader(r.Header)
	}
	if err != nil {
		return answer{err: &AttemptError{Class: ClassRequest, Detail: err.Error()}}
	}
	req.Header = r.Header.Clone()
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return answer{err: classify(ctx, s.base, err, timeout)}
	}
	defer func() { _ = resp.Body.Close() }()
	return read(ctx, s.base, resp, timeout)
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
func read(ctx, base context.Context, resp *http.Response, timeout time.Duration) answer {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	a := answer{status: resp.StatusCode, body: body, response: Response{Header: resp.Header, Body: body}}
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
	fail := func(class Class, detail string) *AttemptError { return &AttemptError{Class: class, Detail: detail} }
	switch {
	case base.Err() != nil:
		return fail(ClassStopped, "the server stopped")
	case errors.As(err, &forbidden):
		return fail(ClassForbidden, forbidden.Error())
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(err, &timedOut) && timedOut.Timeout():
		return fail(ClassTimeout, fmt.Sprintf("no complete answer within %s", timeout))
	case errors.As(err, &dns):
		return fail(ClassDNS, "the name "+dns.Name+" does not resolve: "+dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(ClassRefused, "connection refused: nobody listens there")
	case isTLS(err):
		return fail(ClassTLS, err.Error())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fail(ClassReset, "the connection broke before the answer was complete")
	case strings.Contains(err.Error(), "server closed idle connection"):
		return fail(ClassReset, "the connection was closed before the request was answered")
	case strings.Contains(err.Error(), "response headers exceeded"):
		return fail(ClassTooLarge, fmt.Sprintf("the header of the answer has more than %d bytes", maxAnswerHead))
	case strings.Contains(err.Error(), "malformed"):
		return fail(ClassProtocol, err.Error())
	}
	return fail(ClassProtocol, err.Error())
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &unknown) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &verification) || strings.Contains(err.Error(), "tls:")
}

// guard decides, after DNS and at the moment of connecting, which addresses may be called.
type guard struct{ allowPublic bool }

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
	return nil
}

func (g guard) forbids(ip netip.Addr) string {
	switch {
	case metadata(ip):
		return "a cloud metadata service: never called"
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsMulticast(), ip.IsInterfaceLocalMulticast():
		return "link-local or multicast: never called"
	case ip.IsLoopback(), ip.IsPrivate(), g.allowPublic:
		return ""
	case ip.IsUnspecified():
		return "unspecified: never called"
	}
	return "public: start with --allow-public-delivery to call it"
}

// metadata lists the addresses at which clouds hand out credentials, beside the link-local ones.
func metadata(ip netip.Addr) bool {
	switch ip.String() {
	case "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16":
		return true
	}
	return false
}
