package clock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestEveryCallsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	calls := make(chan time.Time, 1)
	stop := clock.Every(time.Millisecond, func(now time.Time) {
		select {
		case calls <- now:
		default: // nobody has taken the last one
		}
	})
	first := <-calls
	require.False(t, (<-calls).Before(first.Add(time.Millisecond)))
	stop()
	stop() // again changes nothing
}
