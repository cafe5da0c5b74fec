package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
)

// passesAsFile runs the text of a file, whose cases must pass.
func passesAsFile(t *testing.T, text string) {
	t.Helper()
	on := target(t)
	read := func(string) ([]byte, error) { return []byte(text), nil }
	loaded, err := scenario.Load("shop.yaml", read, scenario.NamesOf(on.Providers))
	require.NoError(t, err)
	for _, c := range loaded.Cases() {
		r := on.Run(t.Context(), run.Case{File: "shop.yaml", Name: c.Name, Scenario: c.Scenario, At: loaded.At}, run.Options{})
		if r.Failure != nil {
			t.Fatal(r.Failure.Text())
		}
	}
}

func TestZeroIsNone(t *testing.T) {
	t.Parallel()
	const file = `title: Zeros
params: {n: 0}
webhooks:
  - {name: one, sim: signedsub, events: [INVOICE_PAID]}
  - {sim: signedsub, count: NONE}
deliveries: [{webhook: one, type: INVOICE_PAID, count: NONE}]
rules:
  - {name: never, call: "*", first: NONE, do: [{refuse: internal}]}
  - {name: all, call: "*", skip: NONE, do: [{delay: 1ms}]}
  - {name: empty, event: signedsub.INVOICE_PAID, do: [{emit: {sim: signedsub, type: INVOICE_PAID, count: NONE}}]}
timeline: [{at: 1m, every: 1m, times: NONE, do: [{set: {seen: "yes"}}]}]
steps:
  - expect: {webhooks: [{count: 1}], deliveries: [{count: 0}]}
  - {repeat: NONE, call: hsrcpay.listWebhooks, expect: {status: 599}}
  - {emit: {sim: signedsub, type: INVOICE_PAID, count: NONE}, expect: {made: 0, deliveries: [{count: 0}]}}
  - {call: hsrcpay.listWebhooks, expect: {status: 200, rules: [all]}}
  - {emit: {sim: signedsub, type: INVOICE_PAID}, expect: {made: 1, deliveries: [{count: 1}]}}
  - {advance: 10m, expect: {state: {}, that: '"seen" not in state'}}
`
	for _, none := range []string{"0", `"${{ params.n }}"`} {
		passesAsFile(t, strings.ReplaceAll(file, "NONE", none))
	}
}
