package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/scenario/run"
)

// delivered is a webhook whose receiver takes the second attempt, and an event.
func delivered(t *testing.T) string {
	t.Helper()
	return `steps:
- call: hsrcpay.createWebhook
  body: {endpoint: "` + shop(t, 500, 200) + `", enabled_events: ["payment.*"]}
  expect:
    status: 201
    headers: {content-type: application/json}
    body: {success: true, data: {object: webhook, id: {$regex: "^wh_"}}}
  save: {id: response.json.data.id, created: response.status == 201}
- emit: {sim: hsrcpay, type: payment.succeeded, data: {amount: 1250}}
  expect: {made: 1, that: created}
`
}

func TestDeliveriesAreExpectedByMatchCountSignatureAndInstants(t *testing.T) {
	t.Parallel()
	passes(t, delivered(t)+`
- expect:
    deliveries: [{match: {state: pending, attempts: {$length: 1}}, count: 1, signature: valid}]
- advance: idle
- name: after the retry
  expect:
    deliveries:
    - match: {webhook_id: "${{ id }}", state: delivered, attempts: [{status: 500}, {status: 200, request: {json: {type: payment.succeeded}}}]}
      count: {min: 1, max: 1}
      signature: valid
      at: [0s, 1m]
    - {match: {state: failed}, count: 0}
    webhooks: [{match: {id: "${{ id }}", state: active}, count: 1}]
    journal: [{match: {operation: createWebhook}, count: 1}, {match: {direction: out}, count: 2}, {count: 1}]
    that: ["now() > start", "id startsWith 'wh_'"]
`)
}

func TestAFailedExpectationSaysWhereAndWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ steps, at, message, difference string }{
		"status":      {"{call: hsrcpay.listWebhooks, expect: {status: 404}}", "expect.status", "", "status: want 404, got 200"},
		"header":      {"{call: hsrcpay.listWebhooks, expect: {headers: {Content-Type: text/plain}}}", "expect.headers", "", `headers.content-type: want "text/plain", got "application/json"`},
		"body member": {"{call: hsrcpay.listWebhooks, expect: {body: {data: 1}}}", "expect.body", "", "body.data: want 1, got "},
		"body text":   {"{call: hsrcpay.listWebhooks, expect: {body: nothing}}", "expect.body", "", `body: want "nothing", got `},
		"error":       {"{call: hsrcpay.listWebhooks, expect: {error: timeout}}", "expect.error", "", "error: want timeout, got an answer with status 200"},
		"refusal":     {"{call: hsrcpay.listWebhooks, sign: none, expect: {refusal: schema}}", "expect.refusal", "", `refusal: want "schema", got "credentials"`},
		"rules":       {"{call: hsrcpay.listWebhooks, expect: {rules: [outage]}}", "expect.rules", "", `rules: want ["outage"], got []`},
		"made":        {"{emit: {sim: hsrcpay, type: payment.succeeded}, expect: {made: 2}}", "expect.made", "", "made: want 2, got 1"},
		"that":        {"{expect: {that: \"1 + 1 == 3\"}}", "expect.that", "not true: 1 + 1 == 3", "1 + 1: want == 3, got 2"},
		"count":       {"{expect: {deliveries: [{match: {state: failed}, count: {max: 3, min: 2}}]}}", "expect.deliveries[0]", `deliveries: 0 matched {"state":"failed"}, 2 to 3 wanted; there: 1 pending payment.succeeded`, "state: want \"failed\", got \"pending\""},
		"signature":   {"{expect: {deliveries: [{signature: invalid}]}}", "expect.deliveries[0].signature", "", "signature: want invalid, got valid"},
		"instants":    {"{expect: {deliveries: [{at: [1s]}]}}", "expect.deliveries[0].at", "", `attempts at: want ["1s"], got ["0s"]`},
		"verb":        {"{advance: soon}", "advance", `want a duration such as 90m, an RFC 3339 instant, or idle, got "soon"`, ""},
		"save":        {"{save: {x: response.json.nothing.id}}", "save.x", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fails(t, delivered(t)+"- "+test.steps)
			require.Equal(t, "shop.yaml@steps[2]."+test.at, f.At)
			require.True(t, strings.HasPrefix(f.Step, "step 3 ("), f.Step)
			if test.message != "" {
				require.Equal(t, test.message, f.Message)
			}
			if test.difference != "" {
				require.Contains(t, f.Differences, f.Differences[0])
				all := ""
				for _, d := range f.Differences {
					all += d.Path + ": want " + d.Want + ", got " + d.Got + "\n"
				}
				require.Contains(t, all, test.difference)
			}
		})
	}
}

func TestStepsRepeatAndAreSkipped(t *testing.T) {
	t.Parallel()
	passes(t, delivered(t)+`
- repeat: 3
  if: index != 1
  emit: {sim: hsrcpay, type: payment.succeeded, data: {order_id: "order-${{ index }}"}}
- expect:
    deliveries: [{match: {attempts: [{request: {json: {order_id: order-2}}}]}, count: 1}, {count: 3}]
`)
}

func TestAFailureTellsHowToRepeatTheCall(t *testing.T) {
	t.Parallel()
	f := fails(t, "seed: 7\nsteps: [{name: lists, call: hsrcpay.listWebhooks, sign: wrong, query: {limit: 0}, expect: {status: 200}}]")
	require.Equal(t, "step 1 (lists)", f.Step)
	require.Equal(t, "mocksrv test shop.yaml --seed 7", f.Again)
	require.Regexp(t, `^curl -si -X GET 'http://127\.0\.0\.1:\d+/sandboxes/test-shop-[^/]+/hsrcpay/v1/webhooks/\?limit=0' -H 'Accept: application/json' -H 'Authorization: Bearer sk_test_\w+'$`, f.Exchange.Curl)
	require.Equal(t, "credentials", f.Exchange.Refusal.Rule)
	require.Contains(t, f.Text(), "refused by credentials: saw ")
}

func TestTheClockIsFrozenUnlessTheFileSaysOtherwise(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"steps: [{expect: {that: string(start) startsWith '2026-01-08 10:00:00'}}]",
		"clock: '2027-02-03T04:05:06Z'\nsteps: [{expect: {that: string(start) startsWith '2027-02-03 04:05:06'}}]",
		"params: {day: '2027-02-03'}\nclock: {now: '${{ params.day }}T04:05:06Z', skew: 1s}\nsteps: [{expect: {that: string(start) startsWith '2027-02-03 04:05:06'}}]",
	} {
		passes(t, text)
	}
}

func TestTheSeedOfTheCommandWins(t *testing.T) {
	t.Parallel()
	seed := int64(99)
	r := target(t).Run(t.Context(), steps(t, "seed: 7\nsteps: [{call: hsrcpay.listWebhooks}]"), run.Options{Seed: &seed})
	require.Nil(t, r.Failure)
	require.Equal(t, seed, r.Seed)
}

func TestWhatIsMissingIsToldWithWhatIsThere(t *testing.T) {
	t.Parallel()
	const world = "webhooks: [{name: hook, sim: hsrcpay, events: [payment.refunded]}]\nsteps: [{emit: {sim: hsrcpay, type: payment.refunded}}, "
	f := fails(t, world+"{emit: {sim: hsrcpay, type: payment.succeeded}, expect: {made: 1}}]")
	require.Regexp(t, `^payment.succeeded made 0 deliveries, 1 wanted; the webhooks of hsrcpay: wh_\S+ \(hook\) is active and takes payment.refunded$`, f.Message)
	f = fails(t, "steps: [{emit: {sim: bts, type: status.100}, expect: {made: 1}}]")
	require.Contains(t, f.Message, "bts has no webhook")
	f = fails(t, world+"{expect: {deliveries: [{match: {state: failed}, count: 1}]}}]")
	require.Contains(t, f.Message, `deliveries: 0 matched {"state":"failed"}, 1 wanted; there: 1 pending payment.refunded`)
	f = fails(t, world+"{expect: {webhooks: [{match: {state: blocked}}]}}]")
	require.Contains(t, f.Message, "there: 1 active hsrcpay")
	f = fails(t, "steps: [{call: hsrcpay.listWebhooks, expect: {journal: [{match: {status: 500}}]}}]")
	require.Contains(t, f.Message, "there: 1 in listWebhooks 200")
}

func TestACallThatFailsMustBeForeseen(t *testing.T) {
	t.Parallel()
	for _, expect := range []string{"", ", expect: {headers: {content-type: {$any: true}}}", ", expect: {that: 'true'}"} {
		f := fails(t, "steps: [{call: hsrcpay.listWebhooks, as: nobody"+expect+"}]")
		require.Equal(t, "want an answer below 400, as the step expects no status, error, refusal or body; got 401", f.Message)
	}
	for _, expect := range []string{"status: 401", "refusal: credentials", "body: {success: false}", "that: response.status > 400"} {
		passes(t, "steps: [{call: hsrcpay.listWebhooks, as: nobody, expect: {"+expect+"}}]")
	}
	passes(t, "rules: [{call: '*', do: [{answer: {status: 302}}]}]\nsteps: [{call: hsrcpay.listWebhooks}]")
}
