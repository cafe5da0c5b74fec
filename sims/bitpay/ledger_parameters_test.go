package bitpay_test

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func parameterTests() ledgerTests {
	return ledgerTests{
		"schema":                 schema,
		"url-format":             urlFormat,
		"url-any-host":           urlAnyHost,
		"url-length":             urlLength,
		"url-required":           urlRequired,
		"numeric":                numeric,
		"event-types":            eventTypes,
		"event-type-stable-coin": eventTypeStableCoin,
		"status-put":             statusPut,
		"list-status":            listStatus,
		"unknown-webhook":        unknownWebhook,
	}
}

func encode(w *simtest.World, v any) string {
	data, err := strictjson.Encode(v)
	require.NoError(w.T, err)
	return string(data)
}

func schema(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	before := w.Dump()
	for _, body := range []string{"null", "[]", "1", `"x"`, "true"} {
		post(w, body).Refused(400, "schema").Is(400, invalid("body"))
		put(w, id, body).Refused(400, "schema").Is(400, invalid("body"))
	}
	for _, value := range []any{nil, "", 5, true, []string{"ORDER_WEBHOOK"}, object{}} {
		post(w, object{"eventType": value, "url": "http://b.test"}).Refused(400, "schema").Is(400, invalid("eventType"))
		post(w, object{"eventType": "ORDER_WEBHOOK", "url": value}).Refused(400, "schema").Is(400, invalid("url"))
		put(w, id, object{"url": value}).Refused(400, "schema").Is(400, invalid("url"))
	}
	post(w, object{}).Is(400, invalid("eventType"))
	put(w, id, object{"url": "http://b.test", "status": nil}).Refused(400, "schema").Is(400, invalid("status"))
	require.Equal(w.T, before, w.Dump())
}

func urlFormat(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, bad := range []string{
		"callback", "/callback", "//a.test/callback", "ftp://a.test", "https://", "http:///x", "javascript:alert(1)", "http://a.test:0",
		"http://a.test:99999", "http://a b.test", "http://a.test/\n", "http://[::1", "HTTP//a.test",
	} {
		post(w, object{"eventType": "ORDER_WEBHOOK", "url": bad}).Refused(400, "url-format").Is(400, invalid("url"))
		put(w, id, object{"url": bad}).Refused(400, "url-format").Is(400, invalid("url"))
	}
	require.Equal(w.T, []string{id}, ids(w, ""))
}

func urlAnyHost(w *simtest.World) {
	for _, good := range []string{
		"https://localhost/callback", "http://localhost:8080", "http://127.0.0.1:9/x?y=z&a=b", "http://10.0.0.7/cb", "http://[::1]:8080/",
		"https://host.docker.internal/hook", "http://app:3000/hook", "https://merchant.example/velafi",
	} {
		reply := post(w, object{"eventType": "ORDER_WEBHOOK", "url": good})
		reply.Is(200, shown(w, idOf(reply), "ORDER_WEBHOOK", good, 10))
		put(w, idOf(reply), object{"url": good}).Is(200, string(reply.Body))
	}
}

func urlLength(w *simtest.World) {
	long := "http://a.test/" + strings.Repeat("x", 2048-len("http://a.test/"))
	id := create(w, "ORDER_WEBHOOK", long)
	put(w, id, object{"url": long}).OK()
	for _, tooLong := range []string{long + "x", strings.Repeat("x", 2049)} {
		post(w, object{"eventType": "ORDER_WEBHOOK", "url": tooLong}).Refused(400, "url-length").Is(400, urlTooLong)
		put(w, id, object{"url": tooLong, "status": 20}).Refused(400, "url-length").Is(400, urlTooLong)
	}
	post(w, object{"eventType": "x", "url": long + "x"}).Is(400, invalid("eventType"))
}

func urlRequired(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	put(w, id, object{"status": 20}).Refused(400, "url-required").Is(400, invalid("url"))
	put(w, id, object{}).Refused(400, "url-required").Is(400, invalid("url"))
	require.Equal(w.T, []string{id}, ids(w, "10"))
}

func numeric(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, value := range []any{"20", "x", "", true, []int{20}, object{"status": 20}} {
		put(w, id, object{"url": "http://a.test", "status": value}).Refused(400, "numeric").Is(400, notNumeric)
	}
	for _, value := range []string{"x", "ten", "10x", "true", "null", "0x10"} {
		list(w, value).Refused(400, "numeric").Is(400, notNumeric)
	}
	w.Call("listWebhooks", simtest.Request{Query: map[string]string{"status": ""}}).Refused(400, "numeric").Is(400, notNumeric)
	put(w, id, object{"url": "http://a.test", "status": 10.5}).Refused(400, "status-put").Is(400, invalid("status"))
	put(w, id, `{"url":"http://a.test","status":2e1}`).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", 20))
	list(w, "10.5").Refused(400, "list-status").Is(400, invalid("status"))
	list(w, "99999999999999999999").Is(400, invalid("status"))
}

func eventTypes(w *simtest.World) {
	for _, good := range []string{"ORDER_WEBHOOK", "GLOBAL_PAYMENT_WEBHOOK", "FUNDING_WEBHOOK", "ON_RAMP_WITHDRAW_WEBHOOK"} {
		reply := post(w, object{"eventType": good, "url": "http://a.test"})
		reply.Is(200, shown(w, idOf(reply), good, "http://a.test", 10))
	}
	for _, bad := range []string{"order_webhook", "ORDER_WEBHOOK ", "MERCHANT_TRADE_WEBHOOK", "*", "ORDER"} {
		post(w, object{"eventType": bad, "url": "http://a.test"}).Refused(400, "event-types").Is(400, invalid("eventType"))
	}
}

func eventTypeStableCoin(w *simtest.World) {
	stable := object{"eventType": "STABLE_COIN_PAYMENT_WEBHOOK", "url": "http://a.test"}
	w.SetPolicy("stable_coin_event_type", false)
	post(w, stable).Refused(400, "event-type-stable-coin").Is(400, invalid("eventType"))
	post(w, object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}).OK()
	w.SetPolicy("stable_coin_event_type", true)
	reply := post(w, stable)
	reply.Is(200, shown(w, idOf(reply), "STABLE_COIN_PAYMENT_WEBHOOK", "http://a.test", 10))
	w.SetPolicy("stable_coin_event_type", false)
	require.Empty(w.T, w.Emit(simtest.Event{Type: "STABLE_COIN_PAYMENT_WEBHOOK"}))
}

func statusPut(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, status := range []int{20, 10} {
		put(w, id, object{"url": "http://a.test", "status": status}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", status))
	}
	put(w, id, object{"url": "http://a.test", "status": 1}).OK()
	for _, status := range []any{30, 0, 2, 11, -10, 100, 1e15} {
		put(w, id, object{"url": "http://b.test", "status": status}).Refused(400, "status-put").Is(400, invalid("status"))
	}
	list(w, "10").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://a.test", 10)+`]}`)
}

func listStatus(w *simtest.World) {
	active, disabled, gone := create(w, "ORDER_WEBHOOK", "http://a.test"), create(w, "ORDER_WEBHOOK", "http://b.test"), create(w, "ORDER_WEBHOOK", "http://c.test")
	put(w, disabled, object{"url": "http://b.test", "status": 20}).OK()
	remove(w, gone).OK()
	require.Equal(w.T, []string{active}, ids(w, "10"))
	require.Equal(w.T, []string{disabled}, ids(w, "20"))
	require.Equal(w.T, []string{gone}, ids(w, "30"))
	for _, other := range []string{"1", "0", "-10", "11", "40"} {
		list(w, other).Refused(400, "list-status").Is(400, invalid("status"))
	}
}

func unknownWebhook(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, other := range []string{unknownID, "1", strings.ToUpper(id), id + "0", id[:31], "a/b", "%", " ", "ü", "../webhooks"} {
		put(w, other, object{"url": "http://b.test"}).Refused(400, "unknown-webhook").Is(400, invalid("webhookId"))
		remove(w, other).Refused(400, "unknown-webhook").Is(400, invalid("webhookId"))
	}
	list(w, "").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://a.test", 10)+`]}`)
	giveAway(w)
	put(w, id, object{"url": "http://b.test"}).Refused(400, "unknown-webhook").Is(400, invalid("webhookId"))
	remove(w, id).Refused(400, "unknown-webhook").Is(400, invalid("webhookId"))
}

// giveAway makes every webhook that of another account.
func giveAway(w *simtest.World) {
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	rows := state.Tables["bitpay/webhooks"]
	account := `"account":"` + neutral(w)[0].Account + `"`
	for i := range rows {
		require.Contains(w.T, string(rows[i].Value), account)
		rows[i].Value = []byte(strings.Replace(string(rows[i].Value), account, `"account":"1"`, 1))
	}
	require.NoError(w.T, w.Sandbox.Import(state))
}
