package engine

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/internal/contract"
)

// Direction says who sent the request of an exchange.
type Direction string

// The two directions.
const (
	Inbound  Direction = "in"  // a client called the provider
	Outbound Direction = "out" // the provider called a webhook
)

// Exchange is one request and its answer, as the journal keeps it. It is immutable.
type Exchange struct {
	ID         uint64
	At         time.Time // world clock
	Direction  Direction
	DeliveryID string // Outbound: the delivery it is an attempt of
	Sim        string
	Operation  string // Inbound: operationId; "" when no operation was reached
	Method     string
	Path       string // Inbound: as sent, with the query. Outbound: the URL
	Request    Message
	Status     int
	Response   Message
	Refusal    *Refusal
	Rules      []string // the scripted rules that fired
	Fault      string   // how a rule damaged the answer on the wire
	Took       time.Duration
}

// Message is the header and body of a request or an answer.
type Message struct {
	Header http.Header
	Body   []byte
}

// Refusal explains an error answer: which rule of the ledger spoke, what it saw and what would pass.
type Refusal struct {
	Rule   string         `json:"rule"`
	Saw    string         `json:"saw"`
	Want   string         `json:"want"`
	Basis  contract.Basis `json:"basis"`
	Source string         `json:"source"`
	Policy string         `json:"policy,omitzero"` // the switch of this behaviour, if it has one
}

// JournalLimits bound a journal. When either is exceeded the oldest exchanges are dropped, and counted.
type JournalLimits struct {
	Entries int
	Bytes   int
}

// DefaultJournalLimits keep an idle sandbox small and a busy one below a few dozen megabytes.
func DefaultJournalLimits() JournalLimits { return JournalLimits{Entries: 10_000, Bytes: 16 << 20} }

// Journal keeps the exchanges of one sandbox, oldest first.
type Journal struct {
	mu      sync.RWMutex
	limits  JournalLimits
	entries []*Exchange
	bytes   int
	last    uint64
	dropped uint64
	overall *atomic.Uint64 // counts what is dropped in all sandboxes; may be nil
	changed chan struct{}  // closed at the next append; nil while nobody waits
}

// NewJournal returns an empty journal.
func NewJournal(limits JournalLimits) *Journal {
	return &Journal{limits: limits}
}

// Append numbers an exchange and keeps it.
func (j *Journal) Append(x *Exchange) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	x.ID = j.last
	j.entries = append(j.entries, x)
	j.bytes += x.size()
	for len(j.entries) > j.limits.Entries || j.bytes > j.limits.Bytes && len(j.entries) > 1 {
		j.bytes -= j.entries[0].size()
		j.entries[0] = nil
		j.entries = j.entries[1:]
		j.dropped++
		if j.overall != nil {
			j.overall.Add(1)
		}
	}
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Read returns the exchanges with an id above after, oldest first, how many were dropped in all, and a channel that
// is closed at the next append.
func (j *Journal) Read(after uint64) (entries []*Exchange, dropped uint64, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	entries = j.entries
	if n := len(entries); n > 0 && after >= entries[0].ID {
		skip := min(after-entries[0].ID+1, uint64(n))
		entries = entries[skip:]
	}
	return append([]*Exchange(nil), entries...), j.dropped, j.changed
}

// Get returns an exchange that is kept.
func (j *Journal) Get(id uint64) (*Exchange, bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if len(j.entries) == 0 || id < j.entries[0].ID || id > j.entries[len(j.entries)-1].ID {
		return nil, false
	}
	return j.entries[id-j.entries[0].ID], true
}

// Wake lets those who wait for a change look again.
func (j *Journal) Wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Last returns the newest exchange, or nil.
func (j *Journal) Last() *Exchange {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if len(j.entries) == 0 {
		return nil
	}
	return j.entries[len(j.entries)-1]
}

// Len returns how many exchanges are kept.
func (j *Journal) Len() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.entries)
}

// Clear forgets every exchange. Numbers go on.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.bytes, j.dropped = nil, 0, 0
}

// Mark returns a function that brings back what is kept now, when it was cleared since.
func (j *Journal) Mark() (back func()) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	kept, last, dropped := slices.Clone(j.entries), j.last, j.dropped
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if len(j.entries) > 0 && j.entries[0].ID != last+1 { // it was not cleared, or some of those since are gone
			return
		}
		j.entries, j.dropped, j.bytes = append(kept, j.entries...), j.dropped+dropped, 0
		for _, x := range j.entries {
			j.bytes += x.size()
		}
	}
}

// perEntry is the estimated size of an exchange beside its texts.
const perEntry = 600

func (x *Exchange) size() int {
	n := perEntry + len(x.Path) + len(x.Request.Body) + len(x.Response.Body)
	if x.Refusal != nil {
		n += len(x.Refusal.Saw) + len(x.Refusal.Want)
	}
	for _, h := range []http.Header{x.Request.Header, x.Response.Header} {
		for name, values := range h {
			n += len(name) + 48
			for _, v := range values {
				n += len(v) + 16
			}
		}
	}
	return n
}
