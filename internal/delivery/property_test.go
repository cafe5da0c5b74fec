package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// life is a sandbox to which random things happen, and what must come of them.
type life struct {
	*simtest.World
	t         *rapid.T
	receivers []*receiver.Receiver
	wentDown  bool
	next      int             // number of the next webhook
	live      []string        // webhooks
	paths     map[string]bool // every path a webhook ever had
	expected  map[string][]string
	asked     map[string]int // delivery id → how often somebody asked for it again
}

func newLife(t *testing.T, rt *rapid.T) *life {
	l := &life{
		World: simtest.New(t, signedsub.New()), t: rt, paths: map[string]bool{}, expected: map[string][]string{}, asked: map[string]int{},
	}
	l.SetPolicy("retry_schedule", []any{"30s", "1m", "10m"})
	l.SetPolicy("attempt_timeout", "1m")
	l.SetPolicy("retry_jitter", rapid.SampledFrom([]int{0, 50}).Draw(rt, "jitter"))
	l.SetPolicy("block_limit", rapid.SampledFrom([]int{0, 2, 5}).Draw(rt, "block limit"))
	for range 2 {
		r, err := receiver.Open(receiver.Config{Now: l.Sandbox.Clock.Now})
		require.NoError(rt, err)
		l.receivers = append(l.receivers, r)
	}
	return l
}

func (l *life) close() {
	l.Dispatcher.Stop(context.Background())
	for _, r := range l.receivers {
		require.NoError(l.t, r.Close())
	}
}

// url is a new address at one of the receivers.
func (l *life) url() string {
	path := fmt.Sprintf("/hook/%d", len(l.paths))
	l.paths[path] = true
	return l.receivers[rapid.IntRange(0, len(l.receivers)-1).Draw(l.t, "receiver")].URL() + path
}

func (l *life) some(name string) (string, bool) {
	if len(l.live) == 0 {
		return "", false
	}
	return rapid.SampledFrom(l.live).Draw(l.t, name), true
}

// step lets one thing happen.
func (l *life) step() {
	switch rapid.SampledFrom([]string{
		"emit", "emit", "emit", "emit soon", "advance", "advance", "hook", "receiver", "receiver", "move", "keys", "delete", "redeliver", "unblock", "policy",
	}).Draw(l.t, "step") {
	case "emit":
		l.emit()
		l.Advance(0)
	case "emit soon":
		l.emit()
	case "advance":
		l.Advance(time.Duration(rapid.IntRange(0, 1200).Draw(l.t, "seconds")) * time.Second)
	case "hook":
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", l.next)
		l.next++
		subscribe(l.World, id, l.url())
		l.live = append(l.live, id)
	case "receiver":
		l.change(rapid.IntRange(0, len(l.receivers)-1).Draw(l.t, "which"))
	case "redeliver":
		l.redeliver()
	case "policy":
		name := rapid.SampledFrom([]string{"bind", "while_blocked", "success_statuses", "permanent_statuses", "block_counts"}).Draw(l.t, "policy")
		policy, _ := l.Provider.Contract.Policy(name)
		l.SetPolicy(name, rapid.SampledFrom(policy.Values).Draw(l.t, "value"))
	default:
		l.reconfigure()
	}
}

func (l *life) reconfigure() {
	id, ok := l.some("webhook")
	if !ok {
		return
	}
	switch rapid.SampledFrom([]string{"move", "keys", "delete", "unblock", "unblock"}).Draw(l.t, "what") {
	case "move":
		moveTo(l.World, id, l.url())
	case "keys":
		newKeys(l.World, id)
	case "delete":
		unsubscribe(l.World, id)
		l.live = slices.DeleteFunc(l.live, func(other string) bool { return other == id })
	case "unblock":
		before := l.states()
		_, err := l.Dispatcher.Unblock(l.Sandbox, l.Provider, id)
		require.NoError(l.t, err)
		for _, d := range l.Deliveries() {
			if d.WebhookID == id && before[d.ID] != delivery.Pending {
				l.asked[d.ID]++ // may have been sent again
			}
		}
	}
}

func (l *life) states() map[string]delivery.State {
	all := map[string]delivery.State{}
	for _, d := range l.Deliveries() {
		all[d.ID] = d.State
	}
	return all
}

func (l *life) emit() {
	event, created, err := l.Dispatcher.Emit(l.Sandbox, delivery.EventRequest{Sim: "signedsub", Type: payout})
	require.NoError(l.t, err)
	l.expected[event.ID] = slices.Clone(l.live)
	require.Len(l.t, created, len(l.live))
}

func (l *life) redeliver() {
	all := l.Deliveries()
	if len(all) == 0 {
		return
	}
	d := all[rapid.IntRange(0, len(all)-1).Draw(l.t, "delivery")]
	l.asked[d.ID]++
	_, err := l.Dispatcher.Redeliver(l.Sandbox, d.ID)
	require.NoError(l.t, err)
}

// change gives a receiver another behaviour. What is under way ends first, so that who saw what stays certain.
func (l *life) change(i int) {
	require.NoError(l.t, l.Sandbox.Clock.Settle(l.T.Context()))
	reply := rapid.SampledFrom([]receiver.Reply{
		{},
		{},
		{Status: 201},
		{Status: 500},
		{Status: 410},
		{Status: 302},
		{Fault: receiver.ResetBefore},
		{Fault: receiver.ResetDuring, Body: "half"},
		{Fault: receiver.Truncate, Body: "half"},
		{Fault: receiver.Garbage},
		{Fault: receiver.Informational},
		{Status: 500, Times: 2},
	}).Draw(l.t, "reply")
	script := receiver.Script{Replies: []receiver.Reply{reply}, Then: receiver.ThenLast}
	if rapid.IntRange(0, 5).Draw(l.t, "down") == 0 {
		script, l.wentDown = receiver.Script{Down: true}, true
	}
	require.NoError(l.t, l.receivers[i].SetScript(script))
}

// TestNothingIsLostAndNothingHappensTwice: under random faults, changes and advances.
func TestNothingIsLostAndNothingHappensTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLife(t, rt)
		defer l.close()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			l.step()
		}
		l.Idle()
		l.requireEveryEventEverywhere()
		l.requireFinalStates()
		l.requireJournal()
		l.requireWhatWasSeen()
	})
}

// requireEveryEventEverywhere: one delivery for each event and each webhook that matched when it happened.
func (l *life) requireEveryEventEverywhere() {
	got := map[string][]string{}
	for _, d := range l.Deliveries() {
		got[d.Event.ID] = append(got[d.Event.ID], d.WebhookID)
	}
	for event, hooks := range l.expected {
		require.ElementsMatch(l.t, hooks, got[event], "event %s", event)
	}
	require.LessOrEqual(l.t, len(got), len(l.expected))
}

// requireFinalStates: nothing waits for time any more, and each state has a reason that holds.
func (l *life) requireFinalStates() {
	n, _ := l.Sandbox.Clock.Pending()
	require.Zero(l.t, n)
	require.Zero(l.t, l.Sandbox.Clock.UnderWay())
	for _, d := range l.Deliveries() {
		accepted := 0
		for i, a := range d.Attempts {
			require.Equal(l.t, i+1, a.N)
			if i > 0 {
				require.False(l.t, a.At.Before(d.Attempts[i-1].At), "attempts are in order")
			}
			if a.Error == nil {
				accepted++
			}
		}
		require.LessOrEqual(l.t, accepted, 1+l.asked[d.ID], "nobody gets twice what he took, unless asked for: %+v", d)
		require.NotEmpty(l.t, d.Reason)
		switch d.State {
		case delivery.Delivered:
			require.Positive(l.t, accepted)
		case delivery.Failed:
			require.Regexp(l.t, `^(all \d+ attempts failed|status \d+ is permanent|the webhook is blocked)`, d.Reason)
		case delivery.Dropped:
			require.Regexp(l.t, `^the webhook is (gone|blocked)$`, d.Reason)
		case delivery.Held:
			require.Equal(l.t, "the webhook is blocked", d.Reason)
			require.Contains(l.t, l.live, d.WebhookID)
		default:
			require.Fail(l.t, "not final", "%+v", d)
		}
	}
}

// requireJournal: every attempt is in the journal exactly once.
func (l *life) requireJournal() {
	entries, dropped, _ := l.Sandbox.Journal.Read(0)
	require.Zero(l.t, dropped)
	var got, want []string
	for _, x := range entries {
		if x.Direction == engine.Outbound {
			got = append(got, fmt.Sprint(x.DeliveryID, x.At, x.Path, x.Status, x.Request.Header["Sign"]))
		}
	}
	for _, d := range l.Deliveries() {
		for _, a := range d.Attempts {
			want = append(want, fmt.Sprint(d.ID, a.At, a.Request.URL, a.Status, a.Request.Header["Sign"]))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(l.t, want, got)
}

// requireWhatWasSeen: the receivers saw every attempt that reached them, and nothing else. They do not see those that
// were refused, nor those on a connection that broke when the receiver went down.
func (l *life) requireWhatWasSeen() {
	seen := map[string]int{}
	for _, r := range l.receivers {
		for _, request := range arrived(r) {
			require.Empty(l.t, request.Error)
			seen[fmt.Sprint(r.URL()+request.Path, request.At, request.Header["Sign"], string(request.Body))]++
		}
	}
	var perhaps []string
	for _, d := range l.Deliveries() {
		for _, a := range d.Attempts {
			text := fmt.Sprint(a.Request.URL, a.At, a.Request.Header["Sign"], string(a.Request.Body))
			if classOf(a) == delivery.ClassRefused || classOf(a) == delivery.ClassReset && l.wentDown {
				perhaps = append(perhaps, text)
				continue
			}
			seen[text]--
			require.GreaterOrEqual(l.t, seen[text], 0, "an attempt nobody saw: %+v", a)
		}
	}
	for _, text := range perhaps {
		seen[text] = max(0, seen[text]-1)
	}
	for text, times := range seen {
		require.Zero(l.t, times, "a request that is no attempt: %s", text)
	}
}

// TestNothingIsLostWhenEverythingHappensAtOnce: a real clock, retries after milliseconds, and everybody changes
// something at the same time.
func TestNothingIsLostWhenEverythingHappensAtOnce(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("retry_schedule", []any{"1ms", "1ms", "2ms"})
	w.SetPolicy("block_limit", 0)
	setting := w.Sandbox.Clock.Setting()
	setting.Mode = "real"
	w.Sandbox.Clock.Set(setting)
	flaky := w.Receive(func(n int) (int, string) { return []int{200, 500, 200, 500, 503}[n%5], "" })
	subscribe(w, hookID, flaky.URL+"/1")
	subscribe(w, otherID, flaky.URL+"/2")
	var group sync.WaitGroup
	for worker := range 6 {
		group.Go(func() {
			for i := range 30 {
				all := emitSoon(t, w)
				_, err := w.Dispatcher.Redeliver(w.Sandbox, all[i%2].ID)
				require.NoError(t, err)
				if worker == 0 && i%5 == 0 {
					_, err = w.Sandbox.Clock.Advance(context.Background(), w.Sandbox.Clock.Now().Add(time.Millisecond), 10_000)
					require.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	waitFor(w, func(all []delivery.Delivery) bool {
		return !slices.ContainsFunc(all, func(d delivery.Delivery) bool { return d.State == delivery.Pending })
	})
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	attempts := 0
	for _, d := range w.Deliveries() {
		require.Contains(t, []delivery.State{delivery.Delivered, delivery.Failed}, d.State)
		require.Len(t, outbound(w, d.ID), len(d.Attempts))
		for i, a := range d.Attempts {
			require.Equal(t, i+1, a.N)
		}
		attempts += len(d.Attempts)
	}
	require.Len(t, flaky.Requests(), attempts)
	n, _ := w.Sandbox.Clock.Pending()
	require.Zero(t, n)
}
