package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnInterruptedTestExits1AndNamesWhatWasNotRun(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { interrupt() }))
	defer app.Close()
	file := scenarioFile(t, fmt.Sprintf(`
- {call: hsrcpay.createWebhook, body: {endpoint: "%s", enabled_events: ["payment.*"]}}
- {emit: {sim: hsrcpay, type: payment.succeeded}}
- {name: waits, expect: {within: 30s, deliveries: [{match: {state: failed}}]}}
`, app.URL))
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"test", file, "--parallel", "1", "--verbose", "--keep"}, func(string) (string, bool) { return "", false }, &stdout, &stderr)
	require.Equal(t, exitFailed, code)
	require.Equal(t, "mocksrv: interrupted: 0 passed, 1 failed or were cut, 1 not run\n", stderr.String())
	require.Contains(t, stdout.String(), ": interrupted")
	require.Contains(t, stdout.String(), "not run  "+file+"/")
	require.Contains(t, stdout.String(), "0 passed, 1 failed, 1 not run in ")
	require.NotContains(t, stdout.String(), "waited 30s")
}
