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
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// EventRequest asks for an event to happen at a provider.
type EventRequest struct {
	Sim         string         `json:"sim"`
	Type        string         `json:"type"`
	Account     string         `json:"account,omitempty"`     // by its name or the sim's word; "": that of the ready-made credentials
	Environment string         `json:"environment,omitempty"` // the provider's word; "": the provider's default
	Data        map[string]any `json:"data,omitempty"`        // merged into the payload, member by member
	Payload     map[string]any `json:"payload,omitempty"`     // replaces the payload
}

// Emit makes an event happen: one delivery for every webhook that matches. The first attempts start at once.
func (d *Dispatcher) Emit(s *engine.Sandbox, r EventRequest) (sims.Event, []Delivery, error) {
	return d.EmitFor(s, r, Cause{})
}

// EmitFor is Emit for a cause: a trace context, which the attempts pass on, or an effect of a rule.
func (d *Dispatcher) EmitFor(s *engine.Sandbox, r EventRequest, cause Cause) (sims.Event, []Delivery, error) {
	p, eventType, err := d.resolve(r)
	if err != nil {
		return sims.Event{}, nil, err
	}
	var event sims.Event
	var w *writer
	account, names := s.OwnerOf(r.Account, p.Name), accountNames(s, p)
	err = s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		w.cause, w.accounts = cause, names
		seed := w.env.NewID("event")
		event = sims.Event{
			ID: "evt_" + seed.Alphanumeric(24), Type: eventType.Type, Group: eventType.Group, Account: account,
			Environment: r.Environment, At: w.env.Now, Seed: seed,
		}
		if w.scripted(script.OnEvent, &event) {
			w.happens(event)
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
	d.engine.Perform(s, w.effects)
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
	w.known(webhookID)
	w.seeKeys(endpoint)
	source := sims.Source{Env: w.env, Event: event, Endpoint: endpoint, Fields: eventType.Fields, Fake: sims.Fake(event.Seed)}
	payload, err := override(w.p.Delivery.Payload(source), r)
	if err != nil {
		return err
	}
	var want wish
	if w.scripted(script.OnDelivery, &event) {
		want = w.wishes(event, endpoint, payload)
	}
	for _, change := range want.payload {
		if payload, err = override(payload, EventRequest{Data: change}); err != nil {
			return err
		}
	}
	d := Delivery{
		Sim: w.p.Name, WebhookID: webhookID, Event: event, URL: endpoint.URL, CreatedAt: w.env.Now, Trace: w.cause.Trace,
		Depth: w.cause.Depth, Rules: want.rules, Attempts: []Attempt{},
	}
	if d.Body, d.ContentType, err = w.body(source, payload); err != nil {
		return err
	}
	if w.env.Policies.Enum(sims.PolicyBind) == "event" {
		d.Bound = &endpoint
	}
	for range 1 + want.duplicate {
		if err := w.make(d, endpoint, want); err != nil {
			return err
		}
	}
	return nil
}

// make numbers and stores a delivery: due now, unless webhook or rules say otherwise.
func (w *writer) make(d Delivery, endpoint sims.Endpoint, want wish) error {
	if err := w.room(d.WebhookID); err != nil {
		return err
	}
	d.Seq = w.tx.Next("delivery")
	d.ID = "dlv_" + w.env.Derived("delivery", d.Seq).Alphanumeric(24)
	ready := false
	switch {
	case endpoint.Inactive != "":
		d = inactive(d, endpoint, w.env.Now)
	case w.health(d.WebhookID).Blocked:
		d = w.whileBlocked(d)
	default:
		d, ready = d.due(w.env.Now, "first attempt"), true
	}
	w.put(w.grant(d, want, ready), endpoint)
	if err := w.roomy(); err != nil {
		return fmt.Errorf("%w: %w", ErrBacklog, err)
	}
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

// body builds what is sent: the payload, wrapped and encoded as the provider does.
func (w *writer) body(source sims.Source, payload sims.Object) ([]byte, string, error) {
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
		payload = sims.Object(nil).Merge(r.Payload)
	}
	if len(r.Data) == 0 {
		return payload, nil
	}
	plain, err := sims.PlainObject(payload)
	if err != nil {
		return nil, err
	}
	return plain.Merge(r.Data), nil
}
