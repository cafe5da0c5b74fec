package mocksrv

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/metrics"
)

// gauges are what the metrics ask for at a scrape.
func (s *Server) gauges() metrics.Gauges {
	stats := s.engine.Stats()
	g := metrics.Gauges{
		Waiting: s.dispatcher.Waiting(), UnderWay: s.dispatcher.Sending(), Sandboxes: stats.Sandboxes, Expired: stats.Expired,
		Kept: stats.Kept, Dropped: stats.Dropped, Requests: int(s.active.Load()),
	}
	for _, e := range s.endpoints() {
		g.RefusedTCP += e.listener.refused.Load()
	}
	return g
}

// answered is told of every exchange with a client.
func (s *Server) answered(sandbox *engine.Sandbox, x *engine.Exchange) {
	s.metrics.Request(x.Sim, x.Operation, x.Status, x.Took)
	if !s.options.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	path, _, _ := strings.Cut(x.Path, "?")
	about := []any{
		"request", sandbox.RequestID(x), "sim", x.Sim, "operation", x.Operation, "method", x.Method, "path", path, "status", x.Status,
		"took", x.Took, "bytes", len(x.Request.Body), "headers", harmless(x.Request.Header),
	}
	if x.Refusal != nil {
		about = append(about, "rule", x.Refusal.Rule)
	}
	s.options.Log.Debug("exchange", about...)
}

// attempted is told of every attempt to deliver.
func (s *Server) attempted(sandbox *engine.Sandbox, x *engine.Exchange, a delivery.Attempt) {
	outcome := metrics.Delivered
	if a.Error != nil {
		outcome = string(a.Error.Class)
	}
	s.metrics.Attempt(x.Sim, outcome)
	if !s.options.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	s.options.Log.Debug("attempt",
		"request", sandbox.RequestID(x), "sim", x.Sim, "delivery", x.DeliveryID, "attempt", a.N, "url", bareURL(x.Path), "status", x.Status,
		"outcome", outcome, "took", x.Took, "bytes", len(x.Request.Body), "headers", harmless(x.Request.Header))
}

// redacted stands for a value that may be a secret.
const redacted = "[redacted]"

// harmless returns a header for the log: the values of the few fields that are known to hold no secret, and only the names
// of all others. What a provider signs and authenticates with has many names.
func harmless(h http.Header) map[string]string {
	known := []string{
		"Accept", "Accept-Encoding", "Content-Length", "Content-Type", "Date", "Mocksrv-Sandbox", "Traceparent", "User-Agent",
	}
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[name] = redacted
		if slices.Contains(known, http.CanonicalHeaderKey(name)) {
			out[name] = strings.Join(values, ", ")
		}
	}
	return out
}

// bareURL is a URL without what may be secret in it: user, password, query and fragment.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
