package hsrcpay_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// fuzzed is one request as the fuzzer varies it. An authorization of "" stands for the good secret key.
type fuzzed struct {
	method, path, query, authorization, contentType, key string
	body                                                 []byte
}

func (f fuzzed) request(w *simtest.World) *http.Request {
	req := w.Request(http.MethodGet, "/", f.contentType, f.body)
	req.Method, req.URL = f.method, &url.URL{Path: "/hsrcpay" + f.path, RawPath: "/hsrcpay" + f.path, RawQuery: f.query}
	req.Header["Authorization"] = []string{f.authorization}
	if f.authorization == "" {
		req.Header["Authorization"] = []string{"Bearer " + w.Credentials["secret_key"]}
	}
	if f.key != "" {
		req.Header["Idempotency-Key"] = []string{f.key}
	}
	return req
}

func hostile() []string {
	return []string{
		``, `{}`, `null`, `[]`, `1`, `"x"`, `{"endpoint":`, `{"endpoint":null,"enabled_events":null,"secret":null}`, "\xff\xfe", "{\"endpoint\":\"\x00\"}",
		`{"endpoint":"http://example.com","endpoint":"x"}`, `{"endpoint":{"a":1},"enabled_events":{"0":"*"}}`, strings.Repeat(`[`, 12_000),
		`{"endpoint":"http://[::1","enabled_events":["*"]}`, `{"endpoint":"http://%zz","enabled_events":["*"]}`,
		`{"endpoint":"http://example.com","enabled_events":[""," ","*",".*","a.*"],"secret":"\u0000\ud83d\ude00"}`,
		`{"endpoint":"http://example.com","enabled_events":["string"],"n":1e400,"m":-0,"o":123456789012345678901234567890}`,
		`{"endpoint":"http://example.com","enabled_events":["string"],"__proto__":{"a":[[[[]]]]}}`,
	}
}

func addCorpus(f *testing.F) {
	f.Helper()
	add := func(r fuzzed) { f.Add(r.method, r.path, r.query, r.authorization, r.contentType, r.key, r.body) }
	const path, json = "/v1/webhooks/", "application/json"
	bodies := append(hostile(), plainBody)
	w := simtest.New(f, hsrcpay.New())
	for _, media := range w.Provider.Contract.Operations[create].Spec.RequestBody.Value.Content {
		for _, example := range media.Examples {
			bodies = append(bodies, encodedBy(f, example.Value.Value))
		}
	}
	for _, body := range bodies {
		add(fuzzed{method: "POST", path: path, contentType: json, body: []byte(body)})
		add(fuzzed{method: "POST", path: path, contentType: json, key: "k\xff", body: []byte(body)})
	}
	for _, query := range []string{"", "account_id=", "account_id=x&account_id=y", "account_id=%ff%00", "%zz&;=", "account_id=" + strings.Repeat("x", 70)} {
		add(fuzzed{method: "GET", path: path, query: query})
		add(fuzzed{method: "POST", path: path, query: query, contentType: json, body: []byte(plainBody)})
	}
	for _, authorization := range []string{
		"x", "Bearer", "Bearer \x00", "bearer sk_", "Bearer eyJ.e.x", "Bearer eyJ.e30.x", "Bearer " + jwt(`{"exp":1e309}`, "x"), "Bearer " + jwt(`{"exp":[]}`, "_test_"),
	} {
		add(fuzzed{method: "GET", path: path, authorization: authorization})
		add(fuzzed{method: "POST", path: path, authorization: authorization, contentType: json, key: "k", body: []byte(plainBody)})
	}
	for _, odd := range []string{"", "/", "//", "/v1/webhooks", "/v1/webhooks/%00", "/%zz", "/v1/webhooks/../webhooks/", "/v1/webhooks/{id}"} {
		add(fuzzed{method: "DELETE", path: odd})
		add(fuzzed{method: "", path: odd, contentType: "; charset=\"", body: []byte("{}")})
	}
}

func encodedBy(f *testing.F, v any) string {
	f.Helper()
	return encoded(&simtest.World{T: f}, v)
}

// FuzzRequest sends anything down the whole request path: no panic and no 5xx, the envelope of the provider, no trace of
// a refused request, and the same bytes again for a repeated idempotency key.
func FuzzRequest(f *testing.F) {
	addCorpus(f)
	f.Fuzz(func(t *testing.T, method, path, query, authorization, contentType, key string, body []byte) {
		w := simtest.New(t, hsrcpay.New())
		r := fuzzed{method: method, path: path, query: query, authorization: authorization, contentType: contentType, key: key, body: body}
		before := w.Dump()
		req := r.request(w)
		if !strings.HasPrefix(req.URL.EscapedPath(), "/hsrcpay/") {
			t.Skip("a path of no provider")
		}
		reply := w.Send(req)
		require.GreaterOrEqual(t, reply.Status, 200)
		require.Less(t, reply.Status, 500, "%s", reply.Body)
		require.Equal(t, reply.Status < 300, reply.Get("success"), "%s", reply.Body)
		if reply.Status >= 400 {
			require.NotNil(t, reply.Refusal)
			_, known := w.Provider.Contract.Entry(reply.Refusal.Rule)
			require.True(t, known, reply.Refusal.Rule)
			require.Equal(t, before, w.Dump())
			return
		}
		after := w.Dump()
		again := w.Send(r.request(w))
		require.Equal(t, reply.Status, again.Status)
		if key != "" || method == http.MethodGet {
			require.Equal(t, string(reply.Body), string(again.Body))
			require.Equal(t, after, w.Dump())
		}
	})
}
