package rule

import (
	"fmt"
	"math"
	"time"

	"github.com/brianvoe/gofakeit/v6"

	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
)

// Memory is what a rule remembers.
type Memory struct {
	Matched int         `json:"matched"`         // how often its conditions were met, but for the counting ones and chance
	Fired   int         `json:"fired"`           // how often it acted
	Passed  []time.Time `json:"passed,omitzero"` // rate: those that were let through within the period
	Error   string      `json:"error,omitzero"`  // why its expressions could not be evaluated the last time
}

// Memories holds them by the name of the rule.
func Memories(tx store.Tx) store.Table[Memory] { return store.TableOf[Memory](tx, "rule memory", nil) }

// States holds the named states.
func States(tx store.Tx) store.Table[string] { return store.TableOf[string](tx, "named states", nil) }

// StateValues returns the named states, in the order in which they were first set.
func StateValues(tx store.Tx) map[string]any {
	values := map[string]any{}
	for _, name := range tx.IDs("named states", "", 0, -1) {
		values[name], _ = States(tx).Get(name)
	}
	return values
}

// Input is what is at hand where rules are asked.
type Input struct {
	Tx   store.Tx // whose memories and named states are read and changed
	Now  time.Time
	Vars func() map[string]any // what expressions see of the call, event or delivery; called only when one looks
	// Draw returns a number from 0 to 1 that derives from the seed. Fake makes data the same way.
	Draw func(kind string, n uint64) float64
	Fake func(kind string, n uint64) *gofakeit.Faker
}

// Fired is a rule that acts.
type Fired struct {
	Rule    string
	Actions []script.Action // with their holes filled; those that set named states have been performed
	// U and V are drawn for its delays.
	U, V float64
}

// Decide asks rules in their order and returns those that act. After one that answers, no more are asked.
func Decide(in Input, rules []*Rule) []Fired {
	var fired []Fired
	for _, r := range rules {
		f, ok := r.decide(in)
		if !ok {
			continue
		}
		fired = append(fired, f)
		if answers(f.Actions) {
			break
		}
	}
	return fired
}

func answers(actions []script.Action) bool {
	for _, a := range actions {
		if a.Answer != nil || a.Refuse != nil {
			return true
		}
	}
	return false
}

func (r *Rule) decide(in Input) (Fired, bool) {
	memory, _ := Memories(in.Tx).Get(r.Name)
	vars := expression.Vars{Now: in.Now}
	if !r.met(in, &memory, &vars) {
		return Fired{}, false
	}
	wait, over := r.limit(&memory, in.Now)
	if over {
		memory.Matched++
	}
	n := uint64(memory.Matched)
	if !over || !r.counts(memory.Matched) || r.Chance != nil && in.Draw("chance/"+r.Name, n) >= *r.Chance {
		Memories(in.Tx).Put(r.Name, memory)
		return Fired{}, false
	}
	memory.Fired++
	vars.Names["count"], vars.Names["retry_after"] = float64(memory.Fired), math.Ceil(wait.Seconds())
	if in.Fake != nil && r.hasHoles() {
		vars.Fake = in.Fake("rule/"+r.Name, n)
	}
	actions, err := r.fill(vars)
	memory.Error = text(err)
	Memories(in.Tx).Put(r.Name, memory)
	return Fired{
		Rule: r.Name, Actions: perform(in.Tx, actions), U: in.Draw("delay/"+r.Name, n), V: in.Draw("delay 2/"+r.Name, n),
	}, true
}

// met: everything holds but what counts. Why an expression could not be evaluated is remembered.
func (r *Rule) met(in Input, memory *Memory, vars *expression.Vars) bool {
	ok, err := r.applies(in, vars)
	if err != nil && err.Error() != memory.Error {
		memory.Error = err.Error()
		Memories(in.Tx).Put(r.Name, *memory)
	}
	return ok && err == nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// applies: everything holds but what counts. It fills in the variables.
func (r *Rule) applies(in Input, vars *expression.Vars) (bool, error) {
	if r.from.set && in.Now.Before(r.from.from(r.start)) || r.until.set && !in.Now.Before(r.until.from(r.start)) {
		return false, nil
	}
	for name, want := range r.State {
		if got, _ := States(in.Tx).Get(name); got != want {
			return false, nil
		}
	}
	if r.when == nil && !r.hasHoles() {
		vars.Names = map[string]any{}
		return true, nil
	}
	vars.Names = with(r.vars, in.Vars())
	vars.Names["state"] = StateValues(in.Tx)
	vars.Names["start"] = r.start
	vars.Names["count"], vars.Names["retry_after"] = 0.0, 0.0
	if r.when == nil {
		return true, nil
	}
	return r.when.Bool(*vars)
}

// limit asks the rate. over: it is exceeded (or there is none). wait is how long until one is let through again.
func (r *Rule) limit(m *Memory, now time.Time) (wait time.Duration, over bool) {
	if r.Rate == nil {
		return 0, true
	}
	var passed []time.Time
	for _, at := range m.Passed {
		if now.Sub(at).Abs() < r.per { // of later than now are those before the clock was set back
			passed = append(passed, at)
		}
	}
	m.Passed = passed
	if len(passed) < r.Rate.Over {
		m.Passed = append(m.Passed, now)
		return 0, false
	}
	if len(passed) == 0 {
		return r.per, true
	}
	return passed[0].Add(r.per).Sub(now), true
}

// counts: the nth that meets the conditions is one the rule acts on.
func (r *Rule) counts(n int) bool {
	switch {
	case r.First != nil:
		return n <= *r.First
	case r.Skip > 0:
		return n > r.Skip
	case r.Nth != nil:
		return n == *r.Nth
	case r.Every != nil:
		return n%*r.Every == 0
	}
	return true
}

// fill fills the holes of the actions. One that cannot be filled is left out, and the error says why.
func (r *Rule) fill(vars expression.Vars) (actions []script.Action, err error) {
	for i, a := range r.Do {
		if t := r.actions[i]; t != nil {
			var wrong error
			if a, wrong = filled(t, vars); wrong != nil {
				err = fmt.Errorf("do[%d]: %w", i, wrong)
				continue
			}
		}
		actions = append(actions, a)
	}
	return actions, err
}

// perform sets named states at once, so that whatever comes next knows of it, and returns the other actions.
func perform(tx store.Tx, actions []script.Action) []script.Action {
	var others []script.Action
	for _, a := range actions {
		if a.Set == nil || a.After != "" {
			others = append(others, a)
			continue
		}
		SetStates(tx, a.Set)
	}
	return others
}

// SetStates gives named states values.
func SetStates(tx store.Tx, values map[string]string) {
	for _, name := range sortedKeys(values) {
		States(tx).Put(name, values[name])
	}
}
