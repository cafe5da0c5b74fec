package hsrcpay_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func blockingTests() ledgerTests {
	return ledgerTests{
		"delivery-disabled":          deliveryDisabled,
		"delivery-block-limit":       blockLimit,
		"delivery-block-window":      blockWindow,
		"delivery-block-window-kind": blockWindowKind,
		"delivery-block-counts":      blockCounts,
		"delivery-while-blocked":     whileBlocked,
	}
}

// stateOf is the state of the one webhook there is, in the neutral shape.
func stateOf(w *simtest.World) (state string) {
	w.T.Helper()
	inside(w, func(e *sims.Env) { state = w.Provider.Webhooks(e)[0].State })
	return state
}

// failing is a fresh world with one webhook whose every event fails for good, under these policies.
func failing(w *simtest.World, policies map[string]any) *simtest.World {
	w.T.Helper()
	fresh := simtest.New(w.T, w.Provider.Sim)
	for name, value := range policies {
		fresh.SetPolicy(name, value)
	}
	r := fresh.Receive(always(http.StatusGone))
	hookAt(fresh, r.URL)
	return fresh
}

// blocksAfter lets events fail after these waits and says whether the last one blocks the webhook.
func blocksAfter(w *simtest.World, policies map[string]any, waits ...time.Duration) bool {
	w.T.Helper()
	fresh := failing(w, policies)
	for _, wait := range waits {
		require.Equal(w.T, sims.Active, stateOf(fresh), "blocked too early")
		fresh.Advance(wait)
		emitted(fresh)
	}
	return stateOf(fresh) == sims.Blocked
}

func deliveryDisabled(w *simtest.World) {
	w = failing(w, nil)
	for range 60 {
		require.Equal(w.T, delivery.Failed, emitted(w).State)
	}
	require.Equal(w.T, sims.Active, stateOf(w))
	object, _ := w.Call(list, simtest.Request{}).OK().Get("data.0").(map[string]any)
	require.NotContains(w.T, object, "status")
	require.NotContains(w.T, object, "enabled")
	require.Len(w.T, w.Provider.Contract.Operations, 2)
}

func blockLimit(w *simtest.World) {
	require.False(w.T, blocksAfter(w, nil, make([]time.Duration, 50)...))
	limit := map[string]any{"block_limit": 2}
	require.False(w.T, blocksAfter(w, limit, 0, 0))
	require.True(w.T, blocksAfter(w, limit, 0, 0, 0))

	fresh := simtest.New(w.T, w.Provider.Sim)
	fresh.SetPolicy("block_limit", 1)
	r := fresh.Receive(func(n int) (int, string) { return map[bool]int{true: 410, false: 200}[n < 3], "" })
	id := hookAt(fresh, r.URL)
	emitted(fresh)
	emitted(fresh)
	require.Equal(w.T, sims.Blocked, stateOf(fresh))
	fresh.Unblock(id)
	require.Equal(w.T, sims.Active, stateOf(fresh))
}

func blockWindow(w *simtest.World) {
	policies := map[string]any{"block_limit": 1, "block_window_kind": "sliding"}
	require.True(w.T, blocksAfter(w, policies, 0, 23*time.Hour))
	require.False(w.T, blocksAfter(w, policies, 0, 25*time.Hour))
	policies["block_window"] = "1h"
	require.True(w.T, blocksAfter(w, policies, 0, 59*time.Minute))
	require.False(w.T, blocksAfter(w, policies, 0, 61*time.Minute))
}

func blockWindowKind(w *simtest.World) {
	policies := map[string]any{"block_limit": 2, "block_window": "1h"}
	const wait = 40 * time.Minute
	require.True(w.T, blocksAfter(w, policies, 0, 1000*time.Hour, 1000*time.Hour), "no window")
	policies["block_window_kind"] = "first_error" // 0 and 40 are in the first window, 80 opens the next one
	require.False(w.T, blocksAfter(w, policies, 0, wait, wait))
	require.True(w.T, blocksAfter(w, policies, 0, 2*wait, wait/2, wait/2))
	policies["block_window_kind"] = "sliding" // each error sees those of the hour before it
	require.False(w.T, blocksAfter(w, policies, 0, wait, wait))
	require.True(w.T, blocksAfter(w, policies, 0, wait, wait, wait/4))
}

func blockCounts(w *simtest.World) {
	for counts, want := range map[string][2]string{"event": {sims.Active, sims.Blocked}, "attempt": {sims.Blocked, sims.Blocked}} {
		fresh := simtest.New(w.T, w.Provider.Sim)
		if counts != "event" {
			fresh.SetPolicy("block_counts", counts)
		}
		fresh.SetPolicy("block_limit", 1)
		r := fresh.Receive(always(500))
		hookAt(fresh, r.URL)
		emitted(fresh)
		fresh.Idle()
		first := stateOf(fresh)
		emitted(fresh)
		fresh.Idle()
		require.Equal(w.T, want, [2]string{first, stateOf(fresh)}, counts)
	}
}

func whileBlocked(w *simtest.World) {
	for value, want := range map[string]struct{ blocked, after delivery.State }{
		"drop": {delivery.Dropped, delivery.Dropped},
		"hold": {delivery.Held, delivery.Delivered},
		"fail": {delivery.Failed, delivery.Delivered},
	} {
		fresh := simtest.New(w.T, w.Provider.Sim)
		fresh.SetPolicy("block_limit", 1)
		if value != "drop" {
			fresh.SetPolicy("while_blocked", value)
		}
		r := fresh.Receive(func(n int) (int, string) { return map[bool]int{true: 410, false: 200}[n < 3], "" })
		id := hookAt(fresh, r.URL)
		emitted(fresh)
		emitted(fresh)
		require.Equal(w.T, sims.Blocked, stateOf(fresh))
		require.Equal(w.T, want.blocked, emitted(fresh).State, value)
		fresh.Idle()
		require.Len(w.T, r.Requests(), 2)
		fresh.Unblock(id)
		fresh.Idle()
		require.Equal(w.T, want.after, fresh.Deliveries()[2].State, value)
		require.Equal(w.T, delivery.Delivered, emitted(fresh).State, value)
	}
}
