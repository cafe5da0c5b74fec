package run_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
)

const joining = `
receivers: {shop: {}}
webhooks: [{name: hook, sim: signedsub, url: "${{ receivers.shop.url }}", events: [INVOICE_PAID]}]
rules: [{name: noticed, event: signedsub.INVOICE_PAID, do: [{set: {seen: "${{ start }}"}}]}]
accounts: {branch: {}}
steps:
- {call: hsrcpay.listWebhooks, expect: {status: 200, rules: []}}
- {call: hsrcpay.listWebhooks, as: branch, expect: {status: 200}}
- {emit: {sim: signedsub, type: INVOICE_PAID}, expect: {made: 2, receivers: {shop: [{count: 1}]}, that: 'state.seen startsWith "2026-03-01"'}}
- {advance: 1h}
`

// joinable is a server whose default sandbox an app uses: it has a webhook.
func joinable(t *testing.T) (run.Target, *client.SandboxClient) {
	t.Helper()
	on := target(t, func(o *mocksrv.Options) { o.Seed = 7 })
	app := on.Control.In(mocksrv.DefaultSandbox)
	march := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	_, err := app.SetClock(t.Context(), client.ClockChange{Mode: "frozen", Now: &march})
	require.NoError(t, err)
	r := on.Run(t.Context(), steps(t, "webhooks: [{sim: signedsub, url: '"+shop(t, 200)+"', events: [INVOICE_PAID]}]"), run.Options{Sandbox: mocksrv.DefaultSandbox})
	require.Nil(t, r.Failure)
	return on, app
}

func TestACaseCanJoinASandbox(t *testing.T) {
	t.Parallel()
	on, app := joinable(t)
	r := on.Run(t.Context(), steps(t, joining), run.Options{Sandbox: mocksrv.DefaultSandbox})
	if r.Failure != nil {
		t.Fatal(r.Failure.Text())
	}
	require.Equal(t, int64(7), r.Seed)
	require.Equal(t, "1h0m0s", r.Virtual.String())
	now, err := app.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2026-03-01T10:00:00Z", now.Clock.Now.Format(time.RFC3339))
	require.Len(t, now.Scenarios, 2)
	journal, err := app.Journal(t.Context(), client.JournalFilter{})
	require.NoError(t, err)
	require.Len(t, journal.Exchanges, 2, "nothing was deleted")
	sandboxes, err := on.Control.Sandboxes(t.Context())
	require.NoError(t, err)
	require.Len(t, sandboxes.Sandboxes, 1, "no other was made")
	r = on.Run(t.Context(), steps(t, joining), run.Options{Sandbox: mocksrv.DefaultSandbox})
	require.Contains(t, r.Failure.Message, "receivers.shop: receiver: exists already: \"shop\"; delete it first, or give it another script\nsandbox default has had this scenario already")
}

func TestASandboxThatWasMadeWithTheScenarioHasItsWorld(t *testing.T) {
	t.Parallel()
	const file = joining + "policies: {hsrcpay.attempt_timeout: 7s}\nclock: {now: 2026-03-01T09:00:00Z}\ntitle: Served\n"
	path := filepath.Join(t.TempDir(), "served.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(file, "made: 2", "made: 1")), 0o600))
	srv := mocksrv.RunT(t, mocksrv.Serving(path))
	on := srv.Scenarios()
	cases, broken := run.Cases([]string{path}, scenario.NamesOf(on.Providers))
	require.Empty(t, broken)
	app := on.Control.In(mocksrv.DefaultSandbox)
	for range 2 {
		r := on.Run(t.Context(), cases[0], run.Options{Sandbox: mocksrv.DefaultSandbox})
		if r.Failure != nil {
			t.Fatal(r.Failure.Text())
		}
		now, err := app.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, now.Scenarios, 1, "it was not put in again")
		require.Equal(t, map[string]any{"hsrcpay.attempt_timeout": "7s"}, now.Policies)
		_, err = app.Reset(t.Context())
		require.NoError(t, err)
		_, err = app.SetPolicies(t.Context(), map[string]any{"hsrcpay.attempt_timeout": "9s"})
		require.NoError(t, err)
	}
	changed := cases[0]
	changed.Scenario.State = map[string]string{"mode": "night"}
	r := on.Run(t.Context(), changed, run.Options{Sandbox: mocksrv.DefaultSandbox})
	require.Contains(t, r.Failure.Message, "sandbox default was made with a scenario of this title, whose world is not that of this file and case; serve it")
}

func TestWhatCannotCountInASandboxThatIsThereIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"seed":     {"seed: 8", "seed: 8 is wanted, and sandbox default was made with 7; "},
		"origin":   {"origin: shop", "origin: it counts only where a sandbox is made, and default is there already; "},
		"accounts": {"accounts: {default: {signedsub: {key: k}}}", `accounts.default.signedsub.key: "k" is wanted, and in sandbox default it is "`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on, app := joinable(t)
			r := on.Run(t.Context(), steps(t, c.file+"\nstate: {was: here}\nsteps: [{call: hsrcpay.listWebhooks}]"), run.Options{Sandbox: mocksrv.DefaultSandbox, URL: "http://here"})
			require.NotNil(t, r.Failure)
			require.Contains(t, r.Failure.Message, "the scenario was not applied: "+c.want)
			require.Equal(t, "mocksrv test shop.yaml --target http://here --sandbox default", r.Failure.Again)
			states, err := app.State(t.Context())
			require.NoError(t, err)
			require.Empty(t, states.State, "nothing was applied")
		})
	}
	on, _ := joinable(t)
	r := on.Run(t.Context(), steps(t, "seed: 7\nsteps: [{call: hsrcpay.listWebhooks}]"), run.Options{Sandbox: mocksrv.DefaultSandbox})
	require.Nil(t, r.Failure, "the same seed is no other")
	r = on.Run(t.Context(), steps(t, "steps: [{wait: idle}]"), run.Options{Sandbox: "nobody"})
	require.Contains(t, r.Failure.Message, "no such sandbox")
}

func TestAnAccountThatWasMadeOtherwiseIsRefused(t *testing.T) {
	t.Parallel()
	on, _ := joinable(t)
	branch := func(key string) run.Result {
		return on.Run(t.Context(), steps(t, "accounts: {branch: {signedsub: {key: "+key+"}}}\nsteps: [{wait: idle}]"), run.Options{Sandbox: mocksrv.DefaultSandbox})
	}
	const key = "5f0c7a1e9b3d48c2a6e4f1b07d92c835"
	require.Nil(t, branch(key).Failure)
	require.Nil(t, branch(key).Failure, "it is the same")
	require.Contains(t, branch("other").Failure.Message, `accounts.branch.signedsub.key: "other" is wanted, and in sandbox default it is "`+key+`" already`)
}

// lateApp is an app that makes a call of its own only after the runner has looked at the journal so often.
type lateApp struct {
	looks atomic.Int64
	after int64
	act   func()
}

func (a *lateApp) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/journal") && req.URL.Query().Get("limit") != "" && a.looks.Add(1) == a.after {
		a.act()
	}
	return http.DefaultTransport.RoundTrip(req)
}

func TestAnExpectationCanWaitForAnApp(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	called := func() {
		resp, err := http.Get(srv.BaseURL("hsrcpay") + "/v1/webhooks/")
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	expecting := func(within string, after int64) run.Result {
		app := &lateApp{after: after, act: called}
		on := run.Target{Control: client.New(srv.URL(), client.WithHTTPClient(&http.Client{Transport: app})), HTTP: run.NewHTTP(), Providers: providers}
		r := on.Run(t.Context(), steps(t, "steps: [{expect: {"+within+"journal: [{match: {operation: listWebhooks, status: 401}, count: 1}]}}]"), run.Options{Sandbox: mocksrv.DefaultSandbox})
		return r
	}
	r := expecting("", 3)
	require.Contains(t, r.Failure.Message, "journal: 0 matched")
	require.NotContains(t, r.Failure.Message, "waited")
	r = expecting("within: 30ms, ", 1000)
	require.Contains(t, r.Failure.Message, "1 wanted (waited 30ms for it)")
	r = expecting("within: 1m, ", 3)
	require.Nil(t, r.Failure)
}

func TestWhatCannotBeEvaluatedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := fails(t, "steps: [{expect: {within: 1h, receivers: {nobody: [{count: 1}]}}}]")
	require.Contains(t, f.Message, "no such receiver")
	f = fails(t, "steps: [{expect: {within: \"${{ 'soon' }}\", that: 'true'}}]")
	require.Contains(t, f.Message, `want a duration above 0 such as 10s, got "soon"`)
	passes(t, "params: {wait: 1s}\nsteps: [{expect: {within: '${{ params.wait }}', that: 'true'}}]")
}
