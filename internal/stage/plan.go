package stage

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
)

// planned is something that is due later: plain data in the store of its sandbox.
type planned struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	Actions []script.Action `json:"actions"`
	Rule    string          `json:"rule,omitzero"`
	Depth   int             `json:"depth,omitzero"`
	Fill    bool            `json:"fill,omitzero"`  // the actions stand in no rule: their holes are filled when they are carried out
	Start   time.Time       `json:"start,omitzero"` // Fill: of the scenario
	Every   time.Duration   `json:"every_nanos,omitzero"`
	Times   int             `json:"times,omitzero"` // how often it is still to happen after this; with Every
}

const plannedTable = "planned"

func plans(tx store.Tx) store.Table[planned] { return store.TableOf[planned](tx, plannedTable, nil) }

// plan keeps something for later and sets its alarm.
func (st *Stage) plan(s *engine.Sandbox, p planned) error {
	err := s.Update(func(tx store.Tx) error {
		if n := plans(tx).Count(""); n >= MaxPlanned {
			return fmt.Errorf("%w: %d wait in this sandbox; advance the clock or reset", ErrPlanned, n)
		}
		p.ID = "plan-" + strconv.FormatUint(tx.Next(plannedTable), 10)
		plans(tx).Put(p.ID, p)
		return nil
	})
	if err != nil {
		return err
	}
	st.setAlarm(s, p)
	return nil
}

// setAlarm lets something planned happen at its instant.
func (st *Stage) setAlarm(s *engine.Sandbox, p planned) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.alarms[s] == nil {
		st.alarms[s] = map[string]uint64{}
	}
	st.alarms[s][p.ID] = s.Clock.At(p.At, func(done func(record func())) {
		go done(func() { st.happen(s, p.ID) })
	})
}

// happen carries out what was planned, unless it is gone.
func (st *Stage) happen(s *engine.Sandbox, id string) {
	st.mu.Lock()
	delete(st.alarms[s], id)
	st.mu.Unlock()
	var due planned
	again := false
	err := s.Update(func(tx store.Tx) error {
		var ok bool
		if due, ok = plans(tx).Get(id); !ok {
			return errGone
		}
		if due.Every > 0 && due.Times > 0 {
			next := due
			next.At, next.Times = due.At.Add(due.Every), due.Times-1
			plans(tx).Put(id, next)
			again = true
			return nil
		}
		plans(tx).Delete(id)
		return nil
	})
	if err != nil { // it is gone, or the sandbox is
		return
	}
	for _, a := range due.Actions {
		effect := engine.Effect{Rule: due.Rule, Action: a, Depth: due.Depth}
		if !due.Fill {
			st.Perform(s, []engine.Effect{effect})
		} else if err := st.fillAndPerform(s, effect, due.Start); err != nil {
			st.log.Warn("the timeline could not be carried out", "sandbox", s.Name, "error", err)
		}
	}
	if again {
		due.At = due.At.Add(due.Every)
		st.setAlarm(s, due)
	}
}

var errGone = errors.New("what was planned is gone")

// Resume implements engine.Director.
func (st *Stage) Resume(s *engine.Sandbox) error {
	var waiting []planned
	err := s.View(func(tx store.Tx) error {
		waiting = plans(tx).All("")
		return nil
	})
	for _, p := range waiting {
		st.setAlarm(s, p)
	}
	return err
}

// Forget implements engine.Director.
func (st *Stage) Forget(s *engine.Sandbox) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, alarm := range st.alarms[s] {
		s.Clock.Cancel(alarm)
	}
	delete(st.alarms, s)
}

// timeline plans what happens by itself, and returns the rules for what happens on an event.
func (st *Stage) timeline(s *engine.Sandbox, moments []script.Moment, start time.Time) ([]script.Rule, error) {
	var onEvents []script.Rule
	for i, m := range moments {
		if len(m.On) > 0 {
			onEvents = append(onEvents, script.Rule{Name: fmt.Sprintf("timeline-%d", i+1), Event: m.On, Do: m.Do})
			continue
		}
		at, err := rule.Moment(zero(m.At), start)
		if err != nil {
			return nil, fmt.Errorf("timeline[%d].at: %w", i, err)
		}
		p := planned{At: at, Actions: m.Do, Rule: fmt.Sprintf("timeline-%d", i+1), Fill: true, Start: start}
		if m.Every != "" {
			if p.Every, err = rule.Duration(m.Every); err != nil || p.Every <= 0 {
				return nil, fmt.Errorf("timeline[%d].every: want a duration above 0, got %q", i, m.Every)
			}
			p.Times = m.Times - 1
		}
		if err := st.plan(s, p); err != nil {
			return nil, fmt.Errorf("timeline[%d]: %w", i, err)
		}
	}
	return onEvents, nil
}
