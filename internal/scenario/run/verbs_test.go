package run_test

import "testing"

// Each verb of a step is there for what it changes.
func TestEveryVerbDoesWhatItSays(t *testing.T) {
	t.Parallel()
	const world = `
state: {season: summer}
receivers: {shop: {}}
webhooks: [{name: hook, sim: signedsub, url: "${{ receivers.shop.url }}", events: [INVOICE_PAID]}]
steps:
`
	const emit = "- {emit: {sim: signedsub, type: INVOICE_PAID}}\n"
	for name, steps := range map[string]string{
		"set":       "- {set: {season: \"${{ state.season + ' 2' }}\"}, expect: {state: {season: summer 2}, that: state.season == 'summer 2'}}",
		"policy":    "- {policy: {signedsub.retry_schedule: [7m]}}\n- {receiver: {name: shop, script: {replies: [{status: 500}, {}]}}}\n" + emit + "- {advance: idle}\n- {expect: {deliveries: [{at: [0s, 7m]}]}}",
		"clock":     "- {clock: {now: '2026-02-01T00:00:00Z'}, expect: {that: \"string(now()) startsWith '2026-02-01'\"}}",
		"advance":   "- {advance: '2026-02-01T00:00:00Z'}\n- {advance: 36h, expect: {that: \"string(now()) startsWith '2026-02-02 12:00'\"}}",
		"emit":      "- {emit: {sim: signedsub, type: INVOICE_PAID, count: 3}, expect: {made: 3, receivers: {shop: [{count: 3}]}}}",
		"rule":      "- {rule: {name: lost, event: signedsub.INVOICE_PAID, do: [{set: {season: lost}}]}}\n" + emit + "- {expect: {state: {season: lost}}}",
		"drop_rule": "- {rule: {name: lost, event: signedsub.INVOICE_PAID, do: [{set: {season: lost}}]}}\n- {drop_rule: lost}\n" + emit + "- {expect: {state: {season: summer}}}",
		"receiver":  "- {receiver: {name: shop, script: {down: true}}}\n" + emit + "- {expect: {deliveries: [{match: {attempts: [{error: refused}]}}], receivers: {shop: [{count: 0}]}}}",
		"block":     "- {block: hook}\n- {expect: {webhooks: [{match: {id: \"${{ webhooks.hook.id }}\", state: blocked}}]}}\n- {unblock: hook}\n- {expect: {webhooks: [{match: {state: active}}]}}",
		"redeliver": emit + "- {wait: idle}\n- {redeliver: \"${{ emitted.deliveries[0] }}\"}\n- {expect: {deliveries: [{match: {event_id: \"${{ emitted.id }}\"}, count: 1}], receivers: {shop: [{count: 2}]}}}",
		"release":   "- {rule: {delivery: signedsub.*, do: [{hold: true}]}}\n" + emit + "- {expect: {deliveries: [{match: {state: held}, count: 1}]}}\n- {release: {webhook: hook}}\n- {expect: {deliveries: [{match: {state: delivered}, count: 1}]}}",
		"expire": "- {call: bankly.issueToken, save: {access: response.json.access_token}}\n- {call: bankly.listConfigurations, token: \"${{ access }}\", query: {page: 1, pageSize: 10}, expect: {status: 200}}\n" +
			"- {expire: bankly}\n- {call: bankly.listConfigurations, token: \"${{ access }}\", query: {page: 1, pageSize: 10}, expect: {status: 401}}",
		"fake": "- {expect: {that: 'fake(\"{firstname}\") != \"\"'}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, world+steps)
		})
	}
}
