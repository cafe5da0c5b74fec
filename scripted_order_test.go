package mocksrv_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/script"
)

const paid = "payment.succeeded"

func emits(types ...string) []script.Action {
	var actions []script.Action
	for _, name := range types {
		actions = append(actions, script.Action{Emit: &script.Emit{Sim: "hsrcpay", Type: name}})
	}
	return actions
}

func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(limit):
		require.FailNow(t, "it does not come to an end", what)
	}
}

func TestAResetDuringAnAdvanceThatRulesTakePartIn(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	_, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{
		Title: "busy", Timeline: []script.Moment{{At: "1s", Every: "1s", Times: 3000, Do: emits(paid)}},
	})
	require.NoError(t, err)
	within(t, 20*time.Second, "reset and advance", func() {
		moved := make(chan struct{})
		go func() { defer close(moved); _, _ = d.srv.Advance(time.Hour) }()
		require.Eventually(t, func() bool { return d.arrived() > 3 }, 10*time.Second, time.Millisecond)
		_, err := d.sandbox.Reset(context.Background())
		require.NoError(t, err)
		<-moved
	})
}

func TestMomentsOfOneInstantComeInTheirOrder(t *testing.T) {
	t.Parallel()
	for range 30 {
		d := newDrill(t)
		d.create()
		_, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{
			Title: "order", 
			Timeline: []script.Moment{
				{Do: []script.Action{{Set: map[string]string{"x": "1"}}}}, {Do: []script.Action{{Set: map[string]string{"x": "2"}}}}, {Do: []script.Action{{Set: map[string]string{"x": "3"}}}},
				{Do: emits(paid)},
			},
			Rules: []script.Rule{{Name: "seen", Event: script.Targets{"*"}, State: map[string]string{"x": "3"}, Do: []script.Action{{Set: map[string]string{"y": "1"}}}}},
		})
		require.NoError(t, err)
		d.advance(0)
		state, err := d.sandbox.State(context.Background())
		require.NoError(t, err)
		require.Equal(t, map[string]string{"x": "3", "y": "1"}, state.State)
	}
}

func TestMomentsThatAreSkippedComeInTheirOrder(t *testing.T) {
	t.Parallel()
	for range 30 {
		d := newDrill(t)
		_, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{
			Title: "order", 
			Timeline: []script.Moment{
				{At: "1h", Do: []script.Action{{Set: map[string]string{"x": "1"}}}}, {At: "2h", Do: []script.Action{{Set: map[string]string{"x": "2"}}}}, {At: "3h", Do: []script.Action{{Set: map[string]string{"x": "3"}}}},
			},
		})
		require.NoError(t, err)
		_, err = d.sandbox.SetClock(context.Background(), client.ClockChange{Now: new(d.srv.Now().Add(5 * time.Hour))}); require.NoError(t, err)
		d.advance(0)
		state, err := d.sandbox.State(context.Background())
		require.NoError(t, err)
		require.Equal(t, map[string]string{"x": "3"}, state.State)
	}
}

func TestRulesOfLaterCountAttemptsOfOneInstantInOrder(t *testing.T) {
	t.Parallel()
	for range 10 {
		d := newDrill(t)
		for range 6 {
			d.create()
		}
		d.status = 500
		d.emit(1)
		d.advance(0)
		d.rules(script.Rule{Name: "third", Attempt: script.Targets{"*"}, Nth: 3, Do: []script.Action{{Fail: "lost"}}})
		d.advance(30*time.Minute)
		for i, one := range d.deliveries() {
			if len(one.Attempts) < 2 { t.Log(one.Attempts, one.NextAttemptAt) ; continue }
			require.Equal(t, i == 2, len(one.Attempts[1].Rules) > 0, "%d", i)
		}
	}
}

func TestNamesOfAllScenariosAreSeen(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	apply := func(sc script.Scenario) {
		_, err := d.sandbox.ApplyScenario(context.Background(), sc)
		require.NoError(t, err)
	}
	apply(script.Scenario{Title: "a", Receivers: map[string]script.Receiver{"shop": {}}, Params: map[string]any{"a": "1"}, Timeline: []script.Moment{{On: script.Targets{"hsrcpay.*"}, Do: []script.Action{{Set: map[string]string{"t": "1"}}}}}})
	apply(script.Scenario{Title: "b", Receivers: map[string]script.Receiver{"bank": {}}, Params: map[string]any{"b": "2"}})
	see := func() {
		t.Helper()
		require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Set: map[string]string{"shop": "${{ receivers.shop.url }}", "both": "${{ params.a + params.b }}"}}))
		state, err := d.sandbox.State(context.Background())
		require.NoError(t, err)
		require.Contains(t, state.State["shop"], "http")
		require.Equal(t, "12", state.State["both"])
	}
	t.Run("merged", func(t *testing.T) { see() })
	require.NoError(t, d.sandbox.DeleteRules(context.Background(), ""))
	t.Run("after", func(t *testing.T) { see() })
}

func TestTwoScenariosWithTimelinesOnEvents(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	for _, title := range []string{"a", "b"} {
		_, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{Title: title, Timeline: []script.Moment{{On: script.Targets{"hsrcpay.*"}, Do: []script.Action{{Set: map[string]string{title: "1"}}}}}})
		require.NoError(t, err)
	}
}

func TestWhatWasHeldAndSentAgainIsUnblockedAsAnyOther(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	d.rules(script.Rule{Name: "hold", Delivery: script.Targets{"*"}, First: 1, Do: []script.Action{{Hold: true}}})
	d.emit(1)
	one := d.deliveries()[0]
	require.Equal(t, "held", one.State)
	d.status = 500
	_, err := d.srv.Redeliver(one.ID)
	require.NoError(t, err)
	d.advance(0)
	require.NoError(t, d.srv.SetPolicy("hsrcpay.while_blocked", "hold"))
	require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Block: one.WebhookID}))
	require.Equal(t, "held", d.deliveries()[0].State)
	d.status = 200
	_, err = d.srv.Unblock(one.WebhookID)
	require.NoError(t, err)
	d.advance(0)
	require.Equal(t, "delivered", d.deliveries()[0].State)
}

func TestARuleThatBreedsEventsEnds(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.rules(script.Rule{Name: "breed", Event: script.Targets{"hsrcpay." + paid}, Do: emits(paid, paid)})
	within(t, 60*time.Second, "events", func() {
		_, _ = d.srv.Emit(client.Event{Sim: "hsrcpay", Type: paid})
	})
	list, err := d.sandbox.Rules(context.Background())
	require.NoError(t, err)
	t.Log(list.Rules[0].Fired, list.Rules[0].Error)
}

func TestAScenarioThatFailsLeavesTheClock(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	sandbox := srv.Control().In(mocksrv.DefaultSandbox)
	for range 3 {
		_, err := sandbox.ApplyScenario(context.Background(), script.Scenario{
			Title: "wrong", Receivers: map[string]script.Receiver{"shop": {}},
			Webhooks:   []script.Webhook{{Name: "h", Sim: "hsrcpay", Count: 200, URL: "http://127.0.0.1:1/${{index}}"}},
			Deliveries: []script.Delivery{{Webhook: "h-1", Type: paid}, {Webhook: "h-1", Type: paid, At: "${{ 'x' }}"}},
		})
		require.Error(t, err)
	}
	require.WithinDuration(t, time.Now(), srv.Now(), 2*time.Millisecond)
}

func TestReloads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "s.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("title: a\npolicies: {hsrcpay.while_blocked: drop}\nreceivers: {shop: {}}\nwebhooks: [{name: h, sim: hsrcpay, url: '${{ receivers.shop.url }}'}]\n")
	srv := mocksrv.RunT(t, mocksrv.Serving(file), mocksrv.Frozen(time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)))
	sandbox := srv.Control().In(mocksrv.DefaultSandbox)
	ok := func() {
		t.Helper()
		_, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: paid})
		require.NoError(t, err)
		_, err = srv.Advance(0)
		require.NoError(t, err)
		all, err := srv.Deliveries()
		require.NoError(t, err)
		require.Equal(t, "delivered", all[len(all)-1].State, all[len(all)-1].Reason)
	}
	ok()
	n := len(srv.Journal().Exchanges)
	require.NotZero(t, n)
	write("title: a\nreceivers: {shop: {}}\nwebhooks: [{name: h, sim: hsrcpay, url: '${{ receivers.shop.url }}'}]\ndeliveries: [{webhook: h, type: payment.succeeded, at: \"${{ 'x' }}\"}]\n")
	require.Error(t, srv.Reload())
	require.Len(t, srv.Journal().Exchanges, n)
	t.Run("kept", func(t *testing.T) { ok() })
	write("title: a\nreceivers: {shop: {}}\nwebhooks: [{name: h, sim: hsrcpay, url: '${{ receivers.shop.url }}'}]\n")
	require.NoError(t, srv.Reload())
	policies, err := sandbox.Get(context.Background())
	require.NoError(t, err)
	t.Logf("%.300v", policies)
	ok()
}

func TestHolesInTheWorld(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	_, err := d.sandbox.ApplyScenario(context.Background(), script.Scenario{
		Title: "a", Params: map[string]any{"status": 503, "x": "yes", "policy": "hold"},
		State: map[string]string{"s": "${{ params.x }}"},
		Policies: map[string]any{"hsrcpay.while_blocked": "${{ params.policy }}"},
		Receivers: map[string]script.Receiver{"shop": {Script: map[string]any{"replies": []any{map[string]any{"status": "${{ params.status }}", "body": "${{ params.x }}"}}}}},
	})
	require.NoError(t, err)
	state, err := d.sandbox.State(context.Background())
	require.NoError(t, err)
	t.Log(state)
}

func TestFaultsInProcess(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"reset_before", "reset_during", "truncate", "garbage", "dribble", "hang"} {
		srv := mocksrv.RunT(t, mocksrv.NoListener())
		_, err := srv.AddRules(script.Rule{Name: "b", Call: script.Targets{"hsrcpay.*"}, Do: []script.Action{{Fault: fault}}})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.BaseURL("hsrcpay")+"/v1/webhooks/", nil)
		resp, err := srv.Client().Do(req)
		if err == nil {
			buf := make([]byte, 10000)
			var n int
			for err == nil { var m int; m, err = resp.Body.Read(buf); n += m }
			t.Log(fault, resp.StatusCode, n, err)
			resp.Body.Close()
		} else { t.Log(fault, err) }
		cancel()
	}
}
