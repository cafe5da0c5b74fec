package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWatchLooksAtWhatIsIncluded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	write := func(name, text string) { require.NoError(t, os.WriteFile(path(name), []byte(text), 0o600)) }
	write("a.yaml", "title: a\ninclude: [b.yaml, bts-outage]\n")
	write("b.yaml", "title: b\ninclude: [c.yaml]\nstate: {from: b}\n")
	write("c.yaml", "title: c\n")
	p := launch(t, "--scenario", path("a.yaml"), "--watch")
	state := func() string {
		states, err := p.api().In("default").State(t.Context())
		require.NoError(t, err)
		return states.State["from"]
	}
	becomes := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool { return state() == want }, patience, 20*time.Millisecond, "want %s", want)
	}
	require.Equal(t, "b", state())
	write("c.yaml", "title: c\nstate: {from: c, more: words}\n")
	write("b.yaml", "title: b\ninclude: [c.yaml]\n")
	becomes("c")
	write("c.yaml", "title: c\nstate: [wrong]\n")
	logged := func(text string) func() bool {
		return func() bool { return strings.Contains(p.stderr.String(), text) }
	}
	require.Eventually(t, logged("the scenario is wrong"), patience, 20*time.Millisecond)
	require.Equal(t, "c", state(), "a file that is wrong changes nothing")
	write("c.yaml", "title: c\nstate: {from: mended}\n")
	becomes("mended")
	p = launch(t, "--scenario", "bts-outage", "--watch")
	require.Eventually(t, logged("--watch: only built-in scenarios are served"), patience, 20*time.Millisecond)
}

func TestToWatchNothingIsBadUsage(t *testing.T) {
	t.Parallel()
	code, _, stderr := commanded(t, "serve", "--watch")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--watch reads the files of --scenario again: want one, got none")
}
