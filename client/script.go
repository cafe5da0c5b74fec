package client

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/script"
)

// Rules is the answer of GET …/rules, and what POST answers: all rules of the sandbox, in the order in which they are asked.
type Rules struct {
	Rules []ActiveRule `json:"rules"`
}

// ActiveRule is a rule of a sandbox and how it has been doing.
type ActiveRule struct {
	script.Rule
	Matched int `json:"matched"` // how often its conditions were met, but for first, skip, nth, every and chance
	Fired   int `json:"fired"`   // how often it acted
	// Error is why its expressions could not be evaluated, or its actions not be carried out, the last time.
	Error string `json:"error,omitzero"`
}

// NewRules is the body of POST …/rules.
type NewRules struct {
	Rules []script.Rule `json:"rules"`
}

// Actions is the body of POST …/actions: what happens now, in this order. Only verbs that need no call, delivery or attempt.
type Actions struct {
	Actions []script.Action `json:"actions"`
}

// Done is the answer of POST …/actions.
type Done struct {
	Actions int       `json:"actions"` // that were carried out
	Now     time.Time `json:"now"`
}

// States is the answer of GET …/state: the named states.
type States struct {
	State map[string]string `json:"state"`
}

// AppliedScenario is the answer of POST …/scenarios, and stands in a Sandbox for each scenario that was applied to it.
type AppliedScenario = script.Applied

// ScenarioSource is a scenario in the body of POST …/sandboxes: the name of a built-in one, YAML text, or an object.
type ScenarioSource = jsontext.Value

// Rules lists the rules of the sandbox.
func (s *SandboxClient) Rules(ctx context.Context) (out Rules, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/rules", nil, &out)
}

// AddRules adds rules behind those there are. All are added or none.
func (s *SandboxClient) AddRules(ctx context.Context, rules ...script.Rule) (out Rules, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/rules", NewRules{Rules: rules}, &out)
}

// DeleteRules takes away the rule of a name; every rule when it is "".
func (s *SandboxClient) DeleteRules(ctx context.Context, name string) error {
	return s.client.call(ctx, http.MethodDelete, s.path+"/rules"+query("name", name), nil, nil)
}

// Do performs actions now.
func (s *SandboxClient) Do(ctx context.Context, actions ...script.Action) error {
	return s.client.call(ctx, http.MethodPost, s.path+"/actions", Actions{Actions: actions}, &Done{})
}

// State returns the named states.
func (s *SandboxClient) State(ctx context.Context) (out States, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/state", nil, &out)
}

// ApplyScenario puts a scenario into the sandbox: its world, rules and timeline. All of it or nothing.
func (s *SandboxClient) ApplyScenario(ctx context.Context, scenario script.Scenario) (out AppliedScenario, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/scenarios", scenario, &out)
}
