package signedsub_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// FuzzRequest sends anything with good credentials: no panic, no 5xx, and no change by what is refused. stamped: the
// body gets the present timestamp, as a client would set it.
func FuzzRequest(f *testing.F) {
	const account = "0xc195df92dd9db2a8f28e597981f113d6e7582f8b" // the placeholder
	jsonType := "Content-Type: application/json"
	for _, seed := range fuzzSeeds() {
		f.Add(seed.method, seed.path, "", jsonType, []byte(seed.body), true)
	}
	f.Add(http.MethodPost, listPath, "a=1&a=%zz;", "Content-Type: text/plain", []byte("\xff"), false)
	f.Add(http.MethodPost, listPath, "", "Sign: x", []byte(`{"account":"`+account+`","timestamp":1e999}`), false)
	f.Add(http.MethodGet, "/%2e%2e/%00//..", "", "Key: ", []byte{}, false)
	f.Add("TRACE", listPath+"/", "", "X: y", []byte(`{"timestamp":-9223372036854775808}`), false)
	f.Fuzz(func(t *testing.T, method, path, query, header string, body []byte, stamped bool) {
		w := simtest.New(t, signedsub.New())
		made(w)
		req, ok := fuzzRequest(w, method, path, query)
		if !ok {
			t.Skip("not a request that reaches the provider")
		}
		sign(w, req, []byte(strings.ReplaceAll(string(body), account, w.Credentials["account"])), stamped)
		if name, value, _ := strings.Cut(header, ": "); http.CanonicalHeaderKey(name) != engine.SandboxHeader {
			req.Header.Set(name, value)
		}
		before := w.Dump()
		reply := w.Send(req)
		require.Less(t, reply.Status, 500, "body: %s, refusal: %+v", reply.Body, reply.Refusal)
		if reply.Status >= 400 {
			require.NotNil(t, reply.Refusal)
			require.Equal(t, before, w.Dump())
		}
		if len(reply.Body) > 0 {
			_, err := strictjson.Decode(reply.Body)
			require.NoError(t, err)
		}
	})
}

type fuzzSeed struct{ method, path, body string }

// fuzzSeeds are the examples of the document in other words, and hostile relatives of them.
func fuzzSeeds() []fuzzSeed {
	body := func(payload string) string {
		return `{"account":"0xc195df92dd9db2a8f28e597981f113d6e7582f8b","payload":` + payload + `}`
	}
	other := `"` + otherID + `"`
	var seeds []fuzzSeed
	for path, method := range map[string]string{
		listPath: http.MethodPost, createPath: http.MethodPost, listPath + "/change": http.MethodPost,
		listPath + "/api-keys/regenerate": http.MethodDelete,
	} {
		for _, payload := range []string{
			payload(), payload("requestId", other), payload("requestId", other, "notificationServiceTypes", `["INVOICE","PAYOUT"]`),
			payload("requestId", other, "notificationEventTypes", "", "notificationServiceTypes", `["RECURRENT"]`),
			payload("requestId", other, "notificationEventTypes", "null"), payload("requestId", other, "url", `"http://[::1]:9/\u0000"`),
			payload("url", `"https://"`), payload("requestId", `"x"`), "null", "[]", `"x"`, `{"requestId":{}}`, "{",
		} {
			seeds = append(seeds, fuzzSeed{method, path, body(payload)})
		}
	}
	return append(seeds, fuzzSeed{http.MethodDelete, listPath, body(payload())}, fuzzSeed{http.MethodDelete, listPath, "[]"},
		fuzzSeed{http.MethodPost, createPath, strings.Repeat("[", 20_000)}, fuzzSeed{http.MethodPost, createPath, `{"a":1,"a":2}`})
}

// fuzzRequest makes a request as a server would read it from the wire.
func fuzzRequest(w *simtest.World, method, path, query string) (*http.Request, bool) {
	target, err := url.ParseRequestURI("/signedsub" + path)
	if err != nil || !strings.HasPrefix(path, "/") || method == "" {
		return nil, false
	}
	target.RawQuery = query
	req := w.Request(http.MethodPost, "/", "", nil)
	req.Method, req.URL = method, target
	return req, true
}

// sign puts a body under a request, with good credentials.
func sign(w *simtest.World, req *http.Request, body []byte, stamped bool) {
	w.T.Helper()
	if stamped {
		c := &sims.ClientRequest{
			Method: req.Method, URL: req.URL, Header: req.Header, Body: body, Credentials: w.Credentials, Now: w.Sandbox.Clock.EdgeNow(),
		}
		require.NoError(w.T, w.Provider.Authorize(c))
		body = c.Body
	}
	for name, value := range signed(w.Credentials, string(body)) {
		req.Header.Set(name, value)
	}
	fresh := w.Request(http.MethodPost, "/", "", body)
	req.Body, req.ContentLength = fresh.Body, fresh.ContentLength
}
