package control_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/all"
)

func TestSandboxesShareNothing(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	ctx, api := t.Context(), srv.Control()
	at := []byte(`"2026-01-08T10:30:00Z"`)
	a, err := api.CreateSandbox(ctx, client.NewSandbox{Name: "a", Clock: at})
	require.NoError(t, err)
	b, err := api.CreateSandbox(ctx, client.NewSandbox{Name: "b", Clock: at})
	require.NoError(t, err)

	for _, sim := range all.Sims() { // credentials
		require.NotEqual(t, a.Sims[sim.Name].Credentials, b.Sims[sim.Name].Credentials, sim.Name)
	}
	untouched := everything(t, api.In("b"))
	id := subscribe(t, srv, a.Sims["signedsub"], customer(t, 200))
	_, err = api.In("a").Emit(ctx, client.Event{Sim: "signedsub", Type: "INVOICE_PAID"})
	require.NoError(t, err)
	_, err = api.In("a").Advance(ctx, client.Advance{By: "1h"})
	require.NoError(t, err)
	_, err = api.In("a").SetPolicies(ctx, map[string]any{"signedsub.block_limit": 1})
	require.NoError(t, err)

	require.Equal(t, untouched, everything(t, api.In("b")))
	require.Contains(t, everything(t, api.In("a")), id)
	subscribe(t, srv, b.Sims["signedsub"], customer(t, 200)) // the same id is free there
}

// everything is all that the control API says about a sandbox.
func everything(t *testing.T, s *client.SandboxClient) string {
	t.Helper()
	sandbox, err := s.Get(t.Context())
	require.NoError(t, err)
	webhooks, err := s.Webhooks(t.Context(), "")
	require.NoError(t, err)
	deliveries, err := s.Deliveries(t.Context(), client.DeliveryFilter{})
	require.NoError(t, err)
	journal, err := s.Journal(t.Context(), client.JournalFilter{Direction: "all"})
	require.NoError(t, err)
	text, err := strictjson.Encode([]any{sandbox, webhooks, deliveries, journal})
	require.NoError(t, err)
	return string(text)
}

func TestTheSameNameAndSeedGiveTheSameCredentials(t *testing.T) {
	t.Parallel()
	credentials := func(name string, seed int64) map[string]string {
		made, err := mocksrv.RunT(t).Control().CreateSandbox(t.Context(), client.NewSandbox{Name: name, Seed: &seed})
		require.NoError(t, err)
		require.Equal(t, seed, made.Seed)
		return made.Sims["signedsub"].Credentials
	}
	require.Equal(t, credentials("a", 7), credentials("a", 7))
	require.NotEqual(t, credentials("a", 7), credentials("a", 8))
	require.NotEqual(t, credentials("a", 7), credentials("b", 7))
}

// world is a control API whose engine can be looked into.
type world struct {
	*testing.T
	engine *engine.Engine
	api    *control.API
}

func newWorld(t *testing.T) *world {
	t.Helper()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	e, err := engine.New(engine.Options{Providers: providers})
	require.NoError(t, err)
	d := delivery.New(e, delivery.Options{})
	w := &world{T: t, engine: e, api: staged(e, d, control.Options{})}
	t.Cleanup(func() {
		d.Stop(context.Background())
		w.api.Close()
	})
	return w
}

// call calls the control API without a network.
func (w *world) call(method, path, body string) answer {
	w.Helper()
	req := httptest.NewRequestWithContext(w.Context(), method, "http://localhost/_mocksrv/v1/sandboxes"+path, strings.NewReader(body))
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, req)
	return answer{t: w.T, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
}

// subscribe stores a webhook at signedsub.
func (w *world) subscribe(s *engine.Sandbox, to string) {
	w.Helper()
	credentials := s.Credentials("signedsub")
	body := `{"account":"` + credentials["account"] + `","timestamp":0,"payload":{"requestId":"123e4567-e89b-12d3-a456-426614174000",` +
		`"notificationServiceTypes":["INVOICE"],"url":"` + to + `"}}`
	const path = "/api/v1/subscription/webhook/create"
	req := authorizedAt(w.T, s.Clock.EdgeNow(), provider(w.T, "signedsub"), http.MethodPost, "http://localhost/sandboxes/"+s.Name+"/signedsub"+path, body, credentials)
	rec := httptest.NewRecorder()
	require.NoError(w, w.engine.Serve(rec, req))
	require.Equal(w, http.StatusOK, rec.Code, rec.Body)
}

func (w *world) state(s *engine.Sandbox) string {
	w.Helper()
	state, err := s.Export()
	require.NoError(w, err)
	text, err := strictjson.Encode(state)
	require.NoError(w, err)
	return string(text)
}

// live does a bit of everything in a sandbox and returns what came of it.
func (w *world) live(s *engine.Sandbox, to string) string {
	w.Helper()
	path := "/" + s.Name
	w.subscribe(s, to)
	w.call("PATCH", path, `{"policies":{"signedsub.block_limit":3}}`).is(200)
	emitted := w.call("POST", path+"/events", `{"sim":"signedsub","type":"INVOICE_PAID"}`).is(202)
	w.call("POST", path+"/clock/advance", `{"by":"1m"}`).is(200)
	w.call("PUT", path+"/clock", `{"edge":"world","skew":"1s"}`).is(200)
	w.call("POST", path+"/receivers", `{"name":"shop"}`).is(201)
	return string(emitted.body) + w.state(s)
}

func TestResetReturnsToTheSameBytes(t *testing.T) {
	t.Parallel()
	for name, clock := range map[string]string{"an instant": `{"mode":"frozen","now":"2026-01-08T10:30:00Z","edge":"world"}`, "frozen at creation": `{"mode":"frozen","edge":"world"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.call("POST", "", `{"name":"a","seed":7,"clock":`+clock+`,"policies":{"signedsub.block_limit":9}}`).is(201)
			s, _ := w.engine.Sandbox("a")
			before, stateBefore := w.call("GET", "/a", "").is(200), w.state(s)
			to := customer(t, 500)
			first := w.live(s, to)
			require.NotEqual(t, stateBefore, w.state(s))
			shop := decode[client.Receiver](w.call("GET", "/a/receivers/shop", "").is(200))

			reset := w.call("POST", "/a/reset", "").is(200)
			require.Equal(t, string(before.body), string(reset.body))
			require.Equal(t, stateBefore, w.state(s))
			require.Equal(t, `{"deliveries":[],"forgotten":0}`+"\n", string(w.call("GET", "/a/deliveries", "").body))
			require.Equal(t, `{"exchanges":[],"dropped":0}`+"\n", string(w.call("GET", "/a/journal?direction=all", "").body))
			require.Equal(t, `{"receivers":[]}`+"\n", string(w.call("GET", "/a/receivers", "").body))
			requireClosed(t, shop.URL)
			n, _ := s.Clock.Pending()
			require.Zero(t, n)
			require.Equal(t, withoutTook(first), withoutTook(w.live(s, to)), "the same inputs give the same ids, secrets and payloads")
		})
	}
}

// withoutTook leaves out what real time decides.
func withoutTook(text string) string {
	var kept []string
	for part := range strings.SplitSeq(text, ",") {
		if !strings.Contains(part, `"took"`) && !strings.Contains(part, `"Date"`) && !strings.Contains(part, "GMT") && !strings.Contains(part, "timestamp") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

func requireClosed(t *testing.T, url string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err == nil {
		_ = conn.Close()
	}
	require.ErrorContains(t, err, "connection refused")
}

func TestDeleteStopsAlarmsAndReceiversAndFreesTheName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("POST", "", `{"name":"a","clock":"2026-01-08T10:30:00Z"}`).is(201)
	s, _ := w.engine.Sandbox("a")
	w.live(s, customer(t, 500))
	shop := decode[client.Receiver](w.call("GET", "/a/receivers/shop", "").is(200))
	n, _ := s.Clock.Pending()
	require.Equal(t, 1, n, "a retry is due")
	w.call("DELETE", "/a", "").is(204)
	n, _ = s.Clock.Pending()
	require.Zero(t, n)
	requireClosed(t, shop.URL)
	w.call("GET", "/a", "").is(404)
	w.call("POST", "", `{"name":"a","clock":"2026-01-08T10:30:00Z"}`).is(201)
	again, _ := w.engine.Sandbox("a")
	require.Equal(t, s.Credentials("signedsub"), again.Credentials("signedsub"))
}

// TestDeleteSetsThoseFreeWhoWait: they used to wait for their whole time.
func TestDeleteSetsThoseFreeWhoWait(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i := range 20 {
		name := fmt.Sprintf("waited-for-%d", i)
		a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"` + name + `"}`}).is(201)
		done := make(chan answer)
		go func() { done <- a.call("GET "+sandboxPath+"/deliveries", request{params: in(name), query: "wait=1m"}) }()
		a.call("GET "+sandboxPath+"/deliveries", request{params: in(name)}).is(200)
		a.call("DELETE "+sandboxPath, request{params: in(name)}).is(204)
		got := <-done
		require.Equal(t, "no such sandbox", got.is(http.StatusNotFound).problem().Title)
	}
}

// heap is the memory that is in use after garbage was collected.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const megabyte = 1 << 20

// TestDeleteFreesMemory is not parallel: others would allocate meanwhile.
func TestDeleteFreesMemory(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	w := newWorld(t)
	round := func(i int) {
		name := fmt.Sprintf("r%d", i)
		w.call("POST", "", `{"name":"`+name+`"}`).is(201)
		s, _ := w.engine.Sandbox(name)
		w.subscribe(s, "http://127.0.0.1:1/")
		w.call("POST", "/"+name+"/events", `{"sim":"signedsub","type":"INVOICE_PAID"}`).is(202)
		require.NoError(t, s.Clock.Settle(t.Context()))
		w.call("GET", "/"+name+"/receivers", "").is(200)
		w.call("DELETE", "/"+name, "").is(204)
	}
	for i := range 100 {
		round(i)
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for i := range rounds {
		round(i)
	}
	grown := int64(heap()) - int64(before)
	t.Logf("%d sandboxes were created, used and deleted: the heap grew by %d bytes, %.1f for each; goroutines %d → %d",
		rounds, grown, float64(grown)/float64(rounds), goroutines, runtime.NumGoroutine())
	require.Less(t, grown, int64(megabyte)/2, "a leak of 300 bytes for each would show")
	require.Less(t, runtime.NumGoroutine(), goroutines+10)
}

// TestTenThousandIdleSandboxesAreSmall is not parallel: others would allocate meanwhile.
func TestTenThousandIdleSandboxesAreSmall(t *testing.T) {
	count := 10_000
	if testing.Short() {
		count = 1000
	}
	w := newWorld(t)
	before := heap()
	for i := range count {
		_, err := w.engine.CreateSandbox(engine.SandboxConfig{Name: fmt.Sprintf("s%d", i), Seed: int64(i), Clock: clock.Setting{Mode: clock.Real}})
		require.NoError(t, err)
	}
	used := int64(heap()) - int64(before)
	t.Logf("%d idle sandboxes: %.1f MB, %d bytes each", count, float64(used)/megabyte, used/int64(count))
	require.Less(t, used, int64(200*megabyte)*int64(count)/10_000)
	runtime.KeepAlive(w)
}

func BenchmarkCreateAndDeleteSandbox(b *testing.B) {
	providers, err := mocksrv.Providers()
	require.NoError(b, err)
	e, err := engine.New(engine.Options{Providers: providers})
	require.NoError(b, err)
	for b.Loop() {
		_, err := e.CreateSandbox(engine.SandboxConfig{Name: "x"})
		require.NoError(b, err)
		_, err = e.DeleteSandbox("x")
		require.NoError(b, err)
	}
}
