// Package stage makes scripts happen in a sandbox: it puts scenarios into it, carries out the actions of rules and timelines, and
// keeps its scripted receivers. It stands on the engine and the delivery engine and knows no front end.
package stage

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// Bounds of what scripts may set going.
const (
	MaxDepth   = 100    // effects that lead to one another: an event whose rule makes an event, and so on
	MaxEvents  = 20_000 // events that one effect leads to at once
	MaxPlanned = 10_000 // actions of a sandbox that are due later
)

// ErrPlanned refuses an action because too many wait already.
var ErrPlanned = errors.New("too many actions are planned")

// Stage serves the scripts of every sandbox of a server.
type Stage struct {
	engine     *engine.Engine
	deliveries *delivery.Dispatcher
	receivers  *Receivers
	log        *slog.Logger

	mu     sync.Mutex
	alarms map[*engine.Sandbox]map[string]uint64 // by id of what is planned
	origin map[*engine.Sandbox][]script.Scenario // what a reset puts in again
	busy   map[*engine.Sandbox]*sync.Mutex       // one scenario is applied at a time

	turns sync.Mutex
	due   map[*engine.Sandbox][]func() // what has come due, in order; the first is under way
}

// New returns a stage and connects it with the engine.
func New(e *engine.Engine, d *delivery.Dispatcher, receivers *Receivers, log *slog.Logger) *Stage {
	st := &Stage{
		engine: e, deliveries: d, receivers: receivers, log: log,
		alarms: map[*engine.Sandbox]map[string]uint64{}, origin: map[*engine.Sandbox][]script.Scenario{},
		busy: map[*engine.Sandbox]*sync.Mutex{}, due: map[*engine.Sandbox][]func(){},
	}
	e.SetDirector(st)
	return st
}

// Perform implements engine.Director. What cannot be carried out is logged, and shown as the error of its rule.
func (st *Stage) Perform(s *engine.Sandbox, effects []engine.Effect) {
	for _, effect := range effects {
		if err := st.perform(s, effect); err != nil {
			st.log.Warn("an action could not be carried out", "sandbox", s.Name, "rule", effect.Rule, "error", err)
			st.blame(s, effect.Rule, err)
		}
	}
}

// blame shows an error at its rule.
func (st *Stage) blame(s *engine.Sandbox, name string, wrong error) {
	if name == "" {
		return
	}
	_ = s.Update(func(tx store.Tx) error { // a sandbox that is gone shows nothing
		memory, _ := rule.Memories(tx).Get(name)
		memory.Error = wrong.Error()
		rule.Memories(tx).Put(name, memory)
		return nil
	})
}

// perform carries out one effect, or plans it. A defect there costs this effect, not the server.
func (st *Stage) perform(s *engine.Sandbox, effect engine.Effect) (err error) {
	defer func() {
		if p := recover(); p != nil {
			st.log.Error("panic while an action was carried out", "sandbox", s.Name, "rule", effect.Rule, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if effect.Depth > MaxDepth {
		return fmt.Errorf("a chain of %d effects, each of which led to the next, ends here", MaxDepth)
	}
	if effect.Action.After == "" {
		return st.do(s, effect)
	}
	after, err := rule.Duration(effect.Action.After)
	if err != nil {
		return err
	}
	effect.Action.After = ""
	return st.plan(s, planned{At: s.Clock.Now().Add(after), Actions: []script.Action{effect.Action}, Rule: effect.Rule, Depth: effect.Depth})
}

// Do carries out actions now, in their order. It ends with the first that cannot be.
func (st *Stage) Do(s *engine.Sandbox, actions []script.Action) error {
	for i, a := range actions {
		if err := st.fillAndPerform(s, engine.Effect{Action: a}, s.Clock.Now()); err != nil {
			return &ActionError{Index: i, Err: err}
		}
	}
	return nil
}

// ActionError says which of a list of actions could not be carried out. Those before it have been.
type ActionError struct {
	Index int
	Err   error
}

// Error implements error.
func (e *ActionError) Error() string { return fmt.Sprintf("actions[%d]: %s", e.Index, e.Err) }

// Unwrap returns why.
func (e *ActionError) Unwrap() error { return e.Err }

// fillAndPerform is perform for an action that stands in no rule.
func (st *Stage) fillAndPerform(s *engine.Sandbox, effect engine.Effect, start time.Time) (err error) {
	vars := expression.Vars{Now: s.Clock.Now(), Names: s.Vars()}
	vars.Names["start"] = start
	err = s.Update(func(tx store.Tx) error {
		vars.Names["state"] = rule.StateValues(tx)
		vars.Fake = s.Fake("action", tx.Next("action"))
		return nil
	})
	if err != nil {
		return err
	}
	if effect.Action, err = rule.Fill(effect.Action, vars); err != nil {
		return err
	}
	return st.perform(s, effect)
}

// do carries out one action.
func (st *Stage) do(s *engine.Sandbox, effect engine.Effect) error {
	a := effect.Action
	switch {
	case a.Set != nil:
		return s.Update(func(tx store.Tx) error { rule.SetStates(tx, a.Set); return nil })
	case a.Emit != nil:
		return st.emit(s, *a.Emit, effect)
	case a.Policy != nil:
		return s.SetPolicies(a.Policy)
	case a.Block != "":
		return st.each(s, a.Block, func(p *engine.Provider, id string) error { return st.deliveries.Block(s, p, id, 0) })
	case a.Unblock != "":
		return st.each(s, a.Unblock, func(p *engine.Provider, id string) error {
			_, err := st.deliveries.Unblock(s, p, id)
			return err
		})
	case a.Expire != "":
		return st.expire(s, a.Expire)
	case a.Release != nil:
		return st.release(s, *a.Release)
	case a.Redeliver != "":
		_, err := st.deliveries.Redeliver(s, a.Redeliver)
		return err
	case a.Receiver != nil:
		return st.receivers.change(s, *a.Receiver)
	}
	return fmt.Errorf("the action %s does nothing by itself", strings.Join(rule.Verbs(a), ", "))
}

func (st *Stage) emit(s *engine.Sandbox, e script.Emit, effect engine.Effect) error {
	cause := delivery.Cause{Depth: effect.Depth, Chain: cmp.Or(effect.Chain, &engine.Chain{})}
	r := delivery.EventRequest{Sim: e.Sim, Type: e.Type, Account: e.Account, Environment: e.Environment, Data: e.Data, Payload: e.Payload}
	for range script.Times(e.Count) {
		if cause.Chain.Events++; cause.Chain.Events > MaxEvents {
			return fmt.Errorf("more than %d events, which led to one another, would have happened at once", MaxEvents)
		}
		if _, _, err := st.deliveries.EmitFor(s, r, cause); err != nil {
			return err
		}
	}
	return nil
}

func (st *Stage) expire(s *engine.Sandbox, sim string) error {
	p, ok := st.engine.Provider(sim)
	if !ok || p.Expire == nil {
		return fmt.Errorf("%q is no sim whose tokens expire", sim)
	}
	return s.Update(func(tx store.Tx) error {
		p.Expire(s.Env(p, tx))
		return nil
	})
}

func (st *Stage) release(s *engine.Sandbox, r script.Release) error {
	over, err := rule.Duration(zero(r.Over))
	if err != nil {
		return err
	}
	if r.Webhook == "" {
		_, err := st.deliveries.Release(s, r.Sim, "", r.Order, over)
		return err
	}
	return st.each(s, r.Webhook, func(p *engine.Provider, id string) error {
		_, err := st.deliveries.Release(s, p.Name, id, r.Order, over)
		return err
	})
}

// zero is a duration that may be left out.
func zero(text string) string {
	if text == "" {
		return "0s"
	}
	return text
}

// each calls do with every webhook that a reference means: a name of a scenario, an id, or <sim>.* for all.
func (st *Stage) each(s *engine.Sandbox, reference string, do func(p *engine.Provider, id string) error) error {
	if sim, all := strings.CutSuffix(reference, ".*"); all {
		return st.eachOf(s, sim, do)
	}
	for _, applied := range s.Scenarios() {
		if named, ok := applied.Webhooks[reference]; ok {
			p, _ := st.engine.Provider(named.Sim)
			return do(p, named.ID)
		}
	}
	for _, p := range st.engine.Providers() {
		for _, w := range st.webhooks(s, p) {
			if w.ID == reference {
				return do(p, w.ID)
			}
		}
	}
	return fmt.Errorf("%w: %q is neither the name of a scenario's webhook nor an id", delivery.ErrUnknownWebhook, reference)
}

func (st *Stage) eachOf(s *engine.Sandbox, sim string, do func(p *engine.Provider, id string) error) error {
	p, ok := st.engine.Provider(sim)
	if !ok {
		return fmt.Errorf("there is no sim %q", sim)
	}
	for _, w := range st.webhooks(s, p) {
		if w.State == sims.Deleted {
			continue
		}
		if err := do(p, w.ID); err != nil {
			return err
		}
	}
	return nil
}

func (st *Stage) webhooks(s *engine.Sandbox, p *engine.Provider) (all []sims.Webhook) {
	_ = s.View(func(tx store.Tx) error { // a sandbox that is gone has none
		all = p.Webhooks(s.Env(p, tx))
		return nil
	})
	return all
}

// Certificate is what rules want a client to meet in a TLS handshake with a provider: a kind of certificate, or "" for a good one.
// A handshake knows no sandbox but the default one.
func (st *Stage) Certificate(host string) authority.Kind {
	p, ok := st.engine.ForHost(host)
	s, exists := st.engine.Sandbox(engine.DefaultSandbox)
	if !ok || !exists || len(s.Rules().At(script.OnHandshake, p.Name, "")) == 0 {
		return ""
	}
	var kind authority.Kind
	_ = s.Update(func(tx store.Tx) error {
		fired := s.Consult(tx, s.Clock.Now(), s.Rules().At(script.OnHandshake, p.Name, ""), func() map[string]any {
			return map[string]any{"sim": p.Name, "host": host, "sandbox": s.Name}
		})
		for _, f := range fired {
			for _, a := range f.Actions {
				if a.Certificate != "" {
					kind = authority.Kind(a.Certificate)
				}
			}
		}
		return nil
	})
	return kind
}
