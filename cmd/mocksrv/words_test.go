package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

func TestHelpAndVersionAreFoundWhereTheyAreLookedFor(t *testing.T) {
	t.Parallel()
	_, want, _ := ran(t, nil, "--help")
	for _, args := range [][]string{{"help"}, {"-h"}} {
		code, out, _ := ran(t, nil, args...)
		require.Equal(t, exitOK, code, args)
		require.Equal(t, want, out, args)
	}
	code, out, _ := ran(t, nil, "help", "serve")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "--max-sandbox-bytes")
	_, want, _ = ran(t, nil, "version")
	code, out, _ = ran(t, nil, "--version")
	require.Equal(t, exitOK, code)
	require.Equal(t, strings.TrimSpace(want), strings.TrimSpace(out))
	code, _, problem := ran(t, nil, "help", "none")
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "unexpected argument none")
}

func TestATakenPortIsExplained(t *testing.T) {
	t.Parallel()
	taken := strings.TrimPrefix(mocksrv.RunT(t).URL(), "http://")
	for _, args := range [][]string{{"--listen", taken}, {"--listen", "127.0.0.1:0", "--control-listen", taken}} {
		code, _, problem := ran(t, nil, append([]string{"serve", "--quiet"}, args...)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, problem, "listen on "+taken)
		require.Contains(t, problem, "another program listens there, perhaps another mocksrv: end it, or choose another address (port 0 picks a free one)")
	}
	code, _, problem := ran(t, nil, "serve", "--quiet", "--listen", "192.0.2.1:8080")
	require.Equal(t, exitFailed, code)
	require.Contains(t, problem, "this machine has no such address")
}

func TestLimitsOfASandboxAreSettings(t *testing.T) {
	t.Parallel()
	for flag, value := range map[string]string{"--max-sandbox-rows": "99", "--max-sandbox-bytes": "1000"} {
		code, _, problem := ran(t, nil, "serve", flag, value)
		require.Equal(t, exitUsage, code)
		require.Contains(t, problem, flag+": want at least")
	}
	p := launch(t, "--max-sandbox-rows", "100")
	key, status := p.hook("https://merchant.example/first"), http.StatusCreated
	for n := 0; n < 200 && status != http.StatusInsufficientStorage; n++ {
		status = p.send(createHook(key, hookBody("https://merchant.example/hook"))).status
	}
	require.Equal(t, http.StatusInsufficientStorage, status)
	p.healthy()
}

// TestNoWebhookDrivesTheControlAPIOfTheBinary, whatever it is called.
func TestNoWebhookDrivesTheControlAPIOfTheBinary(t *testing.T) {
	t.Parallel()
	p := launch(t, "--clock", "2026-01-08T09:00:00Z")
	_, port, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		p.hook("http://" + host + ":" + port + "/_mocksrv/v1/sandboxes/default/reset")
	}
	box := p.api().In("default")
	_, err := box.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	_, err = box.Advance(t.Context(), client.Advance{By: "0s"})
	require.NoError(t, err)
	sent, err := box.Deliveries(t.Context(), client.DeliveryFilter{})
	require.NoError(t, err)
	require.Len(t, sent.Deliveries, 3, "nothing was reset")
	for _, d := range sent.Deliveries {
		require.Equal(t, "forbidden", d.Attempts[0].Error, d.URL)
	}
	p.healthy()
}

// TestASnapshotHasALimitOfItsOwn, in size and in time.
func TestASnapshotHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	p := launch(t, "--max-sandbox-bytes", "8388608")
	const put = "PUT /_mocksrv/v1/sandboxes/default/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
	require.Equal(t, http.StatusRequestEntityTooLarge, p.send(put+"50331649\r\n\r\n").status)
	resp := p.send(put + "40000000\r\n\r\n" + strings.Repeat(" ", 40_000_000))
	require.Equal(t, http.StatusUnprocessableEntity, resp.status, "it was read: %s", resp.body)
	require.Contains(t, resp.body, "a snapshot is needed")
	p.healthy()
}
