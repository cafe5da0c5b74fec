package mocksrv_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// Under concurrent traffic a verification with a deadline is exact: it passes when as many calls as wanted were made, and
// fails when not, whatever else goes on.
func TestVerifyIsExactUnderLoad(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	c := simCreates()[4] // hsrcpay
	rapid.Check(t, func(rt *rapid.T) {
		wanted := rapid.IntRange(0, 12).Draw(rt, "wanted")
		noise := rapid.IntRange(0, 12).Draw(rt, "noise")
		off := rapid.SampledFrom([]int{-1, 0, 1}).Draw(rt, "off")
		made, err := srv.Control().CreateSandbox(t.Context(), client.NewSandbox{})
		require.NoError(rt, err)
		sandbox := srv.Control().In(made.Name)
		send := func(endpoint string) {
			one := c
			one.body = func(int, map[string]string) string {
				return fmt.Sprintf(`{"endpoint":%q,"enabled_events":["*"]}`, endpoint)
			}
			r := clientRequest(t, made.Sims[c.sim].BaseURL, one, 0, made.Sims[c.sim].Credentials, srv.Now())
			resp, err := srv.Client().Do(r)
			if err != nil || resp.StatusCode != http.StatusCreated {
				t.Errorf("%v %v", resp, err)
				return
			}
			_ = resp.Body.Close()
		}
		var wg sync.WaitGroup
		for range wanted {
			wg.Go(func() { send("https://merchant.example/wanted") })
		}
		for range noise {
			wg.Go(func() { send("https://merchant.example/noise") })
		}
		count := max(0, wanted+off)
		verification := client.Verification{
			Sim: c.sim, Operation: "createWebhook", Count: &client.Count{Min: count, Max: &count}, Within: "5s",
			Match: map[string]any{"request": map[string]any{"json": map[string]any{"endpoint": map[string]any{"$contains": "wanted"}}}},
		}
		if inFlight := count == wanted && rapid.Bool().Draw(rt, "in flight"); inFlight {
			verification.Count.Max = nil // asked while the calls are under way: at least so many
		} else {
			wg.Wait() // exactly so many is a question about the past
			verification.Within = "0s"
		}
		result, err := sandbox.Verify(t.Context(), verification)
		require.NoError(rt, err)
		require.Equal(rt, count == wanted, result.Pass, "%+v", result)
		wg.Wait()
		require.NoError(rt, sandbox.Delete(t.Context()))
	})
}

// At least so many, with a deadline, waits for calls that have not even been made yet.
func TestVerifyWaitsForCallsToCome(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	c := simCreates()[4]
	requests := make([]*http.Request, 3)
	for n := range requests {
		requests[n] = clientRequest(t, srv.BaseURL(c.sim), c, n, srv.Credentials(c.sim), srv.Now())
	}
	go func() {
		for _, r := range requests {
			if resp, err := srv.Client().Do(r); err == nil {
				_ = resp.Body.Close()
			}
		}
	}()
	result, err := srv.Control().In("default").Verify(t.Context(), client.Verification{Sim: c.sim, Count: &client.Count{Min: 3}, Within: "10s"})
	require.NoError(t, err)
	require.True(t, result.Pass, "%+v", result)
	require.Equal(t, 3, result.Count)
}

// A failed verification shows the nearest misses, field by field, with the provider's rule.
func TestVerifyShowsTheNearestMisses(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	c := simCreates()[4]
	c.body = func(int, map[string]string) string { return `{"endpoint":"ftp://x","enabled_events":["*"]}` }
	resp, err := srv.Client().Do(clientRequest(t, srv.BaseURL(c.sim), c, 0, srv.Credentials(c.sim), srv.Now()))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	result, err := srv.Control().In("default").Verify(t.Context(), client.Verification{
		Sim: c.sim, Match: map[string]any{"status": 201, "request": map[string]any{"json": map[string]any{"endpoint": "https://x"}}},
	})
	require.NoError(t, err)
	require.False(t, result.Pass)
	require.Equal(t, "0 matched, at least 1 were wanted", result.Reason)
	require.Len(t, result.Misses, 1)
	require.NotEmpty(t, result.Misses[0].Rule)
	require.Equal(t, []client.Difference{
		{Path: "request.json.endpoint", Want: `"https://x"`, Got: `"ftp://x"`},
		{Path: "status", Want: "201", Got: "422"},
	}, result.Misses[0].Differences)
}

// Order: one match for each, others may stand between.
func TestVerifyOrder(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	c := simCreates()[4]
	for _, endpoint := range []string{"https://a", "https://b", "https://c"} {
		one := c
		one.body = func(int, map[string]string) string { return `{"endpoint":"` + endpoint + `","enabled_events":["*"]}` }
		resp, err := srv.Client().Do(clientRequest(t, srv.BaseURL(c.sim), one, 0, srv.Credentials(c.sim), srv.Now()))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	want := func(endpoints ...string) []map[string]any {
		var order []map[string]any
		for _, e := range endpoints {
			order = append(order, map[string]any{"request": map[string]any{"json": map[string]any{"endpoint": e}}})
		}
		return order
	}
	sandbox := srv.Control().In("default")
	result, err := sandbox.Verify(t.Context(), client.Verification{Order: want("https://a", "https://c")})
	require.NoError(t, err)
	require.True(t, result.Pass, "%+v", result)
	result, err = sandbox.Verify(t.Context(), client.Verification{Order: want("https://c", "https://a")})
	require.NoError(t, err)
	require.False(t, result.Pass)
	require.Contains(t, result.Reason, "order[1] was not met")
}

// Never a false "0 calls": once entries were dropped, the answer is a refusal to say.
func TestVerifyRefusesWhenEntriesWereDropped(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.NoListener())
	client64 := srv.Client()
	for range 10_100 {
		r, err := http.NewRequest(http.MethodGet, srv.BaseURL("bts")+"/nothing", strings.NewReader(""))
		require.NoError(t, err)
		resp, err := client64.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	none := 0
	result, err := srv.Control().In("default").Verify(t.Context(), client.Verification{Sim: "hsrcpay", Count: &client.Count{Max: &none}})
	require.NoError(t, err)
	require.False(t, result.Pass)
	require.Equal(t, uint64(100), result.Dropped)
	require.Contains(t, result.Reason, "100 entries were dropped")
}
