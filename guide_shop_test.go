package mocksrv_test

// The tests that docs/guide-scenarios.md shows.

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/script"
)

// Each case is a subtest in a sandbox of its own.
func TestTheShopSurvives(t *testing.T) { mocksrv.TestScenario(t, "scenarios/bts-outage.yaml") }

// The world of a scenario for a test that makes the calls itself.
func TestTheShopAnswersABadProvider(t *testing.T) {
	srv := mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC)))
	applied, err := srv.ApplyScenario("hsrcpay-outage")
	require.NoError(t, err)
	require.NotEmpty(t, applied.Rules)

	_, err = srv.AddRules(script.Rule{Call: script.Targets{"hsrcpay.*"}, First: new(1), Do: []script.Action{{Fault: "hang"}}})
	require.NoError(t, err)
	srv.RunScenario(t, "hsrcpay-receiver-recovers") // on the same server, in a sandbox of its own
}
