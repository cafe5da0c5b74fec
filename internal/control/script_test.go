package control_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/scenarios"
)

func scriptJourney(a *api) {
	params := in("scripts")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"scripts","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	rules := func(body string) client.Rules {
		return decode[client.Rules](a.call("POST "+sandboxPath+"/rules", request{params: params, body: body}).is(201))
	}
	require.Len(a, rules(`{"rules":[{"name":"limited","call":"signedsub.*","nth":2,"do":[{"refuse":"rate_limited"},{"set":{"provider":"tired"}}]}]}`).Rules, 1)
	all := rules(`{"rules":[{"delivery":["signedsub.*"],"chance":0.5,"do":[{"delay":"1m"},{"delay":{"min":"1s","max":"2s"}}]}]}`)
	require.Equal(a, []string{"limited", "rule-2"}, []string{all.Rules[0].Name, all.Rules[1].Name})
	for _, status := range []int{401, 429} {
		resp, err := a.srv.Client().Post(a.sandbox("scripts").Sims["signedsub"].BaseURL+"/api/v1/subscription/webhook", "application/json", strings.NewReader("{}"))
		require.NoError(a, err)
		received(a.T, resp).is(status)
	}
	list := decode[client.Rules](a.call("GET "+sandboxPath+"/rules", request{params: params}).is(200))
	require.Equal(a, []int{2, 1}, []int{list.Rules[0].Matched, list.Rules[0].Fired})
	journal := decode[client.Journal](a.call("GET "+sandboxPath+"/journal", request{params: params, query: "status=429"}).is(200))
	require.Equal(a, []string{"limited"}, journal.Exchanges[0].Rules)
	done := decode[client.Done](a.call("POST "+sandboxPath+"/actions", request{params: params, body: `{"actions":[{"set":{"phase":"two"}},{"after":"1h","set":{"phase":"three"}}]}`}).is(200))
	require.Equal(a, client.Done{Actions: 2, Now: start()}, done)
	states := decode[client.States](a.call("GET "+sandboxPath+"/state", request{params: params}).is(200))
	require.Equal(a, map[string]string{"provider": "tired", "phase": "two"}, states.State)
	a.call("DELETE "+sandboxPath+"/rules", request{params: params, query: "name=limted"}).is(404)
	a.call("DELETE "+sandboxPath+"/rules", request{params: params, query: "name=limited"}).is(204)
	a.call("DELETE "+sandboxPath+"/rules", request{params: params}).is(204)
	require.Empty(a, decode[client.Rules](a.call("GET "+sandboxPath+"/rules", request{params: params}).is(200)).Rules)
	misspelt := a.call("POST "+sandboxPath+"/actions", request{params: params, body: `{"actions":[{"refus":"internal"},{"expir":"bts"}]}`, wrong: true}).is(422).problem()
	require.Contains(a, misspelt.Detail, `did you mean "expire"?`)
	require.Equal(a, []string{"after", "block", "emit", "expire", "policy", "receiver", "redeliver", "release", "set", "unblock"}, misspelt.Errors[0].Valid, "only verbs that work there")
	planned := strings.Repeat(`{"after":"1h","set":{"a":"b"}},`, stage.MaxPlanned) + `{"set":{"a":"b"}}`
	full := a.call("POST "+sandboxPath+"/actions", request{params: params, body: `{"actions":[` + planned + `]}`}).is(429)
	require.Contains(a, full.problem().Detail, fmt.Sprintf("actions[%d]", stage.MaxPlanned-1), "one was planned before")
}

func scenarioJourney(a *api) {
	params := in("scenarios")
	schema := a.call("GET /_mocksrv/scenario.schema.json", request{}).is(200)
	require.Equal(a, string(scenarios.Schema()), string(schema.body))
	made := decode[client.Sandbox](a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"scenarios","scenario":{"title":"made with it","seed":3,"clock":"2026-01-08T10:30:00Z"}}`}).is(201))
	require.Equal(a, []any{int64(3), "made with it"}, []any{made.Seed, made.Scenarios[0].Title})
	apply := func(body, contentType string) client.AppliedScenario {
		return decode[client.AppliedScenario](a.call("POST "+sandboxPath+"/scenarios", request{params: params, body: body, header: map[string]string{"Content-Type": contentType}}).is(200))
	}
	apply(`{"title":"as JSON","state":{"a":"b"}}`, "application/json")
	applied := apply(`
title: as YAML
receivers: {shop: {}}
webhooks: [{name: hook, sim: signedsub, url: "${{ receivers.shop.url }}/hook"}]
rules: [{name: slow, call: signedsub.*, do: [{delay: 1ms}]}]
`, "application/yaml")
	require.Equal(a, []string{"slow"}, applied.Rules)
	require.Contains(a, applied.Webhooks, "hook")
	require.Contains(a, applied.Accounts, "default")
	require.Len(a, a.sandbox("scenarios").Scenarios, 3)
	snapshot := a.call("GET "+sandboxPath+"/snapshot", request{params: params}).is(200)
	a.call("PUT "+sandboxPath+"/snapshot", request{params: params, body: string(snapshot.body)}).is(200)
	a.call("GET "+sandboxPath+"/recording", request{params: params}).is(200)
	reset := decode[client.Sandbox](a.call("POST "+sandboxPath+"/reset", request{params: params}).is(200))
	require.Len(a, reset.Scenarios, 1, "what it was made with")
}

func TestRulesThatAreWrongAreNamedWithTheirFields(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for name, c := range map[string]struct{ body, field, says string }{
		"nothing":          {`{}`, "rules", "at least one rule"},
		"a number":         {`{"rules":[{"call":"*","nth":"two","do":[{"drop":true}]}]}`, "rules[0].nth", `"two" is not a whole number`},
		"a part":           {`{"rules":[{"call":"*","nth":1.5,"do":[]}]}`, "rules[0].nth", "not a whole number"},
		"a chance":         {`{"rules":[{"call":"*","chance":"often","do":[]}]}`, "rules[0].chance", "not a number"},
		"a name":           {`{"rules":[{"call":"*","whenn":"true","do":[]}]}`, "rules[0].whenn", `did you mean "when"`},
		"a target":         {`{"rules":[{"call":{"a":1},"do":[]}]}`, "rules[0].call", "not a list"},
		"an operation":     {`{"rules":[{"call":"signedsub.createSubscripton","do":[{"fault":"hang"}]}]}`, "rules[0].call[0]", "createSubscription"},
		"no point":         {`{"rules":[{"do":[{"fault":"hang"}]}]}`, "rules[0]", "one of call, event"},
		"a verb":           {`{"rules":[{"call":"*","do":[{"drop":true}]}]}`, "rules[0].do[0].drop", "no effect at a rule for call"},
		"two verbs":        {`{"rules":[{"call":"*","do":[{"fault":"hang","delay":"1s"}]}]}`, "rules[0].do[0]", "exactly one verb"},
		"an expression":    {`{"rules":[{"call":"*","when":"requst.method == 1","do":[{"fault":"hang"}]}]}`, "rules[0].when", "requst"},
		"the second":       {`{"rules":[{"call":"*","do":[{"fault":"hang"}]},{"call":"*","do":[{"fault":"bang"}]}]}`, "rules[1].do[0].fault", "bang"},
		"a name that is":   {`{"rules":[{"name":"x","call":"*","do":[{"fault":"hang"}]},{"name":"x","call":"*","do":[{"fault":"hang"}]}]}`, "rules[1].name", "already"},
		"a refusal":        {`{"rules":[{"call":"*","do":[{"refuse":"rate_limitd"}]}]}`, "rules[0].do[0].refuse.error", "rate_limited"},
		"a refusal's form": {`{"rules":[{"call":"*","do":[{"refuse":7}]}]}`, "rules[0].do[0].refuse", "not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := a.with(t).call("POST "+sandboxPath+"/rules", request{body: c.body, wrong: true}).is(422).problem()
			require.Equal(t, c.field, p.Errors[0].Field, "%v", p.Errors)
			require.Contains(t, p.Errors[0].Detail, c.says)
		})
	}
	t.Cleanup(func() {
		list, err := a.srv.Control().In("default").Rules(t.Context())
		require.True(t, err != nil || len(list.Rules) == 0, "none was added")
	})
}

func TestActionsThatCannotBeCarriedOutAreNamed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for name, c := range map[string]struct{ body, field, says string }{
		"nothing":    {`{"actions":[]}`, "actions", "at least one action"},
		"a call's":   {`{"actions":[{"answer":{"status":200}}]}`, "actions[0].answer", "no effect by itself"},
		"a webhook":  {`{"actions":[{"block":"nobody"}]}`, "actions[0]", `"nobody" is neither the name`},
		"a receiver": {`{"actions":[{"receiver":{"name":"shop","script":{"down":true}}}]}`, "actions[0]", `"shop"`},
		"a delivery": {`{"actions":[{"redeliver":"dlv_x"}]}`, "actions[0]", "dlv_x"},
		"a hole":     {`{"actions":[{"set":{"a":"${{ params.x.y }}"}}]}`, "actions[0]", "x"},
		"the second": {`{"actions":[{"set":{"second":"done"}},{"redeliver":"dlv_x"}]}`, "actions[1]", "the actions before it were carried out"},
		"an event":   {`{"actions":[{"set":{"never":"done"}},{"emit":{"sim":"signedsub","type":"X"}}]}`, "actions[1].emit.type", `"X"`},
	} {
		p := a.call("POST "+sandboxPath+"/actions", request{body: c.body, wrong: true}).is(422).problem()
		require.Equal(t, c.field, p.Errors[0].Field, "%s: %v", name, p.Errors)
		require.Contains(t, p.Errors[0].Detail, c.says, name)
	}
	states := decode[client.States](a.call("GET "+sandboxPath+"/state", request{}).is(200))
	require.Equal(t, "done", states.State["second"])
	require.NotContains(t, states.State, "never", "all are checked before the first")
}

func TestScenariosThatAreWrongAreNamedWithLineAndColumn(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for name, c := range map[string]struct {
		body        string
		status      int
		field, says string
	}{
		"no YAML":       {"title: [", 400, "body", "line 2, column 1: not valid YAML"},
		"nothing":       {"", 400, "body", "empty"},
		"a list":        {"- a", 422, "body", "line 1, column 1"},
		"a member":      {"title: x\nrulez: []", 422, "rulez", `line 2, column 1: `},
		"an operation":  {"title: x\nrules:\n  - call: signedsub.nothing\n    do: [{fault: hang}]", 422, "rules[0].call[0]", "line 3, column 11: "},
		"an include":    {"title: x\ninclude: [bts-outage]", 422, "include", "no includes"},
		"no such token": {`{"title":"x","rules":[{"call":"*","do":[{"drop":true}]}]}`, 422, "rules[0].do[0].drop", "line 1, column"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := a.with(t).call("POST "+sandboxPath+"/scenarios", request{body: c.body, wrong: true}).is(c.status).problem()
			require.Equal(t, c.field, p.Errors[0].Field, "%v", p.Errors)
			require.Contains(t, p.Errors[0].Detail, c.says)
		})
	}
}

func TestAScenarioIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	a.call("POST "+sandboxPath+"/receivers", request{body: `{"name":"taken"}`}).is(201)
	a.call("POST "+sandboxPath+"/rules", request{body: `{"rules":[{"name":"taken","call":"*","do":[{"delay":"1ms"}]}]}`}).is(201)
	before := a.call("GET "+sandboxPath+"/snapshot", request{}).is(200)
	const world = `{"title":"x","clock":"2027-01-01T00:00:00Z","policies":{"signedsub.block_limit":1},"state":{"a":"b"},"accounts":{"shop":{}},
		"receivers":{"fine":{},%q:{}},"webhooks":[{"name":"hook","sim":"signedsub"}],"deliveries":[{"webhook":"hook","type":"INVOICE_PAID","state":"pending"}],
		"timeline":[{"at":"1h","do":[{"set":{"a":"c"}}]}],"rules":[{"name":%q,"call":"*","do":[{"delay":"1ms"}]}]}`
	for _, names := range [][2]any{{"taken", "new"}, {"new", "taken"}} {
		p := a.call("POST "+sandboxPath+"/scenarios", request{body: fmt.Sprintf(world, names[0], names[1])}).is(422).problem()
		require.Equal(t, "scenario not applied", p.Title)
		require.Contains(t, p.Detail, "taken")
		require.Contains(t, []string{"receivers.taken", "rules[0].name"}, p.Errors[0].Field)
	}
	diff := decode[client.SnapshotDiff](a.call("POST "+sandboxPath+"/snapshot/diff", request{body: string(before.body)}).is(200))
	require.Empty(t, diff.Changes)
	list := decode[client.Receivers](a.call("GET "+sandboxPath+"/receivers", request{}).is(200))
	require.Len(t, list.Receivers, 1)
	a.call("POST "+sandboxPath+"/scenarios", request{body: fmt.Sprintf(world, "new", "new")}).is(200)
}

func TestASandboxIsNotMadeWithAScenarioThatIsWrong(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for name, c := range map[string]struct{ scenario, title, field, says string }{
		"a name":    {`"bts-outige"`, "invalid request", "scenario", `did you mean "bts-outage"`},
		"YAML":      {`"title: x\nrulez: []"`, "invalid scenario", "scenario.rulez", "line 2, column 1"},
		"no YAML":   {`"title: [\n"`, "invalid scenario", "scenario", "not valid YAML"},
		"an object": {`{"title":"x","seed":"y"}`, "invalid scenario", "scenario.seed", "line 1"},
		"a number":  {`7`, "invalid scenario", "scenario", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := a.with(t).call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"wrong","scenario":` + c.scenario + `}`, wrong: true}).is(422).problem()
			require.Equal(t, c.title, p.Title)
			require.Equal(t, c.field, p.Errors[0].Field)
			require.Contains(t, p.Errors[0].Detail, c.says)
		})
	}
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"x","scenario":{"title":"x","receivers":{"shop":{"tls":"nonsense"}}}}`, wrong: true}).is(422)
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"x","scenario":"bts-outage"}`}).is(201)
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"y","scenario":"title: x\nstate: {a: b}"}`}).is(201)
}

func TestAScenarioThatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for size, status := range map[int]int{1 << 20: http.StatusOK, 1<<20 + 1: http.StatusRequestEntityTooLarge} {
		body := `{"title":"x"}`
		a.call("POST "+sandboxPath+"/scenarios", request{body: body + strings.Repeat(" ", size-len(body))}).is(status)
	}
}

func TestWhatAScenarioHasNamedStaysKnownWithoutItsRules(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	a.call("POST "+sandboxPath+"/scenarios", request{body: `{"title":"x","params":{"a":"b"},"rules":[{"name":"its own","call":"*","do":[{"delay":"1ms"}]}]}`}).is(200)
	for range 3 {
		a.call("POST "+sandboxPath+"/rules", request{body: `{"rules":[{"name":"added","call":"*","do":[{"set":{"seen":"${{ params.a }}"}}]}]}`}).is(201)
		a.call("DELETE "+sandboxPath+"/rules", request{query: "name=added"}).is(204)
	}
	a.call("DELETE "+sandboxPath+"/rules", request{}).is(204)
	a.call("POST "+sandboxPath+"/actions", request{body: `{"actions":[{"set":{"c":"${{ params.a }}"}}]}`}).is(200)
	states := decode[client.States](a.call("GET "+sandboxPath+"/state", request{}).is(200))
	require.Equal(t, "b", states.State["c"])
	snapshot := decode[map[string]any](a.call("GET "+sandboxPath+"/snapshot", request{}).is(200))
	require.Len(t, snapshot["rules"], 1, "nothing piles up")
}
