package store

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
)

// Memory is the in-memory Store. Sandboxes are independent: each has its own lock.
type Memory struct {
	mu     sync.RWMutex
	spaces map[string]*space
	claims map[string][]string // name → sandboxes, the newest owner last
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{spaces: map[string]*space{}, claims: map[string][]string{}}
}

type space struct {
	mu       sync.RWMutex
	tables   map[string]*table
	counters map[string]uint64
	claims   map[string]struct{}
	used     Usage
	gone     bool
}

func newSpace() *space {
	return &space{tables: map[string]*table{}, counters: map[string]uint64{}, claims: map[string]struct{}{}}
}

type table struct {
	rows  map[string]row
	index map[string][]ref // index key → rows in insertion order
	seq   uint64
	used  Usage
	space *Usage // of the whole sandbox
}

type row struct {
	seq   uint64
	value any
	keys  []string
	size  int
}

type ref struct {
	seq uint64
	id  string
}

// Create implements Store.
func (m *Memory) Create(sandbox string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, exists := m.spaces[sandbox]; exists {
		return false
	}
	m.spaces[sandbox] = newSpace()
	return true
}

// Delete implements Store.
func (m *Memory) Delete(sandbox string) {
	m.mu.Lock()
	sp := m.spaces[sandbox]
	delete(m.spaces, sandbox)
	m.mu.Unlock()
	if sp == nil {
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.gone = true
	m.unclaim(sandbox, slices.Collect(maps.Keys(sp.claims)))
}

// Locate implements Store.
func (m *Memory) Locate(name string) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	owners := m.claims[name]
	if len(owners) == 0 {
		return "", false
	}
	return owners[len(owners)-1], true
}

// claim makes a sandbox the newest owner of names. An earlier owner gets a name back when the newest gives it up.
func (m *Memory) claim(sandbox string, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		owners := slices.DeleteFunc(m.claims[name], func(owner string) bool { return owner == sandbox })
		m.claims[name] = append(owners, sandbox)
	}
}

func (m *Memory) unclaim(sandbox string, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		owners := slices.DeleteFunc(m.claims[name], func(owner string) bool { return owner == sandbox })
		if len(owners) == 0 {
			delete(m.claims, name)
			continue
		}
		m.claims[name] = owners
	}
}

func (m *Memory) space(sandbox string) (*space, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	sp, ok := m.spaces[sandbox]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoSandbox, sandbox)
	}
	return sp, nil
}

// View implements Store.
func (m *Memory) View(sandbox string, fn func(Tx) error) error {
	sp, err := m.space(sandbox)
	if err != nil {
		return err
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if sp.gone {
		return fmt.Errorf("%w: %q", ErrNoSandbox, sandbox)
	}
	return fn(&memoryTx{space: sp, readOnly: true})
}

// Update implements Store.
func (m *Memory) Update(sandbox string, fn func(Tx) error) error {
	sp, err := m.space(sandbox)
	if err != nil {
		return err
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone {
		return fmt.Errorf("%w: %q", ErrNoSandbox, sandbox)
	}
	tx := &memoryTx{space: sp}
	committed := false
	defer func() {
		if !committed {
			tx.rollback()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	committed = true
	m.publish(sandbox, tx)
	return nil
}

// publish makes the claims of a committed transaction visible to Locate, as they are at its end.
func (m *Memory) publish(sandbox string, tx *memoryTx) {
	holds := func(name string) bool { _, ok := tx.space.claims[name]; return ok }
	if len(tx.released) > 0 {
		m.unclaim(sandbox, slices.DeleteFunc(tx.released, holds))
	}
	if len(tx.claimed) > 0 {
		m.claim(sandbox, slices.DeleteFunc(tx.claimed, func(name string) bool { return !holds(name) }))
	}
}

// Export implements Store.
func (m *Memory) Export(sandbox string) (State, error) {
	var now Copy
	if err := m.View(sandbox, func(tx Tx) error { now = tx.Copy(); return nil }); err != nil {
		return State{}, err
	}
	return now.State()
}

// Import implements Store.
func (m *Memory) Import(sandbox string, state State) error {
	return m.Update(sandbox, func(tx Tx) error {
		tx.Replace(state)
		return nil
	})
}

// Changed implements Tx.
func (tx *memoryTx) Changed() bool { return len(tx.undo) > 0 }

// Replace implements Tx.
func (tx *memoryTx) Replace(state State) {
	tx.writing()
	for name := range tx.space.claims {
		tx.Release(name)
	}
	tables, counters, claims := tx.space.tables, tx.space.counters, tx.space.claims
	used := tx.space.used
	tx.undo = append(tx.undo, func() {
		tx.space.tables, tx.space.counters, tx.space.claims, tx.space.used = tables, counters, claims, used
	})
	tx.space.used = Usage{}
	tx.space.tables, tx.space.claims = map[string]*table{}, map[string]struct{}{}
	tx.space.counters = maps.Clone(state.Counters)
	if tx.space.counters == nil {
		tx.space.counters = map[string]uint64{}
	}
	for name, rows := range state.Tables {
		for _, r := range rows {
			tx.Put(name, r.ID, slices.Clone(r.Value), r.Keys...)
		}
	}
	for _, name := range state.Claims {
		tx.Claim(name)
	}
}

// memoryTx writes in place, under the lock of its space, and keeps an undo log.
type memoryTx struct {
	space             *space
	undo              []func()
	claimed, released []string
	readOnly          bool
}

func (tx *memoryTx) rollback() {
	for _, undo := range slices.Backward(tx.undo) {
		undo()
	}
}

func (tx *memoryTx) writing() {
	if tx.readOnly {
		panic("store: write in a View")
	}
}

func (tx *memoryTx) Get(name, id string) (any, bool) {
	t, ok := tx.space.tables[name]
	if !ok {
		return nil, false
	}
	r, ok := t.rows[id]
	return r.value, ok
}

func (tx *memoryTx) Put(name, id string, value any, keys ...string) {
	tx.writing()
	t, ok := tx.space.tables[name]
	if !ok {
		t = &table{rows: map[string]row{}, index: map[string][]ref{}, space: &tx.space.used}
		tx.space.tables[name] = t
	}
	old, existed := t.rows[id]
	size := sizeOfRow(id, value, keys)
	if existed {
		t.replace(id, old, row{seq: old.seq, value: value, keys: keys, size: size})
		tx.undo = append(tx.undo, func() { t.replace(id, t.rows[id], old) })
		return
	}
	t.seq++
	t.insert(id, row{seq: t.seq, value: value, keys: keys, size: size})
	tx.undo = append(tx.undo, func() {
		t.remove(id, t.rows[id])
		t.seq--
	})
}

func (tx *memoryTx) Delete(name, id string) bool {
	tx.writing()
	t, ok := tx.space.tables[name]
	if !ok {
		return false
	}
	old, existed := t.rows[id]
	if !existed {
		return false
	}
	t.remove(id, old)
	tx.undo = append(tx.undo, func() { t.insert(id, old) })
	return true
}

func (tx *memoryTx) IDs(name, key string, offset, limit int) []string {
	t, ok := tx.space.tables[name]
	if !ok {
		return nil
	}
	refs := t.index[key]
	refs = refs[min(max(offset, 0), len(refs)):]
	if limit >= 0 {
		refs = refs[:min(limit, len(refs))]
	}
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	return ids
}

func (tx *memoryTx) Count(name, key string) int {
	t, ok := tx.space.tables[name]
	if !ok {
		return 0
	}
	return len(t.index[key])
}

func (tx *memoryTx) Next(counter string) uint64 {
	tx.writing()
	tx.space.counters[counter]++
	n := tx.space.counters[counter]
	tx.undo = append(tx.undo, func() {
		if n == 1 {
			delete(tx.space.counters, counter)
			return
		}
		tx.space.counters[counter] = n - 1
	})
	return n
}

func (tx *memoryTx) Claim(name string) {
	tx.writing()
	if _, had := tx.space.claims[name]; had {
		return
	}
	tx.space.hold(name)
	tx.claimed = append(tx.claimed, name)
	tx.undo = append(tx.undo, func() { tx.space.letGo(name) })
}

func (tx *memoryTx) Release(name string) {
	tx.writing()
	if _, had := tx.space.claims[name]; !had {
		return
	}
	tx.space.letGo(name)
	tx.released = append(tx.released, name)
	tx.undo = append(tx.undo, func() { tx.space.hold(name) })
}

func (sp *space) hold(name string) {
	sp.claims[name] = struct{}{}
	sp.used.add(0, perClaim+2*len(name))
}

func (sp *space) letGo(name string) {
	delete(sp.claims, name)
	sp.used.add(0, -perClaim-2*len(name))
}

// Usage implements Tx.
func (tx *memoryTx) Usage(name string) Usage {
	if name == "" {
		return tx.space.used
	}
	if t, ok := tx.space.tables[name]; ok {
		return t.used
	}
	return Usage{}
}

// count keeps the accounts of the table and of its sandbox.
func (t *table) count(rows, bytes int) {
	t.used.add(rows, bytes)
	t.space.add(rows, bytes)
}

func (t *table) insert(id string, r row) {
	t.count(1, r.size)
	t.rows[id] = r
	t.index[""] = insertRef(t.index[""], ref{seq: r.seq, id: id})
	for _, key := range r.keys {
		t.index[key] = insertRef(t.index[key], ref{seq: r.seq, id: id})
	}
}

func (t *table) remove(id string, r row) {
	t.count(-1, -r.size)
	delete(t.rows, id)
	t.index[""] = removeRef(t.index[""], r.seq)
	for _, key := range r.keys {
		t.unindex(key, r.seq)
	}
}

// replace swaps a row for another in the same place; only index keys that differ are touched.
func (t *table) replace(id string, old, r row) {
	t.count(0, r.size-old.size)
	t.rows[id] = r
	for _, key := range old.keys {
		if !slices.Contains(r.keys, key) {
			t.unindex(key, old.seq)
		}
	}
	for _, key := range r.keys {
		if !slices.Contains(old.keys, key) {
			t.index[key] = insertRef(t.index[key], ref{seq: r.seq, id: id})
		}
	}
}

func (t *table) unindex(key string, seq uint64) {
	if refs := removeRef(t.index[key], seq); len(refs) > 0 {
		t.index[key] = refs
		return
	}
	delete(t.index, key)
}

// insertRef keeps refs sorted by seq; new rows go to the end at no cost.
func insertRef(refs []ref, r ref) []ref {
	if n := len(refs); n == 0 || refs[n-1].seq < r.seq {
		return append(refs, r)
	}
	at := sort.Search(len(refs), func(i int) bool { return refs[i].seq >= r.seq })
	if at < len(refs) && refs[at].seq == r.seq {
		return refs
	}
	return slices.Insert(refs, at, r)
}

func removeRef(refs []ref, seq uint64) []ref {
	at := sort.Search(len(refs), func(i int) bool { return refs[i].seq >= seq })
	if at == len(refs) || refs[at].seq != seq {
		return refs
	}
	if at < len(refs)/2 { // the usual case of a queue: few rows to move, or none
		copy(refs[1:at+1], refs[:at])
		refs[0] = ref{}
		return refs[1:]
	}
	return slices.Delete(refs, at, at+1)
}
