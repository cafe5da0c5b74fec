package mocksrv_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/all"
)

func at() time.Time { return time.Date(2026, 1, 8, 9, 0, 0, 0, time.UTC) }

// story makes every provider answer a few requests and returns all its bytes.
func story(t *testing.T, srv *mocksrv.Server, sandbox string, base func(sim string) string, credentials func(sim string) map[string]string) string {
	t.Helper()
	var out strings.Builder
	for _, c := range simCreates() {
		for n := range 5 {
			r := clientRequest(t, base(c.sim), c, n, credentials(c.sim), srv.Now())
			if sandbox != "" {
				r.Header.Set("Mocksrv-Sandbox", sandbox)
			}
			resp, err := srv.Client().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Less(t, resp.StatusCode, 300, "%s: %s", c.sim, body)
			fmt.Fprintf(&out, "%s %d %s\n", c.sim, resp.StatusCode, body)
		}
	}
	return out.String()
}

func clientRequest(t testing.TB, base string, c simCreate, n int, credentials map[string]string, now time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(c.method, base+c.path, nil)
	require.NoError(t, err)
	authorize(t, r, c, n, credentials, now)
	return r
}

// authorize makes a request what a client of the provider sends.
func authorize(t require.TestingT, r *http.Request, c simCreate, n int, credentials map[string]string, now time.Time) {
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("api-version", "1.0")
	out := &sims.ClientRequest{Method: c.method, URL: r.URL, Header: r.Header, Body: []byte(c.body(n, credentials)), Credentials: credentials, Now: now}
	require.NoError(t, authorizers()[c.sim](out))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out.Body)), int64(len(out.Body))
}

// Invariant 4: no I/O under a lock. A receiver that does not answer holds nobody up.
func TestInvariant4NoIOUnderALock(t *testing.T) {
	t.Parallel()
	reached, release := make(chan struct{}, 1), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	}))
	defer receiver.Close()
	defer close(release)
	srv := mocksrv.RunT(t)
	c := simCreates()[4] // hsrcpay
	body := strings.ReplaceAll(c.body(0, nil), "https://merchant.example/hook", receiver.URL)
	hook := c
	hook.body = func(int, map[string]string) string { return body }
	resp, err := srv.Client().Do(clientRequest(t, srv.BaseURL(c.sim), hook, 0, srv.Credentials(c.sim), srv.Now()))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, err = srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	<-reached // the attempt is under way, and stays so

	story(t, srv, "", srv.BaseURL, srv.Credentials)
	deliveries, err := srv.Deliveries()
	require.NoError(t, err)
	require.Equal(t, "pending", deliveries[0].State)
}

// Invariant 5: the world clock moves when told to; the edge clock is the machine's unless tied to the world's.
func TestInvariant5TwoClocks(t *testing.T) {
	t.Parallel()
	c := simCreates()[3] // signedsub signs the client's time
	for name, tc := range map[string]struct {
		options []func(*mocksrv.Options)
		now     time.Time
		want    int
	}{
		"a wall edge takes a client with a real clock":           {nil, clock.WallNow(), http.StatusOK},
		"a wall edge refuses the world's instant":                {nil, at(), http.StatusBadRequest},
		"a world edge takes the world's instant":                 {[]func(*mocksrv.Options){mocksrv.EdgeWorld()}, at(), http.StatusOK},
		"a world edge refuses a client with a real clock":        {[]func(*mocksrv.Options){mocksrv.EdgeWorld()}, clock.WallNow(), http.StatusBadRequest},
		"three minutes off the world's instant are within":       {[]func(*mocksrv.Options){mocksrv.EdgeWorld()}, at().Add(3 * time.Minute), http.StatusOK},
		"a millisecond more than three minutes is out of window": {[]func(*mocksrv.Options){mocksrv.EdgeWorld()}, at().Add(3*time.Minute + time.Millisecond), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t, append(tc.options, mocksrv.Frozen(at()), mocksrv.NoListener())...)
			resp, err := srv.Client().Do(clientRequest(t, srv.BaseURL(c.sim), c, 0, srv.Credentials(c.sim), tc.now))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tc.want, resp.StatusCode)
		})
	}
}

// Invariant 6: what a sandbox answers depends on its seed and its own requests, whatever the others do meanwhile.
func TestInvariant6SameSeedSameBytesBesideOthers(t *testing.T) {
	t.Parallel()
	tell := func(others int) string {
		srv := mocksrv.RunT(t, mocksrv.Frozen(at()), mocksrv.Seed(7), mocksrv.EdgeWorld())
		var wg sync.WaitGroup
		for i := range others {
			name := fmt.Sprintf("other-%d", i)
			made, err := srv.Control().CreateSandbox(t.Context(), client.NewSandbox{Name: name, Clock: []byte(`{"mode":"frozen","now":"2026-01-08T09:00:00Z","edge":"world"}`)})
			require.NoError(t, err)
			wg.Go(func() {
				story(t, srv, name, srv.BaseURL, func(sim string) map[string]string { return made.Sims[sim].Credentials })
			})
		}
		defer wg.Wait()
		return story(t, srv, "", srv.BaseURL, srv.Credentials)
	}
	alone := tell(0)
	require.Equal(t, alone, tell(0))
	require.Equal(t, alone, tell(8))
	require.Contains(t, alone, "hsrcpay 201")
}

// Invariant 6, in a new process: two runs of the binary print the same credentials and answer the same bytes.
func TestInvariant6SameSeedSameBytesInANewProcess(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "mocksrv")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/mocksrv").CombinedOutput()
	require.NoError(t, err, "%s", out)
	tell := func() string {
		script := `"$0" serve --listen 127.0.0.1:0 --clock 2026-01-08T09:00:00Z --seed 7 > "$1" & pid=$!; trap 'kill $pid; wait $pid' EXIT
until base=$(sed -n 's/^mocksrv ready at //p' "$1") && [ -n "$base" ]; do kill -0 $pid; done
key=$(curl -sf "$base/_mocksrv/v1/sandboxes/default" | jq -r .sims.hsrcpay.credentials.secret_key)
for n in 1 2 3; do curl -sf "$base/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"endpoint":"https://merchant.example/hook","enabled_events":["*"]}'; done
curl -sf "$base/_mocksrv/v1/sandboxes/default/events" -d '{"sim":"hsrcpay","type":"payment.succeeded"}' | jq -c '[.id, (.deliveries[] | [.id, .event_id])]'`
		out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script, binary, filepath.Join(t.TempDir(), "out")).Output()
		require.NoError(t, err)
		return string(out)
	}
	first := tell()
	require.Contains(t, first, `"object":"webhook"`)
	require.Equal(t, first, tell())
}

// 64 clients at once: nobody gets an error, and every create is there afterwards.
func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range simCreates() {
		t.Run(c.sim, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t)
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					r := clientRequest(t, srv.BaseURL(c.sim), c, i, srv.Credentials(c.sim), srv.Now())
					resp, err := srv.Client().Do(r)
					if err != nil || resp.StatusCode >= 300 {
						t.Errorf("%v %v", resp, err)
						return
					}
					_ = resp.Body.Close()
				})
			}
			wg.Wait()
			hooks, err := srv.Webhooks(c.sim)
			require.NoError(t, err)
			want := 64
			if c.sim == "bts" {
				want = 1 // one configuration for each environment: the last one wins
			}
			require.Len(t, hooks, want)
			require.Len(t, srv.Journal().Exchanges, 64)
		})
	}
}

// A server starts and stops cheaply: a suite starts hundreds.
func TestHundredsOfServers(t *testing.T) {
	t.Parallel()
	for range 200 {
		srv := mocksrv.RunT(t, mocksrv.NoListener())
		require.Len(t, srv.Credentials("hsrcpay"), 4)
	}
	require.Len(t, all.Sims(), 5)
}

// serve starts an app's server on a free port.
func serve(server *http.Server) (url string, stop func()) {
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		panic(err)
	}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }
}
