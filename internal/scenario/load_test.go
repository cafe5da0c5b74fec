package scenario_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/script"
)

func TestAFileBecomesAScenario(t *testing.T) {
	t.Parallel()
	l, err := load(`
title: Everything a little
clock: 2026-01-08T10:00:00Z
seed: -3
params: {n: 2, ok: true, big: 9007199254740991}
policies: {bankly.created_status: "200"}
state: {mode: ok, attempts: 3}
receivers: {shop: {script: {replies: [{status: 500}], then: ok}}}
webhooks:
- &hook {name: shop, sim: hsrcpay, url: "${{ receivers.shop.url }}", created_at: -48h}
- {<<: *hook, name: other, count: "${{ params.n }}"}
rules:
- {name: a, call: bankly.*, first: 1, chance: 0.5, do: [{refuse: not_found}, {delay: 2s}]}
- {event: [hsrcpay.payment.*], state: {mode: ok}, do: [{set: {mode: yes}, after: 1m}]}
timeline: [{on: hsrcpay.payment.succeeded, do: [{set: {mode: no}}]}]
steps:
- {call: hsrcpay.listWebhooks, headers: {X-Number: 1.50}, expect: {that: response.status == 200}, save: {hooks: response.json}}
- {name: on, if: len(hooks) > 0, block: other-2}
`)
	require.NoError(t, err)
	s := l.Scenario
	require.Equal(t, "2026-01-08T10:00:00Z", s.Clock)
	require.Equal(t, int64(-3), *s.Seed)
	require.Equal(t, map[string]any{"n": 2.0, "ok": true, "big": 9007199254740991.0}, s.Params)
	require.Equal(t, map[string]string{"mode": "ok", "attempts": "3"}, s.State)
	require.Equal(t, script.Webhook{Name: "other", Sim: "hsrcpay", URL: "${{ receivers.shop.url }}", CreatedAt: "-48h", Count: new(2)}, s.Webhooks[1])
	require.Equal(t, script.Targets{"bankly.*"}, s.Rules[0].Call)
	require.Equal(t, []script.Action{{Refuse: &script.Refuse{Error: "not_found"}}, {Delay: &script.Delay{Fixed: "2s"}}}, s.Rules[0].Do)
	require.Equal(t, map[string]string{"mode": "yes"}, s.Rules[1].Do[0].Set, "yes is a text")
	require.Equal(t, map[string]string{"X-Number": "1.50"}, s.Steps[0].Headers)
	require.Equal(t, script.Expressions{"response.status == 200"}, s.Steps[0].Expect.That)
	require.Len(t, l.Cases(), 1)
	require.Equal(t, s, l.Cases()[0].Scenario)

	require.Equal(t, "a.yaml:17", l.At("steps[0].expect.that[0]"))
	require.Equal(t, "a.yaml:18", l.At("steps[1].nothing.below"))
	require.Equal(t, "a.yaml:13", l.At("rules[0]"))
	require.Equal(t, "a.yaml:6", l.At("policies.bankly.created_status"))
	require.Equal(t, "a.yaml:2", l.At("nothing"))
}

func TestCases(t *testing.T) {
	t.Parallel()
	l, err := load(`
title: x
params: {n: 1, at: 5m}
cases:
  second: {n: 2, status: 201}
  first: {status: 404}
rules: [{call: bts.*, first: "${{ params.n }}", until: "${{ params.at }}", do: [{fault: hang}]}]
steps:
- {call: bts.refresh, query: {a: "${{ params.n }}"}, expect: {status: "${{ params.status }}"}}
`)
	require.NoError(t, err)
	cases := l.Cases()
	require.Len(t, cases, 2)
	require.Equal(t, "second", cases[0].Name, "the order of the file")
	require.Equal(t, map[string]any{"n": 2.0, "at": "5m", "status": 201.0}, cases[0].Scenario.Params)
	require.Equal(t, 2, *cases[0].Scenario.Rules[0].First)
	require.Equal(t, "5m", cases[0].Scenario.Rules[0].Until)
	require.Equal(t, 201, cases[0].Scenario.Steps[0].Expect.Status)
	require.Equal(t, "${{ params.n }}", cases[0].Scenario.Steps[0].Query["a"], "what can wait is filled later")
	require.Equal(t, 1, *cases[1].Scenario.Rules[0].First)
	require.Equal(t, 404, cases[1].Scenario.Steps[0].Expect.Status)
	require.Nil(t, cases[1].Scenario.Cases)
	require.Equal(t, 201, l.Scenario.Steps[0].Expect.Status, "served as the first case")
}

func TestACaseThatDoesNotFitIsNamed(t *testing.T) {
	t.Parallel()
	found := problems(t, "title: x\nparams: {n: 1}\ncases: {a: {n: 1}, b: {n: many}}\nwebhooks: [{sim: bts, count: '${{ params.n }}'}]")
	require.Equal(t, `a.yaml:4:30: webhooks[0].count: want a whole number, got many from ${{ params.n }} (in the case "b")`, found.Error())
}

func TestIncludes(t *testing.T) {
	t.Parallel()
	read := files(map[string]string{
		"dir/a.yaml":        "title: a\ninclude: [base.yaml, sub/more.yaml, built-in]\nparams: {n: 2}\nseed: 5\nrules: [{name: own, call: bts.*, do: [{fault: hang}]}]\naccounts: {shop: {bts: {b: own}}}",
		"dir/base.yaml":     "title: base\nseed: 4\nparams: {n: 1, m: 1}\nrules: [{name: base, call: bts.refresh, do: [{delay: 1s}]}]\nsteps: [{wait: idle}]\ncases: {x: {n: 3}}\naccounts: {shop: {bts: {a: base, b: base}, bankly: {c: d}}}",
		"dir/sub/more.yaml": "title: more\ninclude: [../base.yaml]\nstate: {a: b}\nclock: real",
		"built-in":          "title: built-in\nstate: {c: d}\nclock: 2026-01-08T10:00:00Z",
	})
	l, err := scenario.Load("dir/a.yaml", read, names())
	require.NoError(t, err)
	require.Equal(t, "a", l.Scenario.Title)
	require.Equal(t, int64(5), *l.Scenario.Seed)
	require.Equal(t, map[string]any{"n": 2.0, "m": 1.0}, l.Scenario.Params)
	require.Equal(t, map[string]string{"a": "b", "c": "d"}, l.Scenario.State)
	require.Equal(t, "2026-01-08T10:00:00Z", l.Scenario.Clock)
	require.Equal(t, map[string]map[string]map[string]string{"shop": {"bts": {"a": "base", "b": "own"}, "bankly": {"c": "d"}}}, l.Scenario.Accounts)
	require.Len(t, l.Scenario.Rules, 2, "a file that is included twice counts once")
	require.Equal(t, "base", l.Scenario.Rules[0].Name)
	require.Empty(t, l.Scenario.Steps)
	require.Empty(t, l.Scenario.Cases)
	require.Empty(t, l.Scenario.Include)
	require.Equal(t, "dir/base.yaml:4", l.At("rules[0].do"))
	require.Equal(t, "dir/a.yaml:5", l.At("rules[1].do"))
}

func TestIncludesThatCannotBe(t *testing.T) {
	t.Parallel()
	chain := map[string]string{}
	for i := range 100 {
		chain[strings.Repeat("x", i)+"a.yaml"] = "title: a\ninclude: [" + strings.Repeat("x", i+1) + "a.yaml]"
	}
	for want, content := range map[string]map[string]string{
		"a.yaml:2:11: include[0]: includes itself: a.yaml → a.yaml":          {"a.yaml": "title: a\ninclude: [a.yaml]"},
		"b.yaml:2:11: include[0]: includes itself: a.yaml → b.yaml → a.yaml": {"a.yaml": "title: a\ninclude: [b.yaml]", "b.yaml": "title: b\ninclude: [./a.yaml]"},
		"a.yaml:2:11: include[0]: cannot be read: there is no b.yaml":        {"a.yaml": "title: a\ninclude: [b.yaml]"},
		"b.yaml:1:8: title: want a text, got a list":                         {"a.yaml": "title: a\ninclude: [b.yaml]", "b.yaml": "title: [x]"},
		"b.yaml:2:8: rules: want a list, got the text \"x\"":                 {"a.yaml": "title: a\ninclude: [b.yaml]", "b.yaml": "title: b\nrules: x"},
		"a.yaml:2:11: include[0]: want a text, got a map":                    {"a.yaml": "title: a\ninclude: [{}]"},
		"more than 64 files are included":                                    chain,
	} {
		_, err := scenario.Load("a.yaml", files(content), names())
		if strings.HasPrefix(want, "b.yaml:1") { // the title of an included file does not count
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

func TestParseTakesYAMLAndJSONThatStandAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"title: x\nrules: [{call: bts.*, do: [{fault: hang}]}]",
		`{"title": "x", "rules": [{"call": ["bts.*"], "do": [{"fault": "hang"}]}]}`,
		"{\n\t\"title\": \"x\",\n\t\"rules\": [{\"call\":\t\"bts.*\", \"do\": [{\"fault\": \"hang\"}]}]\n}\n",
	} {
		s, err := scenario.Parse([]byte(text), names())
		require.NoError(t, err, text)
		require.Equal(t, script.Scenario{
			Title: "x", Params: map[string]any{}, Rules: []script.Rule{{Call: script.Targets{"bts.*"}, Do: []script.Action{{Fault: "hang"}}}},
		}, s)
	}
	s, err := scenario.Parse([]byte(`{"title": "\ud83d\ude00 \/", "params": {"a": [1, -2.5, true, null, {}, "ä"], "b": {}}}`), names())
	require.NoError(t, err)
	require.Equal(t, "😀 /", s.Title)
	require.Equal(t, map[string]any{"a": []any{1.0, -2.5, true, nil, map[string]any{}, "ä"}, "b": map[string]any{}}, s.Params)
	_, err = scenario.Parse([]byte("title: x\ninclude: [a]"), names())
	require.EqualError(t, err, "scenario:2:10: include: a scenario that is sent has no includes: send one that is complete")
	_, err = scenario.Parse([]byte("rules: []"), names())
	require.EqualError(t, err, "scenario:1:1: title: is missing")
}

func TestProblemsOfJSONHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\n  \"title\": \"ä\", \"abuot\": 1\n}":                                                     "a.yaml:2:17: abuot: unknown member; did you mean about?",
		"{\"title\": \"ä\",\n\n \"steps\": [{},\n {\"wait\": 5}]}":                                   "a.yaml:4:11: steps[1].wait: want a text, got 5; put it in quotes",
		`{"title": "x", "seed": 9007199254740993}`:                                                   "too large to be exact",
		`{"title": "x", "title": "y"}`:                                                               `"title" stands twice`,
		`{"title": "x", "params": {"a": ` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`: "nested deeper than 64 levels",
		`{"title": "x", "params": {"a": [` + strings.Repeat("1,", 110_000) + `1]}}`:                  "too much",
		`{"title": "x"} {}`: "not valid YAML",
	} {
		_, err := load(text)
		require.ErrorContains(t, err, want)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "a.yaml:1:1: the file is empty",
		"# nothing":                   "the file is empty",
		"[]":                          "a.yaml:1:1: want a map, got a list",
		"\xff":                        "not valid UTF-8",
		"title: x\ntitle: y":          `a.yaml:2:1: title: "title" stands twice`,
		"title: 'x":                   "not valid YAML",
		"title: x\n---\ntitle: y":     "a file has one scenario: take --- away",
		"title: x\nparams: {a: 010}":  "010 has a leading zero; put it in quotes",
		"title: x\nparams: {a: .nan}": ".nan is not a number of JSON",
		"title: x\nparams: {a: .inf}": ".inf is not a number of JSON",
		"title: x\nparams: {a: 9007199254740993}": "too large to be exact; put it in quotes",
		"title: x\nparams: {a: !!binary aGk=}":    "unknown tag !!binary",
		"title: x\nparams: {a: !mine b}":          "unknown tag !mine",
		"title: x\nparams: {[a]: b}":              "a name is a text",
		"title: x\nparams: {a: {{ b }}}":          "a name is a text, not a list or a map; put quotes around {{",
		"title: x\nparams: {<<: 5}":               "<< merges a map, or a list of maps, not 5",
		"title: x\nparams: &a {b: *a}":            "an alias stands within what it stands for",
		"title: x\nparams: {a: *none}":            "not valid YAML",
	} {
		_, err := load(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestNamesOfMembersMayLookLikeAnything(t *testing.T) {
	t.Parallel()
	l, err := load("title: x\nparams: {200: a, true: b, '<<': c, ~: d}\n")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"200": "a", "true": "b", "<<": "c", "~": "d"}, l.Scenario.Params)
}
