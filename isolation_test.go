package mocksrv_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// tenants receives the webhooks of many sandboxes, each at a path of its own, and fails the first attempt of each.
type tenants struct {
	mu    sync.Mutex
	calls map[string][]string // path → bodies
}

func (r *tenants) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[req.URL.Path] = append(r.calls[req.URL.Path], string(body))
	if len(r.calls[req.URL.Path]) == 1 {
		w.WriteHeader(http.StatusBadGateway)
	}
}

// 500 sandboxes at once, each with its own clock and credentials: create, list, event, retry, verify. None sees anything
// of another.
func TestFiveHundredSandboxesWithoutCrossTalk(t *testing.T) {
	t.Parallel()
	receiver := &tenants{calls: map[string][]string{}}
	url, stop := serve(&http.Server{Addr: "127.0.0.1:0", Handler: receiver, ReadHeaderTimeout: time.Minute})
	defer stop()
	srv := mocksrv.RunT(t)
	var failures atomic.Int64
	var wg sync.WaitGroup
	turn := make(chan struct{}, 64) // so many at the same moment: loopback ports are finite
	for i := range 500 {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := lifecycle(t, srv, fmt.Sprintf("tenant-%d", i), url); err != nil {
				failures.Add(1)
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Zero(t, failures.Load())
	require.Len(t, receiver.calls, 500)
	for path, bodies := range receiver.calls {
		require.Len(t, bodies, 2, path)
		require.Equal(t, bodies[0], bodies[1])
		require.Contains(t, bodies[0], strings.TrimPrefix(path, "/"), "an event of another sandbox")
	}
}

func lifecycle(t *testing.T, srv *mocksrv.Server, name, receiver string) error {
	t.Helper()
	made, err := srv.Control().CreateSandbox(t.Context(), client.NewSandbox{Name: name, Clock: []byte(`"2026-01-08T09:00:00Z"`)})
	if err != nil {
		return err
	}
	sandbox := srv.Control().In(name)
	c := simCreates()[4]
	c.body = func(int, map[string]string) string {
		return fmt.Sprintf(`{"endpoint":"%s/%s","enabled_events":["payment.succeeded"]}`, receiver, name)
	}
	for range 2 { // the second time a list: the credential alone leads to the sandbox
		resp, err := srv.Client().Do(clientRequest(t, srv.BaseURL(c.sim), c, 0, made.Sims[c.sim].Credentials, srv.Now()))
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		c.method, c.body = http.MethodGet, func(int, map[string]string) string { return "" }
	}
	hooks, err := sandbox.Webhooks(t.Context(), "")
	if err != nil || len(hooks.Webhooks) != 1 {
		return fmt.Errorf("%s has %d webhooks: %w", name, len(hooks.Webhooks), err)
	}
	if _, err := sandbox.Emit(t.Context(), client.Event{Sim: c.sim, Type: "payment.succeeded", Data: map[string]any{"tenant": name}}); err != nil {
		return err
	}
	if _, err := sandbox.Advance(t.Context(), client.Advance{Until: "idle"}); err != nil {
		return err
	}
	return verified(t, sandbox, name)
}

func verified(t *testing.T, sandbox *client.SandboxClient, name string) error {
	t.Helper()
	one := 1
	result, err := sandbox.VerifyDeliveries(t.Context(), client.Verification{
		Count: &client.Count{Min: 1, Max: &one},
		Match: map[string]any{"state": "delivered", "attempts": []any{map[string]any{"status": 502}, map[string]any{"status": 200}}},
	})
	if err != nil || !result.Pass {
		return fmt.Errorf("%s: %+v: %w", name, result, err)
	}
	two := 2
	result, err = sandbox.Verify(t.Context(), client.Verification{Count: &client.Count{Min: 2, Max: &two}})
	if err != nil || !result.Pass {
		return fmt.Errorf("%s: %+v: %w", name, result, err)
	}
	return nil
}
