package bankly_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func retryTests() ledgerTests {
	return ledgerTests{
		"delivery-success":     deliverySuccess,
		"delivery-retry-count": deliveryRetryCount,
		"delivery-schedule":    deliverySchedule,
		"delivery-jitter":      deliveryJitter,
		"delivery-timeout":     deliveryTimeout,
		"delivery-permanent":   deliveryPermanent,
	}
}

func blockTests() ledgerTests {
	return ledgerTests{
		"delivery-block-limit":       blockLimit,
		"delivery-block-window":      blockWindow,
		"delivery-block-window-kind": blockWindowKind,
		"delivery-block-counts":      blockCounts,
		"delivery-while-blocked":     whileBlocked,
	}
}

// neutral is a configuration in the neutral shape of the control API.
func neutral(w *simtest.World, id string) sims.Webhook {
	w.T.Helper()
	var all []sims.Webhook
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		all = w.Provider.Webhooks(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
	for _, hook := range all {
		if hook.ID == id {
			return hook
		}
	}
	require.Fail(w.T, "no webhook "+id)
	return sims.Webhook{}
}

// delivered is what becomes of one event, and how many attempts it took.
func delivered(w *simtest.World, url string) (delivery.State, int) {
	w.T.Helper()
	id := made(w, "uri", url)
	made := w.Emit(simtest.Event{Type: tedIn})
	require.Len(w.T, made, 1)
	w.Idle()
	done, err := w.Dispatcher.Get(w.Sandbox, made[0].ID)
	require.NoError(w.T, err)
	on(w, remove, id).OK()
	return done.State, len(done.Attempts)
}

func answering(status int) func(int) (int, string) {
	return func(int) (int, string) { return status, "not looked at" }
}

func deliverySuccess(w *simtest.World) {
	for status, want := range map[int]delivery.State{
		200: "delivered", 201: "delivered", 204: "delivered", 299: "delivered", 302: "failed", 304: "failed", 400: "failed", 404: "failed", 500: "failed",
	} {
		state, _ := delivered(w, w.Receive(answering(status)).URL)
		require.Equal(w.T, want, state, "status %d", status)
	}
	state, attempts := delivered(w, "http://127.0.0.1:1/nobody")
	require.Equal(w.T, delivery.Failed, state)
	require.Equal(w.T, 4, attempts)
	w.SetPolicy("success_statuses", "200")
	for status, want := range map[int]delivery.State{200: "delivered", 201: "failed", 204: "failed"} {
		state, _ := delivered(w, w.Receive(answering(status)).URL)
		require.Equal(w.T, want, state, "status %d", status)
	}
}

func deliveryRetryCount(w *simtest.World) {
	receiver := w.Receive(failing(1000))
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	require.Len(w.T, w.Idle(), 3)
	require.Equal(w.T, delivery.Failed, w.Deliveries()[0].State)
	w.Advance(365 * 24 * time.Hour)
	require.Len(w.T, receiver.Requests(), 4)
}

// gaps are the delays between the attempts that arrived.
func gaps(r *simtest.Receiver) []time.Duration {
	var all []time.Duration
	requests := r.Requests()
	for i := 1; i < len(requests); i++ {
		all = append(all, requests[i].At.Sub(requests[i-1].At))
	}
	return all
}

func deliverySchedule(w *simtest.World) {
	receiver := w.Receive(failing(1000))
	delivered(w, receiver.URL)
	require.Equal(w.T, []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}, gaps(receiver))
	w.SetPolicy("retry_schedule", []any{"10s", "1h"})
	receiver = w.Receive(failing(1000))
	delivered(w, receiver.URL)
	require.Equal(w.T, []time.Duration{10 * time.Second, time.Hour}, gaps(receiver))
}

func deliveryJitter(w *simtest.World) {
	exact := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
	w.SetPolicy("retry_jitter", 50)
	receiver := w.Receive(failing(1000))
	delivered(w, receiver.URL)
	require.NotEqual(w.T, exact, gaps(receiver))
	for i, gap := range gaps(receiver) {
		require.GreaterOrEqual(w.T, gap, exact[i])
		require.LessOrEqual(w.T, gap, exact[i]*3/2)
	}
	w.SetPolicy("retry_jitter", nil)
	receiver = w.Receive(failing(1000))
	delivered(w, receiver.URL)
	require.Equal(w.T, exact, gaps(receiver))
}

func deliveryTimeout(w *simtest.World) {
	policy, _ := w.Provider.Contract.Policy("attempt_timeout")
	require.Equal(w.T, 10*time.Second, policy.Default)
	w.SetPolicy("attempt_timeout", "20ms")
	release := make(chan struct{})
	receiver := w.Receive(func(n int) (int, string) {
		if n == 1 {
			<-release
		}
		return http.StatusOK, ""
	})
	made(w, "uri", receiver.URL)
	attempt := w.Emit(simtest.Event{Type: tedIn})[0].Attempts[0]
	close(release)
	require.Equal(w.T, delivery.ClassTimeout, attempt.Error.Class)
	w.SetPolicy("attempt_timeout", nil)
	require.Len(w.T, w.Idle(), 1)
	require.Equal(w.T, delivery.Delivered, w.Deliveries()[0].State)
}

func deliveryPermanent(w *simtest.World) {
	for policy, want := range map[string]map[int]int{
		"none": {400: 4, 404: 4, 410: 4, 500: 4}, "client_errors": {400: 1, 404: 1, 429: 4, 500: 4},
	} {
		w.SetPolicy("permanent_statuses", policy)
		for status, attempts := range want {
			_, made := delivered(w, w.Receive(answering(status)).URL)
			require.Equal(w.T, attempts, made, "%s %d", policy, status)
		}
	}
}

// failures makes events fail for good, each in its own 21 minutes.
func failures(w *simtest.World, n int) {
	w.T.Helper()
	for range n {
		w.Emit(simtest.Event{Type: tedIn})
		w.Idle()
	}
}

func blockLimit(w *simtest.World) {
	id := made(w, "uri", w.Receive(failing(1000)).URL)
	failures(w, 30)
	require.Equal(w.T, sims.Active, neutral(w, id).State)
	require.Equal(w.T, "Enabled", shown(w, id, "status"))
	require.Equal(w.T, 120, neutral(w, id).ErrorCount)

	w.SetPolicy("block_limit", 2)
	failures(w, 2)
	require.Equal(w.T, sims.Active, neutral(w, id).State)
	failures(w, 1)
	require.Equal(w.T, sims.Blocked, neutral(w, id).State)
	require.Equal(w.T, "Enabled", shown(w, id, "status"), "the provider has no word for it")
	w.Unblock(id)
	require.Equal(w.T, sims.Active, neutral(w, id).State)
}

// blocked says whether errors an hour apart block under a policy.
func blocked(w *simtest.World, changes map[string]any) bool {
	w.T.Helper()
	w.SetPolicy("block_limit", 1)
	for name, value := range changes {
		w.SetPolicy(name, value)
	}
	id := made(w, "uri", w.Receive(failing(1000)).URL)
	failures(w, 1)
	w.Advance(time.Hour)
	failures(w, 1)
	state := neutral(w, id).State
	on(w, remove, id).OK()
	return state == sims.Blocked
}

func blockWindow(w *simtest.World) {
	require.True(w.T, blocked(w, nil), "no window")
	require.True(w.T, blocked(w, map[string]any{"block_window_kind": "sliding", "block_window": "2h"}))
	require.False(w.T, blocked(w, map[string]any{"block_window_kind": "sliding", "block_window": "30m"}))
}

func blockWindowKind(w *simtest.World) {
	w.SetPolicy("block_window", "30m")
	for kind, want := range map[string]bool{"none": true, "first_error": false, "sliding": false} {
		require.Equal(w.T, want, blocked(w, map[string]any{"block_window_kind": kind}), kind)
	}
}

func blockCounts(w *simtest.World) {
	for counts, want := range map[string]string{"event": sims.Active, "attempt": sims.Blocked} {
		w.SetPolicy("block_limit", 1)
		w.SetPolicy("block_counts", counts)
		id := made(w, "uri", w.Receive(failing(1000)).URL)
		failures(w, 1)
		require.Equal(w.T, want, neutral(w, id).State, counts)
		on(w, remove, id).OK()
	}
}

func whileBlocked(w *simtest.World) {
	w.SetPolicy("block_limit", 1)
	for policy, want := range map[string]struct {
		states []any
		sent   int // after unblocking: nothing, or the two that failed and what was kept
	}{
		"drop": {[]any{"Failed", "Failed"}, 0}, "hold": {[]any{"Failed", "Failed", "Hold"}, 3}, "fail": {[]any{"Failed", "Failed"}, 3},
	} {
		w.SetPolicy("while_blocked", policy)
		receiver := w.Receive(failing(8))
		id := made(w, "uri", receiver.URL, "eventName", pixIn, "context", "Pix")
		for range 2 {
			w.Emit(simtest.Event{Type: pixIn})
			w.Idle()
		}
		require.Equal(w.T, sims.Blocked, neutral(w, id).State)
		w.Emit(simtest.Event{Type: pixIn})
		require.Len(w.T, receiver.Requests(), 8, policy)
		mine := members(listed(w, search, days("pageSize", "100")), "state")
		require.Equal(w.T, want.states, mine[len(mine)-len(want.states):], policy)
		w.Unblock(id)
		require.Len(w.T, receiver.Requests(), 8+want.sent, policy)
		on(w, remove, id).OK()
	}
}
