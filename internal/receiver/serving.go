package receiver

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/fault"
)

// headerTimeout bounds how long a connection may take to say what it wants.
const headerTimeout = time.Minute

// serving is a receiver while it is up: from one listen to the end of the last of its connections.
type serving struct {
	receiver *Receiver
	server   *http.Server
	atStop   func(func()) (keep func() bool) // runs a function at stop, unless keep comes first
	cancel   context.CancelFunc              // ends what waits
	deaf     chan struct{}                   // closed when no connection is accepted any more
	conns    sync.WaitGroup                  // connections, and whatever else runs for them
}

// serve answers what arrives at a listener until stop.
func serve(listener net.Listener, config *tls.Config, r *Receiver) *serving {
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{receiver: r, cancel: cancel, deaf: make(chan struct{})}
	s.atStop = func(f func()) func() bool { return context.AfterFunc(ctx, f) }
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         func(_ net.Conn, state http.ConnState) { s.count(state) },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // clients go away: no news

		DisableGeneralOptionsHandler: true, // OPTIONS * is a request like others
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	go func() {
		defer close(s.deaf)
		_ = s.server.Serve(listener) // returns when stopped; there is no other way out
	}()
	return s
}

// count follows the connections net/http owns. Those taken over count until they are given back.
func (s *serving) count(state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
		s.receiver.open.Add(1)
		s.receiver.connections.Add(1)
	case http.StateClosed:
		s.ended()
	case http.StateActive, http.StateIdle, http.StateHijacked:
	}
}

// ended counts a connection out.
func (s *serving) ended() {
	s.receiver.open.Add(-1)
	s.conns.Done()
}

// stop cuts every connection and returns when nothing runs any more. Connections are closed before what waits is
// woken, so that nobody hears an answer the script did not give.
func (s *serving) stop() {
	_ = s.server.Close()
	<-s.deaf
	_ = s.server.Close() // a connection that was being accepted during the first
	s.cancel()
	s.conns.Wait()
}

func (s *serving) handle(w http.ResponseWriter, req *http.Request) {
	got := readRequest(req)
	got.At = s.receiver.now()
	reply := s.receiver.take(got)
	a := &answer{serving: s, w: w, reply: reply, at: got.At}
	if got.Error != "" {
		a.cut()
		return
	}
	a.give(req.Context())
}

// takeOver gives an answer the bare connection. release closes it.
func (s *serving) takeOver(w http.ResponseWriter) (conn net.Conn, release func()) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // cannot be: HTTP/1 always can
		panic(http.ErrAbortHandler)
	}
	s.conns.Add(1)
	keep := s.atStop(func() {
		defer s.conns.Done()
		_ = fault.Bare(conn).Close()
	})
	return conn, func() {
		if keep() {
			s.conns.Done()
		}
		_ = conn.Close()
		s.ended() // net/http, which forgot it, will not say so
	}
}
