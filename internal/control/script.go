package control

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/internal/store"
)

// listRules answers the scripted rules and what they remember.
func (a *API) listRules(c *call) (int, any, error) {
	list, err := RulesOf(c.sandbox)
	return http.StatusOK, list, err
}

// RulesOf returns the scripted rules of a sandbox in the order in which they are asked.
func RulesOf(s *engine.Sandbox) (client.Rules, error) {
	list := client.Rules{Rules: []client.ActiveRule{}}
	err := s.View(func(tx store.Tx) error {
		for _, r := range s.Rules().Rules() {
			memory, _ := rule.Memories(tx).Get(r.Name)
			list.Rules = append(list.Rules, client.ActiveRule{Rule: r.Rule, Matched: memory.Matched, Fired: memory.Fired, Error: memory.Error})
		}
		return nil
	})
	return list, err
}

// addRules adds rules behind those there are: all or none.
func (a *API) addRules(c *call) (int, any, error) {
	var body client.NewRules
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if len(body.Rules) == 0 {
		return 0, nil, invalid("rules", "a list of at least one rule is needed")
	}
	part := rule.Part{Rules: body.Rules, Vars: c.sandbox.Vars(), Start: c.sandbox.Clock.Now()}
	if err := c.sandbox.AddRules(part); err != nil {
		return 0, nil, wrongRules(err)
	}
	list, err := RulesOf(c.sandbox)
	return http.StatusCreated, list, err
}

// wrongRules says everything that is wrong with rules.
func wrongRules(err error) error {
	faults, ok := errors.AsType[rule.Faults](err)
	if !ok {
		return err
	}
	return invalidFields(faultFields(faults))
}

func faultFields(faults rule.Faults) []client.ProblemField {
	fields := make([]client.ProblemField, len(faults))
	for i, f := range faults {
		fields[i] = client.ProblemField{Field: f.Path, Detail: f.Message}
	}
	return fields
}

// deleteRules takes away the rule named in the query, or all.
func (a *API) deleteRules(c *call) (int, any, error) {
	name := c.URL.Query().Get("name")
	found, err := c.sandbox.DeleteRules(name)
	if err != nil {
		return 0, nil, err
	}
	if !found {
		var names []string
		for _, r := range c.sandbox.Rules().Rules() {
			names = append(names, r.Name)
		}
		problem := invalidFields([]client.ProblemField{unknown("name", name, "rule", names)})
		problem.Title, problem.Status = "no such rule", http.StatusNotFound
		return 0, nil, problem
	}
	return http.StatusNoContent, nil, nil
}

// act carries out actions now.
func (a *API) act(c *call) (int, any, error) {
	var body client.Actions
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if len(body.Actions) == 0 {
		return 0, nil, invalid("actions", "a list of at least one action is needed")
	}
	var wrong []client.ProblemField
	names := a.engine.Names()
	for i, action := range body.Actions {
		wrong = append(wrong, faultFields(rule.CheckActions(action, i, names))...)
	}
	if len(wrong) > 0 {
		return 0, nil, invalidFields(wrong)
	}
	if err := a.stage.Do(c.sandbox, body.Actions); err != nil {
		return 0, nil, notDone(err)
	}
	return http.StatusOK, client.Done{Actions: len(body.Actions), Now: c.sandbox.Clock.Now().Truncate(time.Nanosecond)}, nil
}

// notDone says which action cannot be carried out. What the action names is wrong, unless the sandbox has no room for it.
func notDone(err error) error {
	wrong, ok := errors.AsType[*stage.ActionError](err)
	for _, other := range []error{store.ErrNoSandbox, stage.ErrPlanned, delivery.ErrBacklog, engine.ErrSandboxFull} {
		ok = ok && !errors.Is(err, other)
	}
	if !ok {
		return err
	}
	detail := inWords(wrong.Err)
	if wrong.Index > 0 {
		detail += "; the actions before it were carried out"
	}
	return invalid(fmt.Sprintf("actions[%d]", wrong.Index), detail)
}

// getState answers the named states.
func (a *API) getState(c *call) (int, any, error) {
	state, err := StateOf(c.sandbox)
	return http.StatusOK, state, err
}

// StateOf returns the named states of a sandbox.
func StateOf(s *engine.Sandbox) (client.States, error) {
	out := client.States{State: map[string]string{}}
	err := s.View(func(tx store.Tx) error {
		for name, value := range rule.StateValues(tx) {
			out.State[name], _ = value.(string)
		}
		return nil
	})
	return out, err
}
