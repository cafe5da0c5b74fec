package signedsub_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func retryTests() ledgerTests {
	return ledgerTests{
		"delivery-retry-schedule":  deliveryRetrySchedule,
		"delivery-retry-jitter":    deliveryRetryJitter,
		"delivery-attempt-timeout": deliveryAttemptTimeout,
		"delivery-permanent":       deliveryPermanent,
	}
}

// gaps are the times between the requests that arrived.
func gaps(r *simtest.Receiver) []time.Duration {
	var all []time.Duration
	requests := r.Requests()
	for i := range requests[1:] {
		all = append(all, requests[i+1].At.Sub(requests[i].At))
	}
	return all
}

// fibonacci is the documented schedule: 30 s times F(1) … F(n).
func fibonacci(n int) []time.Duration {
	all := make([]time.Duration, n)
	a, b := 30*time.Second, 30*time.Second
	for i := range all {
		all[i] = a
		a, b = b, a+b
	}
	return all
}

func deliveryRetrySchedule(w *simtest.World) {
	r := w.Receive(always(500))
	subscribed(w, r)
	sent := w.Emit(payout())
	require.Equal(w.T, simtest.Start().Add(30*time.Second), sent[0].NextAttemptAt)
	w.Idle()
	require.Equal(w.T, fibonacci(19), gaps(r))
	require.Equal(w.T, 125_430*time.Second, gaps(r)[18])
	require.Equal(w.T, simtest.Start().Add(328_350*time.Second), w.Sandbox.Clock.Now())
	require.Equal(w.T, delivery.Failed, w.Deliveries()[0].State)
	require.Len(w.T, w.Deliveries()[0].Attempts, 20)

	w.SetPolicy("retry_schedule", []any{"1s", "2h"})
	r = w.Receive(always(500))
	call(w, change, payload("url", `"`+r.URL+`"`)).OK()
	w.Emit(payout())
	w.Idle()
	require.Equal(w.T, []time.Duration{time.Second, 2 * time.Hour}, gaps(r))
}

func deliveryRetryJitter(w *simtest.World) {
	w.SetPolicy("retry_jitter", 50)
	r := w.Receive(always(500))
	subscribed(w, r)
	w.Emit(payout())
	w.Idle()
	exact := 0
	for i, gap := range gaps(r) {
		require.GreaterOrEqual(w.T, gap, fibonacci(19)[i])
		require.LessOrEqual(w.T, gap, fibonacci(19)[i]*3/2)
		if gap == fibonacci(19)[i] {
			exact++
		}
	}
	require.Less(w.T, exact, 3)
	w.SetPolicy("retry_jitter", nil)
	r = w.Receive(always(500))
	call(w, change, payload("url", `"`+r.URL+`"`)).OK()
	w.Emit(payout())
	w.Idle()
	require.Equal(w.T, fibonacci(19), gaps(r))
}

func deliveryAttemptTimeout(w *simtest.World) {
	require.Equal(w.T, 10*time.Second, w.Sandbox.Policies(w.Provider).Duration("attempt_timeout"))
	w.SetPolicy("attempt_timeout", "50ms")
	over := make(chan struct{})
	w.T.Cleanup(func() { close(over) })
	r := w.Receive(func(int) (int, string) { <-over; return 200, "" })
	subscribed(w, r)
	sent := w.Emit(payout())
	require.Equal(w.T, delivery.ClassTimeout, sent[0].Attempts[0].Error.Class)
	require.Equal(w.T, delivery.Pending, sent[0].State)
	require.EqualValues(w.T, 1, call(w, list, "{}").Get("subscriptions.0.errorCount"))
}

func deliveryPermanent(w *simtest.World) {
	status := 410
	r := w.Receive(func(int) (int, string) { return status, "" })
	subscribed(w, r)
	for _, status = range []int{400, 401, 403, 404, 410, 422, 500} {
		require.Equal(w.T, delivery.Pending, w.Emit(payout())[0].State, "status %d is tried again", status)
	}
	w.SetPolicy("permanent_statuses", "client_errors")
	status = 410
	require.Equal(w.T, delivery.Failed, w.Emit(payout())[0].State)
	status = 500
	require.Equal(w.T, delivery.Pending, w.Emit(payout())[0].State)
}
