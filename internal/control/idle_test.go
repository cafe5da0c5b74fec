package control_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims/all"
)

// idleWorld is a control API whose sandboxes expire after ten minutes unless they say otherwise.
func idleWorld(t *testing.T) (*engine.Engine, *control.API) {
	t.Helper()
	var providers []*engine.Provider
	for _, sim := range all.Sims() {
		p, err := engine.Compile(sim)
		require.NoError(t, err)
		providers = append(providers, p)
	}
	e, err := engine.New(engine.Options{Providers: providers})
	require.NoError(t, err)
	api := staged(e, delivery.New(e, delivery.Options{}), control.Options{Idle: 10 * time.Minute})
	t.Cleanup(api.Close)
	return e, api
}

func TestSandboxesExpireWhenNobodyUsesThem(t *testing.T) {
	t.Parallel()
	e, api := idleWorld(t)
	for _, body := range []string{`{"name":"server"}`, `{"name":"own","idle":"1h"}`, `{"name":"never","idle":"0s"}`, `{"name":"used"}`, `{"name":"busy"}`} {
		callAPI(t, api, http.MethodPost, "/_mocksrv/v1/sandboxes", body, http.StatusCreated)
	}
	made := clock.WallNow()
	in := made.Add
	require.Empty(t, api.Expire(in(9*time.Minute)))

	busy, ok := e.Enter("busy")
	require.True(t, ok)
	require.ElementsMatch(t, []string{"server", "used"}, api.Expire(in(11*time.Minute)), "busy is in use")
	callAPI(t, api, http.MethodGet, "/_mocksrv/v1/sandboxes/server", "", http.StatusNotFound)
	busy.Leave()
	require.Equal(t, []string{"busy"}, api.Expire(in(11*time.Minute)))

	require.Empty(t, api.Expire(in(59*time.Minute)))
	require.Equal(t, []string{"own"}, api.Expire(in(61*time.Minute)))
	require.Empty(t, api.Expire(in(1000*time.Hour)), "neither default nor never")
	require.Equal(t, uint64(4), e.Stats().Expired)

	callAPI(t, api, http.MethodPost, "/_mocksrv/v1/sandboxes", `{"name":"server"}`, http.StatusCreated) // the name is free again
	callAPI(t, api, http.MethodGet, "/_mocksrv/v1/sandboxes/never", "", http.StatusOK)
}

// TestUseStartsTheIdleTimeAnew: a request to a provider, a call of the control API, an attempt to deliver.
func TestUseStartsTheIdleTimeAnew(t *testing.T) {
	t.Parallel()
	e, api := idleWorld(t)
	callAPI(t, api, http.MethodPost, "/_mocksrv/v1/sandboxes", `{"name":"a","idle":"1s"}`, http.StatusCreated)
	s, ok := e.Sandbox("a")
	require.True(t, ok)
	for name, use := range map[string]func(){
		"control API": func() { callAPI(t, api, http.MethodGet, "/_mocksrv/v1/sandboxes/a/clock", "", http.StatusOK) },
		"provider": func() {
			w := newRecorder()
			require.NoError(t, e.Serve(w, newRequest(t, http.MethodGet, "/sandboxes/a/hsrcpay/v1/webhooks/", "")))
			require.Equal(t, http.StatusUnauthorized, w.Code)
		},
		"attempt": func() { s.Touch() },
	} {
		before := clock.WallNow()
		use()
		require.Empty(t, api.Expire(before.Add(time.Second-1)), name)
	}
	require.Equal(t, []string{"a"}, api.Expire(clock.WallNow().Add(time.Second)))
}

// TestIdleSandboxesExpireByThemselves waits for it, for the second that it takes.
func TestIdleSandboxesExpireByThemselves(t *testing.T) {
	t.Parallel()
	e, api := idleWorld(t)
	callAPI(t, api, http.MethodPost, "/_mocksrv/v1/sandboxes", `{"name":"a","idle":"1s"}`, http.StatusCreated)
	s, ok := e.Sandbox("a")
	require.True(t, ok)
	gone := make(chan struct{})
	t.Cleanup(clock.Every(10*time.Millisecond, func(time.Time) {
		if _, there := e.Sandbox(s.Name); !there {
			select {
			case <-gone:
			default:
				close(gone)
			}
		}
	}))
	select {
	case <-gone:
	case <-t.Context().Done():
	}
}

func TestIdleTimesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, idle := range []string{"1", "ten minutes", "-1m", "999ms", "8761h"} {
		p := a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"idle":"` + idle + `"}`}).is(422).problem()
		require.Equal(t, "idle", p.Errors[0].Field)
	}
	made := decode[client.Sandbox](a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"idle":"90s"}`}).is(201))
	require.Equal(t, "1m30s", made.Idle)
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func newRequest(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	return r
}

func callAPI(t *testing.T, api *control.API, method, path, body string, status int) {
	t.Helper()
	w := newRecorder()
	api.ServeHTTP(w, newRequest(t, method, path, body))
	require.Equal(t, status, w.Code, w.Body.String())
}
