package scenario_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/scenarios"
	"github.com/mocksrv/mocksrv/sims/all"
)

//nolint:gochecknoglobals // the flag package has no other way to add a flag to a test binary
var update = flag.Bool("update", false, "write scenarios/scenario.schema.json")

// names are those of all providers.
//
//nolint:gochecknoglobals // compiling every document takes a while
var names = sync.OnceValue(func() scenario.Names {
	var providers []*engine.Provider
	for _, sim := range all.Sims() {
		p, err := engine.Compile(sim)
		if err != nil {
			panic(err)
		}
		providers = append(providers, p)
	}
	return scenario.NamesOf(providers)
})

// files is a reader of files that are only here.
func files(content map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := content[name]
		if !ok {
			return nil, fmt.Errorf("there is no %s; there are %v", name, slices.Sorted(maps.Keys(content)))
		}
		return []byte(text), nil
	}
}

// load loads one file.
func load(text string) (*scenario.Loaded, error) {
	return scenario.Load("a.yaml", files(map[string]string{"a.yaml": text}), names())
}

// problems are what is wrong with a file.
func problems(t *testing.T, text string) scenario.Problems {
	t.Helper()
	_, err := load(text)
	var found scenario.Problems
	require.ErrorAs(t, err, &found, text)
	return found
}

func TestBuiltInScenariosAreRight(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, scenarios.Names())
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := scenario.Load(name, scenarios.Read, names())
			require.NoError(t, err)
			require.NotEmpty(t, l.Scenario.Title)
		})
	}
	_, err := scenarios.Read("nothing")
	require.ErrorContains(t, err, `there is no built-in scenario "nothing"; there are `)
}
