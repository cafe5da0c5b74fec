package bankly_test

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func eventTests() ledgerTests {
	return ledgerTests{
		"event-catalogue": eventCatalogue,
		"event-context":   eventContext,
		"event-body":      eventBody,
		"ted-data":        tedData,
		"pix-data":        pixData,
		"other-data":      otherData,
	}
}

// sent is the one event in what the provider posts for an event of a type.
func sent(w *simtest.World, eventType string, data object) object {
	w.T.Helper()
	entry, ok := w.Provider.Contract.EventType(eventType)
	require.True(w.T, ok)
	receiver := w.Receive(nil)
	w.SetPolicy("unique_by", "none")
	id := made(w, "eventName", eventType, "context", entry.Group, "uri", receiver.URL)
	require.Len(w.T, w.Emit(simtest.Event{Type: eventType, Data: data}), 1)
	on(w, remove, id).OK()
	require.Len(w.T, receiver.Requests(), 1)
	body := decoded(w, receiver.Requests()[0].Body)
	require.Empty(w.T, contract.ValidateBody(w.Provider.Contract.Events[eventType], body), "%s: %v", eventType, body)
	events, _ := body.([]any)
	require.Len(w.T, events, 1)
	event, _ := events[0].(object)
	return event
}

func decoded(w *simtest.World, body []byte) any {
	w.T.Helper()
	v, err := strictjson.Decode(body)
	require.NoError(w.T, err)
	return v
}

func eventCatalogue(w *simtest.World) {
	require.Len(w.T, w.Provider.Contract.Catalogue, 133)
	for _, wrong := range []string{"TED_CASH_IN", "ted_cash_in_was_cleared", ""} {
		_, _, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: "bankly", Type: wrong})
		require.ErrorIs(w.T, err, delivery.ErrUnknownType)
	}
	for _, known := range w.Provider.Contract.Catalogue {
		w.Emit(simtest.Event{Type: known.Type})
	}
	made(w, "eventName", "NO_SUCH_EVENT") // the provider takes any name
}

func eventContext(w *simtest.World) {
	contexts := map[string]bool{}
	for _, known := range w.Provider.Contract.Catalogue {
		event := sent(w, known.Type, nil)
		require.Equal(w.T, known.Type, event["name"])
		require.Equal(w.T, known.Group, event["context"])
		contexts[known.Group] = true
	}
	require.Len(w.T, contexts, 17)
	for name, want := range map[string]string{"PIX_CLAIM_WAS_CONFIRMED": "Dict", "BILL_PAYMENT_WAS_CREATED": "Payment", "TRANSACTION_CREATED": "Authorization"} {
		entry, _ := w.Provider.Contract.EventType(name)
		require.Equal(w.T, want, entry.Group)
	}
}

func eventBody(w *simtest.World) {
	receiver := w.Receive(nil)
	hookID := made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	on(w, remove, hookID).OK()
	body := string(receiver.Requests()[0].Body)
	const id = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	require.Regexp(w.T, `^\[\{"entityId":"`+id+`","companyKey":"ACESSO","idempotencyKey":"`+id+`","context":"Ted","name":"TED_CASH_IN_WAS_CLEARED",`+
		regexp.QuoteMeta(`"timestamp":"2026-01-08T10:30:00.2500000Z"`)+`,"correlationId":"`+id+`","metadata":null,"data":\{.*\}\}\]$`, body)
	event := sent(w, tedIn, object{"metadata": object{"order": "1042"}, "entityId": unknownID})
	require.Equal(w.T, object{"order": "1042"}, event["metadata"])
	require.Equal(w.T, unknownID, event["entityId"])
}

func tedData(w *simtest.World) {
	receiver := w.Receive(nil)
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	require.Regexp(w.T, `"data":\{"authenticationCode":"[0-9a-f-]{36}","amount":\{"value":\d+(\.\d{1,2})?,"currency":"BRL"\},"recipient":\{"document":"\d{11}"\}\}\}\]$`,
		string(receiver.Requests()[0].Body))
	data, _ := sent(w, "TED_REFUND_WAS_RECEIVED", object{"data": object{"amount": object{"value": 12.5}}})["data"].(object)
	require.Equal(w.T, object{"value": 12.5, "currency": "BRL"}, data["amount"])
}

func pixData(w *simtest.World) {
	for _, known := range w.Provider.Contract.Catalogue {
		if known.Group != "Pix" {
			continue
		}
		data, _ := sent(w, known.Type, nil)["data"].(object)
		for _, name := range []string{"addressingKey", "authenticationCode", "amount", "description", "recipient", "channel", "createdAt"} {
			require.Contains(w.T, data, name)
		}
		channel, _ := data["channel"].(object)
		require.Contains(w.T, channel, "sender")
		require.Regexp(w.T, `^E18236120202601081030s\d{10}$`, channel["end2EndId"])
		key, _ := data["addressingKey"].(object)
		requireCheckDigits(w, fmt.Sprint(key["value"]))
		recipient, _ := data["recipient"].(object)
		document, _ := recipient["document"].(object)
		require.Equal(w.T, key["value"], document["value"], "the key is the payee's")
	}
}

// requireCheckDigits checks a CPF as its issuer describes it: weights 10 to 2 for the first digit, 11 to 2 for the second.
func requireCheckDigits(w *simtest.World, cpf string) {
	w.T.Helper()
	require.Len(w.T, cpf, 11)
	for _, n := range []int{9, 10} {
		sum := 0
		for i := range n {
			sum += int(cpf[i]-'0') * (n + 1 - i)
		}
		rest := 11 - sum%11
		if rest >= 10 {
			rest = 0
		}
		require.EqualValues(w.T, '0'+rest, cpf[n], cpf)
	}
}

func otherData(w *simtest.World) {
	first := map[string]string{
		"Dict": "claimId", "Boleto": "authenticationCode", "Payment": "digitable", "Document": "token", "Account": "documentNumber",
		"Authorization": "merchant", "Card": "lastFourDigits", "Credit": "limit", "Invoice": "dueDate", "Customer": "registerName",
		"Business": "businessName", "Pocket": "pocketId", "Partner": "featureName", "SLC": "recipient", "Openfinance": "consentId",
	}
	for _, known := range w.Provider.Contract.Catalogue {
		member, ours := first[known.Group]
		if !ours {
			require.Contains(w.T, []string{"Pix", "Ted"}, known.Group)
			continue
		}
		data, _ := sent(w, known.Type, object{"data": object{"note": "mine"}})["data"].(object)
		require.Contains(w.T, data, member, known.Type)
		require.Equal(w.T, "mine", data["note"])
		if status, ok := data["status"].(string); ok {
			require.True(w.T, strings.HasSuffix(known.Type, status), "%s: %s", known.Type, status)
		}
	}
}
