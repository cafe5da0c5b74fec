// Package receiver plays the customer: endpoints that receive webhooks and answer by a script.
//
// With it a whole lifecycle (deliver, fail, retry, block, come back) can be seen with nothing else running, and every
// way in which a customer's endpoint misbehaves can be met on a real socket: it is slow, hangs, resets, answers half,
// answers without end, answers something that is not HTTP, has a bad certificate, or is not there at all.
//
// A Receiver owns a listener, follows a Script and remembers the requests that arrived. A Set holds the receivers of
// one sandbox by name. Delays are real time, because the counterpart's time limits are; the instants of requests and
// the Date header are those of the world clock the caller passes in.
//
// The package must not know providers, events, signatures, the engine or the control API: it is a counterpart on the
// other side of a socket, and what it sees is what any receiver would see. It asks for no secret and checks none. A
// connection that brings no readable request (a failed handshake, garbage) is counted, but is no Request.
package receiver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
)

// ErrClosed is returned by a receiver, or a set of them, that was closed.
var ErrClosed = errors.New("receiver: closed")

// Spec says what a receiver is. It is plain data, as a tester writes it; everything may be left out.
type Spec struct {
	// Name is how a Set finds the receiver: 1 to 63 characters of a-z, 0-9, '-', '_', '.', the first a letter or digit.
	Name string `json:"name,omitzero"`
	// Address is a literal IP address and a port; the default is "127.0.0.1:0", a free port.
	Address string `json:"address,omitzero"`
	TLS     TLS    `json:"tls,omitzero"`
	Script  Script `json:"script,omitzero"`
	// KeepRequests and KeepBytes bound what is remembered: the newest requests, up to a number (default 1000) and a
	// size (default 16 MiB). The newest is always kept.
	KeepRequests int `json:"keep_requests,omitzero"`
	KeepBytes    int `json:"keep_bytes,omitzero"`
}

// Config is what Open needs.
type Config struct {
	Spec Spec
	Now  func() time.Time // the world clock; nil means the machine's clock
	CA   *authority.CA    // signs for TLS trusted, expired and wrong_host; not needed otherwise
}

// Info is what there is to say about a receiver. Spec holds the present script and the address that is in use.
type Info struct {
	Spec        Spec   `json:"spec"`
	URL         string `json:"url"`
	Requests    uint64 `json:"requests"`    // how many arrived in all
	Dropped     uint64 `json:"dropped"`     // how many of them are no longer kept
	Connections uint64 `json:"connections"` // how many were accepted, with or without a request
	Open        int64  `json:"open"`        // how many of them have not ended yet
}

// Receiver is one customer endpoint. Its methods are safe for concurrent use.
type Receiver struct {
	spec        Spec // but for the script
	now         func() time.Time
	tls         *tls.Config // nil: plain HTTP
	port        *port
	requests    *requestLog
	connections atomic.Uint64
	open        atomic.Int64

	life    sync.Mutex // one SetScript or Close at a time: both may wait for connections to end
	serving *serving   // nil while down or closed
	closed  bool

	mu      sync.Mutex
	script  Script
	program program
}

// Open starts a receiver. What is wrong with the configuration comes back as an *InvalidError.
func Open(c Config) (*Receiver, error) {
	if err := c.Spec.Validate(); err != nil {
		return nil, err
	}
	spec := c.Spec.withDefaults()
	port, err := holdPort(netip.MustParseAddrPort(spec.Address))
	if err != nil {
		return nil, err
	}
	spec.Address = port.address.String()
	r := &Receiver{spec: spec, now: c.Now, port: port, requests: newRequestLog(spec.KeepRequests, spec.KeepBytes)}
	if r.now == nil {
		r.now = clock.WallNow
	}
	if r.tls, err = tlsConfig(spec.TLS, c.CA, port.address.Addr()); err == nil {
		err = r.SetScript(spec.Script)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (s Spec) withDefaults() Spec {
	if s.Address == "" {
		s.Address = defaultAddress
	}
	if s.KeepRequests == 0 {
		s.KeepRequests = defaultKeepRequests
	}
	if s.KeepBytes == 0 {
		s.KeepBytes = defaultKeepBytes
	}
	return s
}

// Name is the name in the Spec.
func (r *Receiver) Name() string { return r.spec.Name }

// URL is where the receiver is reached: scheme, host and port, without a path. It stays the same while the receiver
// is down.
func (r *Receiver) URL() string {
	scheme := "http"
	if r.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + r.port.dial().String()
}

// Certificate is what the receiver shows in a handshake; nil for plain HTTP.
func (r *Receiver) Certificate() *x509.Certificate {
	if r.tls == nil {
		return nil
	}
	return r.tls.Certificates[0].Leaf
}

// Info describes the receiver as it is now.
func (r *Receiver) Info() Info {
	r.mu.Lock()
	spec := r.spec
	spec.Script = r.script.clone()
	r.mu.Unlock()
	arrived, dropped := r.requests.counts()
	return Info{
		Spec: spec, URL: r.URL(), Requests: arrived, Dropped: dropped,
		Connections: r.connections.Load(), Open: r.open.Load(),
	}
}

// Requests returns the kept requests with a number above after, oldest first, and how many were dropped in all. What
// the requests point to must not be modified.
func (r *Receiver) Requests(after uint64) (kept []Request, dropped uint64) {
	return r.requests.read(after)
}

// Wait returns when at least n requests have arrived in all. They may still be waiting for their answers.
func (r *Receiver) Wait(ctx context.Context, n uint64) error { return r.requests.wait(ctx, n) }

// SetScript replaces the script, which begins at its first reply. Requests that wait for their answer get the one they
// were given on arrival; only a script that takes the receiver down cuts them off. A script that is refused, or a port
// that cannot be opened again, changes nothing.
func (r *Receiver) SetScript(s Script) error {
	program, err := s.compile()
	if err != nil {
		return err
	}
	r.life.Lock()
	defer r.life.Unlock()
	switch {
	case r.closed:
		return fmt.Errorf("%w: a closed receiver takes no script", ErrClosed)
	case s.Down:
		r.stop()
		r.follow(s, program)
		return nil
	case r.serving != nil:
		r.follow(s, program)
		return nil
	}
	listener, err := r.port.listen()
	if err != nil {
		return err
	}
	r.follow(s, program)
	r.serving = serve(listener, r.tls, r)
	return nil
}

func (r *Receiver) follow(s Script, p program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script, r.program = s.clone(), p
}

// stop ends the present serving, if there is one. The caller holds r.life.
func (r *Receiver) stop() {
	if r.serving != nil {
		r.serving.stop()
		r.serving = nil
	}
}

// Close frees the port, cuts every connection and returns when all of them have ended. Requests can still be read.
func (r *Receiver) Close() error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.stop()
	r.requests.close()
	return r.port.release()
}

// take gives an arrived request its number and its reply. One that did not arrive whole is kept, but gets no reply.
func (r *Receiver) take(req Request) step {
	r.mu.Lock()
	defer r.mu.Unlock()
	var reply step
	if req.Error == "" {
		reply = r.program.next()
		req.Status, req.Fault = reply.seenStatus(), reply.Fault
	}
	r.requests.add(req)
	return reply
}

// clone protects a script from later changes by its writer.
func (s Script) clone() Script {
	s.Replies = slices.Clone(s.Replies)
	for i := range s.Replies {
		s.Replies[i] = s.Replies[i].clone()
	}
	return s
}
