package metrics

import "github.com/prometheus/client_golang/prometheus"

// description is a metric that is asked for at a scrape.
type description struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(Gauges) float64
}

func descriptions() []description {
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	of := func(name, help string, kind prometheus.ValueType, read func(Gauges) float64) description {
		return description{desc: prometheus.NewDesc("mocksrv_"+name, help, nil, nil), kind: kind, read: read}
	}
	return []description{
		of("deliveries_waiting", "Deliveries that wait for an attempt or for their webhook.", gauge, func(g Gauges) float64 { return float64(g.Waiting) }),
		of("delivery_attempts_under_way", "Attempts on the wire.", gauge, func(g Gauges) float64 { return float64(g.UnderWay) }),
		of("sandboxes", "Sandboxes, the default one included.", gauge, func(g Gauges) float64 { return float64(g.Sandboxes) }),
		of("sandboxes_expired_total", "Sandboxes that were deleted because they were idle.", counter, func(g Gauges) float64 { return float64(g.Expired) }),
		of("journal_exchanges", "Exchanges in the journals of all sandboxes.", gauge, func(g Gauges) float64 { return float64(g.Kept) }),
		of("journal_dropped_total", "Exchanges that a journal has dropped at its limit.", counter, func(g Gauges) float64 { return float64(g.Dropped) }),
		of("requests_under_way", "Requests being answered, those to the control API included.", gauge, func(g Gauges) float64 { return float64(g.Requests) }),
		of("connections_refused_total", "Connections that were refused at the limit.", counter, func(g Gauges) float64 { return float64(g.RefusedTCP) }),
	}
}

// gauges asks once for a scrape and hands out each number.
type gauges struct {
	ask          func() Gauges
	descriptions []description
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range g.descriptions {
		out <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	now := g.ask()
	for _, d := range g.descriptions {
		out <- prometheus.MustNewConstMetric(d.desc, d.kind, d.read(now))
	}
}
