package metrics

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScrapeShowsWhatWasCounted(t *testing.T) {
	t.Parallel()
	m := New(func() Gauges {
		return Gauges{Waiting: 1, UnderWay: 2, Sandboxes: 3, Kept: 4, Dropped: 5, Requests: 6, Expired: 7, RefusedTCP: 8}
	})
	m.Request("bts", "", 404, time.Millisecond)
	m.Request("bts", "login", 200, 3*time.Millisecond)
	m.Request("bts", "login", 200, 3*time.Second)
	m.Attempt("bts", Delivered)
	contentType, data, err := m.Scrape("")
	require.NoError(t, err)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", contentType)
	var own []string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "mocksrv_") && !strings.Contains(line, "_bucket{") {
			own = append(own, strings.TrimSpace(line))
		}
	}
	require.Equal(t, []string{
		`mocksrv_connections_refused_total 8`,
		`mocksrv_deliveries_waiting 1`,
		`mocksrv_delivery_attempts_total{outcome="delivered",sim="bts"} 1`,
		`mocksrv_delivery_attempts_under_way 2`,
		`mocksrv_journal_dropped_total 5`,
		`mocksrv_journal_exchanges 4`,
		`mocksrv_request_duration_seconds_sum{operation="login",sim="bts"} 3.003`,
		`mocksrv_request_duration_seconds_count{operation="login",sim="bts"} 2`,
		`mocksrv_request_duration_seconds_sum{operation="none",sim="bts"} 0.001`,
		`mocksrv_request_duration_seconds_count{operation="none",sim="bts"} 1`,
		`mocksrv_requests_total{operation="login",sim="bts",status="200"} 2`,
		`mocksrv_requests_total{operation="none",sim="bts",status="404"} 1`,
		`mocksrv_requests_under_way 6`,
		`mocksrv_sandboxes 3`,
		`mocksrv_sandboxes_expired_total 7`,
	}, own)
	require.Contains(t, string(data), `mocksrv_request_duration_seconds_bucket{operation="login",sim="bts",le="0.005"} 1`)
}

func TestCountingAndScrapingAtTheSameTime(t *testing.T) {
	t.Parallel()
	m := New(func() Gauges { return Gauges{} })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				m.Request("bts", "login", 200+i%3, time.Microsecond)
				m.Attempt("bts", Delivered)
			}
			_, _, err := m.Scrape("")
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, data, err := m.Scrape("")
	require.NoError(t, err)
	require.Contains(t, string(data), "\nmocksrv_request_duration_seconds_count{operation=\"login\",sim=\"bts\"} 4000\n")
	require.Contains(t, string(data), "\nmocksrv_delivery_attempts_total{outcome=\"delivered\",sim=\"bts\"} 4000\n")
}

func BenchmarkRequest(b *testing.B) {
	m := New(func() Gauges { return Gauges{} })
	b.ReportAllocs()
	for b.Loop() {
		m.Request("hsrcpay", "createWebhook", 201, time.Millisecond)
	}
}

// BenchmarkNew is what each server of a test run pays.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(func() Gauges { return Gauges{} })
	}
}

func BenchmarkScrape(b *testing.B) {
	m := New(func() Gauges { return Gauges{} })
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := m.Scrape(""); err != nil {
			b.Fatal(err)
		}
	}
}
