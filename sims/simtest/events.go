package simtest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

func itoa(i int) string { return strconv.Itoa(i) }

func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

// payload builds the document of one event for a webhook that need not exist.
func (w *World) payload(event sims.EventType, n uint64) any {
	w.T.Helper()
	var document any
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		seed := derive.Root(int64(n), "payload").Value(event.Type, n)
		source := sims.Source{
			Env:      w.Sandbox.Env(w.Provider, tx),
			Event:    sims.Event{ID: seed.UUID(), Type: event.Type, Group: event.Group, At: Start().Add(time.Hour), Seed: seed},
			Endpoint: sims.Endpoint{WebhookID: seed.UUIDHex(), URL: "http://127.0.0.1:1/hook", Keys: map[string]string{}, Options: map[string]string{}},
			Fields:   event.Fields, Fake: sims.Fake(seed),
		}
		object := w.Provider.Delivery.Payload(source)
		document = object
		if w.Provider.Delivery.Document != nil {
			document = w.Provider.Delivery.Document(object)
		}
		return nil
	}))
	data, err := strictjson.Encode(document)
	require.NoError(w.T, err)
	decoded, err := strictjson.Decode(data)
	require.NoError(w.T, err)
	return decoded
}

// Event is an event to make happen at the provider of a world.
type Event struct {
	Type, Account, Environment string
	Data, Payload              map[string]any
}

// Emit makes an event happen and returns its deliveries after their first attempts.
func (w *World) Emit(e Event) []delivery.Delivery {
	w.T.Helper()
	event, created, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{
		Sim: w.Provider.Name, Type: e.Type, Account: e.Account, Environment: e.Environment, Data: e.Data, Payload: e.Payload,
	})
	require.NoError(w.T, err)
	require.NotEmpty(w.T, event.ID)
	w.Advance(0)
	for i := range created {
		created[i], err = w.Dispatcher.Get(w.Sandbox, created[i].ID)
		require.NoError(w.T, err)
	}
	return created
}

// maxFired bounds a test that would not come to an end.
const maxFired = 10_000

// Advance moves the world clock and performs what is due on the way.
func (w *World) Advance(by time.Duration) []delivery.Fired {
	w.T.Helper()
	fired, err := w.Dispatcher.Collect(w.Sandbox, func() error {
		_, err := w.Sandbox.Clock.Advance(context.Background(), w.Sandbox.Clock.Now().Add(by), maxFired)
		return err
	})
	require.NoError(w.T, err)
	return fired
}

// Idle moves the world clock until nothing is left to do.
func (w *World) Idle() []delivery.Fired {
	w.T.Helper()
	fired, err := w.Dispatcher.Collect(w.Sandbox, func() error {
		_, err := w.Sandbox.Clock.AdvanceUntilIdle(context.Background(), maxFired)
		return err
	})
	require.NoError(w.T, err)
	return fired
}

// Deliveries returns all deliveries in creation order.
func (w *World) Deliveries() []delivery.Delivery {
	w.T.Helper()
	all, _, _, err := w.Dispatcher.List(w.Sandbox)
	require.NoError(w.T, err)
	return all
}

// Unblock lifts the block of a webhook and sends what it missed.
func (w *World) Unblock(webhookID string) {
	w.T.Helper()
	_, err := w.Dispatcher.Unblock(w.Sandbox, w.Provider, webhookID)
	require.NoError(w.T, err)
	w.Advance(0)
}

// Redeliver sends a delivery once more.
func (w *World) Redeliver(deliveryID string) {
	w.T.Helper()
	_, err := w.Dispatcher.Redeliver(w.Sandbox, deliveryID)
	require.NoError(w.T, err)
	w.Advance(0)
}

// Receiver is a loopback endpoint that records what the provider sends.
type Receiver struct {
	URL string

	mu       sync.Mutex
	requests []Received
}

// Received is one request that arrived at a Receiver. RawHeader has the names as they were sent.
type Received struct {
	Method    string
	Header    http.Header
	RawHeader map[string]string
	Body      []byte
	At        time.Time // world clock
}

// Receive opens a receiver. answer gets the number of the request, from 1 on; nil answers 200.
func (w *World) Receive(answer func(n int) (status int, body string)) *Receiver {
	w.T.Helper()
	if answer == nil {
		answer = func(int) (int, string) { return http.StatusOK, "" }
	}
	r := &Receiver{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.T, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		status, body := answer(r.record(req, w.Sandbox.Clock.Now()))
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}), ConnContext: tapped}
	go func() { _ = server.Serve(tap{listener}) }()
	w.T.Cleanup(func() { _ = server.Close() })
	r.URL = "http://" + listener.Addr().String() + "/hook"
	return r
}

func (r *Receiver) record(req *http.Request, now time.Time) int {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, Received{
		Method: req.Method, Header: req.Header, RawHeader: rawHeader(req), Body: body, At: now,
	})
	return len(r.requests)
}

// Requests returns what has arrived so far.
func (r *Receiver) Requests() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// tap keeps the bytes of a connection, so that header names can be seen as they were spelt.
type tap struct{ net.Listener }

type tappedConn struct {
	net.Conn
	mu   sync.Mutex
	seen []byte
}

func (t tap) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{Conn: conn}, nil
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, p[:n]...)
	return n, err
}

type tapKey struct{}

func tapped(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, tapKey{}, c)
}

// rawHeader reads the header of the newest request on the connection, without canonical spelling.
func rawHeader(req *http.Request) map[string]string {
	conn, ok := req.Context().Value(tapKey{}).(*tappedConn)
	if !ok {
		return nil
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	head, _, _ := strings.Cut(string(conn.seen), "\r\n\r\n")
	conn.seen = nil
	header := map[string]string{}
	for line := range strings.SplitSeq(head, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			header[name] = value
		}
	}
	return header
}
