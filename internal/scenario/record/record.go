// Package record makes scenarios of what happened in a sandbox: its journal, its deliveries, and what was asked of the
// control API become steps with expectations, which pass when they are run.
//
// What a recording holds of secrets are those of the simulator, which are worth nothing elsewhere.
package record

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// Of makes a scenario of a sandbox. An error says what of it cannot be told any more.
func Of(ctx context.Context, control *client.Client, sandbox string, providers []*engine.Provider) (script.Scenario, error) {
	r := &recorder{providers: providers, values: newValues()}
	if err := r.read(ctx, control.In(sandbox)); err != nil {
		return script.Scenario{}, err
	}
	if err := r.complete(); err != nil {
		return script.Scenario{}, fmt.Errorf("sandbox %s cannot be recorded: %w", sandbox, err)
	}
	if err := r.world(); err != nil {
		return script.Scenario{}, fmt.Errorf("sandbox %s cannot be recorded: %w", sandbox, err)
	}
	for _, m := range r.moments() {
		if err := r.step(m); err != nil {
			return script.Scenario{}, fmt.Errorf("sandbox %s cannot be recorded: %w", sandbox, err)
		}
	}
	r.end()
	return r.out, nil
}

// recorder writes a scenario step by step.
type recorder struct {
	providers []*engine.Provider

	sandbox    client.Sandbox
	log        client.Recording
	journal    []client.Exchange // in and out, oldest first
	lost       uint64
	deliveries []client.Delivery
	receivers  []client.Receiver

	out    script.Scenario
	values *values
	rules  []string  // those that were added on the way
	now    time.Time // where the clock of the scenario stands
	real   bool      // the recorded clock went by itself
}

// read asks for everything that is known.
func (r *recorder) read(ctx context.Context, s *client.SandboxClient) (err error) {
	if r.sandbox, err = s.Get(ctx); err != nil {
		return err
	}
	if r.log, err = s.Recording(ctx); err != nil {
		return err
	}
	journal, err := s.Journal(ctx, client.JournalFilter{Direction: "all"})
	if err != nil {
		return err
	}
	r.journal, r.lost = journal.Exchanges, journal.Dropped
	deliveries, err := s.Deliveries(ctx, client.DeliveryFilter{})
	if err != nil {
		return err
	}
	r.deliveries = deliveries.Deliveries
	r.lost += deliveries.Forgotten
	receivers, err := s.Receivers(ctx)
	r.receivers = receivers.Receivers
	return err
}

// complete says why not everything is known that happened, or nil.
func (r *recorder) complete() error {
	switch {
	case r.lost > 0:
		return fmt.Errorf("%d exchanges or deliveries are not kept any more: record a shorter run", r.lost)
	case r.log.Dropped > 0:
		return fmt.Errorf("%d calls of the control API are not kept: record a shorter run", r.log.Dropped)
	}
	applied := len(r.log.Scenarios)
	for _, o := range r.log.Operations {
		switch o.Does {
		case "restore":
			return fmt.Errorf("it was restored from a snapshot, and what was before is not known: record a run from its start")
		case "clear_journal":
			return fmt.Errorf("its journal was cleared: record a run from its start, or reset the sandbox first")
		case "scenario":
			applied++
		}
	}
	if applied != len(r.sandbox.Scenarios) {
		return fmt.Errorf("%d scenarios were applied, of which %d are known: apply them by the control API, or when the server starts", len(r.sandbox.Scenarios), applied)
	}
	return nil
}

// world is the part before the steps.
func (r *recorder) world() error {
	applied := r.log.Scenarios
	for _, o := range r.log.Operations {
		if o.Does == "scenario" {
			one, err := scenario.Parse(textOrJSON(o.Body), scenario.NamesOf(r.providers))
			if err != nil {
				return err
			}
			applied = append(applied, one)
		}
	}
	for _, one := range applied {
		r.build(one)
	}
	r.out.Title = "Recorded from sandbox " + r.sandbox.Name
	seed := r.log.Seed
	r.out.Seed, r.out.Origin = &seed, r.log.Origin
	r.real = r.log.Clock.Mode != "frozen"
	r.now = r.start()
	r.out.Clock = r.now.Format(time.RFC3339Nano)
	if r.log.Clock.Skew != "" && r.log.Clock.Skew != "0s" {
		r.out.Clock = map[string]any{"now": r.now.Format(time.RFC3339Nano), "skew": r.log.Clock.Skew}
	}
	if len(r.log.Policies) > 0 {
		r.out.Policies = merged(r.out.Policies, r.log.Policies)
	}
	r.credentials()
	return r.listen()
}

// build adds the world of a scenario that was applied.
func (r *recorder) build(s script.Scenario) {
	w := &r.out
	w.Webhooks = append(w.Webhooks, s.Webhooks...)
	w.Deliveries = append(w.Deliveries, s.Deliveries...)
	w.Rules = append(w.Rules, s.Rules...)
	w.Timeline = append(w.Timeline, s.Timeline...)
	w.Params = merged(w.Params, s.Params)
	w.Policies = merged(w.Policies, s.Policies)
	w.Accounts = merged(w.Accounts, s.Accounts)
	w.State = merged(w.State, s.State)
	w.Receivers = merged(w.Receivers, s.Receivers)
}

func merged[V any](a, b map[string]V) map[string]V {
	if a == nil {
		return maps.Clone(b)
	}
	maps.Copy(a, b)
	return a
}

// start is where the clock of the scenario begins: where the recorded one did, or the second of what happened first.
func (r *recorder) start() time.Time {
	if !r.real {
		return r.log.Clock.Now
	}
	first := r.sandbox.Clock.Now
	if len(r.journal) > 0 && r.journal[0].At.Before(first) {
		first = r.journal[0].At
	}
	if len(r.log.Operations) > 0 && r.log.Operations[0].At.Before(first) {
		first = r.log.Operations[0].At
	}
	return first.Truncate(time.Second)
}

// credentials makes the ready-made credentials known by name.
func (r *recorder) credentials() {
	add := func(account, sim string, all map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			r.values.know(all[name], "accounts"+member(account)+member(sim)+member(name))
		}
	}
	for _, sim := range slices.Sorted(maps.Keys(r.sandbox.Sims)) {
		add("default", sim, r.sandbox.Sims[sim].Credentials)
	}
	for _, applied := range r.sandbox.Scenarios {
		for _, account := range slices.Sorted(maps.Keys(applied.Accounts)) {
			for _, sim := range slices.Sorted(maps.Keys(applied.Accounts[account])) {
				add(account, sim, applied.Accounts[account][sim])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(applied.Webhooks)) {
			r.values.know(applied.Webhooks[name].ID, "webhooks"+member(name)+".id")
		}
	}
}

// moment is something that happened: a call of a provider, or of the control API.
type moment struct {
	at       time.Time
	exchange *client.Exchange
	operated *client.Operated
}

// moments are calls and operations in their order.
func (r *recorder) moments() []moment {
	var all []moment
	operations := r.log.Operations
	takeUntil := func(id uint64) {
		for len(operations) > 0 && operations[0].After < id {
			o := operations[0]
			all, operations = append(all, moment{at: o.At, operated: &o}), operations[1:]
		}
	}
	for i := range r.journal {
		if x := &r.journal[i]; x.Direction == "in" {
			takeUntil(x.ID)
			all = append(all, moment{at: x.At, exchange: x})
		}
	}
	takeUntil(1 << 62)
	return all
}

// step adds what happened.
func (r *recorder) step(m moment) error {
	r.pass(m.at)
	if m.exchange != nil {
		return r.call(*m.exchange)
	}
	return r.operation(*m.operated)
}

// noticed is how long a pause must be to be worth a step.
const noticed = time.Second

// pass lets the time pass that went by itself.
func (r *recorder) pass(until time.Time) {
	if d := until.Sub(r.now).Truncate(time.Millisecond); r.real && d >= noticed {
		r.add(script.Step{Advance: d.String()})
		r.now = r.now.Add(d)
	}
}

func (r *recorder) add(s script.Step) { r.out.Steps = append(r.out.Steps, s) }

// end expects the deliveries as they are.
func (r *recorder) end() {
	r.pass(r.sandbox.Clock.Now)
	type kind struct {
		sim, event, state string
		attempts          int
	}
	count := map[kind]int{}
	var order []kind
	for _, d := range r.deliveries {
		k := kind{sim: d.Sim, event: d.EventType, state: d.State, attempts: len(d.Attempts)}
		if count[k]++; count[k] == 1 {
			order = append(order, k)
		}
	}
	expected := []script.Expected{}
	for _, k := range order {
		expected = append(expected, script.Expected{Count: count[k], Match: map[string]any{
			"sim": k.sim, "event_type": k.event, "state": k.state, "attempts": map[string]any{"$length": k.attempts},
		}})
	}
	expected = append(expected, script.Expected{Count: len(r.deliveries)})
	r.add(script.Step{Name: "what was delivered", Expect: &script.Expect{Deliveries: expected}})
}

func (r *recorder) provider(sim string) *engine.Provider {
	at := slices.IndexFunc(r.providers, func(p *engine.Provider) bool { return p.Name == sim })
	if at < 0 {
		return nil
	}
	return r.providers[at]
}

// textOrJSON is a body that was kept: text stands as a JSON string.
func textOrJSON(body []byte) []byte {
	var text string
	if strictjson.Unmarshal(body, &text) == nil {
		return []byte(text)
	}
	return body
}

// member is the part of an expression that takes a member.
func member(name string) string {
	plain := func(r rune) bool {
		return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 && (name[0] < '0' || name[0] > '9') {
		return "." + name
	}
	return fmt.Sprintf("[%q]", name)
}
