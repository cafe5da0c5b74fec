package control

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
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
	s := client.Sim{Name: p.Name, Title: p.Title, Hosts: p.Hosts, Operations: []client.Operation{}, Events: []client.EventType{}, Policies: []client.Policy{}}
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
	list := client.Sandboxes{Sandboxes: []client.Sandbox{}}
	for _, s := range a.engine.Sandboxes() {
		list.Sandboxes = append(list.Sandboxes, a.sandboxOf(c, s))
	}
	return http.StatusOK, list, nil
}

func (a *API) sandboxOf(c *call, s *engine.Sandbox) client.Sandbox {
	out := client.Sandbox{
		Name: s.Name, Seed: s.Seed(), Clock: clockOf(s.Clock.Setting()), Policies: s.ChangedPolicies(), Sims: map[string]client.SandboxSim{},
	}
	for _, p := range a.engine.Providers() {
		base := BaseURL("http://"+c.Host, s.Name, p.Name)
		if c.TLS != nil {
			base = BaseURL("https://"+c.Host, s.Name, p.Name)
		}
		credentials := s.Credentials(p.Name)
		out.Sims[p.Name] = client.SandboxSim{BaseURL: base, Credentials: credentials, Curl: p.Curl(base, credentials)}
	}
	return out
}

// BaseURL is where a provider of a sandbox is reached by path.
func BaseURL(server, sandbox, sim string) string {
	if sandbox == engine.DefaultSandbox {
		return server + "/" + sim
	}
	return server + "/sandboxes/" + sandbox + "/" + sim
}

func (a *API) createSandbox(c *call) (int, any, error) {
	var body client.NewSandbox
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	config := engine.SandboxConfig{Name: body.Name, Seed: a.options.Seed, Policies: body.Policies}
	if body.Seed != nil {
		config.Seed = *body.Seed
	}
	if config.Name == "" {
		config.Name = fmt.Sprintf("sandbox-%d", a.names.Add(1))
	}
	if len(body.Clock) > 0 {
		setting, err := readNewClock(body.Clock)
		if err != nil {
			return 0, nil, err
		}
		config.Clock = setting
	}
	s, err := a.engine.CreateSandbox(config)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, a.sandboxOf(c, s), nil
}

// readNewClock reads "real", an instant, or a clock object.
func readNewClock(raw []byte) (clock.Setting, error) {
	var word string
	if err := strictjson.Unmarshal(raw, &word); err == nil {
		return ParseClock(word)
	}
	var change client.ClockChange
	if err := strictjson.UnmarshalKnown(raw, &change); err != nil {
		return clock.Setting{}, invalid("clock", err.Error(), "real", "an RFC 3339 instant", `{"mode","now","edge","skew"}`)
	}
	return settingOf(clock.Setting{Mode: clock.Real, Edge: clock.Wall}, change)
}

// ParseClock reads the word form of a clock: "real", or an RFC 3339 instant at which it is frozen.
func ParseClock(word string) (clock.Setting, error) {
	if word == string(clock.Real) {
		return clock.Setting{Mode: clock.Real, Edge: clock.Wall}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, word)
	if err != nil {
		return clock.Setting{}, invalid("clock", fmt.Sprintf("%q is neither \"real\" nor an RFC 3339 instant such as 2026-01-08T10:30:00Z", word))
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
	if err := c.sandbox.SetPolicies(body.Policies); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.sandboxOf(c, c.sandbox), nil
}

func (a *API) deleteSandbox(c *call) (int, any, error) {
	if _, err := a.engine.DeleteSandbox(c.sandbox.Name); err != nil {
		return 0, nil, err
	}
	a.receivers.forget(c.sandbox)
	return http.StatusNoContent, nil, nil
}

func (a *API) resetSandbox(c *call) (int, any, error) {
	if err := c.sandbox.Reset(); err != nil {
		return 0, nil, err
	}
	a.receivers.forget(c.sandbox)
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
	current := c.sandbox.Clock.Setting()
	if body.Now == nil {
		current.Now = time.Time{} // keeps the present instant
	}
	setting, err := settingOf(current, body)
	if err != nil {
		return 0, nil, err
	}
	c.sandbox.Clock.Set(setting)
	return http.StatusOK, clockOf(c.sandbox.Clock.Setting()), nil
}

// settingOf applies a change to a clock.
func settingOf(s clock.Setting, change client.ClockChange) (clock.Setting, error) {
	modes := []clock.Mode{clock.Real, clock.Frozen}
	edges := []clock.Edge{clock.Wall, clock.WorldEdge}
	if change.Mode != "" {
		if s.Mode = clock.Mode(change.Mode); !slices.Contains(modes, s.Mode) {
			return s, invalid("mode", fmt.Sprintf("%q is no mode", change.Mode), "real", "frozen")
		}
	}
	if change.Edge != "" {
		if s.Edge = clock.Edge(change.Edge); !slices.Contains(edges, s.Edge) {
			return s, invalid("edge", fmt.Sprintf("%q is no edge clock", change.Edge), "wall", "world")
		}
	}
	if change.Skew != nil {
		skew, err := time.ParseDuration(*change.Skew)
		if err != nil {
			return s, invalid("skew", fmt.Sprintf("%q is no duration such as \"-5s\" or \"3m\"", *change.Skew))
		}
		s.Skew = skew
	}
	if change.Now != nil {
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
	fired, err := a.deliveries.Collect(c.sandbox, move)
	if err != nil {
		return 0, nil, client.Problem{Title: "the advance ended early", Status: http.StatusUnprocessableEntity, Detail: err.Error()}
	}
	return http.StatusOK, client.Advanced{Clock: clockOf(c.sandbox.Clock.Setting()), Fired: FiredOf(fired)}, nil
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
			return nil, invalid("by", fmt.Sprintf("%q is no duration such as \"30s\" or \"1h30m\"", body.By))
		}
		to = to.Add(by)
	} else if to = body.To.UTC(); to.Before(c.sandbox.Clock.Now()) {
		return nil, invalid("to", "lies in the past; PUT the clock to set it back")
	}
	return func() error {
		_, err := c.sandbox.Clock.Advance(c.Context(), to, delivery.MaxFiredByMove)
		return err
	}, nil
}

func (a *API) moverUntilIdle(c *call, word string) (func() error, error) {
	if word != "idle" {
		return nil, invalid("until", fmt.Sprintf("%q is not understood", word), "idle")
	}
	return func() error {
		_, err := c.sandbox.Clock.AdvanceUntilIdle(c.Context(), delivery.MaxFiredByMove)
		return err
	}, nil
}
