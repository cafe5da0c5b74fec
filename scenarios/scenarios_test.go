package scenarios_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/scenarios"
)

// schemaLine lets editors check and complete a scenario as it is written.
const schemaLine = "# yaml-language-server: $schema=scenario.schema.json\n"

func TestEveryScenarioSaysWhatItShows(t *testing.T) {
	t.Parallel()
	for _, name := range scenarios.Names() {
		data, err := scenarios.Read(name)
		require.NoError(t, err)
		text := string(data)
		require.True(t, strings.HasPrefix(text, schemaLine+"title: "), name)
		require.Contains(t, text, "\nabout: ", name)
		require.Contains(t, text, "\nsteps:\n", "%s shows something that a test can do", name)
	}
}

// TestEveryProviderHasItsScenarios: at least six each, named after it, and no others but those of several providers.
func TestEveryProviderHasItsScenarios(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../sims")
	require.NoError(t, err)
	known := []string{"all"}
	for _, folder := range folders {
		if _, err := os.Stat("../specs/" + folder.Name() + ".yaml"); err == nil {
			known = append(known, folder.Name())
		}
	}
	count := map[string]int{}
	for _, name := range scenarios.Names() {
		about, _, _ := strings.Cut(name, "-")
		require.True(t, slices.Contains(known, about), "%s is named after no provider; those are %v", name, known)
		count[about]++
	}
	require.GreaterOrEqual(t, count["all"], 4)
	for _, sim := range []string{"bts", "bitpay", "bankly", "signedsub", "hsrcpay"} {
		require.GreaterOrEqual(t, count[sim], 6, sim)
	}
}
