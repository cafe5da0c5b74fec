package record_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/record"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/scenarios"
	"github.com/mocksrv/mocksrv/script"
)

// app is a customer's endpoint that answers with these statuses, the last one for ever.
func app(t *testing.T, statuses ...int) string {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[min(int(n.Add(1)), len(statuses))-1])
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// replayed records a sandbox of a server, and runs what was recorded on another.
func replayed(t *testing.T, srv *mocksrv.Server, sandbox string) (script.Scenario, string) {
	t.Helper()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	recorded, err := record.Of(t.Context(), srv.Control(), sandbox, providers)
	require.NoError(t, err)
	text, err := record.YAML(recorded)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "recorded.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cases, broken := run.Cases([]string{file}, scenario.NamesOf(providers))
	for _, b := range broken {
		t.Fatalf("%s\n%s", b.Error, text)
	}
	other := mocksrv.RunT(t)
	for _, c := range cases {
		if r := other.Scenarios().Run(t.Context(), c, run.Options{}); r.Failure != nil {
			t.Fatalf("%s\n%s", r.Failure.Text(), text)
		}
	}
	return recorded, string(text)
}

func TestARecordedRunPassesWhenItIsRunAgain(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)), mocksrv.EdgeWorld())
	s := srv.Control().In(mocksrv.DefaultSandbox)
	at, key := app(t, 500, 200), srv.Credentials("hsrcpay")["secret_key"]
	call(t, srv, key, "POST", "hsrcpay", "/v1/webhooks/", `{"endpoint":"`+at+`/hooks?x=1","enabled_events":["payment.*"]}`, 201)
	call(t, srv, key, "POST", "hsrcpay", "/v1/webhooks/", `{"endpoint":"ftp://x"}`, 422)
	call(t, srv, key, "GET", "hsrcpay", "/v1/webhooks/?limit=10", "", 200)
	call(t, srv, key, "GET", "hsrcpay", "/v1/nothing", "", 404)
	_, err := s.SetPolicies(t.Context(), map[string]any{"hsrcpay.retry_schedule": []any{"10m"}})
	require.NoError(t, err)
	_, err = s.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"amount": 12}})
	require.NoError(t, err)
	_, err = s.Advance(t.Context(), client.Advance{By: "1h"})
	require.NoError(t, err)
	deliveries, err := s.Deliveries(t.Context(), client.DeliveryFilter{})
	require.NoError(t, err)
	_, err = s.Redeliver(t.Context(), deliveries.Deliveries[0].ID)
	require.NoError(t, err)
	_, err = s.Advance(t.Context(), client.Advance{Until: "idle"})
	require.NoError(t, err)

	recorded, text := replayed(t, srv, mocksrv.DefaultSandbox)
	require.NotContains(t, text, at, "the app's own address is not in the file")
	require.NotContains(t, text, srv.Credentials("hsrcpay")["secret_key"])
	require.Equal(t, "hsrcpay.createWebhook", recorded.Steps[0].Call)
	require.Equal(t, map[string]any{"endpoint": "${{ receivers.app.url }}/hooks?x=1", "enabled_events": []any{"payment.*"}}, recorded.Steps[0].Body)
	require.Equal(t, "hsrcpay", recorded.Steps[3].Raw.Sim, "a call of no operation is sent as it was")
}

// call calls a provider with a bearer credential.
func call(t *testing.T, srv *mocksrv.Server, credential, method, sim, path, body string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.BaseURL(sim)+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, status, resp.StatusCode)
}

// Every built-in scenario is run, its sandbox recorded, and the recording run again.
func TestARecordingOfEveryBuiltInScenarioPasses(t *testing.T) {
	t.Parallel()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	cases, _ := run.Cases(scenarios.Names(), scenario.NamesOf(providers))
	for _, c := range cases {
		t.Run(c.ID(), func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t)
			c.Scenario.Steps = append(slices.Clone(c.Scenario.Steps), script.Step{Expect: &script.Expect{That: script.Expressions{"false"}}})
			r := srv.Scenarios().Run(t.Context(), c, run.Options{Keep: true}) // it fails, and so its sandbox stays
			if r.Steps != len(c.Scenario.Steps)-1 {
				t.Skip("it does not pass itself, which is another test's matter:", r.Failure.Text())
			}
			replayed(t, srv, r.Sandbox)
		})
	}
}

func TestARealClockIsRecordedAsTimeThatPasses(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	text := []byte(`title: An app at work
clock: {mode: real, edge: wall}
receivers: {shop: {script: {replies: [{status: 503}, {status: 200}]}}}
steps:
- {call: bitpay.generateToken, save: {token: response.json.data.token}}
- {call: bitpay.createWebhook, token: "${{ token }}", body: {eventType: ORDER_WEBHOOK, url: "https://shop.example/hook"}}
- {call: bitpay.listWebhooks, token: "${{ token }}"}
- {call: bitpay.generateToken, sign: stale, expect: {status: 400}}
- {call: bitpay.listWebhooks, sign: wrong, expect: {refusal: credentials}}
- {call: signedsub.listSubscriptions}
- {call: signedsub.listSubscriptions, sign: wrong, expect: {refusal: signature}}
- {call: bankly.issueToken, save: {access: response.json.access_token}}
- {call: bankly.listConfigurations, token: "${{ access }}", query: {page: 1, pageSize: 10}}
- {call: bankly.createConfiguration, token: read_token, expect: {status: 403}}
- {call: hsrcpay.createWebhook, body: {endpoint: "${{ receivers.shop.url }}", enabled_events: [payment.succeeded]}}
- {emit: {sim: hsrcpay, type: payment.succeeded, data: {order: "7"}}}
- {advance: 2m}
- {emit: {sim: hsrcpay, type: payment.succeeded}}
- {expect: {deliveries: [{match: {state: delivered}, count: 2}]}}
- {expect: {that: "false"}}
`)
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	loaded, err := scenario.Load("app.yaml", func(string) ([]byte, error) { return text, nil }, scenario.NamesOf(providers))
	require.NoError(t, err)
	r := srv.Scenarios().Run(t.Context(), run.Case{File: "app.yaml", Scenario: loaded.Scenario, At: loaded.At}, run.Options{Keep: true})
	require.Equal(t, 15, r.Steps, r.Failure.Text()) // it fails at the end, and so its sandbox stays
	recorded, _ := replayed(t, srv, r.Sandbox)
	var calls []string
	for _, s := range recorded.Steps {
		if s.Call == "signedsub.listSubscriptions" {
			require.NotContains(t, s.Body, "timestamp", "authentication sets it anew")
			require.Contains(t, s.Body, "account")
		}
		switch {
		case s.Raw != nil:
			calls = append(calls, "raw "+s.Raw.Sim)
		case s.Call != "":
			calls = append(calls, strings.TrimSpace(s.Call+" "+s.Token))
		}
	}
	require.Equal(t, []string{
		"bitpay.generateToken", "bitpay.createWebhook ${{ generate_token_token }}", "bitpay.listWebhooks ${{ generate_token_token }}",
		"raw bitpay", "raw bitpay", "signedsub.listSubscriptions", "raw signedsub", "bankly.issueToken",
		"bankly.listConfigurations ${{ issue_token_access_token }}", "raw bankly", "hsrcpay.createWebhook",
	}, calls)
}

func TestWhatIsNotKnownAnyMoreCannotBeRecorded(t *testing.T) {
	t.Parallel()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	for says, change := range map[string]func(t *testing.T, s *client.SandboxClient){
		"restored from a snapshot": func(t *testing.T, s *client.SandboxClient) {
			t.Helper()
			snapshot, err := s.Snapshot(t.Context())
			require.NoError(t, err)
			_, err = s.Restore(t.Context(), snapshot)
			require.NoError(t, err)
		},
		"its journal was cleared": func(t *testing.T, s *client.SandboxClient) {
			t.Helper()
			require.NoError(t, s.ClearJournal(t.Context()))
		},
		"which no step can say": func(t *testing.T, s *client.SandboxClient) {
			t.Helper()
			require.NoError(t, s.Do(t.Context(), script.Action{After: "1h", Set: map[string]string{"a": "b"}}))
		},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t)
			s := srv.Control().In(mocksrv.DefaultSandbox)
			change(t, s)
			_, err := record.Of(t.Context(), srv.Control(), mocksrv.DefaultSandbox, providers)
			require.ErrorContains(t, err, says)
			_, err = s.Reset(t.Context())
			require.NoError(t, err)
			_, err = record.Of(t.Context(), srv.Control(), mocksrv.DefaultSandbox, providers)
			if says != "its journal was cleared" {
				require.NoError(t, err, "a reset is a new start")
			}
		})
	}
}

func TestEveryKindOfOperationIsRecorded(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)))
	s := srv.Control().In(mocksrv.DefaultSandbox)
	ctx := t.Context()
	later, skew := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), "2s"
	_, err := s.OpenReceiver(ctx, client.ReceiverSpec{Name: "shop-1", Script: client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 500}}}})
	require.NoError(t, err)
	applied, err := s.ApplyScenario(ctx, script.Scenario{
		Title: "base", Receivers: map[string]script.Receiver{"till": {}}, State: map[string]string{"mode": "day"},
		Webhooks: []script.Webhook{{Name: "hook", Sim: "hsrcpay", URL: "${{ receivers.till.url }}", Events: []string{"payment.succeeded"}}},
	})
	require.NoError(t, err)
	_, err = s.SetClock(ctx, client.ClockChange{Now: &later, Skew: &skew})
	require.NoError(t, err)
	_, err = s.AddRules(ctx, script.Rule{Name: "quiet", Event: script.Targets{"hsrcpay.*"}, State: map[string]string{"mode": "night"}, Do: []script.Action{{Set: map[string]string{"seen": "yes"}}}})
	require.NoError(t, err)
	require.NoError(t, s.Do(ctx, script.Action{Set: map[string]string{"mode": "night"}}, script.Action{Block: applied.Webhooks["hook"].ID}))
	_, err = s.Emit(ctx, client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	_, err = s.Unblock(ctx, applied.Webhooks["hook"].ID)
	require.NoError(t, err)
	require.NoError(t, s.DeleteRules(ctx, ""))
	_, err = s.ScriptReceiver(ctx, "shop-1", client.ReceiverScript{})
	require.NoError(t, err)
	_, err = s.Advance(ctx, client.Advance{By: "0s"})
	require.NoError(t, err)
	recorded, _ := replayed(t, srv, mocksrv.DefaultSandbox)
	require.Equal(t, "${{ webhooks.hook.id }}", recorded.Steps[3].Block)
	require.Equal(t, "quiet", recorded.Steps[6].Drop)
}

// told is a server whose sandbox has this journal, and a clock that goes by itself.
func told(t *testing.T, journal client.Journal, now time.Time) *client.Client {
	t.Helper()
	answers := map[string]any{
		"": client.Sandbox{Name: "default", Clock: client.Clock{Mode: "real", Now: now}}, "/recording": client.Recording{Seed: 1, Origin: "default", Clock: client.Clock{Mode: "real", Skew: "0s"}},
		"/journal": journal, "/deliveries": client.Deliveries{}, "/receivers": client.Receivers{},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := strictjson.Encode(answers[strings.TrimPrefix(r.URL.Path, "/_mocksrv/v1/sandboxes/default")])
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	return client.New(srv.URL)
}

func TestPausesAreStepsAndSplitSecondsAreNot(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 4, 5, 6, 7, 250_000_000, time.UTC)
	list := func(id uint64, at time.Duration) client.Exchange {
		return client.Exchange{ID: id, At: start.Add(at), Direction: "in", Sim: "hsrcpay", Operation: "listWebhooks", Method: "GET", Path: "/v1/webhooks/", Status: 200}
	}
	journal := client.Journal{Exchanges: []client.Exchange{list(1, 0), list(2, 300*time.Millisecond), list(3, 90*time.Second)}}
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	recorded, err := record.Of(t.Context(), told(t, journal, start.Add(2*time.Hour)), "default", providers)
	require.NoError(t, err)
	require.Equal(t, "2026-03-04T05:06:07Z", recorded.Clock)
	var does []string
	for _, s := range recorded.Steps {
		does = append(does, s.Call+s.Advance+s.Name)
	}
	require.Equal(t, []string{"hsrcpay.listWebhooks", "hsrcpay.listWebhooks", "1m30.25s", "hsrcpay.listWebhooks", "1h58m30s", "what was delivered"}, does)
	journal.Dropped = 3
	_, err = record.Of(t.Context(), told(t, journal, start), "default", providers)
	require.ErrorContains(t, err, "3 exchanges or deliveries are not kept any more: record a shorter run")
}

func TestAnAppThatDoesNotAnswerIsPlayedByAReceiverThatDoesNot(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) <= 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(app.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	srv := mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)))
	key := srv.Credentials("hsrcpay")["secret_key"]
	for _, at := range []string{app.URL, gone.URL} {
		call(t, srv, key, "POST", "hsrcpay", "/v1/webhooks/", `{"endpoint":"`+at+`","enabled_events":["payment.*"]}`, 201)
	}
	s := srv.Control().In(mocksrv.DefaultSandbox)
	_, err := s.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	_, err = s.Advance(t.Context(), client.Advance{Until: "idle"})
	require.NoError(t, err)
	recorded, _ := replayed(t, srv, mocksrv.DefaultSandbox)
	names := []string{"app", "app-2"}
	if answers, _ := recorded.Receivers["app"].Script.(map[string]any); answers["down"] == true {
		slices.Reverse(names) // which of the two was called first is luck
	}
	require.Equal(t, map[string]any{"replies": []any{map[string]any{"times": 2.0, "fault": "reset_before"}, map[string]any{"times": 1.0, "status": 200.0}}}, recorded.Receivers[names[0]].Script)
	require.Equal(t, map[string]any{"down": true}, recorded.Receivers[names[1]].Script)
}
