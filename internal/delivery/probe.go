package delivery

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Prober meets a receiver as an attempt does, one step at a time: the same dialer, safety rules, trusted roots, sender
// and classes of failures.
type Prober struct {
	sender    *sender
	userAgent string
}

// NewProber returns a prober without a delivery engine. Of the options it uses AllowPublic, Trust and UserAgent.
func NewProber(o Options) *Prober { return &Prober{sender: newSender(o), userAgent: o.UserAgent} }

// Prober returns a prober that meets receivers as the attempts of this engine do. It ends with the engine.
func (d *Dispatcher) Prober() *Prober { return &Prober{sender: d.sender, userAgent: d.userAgent} }

// Close ends what is under way.
func (p *Prober) Close() {
	p.sender.stop()
	p.sender.transport.CloseIdleConnections()
}

// Stopped says that the engine whose prober this is has ended.
func (p *Prober) Stopped() bool { return p.sender.base.Err() != nil }

// ProbeError is why a step failed: what an attempt would say of it, and the error itself.
type ProbeError struct {
	AttemptError
	Cause error // nil: Detail is all there is
}

// Error implements error.
func (e *ProbeError) Error() string { return e.Detail }

// Unwrap gives the error itself.
func (e *ProbeError) Unwrap() error { return e.Cause }

// Ban is why an address may not be called.
type Ban string

// Why addresses may not be called.
const (
	BanMetadata    Ban = "metadata"    // where a cloud hands out credentials
	BanLinkLocal   Ban = "link_local"  // or multicast
	BanUnspecified Ban = "unspecified" // or broadcast
	BanPublic      Ban = "public"      // without leave to call such
	BanOwn         Ban = "own"         // where this server's control API listens
)

// Banned says why an attempt would not call an address, in a word and in full; "" when it would.
func (p *Prober) Banned(address netip.AddrPort) (Ban, string) {
	err := p.sender.dial.Control("tcp", address.String(), nil)
	if err == nil {
		return "", ""
	}
	ip := embedded(address.Addr())
	switch {
	case metadata(ip):
		return BanMetadata, err.Error()
	case ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return BanLinkLocal, err.Error()
	case guard{allowPublic: true}.forbids(ip) != "":
		return BanUnspecified, err.Error()
	case guard{}.forbids(ip) != "":
		return BanPublic, err.Error()
	}
	return BanOwn, err.Error()
}

// Connect connects to one address.
func (p *Prober) Connect(ctx context.Context, address netip.AddrPort, timeout time.Duration) (net.Conn, *ProbeError) {
	ctx, cancel := p.bounded(ctx, timeout)
	defer cancel()
	c, err := p.sender.dial.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, p.failed(ctx, err, timeout)
	}
	return c, nil
}

// Handshake makes a connection a secure one with a host. It closes a connection that cannot be.
func (p *Prober) Handshake(ctx context.Context, c net.Conn, host string, timeout time.Duration) (net.Conn, *ProbeError) {
	ctx, cancel := p.bounded(ctx, timeout)
	defer cancel()
	secured, err := p.sender.dial.handshake(ctx, c, host)
	if err != nil {
		return nil, p.failed(ctx, err, timeout)
	}
	return secured, nil
}

// Send makes a request as an attempt does. Whether the status is a success is not judged.
func (p *Prober) Send(ctx context.Context, r Request, timeout time.Duration) (int, Response, *ProbeError) {
	ctx, cancel := p.bounded(ctx, timeout+time.Second) // the sender keeps the time
	defer cancel()
	if r.Header.Get("User-Agent") == "" && p.userAgent != "" {
		r.Header.Set("User-Agent", p.userAgent)
	}
	a := p.sender.send(ctx, r, timeout)
	if a.err != nil {
		return a.status, a.response, &ProbeError{AttemptError: *a.err}
	}
	return a.status, a.response, nil
}

// bounded ends with the time, with the caller and with the sender.
func (p *Prober) bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	unhook := context.AfterFunc(p.sender.base, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

func (p *Prober) failed(ctx context.Context, err error, timeout time.Duration) *ProbeError {
	return &ProbeError{AttemptError: *classify(ctx, p.sender.base, err, timeout), Cause: err}
}
