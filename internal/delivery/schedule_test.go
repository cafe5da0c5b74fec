package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// schedules are the delays of each provider, as providers.md and the ledgers have them.
func schedules() map[string][]time.Duration {
	fibonacci := make([]time.Duration, 19)
	for i, a, b := 0, 30*time.Second, 30*time.Second; i < len(fibonacci); i, a, b = i+1, b, a+b {
		fibonacci[i] = a
	}
	return map[string][]time.Duration{
		"bts":       {time.Minute, 5 * time.Minute, 15 * time.Minute},
		"bitpay":    {time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour},
		"bankly":    {time.Minute, 5 * time.Minute, 15 * time.Minute},
		"hsrcpay":   {time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour},
		"signedsub": fibonacci,
	}
}

// failing lets one event fail to the end of its schedule and returns its delivery and the gaps between the attempts.
func failing(t *testing.T, w *simtest.World, p provider) (delivery.Delivery, []time.Duration) {
	t.Helper()
	r := played(w, receiver.Reply{Status: 500})
	p.hook(w, r.URL()+"/hook")
	w.Emit(simtest.Event{Type: p.event})
	w.Idle()
	d := w.Deliveries()[0]
	require.Equal(t, delivery.Failed, d.State)
	require.Equal(t, w.Sandbox.Clock.Now(), d.FinishedAt)
	seen, entries := arrived(r), outbound(w, d.ID)
	require.Len(t, seen, len(d.Attempts))
	require.Len(t, entries, len(d.Attempts))
	var gaps []time.Duration
	for i, a := range d.Attempts {
		require.Equal(t, i+1, a.N)
		require.Equal(t, a.At, seen[i].At, "the receiver's clock stood there when attempt %d arrived", a.N)
		require.Equal(t, a.At, entries[i].At)
		if i > 0 {
			gaps = append(gaps, a.At.Sub(d.Attempts[i-1].At))
		}
	}
	return d, gaps
}

func TestEverySchedule(t *testing.T) {
	t.Parallel()
	for name, p := range providers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, gaps := failing(t, simtest.New(t, p.sim()), p)
			require.Equal(t, schedules()[name], gaps)
			require.Equal(t, simtest.Start(), d.Attempts[0].At, "the first attempt is made at once")
		})
	}
}

// TestJitterIsBoundedAndSeeded: the same seed gives the same instants, another seed others.
func TestJitterIsBoundedAndSeeded(t *testing.T) {
	t.Parallel()
	for name, p := range providers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(seed int64) []time.Duration {
				w := seeded(t, p.sim(), seed)
				w.SetPolicy("retry_jitter", 37)
				_, gaps := failing(t, w, p)
				return gaps
			}
			first, again, other := run(7), run(7), run(8)
			require.Equal(t, first, again)
			require.NotEqual(t, first, other)
			plain := schedules()[name]
			require.NotEqual(t, plain, first)
			for _, gaps := range [][]time.Duration{first, other} {
				require.Len(t, gaps, len(plain))
				for i, gap := range gaps {
					require.GreaterOrEqual(t, gap, plain[i])
					require.LessOrEqual(t, gap, plain[i]*137/100)
					require.Zero(t, gap%time.Millisecond)
				}
			}
		})
	}
}

func TestTheNextAttemptIsAnnounced(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("retry_schedule", []any{"1500ms", "1h"})
	subscribe(w, hookID, played(w, receiver.Reply{Status: 500}).URL())
	d := emit(w)
	require.Equal(t, delivery.Pending, d.State)
	require.Equal(t, simtest.Start().Add(1500*time.Millisecond), d.NextAttemptAt)
	require.Equal(t, "retry 1 of 2, 1.5s after attempt 1 failed: status: status 500 is no success", d.Reason)
	fired := w.Advance(1499 * time.Millisecond)
	require.Empty(t, fired, "not a millisecond early")
	fired = w.Advance(time.Millisecond)
	require.Len(t, fired, 1)
	require.EqualExportedValues(t, delivery.Fired{
		At: simtest.Start().Add(1500 * time.Millisecond), Sim: "signedsub", DeliveryID: d.ID, WebhookID: hookID, EventType: payout,
		Attempt: 2, Status: 500, Error: &delivery.AttemptError{Class: "status", Detail: "status 500 is no success"}, State: delivery.Pending,
	}, fired[0])
	require.Len(t, w.Idle(), 1)
	d = get(w, d.ID)
	require.Equal(t, "all 3 attempts failed, the last one: status 500 is no success", d.Reason)
	require.Zero(t, d.NextAttemptAt)
}

// TestRedeliveryStartsTheScheduleAnew: from failed and from delivered, and in the middle of the schedule.
func TestRedeliveryStartsTheScheduleAnew(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("retry_schedule", []any{"1m"})
	r := played(w, receiver.Reply{Status: 500, Times: 5}, receiver.Reply{})
	subscribe(w, hookID, r.URL())
	d := emit(w)
	w.Idle()
	require.Equal(t, delivery.Failed, get(w, d.ID).State)
	w.Redeliver(d.ID)
	require.Equal(t, delivery.Pending, get(w, d.ID).State)
	w.Redeliver(d.ID) // once more, now: the retry that waited is taken back
	require.Len(t, get(w, d.ID).Attempts, 4)
	w.Advance(time.Minute)
	require.Equal(t, delivery.Failed, get(w, d.ID).State)
	w.Redeliver(d.ID)
	require.Equal(t, delivery.Delivered, get(w, d.ID).State)
	w.Redeliver(d.ID)
	require.Equal(t, delivery.Delivered, get(w, d.ID).State)
	require.Len(t, arrived(r), 7)
	require.Len(t, get(w, d.ID).Attempts, 7)
	require.Empty(t, w.Idle())
	_, err := w.Dispatcher.Redeliver(w.Sandbox, "dlv_none")
	require.ErrorIs(t, err, delivery.ErrUnknownDelivery)
}

// TestAnAttemptThatWaitedForItsLaneIsNotMadeTwice: it was asked for again while it stood in the queue.
func TestAnAttemptThatWaitedForItsLaneIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	under, release := make(chan struct{}, 10), make(chan struct{})
	r := w.Receive(func(int) (int, string) {
		under <- struct{}{}
		<-release
		return 500, ""
	})
	subscribe(w, hookID, r.URL)
	emitSoon(t, w)
	<-under
	queued := emitSoon(t, w)[0]
	_, err := w.Dispatcher.Redeliver(w.Sandbox, queued.ID)
	require.NoError(t, err)
	close(release)
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	require.Len(t, get(w, queued.ID).Attempts, 1)
	require.Len(t, r.Requests(), 2)
}
