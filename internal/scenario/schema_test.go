package scenario_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/scenarios"
)

func TestSchemaIsThatOfTheTypes(t *testing.T) {
	t.Parallel()
	data, err := strictjson.Encode(scenario.Schema())
	require.NoError(t, err)
	want, err := strictjson.Indent(data)
	require.NoError(t, err)
	want = append(want, '\n')
	if *update {
		require.NoError(t, os.WriteFile("../../scenarios/scenario.schema.json", want, 0o644))
		return
	}
	require.Equal(t, string(want), string(scenarios.Schema()), "run go test ./internal/scenario -update")
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(scenarios.Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(scenario.SchemaID, document))
	s, err := c.Compile(scenario.SchemaID)
	require.NoError(t, err)
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var plain any
	require.NoError(t, yaml.Unmarshal([]byte(text), &plain), text)
	data, err := strictjson.Encode(plain)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return s.Validate(document)
}

func TestSchemaTakesEveryBuiltInScenario(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for _, name := range scenarios.Names() {
		data, err := scenarios.Read(name)
		require.NoError(t, err)
		require.NoError(t, validate(t, s, string(data)), name)
	}
}

// TestSchemaAndLintAgree: what fits the language fits both, and a broken twin of it fits neither.
func TestSchemaAndLintAgree(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for right, wrong := range twins() {
		for name, one := range map[string]string{"right": right, "wrong": wrong} {
			text := "title: x\n" + one
			_, err := load(text)
			if name == "right" {
				require.NoError(t, err, text)
				require.NoError(t, validate(t, s, text), text)
				continue
			}
			require.Error(t, err, text)
			require.Error(t, validate(t, s, text), text)
		}
	}
}

// twins are constructs of the language, each with one that is broken.
func twins() map[string]string {
	rule := func(rest string) string { return "rules: [{call: bankly.*, " + rest + "}]" }
	do := func(action string) string { return rule("do: [{" + action + "}]") }
	delivery := func(action string) string { return "rules: [{delivery: bankly.*, do: [{" + action + "}]}]" }
	attempt := func(action string) string { return "rules: [{attempt: [bankly.*], do: [{" + action + "}]}]" }
	step := func(rest string) string { return "steps: [{call: bankly.listConfigurations, " + rest + "}]" }
	return map[string]string{
		"seed: 7":                            "seed: seven",
		"seed: -7":                           "seed: 7.5",
		"about: y":                           "abuot: y",
		"params: {a: 1}":                     "params: [a]",
		"params: {a: 1}\ncases: {b: {a: 2}}": "cases: {b: 2}",
		"clock: real":                        "clok: real",
		"policies: {bankly.created_status: '200'}":                         "policies: 3",
		"state: {mode: ok}":                                                "state: {mode: [ok]}",
		"state: {mode: 5}":                                                 "state: {mode: {a: 5}}",
		"receivers: {shop: {tls: expired}}":                                "receivers: {shop: {tls: old}}",
		"webhooks: [{sim: bts, count: 2}]":                                 "webhooks: [{sim: bts, count: many}]",
		"webhooks: [{sim: bts, state: blocked}]":                           "webhooks: [{sim: bts, state: gone}]",
		"webhooks: [{sim: bts, name: b}]":                                  "webhooks: [{name: b}]",
		"params: {n: 3}\nwebhooks: [{sim: bts, count: '${{ params.n }}'}]": "webhooks: [{sim: bts, count: -1}]",
		"webhooks: [{sim: hsrcpay, name: b}]\ndeliveries: [{webhook: b, type: payment.succeeded, status: 200}]": "deliveries: [{type: Shipped}]",
		rule("do: [{fault: hang}]"):                                                   rule("do: {fault: hang}"),
		rule("first: 2, do: [{fault: hang}]"):                                         rule("first: two, do: [{fault: hang}]"),
		rule("when: 'true', do: [{fault: hang}]"):                                     rule("when: true, do: [{fault: hang}]"),
		rule("rate: {over: 1, per: 1m}, do: [{fault: hang}]"):                         rule("rate: {over: 1}, do: [{fault: hang}]"),
		rule("chance: 0.5, do: [{fault: hang}]"):                                      rule("chance: often, do: [{fault: hang}]"),
		rule("name: a, do: [{fault: hang}]"):                                          rule("event: bankly.*, do: [{fault: hang}]"),
		do("answer: {status: 200, body: {a: 1}}"):                                     do("answer: {body: {a: 1}}"),
		do("refuse: not_found"):                                                       do("refuse: 404"),
		do("refuse: {error: not_found}"):                                              do("refuse: {code: '404'}"),
		do("fault: reset_before"):                                                     do("fault: reset_bfore"),
		do("delay: 2s"):                                                               do("delay: 2"),
		do("delay: {min: 1s, max: 2s}"):                                               do("delay: {min: 1s, most: 2s}"),
		do("patch: {a: 1}"):                                                           do("patch: a"),
		do("set: {mode: degraded}, after: 1m"):                                        do("set: {mode: degraded}, emit: {sim: bts, type: x}"),
		do("redeliver: '${{ params }}'"):                                              do("after: 1m"),
		do("release: {order: shuffle}"):                                               do("release: {order: random}"),
		delivery("duplicate: 2"):                                                      delivery("duplicate: twice"),
		delivery("drop: true"):                                                        delivery("drop: yes"),
		attempt("headers: {X-A: 1}"):                                                  attempt("headers: [X-A]"),
		attempt("corrupt_signature: true"):                                            attempt("corrupt_signature: right"),
		"rules: [{handshake: bankly, do: [{certificate: expired}]}]":                  "rules: [{handshake: bankly, do: [{certificate: old}]}]",
		"timeline: [{at: 1h, do: [{set: {a: b}}]}]":                                   "timeline: [{at: 1h}]",
		"timeline: [{every: 1h, times: 3, do: [{set: {a: b}}]}]":                      "timeline: [{every: 1h, times: x, do: [{set: {a: b}}]}]",
		step("as: nobody, expect: {status: 401}"):                                     step("expect: {status: Unauthorized}"),
		step("expect: {that: [response.status == 200, 'true']}"):                      step("expect: {that: {a: b}}"),
		step("expect: {that: response.status == 200}"):                                step("expect: [200]"),
		step("save: {id: response.json}"):                                             step("save: response.json"),
		step("sign: wrong"):                                                           step("sign: badly"),
		step("name: x"):                                                               step("emit: {sim: bts, type: y}"),
		"steps: [{emit: {sim: hsrcpay, type: payment.succeeded}, expect: {made: 0}}]": "steps: [{emit: {sim: hsrcpay}, expect: {made: 0}}]",
		"steps: [{advance: idle}]":                                                    "steps: [{advance: [idle]}]",
		"steps: [{wait: idle}]":                                                       "steps: [{wiat: idle}]",
		"steps: [{expect: {deliveries: [{match: {state: held}, count: {min: 1}}]}}]":  "steps: [{expect: {deliveries: {match: {state: held}}}}]",
		"steps: [{raw: {sim: bts, method: GET, path: /x}, expect: {error: broken}}]":  "steps: [{raw: {sim: bts, method: GET}, expect: {error: broken}}]",
	}
}

func TestSchemaDescribesItsMembers(t *testing.T) {
	t.Parallel()
	text := string(scenarios.Schema())
	for _, part := range []string{
		`"$schema": "https://json-schema.org/draft/2020-12/schema"`, `"description": "An expression that must be true."`,
		`"reset_before"`, `"examples"`,
	} {
		require.Contains(t, text, part)
	}
}
