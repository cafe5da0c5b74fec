package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// simFilter reads ?sim=. nil: all.
func (a *API) simFilter(q url.Values) ([]*engine.Provider, error) {
	name := q.Get("sim")
	if name == "" {
		return a.engine.Providers(), nil
	}
	p, ok := a.engine.Provider(name)
	if !ok {
		return nil, a.noSim(name)
	}
	return []*engine.Provider{p}, nil
}

func (a *API) noSim(name string) error {
	var names []string
	for _, p := range a.engine.Providers() {
		names = append(names, p.Name)
	}
	return invalidFields([]client.ProblemField{unknown("sim", name, "sim", names)})
}

func (a *API) listWebhooks(c *call) (int, any, error) {
	providers, err := a.simFilter(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	p, err := readPage(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	var all []client.Webhook
	for _, p := range providers {
		stored, err := WebhooksOf(c.sandbox, p)
		if err != nil {
			return 0, nil, err
		}
		all = append(all, stored...)
	}
	part, next, err := paged(p, all, func(w client.Webhook) string { return w.ID }, everyOne)
	return http.StatusOK, client.Webhooks{Webhooks: append([]client.Webhook{}, part...), Next: next}, err
}

// WebhooksOf returns every stored webhook of a provider in the neutral shape.
func WebhooksOf(s *engine.Sandbox, p *engine.Provider) ([]client.Webhook, error) {
	var stored []sims.Webhook
	err := s.View(func(tx store.Tx) error {
		stored = p.Webhooks(s.Env(p, tx))
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]client.Webhook, len(stored))
	for i, w := range stored {
		own, err := strictjson.Encode(w.Provider)
		if err != nil {
			return nil, err
		}
		if w.Events == nil {
			w.Events = []string{}
		}
		out[i] = client.Webhook{
			ID: w.ID, Sim: p.Name, Account: w.Account, URL: w.URL, State: w.State, Events: w.Events, ErrorCount: w.ErrorCount,
			CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt, Provider: own,
		}
	}
	return out, nil
}

func (a *API) unblockWebhook(c *call) (int, any, error) {
	providers, err := a.simFilter(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	id := c.PathValue("id")
	for _, p := range providers {
		stored, err := WebhooksOf(c.sandbox, p)
		if err != nil {
			return 0, nil, err
		}
		if slices.ContainsFunc(stored, func(w client.Webhook) bool { return w.ID == id }) {
			n, err := a.deliveries.Unblock(c.sandbox, p, id)
			return http.StatusOK, client.Unblocked{Redelivered: n}, err
		}
	}
	return 0, nil, fmt.Errorf("%w: %q", delivery.ErrUnknownWebhook, id)
}

func (a *API) emitEvent(c *call) (int, any, error) {
	var body client.Event
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	p, ok := a.engine.Provider(body.Sim)
	if !ok {
		return 0, nil, a.noSim(body.Sim)
	}
	if _, ok := p.Contract.EventType(body.Type); !ok {
		return 0, nil, noEventType(p, body.Type)
	}
	if environments := p.Delivery.Environments; body.Environment != "" && !slices.Contains(environments, body.Environment) {
		return 0, nil, invalidFields([]client.ProblemField{unknown("environment", body.Environment, "environment of "+p.Name, environments)})
	}
	event, created, err := a.deliveries.EmitFor(c.sandbox, delivery.EventRequest(body), delivery.Cause{Trace: delivery.TraceOf(c.Header)})
	if err != nil {
		return 0, nil, err
	}
	emitted := client.Emitted{ID: event.ID, Deliveries: DeliveriesOf(created)}
	if len(created) == 0 {
		if emitted.Note, err = nobody(c.sandbox, p); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusAccepted, emitted, nil
}

// nobody says why an event that nobody receives may surprise.
func nobody(s *engine.Sandbox, p *engine.Provider) (string, error) {
	stored, err := WebhooksOf(s, p)
	if err != nil || len(stored) == 0 {
		return "no webhook is stored at " + p.Name, err
	}
	return fmt.Sprintf("none of the %d webhooks stored at %s receives this event: compare its type, account and environment with theirs",
		len(stored), p.Name), nil
}

func noEventType(p *engine.Provider, wrong string) error {
	types := make([]string, len(p.Contract.Catalogue))
	for i, t := range p.Contract.Catalogue {
		types[i] = t.Type
	}
	return invalidFields([]client.ProblemField{unknown("type", wrong, "event type of "+p.Name, types)})
}

// listDeliveries filters, and with ?wait= waits until something passes the filter (or, with ?count=, so many).
func (a *API) listDeliveries(c *call) (int, any, error) {
	q := c.URL.Query()
	filter, err := a.deliveryFilter(q)
	if err != nil {
		return 0, nil, err
	}
	p, err := readPage(q)
	if err != nil {
		return 0, nil, err
	}
	if err := a.awaitDeliveries(c, filter); err != nil {
		return 0, nil, err
	}
	all, forgotten, _, err := a.deliveries.List(c.sandbox)
	if err != nil {
		return 0, nil, err
	}
	part, next, err := paged(p, all, func(d delivery.Delivery) string { return d.ID }, filter)
	return http.StatusOK, client.Deliveries{Deliveries: DeliveriesOf(part), Forgotten: forgotten, Next: next}, err
}

// awaitDeliveries waits as ?wait= and ?count= say, if they do.
func (a *API) awaitDeliveries(c *call, filter func(delivery.Delivery) bool) error {
	ctx, cancel, count, err := awaiting(c)
	if err != nil || ctx == nil {
		return err
	}
	defer cancel()
	all, err := a.deliveries.Wait(ctx, c.sandbox, func(all []delivery.Delivery) bool { return countIf(all, filter) >= count })
	if errors.Is(err, context.DeadlineExceeded) {
		return client.Problem{
			Title: "not within the deadline", Status: http.StatusRequestTimeout,
			Detail: fmt.Sprintf("%d of %d wanted deliveries came within %s; wait longer, or look at all of them without the filter", countIf(all, filter), count, c.URL.Query().Get("wait")),
		}
	}
	return err
}

func countIf(all []delivery.Delivery, filter func(delivery.Delivery) bool) int {
	n := 0
	for _, d := range all {
		if filter(d) {
			n++
		}
	}
	return n
}

func (a *API) deliveryFilter(q url.Values) (func(delivery.Delivery) bool, error) {
	if _, err := a.simFilter(q); err != nil {
		return nil, err
	}
	states := []string{"pending", "delivered", "failed", "held", "dropped"}
	if state := q.Get("state"); state != "" && !slices.Contains(states, state) {
		return nil, invalid("state", fmt.Sprintf("%q is no state", shorten(state)), states...)
	}
	if err := a.checkEventType(q.Get("sim"), q.Get("type")); err != nil {
		return nil, err
	}
	is := func(name, value string) bool { return q.Get(name) == "" || q.Get(name) == value }
	return func(d delivery.Delivery) bool {
		return is("sim", d.Sim) && is("state", string(d.State)) && is("webhook", d.WebhookID) && is("event", d.Event.ID) && is("type", d.Event.Type)
	}, nil
}

// checkEventType refuses an event type that no provider has, or not the one that is asked for.
func (a *API) checkEventType(sim, eventType string) error {
	var known []string
	for _, p := range a.engine.Providers() {
		for _, t := range p.Contract.Catalogue {
			if sim == "" || sim == p.Name {
				known = append(known, t.Type)
			}
		}
	}
	return namesNothing("type", eventType, "event type", known)
}

// namesNothing refuses a filter that could only ever select nothing.
func namesNothing(field, value, what string, known []string) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	slices.Sort(known)
	return invalidFields([]client.ProblemField{unknown(field, value, what, slices.Compact(known))})
}

func (a *API) getDelivery(c *call) (int, any, error) {
	d, err := a.deliveries.Get(c.sandbox, c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, deliveryOf(d), nil
}

func (a *API) redeliver(c *call) (int, any, error) {
	d, err := a.deliveries.Redeliver(c.sandbox, c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, deliveryOf(d), nil
}

func (a *API) compareSignature(c *call) (int, any, error) {
	var body client.SignatureClaim
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	sent, err := a.deliveries.Get(c.sandbox, c.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if err := checkAttempt(body.Attempt, sent); err != nil {
		return 0, nil, err
	}
	if body.Signature+body.Body+body.StringToSign+body.Key == "" {
		return 0, nil, invalid("body", "there is nothing to compare", "signature", "body", "string_to_sign", "key")
	}
	findings, err := a.deliveries.Compare(c.sandbox, c.PathValue("id"), body.Attempt, delivery.Claim{
		Signature: body.Signature, Body: body.Body, StringToSign: body.StringToSign, Key: body.Key,
	})
	if err != nil {
		return 0, nil, err
	}
	answer := client.Comparison{Findings: []client.Finding{}}
	if answer.Valid, err = a.deliveries.Valid(c.sandbox, c.PathValue("id"), body.Attempt); err != nil {
		return 0, nil, err
	}
	for _, f := range findings {
		answer.Findings = append(answer.Findings, client.Finding(f))
	}
	return http.StatusOK, answer, nil
}

// checkAttempt: attempts are counted from 1, and 0 is the last one.
func checkAttempt(asked int, d delivery.Delivery) error {
	made := d.Made()
	_, kept := d.Attempt(asked)
	switch {
	case made == 0:
		return client.Problem{
			Title: "no attempt yet", Status: http.StatusConflict, Detail: "the delivery has no attempt yet, so there is no signature to compare with",
		}
	case asked < 0 || asked > made:
		return invalid("attempt", fmt.Sprintf("there is no attempt %d; the delivery has %d", asked, made))
	case asked > 0 && !kept:
		return invalid("attempt", fmt.Sprintf("attempt %d is not kept any more; of the %d attempts the first and the last are", asked, made))
	}
	return nil
}

// DeliveriesOf turns deliveries into the types of the control API.
func DeliveriesOf(all []delivery.Delivery) []client.Delivery {
	out := make([]client.Delivery, len(all))
	for i, d := range all {
		out[i] = deliveryOf(d)
	}
	return out
}

func deliveryOf(d delivery.Delivery) client.Delivery {
	out := client.Delivery{
		ID: d.ID, Sim: d.Sim, WebhookID: d.WebhookID, EventID: d.Event.ID, EventType: d.Event.Type, URL: d.URL, State: string(d.State),
		Reason: d.Reason, CreatedAt: d.CreatedAt, NextAttemptAt: instant(d.NextAttemptAt), FinishedAt: instant(d.FinishedAt),
		Rules: d.Rules, Attempts: make([]client.Attempt, len(d.Attempts)),
	}
	out.AttemptsOmitted = d.Omitted
	for i, a := range d.Attempts {
		out.Attempts[i] = attemptOf(a)
	}
	return out
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func attemptOf(a delivery.Attempt) client.Attempt {
	out := client.Attempt{
		N: a.N, At: a.At, Status: a.Status, Rules: a.Rules, Took: a.Took().String(), Signature: client.Signature{
			Scheme: a.Signature.Scheme, Header: a.Signature.Header, Key: valid(a.Signature.Key),
			StringToSign: valid(a.Signature.StringToSign), Value: valid(a.Signature.Value),
		},
		Request: messageOf(a.Request.Header, a.Request.Body), Response: messageOf(a.Response.Header, a.Response.Body),
	}
	out.Request.Method, out.Request.URL = a.Request.Method, a.Request.URL
	out.Response.Truncated = a.Response.Truncated
	if a.Error != nil {
		out.Error, out.Detail = string(a.Error.Class), valid(a.Error.Detail)
	}
	return out
}

// FiredOf turns what an advance performed into the types of the control API.
func FiredOf(all []delivery.Fired) []client.Fired {
	out := make([]client.Fired, len(all))
	for i, f := range all {
		out[i] = firedOf(f)
	}
	return out
}

func firedOf(f delivery.Fired) client.Fired {
	out := client.Fired{
		At: f.At, Sim: f.Sim, DeliveryID: f.DeliveryID, WebhookID: f.WebhookID, EventType: f.EventType,
		Attempt: f.Attempt, Status: f.Status, State: string(f.State),
	}
	if f.Error != nil {
		out.Error = string(f.Error.Class)
	}
	return out
}

func messageOf(header http.Header, body []byte) client.Message {
	m := client.Message{Headers: make(map[string][]string, len(header))}
	for name, values := range header {
		m.Headers[valid(name)] = validAll(values)
	}
	if utf8.Valid(body) {
		m.Body = string(body)
	} else {
		m.BodyBase64 = body
	}
	return m
}

// valid makes text of what came over the wire: JSON takes UTF-8 only, headers take any byte.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func validAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = valid(text)
	}
	return out
}

// number reads a query parameter that is a whole number from 0 up.
func number(q url.Values, name string, otherwise int) (int, error) {
	if !q.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return 0, invalid(name, fmt.Sprintf("%q is no whole number from 0 up", shorten(q.Get(name))))
	}
	return n, nil
}
