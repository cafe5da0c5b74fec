package stage

import (
	"errors"
	"slices"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/script"
)

// Keep remembers a scenario that a sandbox was made with: a reset puts it in again.
func (st *Stage) Keep(s *engine.Sandbox, sc script.Scenario) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.origin[s] = append(st.origin[s], sc)
}

// Replace makes a sandbox what other scenarios say than those it was made with. When one of them cannot be applied, it stays as it
// was.
func (st *Stage) Replace(s *engine.Sandbox, scenarios []script.Scenario) error {
	st.mu.Lock()
	before := st.origin[s]
	st.origin[s] = scenarios
	st.mu.Unlock()
	snapshot, err := s.Snapshot()
	if err != nil {
		return err
	}
	err = st.Reset(s)
	if err == nil {
		return nil
	}
	st.mu.Lock()
	st.origin[s] = before
	st.mu.Unlock()
	return errors.Join(err, st.Reset(s), s.Restore(snapshot))
}

// Reset returns a sandbox to what it was made as, its scenarios included.
func (st *Stage) Reset(s *engine.Sandbox) error {
	if err := s.Reset(); err != nil {
		return err
	}
	st.receivers.Forget(s)
	st.mu.Lock()
	origin := slices.Clone(st.origin[s])
	st.mu.Unlock()
	for _, sc := range origin {
		if _, err := st.Apply(s, sc); err != nil {
			return err
		}
	}
	return nil
}

// End frees what is kept of a sandbox that is gone.
func (st *Stage) End(s *engine.Sandbox) {
	st.receivers.Forget(s)
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.origin, s)
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
