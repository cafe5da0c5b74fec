// Package store keeps the state of every sandbox behind one seam.
//
// State is plain data: rows of named tables, each row a value that encodes to JSON and back unchanged. It is read in
// View and changed in Update, and nowhere else; an Update whose function returns an error leaves no trace. The memory
// backend is the reference; another backend implements Store and Tx.
//
// The package knows nothing of providers, clocks or HTTP.
package store

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrNoSandbox is returned when a sandbox does not exist (or no longer does).
var ErrNoSandbox = errors.New("store: no such sandbox")

// Store is the seam between the simulator and where its state lives.
type Store interface {
	// Create makes an empty sandbox, and reports false when one of that name exists already.
	Create(sandbox string) bool
	// Delete frees a sandbox with everything in it.
	Delete(sandbox string)
	// View runs fn on a consistent state. fn must not write.
	View(sandbox string, fn func(Tx) error) error
	// Update runs fn alone on the sandbox. When fn returns an error or panics, every change it made is undone.
	Update(sandbox string, fn func(Tx) error) error
	// Locate says which sandbox claimed a name with Tx.Claim.
	Locate(name string) (sandbox string, ok bool)
	// Export returns the whole state of a sandbox, Import replaces it.
	Export(sandbox string) (State, error)
	Import(sandbox string, state State) error
}

// Tx is one transaction on one sandbox. Tables come into being with their first row. Values put into a table belong to
// it: they must not be modified afterwards, nor may values that were read from it.
type Tx interface {
	// Get returns the value of a row: what was put, or a Raw after an Import.
	Get(table, id string) (any, bool)
	// Put adds or replaces a row. A replaced row keeps its place in the order. keys are the index keys under which
	// the row is found by IDs and Count.
	Put(table, id string, value any, keys ...string)
	// Delete removes a row and reports whether there was one.
	Delete(table, id string) bool
	// IDs returns the ids of the rows under an index key ("" for all) in insertion order. limit < 0 means all.
	IDs(table, key string, offset, limit int) []string
	// Count returns how many rows are under an index key ("" for all), at a cost independent of their number.
	Count(table, key string) int
	// Usage returns how much a table ("": the whole sandbox) holds, at a cost independent of that.
	Usage(table string) Usage
	// Next increments a named counter and returns its new value: 1, 2, 3, …
	Next(counter string) uint64
	// Changed reports whether the transaction has changed anything so far.
	Changed() bool
	// Copy returns the whole state of the sandbox as it is now.
	Copy() Copy
	// Replace makes the whole state of the sandbox what it is given.
	Replace(state State)
	// Claim makes Store.Locate(name) find this sandbox. Release gives the name up.
	Claim(name string)
	Release(name string)
}

// Raw is a row that has not been decoded since an Import.
type Raw = jsontext.Value

// State is a sandbox as plain data: readable, comparable, and portable between processes.
type State struct {
	Tables   map[string][]Row  `json:"tables"`
	Counters map[string]uint64 `json:"counters"`
	Claims   []string          `json:"claims"`
}

// Row is one row of a table in State, in insertion order.
type Row struct {
	ID    string   `json:"id"`
	Keys  []string `json:"keys,omitempty"`
	Value Raw      `json:"value"`
}

// Table is a typed view of one table in a transaction.
type Table[T any] struct {
	tx   Tx
	name string
	keys func(T) []string
}

// TableOf opens a table. keys computes the index keys of a row; it may be nil.
func TableOf[T any](tx Tx, name string, keys func(T) []string) Table[T] {
	return Table[T]{tx: tx, name: name, keys: keys}
}

// Get returns a row by id.
func (t Table[T]) Get(id string) (T, bool) {
	v, ok := t.tx.Get(t.name, id)
	if !ok {
		var zero T
		return zero, false
	}
	return decode[T](t.name, v), true
}

// Put adds or replaces a row.
func (t Table[T]) Put(id string, value T) {
	var keys []string
	if t.keys != nil {
		keys = t.keys(value)
	}
	t.tx.Put(t.name, id, value, keys...)
}

// Delete removes a row and reports whether there was one.
func (t Table[T]) Delete(id string) bool { return t.tx.Delete(t.name, id) }

// Count returns the number of rows under an index key ("" for all).
func (t Table[T]) Count(key string) int { return t.tx.Count(t.name, key) }

// All returns the rows under an index key ("" for all) in insertion order.
func (t Table[T]) All(key string) []T { return t.Page(key, 0, -1) }

// Page returns at most limit rows under an index key, from offset on. limit < 0 means all.
func (t Table[T]) Page(key string, offset, limit int) []T {
	ids := t.tx.IDs(t.name, key, offset, limit)
	rows := make([]T, len(ids))
	for i, id := range ids {
		rows[i], _ = t.Get(id)
	}
	return rows
}

// First returns the oldest row under an index key.
func (t Table[T]) First(key string) (T, bool) {
	if ids := t.tx.IDs(t.name, key, 0, 1); len(ids) == 1 {
		return t.Get(ids[0])
	}
	var zero T
	return zero, false
}

func decode[T any](table string, v any) T {
	if typed, ok := v.(T); ok {
		return typed
	}
	var typed T
	raw, ok := v.(Raw)
	if !ok {
		panic(fmt.Sprintf("store: table %s holds %T, opened as %T", table, v, typed))
	}
	if err := json.Unmarshal(raw, &typed); err != nil {
		panic(fmt.Sprintf("store: table %s: imported row does not fit %T: %v", table, typed, err))
	}
	return typed
}

// Scoped returns a transaction whose tables, counters and claims all live under a prefix, so that each provider has a
// name space of its own.
func Scoped(tx Tx, prefix string) Tx { return scoped{tx: tx, prefix: prefix + "/"} }

type scoped struct {
	tx     Tx
	prefix string
}

func (s scoped) Get(table, id string) (any, bool) { return s.tx.Get(s.prefix+table, id) }
func (s scoped) Put(table, id string, value any, keys ...string) {
	s.tx.Put(s.prefix+table, id, value, keys...)
}
func (s scoped) Delete(table, id string) bool { return s.tx.Delete(s.prefix+table, id) }
func (s scoped) IDs(table, key string, offset, limit int) []string {
	return s.tx.IDs(s.prefix+table, key, offset, limit)
}
func (s scoped) Count(table, key string) int { return s.tx.Count(s.prefix+table, key) }
func (s scoped) Usage(table string) Usage    { return s.tx.Usage(s.prefix + table) }
func (s scoped) Next(counter string) uint64  { return s.tx.Next(s.prefix + counter) }
func (s scoped) Changed() bool               { return s.tx.Changed() }
func (s scoped) Copy() Copy                  { panic("store: a provider has only its own part of the state") }

func (s scoped) Replace(State) {
	panic("store: a provider has only its own part of the state")
}
func (s scoped) Claim(name string)   { s.tx.Claim(s.prefix + name) }
func (s scoped) Release(name string) { s.tx.Release(s.prefix + name) }
