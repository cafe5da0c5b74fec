package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// blockable is a subscription of signedsub with the provider's own rules; each event is one attempt.
func blockable(t *testing.T) (*simtest.World, *receiver.Receiver) {
	t.Helper()
	return policied(t, object{"retry_schedule": []any{}}, receiver.Reply{Status: 500})
}

func fail(w *simtest.World, times int) {
	w.T.Helper()
	for range times {
		emit(w)
	}
}

func requireHealth(w *simtest.World, blocked bool, count int, first, last any) {
	w.T.Helper()
	require.Equal(w.T, blocked, shown(w, "blockedByErrorCount"))
	require.EqualValues(w.T, count, shown(w, "errorCount"))
	require.Equal(w.T, first, shown(w, "errorFirstDate"))
	require.Equal(w.T, last, shown(w, "errorLastDate"))
}

const at0, at9 = "2026-01-08T10:30:00.250Z", "2026-01-08T10:39:00.250Z"

func TestTheBlockLifecycle(t *testing.T) {
	t.Parallel()
	w, r := blockable(t)
	requireHealth(w, false, 0, nil, nil)
	fail(w, 60)
	requireHealth(w, false, 60, at0, at0)
	w.Advance(9 * time.Minute)
	fail(w, 40)
	requireHealth(w, false, 100, at0, at9) // a hundred errors do not block
	fail(w, 1)
	requireHealth(w, true, 101, at0, at9)
	require.Len(t, arrived(r), 101)
	for range 5 {
		require.Equal(t, delivery.Failed, emit(w).State)
		w.Advance(24 * time.Hour)
	}
	requireHealth(w, true, 101, at0, at9) // neither time nor events lift it, and what is not sent is no error
	require.Len(t, arrived(r), 101)
	answer(t, r)
	n, err := w.Dispatcher.Unblock(w.Sandbox, w.Provider, hookID)
	require.NoError(t, err)
	require.Equal(t, 106, n)
	w.Advance(0)
	requireHealth(w, false, 0, nil, nil)
	for _, d := range w.Deliveries() {
		require.Equal(t, delivery.Delivered, d.State)
	}
	require.Len(t, arrived(r), 101+106)
	n, err = w.Dispatcher.Unblock(w.Sandbox, w.Provider, hookID)
	require.NoError(t, err)
	require.Zero(t, n, "a second time there is nothing to send")
}

func TestASuccessInBetweenStartsTheCountAnew(t *testing.T) {
	t.Parallel()
	w, r := blockable(t)
	fail(w, 100)
	answer(t, r)
	emit(w)
	requireHealth(w, false, 0, nil, nil)
	answer(t, r, receiver.Reply{Status: 500})
	w.Advance(9 * time.Minute)
	fail(w, 100)
	requireHealth(w, false, 100, at9, at9)
	fail(w, 1)
	requireHealth(w, true, 101, at9, at9)
}

func TestTheSameErrorsOverElevenMinutesDoNotBlock(t *testing.T) {
	t.Parallel()
	w, _ := blockable(t)
	for range 101 {
		fail(w, 1)
		w.Advance(11 * time.Minute / 101)
	}
	require.Equal(t, false, shown(w, "blockedByErrorCount"))
	require.EqualValues(t, 101, shown(w, "errorCount"))
}

// TestUnblockingSendsInOrder: one after the other, in the order of the events, and before what happens afterwards.
func TestUnblockingSendsInOrder(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"hold", "fail"} {
		w, r := policied(t, object{"block_limit": 3, "while_blocked": policy}, receiver.Reply{Status: 500})
		fail(w, 30)
		require.Equal(t, true, shown(w, "blockedByErrorCount"))
		answer(t, r, receiver.Reply{Delay: "1ms"}) // whoever did not wait would overtake
		_, err := w.Dispatcher.Unblock(w.Sandbox, w.Provider, hookID)
		require.NoError(t, err)
		emit(w)
		var want, got []string
		for _, d := range w.Deliveries() {
			require.Equal(t, delivery.Delivered, d.State)
			want = append(want, string(d.Body))
		}
		for _, request := range arrived(r)[4:] {
			got = append(got, string(request.Body))
		}
		require.Equal(t, want, got, policy)
	}
}

// TestUnblockingSendsWhatFailedInThePeriodOnly: what failed before the errors that led to the block stays failed.
func TestUnblockingSendsWhatFailedInThePeriodOnly(t *testing.T) {
	t.Parallel()
	w, r := policied(t, object{"block_limit": 1, "retry_schedule": []any{}}, receiver.Reply{Status: 500})
	long := emit(w)
	answer(t, r)
	w.Advance(time.Hour)
	emit(w)
	answer(t, r, receiver.Reply{Status: 500})
	w.Advance(time.Hour)
	fail(w, 2)
	require.Equal(t, true, shown(w, "blockedByErrorCount"))
	answer(t, r)
	w.Unblock(hookID)
	require.Equal(t, delivery.Failed, get(w, long.ID).State)
	require.Len(t, arrived(r), 1+1+2+2)
}

// TestASuccessUnderWayDoesNotHideTheErrorsOfABlock: an attempt that was sent before the block and is accepted after it.
func TestASuccessUnderWayDoesNotHideTheErrorsOfABlock(t *testing.T) {
	t.Parallel()
	w, _ := policied(t, object{"block_limit": 1, "retry_schedule": []any{}}, receiver.Reply{Status: 500})
	long := emit(w) // failed an hour before, and has nothing to do with the block
	w.Advance(time.Hour)
	first, second := make(chan struct{}), make(chan struct{})
	other := w.Receive(func(n int) (int, string) {
		switch n {
		case 1: // a success, after which several attempts are under way at once
			<-first
			return 200, ""
		case 2:
			<-second
			return 200, ""
		}
		return 500, ""
	})
	moveTo(w, hookID, other.URL)
	setting := w.Sandbox.Clock.Setting()
	setting.Mode = clock.Real // on a frozen clock the attempts to one webhook are made one by one
	w.Sandbox.Clock.Set(setting)
	for range 4 {
		emitSoon(t, w)
	}
	close(first)
	waitFor(w, func(all []delivery.Delivery) bool {
		return len(all[1].Attempts)+len(all[2].Attempts)+len(all[3].Attempts)+len(all[4].Attempts) == 3
	})
	require.Equal(t, true, shown(w, "blockedByErrorCount"))
	close(second)
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	require.Equal(t, true, shown(w, "blockedByErrorCount"))
	require.EqualValues(t, 2, shown(w, "errorCount"))
	n, err := w.Dispatcher.Unblock(w.Sandbox, w.Provider, hookID)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, delivery.Failed, get(w, long.ID).State)
}

func TestDeletionInTheMiddle(t *testing.T) {
	t.Parallel()
	w, r := policied(t, nil, receiver.Reply{Status: 500})
	d := emit(w)
	w.Advance(30 * time.Second)
	unsubscribe(w, hookID)
	require.Equal(t, delivery.Dropped, get(w, d.ID).State)
	require.Equal(t, "the webhook is gone", get(w, d.ID).Reason)
	n, _ := w.Sandbox.Clock.Pending()
	require.Zero(t, n, "its alarm is taken back: the clock does not run on for it")
	require.Empty(t, w.Idle())
	require.Equal(t, simtest.Start().Add(30*time.Second), w.Sandbox.Clock.Now())
	require.Len(t, arrived(r), 2)
	w.Redeliver(d.ID)
	require.Equal(t, delivery.Dropped, get(w, d.ID).State)
	_, err := w.Dispatcher.Unblock(w.Sandbox, w.Provider, hookID)
	require.ErrorIs(t, err, delivery.ErrUnknownWebhook)
}
