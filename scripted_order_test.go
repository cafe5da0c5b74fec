package mocksrv_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/script"
)

const paid = "payment.succeeded"

// emits are actions that make events happen, one after the other.
func emits(types ...string) []script.Action {
	var actions []script.Action
	for _, name := range types {
		actions = append(actions, script.Action{Emit: &script.Emit{Sim: "hsrcpay", Type: name}})
	}
	return actions
}

// setting is an action that gives a named state a value.
func setting(name, value string) []script.Action {
	return []script.Action{{Set: map[string]string{name: value}}}
}

func (d *drill) apply(sc script.Scenario) {
	d.Helper()
	_, err := d.sandbox.ApplyScenario(context.Background(), sc)
	require.NoError(d, err)
}

func (d *drill) states() map[string]string {
	d.Helper()
	state, err := d.sandbox.State(context.Background())
	require.NoError(d, err)
	return state.State
}

// ends fails the test when something takes longer than it ever should.
func ends(t *testing.T, do func()) {
	t.Helper()
	limit, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-limit.Done():
		require.FailNow(t, "it does not come to an end")
	}
}

func TestAResetDoesNotWaitForAnAdvanceThatWaitsForIt(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]func(*drill, []byte) error{
		"reset":   func(d *drill, _ []byte) error { _, err := d.sandbox.Reset(context.Background()); return err },
		"restore": func(d *drill, s []byte) error { return d.srv.Restore(s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t)
			before, err := d.srv.Snapshot()
			require.NoError(t, err)
			d.create()
			many := script.Action{Emit: &script.Emit{Sim: "hsrcpay", Type: paid, Count: new(2000)}}
			d.apply(script.Scenario{Title: "busy", Timeline: []script.Moment{{At: "1s", Every: "1s", Times: new(5), Do: []script.Action{many}}}})
			ends(t, func() {
				var moved sync.WaitGroup
				moved.Go(func() { _, _ = d.srv.Advance(time.Hour) })
				require.Eventually(t, func() bool { return d.arrived() > 0 || len(d.deliveries()) > 10 }, 30*time.Second, time.Millisecond)
				require.NoError(t, reset(d, before))
				moved.Wait()
			})
			d.advance(time.Hour)
			require.Empty(t, d.deliveries())
		})
	}
}

func TestWhatATimelineHasBegunEndsWithAReset(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "served.yaml")
	text := "title: served\nwebhooks: [{name: h, sim: hsrcpay}]\n" +
		"timeline: [{at: 1s, every: 1s, times: 3, do: [{emit: {sim: hsrcpay, type: payment.succeeded, count: 300}}]}]\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	start := time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)
	srv := mocksrv.RunT(t, mocksrv.Serving(file), mocksrv.Frozen(start))
	sandbox := srv.Control().In(mocksrv.DefaultSandbox)
	deliveries := func() []client.Delivery {
		all, err := srv.Deliveries()
		require.NoError(t, err)
		return all
	}
	_, err := sandbox.SetClock(context.Background(), client.ClockChange{Now: new(start.Add(time.Second))})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(deliveries()) > 5 }, time.Minute, time.Millisecond)
	_, err = sandbox.Reset(context.Background())
	require.NoError(t, err)
	_, err = srv.Advance(5 * time.Second)
	require.NoError(t, err)
	made := map[time.Duration]int{}
	for _, one := range deliveries() {
		made[one.CreatedAt.Sub(start)]++
	}
	require.Equal(t, map[time.Duration]int{time.Second: 300, 2 * time.Second: 300, 3 * time.Second: 300}, made)
}

func TestResetsAtTheSameTimeApplyTheScenarioOnceEach(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "served.yaml")
	require.NoError(t, os.WriteFile(file, []byte("title: served\nstate: {up: 'yes'}\nrules: [{name: one, call: '*', do: [{fault: hang}]}]\nwebhooks: [{name: h, sim: hsrcpay, count: 50}]\n"), 0o600))
	srv := mocksrv.RunT(t, mocksrv.Serving(file))
	var resets sync.WaitGroup
	for range 20 {
		resets.Go(func() {
			_, err := srv.Control().In(mocksrv.DefaultSandbox).Reset(context.Background())
			require.NoError(t, err)
		})
	}
	resets.Wait()
	rules, err := srv.Rules()
	require.NoError(t, err)
	require.Len(t, rules.Rules, 1)
}

func TestMomentsOfOneInstantComeInTheirOrderAndFindTheRules(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := newDrill(t)
		d.apply(script.Scenario{
			Title: "at once",
			Timeline: []script.Moment{
				{At: "0s", Do: setting("x", "1")}, {At: "0s", Do: setting("x", "2")}, {At: "0s", Do: setting("x", "3")}, {At: "0s", Do: emits(paid)},
			},
			Rules: []script.Rule{{Name: "third", Event: script.Targets{"*"}, State: map[string]string{"x": "3"}, Do: setting("seen", "yes")}},
		})
		d.advance(0)
		require.Equal(t, map[string]string{"x": "3", "seen": "yes"}, d.states())
	}
}

func TestMomentsThatTheClockIsSetBeyondComeInTheirOrder(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := newDrill(t)
		d.apply(script.Scenario{Title: "skipped", Timeline: []script.Moment{
			{At: "1h", Do: setting("x", "1")}, {At: "2h", Do: setting("x", "2")}, {At: "3h", Do: setting("x", "3")},
		}})
		_, err := d.sandbox.SetClock(context.Background(), client.ClockChange{Now: new(d.srv.Now().Add(5 * time.Hour))})
		require.NoError(t, err)
		d.advance(0)
		require.Equal(t, map[string]string{"x": "3"}, d.states())
	}
}

func TestDeliveriesThatWaitAlreadyMeetTheRules(t *testing.T) {
	t.Parallel()
	for range 10 {
		d := newDrill(t)
		d.apply(script.Scenario{
			Title: "waiting", Webhooks: []script.Webhook{{Name: "hook", Sim: "hsrcpay", URL: d.receiver.URL}},
			Deliveries: []script.Delivery{{Webhook: "hook", Type: paid, State: "pending"}},
			Rules:      []script.Rule{{Name: "lost", Attempt: script.Targets{"*"}, Do: []script.Action{{Fail: "lost"}}}},
		})
		d.advance(0)
		require.Zero(t, d.arrived())
	}
}

func TestRulesAddedLaterCountRetriesOfOneInstantInTheOrderOfTheEvents(t *testing.T) {
	t.Parallel()
	for range 10 {
		d := newDrill(t)
		for range 6 {
			d.create()
		}
		d.status = 500
		d.emit(1)
		d.advance(0)
		d.rules(script.Rule{Name: "third", Attempt: script.Targets{"*"}, Nth: new(3), Do: []script.Action{{Fail: "lost"}}})
		d.advance(time.Hour)
		for i, one := range d.deliveries() {
			require.Greater(t, len(one.Attempts), 1)
			require.Equal(t, i == 2, len(one.Attempts[1].Rules) > 0, "delivery %d", i)
		}
	}
}

func TestActionsSeeTheNamesOfEveryScenario(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.apply(script.Scenario{
		Title: "shop", Receivers: map[string]script.Receiver{"shop": {}}, Params: map[string]any{"a": "1"},
		Timeline: []script.Moment{{On: script.Targets{"hsrcpay.*"}, Do: setting("shop", "yes")}},
	})
	d.apply(script.Scenario{
		Title: "bank", Receivers: map[string]script.Receiver{"bank": {}}, Params: map[string]any{"b": "2"},
		Timeline: []script.Moment{{On: script.Targets{"hsrcpay.*"}, Do: setting("bank", "yes")}},
	})
	d.emit(1)
	d.advance(0)
	require.Equal(t, map[string]string{"shop": "yes", "bank": "yes"}, d.states(), "each has a timeline")
	see := func(value string) {
		t.Helper()
		set := map[string]string{"urls": "${{ receivers.shop.url != nil && receivers.bank.url != nil }}", value: "${{ params.a + params.b }}"}
		require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Set: set}))
		require.Equal(t, "true", d.states()["urls"])
		require.Equal(t, "12", d.states()[value])
	}
	see("before")
	require.NoError(t, d.sandbox.DeleteRules(context.Background(), ""))
	see("after")
}

func TestWhatWasHeldAndIsSentAgainComesBackAsAnyOtherWhenItsWebhookIsUnblocked(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	require.NoError(t, d.srv.SetPolicy("hsrcpay.while_blocked", "hold"))
	d.rules(script.Rule{Name: "hold", Delivery: script.Targets{"*"}, First: new(1), Do: []script.Action{{Hold: true}}})
	d.emit(1)
	one := d.deliveries()[0]
	require.Equal(t, "held", one.State)
	d.status = 500
	_, err := d.srv.Redeliver(one.ID)
	require.NoError(t, err)
	d.advance(0)
	require.NoError(t, d.sandbox.Do(context.Background(), script.Action{Block: one.WebhookID}))
	require.Equal(t, "held", d.deliveries()[0].State)
	d.status = 200
	_, err = d.srv.Unblock(one.WebhookID)
	require.NoError(t, err)
	d.advance(0)
	require.Equal(t, "delivered", d.deliveries()[0].State)
}

func TestARuleWhoseEventsBranchComesToAnEnd(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.rules(script.Rule{Name: "breed", Event: script.Targets{"hsrcpay." + paid}, Do: emits(paid, paid)})
	ends(t, func() { d.emit(1) })
	list, err := d.sandbox.Rules(context.Background())
	require.NoError(t, err)
	require.Contains(t, list.Rules[0].Error, "would have happened at once")
}

func TestDuplicatesOfSeveralRulesAreBoundedTogether(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	d.create()
	for range 3 {
		d.rules(script.Rule{Delivery: script.Targets{"*"}, Do: []script.Action{{Duplicate: 900}, {Hold: true}}})
	}
	d.emit(1)
	require.Len(t, d.deliveries(), 1001)
}

func TestAScenarioThatFailsLeavesTheClockGoingOn(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	_, err := srv.Control().In(mocksrv.DefaultSandbox).ApplyScenario(context.Background(), script.Scenario{
		Title: "wrong", Webhooks: []script.Webhook{{Name: "h", Sim: "hsrcpay", Count: new(300)}},
		Deliveries: []script.Delivery{{Webhook: "h-1", Type: paid, At: "${{ 'never' }}"}},
	})
	require.Error(t, err)
	require.WithinDuration(t, clock.WallNow(), srv.Now(), 5*time.Millisecond)
}

func TestAReloadThatFailsLeavesReceiversAndJournal(t *testing.T) {
	t.Parallel()
	const world = "receivers: {shop: {}}\nwebhooks: [{name: h, sim: hsrcpay, url: '${{ receivers.shop.url }}'}]\n"
	file := filepath.Join(t.TempDir(), "served.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte("title: served\n"+text+world), 0o600)) }
	write("policies: {hsrcpay.while_blocked: hold}\n")
	srv := mocksrv.RunT(t, mocksrv.Serving(file), mocksrv.Frozen(time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)))
	works := func() {
		t.Helper()
		_, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: paid})
		require.NoError(t, err)
		_, err = srv.Advance(0)
		require.NoError(t, err)
		all, err := srv.Deliveries()
		require.NoError(t, err)
		require.Equal(t, "delivered", all[len(all)-1].State, all[len(all)-1].Reason)
	}
	changed := func() map[string]any {
		t.Helper()
		now, err := srv.Control().In(mocksrv.DefaultSandbox).Get(context.Background())
		require.NoError(t, err)
		return now.Policies
	}
	works()
	require.Equal(t, "hold", changed()["hsrcpay.while_blocked"])

	write("deliveries: [{webhook: h, type: payment.succeeded, at: \"${{ 'never' }}\"}]\n")
	require.ErrorContains(t, srv.Reload(), "never")
	require.Len(t, srv.Journal().Exchanges, 1)
	works()
	require.Len(t, srv.Journal().Exchanges, 2)
	require.Equal(t, "hold", changed()["hsrcpay.while_blocked"])

	write("")
	require.NoError(t, srv.Reload())
	works()
	require.NotEqual(t, "hold", changed()["hsrcpay.while_blocked"], "what the file does not say any more is the default")
}
