package delivery

import (
	"net/http"
	"regexp"
	"strings"
)

// Trace is the trace context (W3C) that an event was caused in. Every attempt of its deliveries passes it on as it came.
type Trace struct {
	Parent string `json:"traceparent"`
	State  string `json:"tracestate,omitzero"`
}

// maxTraceState is how much of a tracestate is passed on; a longer one is dropped whole, as the standard allows.
const maxTraceState = 512

var traceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$`)

// TraceOf reads the trace context of a request. A traceparent that is none counts as missing.
func TraceOf(h http.Header) Trace {
	parents := h.Values("Traceparent")
	if len(parents) != 1 || len(parents[0]) > maxTraceState || !traceParent.MatchString(parents[0]) {
		return Trace{}
	}
	t := Trace{Parent: parents[0], State: strings.Join(h.Values("Tracestate"), ",")}
	if len(t.State) > maxTraceState || strings.ContainsFunc(t.State, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.State = ""
	}
	return t
}

// pass puts the trace context into the header of an attempt.
func (t Trace) pass(h http.Header) {
	if t.Parent == "" {
		return
	}
	h.Set("Traceparent", t.Parent)
	if t.State != "" {
		h.Set("Tracestate", t.State)
	}
}
