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
