package receiver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// MaxBody is how much of a request's body is kept. The rest is read and forgotten.
const MaxBody = 1 << 20

// perRequest is the estimated size of a request beside its texts.
const perRequest = 400

// Request is one request that arrived, and the answer that the script gave it.
type Request struct {
	Number    uint64    // 1, 2, … in the order in which requests arrived whole
	At        time.Time // world clock, when the whole body had arrived
	Method    string
	Path      string      // as sent, with the query
	Header    http.Header // with Host
	Body      []byte      // at most MaxBody
	Truncated bool        // there was more of the body
	Error     string      // why the body did not arrive whole; such a request takes no reply from the script
	Status    int         // the status it was answered with; 0 when none
	Fault     Fault       // how the answer went wrong
}

// readRequest reads a request to the end of its body.
func readRequest(req *http.Request) Request {
	got := Request{Method: req.Method, Path: req.RequestURI, Header: req.Header.Clone()}
	got.Header.Set("Host", req.Host)
	body, err := io.ReadAll(io.LimitReader(req.Body, MaxBody))
	got.Body = body
	if err == nil {
		var more int64
		more, err = io.Copy(io.Discard, req.Body)
		got.Truncated = more > 0
	}
	if err != nil {
		got.Error = err.Error()
	}
	return got
}

func (r *Request) size() int {
	n := perRequest + len(r.Path) + len(r.Body)
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

// requestLog keeps the newest requests within two bounds, and counts the others.
type requestLog struct {
	maxRequests, maxBytes int

	mu      sync.Mutex
	kept    []Request // oldest first, numbers without a gap
	bytes   int
	last    uint64        // number of the newest
	changed chan struct{} // closed and replaced at every arrival
	closed  bool
}

func newRequestLog(maxRequests, maxBytes int) *requestLog {
	return &requestLog{maxRequests: maxRequests, maxBytes: maxBytes, changed: make(chan struct{})}
}

// add numbers a request and keeps it.
func (l *requestLog) add(req Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	req.Number = l.last
	l.kept = append(l.kept, req)
	l.bytes += req.size()
	for len(l.kept) > l.maxRequests || l.bytes > l.maxBytes && len(l.kept) > 1 {
		l.bytes -= l.kept[0].size()
		l.kept[0] = Request{}
		l.kept = l.kept[1:]
	}
	l.announce()
}

func (l *requestLog) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *requestLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.announce()
}

func (l *requestLog) counts() (arrived, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.dropped()
}

func (l *requestLog) dropped() uint64 { return l.last - uint64(len(l.kept)) }

func (l *requestLog) read(after uint64) (kept []Request, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped = l.dropped()
	if after >= l.last {
		return nil, dropped
	}
	return slices.Clone(l.kept[max(after, dropped)-dropped:]), dropped
}

func (l *requestLog) wait(ctx context.Context, n uint64) error {
	for {
		arrived, closed, changed := l.watch()
		switch {
		case arrived >= n:
			return nil
		case closed:
			return fmt.Errorf("%w: waited for %d requests, %d arrived", ErrClosed, n, arrived)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("receiver: waited for %d requests, %d arrived: %w", n, arrived, ctx.Err())
		}
	}
}

func (l *requestLog) watch() (arrived uint64, closed bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.closed, l.changed
}
