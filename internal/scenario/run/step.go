package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// perform performs a step once: its condition, its verb, what it expects, and what it saves.
func (t *trial) perform(ctx context.Context, i int, s script.Step) error {
	path := fmt.Sprintf("steps[%d]", i)
	if s.If != "" {
		wanted, err := t.holds(ctx, s.If)
		if err != nil {
			return within(path+".if", err)
		}
		if !wanted {
			return nil
		}
	}
	if err := t.act(ctx, path, s); err != nil {
		return err
	}
	if s.Expect != nil {
		if err := t.expect(ctx, path+".expect", *s.Expect); err != nil {
			return err
		}
	}
	return t.save(ctx, path+".save", s.Save)
}

// act performs the verb of a step, if it has one, and holds what came of it against what is expected.
func (t *trial) act(ctx context.Context, path string, s script.Step) error {
	verb, ok := verbNamed(verbOf(s))
	if !ok {
		return nil
	}
	did, err := verb.do(ctx, t, s)
	if err == nil && t.frozen {
		err = t.settle(ctx) // what follows must not depend on how quick a receiver is
	}
	switch {
	case err != nil:
		return within(path+"."+verb.name, err)
	case s.Expect != nil && s.Expect.Made != nil && *s.Expect.Made != did.made:
		message := fmt.Sprintf("%s made %s, %d wanted; %s", s.Emit.Type, counted(did.made, "delivery"), *s.Expect.Made, t.takers(ctx, s.Emit.Sim))
		return mismatch{path: path + ".expect.made", message: message, differences: different("made", *s.Expect.Made, did.made)}
	case did.called:
		return t.answered(ctx, path, s.Expect)
	}
	return nil
}

// holds evaluates a condition.
func (t *trial) holds(ctx context.Context, text string) (bool, error) {
	e, v, err := t.evaluate(ctx, text)
	if err != nil {
		return false, err
	}
	return e.Bool(v)
}

// save gives values names.
func (t *trial) save(ctx context.Context, path string, wanted map[string]string) error {
	found := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		e, v, err := t.evaluate(ctx, wanted[name])
		if err == nil {
			found[name], err = e.Value(v)
		}
		if err != nil {
			return within(path+"."+name, err)
		}
	}
	maps.Copy(t.saved, found)
	return nil
}

// done is what a verb did.
type done struct {
	called bool // there is an exchange
	made   int  // deliveries
}

// verb is one thing a step can do.
type verb struct {
	name string
	used func(script.Step) bool
	do   func(context.Context, *trial, script.Step) (done, error)
}

// act is a verb that a step shares with rules.
func act(name string, used func(script.Step) bool, action func(script.Step) script.Action) verb {
	return verb{name: name, used: used, do: func(ctx context.Context, t *trial, s script.Step) (done, error) {
		a, err := rendered(ctx, t, action(s))
		if err != nil {
			return done{}, err
		}
		return done{}, t.sandbox.Do(ctx, a)
	}}
}

// verbs are the things a step can do.
func verbs() []verb {
	return []verb{
		{"call", func(s script.Step) bool { return s.Call != "" }, call},
		{"raw", func(s script.Step) bool { return s.Raw != nil }, raw},
		{"emit", func(s script.Step) bool { return s.Emit != nil }, emit},
		{"advance", func(s script.Step) bool { return s.Advance != "" }, advance},
		{"clock", func(s script.Step) bool { return s.Clock != nil }, setClock},
		{"policy", func(s script.Step) bool { return s.Policy != nil }, setPolicy},
		{"rule", func(s script.Step) bool { return s.Rule != nil }, addRule},
		{"drop_rule", func(s script.Step) bool { return s.Drop != "" }, dropRule},
		{"wait", func(s script.Step) bool { return s.Wait != "" }, wait},
		act("set", func(s script.Step) bool { return s.Set != nil }, func(s script.Step) script.Action { return script.Action{Set: s.Set} }),
		act("receiver", func(s script.Step) bool { return s.Receiver != nil }, func(s script.Step) script.Action { return script.Action{Receiver: s.Receiver} }),
		act("block", func(s script.Step) bool { return s.Block != "" }, func(s script.Step) script.Action { return script.Action{Block: s.Block} }),
		act("unblock", func(s script.Step) bool { return s.Unblock != "" }, func(s script.Step) script.Action { return script.Action{Unblock: s.Unblock} }),
		act("expire", func(s script.Step) bool { return s.Expire != "" }, func(s script.Step) script.Action { return script.Action{Expire: s.Expire} }),
		act("release", func(s script.Step) bool { return s.Release != nil }, func(s script.Step) script.Action { return script.Action{Release: s.Release} }),
		act("redeliver", func(s script.Step) bool { return s.Redeliver != "" }, func(s script.Step) script.Action { return script.Action{Redeliver: s.Redeliver} }),
	}
}

// verbOf names the verb of a step; "expect" when it has none.
func verbOf(s script.Step) string {
	for _, v := range verbs() {
		if v.used(s) {
			return v.name
		}
	}
	return "expect"
}

func verbNamed(name string) (verb, bool) {
	at := slices.IndexFunc(verbs(), func(v verb) bool { return v.name == name })
	if at < 0 {
		return verb{}, false
	}
	return verbs()[at], true
}

// emit makes an event happen, as often as it says. It counts the deliveries.
func emit(ctx context.Context, t *trial, s script.Step) (did done, err error) {
	e, err := rendered(ctx, t, *s.Emit)
	if err != nil {
		return did, err
	}
	deliveries := []any{}
	for range script.Times(e.Count) {
		emitted, err := t.sandbox.Emit(ctx, client.Event{
			Sim: e.Sim, Type: e.Type, Account: e.Account, Environment: e.Environment, Data: e.Data, Payload: e.Payload,
		})
		if err != nil {
			return did, err
		}
		for _, d := range emitted.Deliveries {
			deliveries = append(deliveries, d.ID)
		}
		t.emitted = map[string]any{"id": emitted.ID, "deliveries": deliveries}
	}
	did.made = len(deliveries)
	return did, nil
}

// takers says which webhooks of a sim there are, and what they take.
func (t *trial) takers(ctx context.Context, sim string) string {
	const most = 5
	var all []string
	for w, err := range t.sandbox.AllWebhooks(ctx, sim) {
		if err != nil {
			return "its webhooks are not known: " + err.Error()
		}
		all = append(all, fmt.Sprintf("%s%s is %s and takes %s", w.ID, t.nameOf(w.ID), w.State, strings.Join(w.Events, ", ")))
	}
	switch n := len(all); {
	case n == 0:
		return sim + " has no webhook"
	case n > most:
		return fmt.Sprintf("of %d webhooks of %s: %s, …", n, sim, strings.Join(all[:most], "; "))
	}
	return "the webhooks of " + sim + ": " + strings.Join(all, "; ")
}

// nameOf is the name of a webhook in the scenario, in brackets; "" where it has none.
func (t *trial) nameOf(id string) string {
	for _, applied := range t.world.Scenarios {
		for name, w := range applied.Webhooks {
			if w.ID == id {
				return " (" + name + ")"
			}
		}
	}
	return ""
}

// advance moves the clock.
func advance(ctx context.Context, t *trial, s script.Step) (done, error) {
	word, err := rendered(ctx, t, s.Advance)
	if err != nil {
		return done{}, err
	}
	move := client.Advance{By: word}
	if word == "idle" {
		move = client.Advance{Until: word}
	} else if to, err := time.Parse(time.RFC3339Nano, word); err == nil {
		move = client.Advance{To: &to}
	} else if _, err := time.ParseDuration(word); err != nil {
		return done{}, fmt.Errorf("want a duration such as 90m, an RFC 3339 instant, or idle, got %q", word)
	}
	_, err = t.sandbox.Advance(ctx, move)
	return done{}, err
}

func setClock(ctx context.Context, t *trial, s script.Step) (done, error) {
	plain, err := rendered(ctx, t, s.Clock)
	if err != nil {
		return done{}, err
	}
	data, err := strictjson.Encode(plain)
	if err != nil {
		return done{}, err
	}
	var change client.ClockChange
	if err := strictjson.UnmarshalKnown(data, &change); err != nil {
		return done{}, err
	}
	now, err := t.sandbox.SetClock(ctx, change)
	t.frozen = err == nil && now.Mode == "frozen"
	return done{}, err
}

func setPolicy(ctx context.Context, t *trial, s script.Step) (done, error) {
	policies, err := rendered(ctx, t, s.Policy)
	if err != nil {
		return done{}, err
	}
	_, err = t.sandbox.SetPolicies(ctx, policies)
	return done{}, err
}

// addRule adds a rule as it is: its expressions and holes are for when it is asked and acts.
func addRule(ctx context.Context, t *trial, s script.Step) (done, error) {
	_, err := t.sandbox.AddRules(ctx, *s.Rule)
	return done{}, err
}

func dropRule(ctx context.Context, t *trial, s script.Step) (done, error) {
	return done{}, t.sandbox.DeleteRules(ctx, s.Drop)
}

// wait waits until everything due has been sent and answered.
func wait(ctx context.Context, t *trial, s script.Step) (done, error) {
	if !strings.EqualFold(s.Wait, "idle") {
		return done{}, fmt.Errorf("want idle, got %q", s.Wait)
	}
	return done{}, t.settle(ctx)
}

// settle performs what is due now, and waits for the answers.
func (t *trial) settle(ctx context.Context) error {
	_, err := t.sandbox.Advance(ctx, client.Advance{By: "0s"})
	return err
}
