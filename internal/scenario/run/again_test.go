package run_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/scenarios"
	"github.com/mocksrv/mocksrv/script"
)

// history runs a case on a server of its own, and returns everything that went in and out. What depends on the port that a
// receiver happens to have is made equal: the port, and signatures over it.
func history(t *testing.T, c run.Case) string {
	t.Helper()
	on := target(t)
	c.Scenario.Steps = append(slices.Clone(c.Scenario.Steps), script.Step{Expect: &script.Expect{That: script.Expressions{"false"}}})
	r := on.Run(t.Context(), c, run.Options{Keep: true}) // it fails at the end, and so its sandbox stays
	require.NotEmpty(t, r.Sandbox)
	journal, err := on.Control.In(r.Sandbox).Journal(t.Context(), client.JournalFilter{Direction: "all"})
	require.NoError(t, err)
	var all strings.Builder
	sortInstants(journal.Exchanges)
	for _, x := range journal.Exchanges {
		x.Took, x.ID = "", 0
		if strings.Contains(x.Path+x.Request.Body, "127.0.0.1:") {
			for name := range x.Request.Headers {
				if slices.Contains([]string{"sign", "authorization"}, strings.ToLower(name)) {
					delete(x.Request.Headers, name)
				}
			}
		}
		for _, name := range []string{"Date", "Content-Length"} { // of the receiver's machine
			delete(x.Response.Headers, name)
		}
		data, err := strictjson.Encode(x)
		require.NoError(t, err)
		all.WriteString(port.ReplaceAllString(string(data), "127.0.0.1:port") + "\n")
	}
	return all.String()
}

// sortInstants puts the attempts that stand beside each other and are of the same instant into the order of their deliveries:
// requests of one instant run at the same time, so that their order is luck.
func sortInstants(all []client.Exchange) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[0].Direction == "out" && all[n].Direction == "out" && all[n].At.Equal(all[0].At) {
			n++
		}
		slices.SortStableFunc(all[:n], func(a, b client.Exchange) int { return strings.Compare(a.DeliveryID, b.DeliveryID) })
		all = all[n:]
	}
}

var port = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

func TestTheSameFileAndSeedGiveTheSameJournal(t *testing.T) {
	t.Parallel()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	cases, _ := run.Cases(scenarios.Names(), scenario.NamesOf(providers))
	for _, c := range cases {
		t.Run(c.ID(), func(t *testing.T) {
			t.Parallel()
			first := history(t, c)
			require.Equal(t, strings.Split(first, "\n"), strings.Split(history(t, c), "\n"))
		})
	}
}
