package control_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/control"
)

const guide = "../../docs/control-api.md"

// blocks are the sh blocks of the guide.
func blocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	var all []string
	for _, match := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, match[1])
	}
	require.NotEmpty(t, all)
	return all
}

// TestTheGuideWorksWhenPasted builds the program, serves, and runs the blocks of the guide in one shell.
func TestTheGuideWorksWhenPasted(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "jq"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "make test installs the programs that tests call")
	}
	server := serve(t)
	script := "set -euo pipefail\n" + strings.ReplaceAll(strings.Join(blocks(t), "\n"), "http://127.0.0.1:8080", server)
	bash := exec.CommandContext(t.Context(), "bash", "-x")
	bash.Stdin = strings.NewReader(script)
	output, err := bash.CombinedOutput()
	require.NoError(t, err, "%s", output)
	requireEveryRouteCalled(t, server, string(output))
}

// serve builds the program, runs it on a free port, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mocksrv")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/mocksrv").CombinedOutput()
	require.NoError(t, err, "%s", output)
	program := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "serve", "--listen", "127.0.0.1:0", "--quiet")
	var log bytes.Buffer
	program.Stderr = &log
	ready, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		_ = program.Process.Signal(os.Interrupt)
		require.NoError(t, program.Wait(), "%s", &log)
	})
	line, err := newReader(ready).ReadString('\n')
	if err != nil {
		_, _ = io.Copy(&log, ready)
	}
	require.NoError(t, err, "%s", &log)
	_, url, ok := strings.Cut(strings.TrimSpace(line), " at ")
	require.True(t, ok, line)
	return url
}

// requireEveryRouteCalled reads the calls from the trace of the shell.
func requireEveryRouteCalled(t *testing.T, server, trace string) {
	t.Helper()
	called := map[string]bool{}
	for line := range strings.SplitSeq(trace, "\n") {
		if !strings.HasPrefix(strings.TrimLeft(line, "+"), " curl ") || !strings.Contains(line, control.Prefix) {
			continue
		}
		method := "GET"
		if given := regexp.MustCompile(` -X (\w+)`).FindStringSubmatch(line); given != nil {
			method = given[1]
		} else if strings.Contains(line, " -d ") || strings.Contains(line, " --data-binary ") {
			method = "POST"
		}
		path := regexp.MustCompile(regexp.QuoteMeta(server) + `([^ '?]+)`).FindStringSubmatch(line)
		require.NotNil(t, path, line)
		called[method+" "+path[1]] = true
	}
	for _, pattern := range control.Routes() {
		form := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(pattern), "[^/]+") + "$")
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(called)), form.MatchString), "the guide does not call %s", pattern)
	}
}
