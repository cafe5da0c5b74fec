package delivery_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object = map[string]any

// provider is what the tests need to know of a sim: how to store a webhook for an event.
type provider struct {
	sim   func() *sims.Sim
	event string
	hook  func(w *simtest.World, url string)
}

func providers() map[string]provider {
	return map[string]provider{
		"bts": {bts.New, "status.400", func(w *simtest.World, url string) {
			w.Call("configureWebhookByPost", simtest.Request{Body: object{"webhook_url": url, "environment": "production"}}).OK()
		}},
		"bitpay": {bitpay.New, "ORDER_WEBHOOK", func(w *simtest.World, url string) {
			w.Call("createWebhook", simtest.Request{Body: object{"eventType": "ORDER_WEBHOOK", "url": url}}).OK()
		}},
		"bankly": {bankly.New, "TED_CASH_IN_WAS_CLEARED", func(w *simtest.World, url string) {
			w.Call("createConfiguration", simtest.Request{Body: object{
				"name": "ted", "eventName": "TED_CASH_IN_WAS_CLEARED", "context": "Ted", "uri": url, "privateKey": banklyPrivate, "publicKey": "public",
			}}).OK()
		}},
		"hsrcpay": {hsrcpay.New, "payment.succeeded", func(w *simtest.World, url string) {
			w.Call("createWebhook", simtest.Request{Body: object{"endpoint": url, "enabled_events": []string{"*"}, "secret": hsrcpaySecret}}).OK()
		}},
		"signedsub": {signedsub.New, payout, func(w *simtest.World, url string) { subscribe(w, hookID, url) }},
	}
}

const (
	banklyPrivate = "c2VjcmV0IGtleQ==" // base64 of "secret key"
	hsrcpaySecret = "whsec_c2VjcmV0IGtleQ=="

	payout  = "PAYOUT_CHANGE_STATUS"
	hookID  = "123e4567-e89b-12d3-a456-426614174000"
	otherID = "9c2b7a54-3f0d-4e1b-8a66-0d5f7c1e2b90"
)

// channel sends an operation on a subscription of signedsub.
func channel(w *simtest.World, operation string, payload object) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Body: object{"account": w.Credentials["account"], "payload": payload}})
}

func subscribe(w *simtest.World, id, url string) *simtest.Reply {
	w.T.Helper()
	return channel(w, "createSubscription", object{"requestId": id, "notificationEventTypes": []string{payout}, "url": url}).OK()
}

func moveTo(w *simtest.World, id, url string) {
	w.T.Helper()
	channel(w, "changeSubscription", object{"requestId": id, "notificationEventTypes": []string{payout}, "url": url}).OK()
}

func newKeys(w *simtest.World, id string) *simtest.Reply {
	w.T.Helper()
	return w.Call("regenerateApiKeys", simtest.Request{Body: object{"payload": object{"requestId": id}}}).OK()
}

func unsubscribe(w *simtest.World, id string) {
	w.T.Helper()
	channel(w, "deleteSubscription", object{"requestId": id}).OK()
}

// shown is a member of the first subscription as the provider's API shows it.
func shown(w *simtest.World, member string) any {
	w.T.Helper()
	return channel(w, "listSubscriptions", object{}).OK().Get("subscriptions.0." + member)
}

// emit makes a payout happen and returns its delivery to the one webhook there is, after the first attempt.
func emit(w *simtest.World) delivery.Delivery {
	w.T.Helper()
	all := w.Emit(simtest.Event{Type: payout})
	require.Len(w.T, all, 1)
	return all[0]
}

// emitSoon makes a payout happen and does not wait for the attempts.
func emitSoon(t require.TestingT, w *simtest.World) []delivery.Delivery {
	_, created, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: "signedsub", Type: payout})
	require.NoError(t, err)
	return created
}

func get(w *simtest.World, id string) delivery.Delivery {
	w.T.Helper()
	d, err := w.Dispatcher.Get(w.Sandbox, id)
	require.NoError(w.T, err)
	return d
}

// played opens a receiver that follows a script; its requests carry the instants of the world.
func played(w *simtest.World, replies ...receiver.Reply) *receiver.Receiver {
	w.T.Helper()
	return playedAs(w, receiver.Spec{Script: receiver.Script{Replies: replies}}, nil)
}

func playedAs(w *simtest.World, spec receiver.Spec, ca *authority.CA) *receiver.Receiver {
	w.T.Helper()
	r, err := receiver.Open(receiver.Config{Spec: spec, Now: w.Sandbox.Clock.Now, CA: ca})
	require.NoError(w.T, err)
	w.T.Cleanup(func() { require.NoError(w.T, r.Close()) })
	return r
}

func answer(t require.TestingT, r *receiver.Receiver, replies ...receiver.Reply) {
	require.NoError(t, r.SetScript(receiver.Script{Replies: replies}))
}

func arrived(r *receiver.Receiver) []receiver.Request {
	all, _ := r.Requests(0)
	return all
}

// raw opens a listener whose connections are played by hand, after their request was read. It returns its address.
func raw(t *testing.T, play func(net.Conn)) string {
	t.Helper()
	return rawAt(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_ = req.Body.Close()
		play(conn)
	})
}

func rawAt(t *testing.T, play func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(clock.WallNow().Add(time.Minute)) // no test hangs for ever
				play(conn)
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); conns.Wait() })
	return listener.Addr().String()
}

// says plays an answer and closes the connection.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = conn.Write([]byte(text)) }
}

// holds plays an answer and keeps the connection open until the other side closes it.
func holds(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Write([]byte(text))
		_, _ = conn.Read(make([]byte, 1))
	}
}

// seeded is a world like simtest.New's with another seed.
func seeded(t *testing.T, sim *sims.Sim, seed int64) *simtest.World {
	t.Helper()
	w := simtest.New(t, sim)
	e, err := engine.New(engine.Options{
		Providers: []*engine.Provider{w.Provider},
		Default:   engine.SandboxConfig{Seed: seed, Clock: w.Sandbox.Clock.Setting()},
	})
	require.NoError(t, err)
	sandbox, _ := e.Sandbox(engine.DefaultSandbox)
	w.Engine, w.Sandbox, w.Credentials = e, sandbox, sandbox.Credentials(w.Provider.Name)
	w.Dispatcher = delivery.New(e, delivery.Options{})
	t.Cleanup(func() { w.Dispatcher.Stop(t.Context()) })
	return w
}

// outbound is what the journal says about the attempts of a delivery.
func outbound(w *simtest.World, id string) []*engine.Exchange {
	entries, _, _ := w.Sandbox.Journal.Read(0)
	return slices.DeleteFunc(entries, func(x *engine.Exchange) bool { return x.Direction != engine.Outbound || x.DeliveryID != id })
}

func classOf(a delivery.Attempt) delivery.Class {
	if a.Error == nil {
		return ""
	}
	return a.Error.Class
}

// edit replaces text in the stored state, for what no API would store.
func edit(w *simtest.World, table, old, replacement string) {
	w.T.Helper()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	for i := range state.Tables[table] {
		row := &state.Tables[table][i]
		require.Contains(w.T, string(row.Value), old)
		row.Value = []byte(strings.ReplaceAll(string(row.Value), old, replacement))
	}
	require.NoError(w.T, w.Sandbox.Import(state))
}

// silence keeps a server from writing about clients that go away.
func silence(server *http.Server) {
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
}

// waitFor waits for a state of the deliveries, without moving the clock.
func waitFor(w *simtest.World, done func([]delivery.Delivery) bool) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := w.Dispatcher.Wait(ctx, w.Sandbox, done)
	require.NoError(w.T, err)
}

// withHook is the state of the default sandbox with a subscription; the sandbox has it, too.
func withHook(w *simtest.World, url string) (store.State, error) {
	w.T.Helper()
	subscribe(w, hookID, url)
	return w.Sandbox.Export()
}

// sink is a receiver that does as little as can be, so that senders are measured and not it.
func sink(tb testing.TB, handler http.HandlerFunc) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	silence(server)
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

func takes(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusOK)
}
