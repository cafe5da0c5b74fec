package metrics

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"time"
)

// buckets is how many upper bounds a histogram has, beside the infinite one.
const buckets = 13

// bounds are the upper bounds in seconds, themselves included.
func bounds() [buckets]float64 {
	return [buckets]float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3, 250e-3, 1, 5, 30}
}

// histogram counts durations. Its count is the sum of its buckets, so that a scrape never sees one without the other.
type histogram struct {
	counts [buckets + 1]atomic.Uint64 // the last: over every bound
	sum    atomic.Uint64              // seconds, as the bits of a float64
}

func (h *histogram) observe(took time.Duration) {
	limits, seconds := bounds(), took.Seconds()
	h.counts[sort.SearchFloat64s(limits[:], seconds)].Add(1)
	for {
		before := h.sum.Load()
		if h.sum.CompareAndSwap(before, math.Float64bits(math.Float64frombits(before)+seconds)) {
			return
		}
	}
}

// samples are the buckets, each with what is below it, the sum and the count.
func (h *histogram) samples(labels []label) []sample {
	out := make([]sample, 0, buckets+3)
	var below uint64
	for i, bound := range append(boundsList(), math.Inf(1)) {
		below += h.counts[i].Load()
		le := label{"le", number(bound)}
		out = append(out, sample{suffix: "_bucket", labels: append(slices.Clip(labels), le), value: float64(below)})
	}
	sum := math.Float64frombits(h.sum.Load())
	return append(out, sample{suffix: "_sum", labels: labels, value: sum}, sample{suffix: "_count", labels: labels, value: float64(below)})
}

func boundsList() []float64 {
	limits := bounds()
	return limits[:]
}

// number writes a value as Prometheus reads it.
func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64) // also NaN
}
