package mocksrv_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
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

// BenchmarkCreate loads a create of each provider over loopback, beside the bare handler in the same run.
func BenchmarkCreate(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		server := httptest.NewServer(&bare{hooks: map[string]map[string]any{}})
		defer server.Close()
		load(b, func(uint64) *http.Request {
			r, _ := http.NewRequest(http.MethodPost, server.URL+"/webhooks", strings.NewReader(
				`{"url":"https://merchant.example/hook","environment":"production","events":["a","b"],"name":"orders","secret":"abc"}`))
			r.Header.Set("Authorization", "Bearer secret")
			r.Header.Set("Content-Type", "application/json")
			return r
		})
	})
	for _, create := range creates() {
		b.Run(create.sim.Name, func(b *testing.B) {
			srv := mocksrv.RunT(b)
			load(b, func(n uint64) *http.Request { return create.request(b, srv, n) })
		})
	}
}

// load sends requests over 16 connections.
func load(b *testing.B, next func(n uint64) *http.Request) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	httpClient := &http.Client{Transport: transport}
	var n atomic.Uint64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := httpClient.Do(next(n.Add(1)))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode >= 300 {
				b.Errorf("status %d", resp.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

type create struct {
	sim    *sims.Sim
	method string
	path   string
	body   func(n uint64, c map[string]string) string
}

// creates has one create for each provider.
func creates() []create {
	bodies := map[string]create{
		"signedsub": {method: http.MethodPost, path: "/api/v1/subscription/webhook/create", body: func(n uint64, c map[string]string) string {
			return `{"account":"` + c["account"] + `","timestamp":0,"payload":{"requestId":"` + uuid(n) + `","notificationEventTypes":["PAYOUT_CONFIRMED"],"url":"https://merchant.example/hook"}}`
		}},
	}
	var list []create
	for _, sim := range all.Sims() {
		if c, ok := bodies[sim.Name]; ok {
			c.sim = sim
			list = append(list, c)
		}
	}
	return list
}

func uuid(n uint64) string {
	const digits = "0123456789abcdef"
	id := []byte("00000000-0000-4000-8000-000000000000")
	for i := len(id) - 1; n > 0; i-- {
		if id[i] == '-' {
			continue
		}
		id[i] = digits[n%16]
		n /= 16
	}
	return string(id)
}

func (c create) request(b *testing.B, srv *mocksrv.Server, n uint64) *http.Request {
	b.Helper()
	credentials := srv.Credentials(c.sim.Name)
	r, err := http.NewRequest(c.method, srv.BaseURL(c.sim.Name)+c.path, nil)
	require.NoError(b, err)
	out := &sims.ClientRequest{
		Method: c.method, URL: r.URL, Header: r.Header, Body: []byte(c.body(n, credentials)), Credentials: credentials, Now: srv.Now(),
	}
	require.NoError(b, c.sim.Authorize(out))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out.Body)), int64(len(out.Body))
	return r
}

var _ = client.Event{}
