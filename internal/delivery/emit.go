package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// EventRequest asks for an event to happen at a provider.
type EventRequest struct {
	Sim         string         `json:"sim"`
	Type        string         `json:"type"`
	Account     string         `json:"account,omitempty"`     // "": the account of the ready-made credentials
	Environment string         `json:"environment,omitempty"` // the provider's word; "": the provider's default
	Data        map[string]any `json:"data,omitempty"`        // merged into the payload, member by member
	Payload     map[string]any `json:"payload,omitempty"`     // replaces the payload
}

// Emit makes an event happen: one delivery for every webhook that matches. The first attempts start at once.
func (d *Dispatcher) Emit(s *engine.Sandbox, r EventRequest) (sims.Event, []Delivery, error) {
	return d.EmitTraced(s, r, Trace{})
}

// EmitTraced is Emit in a trace context, which the attempts pass on.
func (d *Dispatcher) EmitTraced(s *engine.Sandbox, r EventRequest, trace Trace) (sims.Event, []Delivery, error) {
	p, eventType, err := d.resolve(r)
	if err != nil {
		return sims.Event{}, nil, err
	}
	var event sims.Event
	var w *writer
	err = s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		w.trace = trace
		seed := w.env.NewID("event")
		event = sims.Event{
			ID: "evt_" + seed.Alphanumeric(24), Type: eventType.Type, Group: eventType.Group, Account: r.Account,
			Environment: r.Environment, At: w.env.Now, Seed: seed,
		}
		for _, webhookID := range p.Delivery.Targets(w.env, event) {
			if err := w.create(event, eventType, webhookID, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return sims.Event{}, nil, err
	}
	d.schedule(s, w.changed)
	return event, w.changed, nil
}

// resolve finds provider and event type.
func (d *Dispatcher) resolve(r EventRequest) (*engine.Provider, sims.EventType, error) {
	p, ok := d.engine.Provider(r.Sim)
	if !ok || p.Delivery == nil {
		return nil, sims.EventType{}, fmt.Errorf("%w: %q", ErrUnknownSim, r.Sim)
	}
	eventType, ok := p.Contract.EventType(r.Type)
	if !ok {
		return nil, sims.EventType{}, fmt.Errorf("%w: %s has no %q; did you mean %q?", ErrUnknownType, r.Sim, r.Type, closest(p, r.Type))
	}
	if environments := p.Delivery.Environments; r.Environment != "" && !slices.Contains(environments, r.Environment) {
		return nil, sims.EventType{}, fmt.Errorf("%w: %q; the environments of %s are: %s",
			ErrUnknownEnvironment, r.Environment, r.Sim, cmp.Or(strings.Join(environments, ", "), "none"))
	}
	return p, eventType, nil
}

// closest is the event type that shares most letter pairs with a wrong one.
func closest(p *engine.Provider, wrong string) string {
	best := slices.MaxFunc(p.Contract.Catalogue, func(a, b sims.EventType) int {
		return cmp.Compare(near.Likeness(a.Type, wrong), near.Likeness(b.Type, wrong))
	})
	return best.Type
}

// create stores the delivery of an event to one webhook.
func (w *writer) create(event sims.Event, eventType sims.EventType, webhookID string, r EventRequest) error {
	endpoint, ok := w.p.Delivery.Endpoint(w.env, webhookID)
	if !ok {
		return fmt.Errorf("sim %s: target %q has no endpoint", w.p.Name, webhookID)
	}
	endpoint.WebhookID = webhookID
	if err := w.room(webhookID); err != nil {
		return err
	}
	w.known(webhookID)
	seq := w.tx.Next("delivery")
	d := Delivery{
		ID: "dlv_" + w.env.Derived("delivery", seq).Alphanumeric(24), Seq: seq, Sim: w.p.Name, WebhookID: webhookID,
		Event: event, URL: endpoint.URL, CreatedAt: w.env.Now, Trace: w.trace, Attempts: []Attempt{},
	}
	var err error
	if d.Body, d.ContentType, err = w.body(event, eventType, endpoint, r); err != nil {
		return err
	}
	if w.env.Policies.Enum(sims.PolicyBind) == "event" {
		d.Bound = &endpoint
	}
	switch {
	case endpoint.Inactive != "":
		d = inactive(d, endpoint, w.env.Now)
	case w.health(webhookID).Blocked:
		d = w.whileBlocked(d)
	default:
		d = d.due(w.env.Now, "first attempt")
	}
	w.put(d, endpoint)
	return nil
}

// known gives a webhook its row of health when its first delivery is made: in the order of the events, whatever the
// order in which receivers answer.
func (w *writer) known(webhookID string) {
	health := sims.HealthTable(w.env.Tx)
	if _, ok := health.Get(webhookID); !ok {
		health.Put(webhookID, sims.Health{})
	}
}

// room refuses an event when too much waits already.
func (w *writer) room(webhookID string) error {
	key := webhookKey(w.p.Name, webhookID) + "/"
	if n := table(w.tx).Count(key+string(Pending)) + table(w.tx).Count(key+string(Held)); n >= MaxWaitingOfHook {
		return fmt.Errorf("%w: %d deliveries wait for %s webhook %s; advance the clock or reset", ErrBacklog, n, w.p.Name, webhookID)
	}
	if n := table(w.tx).Count(string(Pending)) + table(w.tx).Count(string(Held)); n >= MaxWaiting {
		return fmt.Errorf("%w: %d deliveries wait in this sandbox; advance the clock or reset", ErrBacklog, n)
	}
	return nil
}

// body builds what is sent: the provider's payload with the caller's changes, wrapped and encoded as the provider does.
func (w *writer) body(event sims.Event, t sims.EventType, endpoint sims.Endpoint, r EventRequest) ([]byte, string, error) {
	source := sims.Source{Env: w.env, Event: event, Endpoint: endpoint, Fields: t.Fields, Fake: sims.Fake(event.Seed)}
	payload, err := override(w.p.Delivery.Payload(source), r)
	if err != nil {
		return nil, "", err
	}
	var document any = payload
	if w.p.Delivery.Document != nil {
		document = w.p.Delivery.Document(payload)
	}
	data, err := strictjson.Encode(document)
	if err != nil {
		return nil, "", err
	}
	if len(data) > MaxEvent {
		return nil, "", fmt.Errorf("%w: %d bytes, at most %d are delivered", ErrEventTooLarge, len(data), MaxEvent)
	}
	if w.p.Delivery.Encode == nil {
		return data, "application/json", nil
	}
	body, contentType := w.p.Delivery.Encode(source, data)
	return body, contentType, nil
}

// override puts what the caller asked for into a payload.
func override(payload sims.Object, r EventRequest) (sims.Object, error) {
	if r.Payload != nil {
		payload = merge(nil, r.Payload)
	}
	if len(r.Data) == 0 {
		return payload, nil
	}
	plain, err := sims.PlainObject(payload)
	if err != nil {
		return nil, err
	}
	return merge(plain, r.Data), nil
}

// merge puts the caller's members into a payload: in place where a member exists (objects are merged in turn), at the
// end otherwise, in alphabetical order.
func merge(object sims.Object, data map[string]any) sims.Object {
	merged := slices.Clone(object)
	for i, m := range merged {
		change, ok := data[m.Name]
		if !ok {
			continue
		}
		inner, isObject := m.Value.(sims.Object)
		changes, isMap := change.(map[string]any)
		if isObject && isMap {
			change = merge(inner, changes)
		}
		merged[i].Value = change
	}
	var added sims.Object
	for name, value := range data {
		if _, exists := object.Get(name); !exists {
			added = append(added, sims.Member{Name: name, Value: value})
		}
	}
	slices.SortFunc(added, func(a, b sims.Member) int { return cmp.Compare(a.Name, b.Name) })
	return append(merged, added...)
}
