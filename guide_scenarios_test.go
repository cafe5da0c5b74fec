package mocksrv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
)

// scenarioGuide is the guide whose examples are run here; scripts/guide.sh runs its shell blocks.
func scenarioGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("docs/guide-scenarios.md")
	require.NoError(t, err)
	return string(text)
}

// guideExample is a yaml block of the guide, as the comment before it names it.
type guideExample struct {
	kind string // file: it is complete; in: what it leaves out stands in the world of that name
	name string
	text string
}

// guideExamples returns the blocks of the guide, and the worlds that complete the fragments.
func guideExamples(t *testing.T, guide string) (examples []guideExample, worlds map[string]string) {
	t.Helper()
	worlds = map[string]string{}
	for _, found := range regexp.MustCompile(`(?s)<!-- world ([a-z-]+):\n(.*?)-->`).FindAllStringSubmatch(guide, -1) {
		worlds[found[1]] = found[2]
	}
	for _, found := range regexp.MustCompile("(?s)<!-- (file|in): ([a-z./-]+) -->\n\n```yaml\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		examples = append(examples, guideExample{kind: found[1], name: found[2], text: found[3]})
	}
	require.Len(t, examples, strings.Count(guide, "```yaml\n"), "a yaml block has a comment before it that says how it is run")
	return examples, worlds
}

// completed is a fragment with what it leaves out. What it has takes the place of the world's.
func completed(fragment, world string) string {
	section := regexp.MustCompile(`(?m)^([a-z]+):.*\n(?:[ -].*\n|\n|#.*\n)*`)
	own := map[string]bool{}
	for _, found := range section.FindAllStringSubmatch(fragment, -1) {
		own[found[1]] = true
	}
	rest := section.ReplaceAllStringFunc(world, func(text string) string {
		if name, _, _ := strings.Cut(text, ":"); own[name] {
			return ""
		}
		return text
	})
	return rest + fragment
}

// TestTheExamplesOfTheScenarioGuidePass runs each as a scenario of its own. Those with a file name may include each other.
func TestTheExamplesOfTheScenarioGuidePass(t *testing.T) {
	t.Parallel()
	examples, worlds := guideExamples(t, scenarioGuide(t))
	folder := t.TempDir()
	var files []string
	for i, e := range examples {
		text, path := e.text, filepath.Join(folder, e.name)
		if e.kind == "in" {
			world, ok := worlds[e.name]
			require.True(t, ok, "no world %s", e.name)
			text, path = completed(e.text, world), filepath.Join(folder, fmt.Sprintf("%02d-%s.yaml", i, e.name))
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		files = append(files, path)
	}
	srv := mocksrv.RunT(t)
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("the example:\n" + examples[i].text)
				}
			})
			srv.RunScenario(t, file)
		})
	}
}
