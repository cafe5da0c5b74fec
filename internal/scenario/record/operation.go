package record

import (
	"fmt"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// operation adds the step of what was asked of the control API.
func (r *recorder) operation(o client.Operated) error {
	switch o.Does {
	case "emit":
		return r.emit(o)
	case "advance":
		return r.advance(o)
	case "clock":
		return r.clock(o)
	case "policies":
		var change client.SandboxChange
		err := strictjson.Unmarshal(o.Body, &change)
		r.add(script.Step{Policy: change.Policies})
		return err
	case "unblock":
		r.add(script.Step{Unblock: r.text(o.Subject)})
	case "redeliver":
		r.add(script.Step{Redeliver: o.Subject}) // its id is the same again, by seed and origin
	case "script_receiver":
		answers, err := strictjson.Decode(o.Body)
		r.add(script.Step{Receiver: &script.ReceiverChange{Name: o.Subject, Script: answers}})
		return err
	case "close_receiver":
		r.add(script.Step{Receiver: &script.ReceiverChange{Name: o.Subject, Script: map[string]any{"down": true}}})
	case "rules", "drop_rules":
		return r.changeRules(o)
	case "actions":
		return r.actions(o)
	case "open_receiver", "scenario": // part of the world
	default:
		return fmt.Errorf("it is not known how to repeat %q", o.Does)
	}
	return nil
}

func (r *recorder) text(s string) string {
	out, _ := r.refer(s).(string)
	return out
}

func (r *recorder) emit(o client.Operated) error {
	var e client.Event
	if err := strictjson.Unmarshal(o.Body, &e); err != nil {
		return err
	}
	r.add(script.Step{Emit: r.emitted(script.Emit{
		Sim: e.Sim, Type: e.Type, Account: e.Account, Environment: e.Environment, Data: e.Data, Payload: e.Payload,
	})})
	return nil
}

func (r *recorder) emitted(e script.Emit) *script.Emit {
	e.Account = r.text(e.Account)
	if e.Data != nil {
		e.Data, _ = r.refer(e.Data).(map[string]any)
	}
	if e.Payload != nil {
		e.Payload, _ = r.refer(e.Payload).(map[string]any)
	}
	return &e
}

func (r *recorder) advance(o client.Operated) error {
	var a client.Advance
	if err := strictjson.Unmarshal(o.Body, &a); err != nil {
		return err
	}
	word := a.By + a.Until
	if a.To != nil {
		word = a.To.Format(time.RFC3339Nano)
		r.now = *a.To
	}
	if by, err := time.ParseDuration(a.By); err == nil {
		r.now = r.now.Add(by)
	}
	r.add(script.Step{Advance: word})
	return nil
}

// clock sets the clock. A real one stays frozen: the steps let its time pass.
func (r *recorder) clock(o client.Operated) error {
	var change client.ClockChange
	if err := strictjson.Unmarshal(o.Body, &change); err != nil {
		return err
	}
	step := map[string]any{}
	switch change.Mode {
	case "real":
		r.real = true
	case "frozen":
		r.real = false
	}
	if change.Now != nil {
		step["now"] = change.Now.Format(time.RFC3339Nano)
		r.now = *change.Now
	}
	if change.Skew != nil {
		step["skew"] = *change.Skew
	}
	if len(step) > 0 {
		r.add(script.Step{Clock: step})
	}
	return nil
}

func (r *recorder) changeRules(o client.Operated) error {
	if o.Does == "drop_rules" {
		dropped := []string{o.Subject}
		if o.Subject == "" {
			dropped = r.rules
		}
		for _, name := range dropped {
			r.add(script.Step{Drop: name})
		}
		r.rules = slices.DeleteFunc(r.rules, func(name string) bool { return slices.Contains(dropped, name) })
		return nil
	}
	var added client.NewRules
	if err := strictjson.Unmarshal(o.Body, &added); err != nil {
		return err
	}
	for _, rule := range added.Rules {
		r.rules = append(r.rules, rule.Name)
		r.add(script.Step{Rule: &rule})
	}
	return nil
}

// actions become steps of the same verbs.
func (r *recorder) actions(o client.Operated) error {
	var done client.Actions
	if err := strictjson.Unmarshal(o.Body, &done); err != nil {
		return err
	}
	for _, a := range done.Actions {
		if a.After != "" {
			return fmt.Errorf("an action was asked for that comes later (after: %s), which no step can say", a.After)
		}
		s := script.Step{
			Set: a.Set, Policy: a.Policy, Block: r.text(a.Block), Unblock: r.text(a.Unblock), Expire: a.Expire, Release: a.Release,
			Redeliver: a.Redeliver, Receiver: a.Receiver,
		}
		if a.Emit != nil {
			s.Emit = r.emitted(*a.Emit)
		}
		r.add(s)
	}
	return nil
}
