package scenario_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/scenario"
)

// TestEveryMistakeIsFoundWithItsPlace: each file, and one line of what is said about it.
func TestEveryMistakeIsFoundWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range mistakes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, "title: x\n"+c.file)
			require.Contains(t, found.Error(), c.want, name)
			require.Len(t, found, 1, found.Error())
		})
	}
}

type mistake struct{ file, want string }

func mistakes() map[string]mistake {
	all := map[string]mistake{}
	for _, some := range []map[string]mistake{worldMistakes(), ruleMistakes(), stepMistakes(), expectMistakes()} {
		for name, m := range some {
			_, taken := all[name]
			if taken {
				name += ", too"
			}
			all[name] = m
		}
	}
	return all
}

func worldMistakes() map[string]mistake {
	return map[string]mistake{
		"an unknown member":          {"rulez: []", "2:1: rulez: unknown member; did you mean rules?"},
		"a member far from all":      {"webhooks: [{sim: bts, qqqqqq: 1}]", "2:23: webhooks[0].qqqqqq: unknown member; there are name, sim, count"},
		"a list that is a map":       {"rules: {a: 1}", `2:8: rules: want a list, got a map`},
		"nothing at all":             {"rules:", `2:7: rules: want a list, got nothing`},
		"a number for a text":        {"about: 5", "2:8: about: want a text, got 5; put it in quotes"},
		"a fraction":                 {"seed: 1.5", "2:7: seed: want a whole number, got 1.5"},
		"a repetition of none":       {"rules: [{call: bts.*, nth: 0, do: [{refuse: internal}]}]", "2:28: rules[0].nth: want 1 or more, got 0"},
		"every none":                 {"params: {n: 0}\nrules: [{call: bts.*, every: '${{ params.n }}', do: [{refuse: internal}]}]", "rules[0].every: want 1 or more, got 0"},
		"no duplicate":               {"rules: [{delivery: bts.*, do: [{duplicate: 0}]}]", "rules[0].do[0].duplicate: want 1 or more, got 0"},
		"no pad":                     {"rules: [{delivery: bts.*, do: [{pad: 0}]}]", "rules[0].do[0].pad: want 1 or more, got 0"},
		"a negative count":           {"webhooks: [{sim: bts, count: -1}]", "2:30: webhooks[0].count: want 0 or more, got -1"},
		"a clock":                    {"clock: yesterday", `2:8: clock: want real, or an instant such as 2026-01-08T10:30:00Z, got "yesterday"`},
		"a far clock":                {"clock: 9999-01-01T00:00:00Z", "is not within the years 1970 to 2199"},
		"a clock's member":           {"clock: {mode: slow}", `2:15: clock.mode: want one of real, frozen, got "slow"`},
		"an unknown clock member":    {"clock: {nwo: 2026-01-08T10:00:00Z}", "2:14: clock.nwo: unknown member; did you mean now?"},
		"a clock's edge":             {"clock: {edge: worl}", `did you mean world?`},
		"a clock's skew":             {"clock: {skew: much}", `want a duration such as 5m or -30s, got "much"`},
		"a clock that is a list":     {"clock: [1]", "want real, an instant, or {mode, now, edge, skew}"},
		"a policy":                   {"policies: {bankly.created_statuss: 201}", `did you mean bankly.created_status?`},
		"a policy's place":           {"policies: {bts.nope: 1}", "2:12: policies.bts.nope: there is no policy"},
		"a reply's status":           {"receivers: {a: {script: {replies: [{}, {status: 99}]}}}", "2:49: receivers.a.script.replies[1].status: want 200 to 599"},
		"a reply's member":           {"receivers: {a: {script: {replies: [{statsu: 500}]}}}", "receivers.a.script.replies[0].statsu: unknown member; did you mean status?"},
		"a reply for a text":         {"receivers: {a: {script: {replies: [500]}}}", "receivers.a.script.replies[0]: want a map, got 500"},
		"a reply of no times":        {"receivers: {a: {script: {replies: [{times: 0}]}}}", "receivers.a.script.replies[0].times: want 1 or more, got 0"},
		"a script's end":             {"receivers: {a: {script: {then: never}}}", "receivers.a.script.then: want one of"},
		"a policy's number":          {"policies: {bankly.created_status: 200}", "one of 201, 200 expected, got 200; put it in quotes"},
		"a policy's value":           {"policies: {bankly.created_status: 204}", "2:35: policies.bankly.created_status: policy created_status: one of 201, 200 expected, got 204"},
		"an account's sim":           {"accounts: {shop: {bank: {key: x}}}", `2:19: accounts.shop.bank: there is no sim "bank"; the sims are bts`},
		"the account nobody":         {"accounts: {nobody: {}}", "nobody is a call without credentials"},
		"a receiver's name":          {"receivers: {a b: {}}", "want a name of letters"},
		"a receiver's script":        {"receivers: {a: {script: {replies: [{status: 99}]}}}", "receivers.a.script.replies[0].status: want 200 to 599"},
		"a receiver's member":        {"receivers: {a: {script: {reply: []}}}", "2:26: receivers.a.script.reply: unknown member; there are down, replies, then"},
		"a webhook's sim":            {"webhooks: [{sim: nope}]", `2:18: webhooks[0].sim: there is no sim "nope"; the sims are bts, bitpay, bankly, signedsub, hsrcpay`},
		"a webhook without a sim":    {"webhooks: [{name: a}]", "2:12: webhooks[0].sim: is missing"},
		"a webhook's event":          {"webhooks: [{sim: hsrcpay, events: [payment.succeded]}]", `hsrcpay has no event type "payment.succeded"; did you mean payment.succeeded?`},
		"a webhook's pattern":        {"webhooks: [{sim: hsrcpay, events: ['*', payment.*, paymnt.*]}]", `2:52: webhooks[0].events[2]: hsrcpay has no event types that begin with "paymnt."`},
		"a webhook's account":        {"webhooks: [{sim: bts, account: sohp}]\naccounts: {shop: {}}", `there is no account "sohp"; did you mean shop?`},
		"a webhook twice":            {"webhooks: [{sim: bts, name: a}, {sim: bts, name: a}]", `2:50: webhooks[1].name: there is a webhook "a" already`},
		"a webhook's future":         {"webhooks: [{sim: bts, created_at: 48h}]", `want a duration before now such as -48h, got "48h"`},
		"a webhook's instant":        {"webhooks: [{sim: bts, created_at: monday}]", `or a duration before now such as -48h, got "monday"`},
		"too many webhooks":          {"webhooks: [{sim: bts, count: 10001}]", "want at most 10000, got 10001"},
		"a later webhook":            {"webhooks: [{sim: bts, name: a, url: '${{ webhooks.b.id }}'}, {sim: bts, name: b}]", "there is no webhook b"},
		"a hole in a name":           {"webhooks: [{sim: bts, name: '${{ 1 }}'}]", "no hole can stand in a name"},
		"a hole's receiver":          {"receivers: {shop: {}}\nwebhooks: [{sim: bts, url: '${{ receivers.shp.url }}'}]", "3:28: webhooks[0].url: there is no receiver shp; did you mean shop?"},
		"a hole's variable":          {"webhooks: [{sim: bts, url: 'http://x/${{ request.path }}'}]", "2:42: webhooks[0].url: unknown name request"},
		"an open hole":               {"webhooks: [{sim: bts, url: '${{ 1'}]", "2:29: webhooks[0].url: the hole ${{ is not closed"},
		"a hole in a param":          {"params: {a: '${{ 1 }}'}", "params.a: a param is what holes are filled with"},
		"a hole without a param":     {"params: {n: 1}\nwebhooks: [{sim: bts, count: '${{ params.m }}'}]", "there is no param m; did you mean n?"},
		"a hole for a number":        {"params: {n: many}\nwebhooks: [{sim: bts, count: '${{ params.n }}'}]", "want a whole number, got many from ${{ params.n }}"},
		"an early hole":              {"clock: '${{ receivers.a.url }}'", "a hole here is filled when the file is read, and sees params only"},
		"a delivery's webhook":       {"webhooks: [{sim: bts, name: abc}]\ndeliveries: [{webhook: abd, type: x}]", `there is no webhook "abd"; did you mean abc?`},
		"a delivery's event":         {"webhooks: [{sim: bts, name: a}]\ndeliveries: [{webhook: a, type: nope}]", `bts has no event type "nope"`},
		"a delivery's state":         {"webhooks: [{sim: hsrcpay, name: a}]\ndeliveries: [{webhook: a, type: payment.succeeded, state: lost}]", "want one of delivered, failed, pending, held"},
		"a delivery's status":        {"webhooks: [{sim: hsrcpay, name: a}]\ndeliveries: [{webhook: a, type: payment.succeeded, status: 99}]", "want 100 to 599, got 99"},
		"a case's param":             {"params: {a: 1}\ncases: {one: {b: 2}, two: {a: 2}}", "3:15: cases.one.b: sets a param that neither the scenario nor every other case has; did you mean a?"},
		"no cases":                   {"cases: {}", "a table without cases tests nothing"},
		"a moment without a when":    {"timeline: [{do: [{set: {a: b}}]}]", "want at or on: when it happens"},
		"every without times":        {"timeline: [{every: 1h, do: [{set: {a: b}}]}]", "2:20: timeline[0].every: want times, too"},
		"times without every":        {"timeline: [{at: 1h, times: 2, do: [{set: {a: b}}]}]", "want every, too"},
		"a moment on an event, at":   {"timeline: [{at: 1h, on: bts.*, do: [{set: {a: b}}]}]", "want on, or at and every: not both"},
		"a moment's instant":         {"timeline: [{at: soon, do: [{set: {a: b}}]}]", "timeline[0].at: want an instant"},
		"a moment that does nothing": {"timeline: [{at: 1h, do: []}]", "timeline[0].do: nothing happens"},
		"a moment's verb":            {"timeline: [{at: 1h, do: [{fault: hang}]}]", "fault has no effect by itself"},
		"a moment's event":           {"timeline: [{on: bts.nope, do: [{set: {a: b}}]}]", "timeline[0].on[0]: bts has no event type"},
	}
}

func ruleMistakes() map[string]mistake {
	return map[string]mistake{
		"an operation":          {"rules: [{call: bankly.nope, do: [{fault: hang}]}]", `2:16: rules[0].call[0]: bankly has no operation "nope"`},
		"two points":            {"rules: [{call: bts.*, event: bts.*, do: [{set: {a: b}}]}]", "a rule has only one of call, event"},
		"no point":              {"rules: [{do: [{fault: hang}]}]", "2:9: rules[0]: a rule needs one of call, event"},
		"a condition":           {"rules: [{call: bts.*, when: 'reqest.method == \"x\"', do: [{fault: hang}]}]", "2:30: rules[0].when: unknown name reqest; did you mean request?"},
		"a condition's place":   {"rules:\n- call: bts.*\n  when: true and stat.x == 1\n  do: [{fault: hang}]", "4:18: rules[0].when: unknown name stat; did you mean"},
		"a text as a condition": {"rules: [{call: bts.*, when: '\"yes\"', do: [{fault: hang}]}]", "want a condition, which is true or false"},
		"a hole in a condition": {"rules: [{call: bts.*, when: '${{ true }}', do: [{fault: hang}]}]", "this is an expression: take ${{ and }} away"},
		"a hole's param":        {"rules: [{call: bts.*, do: [{answer: {status: 200, body: {a: '${{ params.x }}'}}}]}]", "there is no param x; there are none"},
		"a rule twice":          {"rules: [{name: a, call: bts.*, first: 1, do: [{fault: hang}]}, {name: a, call: bts.*, do: [{fault: hang}]}]", `there is a rule "a" already`},
		"a verb of elsewhere":   {"rules: [{call: bts.*, do: [{drop: true}]}]", "rules[0].do[0].drop: drop has no effect at a rule for call"},
		"two verbs":             {"rules: [{call: bts.*, do: [{fault: hang, delay: 1s}]}]", "an action has exactly one verb, got fault and delay"},
		"an error":              {"rules: [{call: bts.*, do: [{refuse: rate_limit}]}]", `2:37: rules[0].do[0].refuse.error: "rate_limit" is no error of a provider; did you mean "rate_limited"?`},
		"a webhook":             {"rules: [{call: bts.*, do: [{block: shop}]}]", `the scenario has no webhook "shop"`},
		"a script":              {"receivers: {a: {}}\nrules: [{call: bts.*, do: [{receiver: {name: a, script: {then: never}}}]}]", "rules[0].do[0].receiver.script.then: want one of"},
		"never asked":           {"rules: [{name: all, call: bts.*, do: [{refuse: internal}]}, {call: [bts.refresh], do: [{fault: hang}]}]", "2:61: rules[1]: is never asked: rules[0] (all) answers all these calls before it"},
		"a state nobody sets":   {"state: {mode: a}\nrules: [{call: bts.*, state: {mod: b}, do: [{fault: hang}]}]", "3:31: rules[0].state.mod: nothing sets a state \"mod\", so the rule never acts; give it a first value in state; did you mean mode?"},
		"a hole in a state":     {"state: {a: b}\nrules: [{call: bts.*, state: {a: '${{ 1 }}'}, do: [{fault: hang}]}]", "no hole can stand in a condition; use when"},
	}
}

func stepMistakes() map[string]mistake {
	return map[string]mistake{
		"two things at once":         {"steps: [{call: bts.refresh, advance: 1h}]", "2:38: steps[0].advance: a step does one thing, got call and advance"},
		"nothing to do":              {"steps: [{name: a}]", "the step does and expects nothing"},
		"a misspelt call":            {"steps: [{cal: bts.refresh, as: nobody, expect: {status: 401}}]", "2:10: steps[0].cal: unknown member; did you mean call?"},
		"an operation":               {"steps: [{call: bts.refrsh}]", `2:16: steps[0].call: bts has no operation "refrsh"; did you mean refresh?`},
		"a sim":                      {"steps: [{call: bt.refresh}]", `there is no sim "bt"`},
		"an account":                 {"steps: [{call: bts.refresh, as: shop}]", `there is no account "shop"; there are default`},
		"a body without a call":      {"steps: [{advance: 1h, body: {a: 1}}]", "2:23: steps[0].body: body belongs to call"},
		"a way to sign":              {"steps: [{call: bts.refresh, sign: badly}]", "want one of right, wrong, stale, none"},
		"a timeout":                  {"steps: [{call: bts.refresh, timeout: 0s}]", "want a duration above 0"},
		"a way back":                 {"steps: [{advance: -1h}]", `the clock does not go back: want a positive duration such as 90m, an instant, or idle, got "-1h"`},
		"an advance":                 {"steps: [{advance: far}]", `want a positive duration such as 90m, an instant, or idle, got "far"`},
		"a wait":                     {"steps: [{wait: 1s}]", `want idle, got "1s"`},
		"an event":                   {"steps: [{emit: {sim: hsrcpay, type: payment.succeded}}]", `steps[0].emit.type: hsrcpay has no event type "payment.succeded"; did you mean "payment.succeeded"?`},
		"an event's account":         {"steps: [{emit: {sim: hsrcpay, type: payment.succeeded, account: x}}]", `there is no account "x"`},
		"a policy":                   {"steps: [{policy: {bts.nope: 1}}]", "2:19: steps[0].policy.bts.nope: there is no policy"},
		"a receiver":                 {"steps: [{receiver: {name: a, script: {}}}]", `the scenario has no receiver "a"`},
		"a raw request":              {"steps: [{raw: {sim: bts, method: get, path: /x}}]", `want a method such as POST, got "get"`},
		"a raw path":                 {"steps: [{raw: {sim: bts, method: GET, path: x}}]", "want a path that begins with /"},
		"a rule to drop":             {"rules: [{name: slow, call: bts.*, do: [{delay: 1s}]}]\nsteps: [{drop_rule: solw}]", `there is no rule "solw"; did you mean slow?`},
		"a rule":                     {"steps: [{rule: {call: bts.*, do: [{drop: true}]}}]", "steps[0].rule.do[0].drop: drop has no effect"},
		"a saved name, too early":    {"steps: [{call: bts.refresh, query: {a: '${{ id }}'}, save: {id: response.json}}]", "unknown name id"},
		"a saved name that is taken": {"steps: [{call: bts.refresh, save: {response: request}}]", "response is a variable that is there already"},
		"a saved function":           {"steps: [{call: bts.refresh, save: {len: request}}]", `"len" is a function of the expression language`},
		"a saved expression":         {"steps: [{call: bts.refresh, save: {id: '1 +'}}]", "2:43: steps[0].save.id: the expression ends too early"},
		"a condition":                {"steps: [{if: '1', wait: idle}]", "want a condition"},
		"too many times":             {"steps: [{repeat: 10001, wait: idle}]", "want at most 10000"},
		"a clock":                    {"steps: [{clock: {mode: x}}]", "steps[0].clock.mode: want one of real, frozen"},
	}
}

func expectMistakes() map[string]mistake {
	expect := func(rest string) string { return "steps: [{call: bts.refresh, expect: {" + rest + "}}]" }
	return map[string]mistake{
		"an operator":             {expect("body: {a: {$gte: 1, $foo: 2}}"), "steps[0].expect.body: a: unknown operator $foo"},
		"a pattern":               {expect("headers: {X: {$regex: '('}}"), "steps[0].expect.headers.X: $regex"},
		"a wait for nothing":      {"steps: [{call: bts.login, expect: {status: 200, within: 1s}}]", "steps[0].expect.within: within is how long deliveries, webhooks, journal, receivers, state, that may take: expect one of them"},
		"a wait of no time":       {"steps: [{wait: idle, expect: {that: 'true', within: soon}}]", "steps[0].expect.within: want a duration above 0 such as 10s, at most 1h, got \"soon\""},
		"a wait of a day":         {"steps: [{wait: idle, expect: {that: 'true', within: 24h}}]", "at most 1h, got \"24h\""},
		"an answer to nothing":    {"steps: [{advance: 1h, expect: {status: 200}}]", "2:32: steps[0].expect.status: status is about an answer"},
		"made without an event":   {expect("made: 1"), "made is about an event"},
		"a status":                {expect("status: 42"), "want 100 to 599, got 42"},
		"an answer and none":      {expect("status: 200, error: timeout"), "there is no answer, and so no status"},
		"a rule that never was":   {expect("rules: [nope]"), `there is no rule "nope"`},
		"a receiver":              {expect("receivers: {shop: [{count: 1}]}"), `there is no receiver "shop"`},
		"a count":                 {expect("deliveries: [{count: -1}]"), "want a whole number from 0, or {min, max}, got -1"},
		"a range":                 {expect("deliveries: [{count: {min: 3, max: 1}}]"), "min 3 is more than max 1"},
		"an empty range":          {expect("deliveries: [{count: {}}]"), "want min, max or both"},
		"a range's member":        {expect("deliveries: [{count: {most: 3}}]"), "unknown member most"},
		"a range in a range":      {expect("deliveries: [{count: {min: {min: 1}}}]"), "want a whole number for min"},
		"a signature of requests": {expect("journal: [{signature: valid}]"), "signature is about deliveries"},
		"instants of requests":    {expect("webhooks: [{at: [1s]}]"), "at is about deliveries"},
		"an instant":              {expect("deliveries: [{at: [soon]}]"), `or a duration since the first attempt such as 5m, got "soon"`},
		"a matcher":               {expect("deliveries: [{match: {state: {$in: 1}}}]"), "deliveries[0].match: state: $in"},
		"a refusal":               {expect("refusal: credential"), `2:47: steps[0].expect.refusal: the ledger of bts has no entry "credential"; did you mean credentials?`},
		"a delivery's member":     {expect("deliveries: [{match: {status: 200}}]"), "2:60: steps[0].expect.deliveries[0].match.status: unknown member; status in attempts is one"},
		"a delivery's state":      {expect("deliveries: [{match: {state: deliverd}}]"), "match.state: want one of pending, delivered, failed, held, dropped, got \"deliverd\"; did you mean delivered?"},
		"one of two states":       {expect("webhooks: [{match: {state: {$in: [active, gone]}}}]"), "match.state.$in[1]: want one of active, disabled, blocked, deleted"},
		"not a state":             {expect("deliveries: [{match: {state: {$not: deliverd}}}]"), "match.state.$not: want one of pending"},
		"an attempt's member":     {expect("deliveries: [{match: {attempts: [{state: failed}]}}]"), "match.attempts[0].state: unknown member; did you mean status?"},
		"one of the attempts":     {expect("deliveries: [{match: {attempts: {$contains: {request: {jsn: 1}}}}}]"), "unknown member; did you mean json?"},
		"a webhook's member":      {expect("webhooks: [{match: {name: a}}]"), "match.name: unknown member"},
		"a call's member":         {expect("journal: [{match: {not: {op: listWebhooks}}}]"), "match.not: unknown member"},
		"an arrival's member":     {"receivers: {a: {}}\nsteps: [{expect: {receivers: {a: [{match: {body: x}}]}}}]", "match.body: unknown member; body in request is one"},
		"an assertion":            {expect("that: [respons.status == 200]"), "steps[0].expect.that[0]: unknown name respons; did you mean response?"},
		"an assertion alone":      {expect("that: 5"), "steps[0].expect.that: want an expression, or a list, got 5"},
		"a hole":                  {expect("body: {a: '${{ nope_at_all }}'}"), "unknown name nope_at_all"},
	}
}

func TestAllMistakesAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	found := problems(t, "title: 5\nsteps:\n- {wait: 1s}\n- {call: bts.nope, expect: {staus: 1, body: {$foo: 1}}}\nrules: [{do: []}]\n")
	var lines []int
	for _, p := range found {
		lines = append(lines, p.Line)
	}
	require.IsIncreasing(t, append([]int{0}, uniq(lines)...))
	require.Equal(t, []int{1, 3, 4, 5}, uniq(lines), found.Error())
	require.Len(t, found, 6, found.Error())
}

func uniq(list []int) (out []int) {
	for _, n := range list {
		if len(out) == 0 || out[len(out)-1] != n {
			out = append(out, n)
		}
	}
	return out
}

func TestAMistakeInAWordIsNotToldAgainByWhatFollows(t *testing.T) {
	t.Parallel()
	found := problems(t, "title: x\nrules: [{call: bts.*, do: [{anwser: {status: 200}}]}]")
	require.Equal(t, "a.yaml:2:29: rules[0].do[0].anwser: unknown member; did you mean answer?", found.Error())
}

func TestManyMistakesAreShortened(t *testing.T) {
	t.Parallel()
	found := problems(t, "title: x\nsteps:\n"+strings.Repeat("- {wait: 1s}\n", 500))
	require.Len(t, found, 100)
	require.Equal(t, "there are 401 more problems", found[99].Message)
}

func TestAProblemIsShownWithItsLine(t *testing.T) {
	t.Parallel()
	found := problems(t, "title: x\nsteps: [\n")
	require.Contains(t, found.Error(), "not valid YAML")
	found = problems(t, "title: ä\nabout: {ö: 1}\n")
	require.Equal(t, "a.yaml:2:8: about: want a text, got a map\n  about: {ö: 1}\n         ^", found[0].Show())
	require.Equal(t, "b:1:1: x", scenario.Problem{File: "b", Line: 1, Column: 1, Message: "x"}.Show())
}
