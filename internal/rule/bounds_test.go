package rule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/script"
)

func TestALogNormalDelayThatNoDurationCanHoldIsTheLongest(t *testing.T) {
	t.Parallel()
	almostOne := 1 - 1.0/(1<<53)
	d := script.Delay{Median: "1s", P95: "87600h"}
	require.Equal(t, rule.Longest, rule.Draw(d, almostOne, 0, rule.Longest))
	require.Equal(t, time.Minute, rule.Draw(d, almostOne, 0, time.Minute))
}

func TestWhatIsNamedOutlivesTheRulesWithoutHeapingUp(t *testing.T) {
	t.Parallel()
	named := func(name, url string) map[string]any {
		return map[string]any{"sandbox": "default", "receivers": map[string]any{name: url}}
	}
	one := func(name string) []script.Rule { return []script.Rule{{Name: name}} }
	parts := []rule.Part{{Rules: one("a"), Vars: named("shop", "1")}, {Rules: one("b"), Vars: named("bank", "2")}, {Rules: one("c"), Vars: map[string]any{"sandbox": "default"}}}
	rest, found := rule.Without(parts, "")
	require.True(t, found)
	require.Len(t, rest, 1)
	require.Equal(t, map[string]any{"shop": "1", "bank": "2"}, rest[0].Vars["receivers"])
	require.Len(t, parts[0].Rules, 1, "the parts there were stay as they are")
	require.Equal(t, map[string]any{"shop": "1"}, parts[0].Vars["receivers"])

	rest, found = rule.Without(parts, "a")
	require.True(t, found)
	require.Len(t, rest, 3)
	_, found = rule.Without(parts, "d")
	require.False(t, found)
	rest, _ = rule.Without(append(rest, rule.Part{Rules: one("e"), Vars: named("late", "3")}), "e")
	require.Len(t, rest, 4)
	rest, _ = rule.Without(append(rest, rule.Part{Rules: one("f"), Vars: named("later", "4")}), "f")
	require.Len(t, rest, 4, "what adds and deletes a rule again and again leaves nothing behind")
}

func TestARateForgetsWhatWasBeforeTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script.Rule{Call: script.Targets{"acme.*"}, Rate: &script.Rate{Over: 2, Per: "1m"}, Do: answer(429)})
	require.Equal(t, "..x", d.calls(3))
	d.now = start.Add(-time.Millisecond) // calls of a real clock do not come quite in order
	require.Equal(t, "x", d.calls(1))
	d.now = start.Add(-24 * time.Hour)
	require.Equal(t, "..x", d.calls(3))
}
