package hsrcpay

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// targets obeys delivery-matching: each webhook once, however often it names the type.
func targets(e *sims.Env, event sims.Event) []string {
	var found []webhook
	for _, mode := range eventModes(e, event) {
		for _, entry := range entriesFor(e, event.Type) {
			found = append(found, hooks(e.Tx).All(entryKey(mode, eventAccount(e, event), entry))...)
		}
	}
	slices.SortFunc(found, func(a, b webhook) int { return cmp.Compare(a.N, b.N) })
	var ids []string
	for _, w := range slices.CompactFunc(found, func(a, b webhook) bool { return a.N == b.N }) {
		ids = append(ids, w.ID)
	}
	return ids
}

// eventModes are the data sets an event happens in; where the caller names none, event-mode says.
func eventModes(e *sims.Env, event sims.Event) []string {
	mode := cmp.Or(event.Environment, e.Policies.Enum("event_mode"))
	if mode == "both" {
		return []string{test, live}
	}
	return []string{mode}
}

// eventAccount is the account an event happens to: the ready-made one when the caller names none.
func eventAccount(e *sims.Env, event sims.Event) string {
	if event.Account != "" {
		return event.Account
	}
	return readyAccount(e)
}

func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	w, ok := hooks(e.Tx).Get(webhookID)
	return sims.Endpoint{
		WebhookID: webhookID, Account: w.Account, URL: w.Endpoint, Keys: map[string]string{"secret": w.Secret},
	}, ok
}

// payload is the event around the object concerned (event-body).
func payload(s sims.Source) sims.Object { return s.Build(field) }

func field(s sims.Source, name string) any {
	switch name {
	case "object":
		return "event"
	case "id":
		return "evt_" + s.Event.Seed.Alphanumeric(24) // the same on every attempt (delivery-repeats)
	case "type":
		return s.Event.Type
	case "account_id":
		return eventAccount(s.Env, s.Event)
	case "created_at":
		return date(s.Event.At)
	default:
		return sims.Object{{Name: "object", Value: concerned(s)}}
	}
}

// concerned is the object of the event's family, after the change (event-objects). It is an Object throughout, so that
// a caller can override single members.
func concerned(s sims.Source) sims.Object {
	family, _, _ := strings.Cut(s.Event.Type, ".")
	switch family {
	case "charge":
		return charge(s)
	case "checkout_session":
		return session(s)
	default:
		return payment(s)
	}
}

// statusAfter obeys event-status: payment.requires_action leaves a payment REQUIRES_ACTION.
func statusAfter(s sims.Source) string {
	_, change, _ := strings.Cut(s.Event.Type, ".")
	return strings.ToUpper(change)
}

// payment has a customer, instalments and a route as far as it has come.
func payment(s sims.Source) sims.Object {
	status := statusAfter(s)
	var customer, installments, route any = id(s, "cus_"), 1, "MERCHANT_DIRECT"
	switch status {
	case "REQUIRES_PAYMENT_METHOD":
		customer, installments, route = nil, nil, nil
	case "CANCELED":
		installments, route = nil, nil
	}
	return sims.Object{
		{Name: "object", Value: "payment"},
		{Name: "id", Value: id(s, "pay_")},
		{Name: "account_id", Value: eventAccount(s.Env, s.Event)},
		{Name: "customer_id", Value: customer},
		{Name: "amount", Value: amount(s)},
		{Name: "currency", Value: currency(s)},
		{Name: "status", Value: status},
		{Name: "metadata", Value: sims.Object{{Name: "order_id", Value: s.Fake.Numerify("1###")}}},
		{Name: "created_at", Value: before(s, 5, 600)},
		{Name: "updated_at", Value: date(s.Event.At)},
		{Name: "checkout_session_id", Value: nil},
		{Name: "installments", Value: installments},
		{Name: "routing_origin", Value: route},
	}
}

func charge(s sims.Source) sims.Object {
	status, asked, captured := statusAfter(s), amount(s), 0
	if status == "CAPTURED" {
		captured = asked
	}
	return sims.Object{
		{Name: "object", Value: "charge"},
		{Name: "id", Value: id(s, "ch_")},
		{Name: "payment_id", Value: id(s, "pay_")},
		{Name: "payment_method_id", Value: nil},
		{Name: "customer_id", Value: id(s, "cus_")},
		{Name: "account_id", Value: eventAccount(s.Env, s.Event)},
		{Name: "status", Value: status},
		{Name: "amount", Value: asked},
		{Name: "authorized_amount", Value: captured},
		{Name: "captured_amount", Value: captured},
		{Name: "refunded_amount", Value: 0},
		{Name: "currency", Value: currency(s)},
		{Name: "installments", Value: 1},
		{Name: "details", Value: sims.Object{}},
		{Name: "metadata", Value: sims.Object{}},
		{Name: "routing_origin", Value: "MERCHANT_DIRECT"},
		{Name: "attempt_no", Value: 1},
		{Name: "created_at", Value: before(s, 2, 5)},
		{Name: "updated_at", Value: date(s.Event.At)},
	}
}

// session carries amounts as texts, unlike payment and charge (event-amounts).
func session(s sims.Source) sims.Object {
	total := strconv.Itoa(amount(s))
	return sims.Object{
		{Name: "object", Value: "checkout_session"},
		{Name: "id", Value: id(s, "cs_")},
		{Name: "account_id", Value: eventAccount(s.Env, s.Event)},
		{Name: "payment_link_id", Value: nil},
		{Name: "business_name", Value: s.Fake.Company()},
		{Name: "status", Value: statusAfter(s)},
		{Name: "currency", Value: currency(s)},
		{Name: "amount_mode", Value: "FIXED"},
		{Name: "fixed_amount", Value: total},
		{Name: "final_amount", Value: total},
		{Name: "payer_name", Value: s.Fake.Name()},
		{Name: "payer_email", Value: s.Fake.Email()},
		{Name: "payment_id", Value: id(s, "pay_")},
		{Name: "created_at", Value: before(s, 30, 900)},
		{Name: "updated_at", Value: date(s.Event.At)},
	}
}

// id obeys ids.
func id(s sims.Source, prefix string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 24)
	for i := range out {
		out[i] = alphabet[s.Fake.IntRange(0, len(alphabet)-1)]
	}
	return prefix + string(out)
}

// amount is in minor units (event-amounts).
func amount(s sims.Source) int { return s.Fake.IntRange(10, 5000) * 50 }

func currency(s sims.Source) string { return s.Fake.RandomString([]string{"TRY", "USD", "EUR"}) }

// before is an instant that many seconds before the event.
func before(s sims.Source, low, high int) string {
	return date(s.Event.At.Add(-time.Duration(s.Fake.IntRange(low, high)) * time.Second))
}
