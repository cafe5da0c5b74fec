package mocksrv_test

import (
	"bytes"
	"context"
	"encoding/json" //nolint:depguard // the bare handler is what somebody writes with the standard library
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/all"
)

// bare is what a provider would be without a simulator: a bearer check, a JSON decode and a map under a mutex.
type bare struct {
	mu    sync.Mutex
	hooks map[string]map[string]any
	last  int
}

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var hook map[string]any
	if err := json.NewDecoder(r.Body).Decode(&hook); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.last++
	id := strings.Repeat("0", 24) + string(rune('a'+b.last%26))
	b.hooks[id] = hook
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "hook": hook})
}

// BenchmarkCreate measures a create of each provider beside the bare handler doing the same work, in the same run:
// "handler" without a network, "loopback" over 16 kept-alive connections. Requests are made and signed beforehand.
func BenchmarkCreate(b *testing.B) {
	compare(b, creates())
}

// BenchmarkList measures a list of ten webhooks of each provider beside the bare handler.
func BenchmarkList(b *testing.B) {
	compare(b, lists())
}

func compare(b *testing.B, calls []call) {
	b.Helper()
	for _, c := range append([]call{bareCall()}, calls...) {
		b.Run("handler/"+c.name, func(b *testing.B) {
			handler, requests := c.prepare(b, "http://mocksrv", b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for _, r := range requests {
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, r)
				if rec.Code >= 300 {
					b.Fatalf("status %d: %s", rec.Code, rec.Body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
	for _, c := range append([]call{bareCall()}, calls...) {
		b.Run("loopback/"+c.name, func(b *testing.B) { loopback(b, c) })
	}
}

// loopback sends the requests over 16 connections.
func loopback(b *testing.B, c call) {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	var requests []*http.Request
	handler, requests = c.prepare(b, server.URL, b.N)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, len(requests))
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				started := clock.WallNow()
				if err := send(transport, requests[i]); err != nil {
					b.Error(err)
					return
				}
				took[i] = clock.WallNow().Sub(started)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func send(transport http.RoundTripper, r *http.Request) error {
	r.RequestURI = ""
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}

// call is one kind of request.
type call struct {
	name    string
	prepare func(b *testing.B, base string, n int) (http.Handler, []*http.Request)
}

func bareCall() call {
	return call{name: "bare", prepare: func(_ *testing.B, base string, n int) (http.Handler, []*http.Request) {
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = httptest.NewRequest(http.MethodPost, base+"/webhooks", strings.NewReader(
				`{"url":"https://merchant.example/hook","environment":"production","events":["a","b"],"name":"orders","secret":"abc"}`))
			requests[i].Header.Set("Authorization", "Bearer secret")
			requests[i].Header.Set("Content-Type", "application/json")
		}
		return &bare{hooks: map[string]map[string]any{}}, requests
	}}
}

// simCall sends requests of one provider to a fresh server.
func simCall(name, method, path string, before int, body func(n int, c map[string]string) string) call {
	return call{name: name, prepare: func(b *testing.B, base string, n int) (http.Handler, []*http.Request) {
		b.Helper()
		srv, err := mocksrv.New(mocksrv.Options{Seed: 1})
		require.NoError(b, err)
		b.Cleanup(func() { _, _ = srv.Stop(context.Background()) })
		for _, c := range simCreates() {
			for i := range before {
				if c.sim == name {
					srv.ServeHTTP(httptest.NewRecorder(), request(b, srv, base, c.sim, c.method, c.path, c.body(i, srv.Credentials(name))))
				}
			}
		}
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = request(b, srv, base, name, method, path, body(i, srv.Credentials(name)))
		}
		return srv, requests
	}}
}

func request(b *testing.B, srv *mocksrv.Server, base, sim, method, path, body string) *http.Request {
	b.Helper()
	r := httptest.NewRequest(method, base+"/"+sim+path, nil)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("api-version", "1.0")
	out := &sims.ClientRequest{Method: method, URL: r.URL, Header: r.Header, Body: []byte(body), Credentials: srv.Credentials(sim), Now: srv.Now()}
	require.NoError(b, authorizers()[sim](out))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out.Body)), int64(len(out.Body))
	return r
}

// authorizers sign requests as a client of each provider does.
//
//nolint:gochecknoglobals // made once, not for each of many thousand requests
var authorizers = sync.OnceValue(func() map[string]func(*sims.ClientRequest) error {
	byName := map[string]func(*sims.ClientRequest) error{}
	for _, s := range all.Sims() {
		byName[s.Name] = s.Authorize
	}
	return byName
})

type simCreate struct {
	sim, method, path string
	body              func(n int, c map[string]string) string
}

// simCreates has the create of each provider.
func simCreates() []simCreate {
	return []simCreate{
		{"bts", http.MethodPost, "/v1/webhook/webhook-config", func(int, map[string]string) string {
			return `{"webhook_url":"https://merchant.example/hook","environment":"production","has_token":true,"itx-apiKey":"abc"}`
		}},
		{"bitpay", http.MethodPost, "/v2/webhook", func(n int, _ map[string]string) string {
			return fmt.Sprintf(`{"eventType":"ORDER_WEBHOOK","url":"https://merchant.example/hook/%d"}`, n)
		}},
		{"bankly", http.MethodPost, "/webhooks/configurations", func(n int, _ map[string]string) string {
			return fmt.Sprintf(`{"name":"hook","eventName":"EVENT_%d","context":"Ted","uri":"https://merchant.example/hook","privateKey":"NTRl","publicKey":"MGE4"}`, n)
		}},
		{"signedsub", http.MethodPost, "/api/v1/subscription/webhook/create", func(n int, c map[string]string) string {
			return fmt.Sprintf(`{"account":%q,"timestamp":0,"payload":{"requestId":"00000000-0000-4000-8000-%012x","notificationEventTypes":["PAYOUT_CONFIRMED"],"url":"https://merchant.example/hook"}}`, c["account"], n)
		}},
		{"hsrcpay", http.MethodPost, "/v1/webhooks/", func(int, map[string]string) string {
			return `{"endpoint":"https://merchant.example/hook","enabled_events":["payment.succeeded","payment.refunded"],"secret":"whsec_0123456789"}`
		}},
	}
}

func creates() []call {
	var calls []call
	for _, c := range simCreates() {
		calls = append(calls, simCall(c.sim, c.method, c.path, 0, c.body))
	}
	return calls
}

func lists() []call {
	none := func(int, map[string]string) string { return "" }
	return []call{
		simCall("bitpay", http.MethodGet, "/v2/webhooks?status=10", 10, none),
		simCall("bankly", http.MethodGet, "/webhooks/configurations?page=1&pageSize=10", 10, none),
		simCall("signedsub", http.MethodPost, "/api/v1/subscription/webhook", 10, func(_ int, c map[string]string) string {
			return fmt.Sprintf(`{"account":%q,"timestamp":0}`, c["account"])
		}),
		simCall("hsrcpay", http.MethodGet, "/v1/webhooks/", 10, none),
	}
}

// BenchmarkFlat measures a create when nothing is stored beside one when much is: the cost must not grow. It reports the
// heap that 100,000 requests leave behind.
func BenchmarkFlat(b *testing.B) {
	for _, stored := range []int{0, 100_000} {
		for _, sandboxes := range []int{1, 5_000} {
			b.Run(fmt.Sprintf("stored=%d/sandboxes=%d", stored, sandboxes), func(b *testing.B) { flat(b, stored, sandboxes) })
		}
	}
}

func flat(b *testing.B, stored, sandboxes int) {
	b.Helper()
	srv, err := mocksrv.New(mocksrv.Options{Seed: 1})
	require.NoError(b, err)
	b.Cleanup(func() { _, _ = srv.Stop(context.Background()) })
	for range sandboxes - 1 {
		_, err := srv.Control().CreateSandbox(b.Context(), client.NewSandbox{})
		require.NoError(b, err)
	}
	c := simCreates()[4]
	before := heap()
	for i := range stored {
		srv.ServeHTTP(httptest.NewRecorder(), request(b, srv, "http://mocksrv", c.sim, c.method, c.path, c.body(i, nil)))
	}
	kept := float64(heap()-before) / (1 << 20)
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = request(b, srv, "http://mocksrv", c.sim, c.method, c.path, c.body(i, nil))
	}
	b.ResetTimer()
	for _, r := range requests {
		srv.ServeHTTP(httptest.NewRecorder(), r)
	}
	b.ReportMetric(kept, "MB-kept")
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
