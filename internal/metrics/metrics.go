// Package metrics counts what a server does and writes it down for Prometheus. Counting costs a request two atomic
// additions and a look-up; everything else, the registry and the collectors of runtime and process included, comes into
// being at the first scrape, so that the hundreds of servers of a test run pay for none of it.
//
// Its labels are sims, operations, statuses and classes of outcomes: nothing that grows with use. It knows no engine: it is
// told what happened, and asks for the rest.
package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
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
	ask      func() Gauges
	requests sync.Map // requestKey → *request
	attempts sync.Map // attemptKey → prometheus.Counter

	byRequest *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	byAttempt *prometheus.CounterVec
	registry  func() *prometheus.Registry // made at the first scrape
}

type requestKey struct {
	sim, operation string
	status         int
}

// request is one series of requests: its counter, and the latency of its operation.
type request struct {
	count   prometheus.Counter
	latency prometheus.Observer
}

type attemptKey struct{ sim, outcome string }

// New returns the numbers of a server. ask is called at each scrape.
func New(ask func() Gauges) *Metrics {
	m := &Metrics{
		ask: ask,
		byRequest: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mocksrv_requests_total", Help: "Requests to providers, by operation (none: no operation was reached) and status.",
		}, []string{"sim", "operation", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mocksrv_request_duration_seconds", Help: "How long it took to answer a request to a provider, scripted delays included.",
			Buckets: []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3, 250e-3, 1, 5, 30},
		}, []string{"sim", "operation"}),
		byAttempt: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mocksrv_delivery_attempts_total", Help: "Attempts to deliver, by outcome: delivered, or the class of the failure.",
		}, []string{"sim", "outcome"}),
	}
	m.registry = sync.OnceValue(m.register)
	return m
}

// Request counts an answered request.
func (m *Metrics) Request(sim, operation string, status int, took time.Duration) {
	key := requestKey{sim: sim, operation: operation, status: status}
	found, ok := m.requests.Load(key)
	if !ok {
		if operation == "" {
			operation = NoOperation
		}
		found, _ = m.requests.LoadOrStore(key, &request{
			count:   m.byRequest.WithLabelValues(sim, operation, strconv.Itoa(status)),
			latency: m.latency.WithLabelValues(sim, operation),
		})
	}
	if r, ok := found.(*request); ok {
		r.count.Inc()
		r.latency.Observe(took.Seconds())
	}
}

// Attempt counts an attempt by its outcome: Delivered, or the class of the failure.
func (m *Metrics) Attempt(sim, outcome string) {
	key := attemptKey{sim: sim, outcome: outcome}
	found, ok := m.attempts.Load(key)
	if !ok {
		found, _ = m.attempts.LoadOrStore(key, m.byAttempt.WithLabelValues(sim, outcome))
	}
	if counter, ok := found.(prometheus.Counter); ok {
		counter.Inc()
	}
}

// register puts every collector into a registry of the server's own.
func (m *Metrics) register() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		m.byRequest, m.latency, m.byAttempt, gauges{ask: m.ask, descriptions: descriptions()},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// Scrape writes everything in the format that an Accept header asks for: Prometheus text, OpenMetrics or protobuf.
func (m *Metrics) Scrape(accept string) (contentType string, data []byte, err error) {
	families, err := m.registry().Gather()
	if err != nil {
		return "", nil, fmt.Errorf("gather metrics: %w", err)
	}
	format := expfmt.NegotiateAccept(http.Header{"Accept": {accept}}, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return "", nil, fmt.Errorf("encode metric %s: %w", family.GetName(), err)
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok { // OpenMetrics ends with a line of its own
		if err := closer.Close(); err != nil {
			return "", nil, fmt.Errorf("encode metrics: %w", err)
		}
	}
	return string(format), out.Bytes(), nil
}
