package bitpay_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// FuzzRequest sends anything through the whole request path, with good credentials: nothing panics, nothing is a
// server error, and what is refused changes nothing. Of the header, name and value of one field are free.
func FuzzRequest(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s[0], s[1], s[2], s[3], s[4], []byte(s[5]))
	}
	f.Fuzz(func(t *testing.T, method, path, query, name, value string, body []byte) {
		w := simtest.New(t, bitpay.New())
		id := create(w, "ORDER_WEBHOOK", "https://localhost/callback")
		now := fmt.Sprint(simtest.Start().UnixMilli())
		fill := strings.NewReplacer("{webhookId}", id, "{now}", now, "{signature}", signed(w, now)).Replace
		req := w.Request(http.MethodGet, "/", "application/json", body)
		req.Method = method
		path = "/bitpay/" + strings.TrimPrefix(fill(path), "/")
		req.URL = &url.URL{Path: unescaped(path), RawPath: path, RawQuery: fill(query)}
		req.Header.Set("X-Bh-Token", w.Credentials["token"])
		req.Header.Set("X-Bh-Apikey", w.Credentials["api_key"])
		if name != "" && !strings.EqualFold(name, "Mocksrv-Sandbox") {
			req.Header.Set(name, value)
		}
		before := w.Dump()
		reply := w.Send(req)
		if reply.Status >= 500 {
			t.Fatalf("status %d: %s, refusal %+v", reply.Status, reply.Body, reply.Refusal)
		}
		if reply.Status >= 400 && (before != w.Dump() || reply.Refusal == nil) {
			t.Fatalf("status %d changed the state or is not explained: %+v", reply.Status, reply.Refusal)
		}
		if method != http.MethodHead && (reply.Get("code") == nil || reply.Get("msg") == nil) {
			t.Fatalf("not in the envelope: %s", reply.Body)
		}
	})
}

func unescaped(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

// fuzzSeeds are the examples of the document and hostile cases: method, path, query, header name, header value, body.
func fuzzSeeds() [][6]string {
	const one = "/v2/webhook/{webhookId}"
	return [][6]string{
		{"GET", "/v2/token/generate", "timestamp={now}&signature={signature}", "", "", ""},
		{"GET", "/v2/token/generate", "timestamp=1740568725231&signature=7fdd71b6dfed9a746d2698e980a2cb5dc15ca9fab9e4339676dea3c282a862c6", "", "", ""},
		{"GET", "/v2/token/generate", "timestamp=9223372036854775807&signature=%zz", "X-BH-APIKEY", "\x00", ""},
		{"POST", "/v2/webhook", "", "", "", `{"eventType":"ORDER_WEBHOOK","url":"https://localhost/callback"}`},
		{"POST", "/v2/webhook", "", "", "", `{"eventType":"FUNDING_WEBHOOK","url":"https://merchant.example/velafi/funding"}`},
		{"POST", "/v2/webhook", "", "", "", `{"eventType":"GLOBAL_PAYMENT_WEBHOOK","url":"https://merchant.example/velafi/global-payments"}`},
		{"POST", "/v2/webhook", "", "", "", `{"eventType":"ON_RAMP_WITHDRAW_WEBHOOK","url":"https://merchant.example/velafi/withdrawals"}`},
		{"POST", "/v2/webhook", "", "", "", `{"eventType":"STABLE_COIN_PAYMENT_WEBHOOK","url":"https://merchant.example/velafi/stablecoin"}`},
		{"POST", "/v2/webhook", "", "Content-Type", "text/plain", `{"eventType":"ORDER_WEBHOOK","url":"https://[::1]:1/\u0000"}`},
		{"POST", "/v2/webhook", "", "Content-Type", "application/json;=;", `{"eventType":null,"url":"http://a.test","url":1}`},
		{"POST", "/v2/webhook", "", "X-BH-TOKEN", "", "{\"eventType\":\"\xff\"}"},
		{"GET", "/v2/webhooks", "status=10", "", "", ""},
		{"GET", "/v2/webhooks", "status=&status=10;a=%", "Accept", "text/html", "{"},
		{"GET", "/v2/webhooks", "status=1e1", "", "", ""},
		{"PUT", one, "", "", "", `{"url":"https://localhost/callback","status":1}`},
		{"PUT", one, "", "", "", `{"url":"https://localhost/callback","status":20}`},
		{"PUT", one, "", "", "", `{"url":"https://localhost/callback","status":10}`},
		{"PUT", one, "", "", "", `{"url":"https://merchant.example/velafi/moved"}`},
		{"PUT", one, "", "", "", `{"url":"https://a.test","status":1e400}`},
		{"PUT", "/v2/webhook/%2e%2e", "", "", "", `[[[[`},
		{"DELETE", one, "", "", "", ""},
		{"DELETE", "/v2/webhook/ebab8a9663704e7cbbebe672c7c67912", "", "", "", `{}`},
		{"HEAD", "/v2/webhook/%00", "", "", "", ""},
		{"TRACE", "//v2//webhook", "", "", "", ""},
		{"", "", "", "", "", ""},
	}
}
