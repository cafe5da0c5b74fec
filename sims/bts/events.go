package bts

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// targets obeys delivery-matching: the one webhook of the account and environment, whatever the status.
func targets(e *sims.Env, event sims.Event) []string {
	environment := "production"
	if event.Environment == "test" {
		environment = "test"
	}
	id := configID(cmp.Or(event.Account, readyAccount(e)), environment)
	if _, ok := configs(e.Tx).Get(id); !ok {
		return nil
	}
	return []string{id}
}

func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	w, ok := configs(e.Tx).Get(webhookID)
	keys := map[string]string{}
	if w.HasToken {
		keys["token"] = deliveryToken(e, w.Account)
	}
	if w.ITXAPIKey != "" {
		keys["itx-apiKey"] = w.ITXAPIKey
	}
	return sims.Endpoint{WebhookID: webhookID, Account: w.Account, URL: w.URL, Keys: keys}, ok
}

// deliveryToken obeys delivery-token-value.
func deliveryToken(e *sims.Env, account string) string {
	return e.Fixed("delivery token of " + account).Hex(64)
}

// payload obeys event-body.
func payload(s sims.Source) sims.Object { return s.Build(field) }

// field makes one member of the payload.
func field(s sims.Source, name string) any {
	switch name {
	case "clientId":
		return s.Fake.Numerify(strings.ToLower(s.Fake.Lexify("???###??##")))
	case "orderId":
		return s.Fake.IntRange(1_000_000, 9_999_999)
	case "barcode":
		return s.Fake.DigitN(12)
	case "status":
		return status(s)
	default: // date
		return eventDate(s)
	}
}

func status(s sims.Source) sims.Object {
	key := "id"
	if s.Policies.Enum("status_shape") == "code_name" {
		key = "code"
	}
	code, _ := strconv.Atoi(strings.TrimPrefix(s.Event.Type, "status."))
	return sims.Object{{Name: key, Value: code}, {Name: "name", Value: statusName(code)}}
}

// statusName obeys status-names.
func statusName(code int) string {
	switch code {
	case 100:
		return "У отправителя"
	case 200:
		return "Курьер принял"
	case 300:
		return "В офисе отправления"
	case 400:
		return "Во внутренней перевозке"
	case 500:
		return "В РЦ"
	case 600:
		return "В мешке"
	case 700:
		return "В перевозке"
	case 800:
		return "В офисе доставки"
	case 1100:
		return "Курьер доставляет"
	case 1200:
		return "Доставлен"
	case 1300:
		return "Удален"
	default: // 1400
		return "Просрочен"
	}
}

// eventDate obeys event-date.
func eventDate(s sims.Source) string {
	if s.Policies.Enum("event_date") == "datetime" {
		return s.Event.At.In(zone(s.Policies)).Format(time.DateTime)
	}
	return date(s.Policies, s.Event.At)
}
