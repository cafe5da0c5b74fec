package mocksrv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
)

// Limits of the HTTP server. Those of bodies are engine.MaxBody and control.MaxBody; how long a call of the control API may
// wait is control.MaxWait.
const (
	ReadHeaderTime = 5 * time.Second  // for the header of a request
	ReadTime       = 10 * time.Second // for header and body
	WriteTime      = 20 * time.Second // from the header on, until the answer is written
	IdleTime       = 2 * time.Minute  // of a connection between requests
	MaxHeader      = 64 << 10         // bytes; net/http adds 4 KiB for its buffer

	// DefaultMaxConnections is how many connections may be open at once where Options say nothing.
	DefaultMaxConnections = 16_384
)

// endpoint is one address that is listened on.
type endpoint struct {
	secure   bool // speaks TLS
	listener *limited
	server   *http.Server
	life     context.CancelFunc // ends the requests under way
	served   chan error
}

// listen opens an address. Nothing is served yet.
func (s *Server) listen(where string, handler http.Handler) (*endpoint, error) {
	secure, address, err := ParseListen(where)
	if err != nil {
		return nil, err
	}
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", where, err, listenAdvice(err))
	}
	life, end := context.WithCancel(context.Background())
	e := &endpoint{secure: secure, listener: newLimited(inner, s.options.MaxConnections), life: end, served: make(chan error, 1)}
	e.listener.silent = secure
	e.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: ReadHeaderTime, ReadTimeout: ReadTime, WriteTimeout: WriteTime, IdleTimeout: IdleTime,
		MaxHeaderBytes: MaxHeader, ConnState: e.listener.count, BaseContext: func(net.Listener) context.Context { return life },
		ErrorLog: slog.NewLogLogger(hinting{s.options.Log.Handler()}, slog.LevelWarn),
	}
	if secure {
		e.server.TLSConfig = s.tlsConfig()
	}
	return e, nil
}

func (e *endpoint) serve() {
	defer close(e.served) // whoever stops once more finds that it has ended
	if e.secure {
		e.served <- e.server.ServeTLS(e.listener, "", "")
		return
	}
	e.served <- e.server.Serve(e.listener)
}

// url is where the endpoint is reached from this machine.
func (e *endpoint) url() string {
	host, port, err := net.SplitHostPort(e.listener.Addr().String())
	if err == nil && (host == "::" || host == "0.0.0.0") {
		return scheme(e.secure) + "://127.0.0.1:" + port
	}
	return scheme(e.secure) + "://" + e.listener.Addr().String()
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// Start opens the listeners and serves in the background.
func (s *Server) Start() error {
	if err := s.open(); err != nil {
		for _, e := range s.endpoints() {
			e.life()
			err = errors.Join(err, e.listener.Close())
		}
		s.providerEnds, s.controlEnd = nil, nil
		return err
	}
	s.own.Store(s.controlAddresses())
	for _, e := range s.endpoints() {
		if e.secure && s.transport == nil {
			s.transport = s.newTransport()
		}
		go e.serve()
	}
	return nil
}

// open listens on every address, up to the first that cannot be had.
func (s *Server) open() (err error) {
	if s.options.ControlAddress != "" {
		if s.controlEnd, err = s.listen(s.options.ControlAddress, s.counted(s.control)); err != nil {
			return fmt.Errorf("control API: %w", err)
		}
	}
	for _, where := range slices.Concat([]string{cmp.Or(s.options.Address, "127.0.0.1:0")}, s.options.Listen) {
		e, err := s.listen(where, s)
		if err != nil {
			return err
		}
		s.providerEnds = append(s.providerEnds, e)
	}
	return nil
}

// endpoints are those that were opened.
func (s *Server) endpoints() []*endpoint {
	open := slices.Clone(s.providerEnds)
	if s.controlEnd != nil {
		open = append(open, s.controlEnd)
	}
	return open
}

// Stopped is what was left when a server stopped.
type Stopped struct {
	delivery.Left
	Requests int // requests that were cut
}

// Stop ends the server: no new requests, no new attempts, and what is under way may finish until ctx ends. Calls that wait
// for something end as soon as nothing more will happen.
func (s *Server) Stop(ctx context.Context) (left Stopped, err error) {
	s.control.Interrupt()
	delivered := make(chan delivery.Left, 1)
	go func() {
		delivered <- s.dispatcher.Stop(ctx)
		for _, e := range s.endpoints() {
			e.life()
		}
	}()
	left.Requests, err = s.stopListening(ctx)
	left.Left = <-delivered
	s.control.Close()
	return left, err
}

// stopListening takes no new requests and waits for those under way until ctx ends; then it cuts them.
func (s *Server) stopListening(ctx context.Context) (cut int, err error) {
	open := s.endpoints()
	if s.transport != nil {
		s.transport.CloseIdleConnections() // a connection of HTTP/2 would be waited for
	}
	var finishing sync.WaitGroup
	for _, e := range open {
		finishing.Go(func() { _ = e.server.Shutdown(ctx) }) // it fails when ctx ends, and then the rest is cut
	}
	finishing.Wait()
	if len(open) > 0 {
		cut = int(s.active.Load())
	}
	for _, e := range open {
		_ = e.server.Close() // its listener is closed already
		if served := <-e.served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return cut, err
}

// URL is where the providers are reached: http://127.0.0.1:port, or https where there is nothing else. Without a listener
// it is a name that only Client knows.
func (s *Server) URL() string {
	if len(s.providerEnds) == 0 {
		return "http://mocksrv"
	}
	return s.providerEnd(false).url()
}

// URLs are all addresses at which the providers are reached, in the order of the Options.
func (s *Server) URLs() []string {
	urls := make([]string, len(s.providerEnds))
	for i, e := range s.providerEnds {
		urls[i] = e.url()
	}
	return urls
}

// providerEnd is the first listener of the providers with or without TLS, or the first of all.
func (s *Server) providerEnd(secure bool) *endpoint {
	for _, e := range s.providerEnds {
		if e.secure == secure {
			return e
		}
	}
	return s.providerEnds[0]
}

// ControlURL is where the control API is reached: at URL, or at Options.ControlAddress.
func (s *Server) ControlURL() string {
	if s.controlEnd == nil {
		return s.URL()
	}
	return s.controlEnd.url()
}

// providerURL is where the providers are for somebody who reaches the control API at a host, with or without TLS: there, or
// when it has an address of its own, at an address of the providers, by the name that was used if they listen on every
// interface.
func (s *Server) providerURL(host string, secure bool) string {
	if s.controlEnd == nil {
		return scheme(secure) + "://" + host
	}
	e := s.providerEnd(secure)
	address := e.listener.Addr().String()
	ip, port, err := net.SplitHostPort(address)
	if err == nil && net.ParseIP(ip) != nil && net.ParseIP(ip).IsUnspecified() {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		address = net.JoinHostPort(host, port)
	}
	return scheme(e.secure) + "://" + address
}

// counted counts the requests under way.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// limited is a listener with a limit of open connections. Those over it are told so and closed, where a listener that
// stopped to accept would leave them waiting in the kernel's queue without a word.
type limited struct {
	net.Listener
	silent  bool // speaks TLS: what is refused is closed without a word
	limit   int64
	open    atomic.Int64
	refused atomic.Uint64
	places  chan struct{} // for refusals under way
}

// refusals is how many refused connections are answered at the same time; more are closed without an answer.
const refusals = 64

func newLimited(inner net.Listener, limit int) *limited {
	if limit <= 0 {
		limit = DefaultMaxConnections
	}
	return &limited{Listener: inner, limit: int64(limit), places: make(chan struct{}, refusals)}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.open.Load() < l.limit {
			return conn, err //nolint:wrapcheck // net/http looks at what kind of error it is
		}
		l.refused.Add(1)
		l.refuse(conn)
	}
}

// count follows the connections. The server calls it for a new one before it accepts the next.
func (l *limited) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// refuse answers a connection over the limit and closes it. It reads what the client says until that closes, too, or a
// second is over: closing with unread bytes would take the answer back.
func (l *limited) refuse(conn net.Conn) {
	if l.silent {
		_ = conn.Close()
		return
	}
	select {
	case l.places <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { _ = conn.Close(); <-l.places }()
		_ = conn.SetDeadline(clock.WallNow().Add(time.Second))
		body := fmt.Sprintf(`{"type":"about:blank","title":"too many connections","status":503,"detail":"%d connections are open; close some, or start with --max-connections"}`, l.limit)
		_, err := fmt.Fprintf(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
		if half, ok := conn.(*net.TCPConn); ok && err == nil && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, conn, MaxHeader)
		}
	}()
}
