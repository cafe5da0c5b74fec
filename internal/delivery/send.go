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
	"sync"
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
	dial := dialer{Dialer: net.Dialer{Control: guard{allowPublic: o.AllowPublic}.control}, roots: trusted(o.Trust)}
	base, stop := context.WithCancel(context.Background())
	return &sender{
		base: base, stop: stop,
		transport: &http.Transport{
			DialContext: dial.plain, DialTLSContext: dial.secure, DisableCompression: true, MaxIdleConns: 512,
			MaxIdleConnsPerHost: maxIdlePerHost, IdleConnTimeout: 2 * time.Second, MaxResponseHeaderBytes: maxAnswerHead,
		},
	}
}

// dialer connects for one attempt, and gives up when the attempt ends: the transport would go on dialling in the
// background.
type dialer struct {
	net.Dialer
	roots func() *x509.CertPool
}

// trusted are the roots of this machine and one more. They are read when the first secure connection is made.
func trusted(more *x509.Certificate) func() *x509.CertPool {
	return sync.OnceValue(func() *x509.CertPool {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if more != nil {
			pool.AddCert(more)
		}
		return pool
	})
}

type attemptKey struct{}

func (d dialer) plain(detached context.Context, network, address string) (net.Conn, error) {
	ctx, _ := detached.Value(attemptKey{}).(context.Context)
	return d.DialContext(ctx, network, address)
}

func (d dialer) secure(detached context.Context, network, address string) (net.Conn, error) {
	ctx, _ := detached.Value(attemptKey{}).(context.Context)
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address) // the dialer took it
	secured := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: d.roots()})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeError{err}
	}
	return secured, nil
}

// handshakeError is what kept a connection from becoming a secure one.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

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
	ctx = context.WithValue(ctx, attemptKey{}, ctx)
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
		return answer{err: classify(ctx, base, err, timeout)}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols { // what follows is no answer, and need not end
		return answer{status: resp.StatusCode, response: Response{Header: resp.Header}}
	}
	return read(ctx, base, resp, timeout)
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
	var handshake handshakeError
	var operation *net.OpError
	fail := func(class Class, detail string) *AttemptError { return &AttemptError{Class: class, Detail: detail} }
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
		return fail(ClassTLS, "no TLS handshake: "+handshake.Error())
	case errors.As(err, &operation) && operation.Op == "remote error": // an alert after the handshake
		return fail(ClassTLS, err.Error())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fail(ClassReset, "the connection broke before the answer was complete")
	case strings.Contains(err.Error(), "server closed idle connection"):
		return fail(ClassReset, "the connection was closed before the request was answered")
	case strings.Contains(err.Error(), "response headers exceeded"):
		return fail(ClassTooLarge, fmt.Sprintf("the header of the answer has more than %d bytes", maxAnswerHead))
	}
	return fail(ClassProtocol, err.Error())
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
	case ip.IsUnspecified():
		return "unspecified: never called"
	case ip.IsLoopback(), ip.IsPrivate(), g.allowPublic:
		return ""
	}
	return "public: start with --allow-public-delivery to call it"
}

// metadata lists the addresses at which clouds hand out credentials, beside the link-local ones.
func metadata(ip netip.Addr) bool {
	switch ip.String() {
	case "169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16":
		return true
	}
	return false
}
