package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddAProvider does what CONTRIBUTING.md says, word for word, on a copy of the module: a new provider is one folder,
// one document and one line in the list, and passes the conformance suite and the rules of this package.
func TestAddAProvider(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a copy of the module")
	}
	script := commands(read(t, "CONTRIBUTING.md"), "## Add a provider")
	require.Contains(t, script, "go test", "CONTRIBUTING.md has lost its steps")
	folder := t.TempDir()
	copyModule(t, folder)

	cmd := exec.CommandContext(t.Context(), "sh", "-eux", "-c", script)
	cmd.Dir = folder
	// The copy builds from what is on this machine.
	cmd.Env = append(cmd.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "sims/acme\t", "the new provider was tested")
	require.NotContains(t, string(output), "no tests to run")
	requireOnlyListed(t, folder)
}

// requireOnlyListed: outside of its own folder and document, the new provider stands in the list and nowhere else.
func requireOnlyListed(t *testing.T, folder string) {
	t.Helper()
	for _, s := range sources(t) {
		name := filepath.Join(s.pkg, s.name)
		copied, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		if name != filepath.Join("sims", "all", "all.go") {
			require.Equal(t, read(t, name), string(copied), name)
			continue
		}
		added := strings.Count(string(copied), "\n") - strings.Count(read(t, name), "\n")
		require.Equal(t, 2, added, "one line in the list, and its import")
	}
}

// commands joins the fenced sh blocks of one section of a Markdown document.
func commands(document, section string) string {
	var script strings.Builder
	in, fenced := false, false
	for line := range strings.Lines(document) {
		text := strings.TrimSpace(line)
		switch {
		case !fenced && strings.HasPrefix(line, "## "):
			in = text == section
		case in && !fenced && text == "```sh":
			fenced = true
		case fenced && text == "```":
			fenced = false
		case fenced:
			script.WriteString(line)
		}
	}
	return script.String()
}

// copyModule copies everything a clone would have.
func copyModule(t *testing.T, to string) {
	t.Helper()
	entries, err := os.ReadDir(root())
	require.NoError(t, err)
	for _, e := range entries {
		from, target := filepath.Join(root(), e.Name()), filepath.Join(to, e.Name())
		switch {
		case e.Name() == ".git" || e.Name() == "bin" || e.Name() == "dist":
		case e.IsDir():
			require.NoError(t, os.CopyFS(target, os.DirFS(from)))
		case e.Type().IsRegular():
			data, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(target, data, 0o600))
		}
	}
}
