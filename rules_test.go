package mocksrv_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// drill is a server with a frozen clock, a receiver and a client of hsrcpay, whose webhooks are simple.
type drill struct {
	*testing.T
	srv      *mocksrv.Server
	sandbox  *client.SandboxClient
	receiver *httptest.Server
	mu       sync.Mutex
	got      []*http.Request
	bodies   []string
	status   int
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	d := &drill{T: t, status: http.StatusOK}
	d.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.got, d.bodies = append(d.got, r), append(d.bodies, string(body))
		w.WriteHeader(d.status)
	}))
	t.Cleanup(d.receiver.Close)
	d.srv = mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)), mocksrv.EdgeWorld())
	d.sandbox = d.srv.Control().In(mocksrv.DefaultSandbox)
	return d
}

func (d *drill) rules(rules ...script.Rule) {
	d.Helper()
	_, err := d.sandbox.AddRules(context.Background(), rules...)
	require.NoError(d, err)
}

// create creates a webhook and returns status and body.
func (d *drill) create() (int, string, http.Header) {
	d.Helper()
	body := `{"endpoint":"` + d.receiver.URL + `","enabled_events":["*"],"secret":"whsec_0123456789abcdef0123456789abcdef"}`
	req, err := http.NewRequest(http.MethodPost, d.srv.BaseURL("hsrcpay")+"/v1/webhooks/", strings.NewReader(body))
	require.NoError(d, err)
	req.Header.Set("Authorization", "Bearer "+d.srv.Credentials("hsrcpay")["secret_key"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d, err)
	defer func() { require.NoError(d, resp.Body.Close()) }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(d, err)
	return resp.StatusCode, string(data), resp.Header
}

func (d *drill) emit(n int) {
	d.Helper()
	for range n {
		_, err := d.srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
		require.NoError(d, err)
	}
}

func (d *drill) advance(by time.Duration) {
	d.Helper()
	_, err := d.srv.Advance(by)
	require.NoError(d, err)
}

func (d *drill) arrived() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.got)
}

func (d *drill) deliveries() []client.Delivery {
	d.Helper()
	all, err := d.srv.Deliveries()
	require.NoError(d, err)
	return all
}

func TestARuleAnswersTheNthCallInTheProvidersEnvelope(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.rules(script.Rule{Name: "limited", Call: script.Targets{"hsrcpay.createWebhook"}, Nth: new(2), Do: []script.Action{
		{Refuse: &script.Refuse{Error: "rate_limited", Headers: map[string]string{"Retry-After": "30"}}},
	}})
	status, _, _ := d.create()
	require.Less(t, status, 300)
	status, body, header := d.create()
	require.Equal(t, http.StatusTooManyRequests, status, body)
	require.Equal(t, "30", header.Get("Retry-After"))
	_, err := strictjson.Decode([]byte(body))
	require.NoError(t, err)
	status, _, _ = d.create()
	require.Less(t, status, 300)

	refused := d.srv.Journal().Exchanges[1]
	require.Equal(t, []string{"limited"}, refused.Rules)
	require.Contains(t, refused.Refusal.Saw, "limited")
	hooks, err := d.srv.Webhooks("hsrcpay")
	require.NoError(t, err)
	require.Len(t, hooks, 2, "what was refused was not done")
	list, err := d.sandbox.Rules(context.Background())
	require.NoError(t, err)
	require.Equal(t, 3, list.Rules[0].Matched)
	require.Equal(t, 1, list.Rules[0].Fired)
}

func TestRulesAreAStateMachine(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	up, down := map[string]string{"provider": "up"}, map[string]string{"provider": "down"}
	require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Set: up}))
	d.rules(
		script.Rule{Name: "down", Call: script.Targets{"hsrcpay.*"}, State: down, Do: []script.Action{{Answer: &script.Answer{Status: 503, Body: "down"}}}},
		script.Rule{Name: "break", Call: script.Targets{"hsrcpay.*"}, State: up, Nth: new(2), Do: []script.Action{
			{Set: down}, {Set: up, After: "2h"}, {Release: &script.Release{Order: "reverse"}, After: "2h"},
		}},
		script.Rule{Name: "hold", Delivery: script.Targets{"hsrcpay.*"}, State: down, Do: []script.Action{{Hold: true}, {Duplicate: 1}}},
	)
	status, _, _ := d.create()
	require.Less(t, status, 300)
	status, _, _ = d.create()
	require.Less(t, status, 300, "the call that breaks it is still answered")
	status, body, _ := d.create()
	require.Equal(t, 503, status)
	require.Equal(t, "down", body)
	d.emit(2)
	d.advance(time.Hour)
	require.Zero(t, d.arrived())
	d.advance(time.Hour)
	require.Equal(t, 8, d.arrived(), "two events, two webhooks, each twice")
	all := d.deliveries()
	require.Len(t, all, 8)
	require.Equal(t, []string{"hold"}, all[0].Rules)
	status, _, _ = d.create()
	require.Less(t, status, 300, "up again")
	state, err := d.sandbox.State(context.Background())
	require.NoError(t, err)
	require.Equal(t, "up", state.State["provider"])
}

func TestARulesTamperWithAttempts(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	d.rules(
		script.Rule{Name: "forged", Attempt: script.Targets{"hsrcpay.payment.*"}, First: new(1), Do: []script.Action{{CorruptSignature: true}, {Headers: map[string]string{"X-Extra": "1"}}}},
		script.Rule{Name: "lost", Attempt: script.Targets{"hsrcpay.payment.*"}, Nth: new(2), Do: []script.Action{{Fail: "the provider's network is down"}}},
	)
	d.emit(1)
	d.advance(0)
	require.Equal(t, "1", d.got[0].Header.Get("X-Extra"))
	first := d.deliveries()[0].Attempts[0]
	require.Equal(t, []string{"forged"}, first.Rules)
	sent := strings.Join(first.Request.Headers[first.Signature.Header], "")
	require.NotContains(t, sent, first.Signature.Value, "what was sent is not the right signature")
	found, err := d.sandbox.Compare(context.Background(), d.deliveries()[0].ID, client.SignatureClaim{Attempt: 1, Signature: sent, Body: first.Request.Body})
	require.NoError(t, err)
	require.NotEqual(t, "match", found.Findings[0].Cause)

	d.emit(1)
	d.advance(0)
	require.Equal(t, 1, d.arrived())
	lost := d.deliveries()[1].Attempts[0]
	require.Equal(t, "fault", lost.Error)
	require.Contains(t, lost.Detail, "network is down")
	d.advance(24 * time.Hour)
	require.Equal(t, "delivered", d.deliveries()[1].State, "the retry gets through")
}

func TestARuleDamagesTheAnswerOnTheWire(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"reset_before", "reset_during", "truncate", "garbage"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t)
			d.rules(script.Rule{Name: "broken", Call: script.Targets{"*"}, First: new(1), Do: []script.Action{{Fault: fault}}})
			req, err := http.NewRequest(http.MethodGet, d.srv.BaseURL("hsrcpay")+"/v1/webhooks/", nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+d.srv.Credentials("hsrcpay")["secret_key"])
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
			}
			require.Error(t, err)
			x := d.srv.Journal().Exchanges[0]
			require.Equal(t, fault, x.Fault)
			require.Equal(t, http.StatusOK, x.Status, "the journal has what would have been answered")
		})
	}
}

// TestADelayedAnswerArrives although the server has a time limit for answers: it used to be lost, or tried again by the client.
func TestADelayedAnswerArrives(t *testing.T) {
	t.Parallel()
	for proto, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t)
			const limit = 100 * time.Millisecond
			server := httptest.NewUnstartedServer(srv)
			server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			delay := script.Delay{Fixed: (3 * limit).String()}
			_, err := srv.Control().In(mocksrv.DefaultSandbox).AddRules(t.Context(),
				script.Rule{Name: "late", Call: script.Targets{"hsrcpay.listWebhooks"}, Do: []script.Action{{Delay: &delay}}},
				script.Rule{Name: "slow", Call: script.Targets{"hsrcpay.createWebhook"}, Do: []script.Action{{Fault: "dribble"}}})
			require.NoError(t, err)
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/hsrcpay/v1/webhooks/", nil)
				require.NoError(t, err)
				resp, err := server.Client().Do(req)
				require.NoError(t, err, method)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err, method)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
				require.Contains(t, string(body), "Unauthorized")
			}
		})
	}
}

func TestASelfEmittingRuleEnds(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	d.rules(script.Rule{Name: "echo", Event: script.Targets{"hsrcpay.payment.succeeded"}, Do: []script.Action{
		{Emit: &script.Emit{Sim: "hsrcpay", Type: "payment.succeeded"}},
	}})
	d.emit(1)
	d.advance(0)
	require.Len(t, d.deliveries(), 101)
	list, err := d.sandbox.Rules(context.Background())
	require.NoError(t, err)
	require.Contains(t, list.Rules[0].Error, "chain of 100 effects")
}

func TestRulesReorderDelayAndPad(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	d.rules(
		script.Rule{Name: "mixed", Delivery: script.Targets{"hsrcpay.*"}, Do: []script.Action{{Reorder: "1h"}}},
		script.Rule{Name: "long", Delivery: script.Targets{"hsrcpay.*"}, Nth: new(5), Do: []script.Action{{Pad: 5000}, {Payload: map[string]any{"brand_new": 1}}}},
		script.Rule{Name: "gone", Delivery: script.Targets{"hsrcpay.*"}, Nth: new(6), Do: []script.Action{{Drop: true}}},
	)
	d.emit(6)
	d.advance(0)
	require.Zero(t, d.arrived())
	d.advance(time.Hour)
	require.Equal(t, 5, d.arrived())
	all := d.deliveries()
	require.Equal(t, "dropped", all[5].State)
	require.Contains(t, all[5].Reason, "gone")
	require.Contains(t, all[4].Attempts[0].Request.Body, `"brand_new":1`)
	require.Greater(t, len(all[4].Attempts[0].Request.Body), 5000)
	var instants []time.Time
	for _, one := range all[:5] {
		instants = append(instants, one.Attempts[0].At)
	}
	require.False(t, slices.IsSortedFunc(instants, time.Time.Compare), "they overtake each other: %v", instants)
}

func TestAStaleAttemptIsSignedForItsTime(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	d.rules(script.Rule{Attempt: script.Targets{"*"}, First: new(1), Do: []script.Action{{Stale: "10m"}}})
	d.emit(1)
	d.advance(0)
	attempt := d.deliveries()[0].Attempts[0]
	require.Contains(t, attempt.Signature.StringToSign, "1767865800", "ten minutes before 10:00")
	require.Equal(t, d.got[0].Header.Get(attempt.Signature.Header), strings.Join(attempt.Request.Headers[attempt.Signature.Header], ""))
}

func TestRulesAndWhatTheyRememberSurviveASnapshotAndEndWithAReset(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.rules(script.Rule{Name: "third", Call: script.Targets{"hsrcpay.createWebhook"}, Nth: new(3), Do: []script.Action{
		{Answer: &script.Answer{Status: 503}}, {Set: map[string]string{"seen": "yes"}, After: "10m"},
	}})
	d.create()
	d.create()
	snapshot, err := d.srv.Snapshot()
	require.NoError(t, err)
	other := mocksrv.RunT(t)
	require.NoError(t, other.Restore(snapshot))
	d.srv, d.sandbox = other, other.Control().In(mocksrv.DefaultSandbox)
	status, _, _ := d.create()
	require.Equal(t, 503, status)
	snapshot, err = d.srv.Snapshot()
	require.NoError(t, err)
	other = mocksrv.RunT(t)
	require.NoError(t, other.Restore(snapshot))
	d.srv, d.sandbox = other, other.Control().In(mocksrv.DefaultSandbox)
	d.advance(10 * time.Minute)
	state, err := d.sandbox.State(context.Background())
	require.NoError(t, err)
	require.Equal(t, "yes", state.State["seen"], "what was planned is taken up")
	_, err = d.sandbox.Reset(context.Background())
	require.NoError(t, err)
	list, err := d.sandbox.Rules(context.Background())
	require.NoError(t, err)
	require.Empty(t, list.Rules)
}

func TestAnOldKeySignsUntilTheWebhookHasSeenTheNewOne(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	applied, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{
		Title: "a key is rotated", State: map[string]string{"keys": "first"}, Receivers: map[string]script.Receiver{"shop": {}},
		Webhooks: []script.Webhook{{Name: "hook", Sim: "signedsub", URL: "${{ receivers.shop.url }}/hook", Events: []string{"INVOICE_PAID"}}},
		Rules:    []script.Rule{{Name: "late", Attempt: script.Targets{"signedsub.*"}, State: map[string]string{"keys": "rotating"}, Do: []script.Action{{OldKey: true}}}},
	})
	require.NoError(t, err)
	hook := applied.Webhooks["hook"]
	require.Equal(t, "signedsub", hook.Sim)
	emit := func() client.Delivery {
		_, err := d.srv.Emit(client.Event{Sim: "signedsub", Type: "INVOICE_PAID"})
		require.NoError(t, err)
		d.advance(0)
		all := d.deliveries()
		return all[len(all)-1]
	}
	key := func(one client.Delivery) string { return strings.Join(one.Attempts[0].Request.Headers["Key"], "") }
	first := key(emit())
	d.rotate(hook.ID)
	require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Set: map[string]string{"keys": "rotating"}}))
	require.Equal(t, first, key(emit()), "signed with the key before")
	require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Set: map[string]string{"keys": "new"}}))
	require.NotEqual(t, first, key(emit()))
}

// rotate asks signedsub for a new key pair of a subscription.
func (d *drill) rotate(id string) {
	d.Helper()
	body := `{"timestamp":` + strconv.FormatInt(d.srv.Now().UnixMilli(), 10) + `,"payload":{"requestId":"` + id + `"}}`
	req, err := http.NewRequest(http.MethodDelete, d.srv.BaseURL("signedsub")+"/api/v1/subscription/webhook/api-keys/regenerate", nil)
	require.NoError(d, err)
	req.Header.Set("Content-Type", "application/json")
	out := &sims.ClientRequest{
		Operation: "regenerateApiKeys", Method: req.Method, URL: req.URL, Header: req.Header, Body: []byte(body),
		Credentials: d.srv.Credentials("signedsub"), Now: d.srv.Now(),
	}
	require.NoError(d, authorizers()["signedsub"](out))
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(string(out.Body))), int64(len(out.Body))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(d, err)
	require.NoError(d, resp.Body.Close())
	require.Equal(d, http.StatusOK, resp.StatusCode, string(data))
}

func TestRulesAndActionsWithoutAListener(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.NoListener())
	list, err := srv.AddRules(script.Rule{Name: "tired", Call: script.Targets{"hsrcpay.*"}, First: new(1), Do: []script.Action{
		{Refuse: &script.Refuse{Error: "internal"}}, {Set: map[string]string{"provider": "tired"}},
	}})
	require.NoError(t, err)
	require.Len(t, list.Rules, 1)
	_, err = srv.AddRules(script.Rule{Call: script.Targets{"hsrcpay.nothing"}, Do: []script.Action{{Fault: "hang"}}})
	require.ErrorContains(t, err, "rules[0].call[0]")
	require.NoError(t, srv.Do(script.Action{Set: map[string]string{"provider": "fresh"}}))
	require.ErrorContains(t, srv.Do(script.Action{Drop: true}), "actions[0].drop")

	resp, err := srv.Client().Get(srv.BaseURL("hsrcpay") + "/v1/webhooks/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	list, err = srv.Rules()
	require.NoError(t, err)
	require.Equal(t, 1, list.Rules[0].Fired)
	state, err := srv.State()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"provider": "tired"}, state.State)

	require.ErrorContains(t, srv.DeleteRules("tierd"), `did you mean "tired"`)
	require.NoError(t, srv.DeleteRules(""))
	list, err = srv.Rules()
	require.NoError(t, err)
	require.Empty(t, list.Rules)
}
