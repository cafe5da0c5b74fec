package bankly

import (
	"cmp"

	"github.com/mocksrv/mocksrv/sims"
)

// holds says whether events for disabled configurations are kept (delivery-disabled-events).
func holds(e *sims.Env) bool { return e.Policies.Enum("disabled_events") == "hold" }

// targets obeys delivery-matching, open-event-names, delivery-disabled and company-scope.
func targets(e *sims.Env, event sims.Event) []string {
	var ids []string
	for _, w := range configurations(e.Tx).All(eventKey(cmp.Or(event.Account, companyKey), event.Group, event.Type)) {
		if w.Status == enabled || holds(e) {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	w, ok := configurations(e.Tx).Get(webhookID)
	to := sims.Endpoint{
		WebhookID: webhookID, Account: w.Company, URL: w.URI,
		Keys: map[string]string{"publicKey": w.PublicKey, "privateKey": w.PrivateKey},
	}
	if w.Status == disabled {
		to.Inactive, to.Hold = "disabled", holds(e)
	}
	return to, ok
}

// document wraps the event: deliveries are arrays of exactly one (event-body).
func document(event sims.Object) any { return []sims.Object{event} }

// payload is one event in its envelope (event-body, event-context).
func payload(s sims.Source) sims.Object { return s.Build(field) }

func field(s sims.Source, name string) any {
	switch name {
	case "companyKey":
		return cmp.Or(s.Endpoint.Account, companyKey) // it has none when the configuration is gone
	case "idempotencyKey":
		return idempotencyKey(s.Event, s.Endpoint.WebhookID)
	case "context":
		return s.Event.Group
	case "name":
		return s.Event.Type
	case "timestamp":
		return eventTime(s.Event.At)
	case "metadata":
		return nil
	case "data":
		return content(s)
	default: // entityId, correlationId
		return s.Fake.UUID()
	}
}
