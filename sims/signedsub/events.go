package signedsub

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// targets obeys delivery-matching: every subscription of the account that asked for the type or for its group.
func targets(e *sims.Env, event sims.Event) []string {
	var ids []string
	for _, s := range subscriptions(e.Tx).All("account/" + eventAccount(e, event)) {
		if slices.Contains(s.Types, event.Type) || slices.Contains(s.Services, event.Group) {
			ids = append(ids, s.id())
		}
	}
	return ids
}

// eventAccount is the account an event happens to: the ready-made one when the caller names none.
func eventAccount(e *sims.Env, event sims.Event) string {
	if event.Account != "" {
		return strings.ToLower(event.Account)
	}
	return "0x" + e.Fixed("account").Hex(40)
}

func endpoint(e *sims.Env, webhookID string) (sims.Endpoint, bool) {
	s, ok := subscriptions(e.Tx).Get(webhookID)
	return sims.Endpoint{
		WebhookID: webhookID, Account: s.Account, URL: s.URL,
		Keys:    map[string]string{"publicKey": s.PublicKey, "secretKey": s.SecretKey},
		Options: map[string]string{"requestId": s.RequestID},
	}, ok
}

// payload is the flat object of an event type (event-fields).
func payload(s sims.Source) sims.Object {
	flat := s.Build(field)
	if s.Policies.Enum("payload_form") == "flat" {
		return flat
	}
	return sims.Object{
		{Name: "requestId", Value: s.Endpoint.Options["requestId"]},
		{Name: "id", Value: s.Event.Seed.UUID()},
		{Name: "createdDate", Value: date(s.Event.At)},
		{Name: "level", Value: level(s.Event.Type)},
		{Name: "service", Value: s.Event.Group},
		{Name: "eventType", Value: s.Event.Type},
		{Name: "data", Value: flat},
	}
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
		return s.Fake.RandomString([]string{"BTC", "ETH", "USDT_TRX", "USDC"})
	case "fiatCurrency":
		return "EUR"
	case "parentExternalId":
		return s.Fake.IntRange(1, 1_000_000)
	case "idempotencyKey", "orderId":
		return s.Fake.UUID()
	case "externalId":
		return "order-" + s.Fake.Numerify("######")
	case "hash", "transactionHash":
		return "0x" + hexDigits(s, 64)
	case "senderAddress":
		return "0x" + hexDigits(s, 40)
	case "transactionId", "transactionIds", "approved":
		return []string{s.Fake.Numerify("7###")}
	case "payoutStatus":
		return s.Fake.RandomString([]string{"PROCESSING", "CONFIRMED", "COMPLETED"})
	case "validationStatus":
		return "REJECTED"
	case "dealWithdrawalId":
		return s.Fake.IntRange(1, 1_000_000)
	case "message", "description":
		return s.Fake.ProductName()
	default:
		return amountOrDate(s, name)
	}
}

func amountOrDate(s sims.Source, name string) any {
	switch name {
	case "createdDate":
		return date(s.Event.At.Add(-time.Duration(s.Fake.IntRange(60, 3600)) * time.Second))
	case "paymentDate", "expirationDate":
		return date(s.Event.At)
	case "fiatAmount":
		if strings.HasPrefix(s.Event.Type, "FIAT_DEPOSIT") {
			return decimal(s)
		}
		return sims.Object{{Name: "amount", Value: money(s, 10, 900)}, {Name: "currency", Value: "EUR"}}
	case "cryptoAmount":
		return decimal(s)
	default: // amount, realAmount, serviceFee
		return money(s, 0.01, 5)
	}
}

func hexDigits(s sims.Source, n int) string {
	const digits = "0123456789abcdef"
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[s.Fake.IntRange(0, 15)]
	}
	return string(out)
}

func money(s sims.Source, low, high float64) float64 { return s.Fake.Price(low, high) }

func decimal(s sims.Source) string { return strconv.FormatFloat(money(s, 10, 900), 'f', 2, 64) }
