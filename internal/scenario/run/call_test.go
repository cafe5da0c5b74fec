package run_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACallIsMadeAsAClientOfTheProviderMakesIt(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		"hsrcpay.createWebhook", "signedsub.createSubscription", "bitpay.generateToken", "bitpay.createWebhook", "bankly.issueToken",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			passes(t, "steps: [{call: "+call+", expect: {that: response.status < 300}}]")
		})
	}
}

func TestAWrongSignatureOrTokenIsRefused(t *testing.T) {
	t.Parallel()
	for call, refusal := range map[string]string{
		"hsrcpay.listWebhooks": "credentials", "signedsub.listSubscriptions": "signature", "bitpay.generateToken": "token-signature", "bitpay.createWebhook": "credentials",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			passes(t, "steps: [{call: "+call+", sign: wrong, expect: {refusal: "+refusal+"}}]")
		})
	}
}

func TestAStaleTimestampIsRefused(t *testing.T) {
	t.Parallel()
	for call, refusal := range map[string]string{"signedsub.listSubscriptions": "timestamp-window", "bitpay.generateToken": "window"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			passes(t, "steps: [{call: "+call+", sign: stale, expect: {refusal: "+refusal+"}}]")
		})
	}
	f := fails(t, "steps: [{call: hsrcpay.listWebhooks, sign: stale}]")
	require.Equal(t, "sign: requests of this operation carry no timestamp, so they cannot be stale", f.Message)
}

func TestACallSaysWhoCallsAndWithWhat(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{
		"another credential of the account": "{call: bankly.createConfiguration, token: read_token, expect: {status: 403}}",
		"a token nobody has":                "{call: hsrcpay.listWebhooks, token: nonsense, expect: {status: 401, refusal: credentials}}",
		"nobody":                            "{call: hsrcpay.listWebhooks, as: nobody, expect: {status: 401}}",
		"no signature":                      "{call: signedsub.listSubscriptions, sign: none, expect: {refusal: credentials}}",
		"another account":                   "{call: hsrcpay.listWebhooks, as: second, expect: {body: {data: []}}}",
		"a header that is taken away":       "{call: hsrcpay.listWebhooks, headers: {Authorization: \"\"}, expect: {status: 401}}",
		"a body as it is":                   "{call: hsrcpay.createWebhook, body: \"{\", expect: {refusal: malformed-json}}",
		"a form":                            "{call: bankly.issueToken, body: {grant_type: nonsense}, expect: {status: 400}}",
		"a query with a list":               "{call: hsrcpay.listWebhooks, query: {limit: [1, 2]}, expect: {status: 200, that: \"request.query.limit == '1'\"}}",
		"a raw request":                     "{raw: {sim: hsrcpay, method: GET, path: /v1/webhooks/?a=b, headers: {Authorization: \"Bearer ${{ accounts.second.hsrcpay.secret_key }}\"}}, expect: {status: 200}}",
		"a raw request of no operation":     "{raw: {sim: hsrcpay, method: PUT, path: /v1/webhooks/, body: x}, expect: {refusal: wrong-method}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, "accounts: {second: {hsrcpay: {}}}\nsteps:\n- "+step)
		})
	}
	for step, says := range map[string]string{
		"{call: hsrcpay.listWebhooks, as: third}":             `there is no account "third"; the accounts are default`,
		"{call: bitpay.deleteWebhook}":                        "params: deleteWebhook needs webhookId in its path",
		"{call: bts.login, token: x}":                         "token: no credential is sent as it is with this operation",
		"{call: bts.login, sign: wrong}":                      "sign: this operation is called without credentials",
		"{call: hsrcpay.listWebhooks, timeout: never}":        `timeout: want a duration such as 2s, got "never"`,
		"{call: hsrcpay.nothing}":                             `hsrcpay has no operation "nothing"`,
		"{raw: {sim: nobody, method: GET, path: /}}":          `there is no sim "nobody"`,
		"{call: hsrcpay.createWebhook, body: {a: \"${{ b\"}}": "",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, fails(t, "steps:\n- "+step).Message, says)
		})
	}
}

func TestNoAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	const rules = `
rules:
- {name: late, call: hsrcpay.listWebhooks, nth: 1, do: [{delay: 20s}]}
- {name: cut, call: hsrcpay.listWebhooks, nth: 3, do: [{fault: reset_before}]}
- {name: half, call: hsrcpay.listWebhooks, nth: 4, do: [{fault: truncate}]}
steps:
- {call: hsrcpay.listWebhooks, timeout: 500ms, expect: {error: timeout, rules: [late]}}
- {call: hsrcpay.listWebhooks, expect: {status: 200}}
- {call: hsrcpay.listWebhooks, expect: {error: broken, rules: [cut]}}
`
	passes(t, rules+"- {call: hsrcpay.listWebhooks, expect: {error: broken, rules: [half]}}\n- {call: hsrcpay.listWebhooks, expect: {status: 200, rules: []}}")
	f := fails(t, rules+"- {call: hsrcpay.listWebhooks}")
	require.Contains(t, f.Message, "there was no answer (broken): ")
	require.Equal(t, []string{"half"}, f.Exchange.Rules)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	passes(t, `
rules: [{call: hsrcpay.listWebhooks, do: [{answer: {status: 302, headers: {Location: "http://127.0.0.1:1/"}}}]}]
steps: [{call: hsrcpay.listWebhooks, expect: {status: 302, headers: {location: {$regex: ":1/$"}}}}]
`)
}

// However slow a receiver is, what a step has set going is over before the next.
func TestAStepIsOverBeforeTheNextBegins(t *testing.T) {
	t.Parallel()
	passes(t, `
receivers: {slow: {script: {replies: [{delay: 100ms}]}}}
webhooks: [{sim: hsrcpay, url: "${{ receivers.slow.url }}", events: [payment.succeeded]}]
steps:
- {emit: {sim: hsrcpay, type: payment.succeeded}}
- {call: hsrcpay.listWebhooks}
- {expect: {journal: [{match: {direction: out, id: 1}, count: 1}, {match: {direction: in, id: 2}, count: 1}]}}
`)
}

func TestATimestampThatTheStepGivesIsSentAsItIs(t *testing.T) {
	t.Parallel()
	passes(t, `
steps:
- call: signedsub.listSubscriptions
  body: {account: "${{ accounts.default.signedsub.account }}", timestamp: 1700000000000}
  expect: {status: 400, refusal: timestamp-window, that: 'request.json.timestamp == 1700000000000'}
- call: signedsub.listSubscriptions
  body: {account: "${{ accounts.default.signedsub.account }}", timestamp: "${{ now().UnixMilli() - 60000 }}"}
  expect: {status: 200, that: 'request.json.timestamp == now().UnixMilli() - 60000'}
- call: signedsub.listSubscriptions
  body: {account: "${{ accounts.default.signedsub.account }}"}
  expect: {status: 200, that: 'request.json.timestamp == now().UnixMilli()'}
- call: signedsub.listSubscriptions
  body: '{"account": "x"}'
  expect: {refusal: timestamp-format, that: 'request.body == "{\"account\": \"x\"}"'}
- {call: signedsub.listSubscriptions, expect: {status: 200, that: 'request.json.timestamp == now().UnixMilli()'}}
- {call: signedsub.listSubscriptions, body: {timestamp: 1}, sign: stale, expect: {refusal: timestamp-window, that: 'request.json.timestamp > 1'}}
- {call: bitpay.generateToken, query: {timestamp: 1700000000000}, expect: {status: 400, refusal: window, that: 'request.query.timestamp == "1700000000000"'}}
- {call: bitpay.generateToken, expect: {status: 200, that: 'request.query.timestamp == string(now().UnixMilli())'}}
`)
}
