package metrics

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// parsed reads a scrape with Prometheus' own parser.
func parsed(t require.TestingT, data []byte) map[string]*dto.MetricFamily {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	require.NoError(t, err, "%s", data)
	return families
}

func TestScrapeShowsWhatWasCounted(t *testing.T) {
	t.Parallel()
	m := New(func() Gauges {
		return Gauges{Waiting: 1, UnderWay: 2, Sandboxes: 3, Kept: 4, Dropped: 5, Requests: 6, Expired: 7, RefusedTCP: 8}
	})
	m.Request("bts", "", 404, time.Millisecond)
	m.Request("bts", "login", 200, 3*time.Millisecond)
	m.Request("bts", "login", 200, 3*time.Second)
	m.Request("bts", "login", 401, time.Hour)
	m.Attempt("bts", Delivered)
	var own []string
	for line := range strings.Lines(string(m.Scrape())) {
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
		`mocksrv_request_duration_seconds_sum{operation="login",sim="bts"} 3603.003`,
		`mocksrv_request_duration_seconds_count{operation="login",sim="bts"} 3`,
		`mocksrv_request_duration_seconds_sum{operation="none",sim="bts"} 0.001`,
		`mocksrv_request_duration_seconds_count{operation="none",sim="bts"} 1`,
		`mocksrv_requests_total{operation="login",sim="bts",status="200"} 2`,
		`mocksrv_requests_total{operation="login",sim="bts",status="401"} 1`,
		`mocksrv_requests_total{operation="none",sim="bts",status="404"} 1`,
		`mocksrv_requests_under_way 6`,
		`mocksrv_sandboxes 3`,
		`mocksrv_sandboxes_expired_total 7`,
	}, own)
}

func TestPrometheusReadsTheScrape(t *testing.T) {
	t.Parallel()
	m := New(func() Gauges { return Gauges{Waiting: 1} })
	for _, took := range []time.Duration{0, 50 * time.Microsecond, 51 * time.Microsecond, 30 * time.Second, time.Minute} {
		m.Request("bts", "login", 200, took)
	}
	m.Attempt("bts", Delivered)
	families := parsed(t, m.Scrape())
	histogram := families["mocksrv_request_duration_seconds"]
	require.Equal(t, dto.MetricType_HISTOGRAM, histogram.GetType())
	require.Len(t, histogram.GetMetric(), 1)
	read := histogram.GetMetric()[0].GetHistogram()
	require.EqualValues(t, 5, read.GetSampleCount())
	require.InDelta(t, 90.000101, read.GetSampleSum(), 1e-9)
	below := map[float64]uint64{}
	for _, b := range read.GetBucket() {
		below[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	require.Equal(t, map[float64]uint64{
		50e-6: 2, 100e-6: 3, 250e-6: 3, 500e-6: 3, 1e-3: 3, 2.5e-3: 3, 5e-3: 3, 10e-3: 3, 50e-3: 3, 250e-3: 3, 1: 3, 5: 3, 30: 4, math.Inf(1): 5,
	}, below, "a bound counts with its bucket")
	require.Equal(t, dto.MetricType_COUNTER, families["mocksrv_delivery_attempts_total"].GetType())
	require.Equal(t, dto.MetricType_GAUGE, families["mocksrv_deliveries_waiting"].GetType())
	for name, family := range families {
		require.NotEmpty(t, family.GetHelp(), name)
		require.NotEqual(t, dto.MetricType_UNTYPED, family.GetType(), name)
	}
}

func TestRuntimeAndProcessHaveTheNamesThatDashboardsKnow(t *testing.T) {
	t.Parallel()
	runtime.GC()
	families := parsed(t, New(func() Gauges { return Gauges{} }).Scrape())
	value := func(name string) float64 {
		family, ok := families[name]
		require.True(t, ok, "%s is missing", name)
		first := family.GetMetric()[0]
		return first.GetGauge().GetValue() + first.GetCounter().GetValue()
	}
	for _, f := range figures() {
		require.False(t, math.IsNaN(value(f.name)), "this runtime has not all of %v", f.of)
	}
	require.GreaterOrEqual(t, value("go_goroutines"), 2.0)
	require.InDelta(t, runtime.GOMAXPROCS(0), value("go_sched_gomaxprocs_threads"), 0)
	require.Positive(t, value("go_threads"))
	require.Equal(t, runtime.Version(), families["go_info"].GetMetric()[0].GetLabel()[0].GetValue())
	require.Less(t, value("go_memstats_heap_inuse_bytes"), value("go_memstats_sys_bytes"))
	require.Positive(t, value("go_memstats_last_gc_time_seconds"))
	pauses := families["go_gc_duration_seconds"].GetMetric()[0].GetSummary()
	require.Positive(t, pauses.GetSampleCount())
	require.Len(t, pauses.GetQuantile(), 5)
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc: no figures of the process")
	}
	require.Positive(t, value("process_open_fds"))
	require.GreaterOrEqual(t, value("process_max_fds"), value("process_open_fds"))
	require.Greater(t, value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"))
	require.Greater(t, value("process_virtual_memory_max_bytes"), value("process_virtual_memory_bytes"))
	require.Greater(t, value("process_resident_memory_bytes"), 1e6)
	collected := value("go_memstats_last_gc_time_seconds")
	require.Greater(t, collected+1, value("process_start_time_seconds"), "it started before it collected")
	require.InDelta(t, collected, value("process_start_time_seconds"), 3600)
	for _, name := range []string{"process_cpu_seconds_total", "process_network_receive_bytes_total", "process_network_transmit_bytes_total"} {
		require.GreaterOrEqual(t, value(name), 0.0)
	}
}

// TestWhatIsWrittenIsWhatIsRead: any help, label and number comes out of Prometheus' parser as it went in.
func TestWhatIsWrittenIsWhatIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		help, text := rapid.String().Draw(t, "help"), rapid.String().Draw(t, "label")
		value := rapid.Float64().Draw(t, "value")
		families := parsed(t, write([]family{{
			name: "a_total", kind: counter, help: "h" + help + "h", samples: []sample{{labels: []label{{"x", text}, {"y", ""}}, value: value}},
		}}))
		require.Equal(t, "h"+strings.ToValidUTF8(help, "\uFFFD")+"h", families["a_total"].GetHelp())
		read := families["a_total"].GetMetric()[0]
		require.Equal(t, strings.ToValidUTF8(text, "\uFFFD"), read.GetLabel()[0].GetValue())
		require.Equal(t, math.Float64bits(value), math.Float64bits(read.GetCounter().GetValue()))
	})
}

func TestNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	for text, value := range map[string]float64{"+Inf": math.Inf(1), "-Inf": math.Inf(-1), "NaN": math.NaN(), "0": 0, "1.5e+09": 1.5e9, "5e-05": 5e-5} {
		require.Equal(t, text, number(value))
	}
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
			m.Scrape()
		})
	}
	wg.Wait()
	data := string(m.Scrape())
	require.Contains(t, data, "\nmocksrv_request_duration_seconds_count{operation=\"login\",sim=\"bts\"} 4000\n")
	require.Contains(t, data, "\nmocksrv_delivery_attempts_total{outcome=\"delivered\",sim=\"bts\"} 4000\n")
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
		m.Scrape()
	}
}
