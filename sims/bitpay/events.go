package bitpay

import (
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// targets obeys delivery-matching, delivery-disabled and event-type-stable-coin.
func targets(e *sims.Env, event sims.Event) []string {
	if !offered(e, event.Type) {
		return nil
	}
	var ids []string
	for _, w := range hooks(e.Tx).All(listenerKey(event.Type, eventAccount(e, event))) {
		ids = append(ids, w.ID)
	}
	return ids
}

// eventAccount is the account an event happens to: the ready-made one when the caller names none.
func eventAccount(e *sims.Env, event sims.Event) string {
	if event.Account != "" {
		return event.Account
	}
	return readyAccount(e)
}

// endpoint obeys delivery-pending-disabled: what is not active is not called.
func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	w, ok := hooks(e.Tx).Get(webhookID)
	inactive := ""
	if w.Status != statusActive {
		inactive = state(w, sims.Health{})
	}
	return sims.Endpoint{WebhookID: webhookID, Account: w.Account, URL: w.URL, Inactive: inactive}, ok
}

// accept obeys delivery-success and delivery-callback-status.
func accept(p sims.Policies, _ int, body []byte) string {
	said := callbackStatus(body)
	switch p.Enum("callback_status") {
	case "not_fail":
		if said == "FAIL" {
			return "the receiver answered callbackStatus FAIL"
		}
	case "must_succeed":
		if said != "SUCCESS" {
			return "the receiver did not answer callbackStatus SUCCESS"
		}
	}
	return ""
}

func callbackStatus(body []byte) string {
	answer, err := strictjson.Decode(body)
	if err != nil {
		return ""
	}
	object, _ := answer.(map[string]any)
	status, _ := object["callbackStatus"].(string)
	return status
}

// payload has the members of the event's schema in documented order (delivery-request).
func payload(s sims.Source) sims.Object {
	values := message(s)
	return s.Build(func(s sims.Source, name string) any {
		switch name {
		case "webhookId":
			return s.Endpoint.WebhookID
		case "eventType":
			return s.Event.Type
		default:
			return values[name]
		}
	})
}

func message(s sims.Source) map[string]any {
	switch s.Event.Type {
	case "ORDER_WEBHOOK":
		return orderMessage(s)
	case "GLOBAL_PAYMENT_WEBHOOK":
		return globalPaymentMessage(s)
	case "FUNDING_WEBHOOK":
		return fundingMessage(s)
	case "STABLE_COIN_PAYMENT_WEBHOOK":
		return stableCoinMessage(s)
	default:
		return withdrawMessage(s)
	}
}
