package hsrcpay_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func eventTests() ledgerTests {
	return ledgerTests{
		"ids":                ids,
		"event-catalogue":    eventCatalogue,
		"event-body":         eventBody,
		"event-objects":      eventObjects,
		"event-status":       eventStatus,
		"event-amounts":      eventAmounts,
		"event-mode":         eventMode,
		"delivery-matching":  deliveryMatching,
		"delivery-wildcards": deliveryWildcards,
	}
}

// targets returns the webhooks that receive an event.
func targets(w *simtest.World, event sims.Event) (found []string) {
	w.T.Helper()
	inside(w, func(e *sims.Env) { found = w.Provider.Delivery.Targets(e, event) })
	return found
}

// seedOf is the seed of the n-th event of a test.
func seedOf(n int) sims.Derived { return derive.Root(int64(n), "events").Value("event", uint64(n)) }

// document is the body of an event, one hour after the start.
func document(w *simtest.World, eventType string, n int) string {
	w.T.Helper()
	var body string
	inside(w, func(e *sims.Env) {
		known, ok := w.Provider.Contract.EventType(eventType)
		require.True(w.T, ok)
		event := sims.Event{Type: eventType, At: simtest.Start().Add(time.Hour), Seed: seedOf(n)}
		body = encoded(w, w.Provider.Delivery.Payload(sims.Source{Env: e, Event: event, Fields: known.Fields, Fake: sims.Fake(event.Seed)}))
	})
	return body
}

// concerned is the object an event is about.
func concerned(w *simtest.World, eventType string, n int) map[string]any {
	w.T.Helper()
	var event struct {
		Data struct {
			Object map[string]any `json:"object"`
		} `json:"data"`
	}
	require.NoError(w.T, strictjson.Unmarshal([]byte(document(w, eventType, n)), &event))
	return event.Data.Object
}

func ids(w *simtest.World) {
	form := func(prefix string, id any) { require.Regexp(w.T, "^"+prefix+"_[0-9A-Za-z]{24}$", id) }
	form("acct", w.Credentials["account_id"])
	form("wh", w.Call(create, simtest.Request{Body: plainBody}).OK().Get("data.id"))
	form("wh", created(w, "*"))
	p := concerned(w, "payment.succeeded", 1)
	form("pay", p["id"])
	form("cus", p["customer_id"])
	form("acct", p["account_id"])
	c := concerned(w, "charge.captured", 1)
	form("ch", c["id"])
	form("pay", c["payment_id"])
	form("cus", c["customer_id"])
	s := concerned(w, "checkout_session.completed", 1)
	form("cs", s["id"])
	form("pay", s["payment_id"])
	require.Regexp(w.T, `"id":"evt_[0-9A-Za-z]{24}"`, document(w, "charge.captured", 1))
	// pm_ and pl_ are nullable in the document and null in default payloads; callers may set them.
	for _, name := range []string{"Charge.payment_method_id.pm", "CheckoutSession.payment_link_id.pl"} {
		parts := strings.Split(name, ".")
		schema := w.Provider.Contract.Doc.Components.Schemas[parts[0]].Value.Properties[parts[1]].Value
		require.Empty(w.T, contract.ValidateValue(schema, parts[2]+"_0123456789abcdefABCDEFxy", "body", ""))
		require.NotEmpty(w.T, contract.ValidateValue(schema, "xx_0123456789abcdefABCDEFxy", "body", ""))
	}
}

func catalogue() []string {
	return []string{
		"payment.succeeded", "payment.authorized", "payment.requires_action", "payment.requires_payment_method", "payment.canceled",
		"payment.refunded", "payment.processing", "charge.declined", "charge.captured", "checkout_session.completed",
	}
}

func eventCatalogue(w *simtest.World) {
	types := []string{}
	for _, t := range w.Provider.Contract.Catalogue {
		types = append(types, t.Type)
	}
	require.Equal(w.T, catalogue(), types)
}

func eventBody(w *simtest.World) {
	for i, eventType := range catalogue() {
		head := `{"object":"event","id":"evt_` + seedOf(i).Alphanumeric(24) + `","type":"` + eventType + `","account_id":"` +
			w.Credentials["account_id"] + `","created_at":"2026-01-08T11:30:00.250Z","data":{"object":{"object":"`
		body := document(w, eventType, i)
		require.True(w.T, strings.HasPrefix(body, head), body)
		require.True(w.T, strings.HasSuffix(body, `}}}`), body)
	}
}

func eventObjects(w *simtest.World) {
	for eventType, members := range map[string]string{
		"payment.succeeded": "object id account_id customer_id amount currency status metadata created_at updated_at checkout_session_id installments routing_origin",
		"charge.captured": "object id payment_id payment_method_id customer_id account_id status amount authorized_amount captured_amount " +
			"refunded_amount currency installments details metadata routing_origin attempt_no created_at updated_at",
		"checkout_session.completed": "object id account_id payment_link_id business_name status currency amount_mode fixed_amount final_amount " +
			"payer_name payer_email payment_id created_at updated_at",
	} {
		_, body, _ := strings.Cut(document(w, eventType, 1), `"data":`)
		at := 0
		names := strings.Fields(members)
		for _, name := range names {
			next := strings.Index(body[at:], `"`+name+`":`)
			require.GreaterOrEqual(w.T, next, 0, "%s: %s is missing or out of order in %s", eventType, name, body)
			at += next
		}
		object := concerned(w, eventType, 1)
		require.Len(w.T, object, len(names), eventType)
		require.Equal(w.T, "2026-01-08T11:30:00.250Z", object["updated_at"])
		require.Less(w.T, object["created_at"], object["updated_at"])
	}
}

func eventStatus(w *simtest.World) {
	statuses := []any{}
	for _, eventType := range catalogue() {
		statuses = append(statuses, concerned(w, eventType, 1)["status"])
	}
	require.Equal(w.T, []any{
		"SUCCEEDED", "AUTHORIZED", "REQUIRES_ACTION", "REQUIRES_PAYMENT_METHOD", "CANCELED", "REFUNDED", "PROCESSING",
		"DECLINED", "CAPTURED", "COMPLETED",
	}, statuses)
	for eventType, unset := range map[string][]any{
		"payment.succeeded": {false, false, false}, "payment.canceled": {false, true, true}, "payment.requires_payment_method": {true, true, true},
	} {
		p := concerned(w, eventType, 1)
		got := []any{p["customer_id"] == nil, p["installments"] == nil, p["routing_origin"] == nil}
		require.Equal(w.T, unset, got, eventType)
	}
}

func eventAmounts(w *simtest.World) {
	for n := range 50 {
		paid, _ := concerned(w, "payment.succeeded", n)["amount"].(float64)
		require.Positive(w.T, paid)
		require.InDelta(w.T, paid, float64(int64(paid)), 0, "whole minor units")
		captured, declined := concerned(w, "charge.captured", n), concerned(w, "charge.declined", n)
		require.Equal(w.T, []any{captured["amount"], captured["amount"], 0.0},
			[]any{captured["authorized_amount"], captured["captured_amount"], captured["refunded_amount"]})
		require.Positive(w.T, declined["amount"])
		require.Equal(w.T, []any{0.0, 0.0}, []any{declined["authorized_amount"], declined["captured_amount"]})
		session := concerned(w, "checkout_session.completed", n)
		require.Regexp(w.T, `^[1-9][0-9]*$`, session["final_amount"])
		require.Equal(w.T, session["fixed_amount"], session["final_amount"])
	}
}

func eventMode(w *simtest.World) {
	inTest, inLive := created(w, "*"), createdBy(w, live(w), "*")
	event := sims.Event{Type: "charge.captured"}
	require.Equal(w.T, []string{inTest, inLive}, targets(w, event))
	for environment, want := range map[string][]string{"test": {inTest}, "live": {inLive}, "production": nil} {
		event.Environment = environment
		require.Equal(w.T, want, targets(w, event), "an event that says where it happened")
	}
	event.Environment = ""
	w.SetPolicy("event_mode", "test")
	require.Equal(w.T, []string{inTest}, targets(w, event))
	w.SetPolicy("event_mode", "live")
	require.Equal(w.T, []string{inLive}, targets(w, event))
	event.Environment = "test"
	require.Equal(w.T, []string{inTest}, targets(w, event))
}

func deliveryMatching(w *simtest.World) {
	one, two := created(w, "payment.succeeded"), created(w, "payment.canceled", "payment.succeeded", "payment.succeeded")
	created(w, "Payment.succeeded", "payment.succeede", "payment", "payment.succeeded ")
	require.Equal(w.T, []string{one, two}, targets(w, sims.Event{Type: "payment.succeeded"}))
	require.Equal(w.T, []string{two}, targets(w, sims.Event{Type: "payment.canceled"}))
	require.Empty(w.T, targets(w, sims.Event{Type: "charge.declined"}))
	require.Equal(w.T, []string{one, two}, targets(w, sims.Event{Type: "payment.succeeded", Account: w.Credentials["account_id"]}))
	require.Empty(w.T, targets(w, sims.Event{Type: "payment.succeeded", Account: "acct_000000000000000000000000"}))
}

func deliveryWildcards(w *simtest.World) {
	all, payments := created(w, "*"), created(w, "payment.*", "payment.succeeded")
	created(w, "pay.*", "payment*", ".*", "*.succeeded", "payment.succeeded.*", "PAYMENT.*")
	sessions, last := created(w, "checkout_session.*"), created(w, "payment.canceled", "*", "payment.*")
	require.Equal(w.T, []string{all, payments, last}, targets(w, sims.Event{Type: "payment.canceled"}))
	require.Equal(w.T, []string{all, payments, last}, targets(w, sims.Event{Type: "payment.succeeded"}))
	require.Equal(w.T, []string{all, sessions, last}, targets(w, sims.Event{Type: "checkout_session.completed"}))

	w.SetPolicy("event_wildcards", false)
	require.Equal(w.T, []string{last}, targets(w, sims.Event{Type: "payment.canceled"}))
	require.Equal(w.T, []string{payments}, targets(w, sims.Event{Type: "payment.succeeded"}))
	w.SetPolicy("unknown_events", "refuse")
	w.Call(create, simtest.Request{Body: bodyWith(map[string]any{"enabled_events": []string{"*"}})}).Refused(422, "unknown-event")
}
