package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

const (
	hugeBody  = 64 << 20
	hugeChunk = 32 << 10
	shortBy   = 16 // bytes a truncated answer promises and does not send

	// defaultGarbage is what a client meets that was pointed at a mail server.
	defaultGarbage = "220 receiver.invalid ESMTP ready\r\n"
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
	if a.reply.Fault != Dribble && !pause(ctx, a.reply.delay) {
		a.cut()
		return
	}
	switch a.reply.Fault {
	case ResetBefore:
		a.bare(reset)
	case ResetDuring:
		a.bare(a.resetDuring)
	case Hang:
		a.bare(func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	case Dribble:
		a.bare(a.dribble)
	case Truncate:
		a.bare(a.truncate)
	case Garbage:
		a.bare(a.garbage)
	case Huge:
		a.huge()
	case None, Informational, Redirect:
		a.plain()
	}
}

// pause waits in real time, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	end, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-end.Done()
	return ctx.Err() == nil
}

// bare plays a reply that net/http would not send.
func (a *answer) bare(play func(net.Conn)) {
	conn, release := a.serving.takeOver(a.w)
	defer release()
	play(conn)
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

// head is the status line and the headers of an answer after which the connection closes.
func (a *answer) head(length int) []byte {
	header := http.Header{}
	a.fill(header)
	header.Set("Connection", "close")
	header.Set("Content-Length", strconv.Itoa(length))
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.reply.Status, http.StatusText(a.reply.Status))
	_ = header.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}

func (a *answer) resetDuring(conn net.Conn) {
	body := a.reply.Body
	sent := a.head(len(body))
	if body == "" {
		sent = sent[:len(sent)/2]
	}
	_, _ = conn.Write(append(sent, body[:len(body)/2]...))
	reset(conn)
}

func (a *answer) truncate(conn net.Conn) {
	body := a.reply.Body
	_, _ = conn.Write(append(a.head(len(body)+shortBy), body...))
}

func (a *answer) garbage(conn net.Conn) {
	text := a.reply.Body
	if text == "" {
		text = defaultGarbage
	}
	_, _ = io.WriteString(conn, text)
}

func (a *answer) dribble(conn net.Conn) {
	whole := append(a.head(len(a.reply.Body)), a.reply.Body...)
	for i := range whole {
		if i > 0 && !rest(conn, a.reply.delay) {
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
