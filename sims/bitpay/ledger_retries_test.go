package bitpay_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func retryTests() ledgerTests {
	return ledgerTests{
		"delivery-retry-schedule":    retrySchedule,
		"delivery-retry-jitter":      retryJitter,
		"delivery-attempt-timeout":   attemptTimeout,
		"delivery-permanent":         permanent,
		"delivery-block-limit":       blockLimit,
		"delivery-block-window":      blockWindow,
		"delivery-block-window-kind": blockWindowKind,
		"delivery-block-counts":      blockCounts,
		"delivery-while-blocked":     whileBlocked,
		"delivery-bind":              bind,
		"delivery-resign":            resign,
	}
}

// run sends one event to a receiver until nothing is left to do, and returns the delivery.
func run(w *simtest.World, r *simtest.Receiver) delivery.Delivery {
	w.T.Helper()
	w.Advance(time.Minute) // beyond the duplicate window
	id := create(w, "ORDER_WEBHOOK", r.URL)
	made := w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	require.Len(w.T, made, 1)
	w.Idle()
	remove(w, id).OK()
	all := w.Deliveries()
	return all[len(all)-1]
}

// delays are those between the attempts of a delivery.
func delays(d delivery.Delivery) []time.Duration {
	var all []time.Duration
	for i := 1; i < len(d.Attempts); i++ {
		all = append(all, d.Attempts[i].At.Sub(d.Attempts[i-1].At))
	}
	return all
}

func minutes(n ...int) []time.Duration {
	var all []time.Duration
	for _, m := range n {
		all = append(all, time.Duration(m)*time.Minute)
	}
	return all
}

func retrySchedule(w *simtest.World) {
	failed := run(w, answering(w, 500, ""))
	require.Equal(w.T, delivery.Failed, failed.State)
	require.Equal(w.T, minutes(1, 5, 15, 30, 60), delays(failed))
	third := run(w, w.Receive(func(n int) (int, string) { return map[bool]int{true: 500, false: 200}[n < 3], "" }))
	require.Equal(w.T, delivery.Delivered, third.State)
	require.Equal(w.T, minutes(1, 5), delays(third))
	w.SetPolicy("retry_schedule", []any{"10s", "20s"})
	require.Equal(w.T, []time.Duration{10 * time.Second, 20 * time.Second}, delays(run(w, answering(w, 500, ""))))
}

func retryJitter(w *simtest.World) {
	w.SetPolicy("retry_jitter", 50)
	longer := false
	for i, delay := range delays(run(w, answering(w, 500, ""))) {
		plain := minutes(1, 5, 15, 30, 60)[i]
		require.GreaterOrEqual(w.T, delay, plain)
		require.LessOrEqual(w.T, delay, plain*3/2)
		longer = longer || delay > plain
	}
	require.True(w.T, longer)
	w.SetPolicy("retry_jitter", 0)
	require.Equal(w.T, minutes(1, 5, 15, 30, 60), delays(run(w, answering(w, 500, ""))))
}

func attemptTimeout(w *simtest.World) {
	policies := w.Sandbox.Policies(w.Provider)
	require.Equal(w.T, 5*time.Second, policies.Duration("attempt_timeout"))
	ends := make(chan struct{})
	w.T.Cleanup(func() { close(ends) })
	w.SetPolicy("retry_schedule", []any{})
	w.SetPolicy("attempt_timeout", "20ms")
	slow := run(w, w.Receive(func(int) (int, string) { <-ends; return 200, "" }))
	require.Equal(w.T, delivery.Failed, slow.State)
	require.Equal(w.T, delivery.ClassTimeout, slow.Attempts[0].Error.Class)
	w.SetPolicy("attempt_timeout", nil)
	require.Equal(w.T, delivery.Delivered, run(w, answering(w, 200, "")).State)
}

func permanent(w *simtest.World) {
	w.SetPolicy("retry_schedule", []any{"1m"})
	for policy, final := range map[string]int{"none": 2, "client_errors": 1} {
		w.SetPolicy("permanent_statuses", policy)
		for _, status := range []int{400, 401, 404, 410, 422} {
			d := run(w, answering(w, status, ""))
			require.Equal(w.T, delivery.Failed, d.State)
			require.Len(w.T, d.Attempts, final, "%s %d", policy, status)
		}
		for _, status := range []int{408, 409, 425, 429, 500, 302} {
			require.Len(w.T, run(w, answering(w, status, "")).Attempts, 2, "%s %d", policy, status)
		}
	}
}

// stateOf is that of the newest webhook in the neutral shape.
func stateOf(w *simtest.World) string {
	all := neutral(w)
	return all[len(all)-1].State
}

// failing emits events to a webhook whose receiver always fails, until nothing is left to do.
func failing(w *simtest.World, events int) string {
	w.T.Helper()
	w.Advance(time.Minute) // beyond the duplicate window
	id := create(w, "ORDER_WEBHOOK", answering(w, 500, "").URL)
	for range events {
		w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
		w.Idle()
	}
	return id
}

func blockLimit(w *simtest.World) {
	id := failing(w, 10)
	require.Equal(w.T, sims.Active, stateOf(w))
	require.Equal(w.T, 60, neutral(w)[0].ErrorCount)
	require.Equal(w.T, []string{id}, ids(w, "10"))
	remove(w, id).OK()
	w.SetPolicy("block_limit", 3)
	id = failing(w, 1)
	require.Equal(w.T, sims.Blocked, stateOf(w))
	all := w.Deliveries()
	require.Len(w.T, all[len(all)-1].Attempts, 4)
	require.Equal(w.T, []string{id}, ids(w, "10"), "its status changes only by the API")
}

func blockWindow(w *simtest.World) {
	w.SetPolicy("block_limit", 1)
	w.SetPolicy("block_window_kind", "sliding")
	for window, state := range map[string]string{"0s": sims.Active, "59s": sims.Active, "1m": sims.Blocked} {
		w.SetPolicy("block_window", window)
		id := failing(w, 1)
		require.Equal(w.T, state, stateOf(w), window)
		remove(w, id).OK()
	}
	w.SetPolicy("block_window_kind", nil)
	w.SetPolicy("block_window", nil)
	failing(w, 1)
	require.Equal(w.T, sims.Blocked, stateOf(w), "without a kind the span is without effect")
}

// blockWindowKind: errors at 0, 2, 3 and 4 minutes. The sliding window of 2m30s sees the last three together; the one
// that the first error opened is over before the third.
func blockWindowKind(w *simtest.World) {
	w.SetPolicy("retry_schedule", []any{"2m", "1m", "1m"})
	w.SetPolicy("block_window", "2m30s")
	w.SetPolicy("block_limit", 2)
	attempts := map[string]int{"none": 3, "sliding": 4, "first_error": 4}
	states := map[string]string{"none": sims.Blocked, "sliding": sims.Blocked, "first_error": sims.Active}
	for kind := range states {
		w.SetPolicy("block_window_kind", kind)
		id := failing(w, 1)
		all := w.Deliveries()
		require.Len(w.T, all[len(all)-1].Attempts, attempts[kind], kind)
		require.Equal(w.T, states[kind], stateOf(w), kind)
		remove(w, id).OK()
	}
}

func blockCounts(w *simtest.World) {
	w.SetPolicy("block_limit", 1)
	id := failing(w, 1)
	require.Equal(w.T, sims.Blocked, stateOf(w))
	remove(w, id).OK()
	w.SetPolicy("block_counts", "event")
	id = failing(w, 1)
	require.Equal(w.T, sims.Active, stateOf(w))
	remove(w, id).OK()
	failing(w, 2)
	require.Equal(w.T, sims.Blocked, stateOf(w))
}

func whileBlocked(w *simtest.World) {
	w.SetPolicy("block_limit", 1)
	states := map[string]delivery.State{"drop": delivery.Dropped, "hold": delivery.Held, "fail": delivery.Failed}
	for policy, state := range states {
		w.SetPolicy("while_blocked", policy)
		id := failing(w, 1)
		require.Equal(w.T, sims.Blocked, stateOf(w))
		made := w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
		require.Len(w.T, made, 1)
		require.Equal(w.T, state, made[0].State, policy)
		require.Empty(w.T, made[0].Attempts)
		remove(w, id).OK()
	}
	w.SetPolicy("while_blocked", nil)
	id := failing(w, 1)
	require.Equal(w.T, delivery.Dropped, w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})[0].State)
	r := w.Receive(nil)
	put(w, id, object{"url": r.URL}).OK()
	w.Unblock(id)
	require.Equal(w.T, sims.Active, stateOf(w))
	w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	require.NotEmpty(w.T, r.Requests())
}

func bind(w *simtest.World) {
	for policy, want := range map[string][2]int{"attempt": {1, 1}, "event": {2, 0}} {
		w.SetPolicy("bind", policy)
		w.SetPolicy("retry_schedule", []any{"1m"})
		w.Advance(time.Minute)
		before, after := answering(w, 500, ""), answering(w, 500, "")
		id := create(w, "ORDER_WEBHOOK", before.URL)
		w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
		put(w, id, object{"url": after.URL}).OK()
		w.Idle()
		require.Equal(w.T, want, [2]int{len(before.Requests()), len(after.Requests())}, policy)
		remove(w, id).OK()
	}
}

// resign: RSA PKCS#1 v1.5 is deterministic, so signing anew changes nothing either.
func resign(w *simtest.World) {
	for _, policy := range []bool{false, true} {
		w.SetPolicy("resign", policy)
		w.Advance(time.Minute)
		r := answering(w, 500, "")
		id := create(w, "ON_RAMP_WITHDRAW_WEBHOOK", r.URL)
		w.Emit(simtest.Event{Type: "ON_RAMP_WITHDRAW_WEBHOOK"})
		w.Idle()
		requests := r.Requests()
		require.Len(w.T, requests, 6)
		for _, got := range requests[1:] {
			require.Equal(w.T, string(requests[0].Body), string(got.Body))
			require.Equal(w.T, requests[0].RawHeader["signature"], got.RawHeader["signature"])
		}
		remove(w, id).OK()
	}
}
