package signedsub

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// targets obeys delivery-matching: every subscription of the account that asked for the type or for its group.
func targets(e *sims.Env, event sims.Event) []string {
	var ids []string
	for _, s := range subscriptions(e.Tx).All(eventKey(eventAccount(e, event), event.Type)) {
		ids = append(ids, s.RequestID)
	}
	return ids
}

// eventAccount is the account an event happens to: the ready-made one when the caller names none.
func eventAccount(e *sims.Env, event sims.Event) string {
	if event.Account == "" {
		return readyAccount(e)
	}
	return strings.ToLower(event.Account)
}

func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	s, ok := subscriptions(e.Tx).Get(webhookID)
	return sims.Endpoint{
		WebhookID: webhookID, Account: s.Account, URL: s.URL,
		Keys: map[string]string{"publicKey": s.PublicKey, "secretKey": s.SecretKey},
	}, ok
}

// payload is the flat object of an event type (event-fields).
func payload(s sims.Source) sims.Object { return s.Build(field) }

// envelope is the wrapped form of a delivery.
type envelope struct {
	RequestID   string         `json:"requestId"`
	ID          uint64         `json:"id"`
	CreatedDate string         `json:"createdDate"`
	Level       string         `json:"level"`
	Service     string         `json:"service"`
	EventType   string         `json:"eventType"`
	Data        jsontext.Value `json:"data"`
}

// encode obeys delivery-body.
func encode(s sims.Source, document []byte) ([]byte, string) {
	if s.Policies.Enum("payload_form") == "envelope" {
		document, _ = strictjson.Encode(envelope{ // it is made of what encodes
			RequestID: s.Endpoint.WebhookID, ID: s.Event.Seed.Uint64()%1_000_000_000 + 1, CreatedDate: date(s.Event.At),
			Level: level(s.Event.Type), Service: s.Event.Group, EventType: s.Event.Type, Data: document,
		})
	}
	return document, "application/json"
}

// level obeys delivery-body.
func level(eventType string) string {
	for _, bad := range []string{"DECLINED", "EXPIRED", "FAILED", "VALIDATION_ERROR", "INTERVENTION"} {
		if strings.Contains(eventType, bad) {
			return "WARNING"
		}
	}
	return "SUCCESS"
}

// field makes one member of a flat payload.
func field(s sims.Source, name string) any {
	switch name {
	case "type":
		return s.Event.Type
	case "currency":
		return s.Fake.RandomString([]string{"ETH", "USDC", "USDT"})
	case "fiatCurrency":
		return "EUR"
	case "parentExternalId", "dealWithdrawalId":
		return s.Fake.IntRange(1, 1_000_000)
	case "idempotencyKey", "orderId":
		return s.Fake.UUID()
	case "hash", "transactionHash":
		return "0x" + hexDigits(s, 64)
	case "senderAddress":
		return "0x" + hexDigits(s, 40)
	case "transactionId", "transactionIds":
		return []string{s.Fake.Numerify("7###")}
	case "approved":
		return []string{strings.ToLower(s.Fake.FirstName()) + "@merchant.example"}
	case "payoutStatus":
		return payoutStatus(s)
	case "validationStatus":
		return "NOT_ENOUGH_FUNDS"
	case "message", "description":
		return message(s)
	default:
		return amountOrDate(s, name)
	}
}

func payoutStatus(s sims.Source) string {
	if s.Event.Type != "PAYOUT_CHANGE_STATUS" {
		return "IN_PROGRESS"
	}
	return s.Fake.RandomString([]string{"IN_PROGRESS", "CANCELED", "FAILED", "PARTIAL", "COMPLETED"})
}

func message(s sims.Source) string {
	if s.Event.Type == "PAYOUT_VALIDATION_ERROR" {
		return "Not enough funds"
	}
	return s.Fake.ProductName()
}

func amountOrDate(s sims.Source, name string) any {
	switch name {
	case "createdDate": // of the object: it is as old as its creation event, and older than the others
		return date(s.Event.At.Add(-age(s)))
	case "paymentDate", "expirationDate":
		return date(s.Event.At)
	case "fiatAmount":
		if strings.HasPrefix(s.Event.Type, "FIAT_DEPOSIT") {
			return decimal(s)
		}
		return sims.Object{{Name: "amount", Value: s.Fake.Price(10, 900)}, {Name: "currency", Value: "EUR"}}
	case "cryptoAmount":
		return decimal(s)
	case "serviceFee":
		return s.Fake.Price(0.01, 0.1)
	default: // amount and realAmount are the same: what was asked for was paid
		return sims.Fake(s.Event.Seed).Price(1, 5)
	}
}

func age(s sims.Source) time.Duration {
	if strings.HasPrefix(s.Event.Type, "INVOICE_CREATE") {
		return 0
	}
	return time.Duration(s.Fake.IntRange(60, 3600)) * time.Second
}

func hexDigits(s sims.Source, n int) string {
	const digits = "0123456789abcdef"
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[s.Fake.IntRange(0, 15)]
	}
	return string(out)
}

func decimal(s sims.Source) string { return strconv.FormatFloat(s.Fake.Price(10, 900), 'f', 2, 64) }
