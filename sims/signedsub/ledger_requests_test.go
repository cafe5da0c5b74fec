package signedsub_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func requestTests() ledgerTests {
	return ledgerTests{
		"unknown-path":          unknownPath,
		"wrong-method":          wrongMethod,
		"content-type":          contentType,
		"malformed-json":        malformedJSON,
		"too-large":             tooLarge,
		"schema":                schema,
		"unknown-fields":        unknownFields,
		"check-order":           checkOrder,
		"error-envelope":        errorEnvelope,
		"error-status-000":      errorStatus000,
		"response-content-type": responseContentType,
		"no-rate-limit":         noRateLimit,
		"scripted-errors":       scriptedErrors(),
	}
}

func unknownPath(w *simtest.World) {
	for _, path := range []string{listPath + "/", createPath + "/", listPath + "/list", "/api/v2/subscription/webhook", "/"} {
		reply := raw(w, http.MethodPost, path, "{}").Refused(404, "unknown-path").Is(404, notFound)
		w.Named("UnknownPath", reply)
	}
}

func wrongMethod(w *simtest.World) {
	reply := raw(w, http.MethodGet, listPath, "").Refused(405, "wrong-method").Is(405, badRequest)
	require.Equal(w.T, "POST, DELETE", reply.Header.Get("Allow"))
	reply = raw(w, http.MethodPut, createPath, "{}").Refused(405, "wrong-method").Is(405, badRequest)
	require.Equal(w.T, "POST", reply.Header.Get("Allow"))
	w.Named("WrongMethod", reply)
}

func contentType(w *simtest.World) {
	body := fmt.Sprintf(`{"account":%q}`, w.Credentials["account"])
	for _, sent := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "*/*", "nonsense;;"} {
		w.Call(list, simtest.Request{Body: body, Tamper: tamper("Content-Type", sent)}).Refused(415, "content-type").Is(415, badRequest)
	}
	w.Call(list, simtest.Request{Body: body, Header: map[string]string{"Content-Type": ""}}).Refused(415, "content-type").Is(415, badRequest)
	for _, sent := range []string{"application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"} {
		w.Call(list, simtest.Request{Body: body, Tamper: tamper("Content-Type", sent)}).OK()
	}
}

func malformedJSON(w *simtest.World) {
	valid := fmt.Sprintf(`"account":%q,"timestamp":%s`, w.Credentials["account"], stamp(w, 0))
	exactly(w, list, "{"+valid+"}").OK()
	exactly(w, list, "").Refused(400, "malformed-json").Is(400, badRequest)
	for _, body := range []string{
		"{" + valid, "{" + valid + ",}", "{" + valid + "} {}", "{" + valid + "} x", "{" + valid + "," + valid + "}",
		"{" + valid + ",\"x\":\"\xff\xfe\"}", "\ufeff{" + valid + "}", "{'account':1}", " ",
	} {
		exactly(w, list, body).Refused(400, "malformed-json").Is(400, badRequest)
	}
}

func tooLarge(w *simtest.World) {
	const mebibyte = 1 << 20
	body := fmt.Sprintf(`{"account":%q,"timestamp":%s}`, w.Credentials["account"], stamp(w, 0))
	body += strings.Repeat(" ", mebibyte-len(body))
	exactly(w, list, body).Is(200, `{"subscriptions":[]}`)
	exactly(w, list, body+" ").Refused(413, "too-large").Is(413, badRequest)
}

func schema(w *simtest.World) {
	long := strings.Repeat("x", 2100)
	for _, wrong := range [][]string{
		{"url", ""},
		{"url", "null"},
		{"url", "7"},
		{"notificationEventTypes", `"PAYOUT_CHANGE_STATUS"`},
		{"notificationEventTypes", "[null]"},
		{"notificationEventTypes", `[""]`},
		{"notificationEventTypes", `["` + long + `"]`},
		{"notificationEventTypes", "[" + strings.Repeat(`"INVOICE_PAID",`, 100) + `"INVOICE_PAID"]`},
		{"notificationServiceTypes", "{}"},
		{"notificationServiceTypes", "[7]"},
		{"requestId", ""},
		{"requestId", "null"},
		{"requestId", "7"},
	} {
		call(w, create, payload(wrong...)).Refused(400, "schema").Is(400, badRequest)
	}
	made(w, "notificationEventTypes", "["+strings.Repeat(`"INVOICE_PAID",`, 99)+`"INVOICE_PAID"]`)
}

func unknownFields(w *simtest.World) {
	body := fmt.Sprintf(`{"nonce":1,"account":%q,"payload":%s}`, w.Credentials["account"], payload("description", `{"a":[1]}`, "enabled", "false"))
	reply := w.Call(create, simtest.Request{Body: body})
	reply.Is(200, channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook))
}

// checkOrder starts from a request with everything wrong and repairs one thing after the other.
func checkOrder(w *simtest.World) {
	made(w)
	text := map[string]string{"Content-Type": "text/plain"}
	send := func(body string, headers ...map[string]string) *simtest.Reply {
		all := map[string]string{}
		for _, some := range headers {
			maps.Copy(all, some)
		}
		return w.Call(create, simtest.Request{Body: body, Anonymous: true, Header: all})
	}
	send("{", text, map[string]string{"Key": "unknown", "Sign": "wrong"}).Is(401, invalidKey)
	send("{", text, map[string]string{"Key": w.Credentials["key"], "Sign": "wrong"}).Is(401, wrongSign)
	send("{", text, signed(w.Credentials, "{")).Refused(415, "content-type")
	send("{", signed(w.Credentials, "{")).Refused(400, "malformed-json")
	body := func(account, timestamp, payload string) string {
		return fmt.Sprintf(`{"account":%q,"timestamp":%s,"payload":%s}`, account, timestamp, payload)
	}
	exactly(w, create, body("x", "0", "[]")).Refused(400, "timestamp-window").Is(400, badTimestamp)
	exactly(w, create, body("x", stamp(w, 0), "[]")).Refused(400, "schema")
	exactly(w, create, body(otherAccount, stamp(w, 0), payload("notificationEventTypes", "[]"))).Refused(400, "event-types-required")
	exactly(w, create, body(otherAccount, stamp(w, 0), payload())).Refused(400, "unknown-account")
	exactly(w, create, body(w.Credentials["account"], stamp(w, 0), payload())).Is(400, exists)
	exactly(w, change, body(w.Credentials["account"], stamp(w, 0), payload("requestId", `"`+otherID+`"`, "notificationEventTypes", `["NO"]`))).
		Refused(400, "unknown-event-type")
	exactly(w, change, body(otherAccount, stamp(w, 0), payload("requestId", `"`+otherID+`"`))).Refused(400, "unknown-account")
}

func errorEnvelope(w *simtest.World) {
	made(w)
	for _, reply := range []*simtest.Reply{
		raw(w, http.MethodPost, "/x", "").Is(404, notFound), raw(w, http.MethodPut, listPath, "").Is(405, badRequest),
		call(w, create, "7").Is(400, badRequest), call(w, create, payload()).Is(400, exists),
		w.Call(list, simtest.Request{Anonymous: true}).Is(401, invalidKey),
		w.Call(list, simtest.Request{Body: "{}", Tamper: tamper("Sign", "x")}).Is(401, wrongSign),
		callFor(w, otherAccount, list, "{}").Is(400, notFound), exactly(w, list, "{}").Is(400, badTimestamp),
	} {
		require.Equal(w.T, "application/json", reply.Header.Get("Content-Type"))
	}
}

// errorStatus000 makes the simulator fail on a stored row that is no subscription.
func errorStatus000(w *simtest.World) {
	made(w)
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	state.Tables["signedsub/subscriptions"][0].Value = []byte(`"damaged"`)
	require.NoError(w.T, w.Sandbox.Import(state))
	reply := raw(w, http.MethodPost, listPath, fmt.Sprintf(`{"account":%q,"timestamp":%s}`, w.Credentials["account"], stamp(w, 0)))
	w.Named("InternalError", reply.Is(500, internalError))
}

func responseContentType(w *simtest.World) {
	require.Equal(w.T, "application/json", made(w).Header.Get("Content-Type"))
	require.Equal(w.T, "application/json", call(w, list, "{}").OK().Header.Get("Content-Type"))
	require.Equal(w.T, "application/json", call(w, create, payload()).Is(400, exists).Header.Get("Content-Type"))
	require.NotContains(w.T, call(w, remove, payload()).OK().Header, "Content-Type")
}

func noRateLimit(w *simtest.World) {
	for range 500 {
		call(w, list, "{}").Is(200, `{"subscriptions":[]}`)
	}
}
