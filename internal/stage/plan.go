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

// setAlarm lets something planned happen at its instant. What is not planned any more gets none: the sandbox was reset,
// restored or deleted meanwhile.
func (st *Stage) setAlarm(s *engine.Sandbox, p planned) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !waits(s, p) {
		return
	}
	if st.alarms[s] == nil {
		st.alarms[s] = map[string]uint64{}
	}
	if before, ok := st.alarms[s][p.ID]; ok {
		s.Clock.Cancel(before)
	}
	st.alarms[s][p.ID] = s.Clock.At(p.At, func(done func(record func())) {
		st.inTurn(s, func() { done(func() { st.happen(s, p) }) })
	})
}

// waits: it is still planned, for this instant.
func waits(s *engine.Sandbox, p planned) (ok bool) {
	_ = s.View(func(tx store.Tx) error { // nothing waits in a sandbox that is gone
		now, exists := plans(tx).Get(p.ID)
		ok = exists && now.At.Equal(p.At)
		return nil
	})
	return ok
}

// inTurn runs what has come due in a sandbox, one after the other in the order of the alarms. It never blocks.
func (st *Stage) inTurn(s *engine.Sandbox, work func()) {
	st.turns.Lock()
	defer st.turns.Unlock()
	st.due[s] = append(st.due[s], work)
	if len(st.due[s]) == 1 {
		go st.takeTurns(s)
	}
}

func (st *Stage) takeTurns(s *engine.Sandbox) {
	for more := true; more; {
		st.turns.Lock()
		work := st.due[s][0]
		st.turns.Unlock()
		work()
		st.turns.Lock()
		st.due[s][0] = nil
		if st.due[s] = st.due[s][1:]; len(st.due[s]) == 0 {
			delete(st.due, s)
			more = false
		}
		st.turns.Unlock()
	}
}

// happen carries out what was planned, unless it is gone.
func (st *Stage) happen(s *engine.Sandbox, alarm planned) {
	id := alarm.ID
	var due planned
	again := false
	err := s.Update(func(tx store.Tx) error {
		var ok bool
		if due, ok = plans(tx).Get(id); !ok || !due.At.Equal(alarm.At) {
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
	st.rang(s, id)
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

// rang forgets an alarm.
func (st *Stage) rang(s *engine.Sandbox, id string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if delete(st.alarms[s], id); len(st.alarms[s]) == 0 {
		delete(st.alarms, s)
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

// timelineOf is what happens by itself, to be planned, and the rules for what happens on an event.
func timelineOf(s *engine.Sandbox, sc script.Scenario, start time.Time) (later []planned, onEvents []script.Rule, err error) {
	taken := map[string]bool{}
	for _, r := range s.Rules().Rules() {
		taken[r.Name] = true
	}
	for _, r := range sc.Rules {
		taken[r.Name] = true
	}
	for i, m := range sc.Timeline {
		name := freeName(taken, i+1)
		if len(m.On) > 0 {
			onEvents = append(onEvents, script.Rule{Name: name, Event: m.On, Do: m.Do})
			continue
		}
		if script.Times(m.Times) == 0 {
			continue
		}
		p := planned{Actions: m.Do, Rule: name, Fill: true, Start: start}
		if p.At, err = rule.Moment(zero(m.At), start); err != nil {
			return nil, nil, within(fmt.Sprintf("timeline[%d].at", i), err)
		}
		if m.Every != "" {
			if p.Every, err = rule.Duration(m.Every); err != nil || p.Every <= 0 {
				return nil, nil, within(fmt.Sprintf("timeline[%d].every", i), fmt.Errorf("want a duration above 0, got %q", m.Every))
			}
			p.Times = script.Times(m.Times) - 1
		}
		later = append(later, p)
	}
	return later, onEvents, nil
}

// freeName names the nth moment of a timeline as no rule of the sandbox is named.
func freeName(taken map[string]bool, n int) string {
	name := fmt.Sprintf("timeline-%d", n)
	for taken[name] {
		n++
		name = fmt.Sprintf("timeline-%d", n)
	}
	taken[name] = true
	return name
}
