package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's conversation with a server works when pasted, line for line.
func TestReadmeConversation(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, conversation, ok := strings.Cut(string(data), "## A first conversation")
	require.True(t, ok)
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(conversation, -1) {
		if !strings.HasPrefix(block[1], "mocksrv serve") {
			script.WriteString(block[1])
		}
	}
	out := shell(t, script.String(), "--clock", "2026-01-08T09:00:00Z")
	for _, want := range []string{
		`"secret_key": "`, `"object":"webhook"`, `{"attempt":2,"status":200,"state":"delivered"}`, `"state": "delivered"`,
		`"string_to_sign": "`, `"rule": "`, `"basis": "`,
	} {
		require.Contains(t, out, want)
	}
}

// shell runs commands against a fresh server, in place of the address that documents show.
func shell(t *testing.T, script string, flags ...string) string {
	t.Helper()
	base := started(t, flags...)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8080", base))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// started runs "serve" in this process on a free port until the test ends, and returns its URL.
func started(t *testing.T, flags ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stdout, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)
		ended <- run(ctx, args, func(string) (string, bool) { return "", false }, w, &stderr)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.Equal(t, exitOK, <-ended, stderr.String())
	})
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "no ready line: %s", stderr.String())
	url, ok := strings.CutPrefix(lines.Text(), "mocksrv ready at ")
	require.True(t, ok, lines.Text())
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return url
}

// Every provider's curl line, as "serve" prints it, is accepted by the provider.
func TestPrintedCurlLinesWork(t *testing.T) {
	t.Parallel()
	out := shell(t, `
for sim in $(curl -sf http://127.0.0.1:8080/_mocksrv/v1/sims | jq -r '.sims[].name'); do
  line=$(curl -sf http://127.0.0.1:8080/_mocksrv/v1/sandboxes/default | jq -r --arg s "$sim" '.sims[$s].curl')
  bash -c "$line" >/dev/null
done
curl -sf http://127.0.0.1:8080/_mocksrv/v1/sandboxes/default/journal | jq -r '.exchanges[] | "\(.sim) \(.status < 300)"'`)
	require.ElementsMatch(t, []string{"bts true", "bitpay true", "bankly true", "signedsub true", "hsrcpay true"}, lastBySim(out))
}

// lastBySim keeps the last line of each provider: a curl line may need more than one request.
func lastBySim(out string) []string {
	last := map[string]string{}
	for line := range strings.Lines(out) {
		sim, _, _ := strings.Cut(line, " ")
		last[sim] = strings.TrimSpace(line)
	}
	var lines []string
	for _, line := range last {
		lines = append(lines, line)
	}
	return lines
}
