package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// sse is one server-sent event, read without the help of package client.
type sse struct {
	id         uint64
	kind, data string
}

// tail is an open stream.
type tail struct {
	*testing.T
	body  io.ReadCloser
	lines *bufio.Reader
	first uint64 // the id after which it begins
}

// follow opens a stream and waits until it is ready. last is the Last-Event-ID, if any.
func follow(t *testing.T, c *http.Client, server, sandbox, last string) *tail {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/_mocksrv/v1/sandboxes/"+sandbox+"/stream", http.NoBody)
	require.NoError(t, err)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := c.Do(req) //nolint:bodyclose // the tail closes it
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	s := &tail{T: t, body: resp.Body, lines: newReader(resp.Body)}
	t.Cleanup(s.close)
	ready, err := s.next()
	require.NoError(t, err)
	require.Empty(t, ready.kind)
	s.first = ready.id
	return s
}

func (s *tail) close() { _ = s.body.Close() }

// next reads up to an empty line.
func (s *tail) next() (e sse, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			e.id, err = strconv.ParseUint(value, 10, 64)
			require.NoError(s, err)
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "": // a comment, or the end
			if value == "" {
				return e, nil
			}
		}
	}
}

// take reads so many events.
func (s *tail) take(n int) []sse {
	s.Helper()
	events := make([]sse, n)
	for i := range events {
		var err error
		events[i], err = s.next()
		require.NoError(s, err)
	}
	return events
}

// requireEnd reads what is left.
func (s *tail) requireEnd() {
	s.Helper()
	for {
		if _, err := s.next(); err != nil {
			require.ErrorIs(s, err, io.EOF)
			return
		}
	}
}

func TestEventsArriveInOrderWithIDs(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	stream := follow(t, a.srv.Client(), a.srv.URL(), "default", "")
	subscribe(t, a.srv, a.sandbox("default").Sims["signedsub"], customer(t, 200))
	a.call("POST "+sandboxPath+"/events", request{body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
	a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"by":"1s"}`}).is(200)
	kinds, after := map[string]int{}, stream.first
	var delivered client.Delivery
	for kinds["clock"] == 0 {
		e := stream.take(1)[0]
		require.Equal(t, after+1, e.id)
		after = e.id
		kinds[e.kind]++
		into := map[string]any{"exchange": &client.Exchange{}, "delivery": &delivered, "clock": &client.Clock{}, "webhooks": &client.StreamWebhooks{}}[e.kind]
		require.NoError(t, strictjson.UnmarshalKnown([]byte(e.data), into), "%v", e)
	}
	require.Equal(t, map[string]int{"exchange": 2, "delivery": kinds["delivery"], "clock": 1, "webhooks": 1}, kinds)
	require.Positive(t, kinds["delivery"])
	require.Equal(t, "delivered", delivered.State)
}

// TestResumingLosesNothingAndRepeatsNothing breaks off again and again while somebody writes.
func TestResumingLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	sandbox, _ := w.engine.Sandbox(mocksrv.DefaultSandbox)
	const total = 1500 // less than are kept
	go func() {
		for range total {
			sandbox.Feed.Publish(engine.NoteClock, nil)
		}
	}()
	after, last := uint64(0), "0"
	for n := 1; after < total; n = n%97 + 1 {
		stream := follow(t, server.Client(), server.URL, "default", last)
		for _, e := range stream.take(min(n, int(total-after))) {
			require.Equal(t, after+1, e.id)
			require.Equal(t, "clock", e.kind)
			after = e.id
		}
		stream.close()
		last = strconv.FormatUint(after, 10)
	}
}

// TestBreakingOffBeforeTheFirstEventLosesNothing: there used to be no id to go on from.
func TestBreakingOffBeforeTheFirstEventLosesNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	advance := func() { a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"by":"1s"}`}).is(200) }
	advance()
	stream := follow(t, a.srv.Client(), a.srv.URL(), "default", "")
	require.Equal(t, uint64(1), stream.first)
	stream.close()
	advance()
	again := follow(t, a.srv.Client(), a.srv.URL(), "default", strconv.FormatUint(stream.first, 10))
	require.Equal(t, uint64(2), again.take(1)[0].id)
}

func TestAReaderTooFarBehindLearnsHowMuchItMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	sandbox, _ := w.engine.Sandbox(mocksrv.DefaultSandbox)
	for range 2500 { // 2000 are kept
		sandbox.Feed.Publish(engine.NoteClock, nil)
	}
	for last, missed := range map[string]uint64{"0": 500, "100": 400, "499": 1} {
		events := follow(t, server.Client(), server.URL, "default", last).take(2001)
		require.Equal(t, sse{id: 500, kind: "missed", data: fmt.Sprintf(`{"missed":%d}`, missed)}, events[0])
		require.Equal(t, uint64(501), events[1].id)
		require.Equal(t, uint64(2500), events[2000].id)
	}
	for _, last := range []string{"500", "2499"} {
		first := follow(t, server.Client(), server.URL, "default", last).take(1)[0]
		require.Equal(t, "clock", first.kind, "nothing was missed")
		require.Equal(t, last, strconv.FormatUint(first.id-1, 10))
	}
}

// TestAnIDFromTheFutureIsOfAnotherServer: its reader used to hear nothing until the new server had come as far.
func TestAnIDFromTheFutureIsOfAnotherServer(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"by":"1s"}`}).is(200)
	require.Equal(t, uint64(1), follow(t, a.srv.Client(), a.srv.URL(), "default", "5000").take(1)[0].id)
}

// TestAReaderThatDoesNotReadIsCutOff: it holds up neither who writes nor who reads.
func TestAReaderThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.SetStreamWrite(200 * time.Millisecond)
	ended := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.api.ServeHTTP(rw, r)
		if r.Header.Get("Lazy") != "" {
			ended <- struct{}{}
		}
	}))
	t.Cleanup(server.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /_mocksrv/v1/sandboxes/default/stream HTTP/1.1\r\nHost: localhost\r\nLazy: yes\r\n\r\n")
	require.NoError(t, err)
	lazy := newReader(conn)
	for line := ""; line != ": ready\n"; { // and no further
		line, err = lazy.ReadString('\n')
		require.NoError(t, err)
	}
	sandbox, _ := w.engine.Sandbox(mocksrv.DefaultSandbox)
	large := &engine.Exchange{Direction: engine.Inbound, Response: engine.Message{Body: make([]byte, 1<<20)}}
	sandbox.Journal.Append(large)
	for range 40 { // more than the buffers of a connection take
		sandbox.Feed.Publish(engine.NoteExchange, large.ID)
	}
	other := follow(t, server.Client(), server.URL, "default", "")
	for range 100 { // nobody waits for the lazy one
		sandbox.Feed.Publish(engine.NoteClock, nil)
	}
	require.Equal(t, uint64(140), other.take(100)[99].id)
	<-ended
}

// TestAQuietStreamOverHTTP2GoesOn: the time limit of a write used to end it.
func TestAQuietStreamOverHTTP2GoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit = 50 * time.Millisecond
	w.api.SetStreamWrite(limit)
	server := httptest.NewUnstartedServer(w.api)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	stream := follow(t, server.Client(), server.URL, "default", "")
	quiet, cancel := context.WithTimeout(t.Context(), 3*limit)
	defer cancel()
	<-quiet.Done()
	sandbox, _ := w.engine.Sandbox(mocksrv.DefaultSandbox)
	sandbox.Feed.Publish(engine.NoteClock, nil)
	require.Equal(t, "clock", stream.take(1)[0].kind)
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*mocksrv.Options){"over a network": frozen, "in process": mocksrv.NoListener()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t, option)
			stream := follow(t, srv.Client(), srv.URL(), "default", "")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			left, err := srv.Stop(ctx)
			require.NoError(t, err)
			require.NoError(t, ctx.Err())
			require.Zero(t, left.Requests, "it was not cut")
			stream.requireEnd()
		})
	}
}

// TestBusyStreamsEndWhenTheServerStops: they used to look for the end only when there was nothing to send.
func TestBusyStreamsEndWhenTheServerStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	sandbox, _ := w.engine.Sandbox(mocksrv.DefaultSandbox)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				sandbox.Feed.Publish(engine.NoteClock, nil)
			}
		}
	})
	stream := follow(t, server.Client(), server.URL, "default", "0")
	stream.take(10)
	w.api.Interrupt()
	stream.requireEnd()
	close(stop)
	writing.Wait()
	p := w.call("GET", "/default/stream", "").is(http.StatusServiceUnavailable).problem()
	require.Equal(t, "the server is stopping", p.Title)
}

func TestStreamsEndWhenTheSandboxIsDeleted(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for range 20 { // the call may come at any moment
		a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"brief"}`}).is(201)
		idle := follow(t, a.srv.Client(), a.srv.URL(), "brief", "")
		a.call("PUT "+sandboxPath+"/clock", request{params: in("brief"), body: `{"skew":"1s"}`}).is(200)
		a.call("DELETE "+sandboxPath, request{params: in("brief")}).is(204)
		require.Equal(t, "clock", idle.take(1)[0].kind, "what happened before is told")
		idle.requireEnd()
	}
}

// failing is a world whose metrics panic, and its log.
func failing(t *testing.T) (*control.API, *safeBuffer) {
	t.Helper()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	e, err := engine.New(engine.Options{Providers: providers})
	require.NoError(t, err)
	d := delivery.New(e, delivery.Options{})
	log := &safeBuffer{}
	api := staged(e, d, control.Options{
		Log:     slog.New(slog.NewTextHandler(log, nil)),
		Metrics: func() []byte { panic("a defect") },
	})
	t.Cleanup(func() {
		d.Stop(context.Background())
		api.Close()
	})
	return api, log
}

// safeBuffer is text that several write.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestAPanicIsAProblemAndALineInTheLog: it used to cut the connection.
func TestAPanicIsAProblemAndALineInTheLog(t *testing.T) {
	t.Parallel()
	api, log := failing(t)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	for range 2 { // the server goes on
		resp, err := server.Client().Get(server.URL + "/_mocksrv/metrics")
		require.NoError(t, err)
		p := received(t, resp).is(http.StatusInternalServerError).problem()
		require.Equal(t, client.Problem{Type: "about:blank", Title: "internal error", Status: 500, Detail: "panic: a defect"}, p)
	}
	require.Equal(t, 2, strings.Count(log.String(), `level=ERROR msg="defect of the control API" method=GET path=/_mocksrv/metrics error="a defect" stack=`))
	require.Contains(t, log.String(), "stream_test.go", "the stack says where")
}

// fragile is a writer that panics.
type fragile struct{ *httptest.ResponseRecorder }

func (fragile) Write([]byte) (int, error) { panic(errors.New("broken")) }

// TestAPanicWithinAnAnswerCutsItOff: a problem would be taken for a part of it.
func TestAPanicWithinAnAnswerCutsItOff(t *testing.T) {
	t.Parallel()
	api, log := failing(t)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/_mocksrv/v1/sandboxes/default/stream", http.NoBody)
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { api.ServeHTTP(fragile{httptest.NewRecorder()}, req) })
	require.Contains(t, log.String(), "error=broken")
}
