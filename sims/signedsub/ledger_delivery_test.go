package signedsub_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func deliveryTests() ledgerTests {
	return ledgerTests{
		"delivery-request":      deliveryRequest,
		"delivery-signature":    deliverySignature,
		"delivery-body":         deliveryBody,
		"event-fields":          eventFields,
		"event-catalogue":       eventCatalogue,
		"delivery-matching":     deliveryMatching,
		"delivery-success":      deliverySuccess,
		"delivery-bind":         deliveryBind,
		"delivery-resign":       deliveryResign,
		"delivery-disabled":     deliveryDisabled,
		"delivery-after-delete": deliveryAfterDelete,
	}
}

// payout is the event most tests make happen.
func payout() simtest.Event { return simtest.Event{Type: "PAYOUT_CHANGE_STATUS"} }

// subscribed creates a subscription that points to a receiver.
func subscribed(w *simtest.World, r *simtest.Receiver, members ...string) *simtest.Reply {
	w.T.Helper()
	return made(w, append([]string{"url", `"` + r.URL + `"`}, members...)...)
}

// always answers every request with a status.
func always(status int) func(int) (int, string) {
	return func(int) (int, string) { return status, "" }
}

func deliveryRequest(w *simtest.World) {
	r := w.Receive(nil)
	subscribed(w, r)
	require.Equal(w.T, delivery.Delivered, w.Emit(payout())[0].State)
	require.Len(w.T, r.Requests(), 1)
	got := r.Requests()[0]
	require.Equal(w.T, "POST", got.Method)
	for _, name := range []string{"Key", "Sign"} {
		require.Contains(w.T, got.RawHeader, name, "in this spelling")
	}
	require.Equal(w.T, "application/json", got.RawHeader["Content-Type"])
	_, err := strictjson.Decode(got.Body)
	require.NoError(w.T, err)
}

func deliverySignature(w *simtest.World) {
	r := w.Receive(nil)
	reply := subscribed(w, r)
	sent := w.Emit(simtest.Event{Type: "PAYOUT_CHANGE_STATUS", Data: map[string]any{"payoutStatus": "ÇŞ <&> ' \u2028"}})[0]
	got := r.Requests()[0]
	require.Equal(w.T, reply.Get("publicKey"), got.RawHeader["Key"])
	secret, _ := reply.Get("secretKey").(string)
	require.Equal(w.T, hmacSHA512(secret, string(got.Body)), got.RawHeader["Sign"])
	require.Equal(w.T, string(got.Body), sent.Attempts[0].Signature.StringToSign)
	require.Equal(w.T, got.RawHeader["Sign"], sent.Attempts[0].Signature.Value)
}

func deliveryBody(w *simtest.World) {
	r := w.Receive(nil)
	services := `["INVOICE","PAYOUT","FIAT_DEPOSIT","ACCOUNT"]`
	subscribed(w, r, "notificationEventTypes", "", "notificationServiceTypes", services)
	whole := simtest.Event{Type: "INVOICE_PAID", Payload: map[string]any{"type": "INVOICE_PAID", "amount": 2}}
	require.Equal(w.T, `{"amount":2,"type":"INVOICE_PAID"}`, string(w.Emit(whole)[0].Body))

	w.SetPolicy("payload_form", "envelope")
	prefix := `{"requestId":"` + id + `","id":%v,"createdDate":"2026-01-08T10:30:00.250Z","level":"SUCCESS","service":"INVOICE",` +
		`"eventType":"INVOICE_PAID","data":{"amount":2,"type":"INVOICE_PAID"}}`
	body := w.Emit(whole)[0].Body
	require.Equal(w.T, fmt.Sprintf(prefix, number(w, body, "id")), string(body))
	require.NotEqual(w.T, number(w, body, "id"), number(w, w.Emit(whole)[0].Body, "id"))

	warnings := "INVOICE_PENDING_INTERVENTION INVOICE_EXPIRED INVOICE_COMPLIANCE_DECLINED PAYOUT_VALIDATION_ERROR " +
		"FIAT_DEPOSIT_ORDER_EXPIRED FIAT_DEPOSIT_ORDER_FAILED TOP_UP_COMPLIANCE_DECLINED"
	for _, known := range w.Provider.Contract.Catalogue {
		document := decoded(w, w.Emit(simtest.Event{Type: known.Type, Data: map[string]any{"extra": 7}})[0].Body)
		schema := w.Provider.Contract.Doc.Components.Schemas["WebhookEnvelope"].Value
		require.Empty(w.T, contract.ValidateBody(schema, document), known.Type)
		require.Empty(w.T, contract.ValidateBody(w.Provider.Contract.Events[known.Type], document["data"]), known.Type)
		inner, _ := document["data"].(map[string]any)
		require.EqualValues(w.T, 7, inner["extra"], "data is merged into the inner object")
		level := "SUCCESS"
		if strings.Contains(" "+warnings+" ", " "+known.Type+" ") {
			level = "WARNING"
		}
		require.Equal(w.T, level, document["level"], known.Type)
	}
}

func decoded(w *simtest.World, body []byte) map[string]any {
	w.T.Helper()
	v, err := strictjson.Decode(body)
	require.NoError(w.T, err)
	object, _ := v.(map[string]any)
	return object
}

func number(w *simtest.World, body []byte, name string) string {
	w.T.Helper()
	n, ok := decoded(w, body)[name].(float64)
	require.True(w.T, ok)
	return fmt.Sprintf("%.0f", n)
}

func eventFields(w *simtest.World) {
	r := w.Receive(nil)
	for _, known := range w.Provider.Contract.Catalogue {
		subscribed(w, r, "notificationEventTypes", `["`+known.Type+`"]`)
		sent := w.Emit(simtest.Event{Type: known.Type})
		require.Equal(w.T, string(sent[0].Body), string(r.Requests()[len(r.Requests())-1].Body))
		document := decoded(w, sent[0].Body)
		require.Empty(w.T, contract.ValidateBody(w.Provider.Contract.Events[known.Type], document), known.Type)
		require.Len(w.T, document, len(known.Fields), known.Type)
		require.Equal(w.T, known.Type, document["type"])
		at := -1
		for _, name := range known.Fields {
			next := strings.Index(string(sent[0].Body), `"`+name+`":`)
			require.Greater(w.T, next, at, "%s: the fields have the order of the document", known.Type)
			at = next
		}
		if paid, ok := document["realAmount"]; ok {
			require.Equal(w.T, document["amount"], paid)
		}
		call(w, remove, payload()).OK()
	}
}

// eventCatalogue has the list as providers.md and the table of types have it.
func eventCatalogue(w *simtest.World) {
	groups := map[string]string{
		"INVOICE": "CREATE_INVOICE CREATE_UNLIMITED_INVOICE FUNDS_RECEIVED_FOR_INVOICE TRANSLATION_TO_ACCOUNT_COMPLETED " +
			"PENDING_INTERVENTION EXPIRED PAID MEMPOOL_FOUND PENDING_COMPLIANCE COMPLIANCE_DECLINED",
		"PAYOUT":       "CHANGE_STATUS CONFIRMED HASH_RECEIVED VALIDATION_ERROR SPEEDED_UP",
		"FIAT_DEPOSIT": "ORDER_CREATED ORDER_CONFIRM FIAT_FUNDS_RECEIVED ORDER_EXPIRED ORDER_FAILED",
	}
	want := map[string]string{
		"TOP_UP_PENDING_COMPLIANCE": "ACCOUNT", "TOP_UP_COMPLIANCE_DECLINED": "ACCOUNT", "WALLET_FUNDS_DELIVERED_ACCOUNT": "ACCOUNT",
	}
	for group, names := range groups {
		for name := range strings.FieldsSeq(names) {
			want[group+"_"+name] = group
		}
	}
	require.Len(w.T, want, 23)
	got := map[string]string{}
	for _, known := range w.Provider.Contract.Catalogue {
		got[known.Type] = known.Group
		made(w, "notificationEventTypes", `["`+known.Type+`"]`)
		require.Equal(w.T, []string{id}, targets(w, "", known.Type))
		call(w, remove, payload()).OK()
	}
	require.Equal(w.T, want, got)
}

func deliveryMatching(w *simtest.World) {
	addAccount(w)
	subscription := func(n int) string { return fmt.Sprintf("%08d%s", n, id[8:]) }
	add := func(n int, account, types, services string) {
		w.T.Helper()
		callFor(w, account, create, payload("requestId", `"`+subscription(n)+`"`, "notificationEventTypes", types, "notificationServiceTypes", services)).OK()
	}
	own := w.Credentials["account"]
	add(1, own, `["PAYOUT_CHANGE_STATUS","INVOICE_PAID"]`, "")
	add(2, own, "", `["PAYOUT"]`)
	add(3, own, `["PAYOUT_CHANGE_STATUS"]`, `["PAYOUT"]`)
	add(4, own, `["INVOICE_PAID"]`, `["ACCOUNT","RECURRENT"]`)
	add(5, otherAccount, `["PAYOUT_CHANGE_STATUS"]`, "")
	for _, c := range []struct {
		account, event string
		want           []int
	}{
		{"", "PAYOUT_CHANGE_STATUS", []int{1, 2, 3}},
		{own, "PAYOUT_CONFIRMED", []int{2, 3}},
		{"0x" + strings.ToUpper(own[2:]), "INVOICE_PAID", []int{1, 4}},
		{own, "TOP_UP_PENDING_COMPLIANCE", []int{4}},
		{otherAccount, "PAYOUT_CHANGE_STATUS", []int{5}},
		{otherAccount, "INVOICE_PAID", nil},
		{own, "FIAT_DEPOSIT_ORDER_CREATED", nil},
	} {
		var got []string
		for _, d := range w.Emit(simtest.Event{Type: c.event, Account: c.account}) {
			got = append(got, d.WebhookID)
		}
		var want []string
		for _, n := range c.want {
			want = append(want, subscription(n))
		}
		require.Equal(w.T, want, got, c.event)
	}
}

func deliverySuccess(w *simtest.World) {
	status := 200
	r := w.Receive(func(int) (int, string) { return status, "" })
	subscribed(w, r)
	try := func(answer int) delivery.State { status = answer; return w.Emit(payout())[0].State }
	require.Equal(w.T, delivery.Delivered, try(200))
	for _, answer := range []int{201, 202, 204, 301, 302, 307, 400, 401, 404, 410, 429, 500, 503} {
		require.Equal(w.T, delivery.Pending, try(answer), "status %d is an error", answer)
	}
	w.SetPolicy("success_statuses", "2xx")
	require.Equal(w.T, delivery.Delivered, try(204))
	require.Equal(w.T, delivery.Pending, try(302))
	call(w, change, payload("url", `"http://127.0.0.1:1/nobody"`)).OK()
	require.Equal(w.T, delivery.ClassRefused, w.Emit(payout())[0].Attempts[0].Error.Class)
}

func deliveryBind(w *simtest.World) {
	for _, bind := range []string{"attempt", "event"} {
		w.SetPolicy("bind", bind)
		old, fresh := w.Receive(always(500)), w.Receive(nil)
		before := subscribed(w, old)
		w.Emit(payout())
		after := call(w, regenerate, payload()).OK()
		call(w, change, payload("url", `"`+fresh.URL+`"`, "notificationEventTypes", `["INVOICE_PAID"]`)).OK()
		w.Advance(30 * time.Second)
		if bind == "attempt" {
			require.Len(w.T, old.Requests(), 1)
			requireSigned(w, fresh.Requests()[0], after)
		} else {
			require.Empty(w.T, fresh.Requests())
			requireSigned(w, old.Requests()[1], before)
		}
		call(w, remove, payload()).OK()
	}
}

// requireSigned checks a delivery against the keys in a reply.
func requireSigned(w *simtest.World, got simtest.Received, reply *simtest.Reply) {
	w.T.Helper()
	secret, _ := reply.Get("secretKey").(string)
	require.Equal(w.T, reply.Get("publicKey"), got.RawHeader["Key"])
	require.Equal(w.T, hmacSHA512(secret, string(got.Body)), got.RawHeader["Sign"])
}

func deliveryResign(w *simtest.World) {
	r := w.Receive(always(500))
	first := subscribed(w, r)
	w.Emit(payout())
	w.Advance(30 * time.Second)
	require.Equal(w.T, r.Requests()[0].RawHeader["Sign"], r.Requests()[1].RawHeader["Sign"])
	require.Equal(w.T, r.Requests()[0].Body, r.Requests()[1].Body)
	second := call(w, regenerate, payload()).OK()
	w.Advance(30 * time.Second)
	requireSigned(w, r.Requests()[2], second)
	w.SetPolicy("resign", false)
	call(w, regenerate, payload()).OK()
	w.Advance(time.Minute)
	requireSigned(w, r.Requests()[0], first)
	requireSigned(w, r.Requests()[3], second) // as it was, although the keys are new
}

func deliveryDisabled(w *simtest.World) {
	blocked, other := w.Receive(nil), w.Receive(nil)
	subscribed(w, blocked)
	setHealth(w, damaged())
	subscribed(w, other, "requestId", `"`+otherID+`"`)
	w.Emit(payout())
	w.Idle()
	require.Empty(w.T, blocked.Requests())
	require.Len(w.T, other.Requests(), 1)
	require.Equal(w.T, true, call(w, list, "{}").Get("subscriptions.0.enabled"))
	setHealth(w, sims.Health{})
	w.Emit(payout())
	require.Len(w.T, blocked.Requests(), 1)
}

func deliveryAfterDelete(w *simtest.World) {
	r := w.Receive(always(500))
	subscribed(w, r)
	w.Emit(payout())
	require.Equal(w.T, delivery.Pending, w.Deliveries()[0].State)
	call(w, remove, payload()).OK()
	require.Equal(w.T, delivery.Dropped, w.Deliveries()[0].State)
	again := w.Receive(nil)
	subscribed(w, again) // the same requestId, and nothing of the old subscription
	w.Idle()
	require.Len(w.T, r.Requests(), 1)
	require.Empty(w.T, again.Requests())
	require.Empty(w.T, w.Deliveries()[1:])
}
