package stage

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/script"
)

// keep remembers a scenario that a sandbox was made with.
func (st *Stage) keep(s *engine.Sandbox, sc script.Scenario) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.origin[s] = append(st.origin[s], sc)
}

// Replace makes a sandbox what other scenarios say than those it was made with. When one of them cannot be applied, it stays as it
// was, with its receivers and its journal.
func (st *Stage) Replace(s *engine.Sandbox, scenarios []script.Scenario) error {
	defer st.alone(s)()
	back, err := rewinder(s)
	if err != nil {
		return err
	}
	journal := s.Journal.Mark()
	receivers := st.receivers.take(s)
	if err := st.reset(s, scenarios); err != nil {
		st.receivers.Forget(s)
		st.receivers.give(s, receivers)
		journal()
		return errors.Join(err, back())
	}
	closeSet(receivers)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.origin[s] = scenarios
	return nil
}

// Reset returns a sandbox to what it was made as, its scenarios included.
func (st *Stage) Reset(s *engine.Sandbox) error {
	defer st.alone(s)()
	return st.reset(s, st.Kept(s))
}

func (st *Stage) reset(s *engine.Sandbox, scenarios []script.Scenario) error {
	if err := s.Reset(); err != nil {
		return err
	}
	st.receivers.Forget(s)
	for _, sc := range scenarios {
		if _, err := st.apply(s, sc, true); err != nil {
			return err
		}
	}
	return nil
}

// alone waits until no scenario is applied to a sandbox, nor taken out of it, and keeps it so until the function it returns is
// called.
func (st *Stage) alone(s *engine.Sandbox) (done func()) {
	st.mu.Lock()
	busy, ok := st.busy[s]
	if !ok {
		busy = &sync.Mutex{}
		st.busy[s] = busy
	}
	st.mu.Unlock()
	busy.Lock()
	return busy.Unlock
}

// rewinder returns a function that makes a sandbox what it is now. A clock that is not frozen goes on meanwhile.
func rewinder(s *engine.Sandbox) (back func() error, err error) {
	before, err := s.Snapshot()
	at, taken := s.Clock.Now(), clock.WallNow()
	return func() error {
		if before.Clock.Mode == clock.Real {
			before.Clock.Now = at.Add(clock.WallNow().Sub(taken)).Format(time.RFC3339Nano)
		}
		return s.Restore(before)
	}, err
}

// End frees what is kept of a sandbox that is gone.
func (st *Stage) End(s *engine.Sandbox) {
	st.receivers.Forget(s)
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.origin, s)
	delete(st.busy, s)
}

// Close ends what the stage has opened.
func (st *Stage) Close() { st.receivers.CloseAll() }

// Receivers returns the keeping of scripted receivers.
func (st *Stage) Receivers() *Receivers { return st.receivers }

// Kept are the scenarios that a sandbox was made with.
func (st *Stage) Kept(s *engine.Sandbox) []script.Scenario {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.origin[s])
}
