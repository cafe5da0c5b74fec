package bts_test

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

// requestTests has what holds for every operation.
func requestTests() ledgerTests {
	return ledgerTests{
		"unknown-path":    unknownPathTest,
		"wrong-method":    wrongMethodTest,
		"methods":         methodsTest,
		"content-type":    contentTypeTest,
		"accept-header":   acceptTest,
		"malformed-json":  malformedJSONTest,
		"too-large":       tooLargeTest,
		"schema":          schemaTest,
		"body-required":   bodyRequiredTest,
		"body-not-object": bodyNotObjectTest,
		"unknown-fields":  unknownFieldsTest,
		"error-envelopes": errorEnvelopesTest,
		"error-type-key":  errorTypeKeyTest,
		"framework-texts": frameworkTextsTest,
		"language":        languageTest,
		"json-encoding":   jsonEncodingTest,
		"check-order":     checkOrderTest,
		"rate-limit":      rateLimitTest,
		"scripted-errors": scriptedErrors(),
	}
}

func methodsTest(w *world) {
	for op, refused := range map[string]string{"configureWebhook": "post_only", "configureWebhookByPost": "get_only"} {
		w.SetPolicy("methods", "both")
		w.Call(op, request{Body: good(w, op)}).Is(200, configured("https://test.uz", "2026-01-08", false, "production", ""))
		w.SetPolicy("methods", refused)
		allowed := strings.ToUpper(strings.TrimSuffix(refused, "_only"))
		want := strings.ReplaceAll(onlyGetAndPost, "GET, POST", allowed)
		reply := w.Call(op, request{Body: good(w, op), Anonymous: true}).Refused(405, "methods").Is(405, want)
		require.Equal(w.T, allowed, reply.Header.Get("Allow"))
		reply = w.Send(w.Request(http.MethodPatch, configPath, "", nil)).Is(405, want)
		require.Equal(w.T, allowed, reply.Header.Get("Allow"))
		reply = w.Send(w.Request(http.MethodPatch, "/auth/login", "", nil))
		require.Equal(w.T, "POST", reply.Header.Get("Allow"))
	}
	w.SetPolicy("methods", "get_only")
	w.Call("configureWebhook", request{Body: good(w, "")}).OK()
	w.SetPolicy("methods", "post_only")
	w.Call("configureWebhookByPost", request{Body: good(w, "")}).OK()
}

func contentTypeTest(w *world) {
	for _, op := range operations() {
		for _, refused := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "json", ";"} {
			withHeader(w, op, "Content-Type", refused).Refused(415, "content-type").Is(415, unsupportedType)
		}
		for _, accepted := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
			withHeader(w, op, "Content-Type", accepted).OK()
		}
		w.Call(op, request{Tamper: func(r *http.Request) { r.Header.Del("Content-Type") }}).Is(422, nothing(op))
	}
}

func acceptTest(w *world) {
	for _, op := range operations() {
		w.SetPolicy("accept_header", "required")
		withHeader(w, op, "Accept", "").Refused(406, "accept-header").Is(406, notAcceptable)
		for _, refused := range []string{"text/html", "application/xml, text/*;q=0.5", "application/json;q=0", "json", "application/jsonx", ","} {
			withHeader(w, op, "Accept", refused).Refused(406, "accept-header").Is(406, notAcceptable)
		}
		for _, accepted := range []string{"application/json", "*/*", "application/*", "text/html, APPLICATION/JSON; q=0.1", "text/html,*/*;q=0.8", "application/json; v=1"} {
			withHeader(w, op, "Accept", accepted).OK()
		}
		w.SetPolicy("accept_header", "optional")
		withHeader(w, op, "Accept", "").OK()
		withHeader(w, op, "Accept", "text/html").Refused(406, "accept-header")
	}
}

func frameworkTextsTest(w *world) {
	for policy, texts := range map[string]map[sims.Kind]string{
		"uz": {sims.UnknownPath: "Sahifa topilmadi.", sims.Forbidden: "Sizga ushbu amalni bajarishga ruhsat berilmagan.", sims.Internal: "Serverning ichki xatoligi yuz berdi."},
		"en": {sims.UnknownPath: "Page not found.", sims.Forbidden: "You are not allowed to perform this action.", sims.Internal: "An internal server error occurred."},
	} {
		w.SetPolicy("framework_texts", policy)
		for kind, text := range texts {
			_, body := rendered(w, kind)
			require.Contains(w.T, body, `"message":"`+text+`"`)
		}
		require.Equal(w.T, texts[sims.UnknownPath], w.Send(w.Request(http.MethodGet, "/x", "", nil)).Get("message"))
		// What Yii2 does not translate is in English under both.
		as(w, "x").Is(401, unauthorized)
		w.Call("login", request{Body: "{"}).Is(400, badRequest)
		withHeader(w, "login", "Accept", "").Is(406, notAcceptable)
		withHeader(w, "login", "Content-Type", "").Is(415, unsupportedType)
		w.Send(w.Request(http.MethodPut, configPath, "", nil)).Is(405, onlyGetAndPost)
	}
}

// checkOrderTest repairs one fault after the other, from the first that is looked at to the last.
func checkOrderTest(w *world) {
	for _, op := range configOperations() {
		method := w.Provider.Contract.Operations[op].Method
		send := func(method, path, token, accept, contentType, body string) *http.Request {
			r := w.Request(method, path, contentType, []byte(body))
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Accept", accept)
			return r
		}
		token := w.Credentials["token"]
		w.Send(send("PUT", "/x", "x", "x/x", "x/x", "{")).Is(404, notFound)
		w.Send(send("PUT", configPath, "x", "x/x", "x/x", "{")).Is(405, onlyGetAndPost)
		w.Send(send(method, configPath, "x", "x/x", "x/x", "{")).Is(401, unauthorized)
		w.Send(send(method, configPath, token, "x/x", "x/x", "{")).Refused(406, "accept-header").Is(406, notAcceptable)
		w.Send(send(method, configPath, token, "*/*", "x/x", "{")).Is(415, unsupportedType)
		w.Send(send(method, configPath, token, "*/*", "application/json", "{")).Is(400, badRequest)
		w.Send(send(method, configPath, token, "*/*", "application/json", "{}")).Is(422, documented422)
	}
	for _, op := range []string{"login", "refresh"} {
		open := func(accept, contentType, body string) *http.Request {
			r := w.Request(http.MethodPost, pathOf(op), contentType, []byte(body))
			r.Header.Set("Accept", accept)
			return r
		}
		w.Send(open("x/x", "x/x", "{")).Is(406, notAcceptable)
		w.Send(open("x/x", "application/json", "{")).Is(406, notAcceptable)
		w.Send(open("x/x", "application/json", "{}")).Is(406, notAcceptable)
		w.Send(open("*/*", "x/x", "{")).Is(415, unsupportedType)
		w.Send(open("*/*", "application/json", "{")).Is(400, badRequest)
		w.Send(open("*/*", "application/json", "{}")).Is(422, nothing(op))
	}
}

func unknownPathTest(w *world) {
	for _, path := range []string{"/", "/auth", "/auth/login/", "/v1/webhook/webhook-config/", "/V1/webhook/webhook-config"} {
		w.Send(w.Request(http.MethodGet, path, "", nil)).Refused(404, "unknown-path").Is(404, notFound)
	}
}

func wrongMethodTest(w *world) {
	reply := w.Send(w.Request(http.MethodPut, configPath, "", nil)).Refused(405, "wrong-method").Is(405, onlyGetAndPost)
	require.Equal(w.T, "GET, POST", reply.Header.Get("Allow"))
	reply = w.Send(w.Request(http.MethodGet, "/auth/login", "", nil)).Refused(405, "wrong-method")
	require.Equal(w.T, "POST", reply.Header.Get("Allow"))
	require.Equal(w.T, "Method Not Allowed. This URL can only handle the following request methods: POST.", reply.Get("message"))
}

func malformedJSONTest(w *world) {
	bodies := []string{`{"a":`, `{"a":1} {}`, `{"a":1,"a":1}`, "{\"a\":\"\xff\"}", ` `, `{'a':1}`, strings.Repeat("[", 20_000)}
	for _, op := range operations() {
		for _, body := range bodies {
			w.Call(op, request{Body: body}).Refused(400, "malformed-json").Is(400, badRequest)
		}
	}
}

func tooLargeTest(w *world) {
	for _, op := range operations() {
		w.Call(op, request{Body: strings.Repeat(" ", engine.MaxBody+1)}).Refused(413, "too-large").Is(413, tooLarge)
	}
	w.Call("login", request{Body: `{"login":"username","password":"password"}` + strings.Repeat(" ", engine.MaxBody-42)}).OK()
}

func schemaTest(w *world) {
	for _, op := range configOperations() {
		w.Call(op, request{Body: object{"itx-apiKey": 1, "has_token": 1, "environment": "x", "webhook_url": "x"}}).Refused(422, "schema").
			Is(422, invalid("\"webhook_url\":[\"URL notog‘ri\"],\"environment\":[\"Notog‘ri environment\"],"+
				"\"has_token\":[\"«Has Token» qiymati «true» yoki «false» bo`lishi kerak.\"],\"itx-apiKey\":[\"«Itx Api Key» qiymati satr bo`lishi kerak.\"]"))
	}
	w.Call("login", request{Body: object{"password": 1, "login": ""}}).Refused(422, "auth-fields").
		Is(422, invalid("\"login\":[\"«Login» to`ldirish shart.\"],\"password\":[\"«Password» qiymati satr bo`lishi kerak.\"]"))
}

func bodyRequiredTest(w *world) {
	configure(w, nil).OK()
	for _, op := range operations() {
		w.Call(op, request{}).Refused(422, "body-required").Is(422, nothing(op))
	}
}

func bodyNotObjectTest(w *world) {
	for _, op := range operations() {
		for _, body := range []string{`null`, `[]`, `[{"login":"username"}]`, `1`, `"x"`, `true`} {
			w.Call(op, request{Body: body}).Refused(422, "body-not-object").Is(422, nothing(op))
		}
	}
}

func unknownFieldsTest(w *world) {
	for _, op := range operations() {
		body := good(w, op)
		body["x"], body["Webhook_URL"], body["method"] = object{"a": []any{nil}}, 1, strings.Repeat("x", 5000)
		w.Call(op, request{Body: body}).OK()
	}
	require.Equal(w.T, "https://test.uz", hooks(w)[0].URL)
}

func errorEnvelopesTest(w *world) {
	framework := []string{"name", "message", "code", "status", "type"}
	replies := map[int]string{400: badRequest, 401: unauthorized, 404: notFound, 405: onlyGetAndPost, 406: notAcceptable, 413: tooLarge, 415: unsupportedType}
	for kind, status := range map[sims.Kind]int{sims.Forbidden: 403, sims.RateLimited: 429, sims.Internal: 500} {
		reply, body := rendered(w, kind)
		require.Equal(w.T, status, reply.Status)
		replies[status] = body
	}
	for status, body := range replies {
		require.Equal(w.T, framework, keysInOrder(w.T, body), status)
	}
	require.Equal(w.T, []string{"status", "message", "status_code", "errors"}, keysInOrder(w.T, string(w.Call("login", request{}).Body)))
}

func errorTypeKeyTest(w *world) {
	as(w, "x").Is(401, unauthorized)
	w.SetPolicy("error_type", false)
	as(w, "x").Is(401, `{"name":"Unauthorized","message":"Your request was made with invalid credentials.","code":0,"status":401}`)
}

func languageTest(w *world) {
	for _, language := range []string{"", "uz", "ru", "en", "xx", strings.Repeat("x", 200)} {
		for _, op := range operations() {
			r := request{Header: map[string]string{"language": language}}
			w.Call(op, r).Is(422, nothing(op))
			r.Body = good(w, op)
			w.Call(op, r).OK()
		}
	}
}

func jsonEncodingTest(w *world) {
	reply := configure(w, object{"webhook_url": "https://test.uz/a?b=<c>&d=é"}).
		Is(200, configured("https://test.uz/a?b=<c>&d=é", "2026-01-08", false, "production", ""))
	require.Equal(w.T, "application/json; charset=UTF-8", reply.Header.Get("Content-Type"))
	for _, reply := range []string{"Content-Type", "Accept"} {
		require.Equal(w.T, "application/json; charset=UTF-8", withHeader(w, "login", reply, "text/x").Header.Get("Content-Type"))
	}
	require.Contains(w.T, documented422, "notog\u2018ri")
	configure(w, object{"webhook_url": "", "environment": ""}).Is(422, documented422)
}

func rateLimitTest(w *world) {
	for range 200 {
		w.Call("configureWebhook", request{Body: good(w, "configureWebhook")}).OK()
	}
	reply, body := rendered(w, sims.RateLimited)
	require.Equal(w.T, `{"name":"Too Many Requests","message":"Rate limit exceeded.","code":0,"status":429,"type":"yii\\web\\TooManyRequestsHttpException"}`, body)
	require.Equal(w.T, http.Header{"X-Rate-Limit-Limit": {"100"}, "X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {"60"}}, reply.Header)
}
