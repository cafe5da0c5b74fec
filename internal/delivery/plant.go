package delivery

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// Planted is a delivery that is to exist already.
type Planted struct {
	WebhookID string
	Type      string
	State     State
	Attempts  int       // that were made
	Status    int       // what the receiver answered to the last of them
	At        time.Time // when the event happened
	Data      map[string]any
}

// Plant makes a delivery that exists already, as if its event had happened before. Its attempts are signed as they would have
// been, and were never sent; they stand on the first instants of the provider's schedule.
func (d *Dispatcher) Plant(s *engine.Sandbox, p *engine.Provider, planted Planted) (Delivery, error) {
	r := EventRequest{Sim: p.Name, Type: planted.Type, Data: planted.Data}
	_, eventType, err := d.resolve(r)
	if err != nil {
		return Delivery{}, err
	}
	var w *writer
	var made Delivery
	err = s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		then := *w.env
		then.Now, then.Edge = planted.At, planted.At
		w.env = &then
		endpoint, ok := p.Delivery.Endpoint(w.env, planted.WebhookID)
		if !ok {
			return unknownWebhook(p, planted.WebhookID)
		}
		endpoint.WebhookID = planted.WebhookID
		seed := w.env.NewID("event")
		event := sims.Event{ID: "evt_" + seed.Alphanumeric(24), Type: eventType.Type, Group: eventType.Group, Account: endpoint.Account, At: planted.At, Seed: seed}
		made, err = w.planted(event, eventType, endpoint, planted)
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	d.schedule(s, w.changed)
	return made, nil
}

func (w *writer) planted(event sims.Event, t sims.EventType, endpoint sims.Endpoint, want Planted) (Delivery, error) {
	source := sims.Source{Env: w.env, Event: event, Endpoint: endpoint, Fields: t.Fields, Fake: sims.Fake(event.Seed)}
	payload, err := override(w.p.Delivery.Payload(source), EventRequest{Data: want.Data})
	if err != nil {
		return Delivery{}, err
	}
	seq := w.tx.Next("delivery")
	d := Delivery{
		ID: "dlv_" + w.env.Derived("delivery", seq).Alphanumeric(24), Seq: seq, Sim: w.p.Name, WebhookID: endpoint.WebhookID,
		Event: event, URL: endpoint.URL, CreatedAt: want.At, Turn: 1, Attempts: []Attempt{},
	}
	if d.Body, d.ContentType, err = w.body(source, payload); err != nil {
		return Delivery{}, err
	}
	if w.env.Policies.Enum(sims.PolicyBind) == "event" {
		d.Bound = &endpoint
	}
	last, err := w.plantAttempts(&d, endpoint, want)
	if err != nil {
		return Delivery{}, err
	}
	w.known(endpoint.WebhookID)
	const why = "it exists from the start"
	switch want.State {
	case Pending:
		d = d.due(w.s.Clock.Now(), why)
	case Held:
		d.HeldBy = "the scenario"
		d = d.with(Held, why, last)
	default:
		d = d.with(want.State, why, last)
	}
	w.put(d, endpoint)
	return d, nil
}

// plantAttempts gives a delivery the attempts it has had, and returns when the last of them was.
func (w *writer) plantAttempts(d *Delivery, endpoint sims.Endpoint, want Planted) (time.Time, error) {
	at, schedule := want.At, w.env.Policies.Durations(sims.PolicyRetrySchedule)
	for n := 1; n <= want.Attempts; n++ {
		if n > 1 && n-2 < len(schedule) {
			at = at.Add(schedule[n-2])
		}
		made := Attempt{N: n, At: at, Status: want.Status}
		ready := prepared{delivery: *d, endpoint: endpoint, policies: w.env.Policies, attempt: &sims.Attempt{
			DeliveryID: d.ID, Event: d.Event, Endpoint: endpoint, N: n, Now: at, Edge: at, Policies: w.env.Policies,
			Nonce: w.env.Derived("nonce", nonceOf(d.Seq, n)), Header: http.Header{"Content-Type": {d.ContentType}}, Body: d.Body,
		}}
		ready.delivery.Turn = n
		ready.authenticate(w.p, &made)
		if made.Error != nil {
			return at, fmt.Errorf("attempt %d of a delivery of %s: %s", n, d.Event.Type, made.Error.Detail)
		}
		made.Request = Request{Method: http.MethodPost, URL: endpoint.URL, Header: ready.attempt.Header, Body: d.Body}
		if n < want.Attempts || want.State != Delivered {
			made.Status = want.Status
			if want.State == Delivered {
				made.Status = http.StatusInternalServerError
			}
			made.Error = &AttemptError{Class: ClassStatus, Detail: fmt.Sprintf("status %d is no success", made.Status)}
		}
		*d = d.add(made, false)
		d.Turn, d.Tries = n, n
	}
	return at, nil
}
