package signedsub_test

import (
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func blockTests() ledgerTests {
	return ledgerTests{
		"delivery-error-count":       deliveryErrorCount,
		"delivery-block-limit":       deliveryBlockLimit,
		"delivery-block-window":      deliveryBlockWindow,
		"delivery-block-window-kind": deliveryBlockWindowKind,
		"delivery-block-counts":      deliveryBlockCounts,
		"delivery-while-blocked":     deliveryWhileBlocked,
		"delivery-unblock":           deliveryUnblock,
		"delivery-unblock-reset":     deliveryUnblockReset,
	}
}

// hooked is a subscription whose receiver answers as told.
type hooked struct {
	*simtest.World
	receiver *simtest.Receiver
	status   atomic.Int64
}

// newHooked subscribes to payouts; every event is one attempt, so that errors come one at a time.
func newHooked(w *simtest.World) *hooked {
	w.T.Helper()
	h := &hooked{World: w}
	h.status.Store(500)
	h.receiver = w.Receive(func(int) (int, string) { return int(h.status.Load()), "" })
	w.SetPolicy("retry_schedule", []any{})
	subscribed(w, h.receiver)
	return h
}

func (h *hooked) fail(times int) {
	h.T.Helper()
	h.answer(500, times)
}

func (h *hooked) answer(status int64, times int) {
	h.T.Helper()
	h.status.Store(status)
	for range times {
		h.Emit(payout())
	}
}

func (h *hooked) requireBlocked(want bool) {
	h.T.Helper()
	require.Equal(h.T, want, call(h.World, list, "{}").Get("subscriptions.0.blockedByErrorCount"))
	state := map[bool]string{true: sims.Blocked, false: sims.Active}[want]
	require.Equal(h.T, state, webhooks(h.World)[0].State)
}

// renew starts over with a subscription without history.
func (h *hooked) renew() {
	h.T.Helper()
	call(h.World, remove, payload()).OK()
	subscribed(h.World, h.receiver)
	h.requireBlocked(false)
}

func (h *hooked) requireErrors(count int, first, last any) {
	h.T.Helper()
	reply := call(h.World, list, "{}").OK()
	require.EqualValues(h.T, count, reply.Get("subscriptions.0.errorCount"))
	require.Equal(h.T, first, reply.Get("subscriptions.0.errorFirstDate"))
	require.Equal(h.T, last, reply.Get("subscriptions.0.errorLastDate"))
}

func deliveryErrorCount(w *simtest.World) {
	h := newHooked(w)
	w.SetPolicy("retry_schedule", nil)
	h.requireErrors(0, nil, nil)
	h.fail(1)
	h.requireErrors(1, "2026-01-08T10:30:00.250Z", "2026-01-08T10:30:00.250Z")
	w.Advance(30 * time.Second)
	h.requireErrors(2, "2026-01-08T10:30:00.250Z", "2026-01-08T10:30:30.250Z")
	h.status.Store(200)
	w.Advance(30 * time.Second)
	h.requireErrors(0, nil, nil)
	w.Advance(time.Minute)
	h.fail(1)
	h.requireErrors(1, "2026-01-08T10:32:00.250Z", "2026-01-08T10:32:00.250Z")
}

func deliveryBlockLimit(w *simtest.World) {
	h := newHooked(w)
	h.fail(100)
	h.requireBlocked(false)
	h.answer(200, 1)
	h.fail(100)
	h.requireBlocked(false)
	h.fail(1)
	h.requireBlocked(true)
	h.requireErrors(101, "2026-01-08T10:30:00.250Z", "2026-01-08T10:30:00.250Z")
	w.SetPolicy("block_limit", 1)
	h.renew()
	h.fail(1)
	h.requireBlocked(false)
	h.fail(1)
	h.requireBlocked(true)
	w.SetPolicy("block_limit", 0)
	h.renew()
	h.fail(150)
	h.requireBlocked(false)
}

func deliveryBlockWindow(w *simtest.World) {
	h := newHooked(w)
	h.fail(100)
	w.Advance(10*time.Minute + time.Millisecond)
	h.fail(1)
	h.requireBlocked(false)
	h.renew()
	h.fail(100)
	w.Advance(10 * time.Minute)
	h.fail(1)
	h.requireBlocked(true)
	w.SetPolicy("block_window", "1h")
	h.renew()
	h.fail(100)
	w.Advance(time.Hour)
	h.fail(1)
	h.requireBlocked(true)
}

func deliveryBlockWindowKind(w *simtest.World) {
	h := newHooked(w)
	for range 101 { // evenly over eleven minutes
		h.fail(1)
		w.Advance(6600 * time.Millisecond)
	}
	h.requireBlocked(false)
	errors := func(kind string, later time.Duration) {
		w.SetPolicy("block_window_kind", kind)
		h.renew()
		h.fail(1)
		w.Advance(9 * time.Minute)
		h.fail(60)
		w.Advance(later)
		h.fail(60)
	}
	errors("sliding", 2*time.Minute)
	h.requireBlocked(true)
	errors("sliding", 11*time.Minute)
	h.requireBlocked(false)
	errors("first_error", 2*time.Minute) // the window of the first error is over
	h.requireBlocked(false)
	errors("first_error", 30*time.Second)
	h.requireBlocked(true)
	errors("none", 24*time.Hour)
	h.requireBlocked(true)
}

func deliveryBlockCounts(w *simtest.World) {
	h := newHooked(w)
	w.SetPolicy("retry_schedule", []any{"1s"})
	w.SetPolicy("block_limit", 1)
	h.fail(1)
	h.requireBlocked(false)
	w.Advance(time.Second) // the retry of the same event
	h.requireBlocked(true)
	w.SetPolicy("block_counts", "event")
	h.renew()
	h.fail(1)
	w.Advance(time.Second)
	h.requireBlocked(false)
	h.fail(1)
	h.requireBlocked(false)
	w.Advance(time.Second)
	h.requireBlocked(true)
}

func deliveryWhileBlocked(w *simtest.World) {
	h := newHooked(w)
	w.SetPolicy("retry_schedule", []any{"30s"})
	w.SetPolicy("block_limit", 1)
	for _, c := range []struct {
		policy string
		state  delivery.State
		sent   int
	}{{"fail", delivery.Failed, 3}, {"hold", delivery.Held, 3}, {"drop", delivery.Dropped, 0}} {
		w.SetPolicy("while_blocked", c.policy)
		h.renew()
		before, known := len(h.receiver.Requests()), len(w.Deliveries())
		h.fail(2) // the second error blocks, with two retries waiting
		h.requireBlocked(true)
		h.fail(1) // happens meanwhile
		w.Advance(time.Hour)
		require.Len(w.T, h.receiver.Requests(), before+2)
		for _, d := range w.Deliveries()[known:] {
			require.Equal(w.T, c.state, d.State)
		}
		require.Empty(w.T, w.Deliveries()[known+2].Attempts)
		h.status.Store(200)
		w.Unblock(id)
		require.Len(w.T, h.receiver.Requests(), before+2+c.sent)
	}
}

func deliveryUnblock(w *simtest.World) {
	h := newHooked(w)
	h.fail(101)
	h.requireBlocked(true)
	h.status.Store(200)
	call(w, change, payload("url", `"`+h.receiver.URL+`"`)).OK()
	call(w, regenerate, payload()).OK()
	h.Emit(payout())
	w.Advance(24 * time.Hour)
	h.requireBlocked(true) // nothing in the API and no time lifts it
	require.Len(w.T, h.receiver.Requests(), 101)
	w.Unblock(id)
	h.requireBlocked(false)
	require.Len(w.T, h.receiver.Requests(), 101+102)
	bodies := map[string]int{}
	for _, got := range h.receiver.Requests() {
		bodies[string(got.Body)]++
	}
	for _, d := range w.Deliveries() {
		require.Equal(w.T, delivery.Delivered, d.State)
		require.Equal(w.T, len(d.Attempts), bodies[string(d.Body)])
	}
}

func deliveryUnblockReset(w *simtest.World) {
	h := newHooked(w)
	w.SetPolicy("retry_schedule", nil)
	w.SetPolicy("block_limit", 2)
	h.fail(1)
	w.Advance(time.Minute)
	h.requireBlocked(true)
	h.requireErrors(3, "2026-01-08T10:30:00.250Z", "2026-01-08T10:31:00.250Z")
	w.SetPolicy("block_limit", nil)
	w.Advance(time.Hour)
	w.Unblock(id) // and the receiver still fails
	h.requireBlocked(false)
	h.requireErrors(1, "2026-01-08T11:31:00.250Z", "2026-01-08T11:31:00.250Z")
	w.Idle()
	require.Equal(w.T, fibonacci(19), gaps(h.receiver)[3:])
	setHealth(w, damaged())
	h.status.Store(200)
	w.Unblock(id)
	h.requireErrors(0, nil, nil)
}
