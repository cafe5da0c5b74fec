package engine

import (
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// Enter returns a sandbox by name and keeps it from expiring until Leave.
func (e *Engine) Enter(name string) (*Sandbox, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s, ok := e.sandboxes[name]
	if ok && s.idle > 0 {
		s.users.Add(1)
	}
	return s, ok
}

// Leave ends what Enter began.
func (s *Sandbox) Leave() {
	if s.idle > 0 {
		s.Touch()
		s.users.Add(-1)
	}
}

// Touch counts as use: the idle time starts anew.
func (s *Sandbox) Touch() {
	if s.idle > 0 {
		s.usedAt.Store(clock.WallNow().UnixNano())
	}
}

// Idle is how long, in real time, the sandbox may be unused before it expires. 0: it never does.
func (s *Sandbox) Idle() time.Duration { return s.idle }

// idleAt: nobody is at the sandbox, nothing of it is under way, and its idle time is over.
func (s *Sandbox) idleAt(now time.Time) bool {
	return s.idle > 0 && s.Name != DefaultSandbox && s.users.Load() == 0 && s.Clock.UnderWay() == 0 &&
		now.UnixNano()-s.usedAt.Load() >= int64(s.idle)
}

// Expire takes away the sandboxes that are idle at an instant of the machine's clock, and returns them: they answer no
// more, and what is left of them is the caller's to end. The default sandbox never expires.
func (e *Engine) Expire(now time.Time) []*Sandbox {
	var gone []*Sandbox
	e.mu.Lock()
	for name, s := range e.sandboxes {
		if s.idleAt(now) {
			delete(e.sandboxes, name)
			gone = append(gone, s)
		}
	}
	e.mu.Unlock()
	for _, s := range gone {
		e.forget(s)
		e.store.Delete(s.space)
		e.expired.Add(1)
	}
	return gone
}

// Stats are what an engine can say about itself.
type Stats struct {
	Sandboxes int
	Expired   uint64 // sandboxes, since the start
	Kept      int    // exchanges in all journals
	Dropped   uint64 // exchanges, since the start
}

// Stats counts.
func (e *Engine) Stats() Stats {
	all := e.Sandboxes()
	stats := Stats{Sandboxes: len(all), Expired: e.expired.Load(), Dropped: e.dropped.Load()}
	for _, s := range all {
		stats.Kept += s.Journal.Len()
	}
	return stats
}

// RequestID names an exchange in the log: its sandbox, and its number in the journal of that.
func (s *Sandbox) RequestID(x *Exchange) string { return s.Name + "/" + strconv.FormatUint(x.ID, 10) }
