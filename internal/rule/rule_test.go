package rule_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/brianvoe/gofakeit/v6"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
)

var start = time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, but for its type

func names() rule.Names {
	return rule.Names{
		Sims: []rule.SimNames{
			{Name: "acme", Operations: []string{"create", "createMany", "list"}, Events: []string{"paid", "payment.failed", "payment.done"}, Refusals: []string{"too_many_hooks"}, Expires: true},
			{Name: "zeta", Operations: []string{"create"}, Events: []string{"sent"}, Environments: []string{"test"}},
		},
		Policy: func(name string, _ any) error {
			if name != "acme.limit" {
				return fmt.Errorf("no policy %s", name)
			}
			return nil
		},
	}
}

// desk asks compiled rules about calls on a clock of its own.
type desk struct {
	*testing.T
	set   *rule.Set
	store store.Store
	now   time.Time
	drawn float64
}

func newDesk(t *testing.T, rules ...script.Rule) *desk {
	t.Helper()
	set, err := rule.Compile([]rule.Part{{Rules: rules, Start: start, Vars: map[string]any{"params": map[string]any{"name": "x"}}}}, names())
	require.NoError(t, err)
	d := &desk{T: t, set: set, store: store.NewMemory(), now: start}
	d.store.Create("s")
	return d
}

// ask returns the names of the rules that fire, and their actions.
func (d *desk) ask(p script.Point, sim, name string, vars map[string]any) (fired []string, actions []script.Action) {
	d.Helper()
	require.NoError(d, d.store.Update("s", func(tx store.Tx) error {
		in := rule.Input{
			Tx: tx, Now: d.now, Vars: func() map[string]any { return vars }, Draw: func(string, uint64) float64 { return d.drawn },
			Fake: func(string, uint64) *gofakeit.Faker { return gofakeit.New(1) },
		}
		for _, f := range rule.Decide(in, d.set.At(p, sim, name)) {
			fired = append(fired, f.Rule)
			actions = append(actions, f.Actions...)
		}
		return nil
	}))
	return fired, actions
}

// calls asks about n calls of acme.create and says with a letter which fired.
func (d *desk) calls(n int) string {
	d.Helper()
	pattern := ""
	for range n {
		fired, _ := d.ask(script.OnCall, "acme", "create", map[string]any{})
		pattern += map[bool]string{true: "x", false: "."}[len(fired) > 0]
	}
	return pattern
}

func answer(status int) []script.Action {
	return []script.Action{{Answer: &script.Answer{Status: status}}}
}

func TestCountingConditions(t *testing.T) {
	t.Parallel()
	create := script.Targets{"acme.create"}
	never, always := 0.0, 1.0
	for want, r := range map[string]script.Rule{
		"........": {Call: create, First: new(0)},
		"xxx.....": {Call: create, First: new(3)},
		"...xxxxx": {Call: create, Skip: 3},
		"..x.....": {Call: create, Nth: new(3)},
		"..x..x..": {Call: create, Every: new(3)},
		"xxxxxxxx": {Call: create, Chance: &always},
	} {
		r.Do = answer(500)
		require.Equal(t, want, newDesk(t, r).calls(8))
	}
	require.Equal(t, "........", newDesk(t, script.Rule{Call: create, Chance: &never, Do: answer(500)}).calls(8))
}

func TestARateLetsSoManyThroughInItsPeriod(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script.Rule{Call: script.Targets{"acme.*"}, Rate: &script.Rate{Over: 2, Per: "1m"}, Do: []script.Action{
		{Refuse: &script.Refuse{Error: "rate_limited", Headers: map[string]string{"Retry-After": "${{ retry_after }}"}}},
	}})
	require.Equal(t, "..", d.calls(2))
	d.now = start.Add(20 * time.Second)
	_, actions := d.ask(script.OnCall, "acme", "create", map[string]any{})
	require.Equal(t, "40", actions[0].Refuse.Headers["Retry-After"])
	d.now = start.Add(time.Minute)
	require.Equal(t, "..x", d.calls(3), "the first two have left the window")
}

func TestAWindowOfTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script.Rule{Call: script.Targets{"acme.create"}, From: "1h", Until: "2026-01-08T12:00:00Z", Do: answer(503)})
	for after, want := range map[time.Duration]string{0: ".", time.Hour - 1: ".", time.Hour: "x", 2*time.Hour - 1: "x", 2 * time.Hour: "."} {
		d.now = start.Add(after)
		require.Equal(t, want, d.calls(1), after)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	d := newDesk(t,
		script.Rule{Name: "exact", Call: script.Targets{"acme.create"}, Do: []script.Action{{Set: map[string]string{"a": "1"}}}},
		script.Rule{Name: "prefix", Call: script.Targets{"acme.create*"}, Do: []script.Action{{Set: map[string]string{"a": "1"}}}},
		script.Rule{Name: "sim", Call: script.Targets{"acme.*"}, Do: []script.Action{{Set: map[string]string{"a": "1"}}}},
		script.Rule{Name: "all", Call: script.Targets{"*"}, Do: []script.Action{{Set: map[string]string{"a": "1"}}}},
		script.Rule{Name: "event", Event: script.Targets{"acme.payment.*", "zeta.sent"}, Do: []script.Action{{Set: map[string]string{"a": "1"}}}},
	)
	for subject, want := range map[[3]string][]string{
		{"call", "acme", "create"}:          {"exact", "prefix", "sim", "all"},
		{"call", "acme", "createMany"}:      {"prefix", "sim", "all"},
		{"call", "acme", "list"}:            {"sim", "all"},
		{"call", "acme", ""}:                {"sim", "all"}, // a call of no operation
		{"call", "zeta", "create"}:          {"all"},
		{"event", "acme", "paid"}:           nil,
		{"event", "acme", "payment.failed"}: {"event"},
		{"event", "zeta", "sent"}:           {"event"},
	} {
		fired, _ := d.ask(script.Point(subject[0]), subject[1], subject[2], map[string]any{})
		require.Equal(t, want, fired, subject)
	}
}

func TestAfterAnAnswerNoRuleIsAsked(t *testing.T) {
	t.Parallel()
	d := newDesk(t,
		script.Rule{Name: "count", Call: script.Targets{"acme.create"}, Do: []script.Action{{Set: map[string]string{"seen": "${{ string(int(state.seen ?? \"0\") + 1) }}"}}}},
		script.Rule{Name: "answers", Call: script.Targets{"acme.create"}, Do: answer(503)},
		script.Rule{Name: "unreached", Call: script.Targets{"acme.create"}, Do: answer(500)},
	)
	fired, actions := d.ask(script.OnCall, "acme", "create", map[string]any{})
	require.Equal(t, []string{"count", "answers"}, fired)
	require.Equal(t, 503, actions[0].Answer.Status)
	d.calls(2)
	require.NoError(t, d.store.View("s", func(tx store.Tx) error {
		require.Equal(t, map[string]any{"seen": "3"}, rule.StateValues(tx))
		return nil
	}))
}

func TestAConditionThatFailsIsFalseAndShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script.Rule{Name: "r", Call: script.Targets{"acme.create"}, When: "request.json.amount > 10 && params.name == \"x\"", Do: answer(400)})
	ask := func(body any) int {
		fired, _ := d.ask(script.OnCall, "acme", "create", map[string]any{"request": map[string]any{"json": body}})
		return len(fired)
	}
	require.Zero(t, ask(nil))
	require.NoError(t, d.store.View("s", func(tx store.Tx) error {
		memory, _ := rule.Memories(tx).Get("r")
		require.NotEmpty(t, memory.Error)
		return nil
	}))
	require.Equal(t, 1, ask(map[string]any{"amount": 11.0}))
	require.Zero(t, ask(map[string]any{"amount": 10.0}))
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	create := script.Targets{"acme.create"}
	half := 1.5
	for want, r := range map[string]script.Rule{
		`a rule needs one of call`: {Do: answer(500)},
		`only one of call, event`:  {Call: create, Event: script.Targets{"acme.paid"}, Do: answer(500)},
		`call[0]: acme has no operation "creat"; did you mean "create"?`:                  {Call: script.Targets{"acme.creat"}, Do: answer(500)},
		`call[0]: "acmee.create" names no sim; did you mean "acme"?`:                      {Call: script.Targets{"acmee.create"}, Do: answer(500)},
		`event[0]: acme has no event type "payment.fail"; did you mean "payment.failed"?`: {Event: script.Targets{"acme.payment.fail"}, Do: []script.Action{{Set: map[string]string{"a": "b"}}}},
		`do: a rule without an action does nothing`:                                       {Call: create},
		`when: `:                                                        {Call: create, When: "request.method ==", Do: answer(500)},
		`did you mean request`:                                          {Call: create, When: "requst.method == \"GET\"", Do: answer(500)},
		`first: want 0 or more, got -1`:                                 {Call: create, First: new(-1), Do: answer(500)},
		`nth: want 1 or more, got 0`:                                    {Call: create, Nth: new(0), Do: answer(500)},
		`every: want 1 or more, got 0`:                                  {Call: create, Every: new(0), Do: answer(500)},
		`nth: at most one of first, skip, nth, every`:                   {Call: create, First: new(1), Nth: new(2), Do: answer(500)},
		`chance: want a probability from 0 to 1, got 1.5`:               {Call: create, Chance: &half, Do: answer(500)},
		`rate.per: want a duration`:                                     {Call: create, Rate: &script.Rate{Over: 1, Per: "soon"}, Do: answer(500)},
		`from: want an instant`:                                         {Call: create, From: "tomorrow", Do: answer(500)},
		`do[0]: an action has exactly one verb, got none`:               {Call: create, Do: []script.Action{{}}},
		`do[0]: an action has exactly one verb, got drop and hold`:      {Call: create, Do: []script.Action{{Drop: true, Hold: true}}},
		`do[0].drop: drop has no effect at a rule for call`:             {Call: create, Do: []script.Action{{Drop: true}}},
		`do[0].answer.status: want 200 to 599, got 99`:                  {Call: create, Do: answer(99)},
		`do[0].answer.body: an answer with status 204 has no body`:      {Call: create, Do: []script.Action{{Answer: &script.Answer{Status: 204, Body: "x"}}}},
		`do[0].refuse.error: "too_many" is no error`:                    {Call: create, Do: []script.Action{{Refuse: &script.Refuse{Error: "too_many"}}}},
		`do[0].delay: an answer is delayed by at most 1m0s`:             {Call: create, Do: []script.Action{{Delay: &script.Delay{Fixed: "2m"}}}},
		`do[0].delay: want the shorter duration first`:                  {Call: create, Do: []script.Action{{Delay: &script.Delay{Min: "2s", Max: "1s"}}}},
		`do[0].fault: want one of reset_before`:                         {Call: create, Do: []script.Action{{Fault: "explode"}}},
		`do[0].emit.type: acme has no event type "sent"`:                {Call: create, Do: []script.Action{{Emit: &script.Emit{Sim: "acme", Type: "sent"}}}},
		`do[0].policy.acme.limits: no policy acme.limits`:               {Call: create, Do: []script.Action{{Policy: map[string]any{"acme.limits": 1}}}},
		`do[0].expire: zeta issues no tokens`:                           {Call: create, Do: []script.Action{{Expire: "zeta"}}},
		`do[0].after: answer happens at once`:                           {Call: create, Do: []script.Action{{After: "1m", Answer: &script.Answer{Status: 500}}}},
		`do[0].release.order: want one of events, reverse, shuffle`:     {Call: create, Do: []script.Action{{Release: &script.Release{Order: "random"}}}},
		`do[0].certificate: want one of expired`:                        {Handshake: script.Targets{"acme"}, Do: []script.Action{{Certificate: "old"}}},
		`handshake[0]: "acme.create": a handshake is with a sim: acme`:  {Handshake: script.Targets{"acme.create"}, Do: []script.Action{{Certificate: "expired"}}},
		`do[0].headers.Content-Length: this header is the server's own`: {Attempt: script.Targets{"acme.paid"}, Do: []script.Action{{Headers: map[string]string{"Content-Length": "1"}}}},
		`do[0].duplicate: want 1 to 1000, got 5000`:                     {Delivery: script.Targets{"acme.paid"}, Do: []script.Action{{Duplicate: 5000}}},
	} {
		require.ErrorContains(t, rule.Check(r, names()), want)
	}
}

func TestRulesOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	r := script.Rule{Name: "a", Call: script.Targets{"acme.create"}, Do: answer(500)}
	_, err := rule.Compile([]rule.Part{{Rules: []script.Rule{r}}, {Rules: []script.Rule{r}}}, names())
	require.ErrorContains(t, err, `rules[0].name: there is a rule "a" already`)
}

func TestDelaysAreDrawnWithinTheirBounds(t *testing.T) {
	t.Parallel()
	require.Equal(t, 2*time.Second, rule.Draw(script.Delay{Fixed: "2s"}, 0.5, 0.5, time.Minute))
	require.Equal(t, 150*time.Millisecond, rule.Draw(script.Delay{Min: "100ms", Max: "200ms"}, 0.5, 0, time.Minute))
	logNormal := script.Delay{Median: "100ms", P95: "1s"}
	under, over := 0, 0
	const n = 100
	for i := range n {
		for j := range n {
			d := rule.Draw(logNormal, float64(i)/n, float64(j)/n, time.Hour)
			if d <= 100*time.Millisecond {
				under++
			}
			if d > time.Second {
				over++
			}
		}
	}
	require.InDelta(t, 0.5, float64(under)/(n*n), 0.03, "half are below the median")
	require.InDelta(t, 0.05, float64(over)/(n*n), 0.015, "one in twenty is above the 95th percentile")
}

func BenchmarkOtherRulesCostNothing(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules := make([]script.Rule, n)
			for i := range rules {
				rules[i] = script.Rule{Call: script.Targets{"acme.list"}, Do: answer(500)}
			}
			set, err := rule.Compile([]rule.Part{{Rules: rules}}, names())
			require.NoError(b, err)
			for b.Loop() {
				if len(set.At(script.OnCall, "acme", "create")) > 0 {
					b.Fatal("none is about it")
				}
			}
		})
	}
}
