// Package clock is the one place that reads real time.
//
// Each sandbox has a World: a clock that is real or frozen, can be set and advanced, and carries alarms (a retry that
// is due, a scripted action). Beside the world clock stands the edge clock, which is compared with the counterpart's
// own clock: request timestamp windows and signature timestamps.
package clock

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Mode says how a world clock moves.
type Mode string

// The two modes of a world clock.
const (
	Real   Mode = "real"   // moves with the machine's clock (at an offset when it was set)
	Frozen Mode = "frozen" // moves only when told to
)

// Edge says which clock is compared with a counterpart's clock.
type Edge string

// The two edge clocks.
const (
	Wall      Edge = "wall"  // the machine's clock plus the skew
	WorldEdge Edge = "world" // the world clock plus the skew
)

// Why an Advance ends early.
var (
	ErrTooManyAlarms = errors.New("clock: too many alarms in one advance") // it would not come to an end
	ErrStopped       = errors.New("clock: stopped")
)

// Setting is the state of a world clock as plain data.
type Setting struct {
	Mode Mode
	Now  time.Time
	Edge Edge
	Skew time.Duration
}

// Valid reports whether mode and edge are known words.
func (s Setting) Valid() bool {
	return (s.Mode == Real || s.Mode == Frozen) && (s.Edge == Wall || s.Edge == WorldEdge)
}

// Task is what an alarm does. It is called with the clock locked, in the order of the alarms: it only hands its work to
// somebody and returns. When the work is over, done is called once, from another goroutine, with a function that
// records the outcome (nil: nothing to record). Work of one instant runs beside each other; during an Advance its
// outcomes are recorded one after the other, in the order of the alarms.
type Task func(done func(record func()))

// World is the clock of one sandbox. Its methods are safe for concurrent use.
type World struct {
	mu      sync.Mutex
	mode    Mode
	frozen  time.Time     // Frozen: the instant
	offset  time.Duration // Real: distance from the machine's clock
	edge    Edge
	skew    time.Duration
	alarms  alarmHeap
	byID    map[uint64]*alarm
	seq     uint64
	running int // alarms that were started and have not recorded yet
	idle    *sync.Cond
	timer   *time.Timer
	stopped bool
	moving  chan struct{} // holds one token: whoever took it sets or advances the clock
	held    bool          // an Advance is running: it fires the alarms, nobody else
	hasty   atomic.Int32  // who wants to be alone with the clock, and waits for an Advance
}

// New returns a real world clock with a wall edge.
func New() *World {
	w := &World{mode: Real, edge: Wall, byID: map[uint64]*alarm{}, moving: make(chan struct{}, 1)}
	w.idle = sync.NewCond(&w.mu)
	return w
}

// WallNow is the machine's clock, in UTC.
func WallNow() time.Time { return time.Now().UTC() }

// Pause waits in real time, and reports false when ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Now is the world's instant, in UTC.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

func (w *World) now() time.Time {
	if w.mode == Frozen {
		return w.frozen
	}
	return time.Now().UTC().Round(0).Add(w.offset)
}

// Read returns the world's instant and the edge clock's instant, taken together.
func (w *World) Read() (now, edge time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now = w.now()
	if w.edge == WorldEdge {
		return now, now.Add(w.skew)
	}
	return now, time.Now().UTC().Round(0).Add(w.skew)
}

// EdgeNow is the edge clock's instant.
func (w *World) EdgeNow() time.Time {
	_, edge := w.Read()
	return edge
}

// IsFrozen reports whether the clock moves only when told to.
func (w *World) IsFrozen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode == Frozen
}

// Setting returns the clock as plain data.
func (w *World) Setting() Setting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Setting{Mode: w.mode, Now: w.now(), Edge: w.edge, Skew: w.skew}
}

// Set changes the clock, also back in time. A zero Now keeps the present instant, empty Mode and Edge keep theirs.
// Alarms keep their instants; those that are due now fire.
func (w *World) Set(s Setting) {
	_ = w.Change(func(Setting) (Setting, error) { return s, nil }) // it has none
}

// Change sets the clock to what a function makes of its present setting. Nobody else sets or moves it meanwhile. An error
// of the function leaves it as it is.
func (w *World) Change(change func(Setting) (Setting, error)) error {
	w.moving <- struct{}{}
	defer func() { <-w.moving }()
	s, err := change(w.Setting())
	if err == nil {
		w.set(s)
	}
	return err
}

// Alone runs a function while nobody else sets or moves the clock. The function that it is given sets it. An Advance under
// way fires nothing more.
func (w *World) Alone(do func(set func(Setting)) error) error {
	w.hasty.Add(1)
	w.moving <- struct{}{}
	w.hasty.Add(-1)
	defer func() { <-w.moving }()
	return do(w.set)
}

func (w *World) set(s Setting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if !s.Now.IsZero() {
		now = s.Now.UTC()
	}
	if s.Mode != "" {
		w.mode = s.Mode
	}
	if s.Edge != "" {
		w.edge = s.Edge
	}
	w.skew = s.Skew
	w.frozen, w.offset = now, now.Sub(time.Now().UTC().Round(0))
	if s.Now.IsZero() && w.mode == Real && w.offset.Abs() < time.Millisecond {
		w.offset = 0
	}
	w.fireDue()
}

// At registers a task for an instant and returns a handle for Cancel. A task that is due at once starts at once,
// unless an Advance is under way, which then performs it.
func (w *World) At(at time.Time, task Task) uint64 { return w.AtPlace(at, 0, task) }

// AtPlace is At with a place among the tasks of its instant: those of lower places come first, and those of one place in the
// order in which they were registered.
func (w *World) AtPlace(at time.Time, place uint64, task Task) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	a := &alarm{at: at, place: place, seq: w.seq, task: task}
	w.byID[a.seq] = a
	heap.Push(&w.alarms, a)
	w.fireDue()
	return a.seq
}

// Cancel takes an alarm back, and reports false when it has fired already.
func (w *World) Cancel(id uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.byID[id]
	if !ok {
		return false
	}
	delete(w.byID, id)
	heap.Remove(&w.alarms, a.pos)
	w.arm(w.now())
	w.idle.Broadcast()
	return true
}

// Pending returns the number of alarms that wait, and the instant of the next.
func (w *World) Pending() (n int, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.alarms) > 0 {
		next = w.alarms[0].at
	}
	return len(w.alarms), next
}

// Stop ends the clock: no alarm fires afterwards. It returns when those under way have recorded, or ctx ends.
func (w *World) Stop(ctx context.Context) error {
	w.mu.Lock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	return w.Settle(ctx)
}

// Settle waits until no started alarm is under way.
func (w *World) Settle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.idle.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running > 0 {
		if ctx.Err() != nil {
			return fmt.Errorf("clock: %d alarms are still under way: %w", w.running, ctx.Err())
		}
		w.idle.Wait()
	}
	return nil
}

// fireDue starts what is due, each on its own, and arms the timer for the next. The caller holds w.mu.
func (w *World) fireDue() {
	if w.held || w.stopped {
		return
	}
	now := w.now()
	for len(w.alarms) > 0 && !w.alarms[0].at.After(now) {
		a := w.pop()
		w.running++
		a.task(w.recordAtOnce)
	}
	w.arm(now)
}

// recordAtOnce ends a task that was started outside of an Advance.
func (w *World) recordAtOnce(record func()) {
	if record != nil {
		record()
	}
	w.recorded()
}

func (w *World) recorded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.idle.Broadcast()
}

func (w *World) arm(now time.Time) {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.mode != Real || len(w.alarms) == 0 || w.stopped {
		return
	}
	w.timer = time.AfterFunc(w.alarms[0].at.Sub(now), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fireDue()
	})
}

func (w *World) pop() *alarm {
	a, _ := heap.Pop(&w.alarms).(*alarm)
	delete(w.byID, a.seq)
	return a
}

// Advance moves the clock to an instant and performs everything due on the way, in order: the clock stands at each
// due instant while what is due there runs, and moves on when all its outcomes are recorded. At most limit alarms
// fire. It returns how many did. When it ends early, with an error, the clock stands where it ended.
func (w *World) Advance(ctx context.Context, to time.Time, limit int) (int, error) {
	return w.move(ctx, limit, func(next time.Time) bool { return !next.After(to) }, to)
}

// AdvanceUntilIdle fires alarms, in order and however late they are due, until none is left.
func (w *World) AdvanceUntilIdle(ctx context.Context, limit int) (int, error) {
	return w.move(ctx, limit, func(time.Time) bool { return true }, time.Time{})
}

func (w *World) move(ctx context.Context, limit int, wanted func(time.Time) bool, end time.Time) (fired int, err error) {
	select {
	case w.moving <- struct{}{}:
		defer func() { <-w.moving }()
	case <-ctx.Done():
		return 0, fmt.Errorf("clock: advance waited for another one: %w", ctx.Err())
	}
	defer func() { w.unhold(err == nil, end) }()
	if err := w.hold(ctx); err != nil {
		return 0, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return fired, fmt.Errorf("clock: advance ended early: %w", err)
		}
		if w.hasty.Load() > 0 {
			return fired, nil
		}
		records, err := w.startBatch(wanted, limit-fired)
		if len(records) == 0 {
			return fired, err
		}
		fired += len(records)
		for _, finished := range records {
			if record := <-finished; record != nil {
				record()
			}
			w.recorded()
		}
	}
}

// hold takes the alarms over: what is under way records first, nothing new starts by itself.
func (w *World) hold(ctx context.Context) error {
	w.mu.Lock()
	w.held = true
	w.mu.Unlock()
	return w.Settle(ctx)
}

// unhold gives the alarms back. arrived: the clock goes to the end of the way.
func (w *World) unhold(arrived bool, end time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if arrived {
		w.jump(end)
	}
	w.held = false
	w.fireDue()
}

// jump moves the clock forward to an instant. The caller holds w.mu.
func (w *World) jump(to time.Time) {
	if to.IsZero() || !to.After(w.now()) {
		return
	}
	if w.mode == Frozen {
		w.frozen = to.UTC()
		return
	}
	w.offset = to.Sub(time.Now().UTC().Round(0))
}

// startBatch moves the clock to the next due instant and starts its alarms in order, at most room of them. It returns
// where their outcomes will come out; none when nothing wanted is left, or with an error why it was not started.
func (w *World) startBatch(wanted func(time.Time) bool, room int) ([]chan func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.alarms) == 0 || !wanted(w.alarms[0].at):
		return nil, nil
	case w.stopped:
		return nil, ErrStopped
	case room <= 0:
		return nil, fmt.Errorf("%w: its limit is reached, the next is due at %s", ErrTooManyAlarms, w.alarms[0].at)
	}
	at := w.alarms[0].at
	var records []chan func()
	for len(w.alarms) > 0 && w.alarms[0].at.Equal(at) && len(records) < room {
		w.jump(at)
		finished := make(chan func(), 1)
		records = append(records, finished)
		w.running++
		w.pop().task(func(record func()) { finished <- record })
	}
	return records, nil
}

type alarm struct {
	at    time.Time
	place uint64
	seq   uint64
	task  Task
	pos   int
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }
func (h alarmHeap) Less(i, j int) bool {
	return cmp.Or(h[i].at.Compare(h[j].at), cmp.Compare(h[i].place, h[j].place), cmp.Compare(h[i].seq, h[j].seq)) < 0
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *alarmHeap) Push(x any) {
	a, _ := x.(*alarm)
	a.pos = len(*h)
	*h = append(*h, a)
}

func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return a
}

// UnderWay returns the number of alarms that were started and have not recorded yet.
func (w *World) UnderWay() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running
}
