package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// signed is a world with a webhook of a sim and one event, under a rule.
func signed(sim, event, do string) string {
	return `
receivers: {shop: {}}
webhooks: [{sim: ` + sim + `, url: "${{ receivers.shop.url }}", events: [` + event + `]}]
rules: [{attempt: ` + sim + `.*, do: [` + do + `]}]
steps:
- emit: {sim: ` + sim + `, type: ` + event + `}
- expect: {deliveries: [{count: 1, signature: `
}

func TestASignatureIsCheckedAsItWasSent(t *testing.T) {
	t.Parallel()
	for sim, event := range map[string]string{
		"bitpay": "ORDER_WEBHOOK", "bankly": "PIX_CASH_IN_WAS_RECEIVED", "signedsub": "INVOICE_PAID", "hsrcpay": "payment.succeeded",
	} {
		t.Run(sim, func(t *testing.T) {
			t.Parallel()
			passes(t, signed(sim, event, `{headers: {X-Test: "1"}}`)+"valid}]}")
			passes(t, signed(sim, event, `{corrupt_signature: true}`)+"invalid}]}")
			f := fails(t, signed(sim, event, `{corrupt_signature: true}`)+"valid}]}")
			require.Contains(t, f.Message, "what was sent does not fit under the webhook's present key")
		})
	}
}

func TestAProviderThatSignsNothingHasNoValidSignature(t *testing.T) {
	t.Parallel()
	f := fails(t, strings.Replace(signed("bts", "status.100", `{headers: {X-Test: "1"}}`), ", events: [status.100]", "", 1)+"valid}]}")
	require.Contains(t, f.Message, "is not signed: this provider signs none of these")
}
