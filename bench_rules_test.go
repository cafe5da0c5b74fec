package mocksrv_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/script"
)

// BenchmarkRules measures a create without rules, beside one with a thousand rules for other operations and one with a rule that
// looks at every create and never fires. Run it with -count: the first two must be within the noise of each other.
func BenchmarkRules(b *testing.B) {
	others := make([]script.Rule, 1000)
	for i := range others {
		others[i] = script.Rule{
			Call: script.Targets{"hsrcpay.listWebhooks", "bankly.*"}, When: fmt.Sprintf("request.path == \"/%d\"", i),
			Do: []script.Action{{Refuse: &script.Refuse{Error: "rate_limited"}}},
		}
	}
	here := []script.Rule{{
		Call: script.Targets{"hsrcpay.createWebhook"}, When: "request.json.endpoint == \"\"", Do: []script.Action{{Refuse: &script.Refuse{Error: "rate_limited"}}},
	}}
	b.Run("none", func(b *testing.B) { createWith(b, nil) })
	b.Run("1000-for-others", func(b *testing.B) { createWith(b, others) })
	b.Run("1-that-looks", func(b *testing.B) { createWith(b, here) })
}

func createWith(b *testing.B, rules []script.Rule) {
	b.Helper()
	srv, err := mocksrv.New(mocksrv.Options{Seed: 1})
	require.NoError(b, err)
	b.Cleanup(func() { _, _ = srv.Stop(context.Background()) })
	if len(rules) > 0 {
		_, err := srv.Control().In(mocksrv.DefaultSandbox).AddRules(context.Background(), rules...)
		require.NoError(b, err)
	}
	c := simCreates()[4]
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = request(b, srv, "http://mocksrv", c.sim, c.method, c.path, c.body(i, srv.Credentials(c.sim)))
	}
	b.ResetTimer()
	for _, r := range requests {
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, r)
		if rec.Code >= 300 {
			b.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
