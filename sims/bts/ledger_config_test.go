package bts_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

const (
	urlInvalid         = `"webhook_url":["URL notog‘ri"]`
	environmentInvalid = `"environment":["Notog‘ri environment"]`
	keyTooLong         = "\"itx-apiKey\":[\"«Itx Api Key» qiymati maksimum 255 belgidan oshmasligi kerak.\"]"
	urlTooLong         = "\"webhook_url\":[\"«Webhook Url» qiymati maksimum 2048 belgidan oshmasligi kerak.\"]"
)

// refusedConfig sends one faulty field by both methods.
func refusedConfig(w *world, rule, name string, value any, errors string) {
	w.T.Helper()
	for _, op := range configOperations() {
		body := good(w, op)
		body[name] = value
		before := w.Dump()
		w.Call(op, request{Body: body}).Refused(422, rule).Is(422, invalid(errors))
		require.Equal(w.T, before, w.Dump())
	}
}

// configTests has the webhook configuration.
func configTests() ledgerTests {
	return ledgerTests{
		"url-invalid":         urlInvalidTest,
		"url-hosts":           urlHostsTest,
		"environment-invalid": environmentInvalidTest,
		"has-token-type":      hasTokenTypeTest,
		"itx-api-key-type":    itxAPIKeyTypeTest,
		"itx-api-key-value":   itxAPIKeyValueTest,
		"too-long":            tooLongTest,
		"optional-fields":     optionalFieldsTest,
		"upsert":              upsertTest,
		"configured-reply":    configuredReplyTest,
		"configured-date":     configuredDateTest,
		"no-read":             noReadTest,
	}
}

func upsertTest(w *world) {
	configure(w, object{"webhook_url": "https://a.uz", "has_token": true, "itx-apiKey": "k"}).
		Is(200, configured("https://a.uz", "2026-01-08", true, "production", "k"))
	configure(w, object{"webhook_url": "https://b.uz", "environment": "test", "has_token": true}).
		Is(200, configured("https://b.uz", "2026-01-08", true, "test", ""))
	later := simtest.Start().Add(48 * time.Hour)
	w.SetNow(later)
	configure(w, object{"webhook_url": "https://c.uz"}).Is(200, configured("https://c.uz", "2026-01-10", false, "production", ""))
	all := hooks(w)
	for i := range all {
		require.Len(w.T, all[i].Events, 12)
		all[i].Events, all[i].Provider = nil, nil
	}
	require.Equal(w.T, []sims.Webhook{
		{ID: "username.production", Account: "username", URL: "https://c.uz", State: sims.Active, CreatedAt: simtest.Start(), UpdatedAt: later},
		{ID: "username.test", Account: "username", URL: "https://b.uz", State: sims.Active, CreatedAt: simtest.Start(), UpdatedAt: simtest.Start()},
	}, all)
}

func urlInvalidTest(w *world) {
	for _, url := range []any{
		nil, "", 1, true,
		[]any{"https://test.uz"},
		object{},
		"test.uz", "/path", "//test.uz", "ftp://test.uz", "https://", "https:///path", "https://a b",
		"https://test.uz/\n", "https://test.uz:99999", "javascript:alert(1)", "https://test.uz/%zz", " https://test.uz",
	} {
		refusedConfig(w, "url-invalid", "webhook_url", url, urlInvalid)
	}
	w.Call("configureWebhook", request{Body: object{"environment": "test"}}).Refused(422, "url-invalid").Is(422, invalid(urlInvalid))
}

func urlHostsTest(w *world) {
	for _, url := range []string{
		"http://localhost:8080/bts", "http://127.0.0.1:1", "http://[::1]:65535/x?y=z", "https://10.0.0.1", "http://receiver", "HTTPS://TEST.UZ", "https://тест.уз/ҳолат",
	} {
		require.Equal(w.T, url, configure(w, object{"webhook_url": url}).OK().Get("data.webhook_url"))
	}
}

func environmentInvalidTest(w *world) {
	for _, environment := range []any{nil, "", "Production", "prod", "live", " test", 1, true, []any{"test"}, object{}} {
		refusedConfig(w, "environment-invalid", "environment", environment, environmentInvalid)
	}
	w.Call("configureWebhook", request{Body: object{"webhook_url": "https://test.uz"}}).Refused(422, "environment-invalid").Is(422, invalid(environmentInvalid))
	configure(w, object{"environment": "production"}).OK()
	configure(w, object{"environment": "test"}).OK()
}

func hasTokenTypeTest(w *world) {
	for _, value := range []any{1, 0, "true", "false", "", []any{}, object{}} {
		refusedConfig(w, "has-token-type", "has_token", value, "\"has_token\":[\"«Has Token» qiymati «true» yoki «false» bo`lishi kerak.\"]")
	}
	for value, want := range map[any]bool{true: true, false: false, nil: false} {
		require.Equal(w.T, want, configure(w, object{"has_token": value}).OK().Get("data.has_token"))
	}
}

func itxAPIKeyTypeTest(w *world) {
	for _, value := range []any{1, true, []any{"x"}, object{}} {
		refusedConfig(w, "itx-api-key-type", "itx-apiKey", value, "\"itx-apiKey\":[\"«Itx Api Key» qiymati satr bo`lishi kerak.\"]")
	}
}

func itxAPIKeyValueTest(w *world) {
	for _, value := range []string{"a\r\nX-Evil: 1", "a\n", "\x00", "\x7f", "ключ", " a", "a ", " ", "\t"} {
		refusedConfig(w, "itx-api-key-value", "itx-apiKey", value, "\"itx-apiKey\":[\"«Itx Api Key» qiymatining formati noto`g`ri.\"]")
	}
	for _, value := range []string{"", "a", "a b", "~!{}\"", strings.Repeat("x", 255)} {
		require.Equal(w.T, value, configure(w, object{"itx-apiKey": value}).OK().Get("data.itx-apiKey"))
	}
}

func tooLongTest(w *world) {
	const url = "https://test.uz/"
	configure(w, object{"webhook_url": url + strings.Repeat("x", 2048-len(url))}).OK()
	refusedConfig(w, "too-long", "webhook_url", url+strings.Repeat("x", 2049-len(url)), urlTooLong)
	refusedConfig(w, "too-long", "webhook_url", strings.Repeat("x", 2049), urlTooLong)
	configure(w, object{"itx-apiKey": strings.Repeat("x", 255)}).OK()
	refusedConfig(w, "too-long", "itx-apiKey", strings.Repeat("x", 256), keyTooLong)
	refusedConfig(w, "too-long", "itx-apiKey", strings.Repeat("ы", 256), keyTooLong)
}

func optionalFieldsTest(w *world) {
	for _, body := range []object{
		{"webhook_url": "https://test.uz", "environment": "test"},
		{"webhook_url": "https://test.uz", "environment": "test", "has_token": nil, "itx-apiKey": nil},
	} {
		w.Call("configureWebhook", request{Body: body}).Is(200, configured("https://test.uz", "2026-01-08", false, "test", ""))
	}
}

func configuredReplyTest(w *world) {
	w.Example("configureWebhook", "production").Is(200, `{"status":true,"message":"Muvaffaqiyatli yaratildi.","status_code":200,"data":{"webhook_url":"https://test.uz",`+
		`"method":"POST","date":"2026-01-08","has_token":true,"environment":"production","itx-apiKey":""}}`)
	w.Example("configureWebhookByPost", "test").Is(200, configured("https://test.uz/webhooks/bts", "2026-01-08", false, "test", "itx-key-1"))
}

func configuredDateTest(w *world) {
	w.SetNow(time.Date(2026, 7, 31, 18, 59, 59, 0, time.UTC))
	configure(w, nil).Is(200, configured("https://test.uz", "2026-07-31", false, "production", ""))
	w.SetNow(time.Date(2026, 7, 31, 19, 0, 0, 0, time.UTC))
	configure(w, nil).Is(200, configured("https://test.uz", "2026-08-01", false, "production", ""))
	w.SetPolicy("timezone", "UTC")
	configure(w, nil).Is(200, configured("https://test.uz", "2026-07-31", false, "production", ""))
}

func noReadTest(w *world) {
	configure(w, nil).OK()
	for _, path := range []string{"/1", "/test", "/index", "/delete", "/logs"} {
		w.Send(w.Request("GET", configPath+path, "", nil)).Is(404, notFound)
	}
	for _, path := range []string{"/v1/webhook", "/v1/webhook/index", "/v1/webhook/webhook-test", "/v1/webhook/webhook-logs"} {
		w.Send(w.Request("GET", path, "", nil)).Is(404, notFound)
	}
	for _, method := range []string{"DELETE", "PUT", "PATCH"} {
		w.Send(w.Request(method, configPath, "", nil)).Is(405, onlyGetAndPost)
	}
	w.Call("configureWebhook", request{}).Is(422, documented422)
}
