package run_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/scenarios"
)

func TestEveryBuiltInScenarioPasses(t *testing.T) {
	t.Parallel()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	cases, broken := run.Cases(scenarios.Names(), scenario.NamesOf(providers))
	for _, b := range broken {
		t.Error(b.Error)
	}
	on := target(t)
	for _, c := range cases {
		t.Run(c.ID(), func(t *testing.T) {
			t.Parallel()
			if r := on.Run(t.Context(), c, run.Options{}); r.Failure != nil {
				t.Fatal(r.Failure.Text())
			}
		})
	}
}
