package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

func (a *API) listSims(*call) (int, any, error) {
	list := client.Sims{Sims: []client.Sim{}}
	for _, p := range a.engine.Providers() {
		list.Sims = append(list.Sims, simOf(p))
	}
	return http.StatusOK, list, nil
}

func simOf(p *engine.Provider) client.Sim {
	s := client.Sim{Name: p.Name, Title: p.Title, Hosts: p.Hosts, Operations: []client.Operation{}, Events: []client.EventType{}, Policies: []client.Policy{}, Environments: []string{}}
	s.Environments = append(s.Environments, p.Delivery.Environments...)
	for _, id := range p.Contract.OperationIDs() {
		op := p.Contract.Operations[id]
		s.Operations = append(s.Operations, client.Operation{ID: id, Method: op.Method, Path: op.Path, Summary: op.Spec.Summary})
	}
	for _, t := range p.Contract.Catalogue {
		s.Events = append(s.Events, client.EventType{Type: t.Type, Group: t.Group})
	}
	for _, e := range p.Contract.Ledger {
		entry := client.LedgerEntry{ID: e.ID, Behaviour: e.Behaviour, Basis: string(e.Basis), Source: e.Source, Operations: e.Operations}
		if e.Policy != nil {
			entry.Policy = p.Name + "." + e.Policy.Name
			s.Policies = append(s.Policies, policyOf(p.Name, e))
		}
		s.Ledger = append(s.Ledger, entry)
	}
	return s
}

func policyOf(sim string, e contract.Entry) client.Policy {
	return client.Policy{
		Name: sim + "." + e.Policy.Name, Type: string(e.Policy.Type), Values: e.Policy.Values, Min: e.Policy.Min, Max: e.Policy.Max,
		Default: contract.Plain(e.Policy.Default), Ledger: e.ID,
	}
}

func (a *API) listSandboxes(c *call) (int, any, error) {
	p, err := readPage(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	part, next, err := paged(p, a.engine.Sandboxes(), func(s *engine.Sandbox) string { return s.Name }, everyOne)
	if err != nil {
		return 0, nil, err
	}
	list := client.Sandboxes{Sandboxes: []client.Sandbox{}, Next: next}
	for _, s := range part {
		list.Sandboxes = append(list.Sandboxes, a.sandboxOf(c, s))
	}
	return http.StatusOK, list, nil
}

func (a *API) sandboxOf(c *call, s *engine.Sandbox) client.Sandbox {
	out := client.Sandbox{
		Name: s.Name, Seed: s.Seed(), Clock: clockOf(s.Clock.Setting()), Policies: s.ChangedPolicies(), Sims: map[string]client.SandboxSim{},
	}
	if idle := s.Idle(); idle > 0 {
		out.Idle = idle.String()
	}
	out.Scenarios = s.Scenarios()
	server := a.options.ProviderURL(c.Host, c.TLS != nil)
	for _, p := range a.engine.Providers() {
		base := BaseURL(server, s.Name, p.Name)
		credentials := s.Credentials(p.Name)
		out.Sims[p.Name] = client.SandboxSim{BaseURL: base, Credentials: credentials, Curl: p.Curl(base, credentials)}
	}
	return out
}

// sameURL is the address of the control API itself.
func sameURL(host string, secure bool) string {
	if secure {
		return "https://" + host
	}
	return "http://" + host
}

// BaseURL is where a provider of a sandbox is reached by path.
func BaseURL(server, sandbox, sim string) string {
	if sandbox == engine.DefaultSandbox {
		return server + "/" + sim
	}
	return server + "/sandboxes/" + sandbox + "/" + sim
}

// maxOrigin is how long an origin may be, in bytes.
const maxOrigin = 500

func (a *API) createSandbox(c *call) (int, any, error) {
	var body client.NewSandbox
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	config, err := a.configOf(body)
	if err != nil {
		return 0, nil, err
	}
	sc, err := a.scenarioOf(body.Scenario)
	if err != nil {
		return 0, nil, err
	}
	if sc != nil {
		if err := stage.Prepare(&config, sc, body.Seed != nil, len(body.Clock) > 0); err != nil {
			return 0, nil, invalid("scenario", err.Error())
		}
	}
	s, err := a.newSandbox(config)
	if err != nil {
		return 0, nil, err
	}
	if err := a.put(s, sc); err != nil {
		return 0, nil, err
	}
	if s.Idle() > 0 {
		a.sweepIdle()
	}
	return http.StatusCreated, a.sandboxOf(c, s), nil
}

// configOf is what a new sandbox is made as.
func (a *API) configOf(body client.NewSandbox) (engine.SandboxConfig, error) {
	config := engine.SandboxConfig{Name: body.Name, Origin: body.Origin, Seed: a.options.Seed, Policies: body.Policies, Idle: a.options.Idle}
	if len(body.Origin) > maxOrigin {
		return config, invalid("origin", fmt.Sprintf("%d bytes are too many; at most %d", len(body.Origin), maxOrigin))
	}
	if body.Idle != "" {
		idle, err := readIdle(body.Idle)
		if err != nil {
			return config, err
		}
		config.Idle = idle
	}
	if body.Seed != nil {
		config.Seed = *body.Seed
	}
	if len(body.Clock) > 0 && string(body.Clock) != "null" {
		setting, err := readNewClock(body.Clock)
		if err != nil {
			return config, err
		}
		config.Clock = setting
	}
	return config, a.checkPolicies(config.Policies)
}

// newSandbox makes a sandbox; one without a name gets the next that is free.
func (a *API) newSandbox(config engine.SandboxConfig) (*engine.Sandbox, error) {
	named := config.Name != ""
	for {
		if !named {
			config.Name = fmt.Sprintf("sandbox-%d", a.names.Add(1))
		}
		s, err := a.engine.CreateSandbox(config)
		switch {
		case errors.Is(err, engine.ErrSandboxName):
			return nil, invalid("name", err.Error())
		case named || !errors.Is(err, engine.ErrSandboxExists):
			return s, err
		}
	}
}

// checkPolicies says everything that is wrong with a set of policies.
func (a *API) checkPolicies(set map[string]any) error {
	var wrong []client.ProblemField
	for _, name := range sortedNames(set) {
		if len(wrong) > maxWrong {
			break
		}
		if field, ok := a.checkPolicy(name, set[name]); !ok {
			wrong = append(wrong, field)
		}
	}
	if len(wrong) > 0 {
		return invalidFields(wrong)
	}
	return nil
}

func (a *API) checkPolicy(name string, value any) (client.ProblemField, bool) {
	field := join("policies", name)
	simName, policyName, _ := strings.Cut(name, ".")
	p, ok := a.engine.Provider(simName)
	if !ok {
		return unknown(field, name, "policy", a.policyNames()), false
	}
	policy, ok := p.Contract.Policy(policyName)
	if !ok {
		return unknown(field, name, "policy", prefixed(simName, p.Contract.PolicyNames())), false
	}
	if value == nil {
		return client.ProblemField{}, true
	}
	if _, err := policy.Parse(value); err != nil {
		wrong := misfit(field, value, policy.Accepts())[0]
		wrong.Valid = policy.Values
		return wrong, false
	}
	return client.ProblemField{}, true
}

func (a *API) policyNames() []string {
	var names []string
	for _, p := range a.engine.Providers() {
		names = append(names, prefixed(p.Name, p.Contract.PolicyNames())...)
	}
	return names
}

func prefixed(sim string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = sim + "." + name
	}
	return out
}

// readNewClock reads "real", an instant, or a clock object.
func readNewClock(raw []byte) (clock.Setting, error) {
	var word string
	if err := strictjson.Unmarshal(raw, &word); err == nil {
		return ParseClock(word)
	}
	plain, err := strictjson.Decode(raw)
	if err != nil {
		return clock.Setting{}, err
	}
	if _, isObject := plain.(map[string]any); !isObject {
		return clock.Setting{}, invalidFields(misfit("clock", plain, `"real", an RFC 3339 instant or an object`))
	}
	var change client.ClockChange
	if wrong := misfits("clock", plain, reflect.TypeOf(change)); len(wrong) > 0 {
		return clock.Setting{}, invalidFields(wrong)
	}
	if err := strictjson.UnmarshalKnown(raw, &change); err != nil {
		return clock.Setting{}, invalid("clock", err.Error())
	}
	setting, err := settingOf(clock.Setting{Mode: clock.Real, Edge: clock.Wall}, "clock.", change)
	if setting.Mode == clock.Frozen && setting.Now.IsZero() {
		setting.Now = clock.WallNow() // a reset returns to this instant
	}
	return setting, err
}

// ParseClock reads the word form of a clock: "real", or an RFC 3339 instant at which it is frozen.
func ParseClock(word string) (clock.Setting, error) {
	if word == string(clock.Real) {
		return clock.Setting{Mode: clock.Real, Edge: clock.Wall}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		return clock.Setting{}, invalid("clock", fmt.Sprintf("%q is neither \"real\" nor an RFC 3339 instant such as 2026-01-08T10:30:00Z", shorten(word)))
	}
	if err := checkInstant("clock", at); err != nil {
		return clock.Setting{}, err
	}
	return clock.Setting{Mode: clock.Frozen, Now: at.UTC(), Edge: clock.Wall}, nil
}

func (a *API) getSandbox(c *call) (int, any, error) {
	return http.StatusOK, a.sandboxOf(c, c.sandbox), nil
}

func (a *API) changeSandbox(c *call) (int, any, error) {
	var body client.SandboxChange
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if err := a.checkPolicies(body.Policies); err != nil {
		return 0, nil, err
	}
	if err := c.sandbox.SetPolicies(body.Policies); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.sandboxOf(c, c.sandbox), nil
}

func (a *API) deleteSandbox(c *call) (int, any, error) {
	if _, err := a.engine.DeleteSandbox(c.sandbox.Name); err != nil {
		return 0, nil, err
	}
	a.end(c.sandbox)
	return http.StatusNoContent, nil, nil
}

func (a *API) resetSandbox(c *call) (int, any, error) {
	if err := a.stage.Reset(c.sandbox); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.sandboxOf(c, c.sandbox), nil
}

func clockOf(s clock.Setting) client.Clock {
	return client.Clock{Mode: string(s.Mode), Now: s.Now, Edge: string(s.Edge), Skew: s.Skew.String()}
}

func (a *API) getClock(c *call) (int, any, error) {
	return http.StatusOK, clockOf(c.sandbox.Clock.Setting()), nil
}

func (a *API) setClock(c *call) (int, any, error) {
	var body client.ClockChange
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	err := c.sandbox.Clock.Change(func(current clock.Setting) (clock.Setting, error) {
		if body.Now == nil {
			current.Now = time.Time{} // keeps the present instant
		}
		return settingOf(current, "", body)
	})
	if err != nil {
		return 0, nil, err
	}
	c.sandbox.Feed.Publish(engine.NoteClock, nil)
	return http.StatusOK, clockOf(c.sandbox.Clock.Setting()), nil
}

// The instants a clock may be set to. What is computed from them (retries of years, a machine's distance) stays within
// what a time.Duration holds.
const (
	firstYear = 1970
	lastYear  = 2199
	maxSkew   = 100 * 365 * 24 * time.Hour
)

func checkInstant(field string, at time.Time) error {
	if year := at.UTC().Year(); year < firstYear || year > lastYear {
		return invalid(field, fmt.Sprintf("%s is not within the years %d to %d", at.Format(time.RFC3339), firstYear, lastYear))
	}
	return nil
}

// settingOf applies a change to a clock.
func settingOf(s clock.Setting, prefix string, change client.ClockChange) (clock.Setting, error) {
	modes := []clock.Mode{clock.Real, clock.Frozen}
	edges := []clock.Edge{clock.Wall, clock.WorldEdge}
	if change.Mode != "" {
		if s.Mode = clock.Mode(change.Mode); !slices.Contains(modes, s.Mode) {
			return s, invalid(prefix+"mode", fmt.Sprintf("%q is no mode", shorten(change.Mode)), "real", "frozen")
		}
	}
	if change.Edge != "" {
		if s.Edge = clock.Edge(change.Edge); !slices.Contains(edges, s.Edge) {
			return s, invalid(prefix+"edge", fmt.Sprintf("%q is no edge clock", shorten(change.Edge)), "wall", "world")
		}
	}
	if change.Skew != nil {
		skew, err := time.ParseDuration(*change.Skew)
		if err != nil || skew.Abs() > maxSkew {
			return s, invalid(prefix+"skew", fmt.Sprintf("%q is no duration such as \"-5s\" or \"3m\", of at most 100 years", shorten(*change.Skew)))
		}
		s.Skew = skew
	}
	if change.Now != nil {
		if err := checkInstant(prefix+"now", *change.Now); err != nil {
			return s, err
		}
		s.Now = change.Now.UTC()
	}
	return s, nil
}

func (a *API) advanceClock(c *call) (int, any, error) {
	var body client.Advance
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	move, err := a.mover(c, body)
	if err != nil {
		return 0, nil, err
	}
	patient(c)
	fired, err := a.deliveries.Collect(c.sandbox, move)
	if err != nil {
		return 0, nil, client.Problem{
			Title: "the advance ended early", Status: http.StatusUnprocessableEntity, Detail: endedEarly(err), Fired: FiredOf(fired),
		}
	}
	return http.StatusOK, client.Advanced{Clock: clockOf(c.sandbox.Clock.Setting()), Fired: FiredOf(fired)}, nil
}

// endedEarly says why an advance did.
func endedEarly(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time of the call was over; the clock stands where it got to, and the attempts made so far are under fired: advance again to go on"
	case errors.Is(err, context.Canceled):
		return "the call was ended, by its caller or because the server is stopping; the clock stands where it got to"
	}
	return err.Error()
}

func (a *API) mover(c *call, body client.Advance) (func() error, error) {
	given := map[string]bool{"by": body.By != "", "to": body.To != nil, "until": body.Until != ""}
	maps.DeleteFunc(given, func(_ string, set bool) bool { return !set })
	if len(given) != 1 {
		return nil, invalid("body", fmt.Sprintf("exactly one of by, to, until is needed, got %d", len(given)), `{"by":"30s"}`, `{"to":"2026-01-08T10:30:00Z"}`, `{"until":"idle"}`)
	}
	if body.Until != "" {
		return a.moverUntilIdle(c, body.Until)
	}
	to := c.sandbox.Clock.Now()
	if body.By != "" {
		by, err := time.ParseDuration(body.By)
		if err != nil || by < 0 {
			return nil, invalid("by", fmt.Sprintf("%q is no duration such as \"30s\" or \"1h30m\"", shorten(body.By)))
		}
		to = to.Add(by)
	} else if to = body.To.UTC(); to.Before(c.sandbox.Clock.Now()) {
		return nil, invalid("to", "lies in the past; PUT the clock to set it back")
	}
	if err := checkInstant(slices.Sorted(maps.Keys(given))[0], to); err != nil {
		return nil, err
	}
	return func() error {
		_, err := c.sandbox.Clock.Advance(c.Context(), to, delivery.MaxFiredByMove)
		return err
	}, nil
}

func (a *API) moverUntilIdle(c *call, word string) (func() error, error) {
	if word != "idle" {
		return nil, invalid("until", fmt.Sprintf("%q is not understood", shorten(word)), "idle")
	}
	return func() error {
		_, err := c.sandbox.Clock.AdvanceUntilIdle(c.Context(), delivery.MaxFiredByMove)
		return err
	}, nil
}
