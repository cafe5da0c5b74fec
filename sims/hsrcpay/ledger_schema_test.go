package hsrcpay_test

import (
	"maps"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func schemaTests() ledgerTests {
	return ledgerTests{
		"schema":           schemaRule,
		"schema-texts":     schemaTexts,
		"limits":           limits,
		"endpoint":         endpointRule,
		"https-in-live":    httpsInLive,
		"enabled-events":   enabledEvents,
		"unknown-event":    unknownEvent,
		"extra-properties": extraProperties,
	}
}

// refusedBy sends a body and expects this rule and these details.
func refusedBy(w *simtest.World, rule string, body any, details string) {
	w.T.Helper()
	w.Call(create, simtest.Request{Body: body}).Is(http.StatusUnprocessableEntity, invalid(details)).
		Refused(http.StatusUnprocessableEntity, rule)
}

func schemaRule(w *simtest.World) {
	refusedBy(w, "schema", `{}`, `{"endpoint":["Required"],"enabled_events":["Required"]}`)
	refusedBy(w, "schema", `{"endpoint":"","enabled_events":["a",1,""]}`, `{"enabled_events.1":["Expected string"],`+
		`"enabled_events.2":["Must not be empty"],"endpoint":["Must not be empty","Must be an absolute http or https URL"]}`)
	parameter := simtest.Request{Query: map[string]string{"account_id": ""}}
	w.Call(list, parameter).Is(http.StatusUnprocessableEntity, invalid(`{"account_id":["Must not be empty"]}`)).
		Refused(http.StatusUnprocessableEntity, "limits")

	w.SetPolicy("validation_status", "400")
	want := refusal(400, "Validation failed", "Request validation failed", `{"account_id":["Must not be empty"]}`)
	w.Call(list, parameter).Is(http.StatusBadRequest, want).Refused(http.StatusBadRequest, "limits")
	want = refusal(400, "Validation failed", "Request validation failed", `{"endpoint":["Required"],"enabled_events":["Required"]}`)
	w.Call(create, simtest.Request{Body: `{}`}).Is(http.StatusBadRequest, want)
}

func schemaTexts(w *simtest.World) {
	const events, endpoint = `"enabled_events":["a"]`, `"endpoint":"https://a.example"`
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ rule, body, details string }{
		{"endpoint", `{` + events + `}`, `{"endpoint":["Required"]}`},
		{"endpoint", `{` + events + `,"endpoint":1}`, `{"endpoint":["Expected string"]}`},
		{"endpoint", `{` + events + `,"endpoint":"ftp://a.example"}`, `{"endpoint":["Must be an absolute http or https URL"]}`},
		{"enabled-events", `{` + endpoint + `,"enabled_events":"a"}`, `{"enabled_events":["Expected array"]}`},
		{"limits", `{` + endpoint + `,"enabled_events":[]}`, `{"enabled_events":["Must contain at least 1 item"]}`},
		{"schema", `[]`, `{"body":["Expected object"]}`},
		{"schema", `null`, `{"body":["Expected object"]}`},
		{"schema", `"text"`, `{"body":["Expected object"]}`},
		{"limits", `{` + endpoint + `,` + events + `,"secret":""}`, `{"secret":["Must not be empty"]}`},
		{"limits", `{` + endpoint + `,` + events + `,"secret":"` + long + `"}`, `{"secret":["Must be at most 255 characters"]}`},
	} {
		refusedBy(w, c.rule, c.body, c.details)
	}
}

// bodyWith is an acceptable body with other members.
func bodyWith(members map[string]any) map[string]any {
	body := map[string]any{"endpoint": "https://shop.example.com", "enabled_events": []string{"payment.succeeded"}}
	maps.Copy(body, members)
	return body
}

func repeated(n int) []string {
	return strings.Split(strings.Repeat("payment.succeeded,", n-1)+"payment.succeeded", ",")
}

func limits(w *simtest.World) {
	const base = "https://shop.example.com/"
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, limit := range []struct {
		fits, over map[string]any
		details    string
	}{
		{
			map[string]any{"endpoint": base + x(2048-len(base))},
			map[string]any{"endpoint": base + x(2049-len(base))},
			`{"endpoint":["Must be at most 2048 characters"]}`,
		},
		{
			map[string]any{"enabled_events": repeated(100)},
			map[string]any{"enabled_events": repeated(101)},
			`{"enabled_events":["Must contain at most 100 items"]}`,
		},
		{
			map[string]any{"enabled_events": []string{x(100)}},
			map[string]any{"enabled_events": []string{x(101)}},
			`{"enabled_events.0":["Must be at most 100 characters"]}`,
		},
		{map[string]any{"secret": x(255)}, map[string]any{"secret": x(256)}, `{"secret":["Must be at most 255 characters"]}`},
		{map[string]any{"secret": "x"}, map[string]any{"secret": nil}, `{"secret":["Expected string"]}`},
		{nil, map[string]any{"endpoint": nil}, `{"endpoint":["Expected string"]}`},
		{nil, map[string]any{"enabled_events": nil}, `{"enabled_events":["Expected array"]}`},
	} {
		w.Call(create, simtest.Request{Body: bodyWith(limit.fits)}).OK()
		refusedBy(w, "limits", bodyWith(limit.over), limit.details)
	}
	parameterLimits(w)

	w = simtest.New(w.T, w.Provider.Sim)
	id := created(w, repeated(3)...)
	require.Equal(w.T, []any{"payment.succeeded", "payment.succeeded", "payment.succeeded"}, w.Call(list, simtest.Request{}).Get("data.0.enabled_events"))
	require.Equal(w.T, []string{id}, targets(w, sims.Event{Type: "payment.succeeded"}))
}

func parameterLimits(w *simtest.World) {
	account := func(n int) simtest.Request {
		return simtest.Request{Query: map[string]string{"account_id": strings.Repeat("x", n)}}
	}
	w.Call(list, account(64)).Refused(http.StatusNotFound, "unknown-account")
	w.Call(list, account(65)).Is(http.StatusUnprocessableEntity, invalid(`{"account_id":["Must be at most 64 characters"]}`)).
		Refused(http.StatusUnprocessableEntity, "limits")
	key := func(n int) simtest.Request {
		return simtest.Request{Body: plainBody, Header: map[string]string{"Idempotency-Key": strings.Repeat("x", n)}}
	}
	w.Call(create, key(255)).OK()
	w.Call(create, key(256)).Is(http.StatusUnprocessableEntity, invalid(`{"Idempotency-Key":["Must be at most 255 characters"]}`)).
		Refused(http.StatusUnprocessableEntity, "limits")
	empty := raw(w, http.MethodPost, "/v1/webhooks/", plainBody, secretHeader(w))
	req := w.Request(http.MethodPost, "/v1/webhooks/", "application/json", []byte(plainBody))
	req.Header["Authorization"], req.Header["Idempotency-Key"] = []string{"Bearer " + w.Credentials["secret_key"]}, []string{""}
	require.NotEqual(w.T, string(empty.Body), string(w.Send(req).OK().Body), "an empty key counts as none")
}

func endpointRule(w *simtest.World) {
	for _, endpoint := range []string{
		"http://example.com", "https://shop.example.com:8443/a?b=c#d", "http://127.0.0.1:9000/", "HTTP://EXAMPLE.COM", "http://[::1]:1/",
	} {
		reply := w.Call(create, simtest.Request{Body: bodyWith(map[string]any{"endpoint": endpoint})}).OK()
		require.Equal(w.T, endpoint, reply.Get("data.endpoint"), "as sent")
	}
	for _, endpoint := range []string{"example.com", "/hooks", "ftp://example.com", "http://", "https:///x", "http://a b.example", "x"} {
		refusedBy(w, "endpoint", bodyWith(map[string]any{"endpoint": endpoint}), `{"endpoint":["Must be an absolute http or https URL"]}`)
	}
}

func httpsInLive(w *simtest.World) {
	for _, endpoint := range []string{"http://shop.example.com", "HTTP://shop.example.com"} {
		r := simtest.Request{Body: bodyWith(map[string]any{"endpoint": endpoint}), Credentials: live(w)}
		const details = `{"endpoint":["HTTPS is required in live mode"]}`
		w.Call(create, r).Is(http.StatusUnprocessableEntity, invalid(details)).Refused(http.StatusUnprocessableEntity, "https-in-live")

		w.SetPolicy("validation_status", "400")
		w.Call(create, r).Is(http.StatusBadRequest, refusal(400, "Validation failed", "Request validation failed", details))
		w.SetPolicy("validation_status", nil)

		w.SetPolicy("live_requires_https", false)
		w.Call(create, r).OK()
		w.SetPolicy("live_requires_https", nil)

		r.Credentials = nil
		w.Call(create, r).OK()
	}
	r := simtest.Request{Body: bodyWith(map[string]any{"endpoint": "HTTPS://shop.example.com"}), Credentials: live(w)}
	w.Call(create, r).OK()
}

func enabledEvents(w *simtest.World) {
	sent := []any{"payment.succeeded", "charge.captured", "*", "payment.canceled"}
	reply := w.Call(create, simtest.Request{Body: bodyWith(map[string]any{"enabled_events": sent})}).OK()
	require.Equal(w.T, sent, reply.Get("data.enabled_events"))
	require.Equal(w.T, sent, w.Call(list, simtest.Request{}).Get("data.0.enabled_events"))
	refusedBy(w, "enabled-events", `{"endpoint":"https://a.example"}`, `{"enabled_events":["Required"]}`)
	refusedBy(w, "enabled-events", `{"endpoint":"https://a.example","enabled_events":[true]}`, `{"enabled_events.0":["Expected string"]}`)
}

func unknownEvent(w *simtest.World) {
	id := created(w, "string")
	require.Equal(w.T, []string{id}, listed(w, nil))
	for _, event := range w.Provider.Contract.Catalogue {
		require.Empty(w.T, targets(w, sims.Event{Type: event.Type}))
	}

	w.SetPolicy("unknown_events", "refuse")
	r := simtest.Request{Body: bodyWith(map[string]any{"enabled_events": []string{"string", "payment.*", "*", "Payment.succeeded", "pay.*"}})}
	const details = `{"enabled_events.0":["Unknown event type"],"enabled_events.3":["Unknown event type"],"enabled_events.4":["Unknown event type"]}`
	w.Call(create, r).Is(http.StatusUnprocessableEntity, invalid(details)).Refused(http.StatusUnprocessableEntity, "unknown-event")
	created(w, "payment.*", "*", "payment.succeeded")

	w.SetPolicy("validation_status", "400")
	w.Call(create, r).Is(http.StatusBadRequest, refusal(400, "Validation failed", "Request validation failed", details))
}

func extraProperties(w *simtest.World) {
	body := bodyWith(map[string]any{"description": "x", "enabled": false, "id": "wh_mine", "property1": nil})
	reply := w.Call(create, simtest.Request{Body: body, Query: map[string]string{"page": "2", "limit": "x"}}).OK()
	object, _ := reply.Get("data").(map[string]any)
	require.Len(w.T, object, 8)
	require.NotEqual(w.T, "wh_mine", object["id"])
	require.NotContains(w.T, w.Dump(), "description")
	require.Equal(w.T, []any{object}, w.Call(list, simtest.Request{Query: map[string]string{"page": "2"}}).OK().Get("data"))
}
