package clock_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const enough = 1000

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func frozen() *clock.World {
	w := clock.New()
	w.Set(clock.Setting{Mode: clock.Frozen, Now: start(), Edge: clock.WorldEdge})
	return w
}

// diary is what happened, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

// note is a task that ends at once and notes when it was recorded.
func (d *diary) note(w *clock.World, name string) clock.Task {
	return func(done func(func())) {
		go done(func() { d.add("%s at %s", name, w.Now().Sub(start())) })
	}
}

func advance(t require.TestingT, w *clock.World, by time.Duration) int {
	fired, err := w.Advance(context.Background(), w.Now().Add(by), enough)
	require.NoError(t, err)
	return fired
}

func TestAdvanceStandsAtEachDueInstant(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	for _, at := range []time.Duration{3 * time.Second, time.Second, 2*time.Second + time.Nanosecond, time.Hour} {
		w.At(start().Add(at), d.note(w, at.String()))
	}
	require.Equal(t, 3, advance(t, w, time.Minute))
	require.Equal(t, []string{"1s at 1s", "2.000000001s at 2.000000001s", "3s at 3s"}, d.read())
	require.Equal(t, start().Add(time.Minute), w.Now())
	n, next := w.Pending()
	require.Equal(t, 1, n)
	require.Equal(t, start().Add(time.Hour), next)
	fired, err := w.AdvanceUntilIdle(t.Context(), enough)
	require.NoError(t, err)
	require.Equal(t, 1, fired)
	require.Equal(t, start().Add(time.Hour), w.Now(), "idle: the clock stands where the last alarm was")
}

func TestAlarmsOfOneInstantStartInOrderAndRecordInOrder(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	const n = 5
	ends := make(chan func(func()), n)
	for i := range n {
		w.At(start().Add(time.Second), func(done func(func())) {
			d.add("start %d", i)
			ends <- func(func()) { done(func() { d.add("record %d", i) }) }
			if i == n-1 { // all have started: they end in the opposite order
				go endInReverse(ends, n)
			}
		})
	}
	require.Equal(t, n, advance(t, w, time.Second))
	require.Equal(t, []string{
		"start 0", "start 1", "start 2", "start 3", "start 4", "record 0", "record 1", "record 2", "record 3", "record 4",
	}, d.read())
}

func endInReverse(ends chan func(func()), n int) {
	all := make([]func(func()), n)
	for i := range all {
		all[n-1-i] = <-ends
	}
	for _, end := range all {
		end(nil)
	}
}

func TestNestedAlarmsFireOnTheWay(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	w.At(start().Add(time.Second), func(done func(func())) {
		go done(func() {
			d.add("first at %s", w.Now().Sub(start()))
			w.At(start().Add(5*time.Second), d.note(w, "later"))
			w.At(start().Add(time.Second), d.note(w, "same instant"))
			w.At(start().Add(-time.Hour), d.note(w, "overdue"))
			w.At(start().Add(2*time.Minute), d.note(w, "beyond"))
		})
	})
	w.At(start().Add(2*time.Second), d.note(w, "second"))
	require.Equal(t, 5, advance(t, w, time.Minute))
	require.Equal(t, []string{"first at 1s", "overdue at 1s", "same instant at 1s", "second at 2s", "later at 5s"}, d.read())
}

// TestOrderIsInstantThenRegistration compares with the simplest model there is: a stable sort.
func TestOrderIsInstantThenRegistration(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, d := frozen(), &diary{}
		type entry struct {
			name string
			at   int
		}
		var want []entry
		for i, at := range rapid.SliceOfN(rapid.IntRange(0, 20), 1, 40).Draw(t, "instants") {
			name := fmt.Sprint(i)
			w.At(start().Add(time.Duration(at+1)*time.Millisecond), d.note(w, name))
			want = append(want, entry{name, at + 1})
		}
		slices.SortStableFunc(want, func(a, b entry) int { return a.at - b.at })
		var texts []string
		for _, e := range want {
			texts = append(texts, fmt.Sprintf("%s at %s", e.name, time.Duration(e.at)*time.Millisecond))
		}
		for w.Now().Before(start().Add(30 * time.Millisecond)) {
			advance(t, w, time.Duration(rapid.IntRange(0, 10).Draw(t, "step"))*time.Millisecond)
		}
		require.Equal(t, texts, d.read())
	})
}

func TestALoopEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"every second": time.Second, "at one instant": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := frozen()
			var again clock.Task
			again = func(done func(func())) {
				go done(func() { w.At(w.Now().Add(step), again) })
			}
			w.At(start().Add(time.Second), again)
			fired, err := w.Advance(t.Context(), start().Add(time.Hour), 100)
			require.ErrorIs(t, err, clock.ErrTooManyAlarms)
			require.Equal(t, 100, fired)
			require.Equal(t, start().Add(time.Second+99*step), w.Now(), "the clock stands where it ended")
			require.NoError(t, w.Stop(t.Context()))
		})
	}
}

func TestTheLimitIsNoErrorWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	for i := range 3 {
		w.At(start().Add(time.Duration(i)*time.Second), d.note(w, "x"))
	}
	fired, err := w.Advance(t.Context(), start().Add(time.Minute), 3)
	require.NoError(t, err)
	require.Equal(t, 2, fired, "what was due at once has fired at once")
	w.At(start().Add(2*time.Minute), d.note(w, "beyond"))
	_, err = w.Advance(t.Context(), start().Add(90*time.Second), 0)
	require.NoError(t, err)
}

func TestCancelTakesOneAlarmBack(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	first := w.At(start().Add(time.Second), d.note(w, "first"))
	second := w.At(start().Add(time.Second), d.note(w, "second"))
	third := w.At(start().Add(2*time.Second), d.note(w, "third"))
	require.True(t, w.Cancel(second))
	require.False(t, w.Cancel(second))
	advance(t, w, time.Second)
	require.False(t, w.Cancel(first), "it has fired")
	require.True(t, w.Cancel(third))
	require.Zero(t, advance(t, w, time.Hour))
	require.Equal(t, []string{"first at 1s"}, d.read())
	require.False(t, w.Cancel(12345))
}

func TestSettingTheClockFiresWhatIsDueThen(t *testing.T) {
	t.Parallel()
	w, d := frozen(), &diary{}
	w.At(start().Add(2*time.Second), d.note(w, "two"))
	w.At(start().Add(time.Second), d.note(w, "one"))
	w.At(start().Add(time.Hour), d.note(w, "hour"))
	w.Set(clock.Setting{Mode: clock.Frozen, Now: start().Add(-24 * time.Hour)})
	require.Zero(t, advance(t, w, 23*time.Hour), "alarms keep their instants when the clock goes back")
	require.Equal(t, clock.WorldEdge, w.Setting().Edge, "what is not said stays")
	w.Set(clock.Setting{Now: start().Add(time.Minute)})
	require.NoError(t, w.Settle(t.Context()))
	got := d.read()
	slices.Sort(got) // outside of an advance they run beside each other
	require.Equal(t, []string{"one at 1m0s", "two at 1m0s"}, got)
}

func TestAdvanceNeverMovesTheClockBack(t *testing.T) {
	t.Parallel()
	w := frozen()
	fired, err := w.Advance(t.Context(), start().Add(-time.Hour), enough)
	require.NoError(t, err)
	require.Zero(t, fired)
	require.Equal(t, start(), w.Now())
}

func TestTheEdgeClockFollowsItsSetting(t *testing.T) {
	t.Parallel()
	w := clock.New()
	w.Set(clock.Setting{Mode: clock.Frozen, Now: start(), Edge: clock.WorldEdge, Skew: -time.Minute})
	require.Equal(t, clock.Setting{Mode: clock.Frozen, Now: start(), Edge: clock.WorldEdge, Skew: -time.Minute}, w.Setting())
	now, edge := w.Read()
	require.Equal(t, start(), now)
	require.Equal(t, start().Add(-time.Minute), edge)
	w.Set(clock.Setting{Edge: clock.Wall, Skew: time.Hour})
	require.Equal(t, start(), w.Now())
	require.WithinDuration(t, clock.WallNow().Add(time.Hour), w.EdgeNow(), time.Minute)
	require.Equal(t, time.UTC, w.EdgeNow().Location())
}

func TestConcurrentUseFiresEveryAlarmOnce(t *testing.T) {
	t.Parallel()
	w := frozen()
	const workers, each = 8, 50
	var mu sync.Mutex
	fired := map[string]int{}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprintf("%d/%d", worker, i)
				w.At(start().Add(time.Duration(i%7)*time.Second), func(done func(func())) {
					go done(func() {
						mu.Lock()
						defer mu.Unlock()
						fired[name]++
					})
				})
				if i%10 == 0 {
					_, err := w.Advance(context.Background(), w.Now().Add(time.Millisecond), enough)
					require.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	advance(t, w, time.Minute)
	require.NoError(t, w.Settle(t.Context()))
	require.Len(t, fired, workers*each)
	for name, times := range fired {
		require.Equal(t, 1, times, name)
	}
}

// TestAChangeOfTheClockIsOneStep: nobody sets it between what a change sees and what it sets.
func TestAChangeOfTheClockIsOneStep(t *testing.T) {
	t.Parallel()
	w := clock.New()
	w.Set(clock.Setting{Mode: clock.Frozen, Now: start(), Edge: clock.Wall})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_ = w.Change(func(s clock.Setting) (clock.Setting, error) {
				for range 100 {
					runtime.Gosched() // the others have their chance
				}
				s.Skew += time.Second
				return s, nil
			})
		})
	}
	wg.Wait()
	require.Equal(t, 50*time.Second, w.Setting().Skew)
	refused := errors.New("on purpose")
	require.ErrorIs(t, w.Change(func(clock.Setting) (clock.Setting, error) { return clock.Setting{Skew: time.Hour}, refused }), refused)
	require.Equal(t, 50*time.Second, w.Setting().Skew, "an error changes nothing")
}
