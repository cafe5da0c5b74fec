package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// pass lets time go by in a bubble.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	synctest.Wait()
}

// slow is a task that ends when it is told to.
func slow(d *diary, name string, end <-chan struct{}) clock.Task {
	return func(done func(func())) {
		d.add("start %s", name)
		go func() {
			<-end
			done(func() { d.add("record %s", name) })
		}()
	}
}

// firedUntil advances beside a test; -1 when that failed.
func firedUntil(w *clock.World, to time.Time) int {
	fired, err := w.Advance(context.Background(), to, enough)
	if err != nil {
		return -1
	}
	return fired
}

func TestARealClockFiresByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, d := clock.New(), &diary{}
		began := w.Now()
		note := func(name string) clock.Task {
			return func(done func(func())) {
				go done(func() { d.add("%s after %s", name, w.Now().Sub(began)) })
			}
		}
		w.At(began.Add(30*time.Second), note("late"))
		w.At(began.Add(10*time.Second), note("early")) // the timer is set anew
		gone := w.At(began.Add(5*time.Second), note("cancelled"))
		w.At(began.Add(-time.Hour), note("overdue"))
		w.Cancel(gone)
		pass(t, 9999*time.Millisecond)
		require.Equal(t, []string{"overdue after 0s"}, d.read())
		pass(t, time.Hour)
		require.Equal(t, []string{"overdue after 0s", "early after 10s", "late after 30s"}, d.read())
	})
}

func TestARealClockCanBeSetAndAdvanced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, d := clock.New(), &diary{}
		w.Set(clock.Setting{Now: start()})
		w.At(start().Add(time.Minute), d.note(w, "minute"))
		w.Set(clock.Setting{Now: start().Add(-time.Hour)})
		pass(t, 59*time.Minute)
		require.Empty(t, d.read(), "set back, the alarm is an hour further away")
		require.Equal(t, 1, advance(t, w, 2*time.Minute))
		require.Equal(t, []string{"minute at 1m0s"}, d.read())
		require.Equal(t, start().Add(time.Minute), w.Now())
		pass(t, time.Second)
		require.Equal(t, start().Add(61*time.Second), w.Now(), "it goes on from where it was moved to")
		w.At(start().Add(2*time.Minute), d.note(w, "frozen"))
		w.Set(clock.Setting{Mode: clock.Frozen})
		pass(t, time.Hour)
		require.Len(t, d.read(), 1, "a frozen clock fires nothing by itself")
		w.Set(clock.Setting{Mode: clock.Real})
		pass(t, 59*time.Second)
		require.Equal(t, []string{"minute at 1m0s", "frozen at 2m0s"}, d.read())
	})
}

func TestAdvanceWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, d, end := frozen(), &diary{}, make(chan struct{})
		w.At(start(), slow(d, "before", end))
		w.At(start().Add(time.Second), d.note(w, "after"))
		require.Equal(t, 1, w.UnderWay())
		advanced := make(chan int)
		go func() { advanced <- firedUntil(w, start().Add(time.Minute)) }()
		synctest.Wait()
		require.Equal(t, []string{"start before"}, d.read(), "nothing fires before the attempt under way is recorded")
		w.At(start(), d.note(w, "meanwhile"))
		synctest.Wait()
		require.Len(t, d.read(), 1, "the advance performs what becomes due meanwhile")
		close(end)
		require.Equal(t, 2, <-advanced)
		require.Equal(t, []string{"start before", "record before", "meanwhile at 0s", "after at 1s"}, d.read())
	})
}

func TestTheSecondAdvanceWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, d, end := frozen(), &diary{}, make(chan struct{})
		w.At(start().Add(time.Second), slow(d, "first", end))
		w.At(start().Add(2*time.Second), d.note(w, "second"))
		results := make(chan int, 2)
		go func() { results <- firedUntil(w, start().Add(time.Second)) }()
		synctest.Wait()
		go func() { results <- firedUntil(w, start().Add(2*time.Second)) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.Advance(ctx, start().Add(time.Hour), enough)
		require.ErrorIs(t, err, context.DeadlineExceeded, "who waits for the other advance can give up")
		require.Equal(t, []string{"start first"}, d.read())
		close(end)
		require.Equal(t, 1, <-results)
		require.Equal(t, 1, <-results)
		require.Equal(t, []string{"start first", "record first", "second at 2s"}, d.read())
	})
}

func TestAnAdvanceThatIsCancelledStaysWhereItIs(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	ctx, cancel := context.WithCancel(t.Context())
	w.At(start().Add(time.Second), func(done func(func())) {
		go done(func() { d.add("one"); cancel() })
	})
	w.At(start().Add(2*time.Second), d.note(w, "two"))
	fired, err := w.Advance(ctx, start().Add(time.Hour), enough)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, fired)
	require.Equal(t, start().Add(time.Second), w.Now())
	fired, err = w.Advance(ctx, start().Add(time.Hour), enough)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, fired, "with a context that has ended nothing fires")
	require.Equal(t, []string{"one"}, d.read())
}

func TestStopWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, during := range []string{"by itself", "an advance"} {
		t.Run(during, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { stopWhile(t, during == "an advance") })
		})
	}
}

func stopWhile(t *testing.T, advancing bool) {
	w, d, end := frozen(), &diary{}, make(chan struct{})
	advanced := make(chan error, 1)
	at := start()
	if advancing {
		at = start().Add(time.Second)
	}
	w.At(at, slow(d, "attempt", end))
	w.At(start().Add(2*time.Second), d.note(w, "never"))
	if advancing {
		go func() {
			_, err := w.Advance(context.Background(), start().Add(time.Hour), enough)
			advanced <- err
		}()
		synctest.Wait()
	}
	require.Equal(t, 1, w.UnderWay())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := w.Stop(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "1 alarms are still under way")
	stopped := make(chan error, 1)
	go func() { stopped <- w.Stop(context.Background()) }()
	synctest.Wait()
	require.Empty(t, stopped)
	close(end)
	require.NoError(t, <-stopped)
	require.Equal(t, []string{"start attempt", "record attempt"}, d.read())
	if advancing {
		require.ErrorIs(t, <-advanced, clock.ErrStopped)
		require.Equal(t, start().Add(time.Second), w.Now())
	}
	w.Set(clock.Setting{Now: start().Add(24 * time.Hour)})
	w.At(start(), d.note(w, "after the end"))
	synctest.Wait()
	require.Len(t, d.read(), 2, "nothing fires after Stop")
	require.Zero(t, w.UnderWay())
}
