package delivery

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// course is work in lanes that a test starts and ends by hand.
type course struct {
	t       *testing.T
	lanes   *lanes
	started chan string
	mu      sync.Mutex
	ends    map[string]chan bool
}

func newCourse(t *testing.T, limit, width int) *course {
	t.Helper()
	return &course{t: t, lanes: newLanes(limit, width), started: make(chan string, 1000), ends: map[string]chan bool{}}
}

func (c *course) add(key string, ordered bool, names ...string) {
	for _, name := range names {
		end := make(chan bool)
		c.mu.Lock()
		c.ends[name] = end
		c.mu.Unlock()
		c.lanes.add(laneKey{webhook: key}, work{ordered: ordered, do: func() (bool, <-chan struct{}) {
			c.started <- name
			return <-end, recorded()
		}})
	}
}

// recorded: the outcome is known at once.
func recorded() <-chan struct{} {
	now := make(chan struct{})
	close(now)
	return now
}

func (c *course) end(name string, ok bool) { c.ends[name] <- ok }

// starts requires that exactly so many have started, and returns them.
func (c *course) starts(n int) []string {
	c.t.Helper()
	var names []string
	for range n {
		names = append(names, <-c.started)
	}
	c.lanes.mu.Lock() // whatever may start is started under the lock
	defer c.lanes.mu.Unlock()
	require.Equal(c.t, n, c.lanes.running, "names %v", names)
	return names
}

func (c *course) requireQuiet() {
	c.t.Helper()
	c.lanes.mu.Lock()
	defer c.lanes.mu.Unlock()
	require.Empty(c.t, c.lanes.byKey, "nothing is kept of a webhook that is quiet")
	require.Empty(c.t, c.lanes.ready)
	require.Zero(c.t, c.lanes.running)
}

func TestALaneIsOneWideUntilASuccess(t *testing.T) {
	t.Parallel()
	c := newCourse(t, 100, 3)
	c.add("a", false, "1", "2", "3", "4", "5", "6")
	require.Equal(t, []string{"1"}, c.starts(1))
	c.end("1", false)
	require.Equal(t, []string{"2"}, c.starts(1), "a failure keeps it narrow")
	c.end("2", true)
	require.ElementsMatch(t, []string{"3", "4", "5"}, c.starts(3), "a success widens it")
	c.end("3", false)
	c.end("4", false)
	require.Empty(t, c.started, "a failure narrows it again")
	c.end("5", false)
	require.Equal(t, []string{"6"}, c.starts(1))
	c.end("6", true)
	c.waitQuiet()
}

func TestAnOrderedLaneStaysNarrow(t *testing.T) {
	t.Parallel()
	c := newCourse(t, 100, 3)
	c.add("a", true, "1", "2", "3")
	for _, name := range []string{"1", "2", "3"} {
		require.Equal(t, []string{name}, c.starts(1))
		c.end(name, true)
	}
	c.waitQuiet()
}

func TestOrderedWorkRunsAlone(t *testing.T) {
	t.Parallel()
	c := newCourse(t, 100, 3)
	c.add("a", false, "1", "2", "3")
	c.add("a", true, "4", "5")
	c.add("a", false, "6", "7")
	c.starts(1)
	c.end("1", true)
	require.ElementsMatch(t, []string{"2", "3"}, c.starts(2), "the lane has a third place")
	c.end("3", true)
	require.Empty(t, c.started)
	c.end("2", true)
	require.Equal(t, []string{"4"}, c.starts(1))
	c.end("4", true)
	require.Equal(t, []string{"5"}, c.starts(1))
	c.end("5", true)
	require.ElementsMatch(t, []string{"6", "7"}, c.starts(2))
	c.end("6", true)
	c.end("7", true)
	c.waitQuiet()
}

// TestADeadLaneHoldsUpOnePlace: the others take all the rest, in turn.
func TestADeadLaneHoldsUpOnePlace(t *testing.T) {
	t.Parallel()
	c := newCourse(t, 2, 8)
	c.add("dead", false, "d1", "d2", "d3")
	c.add("a", false, "a1", "a2", "a3")
	c.add("b", false, "b1", "b2", "b3")
	require.Equal(t, map[string]bool{"d1": true, "a1": true}, set(c.starts(2)))
	for _, step := range [][2]string{{"a1", "b1"}, {"b1", "a2"}, {"a2", "b2"}, {"b2", "a3"}, {"a3", "b3"}} {
		c.end(step[0], true)
		require.Equal(t, step[1], <-c.started, "lanes take turns")
	}
	c.end("b3", true)
	c.end("d1", false)
	require.Equal(t, "d2", <-c.started)
	c.end("d2", false)
	require.Equal(t, "d3", <-c.started)
	c.end("d3", false)
	c.waitQuiet()
}

func TestLanesRunEverythingOnce(t *testing.T) {
	t.Parallel()
	l := newLanes(16, 4)
	var mu sync.Mutex
	ran := map[string]int{}
	var done sync.WaitGroup
	for worker := range 8 {
		done.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("%d/%d", worker, i)
				done.Add(1)
				l.add(laneKey{webhook: fmt.Sprint(i % 5)}, work{ordered: i%2 == 0, do: func() (bool, <-chan struct{}) {
					defer done.Done()
					mu.Lock()
					defer mu.Unlock()
					ran[name]++
					return i%3 > 0, recorded()
				}})
			}
		})
	}
	done.Wait()
	require.Len(t, ran, 1600)
	for name, times := range ran {
		require.Equal(t, 1, times, name)
	}
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

// waitQuiet returns when the last of the work has left its lane.
func (c *course) waitQuiet() {
	c.t.Helper()
	for {
		c.lanes.mu.Lock()
		running := c.lanes.running
		c.lanes.mu.Unlock()
		if running == 0 {
			break
		}
	}
	c.requireQuiet()
}
