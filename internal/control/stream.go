package control

import (
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
// far it got, and says how much that reader has missed for good. It ends with the sandbox and with the server.
func (a *API) stream(c *call) (int, any, error) {
	after, err := streamFrom(c)
	if err != nil {
		return 0, nil, err
	}
	if a.interrupted() {
		return 0, nil, fmt.Errorf("no stream begins any more: %w", context.Canceled)
	}
	w := c.writer
	c.started = true
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	c.patient = true // its end has a time limit again
	s := &streamer{api: a, sandbox: c.sandbox, w: w, out: http.NewResponseController(w)}
	_ = s.out.SetReadDeadline(time.Time{}) // nothing more is read
	s.run(c.Request, after)
	return 0, written{}, nil
}

// streamFrom is the id of the note after which a reader goes on. An id that was never given is that of another server,
// or of a sandbox that had this name before: its reader has seen nothing of this one.
func streamFrom(c *call) (uint64, error) {
	newest, id := c.sandbox.Feed.Last(), c.Header.Get("Last-Event-ID")
	if id == "" {
		return newest, nil
	}
	after, err := strconv.ParseUint(id, 10, 64)
	switch {
	case err != nil:
		return 0, invalid("Last-Event-ID", fmt.Sprintf("%q is not the id of an event", shorten(id)))
	case after > newest:
		return 0, nil
	}
	return after, nil
}

type streamer struct {
	api     *API
	sandbox *engine.Sandbox
	w       http.ResponseWriter
	out     *http.ResponseController
}

func (s *streamer) run(r *http.Request, after uint64) {
	if !s.send(fmt.Sprintf(": ready\nid: %d\n\n", after)) { // a reader that breaks off now goes on from here
		return
	}
	for !s.api.interrupted() {
		over := s.sandbox.Feed.Ended() // asked first: what is read then is the rest
		notes, missed, changed := s.sandbox.Feed.Read(after)
		if missed > 0 && !s.send(event(after+missed, "missed", client.StreamMissed{Missed: missed})) {
			return
		}
		for _, note := range notes {
			if !s.send(s.event(note)) {
				return
			}
			after = note.ID
		}
		switch {
		case len(notes) > 0:
		case over || !s.wait(r, changed):
			return
		}
	}
}

// interrupted reports whether the streams must end.
func (a *API) interrupted() bool {
	select {
	case <-a.closing:
		return true
	default:
		return false
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

// send writes and flushes within the time limit, which is then lifted: in HTTP/2 it would end the stream in the quiet time, too.
func (s *streamer) send(text string) bool {
	_ = s.out.SetWriteDeadline(clock.WallNow().Add(s.api.streamWrite)) // not every writer has one
	defer func() { _ = s.out.SetWriteDeadline(time.Time{}) }()
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
	return event(note.ID, string(note.Kind), value)
}

func event(id uint64, kind string, value any) string {
	data, err := strictjson.Encode(value)
	if err != nil {
		data = []byte("null")
	}
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, kind, data)
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
