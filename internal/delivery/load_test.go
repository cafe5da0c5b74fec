package delivery_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// TestDeadReceiversDelayNobodyElse: 10,000 deliveries to 1,000 webhooks, half of which never answer. The others get
// theirs while the dead ones hold their first attempt each: no time limit of theirs is over, for there is none.
func TestDeadReceiversDelayNobodyElse(t *testing.T) {
	t.Parallel()
	const hooks, events = 1000, 10
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("attempt_timeout", "1h")
	closed, allLive := make(chan struct{}), make(chan struct{})
	revive := sync.OnceFunc(func() { close(closed) })
	var live, dead atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{} // path and body → how often
	count := func(key string) {
		mu.Lock()
		defer mu.Unlock()
		seen[key]++
	}
	url := sink(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		count(r.URL.Path + string(body))
		if strings.HasPrefix(r.URL.Path, "/dead/") {
			dead.Add(1)
			<-closed
		} else if live.Add(1) == hooks/2*events {
			close(allLive)
		}
	})
	t.Cleanup(revive)
	for i := range hooks {
		kind := []string{"dead", "live"}[i%2]
		subscribe(w, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), fmt.Sprintf("%s/%s/%d", url, kind, i))
	}
	for range events {
		require.Len(t, emitSoon(t, w), hooks)
	}
	<-allLive
	require.LessOrEqual(t, dead.Load(), int64(hooks/2), "a dead receiver holds up one place and no more")
	revive()
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	for _, d := range w.Deliveries() {
		require.Equal(t, delivery.Delivered, d.State)
		require.Len(t, d.Attempts, 1)
	}
	require.Len(t, seen, hooks*events, "everybody got everything")
	for key, times := range seen {
		require.Equal(t, 1, times, key)
	}
}

// multiplied makes many deliveries of the first one that is stored: only what they are counted by differs.
func multiplied(w *simtest.World, times int) {
	w.T.Helper()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	first := state.Tables["deliveries"][0]
	rows := make([]store.Row, times)
	for i := range rows {
		rows[i] = store.Row{ID: fmt.Sprintf("copy %d", i), Keys: first.Keys, Value: first.Value}
	}
	state.Tables["deliveries"] = rows
	require.NoError(w.T, w.Sandbox.Import(state))
}

// TestTheBacklogIsBounded: one event too many is refused whole, says so, and changes nothing.
func TestTheBacklogIsBounded(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	subscribe(w, hookID, "http://127.0.0.1:1/none")
	require.NoError(t, w.Sandbox.Clock.Stop(t.Context())) // nothing is sent
	emitSoon(t, w)
	multiplied(w, delivery.MaxWaitingOfHook-1)
	subscribe(w, otherID, "http://127.0.0.1:1/none")
	emitSoon(t, w)
	before := w.Dump()
	_, _, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: "signedsub", Type: payout})
	require.ErrorIs(t, err, delivery.ErrBacklog)
	require.EqualError(t, err, "the backlog is full: 20000 deliveries wait for signedsub webhook "+hookID+"; advance the clock or reset")
	require.Equal(t, before, w.Dump())
	multiplied(w, delivery.MaxWaiting)
	channel(w, "changeSubscription", object{"requestId": hookID, "notificationEventTypes": []string{"INVOICE_PAID"}, "url": "http://127.0.0.1:1/none"}).OK()
	_, _, err = w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: "signedsub", Type: payout})
	require.EqualError(t, err, "the backlog is full: 200000 deliveries wait in this sandbox; advance the clock or reset")
}

// TestFinishedDeliveriesAreForgottenInTime: the oldest first, and the count says how many.
func TestFinishedDeliveriesAreForgottenInTime(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	subscribe(w, hookID, sink(t, takes))
	require.Equal(t, delivery.Delivered, emit(w).State)
	multiplied(w, delivery.MaxFinished-1)
	var sent []string
	for range 4 {
		sent = append(sent, emit(w).ID)
	}
	state, err := w.Sandbox.Export()
	require.NoError(t, err)
	rows := state.Tables["deliveries"]
	require.Len(t, rows, delivery.MaxFinished)
	require.Equal(t, "copy 3", rows[0].ID, "the oldest are gone")
	for i, id := range sent {
		require.Equal(t, id, rows[len(rows)-len(sent)+i].ID)
	}
	_, forgotten, _, err := w.Dispatcher.List(w.Sandbox)
	require.NoError(t, err)
	require.EqualValues(t, 3, forgotten)
}
