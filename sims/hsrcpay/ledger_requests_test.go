package hsrcpay_test

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func requestTests() ledgerTests {
	return ledgerTests{
		"base-path":               basePath,
		"trailing-slash":          trailingSlash,
		"no-other-operations":     noOtherOperations,
		"unknown-path":            unknownPath,
		"wrong-method":            wrongMethod,
		"content-type":            contentType,
		"malformed-json":          malformedJSON,
		"too-large":               tooLarge,
		"get-body":                getBody,
		"check-order":             checkOrder,
		"refusal-changes-nothing": refusalChangesNothing,
	}
}

func secretHeader(w *simtest.World) map[string]string {
	return map[string]string{"Authorization": "Bearer " + w.Credentials["secret_key"], "Content-Type": "application/json"}
}

func basePath(w *simtest.World) {
	require.Equal(w.T, http.StatusCreated, raw(w, http.MethodPost, "/v1/webhooks/", plainBody, secretHeader(w)).Status)
	require.Equal(w.T, http.StatusOK, raw(w, http.MethodGet, "/v1/webhooks/", "", secretHeader(w)).Status)
	raw(w, http.MethodGet, "/webhooks/", "", secretHeader(w)).Refused(http.StatusNotFound, "unknown-path")

	req := w.Request(http.MethodGet, "/v1/webhooks/", "", nil)
	req.URL.Path, req.Host = "/v1/webhooks/", "api.hsrcpay.com"
	req.Header.Set("Authorization", "Bearer "+w.Credentials["secret_key"])
	require.Equal(w.T, http.StatusOK, w.Send(req).Status, "the real host needs no prefix")
}

func trailingSlash(w *simtest.World) {
	post := raw(w, http.MethodPost, "/v1/webhooks", plainBody, secretHeader(w))
	require.Equal(w.T, http.StatusCreated, post.Status)
	require.Empty(w.T, post.Header.Get("Location"))
	without := raw(w, http.MethodGet, "/v1/webhooks", "", secretHeader(w))
	with := raw(w, http.MethodGet, "/v1/webhooks/", "", secretHeader(w))
	without.Is(http.StatusOK, string(with.Body))
}

func noOtherOperations(w *simtest.World) {
	id := created(w, "*")
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete} {
		for _, path := range []string{id, id + "/", id + "/rotate", id + "/deliveries", id + "/deliveries/1/resend", id + "/secret"} {
			raw(w, method, "/v1/webhooks/"+path, "{}", secretHeader(w)).Refused(http.StatusNotFound, "unknown-path")
		}
	}
	require.Equal(w.T, []string{id}, listed(w, nil))
}

func unknownPath(w *simtest.World) {
	want := refusal(404, "Not found", "Route not found", "{}")
	for _, path := range []string{"/", "/v1", "/v2/webhooks/", "/v1/webhooks//", "/v1/Webhooks/", "/v1/payments/"} {
		raw(w, http.MethodGet, path, "", nil).Is(http.StatusNotFound, want).Refused(http.StatusNotFound, "unknown-path")
	}
}

func wrongMethod(w *simtest.World) {
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, path := range []string{"/v1/webhooks/", "/v1/webhooks"} {
			reply := raw(w, method, path, plainBody, secretHeader(w)).Refused(http.StatusMethodNotAllowed, "wrong-method")
			reply.Is(http.StatusMethodNotAllowed, refusal(405, "Method not allowed", "Method not allowed", "{}"))
			require.Equal(w.T, "GET, POST", reply.Header.Get("Allow"))
		}
	}
}

func contentType(w *simtest.World) {
	want := refusal(415, "Unsupported media type", "Content-Type must be application/json", "{}")
	for _, sent := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ";"} {
		header := secretHeader(w)
		header["Content-Type"] = sent
		raw(w, http.MethodPost, "/v1/webhooks/", plainBody, header).Is(http.StatusUnsupportedMediaType, want).
			Refused(http.StatusUnsupportedMediaType, "content-type")
		raw(w, http.MethodPost, "/v1/webhooks/", "", header).Refused(http.StatusBadRequest, "malformed-json")
	}
	for _, sent := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		header := secretHeader(w)
		header["Content-Type"] = sent
		require.Equal(w.T, http.StatusCreated, raw(w, http.MethodPost, "/v1/webhooks/", plainBody, header).Status, sent)
	}
}

func malformedJSON(w *simtest.World) {
	want := refusal(400, "Bad request", "Request body is not valid JSON", "{}")
	for name, body := range map[string]string{
		"empty": "", "blank": " \n", "truncated": plainBody[:20], "no JSON": "endpoint=x", "not UTF-8": "{\"endpoint\":\"\xff\"}",
		"further data": plainBody + "{}", "key twice": `{"endpoint":"http://a.example","endpoint":"http://b.example"}`,
	} {
		reply := raw(w, http.MethodPost, "/v1/webhooks/", body, secretHeader(w))
		require.Equal(w.T, want, string(reply.Body), name)
		reply.Refused(http.StatusBadRequest, "malformed-json")
	}
}

func tooLarge(w *simtest.World) {
	const limit = 1 << 20
	head, tail := strings.TrimSuffix(plainBody, "}")+`,"filler":"`, `"}`
	fits := head + strings.Repeat("x", limit-len(head)-len(tail)) + tail
	require.Len(w.T, fits, limit)
	require.Equal(w.T, http.StatusCreated, raw(w, http.MethodPost, "/v1/webhooks/", fits, secretHeader(w)).Status)

	want := refusal(413, "Payload too large", "Request body must be at most 1048576 bytes", "{}")
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		raw(w, method, "/v1/webhooks/", fits+" ", secretHeader(w)).Is(http.StatusRequestEntityTooLarge, want).
			Refused(http.StatusRequestEntityTooLarge, "too-large")
	}
}

func getBody(w *simtest.World) {
	created(w, "*")
	want := string(w.Call(list, simtest.Request{}).OK().Body)
	for _, sent := range []string{"application/json", "text/plain", "application/xml", ""} {
		header := secretHeader(w)
		header["Content-Type"] = sent
		raw(w, http.MethodGet, "/v1/webhooks/", `{"broken`, header).Is(http.StatusOK, want)
	}
}

// checkOrder repairs one fault after the other: each time the next check speaks.
func checkOrder(w *simtest.World) {
	w.SetPolicy("unknown_events", "refuse")
	key := map[string]string{"Idempotency-Key": "used"}
	w.Call(create, simtest.Request{Body: plainBody, Header: key, Credentials: live(w)}).OK()

	method, path, body, query := http.MethodDelete, "/v1/nothing/", `{"endpoint":`, "?account_id="
	header := map[string]string{"Content-Type": "text/plain", "Idempotency-Key": "used"}
	fails := func(status int, rule string) {
		w.T.Helper()
		raw(w, method, path+query, body, header).Refused(status, rule)
	}
	fails(404, "unknown-path")
	path = "/v1/webhooks/"
	fails(405, "wrong-method")
	method = http.MethodPost
	fails(401, "credentials")
	header["Authorization"] = "Bearer " + w.Credentials["publishable_key"]
	fails(403, "permission")
	header["Authorization"] = "Bearer " + w.Credentials["live_secret_key"]
	fails(415, "content-type")
	header["Content-Type"] = "application/json"
	fails(400, "malformed-json")
	body = `{"endpoint":"http://shop.example.com","enabled_events":["string"],"secret":""}`
	fails(422, "limits")
	body = `{"endpoint":"http://shop.example.com","enabled_events":["string"]}`
	fails(422, "limits")
	query = "?account_id=acct_000000000000000000000000"
	fails(422, "unknown-event")
	body = `{"endpoint":"http://shop.example.com","enabled_events":["payment.succeeded"]}`
	fails(422, "https-in-live")
	body = `{"endpoint":"https://shop.example.com","enabled_events":["payment.succeeded"]}`
	fails(404, "unknown-account")
	query = ""
	fails(409, "idempotency-conflict")
	header["Idempotency-Key"] = "new"
	require.Equal(w.T, http.StatusCreated, raw(w, method, path, body, header).Status)
}

func refusalChangesNothing(w *simtest.World) {
	w.Call(create, simtest.Request{Body: plainBody, Header: map[string]string{"Idempotency-Key": "used"}}).OK()
	before := w.Dump()
	key := map[string]string{"Idempotency-Key": "fresh"}
	other := `{"endpoint":"http://other.example.com","enabled_events":["string"]}`
	w.Call(create, simtest.Request{Body: other, Header: map[string]string{"Idempotency-Key": "used"}}).Refused(409, "idempotency-conflict")
	w.Call(create, simtest.Request{Body: `{}`, Header: key}).Refused(422, "schema")
	w.Call(create, simtest.Request{Body: `{`, Header: key}).Refused(400, "malformed-json")
	w.Call(create, simtest.Request{Body: other, Header: key, Credentials: live(w)}).Refused(422, "https-in-live")
	w.Call(create, simtest.Request{Body: other, Header: key, Query: map[string]string{"account_id": "x"}}).Refused(404, "unknown-account")
	w.Call(create, simtest.Request{Body: other, Header: key, Anonymous: true}).Refused(401, "credentials")
	require.Equal(w.T, before, w.Dump())
	w.Call(create, simtest.Request{Body: plainBody, Header: key}).OK()
	require.Len(w.T, listed(w, nil), 2, "the key was not used up")
}
