package metrics

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

// figure is a number of the Go runtime: the sum of some of its own metrics, under the name by which dashboards know it.
type figure struct {
	name, help string
	kind       kind
	of         []string
}

func figures() []figure {
	const classes, gc = "/memory/classes/", "/gc/heap/"
	return []figure{
		{"go_gc_gogc_percent", "Heap size target percentage (GOGC).", gauge, []string{"/gc/gogc:percent"}},
		{"go_gc_gomemlimit_bytes", "Memory limit of the Go runtime (GOMEMLIMIT).", gauge, []string{"/gc/gomemlimit:bytes"}},
		{"go_threads", "Number of threads.", gauge, []string{"/sched/threads/total:threads"}},
		{"go_sched_gomaxprocs_threads", "How many threads may run Go code at the same time (GOMAXPROCS).", gauge, []string{"/sched/gomaxprocs:threads"}},
		{"go_goroutines", "Number of goroutines that exist.", gauge, []string{"/sched/goroutines:goroutines"}},
		{"go_memstats_alloc_bytes", "Bytes in use on the heap.", gauge, []string{classes + "heap/objects:bytes"}},
		{"go_memstats_alloc_bytes_total", "Bytes allocated on the heap, freed ones included.", counter, []string{gc + "allocs:bytes"}},
		{"go_memstats_buck_hash_sys_bytes", "Bytes of the profiling hash table.", gauge, []string{classes + "profiling/buckets:bytes"}},
		{"go_memstats_frees_total", "Heap objects freed.", counter, []string{gc + "frees:objects", gc + "tiny/allocs:objects"}},
		{"go_memstats_gc_sys_bytes", "Bytes of the garbage collector's own data.", gauge, []string{classes + "metadata/other:bytes"}},
		{"go_memstats_heap_alloc_bytes", "Bytes in use on the heap.", gauge, []string{classes + "heap/objects:bytes"}},
		{"go_memstats_heap_idle_bytes", "Heap bytes that wait to be used.", gauge, []string{classes + "heap/released:bytes", classes + "heap/free:bytes"}},
		{"go_memstats_heap_inuse_bytes", "Heap bytes in spans in use.", gauge, []string{classes + "heap/objects:bytes", classes + "heap/unused:bytes"}},
		{"go_memstats_heap_objects", "Number of objects on the heap.", gauge, []string{gc + "objects:objects"}},
		{"go_memstats_heap_released_bytes", "Heap bytes returned to the system.", gauge, []string{classes + "heap/released:bytes"}},
		{"go_memstats_heap_sys_bytes", "Heap bytes obtained from the system.", gauge, []string{
			classes + "heap/objects:bytes", classes + "heap/unused:bytes", classes + "heap/released:bytes", classes + "heap/free:bytes",
		}},
		{"go_memstats_mallocs_total", "Heap objects allocated, freed ones included.", counter, []string{gc + "allocs:objects", gc + "tiny/allocs:objects"}},
		{"go_memstats_mcache_inuse_bytes", "Bytes in use by mcache structures.", gauge, []string{classes + "metadata/mcache/inuse:bytes"}},
		{"go_memstats_mcache_sys_bytes", "Bytes obtained for mcache structures.", gauge, []string{classes + "metadata/mcache/inuse:bytes", classes + "metadata/mcache/free:bytes"}},
		{"go_memstats_mspan_inuse_bytes", "Bytes in use by mspan structures.", gauge, []string{classes + "metadata/mspan/inuse:bytes"}},
		{"go_memstats_mspan_sys_bytes", "Bytes obtained for mspan structures.", gauge, []string{classes + "metadata/mspan/inuse:bytes", classes + "metadata/mspan/free:bytes"}},
		{"go_memstats_next_gc_bytes", "Heap size at which the next garbage collection starts.", gauge, []string{gc + "goal:bytes"}},
		{"go_memstats_other_sys_bytes", "Bytes of other allocations from the system.", gauge, []string{classes + "other:bytes"}},
		{"go_memstats_stack_inuse_bytes", "Bytes of goroutine stacks.", gauge, []string{classes + "heap/stacks:bytes"}},
		{"go_memstats_stack_sys_bytes", "Bytes of all stacks.", gauge, []string{classes + "heap/stacks:bytes", classes + "os-stacks:bytes"}},
		{"go_memstats_sys_bytes", "Bytes obtained from the system.", gauge, []string{classes + "total:bytes"}},
	}
}

// goRuntime asks the runtime once, and stops nothing for it.
func goRuntime() []family {
	all := figures()
	var samples []runtimemetrics.Sample
	for _, f := range all {
		for _, name := range f.of {
			samples = append(samples, runtimemetrics.Sample{Name: name})
		}
	}
	runtimemetrics.Read(samples)
	families := append(collections(), family{
		name: "go_info", help: "The version of Go.", kind: gauge, samples: []sample{{labels: []label{{"version", runtime.Version()}}, value: 1}},
	})
	for _, f := range all {
		value := 0.0
		for range f.of {
			value += valueOf(samples[0].Value)
			samples = samples[1:]
		}
		families = append(families, family{name: f.name, help: f.help, kind: f.kind, samples: []sample{{value: value}}})
	}
	return families
}

// valueOf is a metric that this runtime may not have: then it is no number.
func valueOf(v runtimemetrics.Value) float64 {
	switch v.Kind() {
	case runtimemetrics.KindUint64:
		return float64(v.Uint64())
	case runtimemetrics.KindFloat64:
		return v.Float64()
	case runtimemetrics.KindBad, runtimemetrics.KindFloat64Histogram:
	}
	return math.NaN()
}

// collections are the pauses of the garbage collector, and when it ran last.
func collections() []family {
	stats := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&stats)
	f := family{name: "go_gc_duration_seconds", help: "Pauses of garbage collections.", kind: summary}
	for i, quantile := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		f.samples = append(f.samples, sample{labels: []label{{"quantile", quantile}}, value: stats.PauseQuantiles[i].Seconds()})
	}
	f.samples = append(f.samples, sample{suffix: "_sum", value: stats.PauseTotal.Seconds()}, sample{suffix: "_count", value: float64(stats.NumGC)})
	last := 0.0
	if !stats.LastGC.IsZero() && stats.LastGC.Unix() > 0 {
		last = float64(stats.LastGC.UnixNano()) / 1e9
	}
	return []family{f, {
		name: "go_memstats_last_gc_time_seconds", help: "When the last garbage collection ended, in seconds since 1970.", kind: gauge,
		samples: []sample{{value: last}},
	}}
}
