package receiver

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/fault"
)

const (
	hugeBody  = 64 << 20
	hugeChunk = 32 << 10
)

// answer is one request that waits for its reply.
type answer struct {
	serving *serving
	w       http.ResponseWriter
	reply   step
	at      time.Time
}

// give plays the reply. ctx ends when the client goes away or the receiver stops.
func (a *answer) give(ctx context.Context) {
	if a.reply.Fault == Informational {
		a.w.WriteHeader(http.StatusEarlyHints)
	}
	if a.reply.Fault != Dribble && !clock.Pause(ctx, a.reply.delay) {
		a.cut()
		return
	}
	switch a.reply.Fault {
	case ResetBefore, ResetDuring, Hang, Dribble, Truncate, Garbage:
		a.bare(a.damage)
	case Huge:
		a.huge()
	case None, Informational, Redirect:
		a.plain()
	}
}

// bare plays a reply that net/http would not send.
func (a *answer) bare(play func(net.Conn)) {
	conn, release := a.serving.takeOver(a.w)
	defer release()
	play(conn)
}

// damage plays a fault that other servers have, too.
func (a *answer) damage(conn net.Conn) {
	header := http.Header{}
	a.fill(header)
	fault.Play(conn, fault.Kind(a.reply.Fault), fault.Answer{
		Status: a.reply.Status, Header: header, Body: []byte(a.reply.Body), Pace: a.reply.delay,
	})
}

// cut ends the connection without an answer.
func (a *answer) cut() { a.bare(func(net.Conn) {}) }

func (a *answer) plain() {
	a.fill(a.w.Header())
	a.w.WriteHeader(a.reply.Status)
	_, _ = io.WriteString(a.w, a.reply.Body)
}

func (a *answer) huge() {
	a.fill(a.w.Header())
	a.w.WriteHeader(a.reply.Status)
	chunk := []byte(strings.Repeat("x", hugeChunk))
	for range hugeBody / hugeChunk {
		if _, err := a.w.Write(chunk); err != nil {
			return
		}
	}
}

// fill sets the headers of the answer: the world's date, a type, what the script says.
func (a *answer) fill(header http.Header) {
	header.Set("Date", a.at.UTC().Format(http.TimeFormat))
	if a.reply.Body != "" || a.reply.Fault == Huge {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, value := range a.reply.Header {
		header.Set(name, value)
	}
	if a.reply.Fault == Redirect {
		header.Set("Location", a.reply.Location)
	}
}
