package bts_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

const hookID = "username.production"

// always answers every request with a status.
func always(status int) func(int) (int, string) {
	return func(int) (int, string) { return status, "no" }
}

func emit(w *world) { w.Emit(simtest.Event{Type: "status.100"}) }

// delays returns how long after the first request each later one arrived.
func delays(r *simtest.Receiver) (after []time.Duration) {
	all := r.Requests()
	for _, request := range all[1:] {
		after = append(after, request.At.Sub(all[0].At))
	}
	return after
}

// last returns the newest delivery.
func last(w *world) delivery.Delivery {
	all := w.Deliveries()
	return all[len(all)-1]
}

// deliveryTests has what happens to a delivery after the first attempt.
func deliveryTests() ledgerTests {
	return ledgerTests{
		"delivery-repeat":            deliveryRepeatTest,
		"delivery-disabled":          deliveryDisabledTest,
		"delivery-success":           deliverySuccessTest,
		"delivery-retries":           deliveryRetriesTest,
		"delivery-jitter":            deliveryJitterTest,
		"delivery-timeout":           deliveryTimeoutTest,
		"delivery-permanent":         deliveryPermanentTest,
		"delivery-block-limit":       deliveryBlockLimitTest,
		"delivery-block-window":      deliveryBlockWindowTest,
		"delivery-block-window-kind": deliveryBlockWindowKindTest,
		"delivery-block-counts":      deliveryBlockCountsTest,
		"delivery-while-blocked":     deliveryWhileBlockedTest,
		"delivery-bind":              bindTest,
		"delivery-resign":            resignTest,
	}
}

func blockAfter(w *world, limit int) {
	w.SetPolicy("block_limit", limit)
}

// blockedByRetries is the state of the webhook after one event that fails four times, more than one error being one
// too many.
func blockedByRetries(w *world) string {
	w.T.Helper()
	w.Idle()
	receive(w, nil, always(500))
	w.SetPolicy("block_limit", 0)
	w.Unblock(hookID)
	w.Idle()
	w.Unblock(hookID) // whatever that sent counts no more
	w.SetPolicy("block_limit", 1)
	emit(w)
	w.Idle()
	return hooks(w)[0].State
}

func bindTest(w *world) {
	for policy, toOld := range map[string]int{"attempt": 1, "event": 4} {
		w.SetPolicy("bind", policy)
		old := receive(w, object{"itx-apiKey": "old"}, always(500))
		emit(w)
		replaced := receive(w, object{"itx-apiKey": "new", "has_token": true}, always(500))
		w.Idle()
		require.Len(w.T, old.Requests(), toOld, policy)
		require.Len(w.T, replaced.Requests(), 4-toOld, policy)
		for _, request := range old.Requests() {
			require.Equal(w.T, "old", request.Header.Get("itx-apiKey"))
			require.Empty(w.T, request.Header.Get("Authorization"))
		}
		for _, request := range replaced.Requests() {
			require.Equal(w.T, "new", request.Header.Get("itx-apiKey"))
			require.NotEmpty(w.T, request.Header.Get("Authorization"))
		}
	}
}

// resignTest replaces everything but the URL between two attempts.
func resignTest(w *world) {
	for _, resign := range []bool{true, false} {
		w.SetPolicy("resign", resign)
		receiver := receive(w, object{"itx-apiKey": "old"}, always(500))
		emit(w)
		configure(w, object{"webhook_url": receiver.URL, "itx-apiKey": "new"}).OK()
		w.Advance(time.Minute)
		require.Len(w.T, receiver.Requests(), 2)
		require.Equal(w.T, map[bool]string{true: "new", false: "old"}[resign], receiver.Requests()[1].Header.Get("itx-apiKey"))
		w.Idle()
	}
}

func deliveryRepeatTest(w *world) {
	receiver := receive(w, nil, always(500))
	emit(w)
	w.SetPolicy("status_shape", "code_name")
	w.Idle()
	require.Len(w.T, receiver.Requests(), 4)
	for _, request := range receiver.Requests() {
		require.Equal(w.T, receiver.Requests()[0].Body, request.Body)
		require.Equal(w.T, receiver.Requests()[0].RawHeader, request.RawHeader)
	}
	other := simtest.New(w.T, w.Provider.Sim)
	again := receive(other, nil, nil)
	emit(other)
	require.Equal(w.T, receiver.Requests()[0].Body, only(other, again).Body, "the same seed gives the same bytes, boundary included")
}

func deliveryDisabledTest(w *world) {
	receiver := receive(w, nil, always(500))
	for range 5 {
		emit(w)
	}
	w.Idle()
	require.Len(w.T, receiver.Requests(), 20)
	require.Equal(w.T, sims.Active, hooks(w)[0].State)
	replaced := receive(w, nil, nil)
	emit(w)
	require.Len(w.T, replaced.Requests(), 1)
}

func deliverySuccessTest(w *world) {
	for policy, wants := range map[string]map[int]delivery.State{
		"2xx": {200: delivery.Delivered, 204: delivery.Delivered, 299: delivery.Delivered, 302: delivery.Pending, 404: delivery.Pending, 500: delivery.Pending},
		"200": {200: delivery.Delivered, 201: delivery.Pending, 204: delivery.Pending},
	} {
		w.SetPolicy("success_statuses", policy)
		for status, want := range wants {
			receive(w, nil, func(int) (int, string) {
				return status, map[bool]string{true: "", false: `{"status":false}`}[status == 204]
			})
			emit(w)
			require.Equal(w.T, want, last(w).State, "%d under %s", status, policy)
		}
	}
}

func deliveryRetriesTest(w *world) {
	receiver := receive(w, nil, always(500))
	emit(w)
	w.Advance(time.Minute - 1)
	require.Len(w.T, receiver.Requests(), 1)
	w.Idle()
	require.Equal(w.T, []time.Duration{time.Minute, 6 * time.Minute, 21 * time.Minute}, delays(receiver))
	require.Equal(w.T, delivery.Failed, last(w).State)
	w.SetPolicy("retry_schedule", []any{"2s"})
	receiver = receive(w, nil, always(500))
	emit(w)
	w.Idle()
	require.Equal(w.T, []time.Duration{2 * time.Second}, delays(receiver))
}

func deliveryJitterTest(w *world) {
	receiver := receive(w, nil, always(500))
	emit(w)
	w.Idle()
	require.Equal(w.T, time.Minute, delays(receiver)[0])
	w.SetPolicy("retry_jitter", 100)
	receiver = receive(w, nil, always(500))
	emit(w)
	w.Idle()
	require.Greater(w.T, delays(receiver)[0], time.Minute)
	require.LessOrEqual(w.T, delays(receiver)[0], 2*time.Minute)
}

func deliveryTimeoutTest(w *world) {
	require.Equal(w.T, 10*time.Second, w.Sandbox.Policies(w.Provider).Duration(sims.PolicyAttemptTimeout))
	w.SetPolicy("attempt_timeout", "50ms")
	release := make(chan struct{})
	w.T.Cleanup(func() { close(release) })
	receive(w, nil, func(int) (int, string) { <-release; return 200, "" })
	emit(w)
	require.Equal(w.T, &delivery.AttemptError{Class: delivery.ClassTimeout, Detail: "no complete answer within 50ms"}, last(w).Attempts[0].Error)
	require.Equal(w.T, delivery.Pending, last(w).State)
}

func deliveryPermanentTest(w *world) {
	for policy, requests := range map[string]int{"none": 4, "client_errors": 1} {
		w.SetPolicy("permanent_statuses", policy)
		receiver := receive(w, nil, always(http.StatusNotFound))
		emit(w)
		w.Idle()
		require.Len(w.T, receiver.Requests(), requests, policy)
		require.Equal(w.T, delivery.Failed, last(w).State)
	}
}

func deliveryBlockLimitTest(w *world) {
	receive(w, nil, always(500))
	for range 50 {
		emit(w)
	}
	w.Idle()
	require.Equal(w.T, sims.Active, hooks(w)[0].State)
	require.Equal(w.T, 200, hooks(w)[0].ErrorCount)
	blockAfter(w, 1)
	receiver := receive(w, nil, always(500))
	emit(w)
	require.Equal(w.T, sims.Active, hooks(w)[0].State, "one error is not more than one")
	w.Idle()
	require.Equal(w.T, sims.Blocked, hooks(w)[0].State)
	require.Len(w.T, receiver.Requests(), 2)
	receive(w, nil, nil)
	w.Unblock(hookID)
	require.Equal(w.T, sims.Active, hooks(w)[0].State)
}

func deliveryBlockWindowTest(w *world) {
	require.Zero(w.T, w.Sandbox.Policies(w.Provider).Duration(sims.PolicyBlockWindow))
	for window, state := range map[string]string{"59s": sims.Active, "1h": sims.Blocked} {
		w.SetPolicy("block_window_kind", "sliding")
		w.SetPolicy("block_window", window)
		require.Equal(w.T, state, blockedByRetries(w), window)
	}
}

func deliveryBlockWindowKindTest(w *world) {
	w.SetPolicy("block_window", "59s")
	for kind, state := range map[string]string{"none": sims.Blocked, "first_error": sims.Active, "sliding": sims.Active} {
		w.SetPolicy("block_window_kind", kind)
		require.Equal(w.T, state, blockedByRetries(w), kind)
	}
}

func deliveryBlockCountsTest(w *world) {
	for counts, state := range map[string]string{"attempt": sims.Blocked, "event": sims.Active} {
		w.SetPolicy("block_counts", counts)
		require.Equal(w.T, state, blockedByRetries(w), counts)
	}
}

func deliveryWhileBlockedTest(w *world) {
	for policy, state := range map[string]delivery.State{"drop": delivery.Dropped, "hold": delivery.Held, "fail": delivery.Failed} {
		w.SetPolicy("while_blocked", policy)
		require.Equal(w.T, sims.Blocked, blockedByRetries(w))
		emit(w)
		require.Equal(w.T, state, last(w).State, policy)
	}
	require.Equal(w.T, "drop", simtest.New(w.T, w.Provider.Sim).Sandbox.Policies(w.Provider).Enum(sims.PolicyWhileBlocked))
}
