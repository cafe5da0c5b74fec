package stage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// ErrScenario refuses a scenario that cannot be put into a sandbox.
var ErrScenario = errors.New("the scenario cannot be applied")

// MaxMade is how many webhooks or deliveries one entry of a scenario may ask for.
const MaxMade = 10_000

// Apply puts the world, the rules and the timeline of a scenario into a sandbox: all of it, or nothing. Its seed counts only where
// a sandbox is made with it, and its steps are not for here. It has been checked.
func (st *Stage) Apply(s *engine.Sandbox, sc script.Scenario) (script.Applied, error) {
	defer st.alone(s)()
	return st.apply(s, sc, false)
}

// Put is Apply where a sandbox is made with the scenario: a reset puts it in again.
func (st *Stage) Put(s *engine.Sandbox, sc script.Scenario) (script.Applied, error) {
	defer st.alone(s)()
	applied, err := st.apply(s, sc, true)
	if err == nil {
		st.keep(s, sc)
	}
	return applied, err
}

func (st *Stage) apply(s *engine.Sandbox, sc script.Scenario, kept bool) (script.Applied, error) {
	back, err := rewinder(s)
	if err != nil {
		return script.Applied{}, err
	}
	a := &application{stage: st, sandbox: s, scenario: sc, applied: script.Applied{
		Title: sc.Title, Webhooks: map[string]script.WebhookName{}, Receivers: map[string]string{},
		Accounts: map[string]map[string]map[string]string{}, Rules: []string{}, Kept: kept, Digest: sc.Digest(),
	}}
	if err := a.run(); err != nil {
		for name := range a.applied.Receivers {
			err = errors.Join(err, st.receivers.Set(s).Delete(name))
		}
		return script.Applied{}, errors.Join(fmt.Errorf("%w: %w", ErrScenario, err), back())
	}
	s.Applied(a.applied)
	for _, p := range st.engine.Providers() {
		s.Feed.Publish(engine.NoteWebhooks, p.Name)
	}
	return a.applied, nil
}

// application is one scenario on its way into a sandbox.
type application struct {
	stage    *Stage
	sandbox  *engine.Sandbox
	scenario script.Scenario
	applied  script.Applied
	start    time.Time
	vars     map[string]any
	later    []planned // the timeline
}

// run applies the scenario in the order of its sections.
func (a *application) run() error {
	for _, section := range []struct {
		name  string
		apply func() error
	}{
		{"clock", a.clock},
		{"policies", a.policies},
		{"accounts", a.accounts},
		{"state", a.state},
		{"receivers", a.receivers},
		{"webhooks", a.webhooks},
		{"rules", a.rules},
		{"deliveries", a.deliveries},
		{"timeline", a.timeline},
	} {
		if err := section.apply(); err != nil {
			return within(section.name, err)
		}
	}
	return nil
}

// PartError says which part of a scenario cannot be applied.
type PartError struct {
	Path string // webhooks[2]
	Err  error
}

// Error implements error.
func (e *PartError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *PartError) Unwrap() error { return e.Err }

// within is an error of a part, unless one of a smaller part is known.
func within(path string, err error) error {
	if _, known := errors.AsType[*PartError](err); known {
		return err
	}
	return &PartError{Path: path, Err: err}
}

func (a *application) clock() error {
	if a.scenario.Clock != nil {
		setting, err := ClockOf(a.scenario.Clock)
		if err != nil {
			return err
		}
		a.sandbox.Clock.Set(setting)
	}
	a.start = a.sandbox.Clock.Now()
	a.vars = map[string]any{
		"params": orEmpty(a.scenario.Params), "receivers": map[string]any{}, "webhooks": map[string]any{}, "accounts": map[string]any{},
		"sandbox": a.sandbox.Name,
	}
	return nil
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Prepare makes the configuration of a new sandbox what a scenario says of it. Policies of the configuration win, and its seed and
// clock where they are to be kept.
func Prepare(config *engine.SandboxConfig, sc *script.Scenario, keepSeed, keepClock bool) error {
	if sc.Seed != nil && !keepSeed {
		config.Seed = *sc.Seed
	}
	if sc.Clock != nil && !keepClock {
		setting, err := ClockOf(sc.Clock)
		if err != nil {
			return fmt.Errorf("clock: %w", err)
		}
		config.Clock = setting
	}
	policies := map[string]any{}
	maps.Copy(policies, sc.Policies)
	maps.Copy(policies, config.Policies)
	config.Policies = policies
	if config.Accounts == nil {
		config.Accounts = engine.Accounts{}
	}
	maps.Copy(config.Accounts, AccountsOf(*sc))
	sc.Clock, sc.Policies = nil, nil // they are the sandbox's from the start
	return nil
}

func (a *application) policies() error { return a.sandbox.SetPolicies(a.scenario.Policies) }

// accounts makes those that are not there yet. What is given for the account default counts where the sandbox is made.
func (a *application) accounts() error {
	wanted := AccountsOf(a.scenario)
	have := a.sandbox.Accounts()
	maps.DeleteFunc(wanted, func(name string, _ map[string]sims.Credentials) bool { return slices.Contains(have, name) })
	if err := a.sandbox.AddAccounts(wanted); err != nil {
		return err
	}
	shown := map[string]any{}
	for _, name := range a.sandbox.Accounts() {
		bySim, forVars := map[string]map[string]string{}, map[string]any{}
		for _, p := range a.stage.engine.Providers() {
			credentials := a.sandbox.AccountCredentials(name, p.Name)
			bySim[p.Name] = credentials
			members := map[string]any{}
			for key, value := range credentials {
				members[key] = value
			}
			forVars[p.Name] = members
		}
		a.applied.Accounts[name], shown[name] = bySim, forVars
	}
	a.vars["accounts"] = shown
	return nil
}

// AccountsOf are the accounts of a scenario in the engine's form.
func AccountsOf(sc script.Scenario) engine.Accounts {
	accounts := engine.Accounts{}
	for name, bySim := range sc.Accounts {
		accounts[name] = map[string]sims.Credentials{}
		for sim, credentials := range bySim {
			accounts[name][sim] = credentials
		}
	}
	return accounts
}

func (a *application) state() error {
	return a.sandbox.Update(func(tx store.Tx) error {
		rule.SetStates(tx, a.scenario.State)
		return nil
	})
}

func (a *application) receivers() error {
	urls := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(a.scenario.Receivers)) {
		url, err := a.stage.receivers.open(a.sandbox, name, a.scenario.Receivers[name])
		if err != nil {
			return within("receivers."+name, err)
		}
		a.applied.Receivers[name] = url
		urls[name] = map[string]any{"url": url}
	}
	a.vars["receivers"] = urls
	return nil
}

// filled fills the holes of a part of the scenario.
func filled[T any](a *application, part T) (out T, err error) {
	data, err := strictjson.Encode(part)
	if err != nil {
		return out, err
	}
	plain, err := strictjson.Decode(data)
	if err != nil {
		return out, err
	}
	template, err := expression.ParseTemplate(plain, nil)
	if err != nil || template.Fixed() {
		return part, err
	}
	vars := expression.Vars{Now: a.start, Names: maps.Clone(a.vars)}
	vars.Names["start"] = a.start
	vars.Names["state"] = map[string]any{}
	err = a.sandbox.Update(func(tx store.Tx) error {
		vars.Names["state"] = rule.StateValues(tx)
		vars.Fake = a.sandbox.Fake("world", tx.Next("world"))
		return nil
	})
	if err != nil {
		return out, err
	}
	rendered, err := template.Render(vars)
	if err != nil {
		return out, err
	}
	return out, rule.Into(rendered, &out)
}

func (a *application) webhooks() error {
	for i, w := range a.scenario.Webhooks {
		for n := range min(script.Times(w.Count), MaxMade) {
			if err := a.webhook(w, n); err != nil {
				return within(fmt.Sprintf("webhooks[%d]", i), err)
			}
		}
	}
	return nil
}

// webhook makes the nth of an entry.
func (a *application) webhook(wanted script.Webhook, n int) error {
	a.vars["index"] = float64(n)
	w, err := filled(a, wanted)
	delete(a.vars, "index")
	if err != nil {
		return err
	}
	p, ok := a.stage.engine.Provider(w.Sim)
	if !ok {
		return fmt.Errorf("there is no sim %q", w.Sim)
	}
	at, err := a.before(w.CreatedAt)
	if err != nil {
		return fmt.Errorf("created_at: %w", err)
	}
	account := w.Account
	if account == "" {
		account = sims.DefaultAccount
	}
	call := engine.PlantedCall{URL: w.URL, Events: w.Events, Body: w.Body, Disabled: w.State == sims.Disabled}
	made, err := a.stage.engine.Plant(a.sandbox, p, account, call, at)
	if err != nil {
		return err
	}
	if w.ErrorCount > 0 {
		if err := a.stage.deliveries.Trouble(a.sandbox, p, made.ID, w.ErrorCount); err != nil {
			return err
		}
	}
	if w.State == sims.Blocked {
		if err := a.stage.deliveries.Block(a.sandbox, p, made.ID, w.ErrorCount); err != nil {
			return err
		}
	}
	a.name(w, n, made)
	return nil
}

// name remembers how the scenario refers to a webhook.
func (a *application) name(w script.Webhook, n int, made sims.Webhook) {
	if w.Name == "" {
		return
	}
	name := w.Name
	if script.Times(w.Count) > 1 {
		name = fmt.Sprintf("%s-%d", w.Name, n+1)
	}
	a.applied.Webhooks[name] = script.WebhookName{Sim: w.Sim, ID: made.ID}
	known := map[string]any{}
	if before, ok := a.vars["webhooks"].(map[string]any); ok {
		maps.Copy(known, before)
	}
	known[name] = map[string]any{"id": made.ID, "sim": w.Sim, "url": made.URL}
	a.vars["webhooks"] = known
}

// before reads an instant, or a duration before now such as -48h. "" is now.
func (a *application) before(text string) (time.Time, error) {
	if text == "" {
		return a.start, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC(), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > 0 || d < -rule.Longest {
		return a.start, fmt.Errorf("want an instant, or a duration before now such as -48h, got %q", text)
	}
	return a.start.Add(d), nil
}

func (a *application) deliveries() error {
	for i, wanted := range a.scenario.Deliveries {
		for n := range min(script.Times(wanted.Count), MaxMade) {
			if err := a.delivery(wanted, n); err != nil {
				return within(fmt.Sprintf("deliveries[%d]", i), err)
			}
		}
	}
	return nil
}

func (a *application) delivery(wanted script.Delivery, n int) error {
	a.vars["index"] = float64(n)
	d, err := filled(a, wanted)
	delete(a.vars, "index")
	if err != nil {
		return err
	}
	named, ok := a.applied.Webhooks[d.Webhook]
	if !ok {
		return fmt.Errorf("the scenario has no webhook %q", d.Webhook)
	}
	p, _ := a.stage.engine.Provider(named.Sim)
	at, err := a.before(d.At)
	if err != nil {
		return fmt.Errorf("at: %w", err)
	}
	planted := delivery.Planted{WebhookID: named.ID, Type: d.Type, State: delivery.State(d.State), Attempts: d.Attempts, Status: d.Status, At: at, Data: d.Data}
	if planted.State == "" {
		planted.State = delivery.Delivered
	}
	if final := planted.State == delivery.Delivered || planted.State == delivery.Failed; final && planted.Attempts == 0 {
		planted.Attempts = 1
	}
	if planted.Status == 0 {
		planted.Status = 200
		if planted.State != delivery.Delivered {
			planted.Status = 500
		}
	}
	_, err = a.stage.deliveries.Plant(a.sandbox, p, planted)
	return err
}

// rules puts in the rules, those for the timeline among them.
func (a *application) rules() error {
	later, onEvents, err := timelineOf(a.sandbox, a.scenario, a.start)
	if err != nil {
		return err
	}
	a.later = later
	part := rule.Part{Rules: append(slices.Clone(a.scenario.Rules), onEvents...), Vars: maps.Clone(a.vars), Start: a.start}
	if err := a.sandbox.AddRules(part); err != nil {
		return err
	}
	parts := a.sandbox.Rules().Parts()
	for _, r := range parts[len(parts)-1].Rules {
		a.applied.Rules = append(a.applied.Rules, r.Name)
	}
	return nil
}

// timeline plans what happens by itself. It comes last: what is due at once finds everything there.
func (a *application) timeline() error {
	for _, p := range a.later {
		if err := a.stage.plan(a.sandbox, p); err != nil {
			return err
		}
	}
	return nil
}
