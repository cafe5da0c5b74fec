package clock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestTasksOfOneInstantFireByTheirPlace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)
	w := clock.New()
	w.Set(clock.Setting{Mode: clock.Frozen, Now: at})
	var fired []uint64
	for _, place := range []uint64{3, 0, 2, 1, 0} {
		w.AtPlace(at.Add(time.Hour), place, func(done func(func())) { go done(func() { fired = append(fired, place) }) })
	}
	n, err := w.Advance(context.Background(), at.Add(time.Hour), 100)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, []uint64{0, 0, 1, 2, 3}, fired)
}

func TestAnAdvanceFiresNothingMoreWhenSomebodyWantsToBeAlone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)
	w := clock.New()
	w.Set(clock.Setting{Mode: clock.Frozen, Now: at})
	alone := make(chan error, 1)
	fired := 0
	var again func(at time.Time)
	again = func(next time.Time) {
		w.At(next, func(done func(func())) {
			go done(func() {
				if fired++; fired == 3 {
					go func() {
						alone <- w.Alone(func(set func(clock.Setting)) error {
							set(clock.Setting{Mode: clock.Frozen, Now: at})
							return nil
						})
					}()
				}
				again(next.Add(time.Second))
			})
		})
	}
	again(at.Add(time.Second))
	_, err := w.AdvanceUntilIdle(context.Background(), 1_000_000_000) // it would not come to an end
	require.NoError(t, err)
	require.NoError(t, <-alone)
	require.Equal(t, at, w.Now())
}
