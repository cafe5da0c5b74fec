// Package metrics counts what a server does and writes it down for Prometheus. Counting costs a request two atomic
// additions and two look-ups; everything else is asked for at a scrape, so that the hundreds of servers of a test run pay for
// none of it.
//
// Its labels are sims, operations, statuses and classes of outcomes: nothing that grows with use. It knows no engine: it is
// told what happened, and asks for the rest.
package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// NoOperation stands for the operation of a request that reached none.
const NoOperation = "none"

// Delivered is the outcome of an attempt that the receiver took; the others are the classes of failures.
const Delivered = "delivered"

// Gauges are what is asked for at a scrape.
type Gauges struct {
	Waiting    int    // deliveries that wait for an attempt, or for their webhook
	UnderWay   int    // attempts on the wire
	Sandboxes  int    // the default one included
	Kept       int    // exchanges in all journals
	Dropped    uint64 // exchanges that journals have dropped since the start
	Requests   int    // requests being answered, those to the control API included
	Expired    uint64 // sandboxes that were deleted because they were idle
	RefusedTCP uint64 // connections over the limit
}

// Metrics are the numbers of one server. Its methods are safe for concurrent use.
type Metrics struct {
	ask       func() Gauges
	requests  sync.Map // requestKey → *atomic.Uint64
	latencies sync.Map // operationKey → *histogram
	attempts  sync.Map // attemptKey → *atomic.Uint64
}

type requestKey struct {
	operationKey
	status int
}

type operationKey struct{ sim, operation string }

type attemptKey struct{ sim, outcome string }

// New returns the numbers of a server. ask is called at each scrape.
func New(ask func() Gauges) *Metrics { return &Metrics{ask: ask} }

// Request counts an answered request.
func (m *Metrics) Request(sim, operation string, status int, took time.Duration) {
	if operation == "" {
		operation = NoOperation
	}
	key := operationKey{sim: sim, operation: operation}
	series[atomic.Uint64](&m.requests, requestKey{operationKey: key, status: status}).Add(1)
	series[histogram](&m.latencies, key).observe(took)
}

// Attempt counts an attempt by its outcome: Delivered, or the class of the failure.
func (m *Metrics) Attempt(sim, outcome string) {
	series[atomic.Uint64](&m.attempts, attemptKey{sim: sim, outcome: outcome}).Add(1)
}

// series is what is counted under a key, made when it is first asked for.
func series[T any](all *sync.Map, key any) *T {
	found, ok := all.Load(key)
	if !ok {
		found, _ = all.LoadOrStore(key, new(T))
	}
	counted, _ := found.(*T)
	return counted
}

// ContentType is the format that Scrape writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Scrape writes everything in the text format of Prometheus.
func (m *Metrics) Scrape() []byte {
	families := slices.Concat(m.counted(), asked(m.ask()), goRuntime(), process())
	slices.SortFunc(families, func(a, b family) int { return cmp.Compare(a.name, b.name) })
	return write(families)
}

// counted are the numbers of requests and attempts. A family without a series is left out.
func (m *Metrics) counted() []family {
	requests := family{
		name: "mocksrv_requests_total", kind: counter, help: "Requests to providers, by operation (none: no operation was reached) and status.",
	}
	m.requests.Range(func(key, value any) bool {
		k, _ := key.(requestKey)
		n, _ := value.(*atomic.Uint64)
		labels := []label{{"operation", k.operation}, {"sim", k.sim}, {"status", strconv.Itoa(k.status)}}
		requests.samples = append(requests.samples, sample{labels: labels, value: float64(n.Load())})
		return true
	})
	latency := family{
		name: "mocksrv_request_duration_seconds", kind: histogramKind,
		help: "How long it took to answer a request to a provider, scripted delays included.",
	}
	m.latencies.Range(func(key, value any) bool {
		k, _ := key.(operationKey)
		h, _ := value.(*histogram)
		latency.samples = append(latency.samples, h.samples([]label{{"operation", k.operation}, {"sim", k.sim}})...)
		return true
	})
	attempts := family{
		name: "mocksrv_delivery_attempts_total", kind: counter, help: "Attempts to deliver, by outcome: delivered, or the class of the failure.",
	}
	m.attempts.Range(func(key, value any) bool {
		k, _ := key.(attemptKey)
		n, _ := value.(*atomic.Uint64)
		attempts.samples = append(attempts.samples, sample{labels: []label{{"outcome", k.outcome}, {"sim", k.sim}}, value: float64(n.Load())})
		return true
	})
	all := []family{requests, latency, attempts}
	for i := range all {
		slices.SortStableFunc(all[i].samples, func(a, b sample) int { return compareLabels(a.series(), b.series()) })
	}
	return slices.DeleteFunc(all, func(f family) bool { return len(f.samples) == 0 })
}

// asked are the numbers that somebody else keeps.
func asked(now Gauges) []family {
	of := func(name, help string, kind kind, value float64) family {
		return family{name: "mocksrv_" + name, help: help, kind: kind, samples: []sample{{value: value}}}
	}
	return []family{
		of("deliveries_waiting", "Deliveries that wait for an attempt or for their webhook.", gauge, float64(now.Waiting)),
		of("delivery_attempts_under_way", "Attempts on the wire.", gauge, float64(now.UnderWay)),
		of("sandboxes", "Sandboxes, the default one included.", gauge, float64(now.Sandboxes)),
		of("sandboxes_expired_total", "Sandboxes that were deleted because they were idle.", counter, float64(now.Expired)),
		of("journal_exchanges", "Exchanges in the journals of all sandboxes.", gauge, float64(now.Kept)),
		of("journal_dropped_total", "Exchanges that a journal has dropped at its limit.", counter, float64(now.Dropped)),
		of("requests_under_way", "Requests being answered, those to the control API included.", gauge, float64(now.Requests)),
		of("connections_refused_total", "Connections that were refused at the limit.", counter, float64(now.RefusedTCP)),
	}
}
