package mocksrv_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// hsrcpay makes a request to hsrcpay's webhooks and returns the status.
func hsrcpay(t *testing.T, srv *mocksrv.Server, key, method, path, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, srv.BaseURL("hsrcpay")+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "idem-secret-"+body)
	r.Header.Set("Traceparent", parent)
	resp, err := srv.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// answering is a customer that answers with a status and keeps the headers it got.
func answering(t *testing.T, status int) (url string, seen func() []http.Header) {
	t.Helper()
	var mu sync.Mutex
	var headers []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		headers = append(headers, r.Header)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []http.Header {
		mu.Lock()
		defer mu.Unlock()
		return headers
	}
}

func scrape(t *testing.T, srv *mocksrv.Server, accept string) (string, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, srv.URL()+"/_mocksrv/metrics", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", accept)
	resp, err := srv.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp.Header.Get("Content-Type"), string(body)
}

func TestMetricsCountWhatHappens(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()))
	key := srv.Credentials("hsrcpay")["secret_key"]
	good, _ := answering(t, 200)
	bad, _ := answering(t, 500)
	for _, url := range []string{good, bad} {
		require.Equal(t, 201, hsrcpay(t, srv, key, http.MethodPost, "/v1/webhooks/", `{"endpoint":"`+url+`","enabled_events":["payment.succeeded"]}`))
	}
	require.Equal(t, 401, hsrcpay(t, srv, "wrong", http.MethodGet, "/v1/webhooks/", ""))
	require.Equal(t, 404, hsrcpay(t, srv, key, http.MethodGet, "/v1/no-such/"+strings.Repeat("x", 100), ""))
	_, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	_, err = srv.Advance(0)
	require.NoError(t, err)

	contentType, text := scrape(t, srv, "")
	require.True(t, strings.HasPrefix(contentType, "text/plain; version=0.0.4"), contentType)
	for _, line := range []string{
		`mocksrv_requests_total{operation="createWebhook",sim="hsrcpay",status="201"} 2`,
		`mocksrv_requests_total{operation="listWebhooks",sim="hsrcpay",status="401"} 1`,
		`mocksrv_requests_total{operation="none",sim="hsrcpay",status="404"} 1`,
		`mocksrv_request_duration_seconds_count{operation="createWebhook",sim="hsrcpay"} 2`,
		`mocksrv_delivery_attempts_total{outcome="delivered",sim="hsrcpay"} 1`,
		`mocksrv_delivery_attempts_total{outcome="status",sim="hsrcpay"} 1`,
		`mocksrv_deliveries_waiting 1`, `mocksrv_delivery_attempts_under_way 0`, `mocksrv_sandboxes 1`, `mocksrv_sandboxes_expired_total 0`,
		`mocksrv_journal_exchanges 6`, `mocksrv_journal_dropped_total 0`, `mocksrv_requests_under_way 1`, `mocksrv_connections_refused_total 0`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.Contains(t, text, "\ngo_goroutines ")
	require.NotContains(t, text, "xxx")
	require.NotContains(t, text, "sandbox=")

	again, _ := scrape(t, srv, "application/openmetrics-text; version=1.0.0")
	require.Equal(t, contentType, again, "one format, which every Prometheus reads")
}

// TestJournalDropsAreCountedForGood: clearing a journal or deleting its sandbox takes nothing back, so the counter only
// grows.
func TestJournalDropsAreCountedForGood(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	body := strings.Repeat(" ", 1<<20)
	for range 20 {
		hsrcpay(t, srv, "wrong", http.MethodPost, "/v1/webhooks/", body)
	}
	_, before := scrape(t, srv, "")
	require.Regexp(t, `(?m)^mocksrv_journal_dropped_total [1-9]`, before)
	r, err := http.NewRequest(http.MethodDelete, srv.URL()+"/_mocksrv/v1/sandboxes/default/journal", nil)
	require.NoError(t, err)
	resp, err := srv.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, after := scrape(t, srv, "")
	line := func(text string) string {
		_, rest, _ := strings.Cut(text, "\nmocksrv_journal_dropped_total ")
		n, _, _ := strings.Cut(rest, "\n")
		return n
	}
	require.Equal(t, line(before), line(after))
	require.Contains(t, after, "\nmocksrv_journal_exchanges 0\n")
}

// TestTheLogShowsNoSecrets: everything that was secret in requests, answers and attempts is searched for in the log.
func TestTheLogShowsNoSecrets(t *testing.T) {
	t.Parallel()
	for _, format := range []func(io.Writer, *slog.HandlerOptions) slog.Handler{
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	} {
		var log bytes.Buffer
		var mu sync.Mutex
		logger := slog.New(format(writer(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(p)
		}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		srv := mocksrv.RunT(t, mocksrv.Frozen(at()), mocksrv.EdgeWorld(), mocksrv.Seed(3), func(o *mocksrv.Options) { o.Log = logger })
		story(t, srv, "", srv.BaseURL, srv.Credentials)
		url, _ := answering(t, 500)
		url = strings.Replace(url, "http://", "http://user:hunter2@", 1) + "/hook?token=hunter3"
		require.Equal(t, 201, hsrcpay(t, srv, srv.Credentials("hsrcpay")["secret_key"], http.MethodPost, "/v1/webhooks/?key=hunter4", `{"endpoint":"`+url+`","enabled_events":["payment.succeeded"]}`))
		_, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
		require.NoError(t, err)
		_, err = srv.Advance(time.Minute)
		require.NoError(t, err)

		mu.Lock()
		defer mu.Unlock()
		text := log.String()
		require.Contains(t, text, "default/1")
		require.Contains(t, text, "createWebhook")
		require.Contains(t, text, "attempt")
		require.Contains(t, text, parent)
		for _, secret := range secrets(t, srv) {
			require.NotContains(t, text, secret)
		}
	}
}

// writer is a function that is written to.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// secrets are the values that must not be in a log: credentials, and the headers that carry them or what was made of them.
func secrets(t *testing.T, srv *mocksrv.Server) []string {
	t.Helper()
	found := []string{"hunter2", "hunter3", "hunter4", "idem-secret"}
	for _, c := range simCreates() {
		for name, value := range srv.Credentials(c.sim) {
			if name != "login" && name != "password" && name != "account" && name != "account_id" && name != "client_id" { // public, or plain words
				found = append(found, value)
			}
		}
	}
	headers := 0
	for _, x := range srv.Journal().Exchanges {
		for name, values := range x.Request.Headers {
			switch strings.ToLower(name) {
			case "authorization", "x-bh-token", "x-bh-apikey", "key", "sign", "signature", "nonce":
				headers++
				found = append(found, values...)
			}
			if strings.Contains(strings.ToLower(name), "signature") {
				headers++
				found = append(found, values...)
			}
		}
	}
	require.Greater(t, headers, 20)
	return found
}

// TestTracesArePassedOn: an event of a traced call gives its attempts that trace, and no other does.
func TestTracesArePassedOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent, want http.Header
	}{
		"none":                       {},
		"a traceparent":              {http.Header{"Traceparent": {parent}}, http.Header{"Traceparent": {parent}}},
		"with a state":               {http.Header{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}}, http.Header{"Traceparent": {parent}, "Tracestate": {"a=1,b=2"}}},
		"a state that is too long":   {http.Header{"Traceparent": {parent}, "Tracestate": {strings.Repeat("x", 600)}}, http.Header{"Traceparent": {parent}}},
		"a state alone":              {http.Header{"Tracestate": {"a=1"}}, nil},
		"something else":             {http.Header{"Traceparent": {"00-xyz"}}, nil},
		"two":                        {http.Header{"Traceparent": {parent, parent}}, nil},
		"a version of the future":    {http.Header{"Traceparent": {"01" + parent[2:] + "-more"}}, http.Header{"Traceparent": {"01" + parent[2:] + "-more"}}},
		"one that is longer than it": {http.Header{"Traceparent": {parent + "-" + strings.Repeat("x", 600)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t, mocksrv.Frozen(at()))
			url, seen := answering(t, 500)
			hsrcpay(t, srv, srv.Credentials("hsrcpay")["secret_key"], http.MethodPost, "/v1/webhooks/", `{"endpoint":"`+url+`","enabled_events":["payment.succeeded"]}`)
			r, err := http.NewRequest(http.MethodPost, srv.URL()+"/_mocksrv/v1/sandboxes/default/events", strings.NewReader(`{"sim":"hsrcpay","type":"payment.succeeded"}`))
			require.NoError(t, err)
			maps.Copy(r.Header, c.sent)
			resp, err := srv.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusAccepted, resp.StatusCode)
			_, err = srv.AdvanceUntilIdle()
			require.NoError(t, err)
			require.Greater(t, len(seen()), 1, "retries, too")
			for _, header := range seen() {
				require.Equal(t, c.want.Values("Traceparent"), header.Values("Traceparent"))
				require.Equal(t, c.want.Values("Tracestate"), header.Values("Tracestate"))
			}
		})
	}
}

func TestControlAddress(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.ControlAddress = "127.0.0.1:0" })
	require.NotEqual(t, srv.URL(), srv.ControlURL())
	sandbox, err := srv.Control().In("default").Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, srv.BaseURL("hsrcpay"), sandbox.Sims["hsrcpay"].BaseURL, "the providers' address, not the control API's")
	get := func(url string) int {
		resp, err := http.Get(url)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, 401, get(srv.BaseURL("hsrcpay")+"/v1/webhooks/"))
	require.Equal(t, 404, get(srv.ControlURL()+"/hsrcpay/v1/webhooks/"), "no provider is there")
	require.Equal(t, 404, get(srv.URL()+"/_mocksrv/v1/sims"))
	require.Equal(t, 200, get(srv.URL()+"/_mocksrv/health"))
	require.Equal(t, 200, get(srv.ControlURL()+"/_mocksrv/health"))
	require.Equal(t, 200, get(srv.ControlURL()+"/_mocksrv/metrics"))
}

// TestControlAddressOnEveryInterface: who came by a name gets base URLs of that name.
func TestControlAddressOnEveryInterface(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.Address, o.ControlAddress = "0.0.0.0:0", "127.0.0.1:0" })
	r, err := http.NewRequest(http.MethodGet, srv.ControlURL()+"/_mocksrv/v1/sandboxes/default", nil)
	require.NoError(t, err)
	r.Host = "mocksrv:9090"
	resp, err := srv.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL(), "http://"), ":")
	require.Contains(t, string(body), fmt.Sprintf(`"base_url":"http://mocksrv:%s/hsrcpay"`, port))
}

func TestStartLeavesNothingOpenWhenAnAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken := mocksrv.RunT(t)
	address := strings.TrimPrefix(taken.URL(), "http://")
	srv, err := mocksrv.New(mocksrv.Options{Address: address, ControlAddress: "127.0.0.1:0"})
	require.NoError(t, err)
	require.ErrorContains(t, srv.Start(), "address already in use; another program listens there, perhaps another mocksrv: end it, or choose another address (port 0 picks a free one)")
	_, err = srv.Stop(t.Context())
	require.NoError(t, err)
}
