package control

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Limits of the live stream.
const (
	streamWrite = 10 * time.Second // a reader that takes longer to take an event is cut off
	streamQuiet = 15 * time.Second // after so much silence a comment says that the stream is alive
)

// stream sends what happens in a sandbox as server-sent events. It goes on after Last-Event-ID where a reader says how
// far it got, and says how much that reader has missed for good.
func (a *API) stream(c *call) (int, any, error) {
	after := c.sandbox.Feed.Last()
	if id := c.Header.Get("Last-Event-ID"); id != "" {
		last, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return 0, nil, invalid("Last-Event-ID", fmt.Sprintf("%q is not the id of an event", id))
		}
		after = last
	}
	w := c.writer
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	s := &streamer{api: a, sandbox: c.sandbox, w: w, out: http.NewResponseController(w)}
	_ = s.out.SetReadDeadline(time.Time{}) // nothing more is read
	s.run(c.Request, after)
	return 0, written{}, nil
}

type streamer struct {
	api     *API
	sandbox *engine.Sandbox
	w       http.ResponseWriter
	out     *http.ResponseController
}

func (s *streamer) run(r *http.Request, after uint64) {
	if !s.send(": ready\n\n") {
		return
	}
	for {
		notes, missed, changed := s.sandbox.Feed.Read(after)
		if missed > 0 && !s.send(fmt.Sprintf("event: missed\ndata: {\"missed\":%d}\n\n", missed)) {
			return
		}
		for _, note := range notes {
			if !s.send(s.event(note)) {
				return
			}
			after = note.ID
		}
		if len(notes) > 0 {
			continue
		}
		if !s.wait(r, changed) {
			return
		}
	}
}

// wait returns when there is something new, or after a while of silence; false: the stream is over.
func (s *streamer) wait(r *http.Request, changed <-chan struct{}) bool {
	quiet, cancel := context.WithTimeout(r.Context(), streamQuiet)
	defer cancel()
	select {
	case <-changed:
		return true
	case <-s.api.closing:
		return false
	case <-quiet.Done():
		return r.Context().Err() == nil && s.send(": alive\n\n")
	}
}

// send writes and flushes within the time limit.
func (s *streamer) send(text string) bool {
	_ = s.out.SetWriteDeadline(clock.WallNow().Add(streamWrite)) // not every writer has one
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.out.Flush() == nil
}

// event renders a note: what it names, as it is now.
func (s *streamer) event(note engine.Note) string {
	value := s.value(note)
	if value == nil {
		value = client.StreamGone{Gone: true}
	}
	data, err := strictjson.Encode(value)
	if err != nil {
		data = []byte("null")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", note.ID, note.Kind, data)
	return b.String()
}

func (s *streamer) value(note engine.Note) any {
	switch note.Kind {
	case engine.NoteExchange:
		id, _ := note.Value.(uint64)
		if x, ok := s.sandbox.Journal.Get(id); ok {
			return exchangeOf(x)
		}
	case engine.NoteDelivery:
		id, _ := note.Value.(string)
		if d, err := s.api.deliveries.Get(s.sandbox, id); err == nil {
			return deliveryOf(d)
		}
	case engine.NoteClock:
		return clockOf(s.sandbox.Clock.Setting())
	case engine.NoteWebhooks:
		return client.StreamWebhooks{Sim: fmt.Sprint(note.Value)}
	}
	return nil
}
