package mocksrv_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// step is one thing a history does to a server. It returns everything that came back.
type step func(t require.TestingT, srv *mocksrv.Server) string

// randomStep draws a step: a create, a list, a bad call, an event, a move of the clock, a policy.
func randomStep(t *rapid.T, n int) step {
	creates := simCreates()
	c := creates[rapid.IntRange(0, len(creates)-1).Draw(t, "sim")]
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0, 1:
		return func(t require.TestingT, srv *mocksrv.Server) string { return sendCreate(t, srv, c, n) }
	case 2:
		bad := c
		bad.body = func(int, map[string]string) string { return `{"timestamp":0,"url":7}` }
		return func(t require.TestingT, srv *mocksrv.Server) string { return sendCreate(t, srv, bad, n) }
	case 3:
		event := client.Event{Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"id": fmt.Sprint("evt_", n)}}
		return func(t require.TestingT, srv *mocksrv.Server) string {
			_, err := srv.Emit(event)
			require.NoError(t, err)
			_, err = srv.Advance(0)
			require.NoError(t, err)
			return attempts(t, srv)
		}
	case 4:
		by := time.Duration(rapid.IntRange(0, 4000).Draw(t, "seconds")) * time.Second
		return func(t require.TestingT, srv *mocksrv.Server) string {
			_, err := srv.Advance(by)
			require.NoError(t, err)
			return attempts(t, srv)
		}
	default:
		value := rapid.SampledFrom([]string{"200", "201"}).Draw(t, "created_status")
		return func(t require.TestingT, srv *mocksrv.Server) string {
			require.NoError(t, srv.SetPolicy("hsrcpay.created_status", value))
			return value
		}
	}
}

func sendCreate(t require.TestingT, srv *mocksrv.Server, c simCreate, n int) string {
	r, err := http.NewRequest(c.method, srv.BaseURL(c.sim)+c.path, http.NoBody)
	require.NoError(t, err)
	authorize(t, r, c, n, srv.Credentials(c.sim), srv.Now())
	resp, err := srv.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return fmt.Sprintln(c.sim, resp.StatusCode, resp.Header, string(body))
}

// attempts is everything a receiver could have seen.
func attempts(t require.TestingT, srv *mocksrv.Server) string {
	deliveries, err := srv.Deliveries()
	require.NoError(t, err)
	var out strings.Builder
	for _, d := range deliveries {
		fmt.Fprintln(&out, d.ID, d.State, d.Reason, d.NextAttemptAt)
		for _, a := range d.Attempts {
			fmt.Fprintln(&out, a.N, a.At, a.Status, a.Error, a.Detail, a.Request)
		}
	}
	return out.String()
}

// A restored sandbox answers, to the byte, as the one that went on without a break: over random histories, in another
// server.
func TestRestoredSandboxContinuesAsIfNothingHappened(t *testing.T) {
	t.Parallel()
	server := func() *mocksrv.Server {
		return mocksrv.RunT(t, mocksrv.Frozen(at()), mocksrv.Seed(3), mocksrv.EdgeWorld(), mocksrv.NoListener())
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := 0
		draw := func(label string) []step {
			steps := make([]step, rapid.IntRange(1, 8).Draw(rt, label))
			for i := range steps {
				n++
				steps[i] = randomStep(rt, n)
			}
			return steps
		}
		before, after := draw("before"), draw("after")
		unbroken := server()
		for _, s := range before {
			s(rt, unbroken)
		}
		snapshot, err := unbroken.Snapshot()
		require.NoError(rt, err)
		restored := mocksrv.RunT(t, mocksrv.NoListener()) // another seed, another clock: the snapshot has both
		require.NoError(rt, restored.Restore(snapshot))
		again, err := restored.Snapshot()
		require.NoError(rt, err)
		require.Equal(rt, string(snapshot), string(again))
		for _, s := range after {
			require.Equal(rt, s(rt, unbroken), s(rt, restored))
		}
		require.Equal(rt, dump(rt, unbroken), dump(rt, restored))
	})
}

func dump(t require.TestingT, srv *mocksrv.Server) string {
	text, err := srv.Dump()
	require.NoError(t, err)
	return text
}

// A snapshot that is not whole changes nothing.
func TestBrokenSnapshotsAreRefusedWhole(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()), mocksrv.NoListener())
	good, err := srv.Snapshot()
	require.NoError(t, err)
	before := dump(t, srv)
	for name, broken := range map[string]string{
		"not JSON":          `{`,
		"another version":   strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"a wrong instant":   strings.Replace(string(good), `"now":"2026-01-08T09:00:00Z"`, `"now":"yesterday"`, 1),
		"an unknown policy": strings.Replace(string(good), `"policies":{}`, `"policies":{"bts.nothing":1}`, 1),
		"an unknown member": strings.Replace(string(good), `"version":1`, `"version":1,"extra":true`, 1),
	} {
		require.Error(t, srv.Restore([]byte(broken)), name)
		require.Equal(t, before, dump(t, srv), name)
	}
}

// The same over the control API, into a new process of the binary: what is answered after the restore is, byte for byte,
// what the first process answers.
func TestSnapshotMovesToANewProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/mocksrv", "./cmd/mocksrv").CombinedOutput()
	require.NoError(t, err, "%s", out)
	script := `
pids=()
trap 'kill "${pids[@]}"; wait' EXIT
start() { # NAME FLAGS…: sets base
  ./mocksrv serve --listen 127.0.0.1:0 "${@:2}" > "$1.out" & pids+=($!)
  until base=$(sed -n 's/^mocksrv ready at //p' "$1.out") && [ -n "$base" ]; do kill -0 "${pids[-1]}"; done
}
box=_mocksrv/v1/sandboxes/default
hook() { curl -sf "$1/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"endpoint":"https://merchant.example/hook","enabled_events":["*"]}'; }
start first --clock 2026-01-08T09:00:00Z --seed 7; first=$base
key=$(curl -sf "$first/$box" | jq -r .sims.hsrcpay.credentials.secret_key)
hook "$first" >/dev/null
curl -sf "$first/$box/snapshot" > snapshot.json
start second --seed 99; second=$base
curl -sf -X PUT "$second/$box/snapshot" --data-binary @snapshot.json >/dev/null
for base in "$first" "$second"; do
  { hook "$base"; curl -sf "$base/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $key"; curl -sf "$base/$box/snapshot"; } > answers
  sha256sum answers; grep -o '"object":"webhook"' answers | wc -l
done`
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	printed, err := cmd.Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(printed)), "\n")
	require.Len(t, lines, 4)
	require.Equal(t, lines[0], lines[2])
	require.Equal(t, "3", lines[1])
}
