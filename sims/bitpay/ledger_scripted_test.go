package bitpay_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func scriptedErrors() func(*simtest.World) {
	return simtest.Scripted("createWebhook", map[string]string{
		"conflict":     `400 {"code":-1174,"msg":"Repeated submit request"}`,
		"forbidden":    `401 {"code":-1002,"msg":"You are not authorized to execute this request."}`,
		"internal":     `500 {"code":-1000,"msg":"An unknown error occured while processing the request."}`,
		"invalid":      `400 {"code":-4010,"msg":"Parameter body is invalid"}`,
		"malformed":    `400 {"code":-1102,"msg":"A mandatory parameter was not sent, was empty/null, or malformed."}`,
		"not_found":    `400 {"code":-4010,"msg":"Parameter webhookId is invalid"}`,
		"rate_limited": `429 {"code":-1003,"msg":"Too many requests; current limit is 1200 requests per minute. Please use the websocket for live updates to avoid polling the API."}`,
		"unauthorized": `401 {"code":-1002,"msg":"You are not authorized to execute this request."}`,
	})
}

// TestIssuedTokensExpireAtOnce: those of generateToken, and not the ready-made one.
func TestIssuedTokensExpireAtOnce(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bitpay.New())
	token := fmt.Sprint(generateAt(w, simtest.Start()).OK().Get("data.token"))
	listWith(w, token).Is(200, emptyList)
	require.Equal(t, 1, w.ExpireTokens())
	listWith(w, token).Refused(401, "credentials").Is(401, unauthorized)
	require.Contains(t, listWith(w, token).Refusal.Saw, "a token that expired at 2026-01-08T10:30:00.25Z")
	listWith(w, w.Credentials["token"]).Is(200, emptyList)
	require.Zero(t, w.ExpireTokens())
}
