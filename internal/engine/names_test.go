package engine_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/sims"
)

// TestScriptsMayAskForEveryKindOfRefusal: what the check of rules lets through is what the sims can answer, and no more.
func TestScriptsMayAskForEveryKindOfRefusal(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, slices.Collect(maps.Keys(sims.KindNames())), rule.Kinds())
}
