package bitpay_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func requestTests() ledgerTests {
	return ledgerTests{
		"unknown-path":          unknownPath,
		"wrong-method":          wrongMethod,
		"content-type":          contentType,
		"accept-ignored":        acceptIgnored,
		"malformed-json":        malformedJSON,
		"too-large":             tooLarge,
		"unknown-fields":        unknownFields,
		"check-order":           checkOrder,
		"success-envelope":      successEnvelope,
		"error-envelope":        errorEnvelope,
		"business-error-status": businessErrorStatus,
		"rate-limit":            rateLimit,
		"scripted-errors":       scriptedErrors(),
		"server-error":          serverError,
	}
}

func unknownPath(w *simtest.World) {
	for _, path := range []string{"/v2/webhooks/", "/v2/webhook/", "/v2/webhook/" + unknownID + "/", "/v1/webhooks", "/v2/Webhooks"} {
		reply := w.Send(w.Request(http.MethodGet, path, "", nil)).Refused(404, "unknown-path").Is(404, unsupported)
		w.Named("UnknownPath", reply)
	}
}

func wrongMethod(w *simtest.World) {
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		reply := w.Send(w.Request(method, "/v2/webhook", "", nil)).Refused(405, "wrong-method").Is(405, unsupported)
		require.Equal(w.T, "POST", reply.Header.Get("Allow"))
		w.Named("WrongMethod", reply)
	}
	w.Send(w.Request("OPTIONS", "/v2/webhook/"+unknownID, "", nil)).Is(405, unsupported)
	head := w.Send(w.Request("HEAD", "/v2/webhooks", "", nil)).Refused(405, "wrong-method")
	require.Equal(w.T, strconv.Itoa(len(unsupported)), head.Header.Get("Content-Length"))
}

func contentType(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "https://localhost/callback")
	for _, name := range []string{"createWebhook", "updateWebhook"} {
		send := func(mediaType string) *simtest.Reply {
			return w.Call(name, simtest.Request{
				Params: map[string]string{"webhookId": id},
				Body:   object{"eventType": "FUNDING_WEBHOOK", "url": "http://localhost/" + name},
				Tamper: func(r *http.Request) { setOrDelete(r.Header, "Content-Type", mediaType) },
			})
		}
		for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json2", ";"} {
			send(mediaType).Refused(415, "content-type").Is(415, unsupported)
		}
		send("Application/JSON; charset=utf-8").OK()
	}
}

func setOrDelete(header http.Header, name, value string) {
	header.Del(name)
	if value != "" {
		header.Set(name, value)
	}
}

func acceptIgnored(w *simtest.World) {
	for _, wanted := range []string{"", "text/html", "application/xml;q=1, */*;q=0", "nonsense"} {
		reply := w.Call("listWebhooks", simtest.Request{Tamper: func(r *http.Request) { setOrDelete(r.Header, "Accept", wanted) }})
		reply.Is(200, emptyList)
		require.Equal(w.T, "application/json", reply.Header.Get("Content-Type"))
	}
}

func malformedJSON(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "https://localhost/callback")
	before := w.Dump()
	bodies := []string{
		"", " ", `{"url":`, `{"url":"http://a.test"} x`, `{} {}`, `{"url":"http://a.test","url":"http://b.test"}`,
		"{\"url\":\"http://a.test/\xff\"}", `{'url':'http://a.test'}`,
	}
	for _, body := range bodies {
		set := func(r *http.Request) {
			*r = *w.Request(r.Method, strings.TrimPrefix(r.URL.Path, "/bitpay"), "application/json", []byte(body))
			r.Header.Set("X-Bh-Token", w.Credentials["token"])
		}
		w.Call("createWebhook", simtest.Request{Tamper: set}).Refused(400, "malformed-json").Is(400, malformed)
		w.Call("updateWebhook", simtest.Request{Params: map[string]string{"webhookId": id}, Tamper: set}).Refused(400, "malformed-json").Is(400, malformed)
	}
	require.Equal(w.T, before, w.Dump())
}

func tooLarge(w *simtest.World) {
	const limit = 1 << 20
	want := `{"code":-4011,"msg":"Parameter body exceeds the limit length of 1048576"}`
	body := func(n int) []byte {
		start := []byte(`{"eventType":"ORDER_WEBHOOK","url":"http://localhost","more":"`)
		return append(append(start, bytes.Repeat([]byte("x"), n-len(start)-2)...), `"}`...)
	}
	w.Call("createWebhook", simtest.Request{Body: body(limit + 1)}).Refused(413, "too-large").Is(413, want)
	w.Call("listWebhooks", simtest.Request{Body: body(limit + 1)}).Is(413, want)
	w.SetPolicy("business_error_status", "200")
	w.Call("createWebhook", simtest.Request{Body: body(limit + 1)}).Is(413, want)
	w.Call("createWebhook", simtest.Request{Body: body(limit)}).OK()
}

func unknownFields(w *simtest.World) {
	created := w.Call("createWebhook", simtest.Request{
		Query: map[string]string{"status": "x", "foo": "bar"},
		Body:  object{"eventType": "ORDER_WEBHOOK", "url": "https://localhost/callback", "status": 20, "other": object{}},
	})
	id := idOf(created)
	created.Is(200, shown(w, id, "ORDER_WEBHOOK", "https://localhost/callback", 10))
	put(w, id, object{"url": "http://b.test", "eventType": 7, "webhookId": "x"}).
		Is(200, shown(w, id, "ORDER_WEBHOOK", "http://b.test", 10))
	w.Call("listWebhooks", simtest.Request{Query: map[string]string{"page": "x"}}).OK()
}

func checkOrder(w *simtest.World) {
	bad := map[string]string{"webhookId": "bad"}
	worst := object{"status": "x", "url": "", "eventType": "x"}
	w.Call("updateWebhook", simtest.Request{Params: bad, Body: worst, Credentials: sims.Credentials{"token": "x"}}).Is(401, unauthorized)
	w.Call("updateWebhook", simtest.Request{Params: bad, Body: worst}).Is(400, invalid("webhookId"))
	put(w, unknownID, worst).Is(400, invalid("url"))
	put(w, unknownID, object{"status": "x"}).Is(400, invalid("url"))
	put(w, unknownID, object{"status": "x", "url": "http://a.test"}).Is(400, notNumeric)
	put(w, unknownID, object{"status": 20, "url": "http://a.test"}).Is(400, invalid("webhookId"))
	post(w, worst).Is(400, invalid("eventType"))
	post(w, object{"url": ""}).Is(400, invalid("eventType"))
	create(w, "ORDER_WEBHOOK", "http://a.test")
	post(w, object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}).Is(400, repeated)
	w.SetPolicy("stable_coin_event_type", false)
	post(w, object{"eventType": "STABLE_COIN_PAYMENT_WEBHOOK", "url": ""}).Is(400, invalid("eventType"))
}

func successEnvelope(w *simtest.World) {
	created := post(w, object{"eventType": "ORDER_WEBHOOK", "url": "https://localhost/callback"})
	id := idOf(created)
	created.Is(200, shown(w, id, "ORDER_WEBHOOK", "https://localhost/callback", 10))
	put(w, id, object{"url": "http://b.test"}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://b.test", 10))
	list(w, "10").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://b.test", 10)+`]}`)
	remove(w, id).Is(200, deleted)
	token := w.Call("generateToken", simtest.Request{}).OK()
	require.Regexp(w.T, `^\{"code":200,"msg":"SUCCESS","data":\{"token":"[0-9a-f-]{36}","expireTime":"[0-9]{13}"\}\}$`, string(token.Body))
}

func errorEnvelope(w *simtest.World) {
	replies := []*simtest.Reply{
		w.Send(w.Request("GET", "/nowhere", "", nil)), list(w, "x"), listWith(w, "x"), post(w, object{}), post(w, ""), remove(w, unknownID),
		generate(w, "-", "-"),
	}
	for _, reply := range replies {
		require.Regexp(w.T, `^\{"code":-[0-9]+,"msg":"[^"]+"\}$`, string(reply.Body))
	}
}

func businessErrorStatus(w *simtest.World) {
	long := "http://a.test/" + strings.Repeat("x", 2048)
	create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, policy := range []string{"400", "200"} {
		w.SetPolicy("business_error_status", policy)
		status, _ := strconv.Atoi(policy)
		before := w.Dump()
		post(w, object{"eventType": "x", "url": "http://a.test"}).Refused(status, "event-types").Is(status, invalid("eventType"))
		post(w, object{"eventType": "ORDER_WEBHOOK", "url": long}).Is(status, urlTooLong)
		post(w, object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}).Refused(status, "duplicate").Is(status, repeated)
		put(w, unknownID, object{"url": "http://a.test", "status": "x"}).Is(status, notNumeric)
		list(w, "1").Is(status, invalid("status"))
		remove(w, unknownID).Refused(status, "unknown-webhook").Is(status, invalid("webhookId"))
		post(w, "").Is(400, malformed)
		listWith(w, "x").Is(401, unauthorized)
		generate(w, "1", "-").Is(400, mandatory("signature"))
		generateAt(w, simtest.Start().Add(-time.Minute)).Is(400, outside)
		w.Send(w.Request("GET", "/nowhere", "", nil)).Is(404, unsupported)
		require.Equal(w.T, before, w.Dump())
	}
}

// rateLimit: nothing is limited, and the envelopes are ready.
func rateLimit(w *simtest.World) {
	for range 2_000 {
		list(w, "").Is(200, emptyList)
	}
	reply := w.Provider.Fail(&sims.Call{}, sims.Failure{Kind: sims.RateLimited})
	require.Equal(w.T, 429, reply.Status)
	require.Equal(w.T, `{"code":-1003,"msg":"Too many requests; current limit is 1200 requests per minute. `+
		`Please use the websocket for live updates to avoid polling the API."}`, encode(w, reply.Body))
	banned := w.Provider.Fail(&sims.Call{}, sims.Failure{Kind: sims.RateLimited, Status: 418, Message: "Way too many requests; IP banned."})
	require.Equal(w.T, 418, banned.Status)
	require.Equal(w.T, `{"code":-1003,"msg":"Way too many requests; IP banned."}`, encode(w, banned.Body))
}

func serverError(w *simtest.World) {
	reply := bitpay.New().Fail(&sims.Call{}, sims.Failure{Kind: sims.Internal})
	require.Equal(w.T, 500, reply.Status)
	require.Equal(w.T, `{"code":-1000,"msg":"An unknown error occured while processing the request."}`, encode(w, reply.Body))
}
