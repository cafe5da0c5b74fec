// Package fault damages HTTP answers on the wire: what a client meets when a server, or something on the way, fails in the
// middle of an answer. Scripted receivers and scripted providers share it.
package fault

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// Kind is a way in which an answer goes wrong.
type Kind string

// The ways.
const (
	// ResetBefore resets the connection instead of an answer.
	ResetBefore Kind = "reset_before"
	// ResetDuring resets it after the head and half of the body, or half of the head when there is no body.
	ResetDuring Kind = "reset_during"
	// Hang gives no answer until the client goes away.
	Hang Kind = "hang"
	// Dribble sends one byte at a time.
	Dribble Kind = "dribble"
	// Truncate promises more in Content-Length than the body holds, and closes.
	Truncate Kind = "truncate"
	// Garbage sends what is not HTTP, and closes.
	Garbage Kind = "garbage"
)

const (
	shortBy = 16 // bytes a truncated answer promises and does not send
	pace    = 10 * time.Millisecond

	// DefaultGarbage is what a client meets that was pointed at a mail server.
	DefaultGarbage = "220 receiver.invalid ESMTP ready\r\n"
)

// Answer is what would have been sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Pace   time.Duration // Dribble: between bytes, in real time
}

// head is the status line and the headers of an answer after which the connection closes.
func (a Answer) head(length int) []byte {
	header := a.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Connection", "close")
	header.Set("Content-Length", strconv.Itoa(length))
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.Status, http.StatusText(a.Status))
	_ = header.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}

// Play damages an answer on a bare connection. The caller closes that afterwards.
func Play(conn net.Conn, kind Kind, a Answer) {
	switch kind {
	case ResetBefore:
		reset(conn)
	case ResetDuring:
		sent := a.head(len(a.Body))
		if len(a.Body) == 0 {
			sent = sent[:len(sent)/2]
		}
		_, _ = conn.Write(append(sent, a.Body[:len(a.Body)/2]...))
		reset(conn)
	case Hang:
		_, _ = io.Copy(io.Discard, conn)
	case Dribble:
		dribble(conn, append(a.head(len(a.Body)), a.Body...), a.Pace)
	case Truncate:
		_, _ = conn.Write(append(a.head(len(a.Body)+shortBy), a.Body...))
	case Garbage:
		text := a.Body
		if len(text) == 0 {
			text = []byte(DefaultGarbage)
		}
		_, _ = conn.Write(text)
	}
}

func dribble(conn net.Conn, whole []byte, pace time.Duration) {
	for i := range whole {
		if i > 0 && !rest(conn, pace) {
			return
		}
		if _, err := conn.Write(whole[i : i+1]); err != nil {
			return
		}
	}
}

// rest waits in real time on a bare connection, and reports false when the client has gone.
func rest(conn net.Conn, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	if err := conn.SetReadDeadline(clock.WallNow().Add(d)); err != nil {
		return false
	}
	_, err := io.Copy(io.Discard, conn)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// reset ends a connection with a RST instead of a FIN.
func reset(conn net.Conn) {
	conn = Bare(conn)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Bare is the connection below TLS.
func Bare(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

// Serve damages an answer to a request. Where there is no bare connection (HTTP/2, a call in process) it comes as near as it
// can: the stream is cut where the connection would have been.
func Serve(w http.ResponseWriter, r *http.Request, kind Kind, a Answer) {
	if a.Pace == 0 {
		a.Pace = pace
	}
	if kind == Garbage {
		a.Body = nil // a provider's own answer is no garbage
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		serveStream(w, r, kind, a)
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Time{})
	keep := context.AfterFunc(r.Context(), func() { _ = Bare(conn).Close() }) // the server stops
	defer keep()
	if n := buffered.Reader.Buffered(); n > 0 {
		_, _ = buffered.Discard(n) // a pipelined request, which is not answered
	}
	Play(conn, kind, a)
}

// serveStream damages an answer without a bare connection.
func serveStream(w http.ResponseWriter, r *http.Request, kind Kind, a Answer) {
	limits := http.NewResponseController(w)
	_ = limits.SetReadDeadline(time.Time{}) // there is none in process
	_ = limits.SetWriteDeadline(time.Time{})
	half := a.Body
	switch kind {
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case ResetBefore, Garbage:
		panic(http.ErrAbortHandler)
	case ResetDuring:
		half = a.Body[:len(a.Body)/2]
	case Truncate, Dribble:
	}
	maps.Copy(w.Header(), a.Header)
	length := len(a.Body)
	if kind == Truncate {
		length += shortBy
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.Status)
	if kind == Dribble {
		slowly(w, r, a)
		return
	}
	_, _ = w.Write(half)
	_ = limits.Flush()
	panic(http.ErrAbortHandler)
}

func slowly(w http.ResponseWriter, r *http.Request, a Answer) {
	out := http.NewResponseController(w)
	for i := range a.Body {
		if _, err := w.Write(a.Body[i : i+1]); err != nil || out.Flush() != nil {
			return
		}
		if !clock.Pause(r.Context(), a.Pace) {
			panic(http.ErrAbortHandler)
		}
	}
}
