package arch

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sameFiles are the files every provider folder has: a reader who has read one provider has read all.
func sameFiles(name string) []string {
	return []string{name + ".go", "auth.go", "wire.go", "events.go", "sign.go", name + "_test.go"}
}

func TestProviderFoldersLookAlike(t *testing.T) {
	t.Parallel()
	for _, name := range providers(t) {
		for _, file := range sameFiles(name) {
			require.FileExists(t, filepath.Join(root(), "sims", name, file))
		}
	}
}

func TestProviderDocsHaveTheSameHeadings(t *testing.T) {
	t.Parallel()
	want := []string{"Sources", "Behaviour", "Assumptions"}
	for _, s := range sources(t) {
		if isProvider(s.pkg) && s.name == path.Base(s.pkg)+".go" {
			require.Equal(t, want, headings(s.file.Doc.Text()), "headings of the package doc in %s/%s", s.pkg, s.name)
		}
	}
}

func headings(doc string) []string {
	var found []string
	for line := range strings.Lines(doc) {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
			found = append(found, heading)
		}
	}
	return found
}

func TestEveryProviderIsListedAndHasADocument(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, s := range sources(t) {
		if s.pkg == "sims/all" && !s.isTest() {
			for _, imported := range s.imports() {
				if pkg, own := ownPackage(imported); own && isProvider(pkg) {
					listed = append(listed, path.Base(pkg))
				}
			}
		}
	}
	slices.Sort(listed)
	require.Equal(t, providers(t), listed, "the folders below sims, and the list in sims/all")
	require.Equal(t, providers(t), documents(t), "the folders below sims, and the documents in specs")
}

func documents(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root(), "specs"))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}
