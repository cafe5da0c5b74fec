package bts_test

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// FuzzRequest sends any bytes with good credentials: no panic, no 5xx, and a refusal changes nothing.
func FuzzRequest(f *testing.F) {
	w := simtest.New(f, bts.New())
	_, refresh := login(w)
	addSeeds(f, w, refresh)
	start, err := w.Sandbox.Export()
	require.NoError(f, err)
	before := w.Dump()
	f.Fuzz(func(t *testing.T, method, path, query, headerName, headerValue string, body []byte) {
		if textproto.CanonicalMIMEHeaderKey(headerName) == engine.SandboxHeader {
			return // that is the engine's business
		}
		w := w.With(t)
		w.Sandbox.Journal.Clear() // Send reads all of it
		reply := w.Send(hostile(w, method, path, query, headerName, headerValue, body))
		require.Less(t, reply.Status, 500, "%s", reply.Body)
		require.Equal(t, "application/json; charset=UTF-8", reply.Header.Get("Content-Type"))
		if method != http.MethodHead {
			require.NotNil(t, reply.JSON())
		}
		if reply.Status >= 400 {
			require.NotNil(t, reply.Refusal)
			require.Equal(t, before, w.Dump())
			return
		}
		require.Equal(t, http.StatusOK, reply.Status)
		require.NoError(t, w.Sandbox.Import(start))
	})
}

func hostile(w *world, method, path, query, headerName, headerValue string, body []byte) *http.Request {
	r := w.Request(http.MethodPost, "/", "application/json", body)
	r.Method = method
	path = "/bts/" + strings.TrimPrefix(path, "/")
	r.URL = &url.URL{Path: path, RawPath: path, RawQuery: query}
	r.Header.Set("Authorization", "Bearer "+w.Credentials["token"])
	r.Header[textproto.CanonicalMIMEHeaderKey(headerName)] = []string{headerValue}
	return r
}

func addSeeds(f *testing.F, w *world, refresh string) {
	bodies := []string{
		`{"refresh_token":"` + refresh + `"}`, ``, `null`, `[]`, `{`, `{} {}`, `{"a":1,"a":1}`, "{\"login\":\"\xff\"}", `{"login":"\u0000","password":"\ud800"}`,
		`{"webhook_url":"https://[::1]:1","environment":"test","itx-apiKey":"a\r\nb: c"}`, `{"webhook_url":"http://x\u0000","environment":null,"has_token":1e400}`,
		`{"webhook_url":{"webhook_url":""},"environment":["test"],"":"x","webhook_url.x":1}`, `{"refresh_token":"a.e30.b"}`,
		`{"webhook_url":"` + strings.Repeat("x", 3000) + `"}`, strings.Repeat(`{"a":`, 11_000),
	}
	for _, op := range w.Provider.Contract.Operations {
		for _, content := range op.Spec.RequestBody.Value.Content {
			for _, example := range content.Examples {
				data, err := strictjson.Encode(example.Value.Value)
				require.NoError(f, err)
				bodies = append(bodies, string(data))
			}
		}
	}
	for _, body := range bodies {
		f.Add("GET", configPath, "", "language", "uz", []byte(body))
		f.Add("POST", configPath, "a=%zz;b", "Accept", "*/*;q=,;;,", []byte(body))
		f.Add("POST", "/auth/login", "", "Content-Type", "application/json;charset", []byte(body))
		f.Add("POST", "/auth/refresh", "", "Authorization", "Bearer a.eyJ1aWQiOjF9.c", []byte(body))
	}
	for _, path := range []string{"/", "//", "/auth/login/..", "/%2e%2e/auth/login", "/auth%2flogin", "/v1/webhook/webhook-config%00", "/\xff"} {
		f.Add("PATCH", path, "", "Authorization", "Bearer ..", []byte(`{}`))
	}
	f.Add("", "", "", "", "", []byte{})
	f.Add("HEAD", configPath, "", "Accept", "", []byte(`{}`))
}
