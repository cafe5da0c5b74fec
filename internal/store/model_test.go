package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/store"
)

// item is a row of the tests.
type item struct {
	Name string   `json:"name"`
	Tags []string `json:"tags,omitempty"`
}

const sandbox = "s"

// model is a sandbox as simple as can be: rows in a slice, nothing indexed.
type model struct {
	tables   map[string][]modelRow
	counters map[string]uint64
	claims   map[string]bool
}

type modelRow struct {
	id    string
	value item
	keys  []string
}

func newModel() *model {
	return &model{tables: map[string][]modelRow{}, counters: map[string]uint64{}, claims: map[string]bool{}}
}

func (m *model) clone() *model {
	c := newModel()
	for name, rows := range m.tables {
		c.tables[name] = slices.Clone(rows)
	}
	maps.Copy(c.counters, m.counters)
	maps.Copy(c.claims, m.claims)
	return c
}

func (m *model) find(table, id string) int {
	return slices.IndexFunc(m.tables[table], func(r modelRow) bool { return r.id == id })
}

func (m *model) put(table string, r modelRow) {
	if at := m.find(table, r.id); at >= 0 {
		m.tables[table][at] = r
		return
	}
	m.tables[table] = append(m.tables[table], r)
}

func (m *model) remove(table, id string) bool {
	at := m.find(table, id)
	if at < 0 {
		return false
	}
	m.tables[table] = slices.Delete(slices.Clone(m.tables[table]), at, at+1)
	return true
}

func (m *model) ids(table, key string, offset, limit int) []string {
	ids := []string{}
	for _, r := range m.tables[table] {
		if key == "" || slices.Contains(r.keys, key) {
			ids = append(ids, r.id)
		}
	}
	ids = ids[min(max(offset, 0), len(ids)):]
	if limit >= 0 {
		ids = ids[:min(limit, len(ids))]
	}
	return ids
}

var errUndo = errors.New("the transaction fails")

// TestTheStoreBehavesAsItsModel runs random transactions, some of which fail or panic, against store and model.
func TestTheStoreBehavesAsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, m := store.NewMemory(), newModel()
		require.True(t, s.Create(sandbox))
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			before, changed := dump(t, s), m.clone()
			end := rapid.SampledFrom([]string{"commit", "commit", "commit", "error", "panic"}).Draw(t, "end")
			require.Equal(t, end != "commit", transact(t, s, changed, end))
			if end == "commit" {
				m = changed
			} else {
				require.Equal(t, before, dump(t, s), "a failed transaction leaves no trace")
			}
			compare(t, s, m)
			if rapid.IntRange(0, 5).Draw(t, "reimport") == 0 {
				reimport(t, s)
				compare(t, s, m)
			}
		}
	})
}

// transact runs one transaction and reports whether it was undone.
func transact(t *rapid.T, s *store.Memory, m *model, end string) (undone bool) {
	defer func() {
		if r := recover(); r != nil {
			require.Equal(t, errUndo, r)
			undone = true
		}
	}()
	err := s.Update(sandbox, func(tx store.Tx) error {
		for range rapid.IntRange(0, 15).Draw(t, "operations") {
			operate(t, tx, m)
		}
		compareTx(t, tx, m)
		switch end {
		case "error":
			return errUndo
		case "panic":
			panic(errUndo)
		}
		return nil
	})
	require.True(t, err == nil || errors.Is(err, errUndo))
	return err != nil
}

func operate(t *rapid.T, tx store.Tx, m *model) {
	table := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "table")
	id := rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"}).Draw(t, "id")
	switch rapid.IntRange(0, 9).Draw(t, "operation") {
	case 0, 1, 2, 3:
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(t, "keys")
		value := item{Name: rapid.StringMatching(`[a-zä<&>]{0,4}`).Draw(t, "name"), Tags: keys}
		tx.Put(table, id, value, keys...)
		m.put(table, modelRow{id: id, value: value, keys: keys})
	case 4, 5, 6:
		require.Equal(t, m.remove(table, id), tx.Delete(table, id))
	case 7:
		m.counters[table]++
		require.Equal(t, m.counters[table], tx.Next(table))
	case 8:
		tx.Claim(id)
		m.claims[id] = true
	case 9:
		tx.Release(id)
		delete(m.claims, id)
	}
}

// compare holds everything that can be seen of a store against the model.
func compare(t *rapid.T, s *store.Memory, m *model) {
	require.NoError(t, s.View(sandbox, func(tx store.Tx) error {
		compareTx(t, tx, m)
		return nil
	}))
	for id := range 7 {
		where, ok := s.Locate(fmt.Sprint(id))
		require.Equal(t, m.claims[fmt.Sprint(id)], ok)
		require.Equal(t, ok, where == sandbox)
	}
}

func compareTx(t *rapid.T, tx store.Tx, m *model) {
	for _, name := range []string{"a", "b"} {
		for _, key := range []string{"", "x", "y", "z", "none"} {
			all := m.ids(name, key, 0, -1)
			require.Equal(t, all, append([]string{}, tx.IDs(name, key, 0, -1)...))
			require.Equal(t, len(all), tx.Count(name, key))
			for _, page := range [][2]int{{0, 2}, {1, 2}, {2, 0}, {5, 5}, {9, 1}, {-1, 3}} {
				require.Equal(t, m.ids(name, key, page[0], page[1]), append([]string{}, tx.IDs(name, key, page[0], page[1])...))
			}
		}
		opened := store.TableOf[item](tx, name, nil)
		for i, row := range opened.All("") {
			require.Equal(t, m.tables[name][i].value.Name, row.Name)
		}
		_, ok := opened.Get("none")
		require.False(t, ok)
	}
}

func dump(t require.TestingT, s *store.Memory) string {
	state, err := s.Export(sandbox)
	require.NoError(t, err)
	data, err := json.Marshal(state, json.Deterministic(true))
	require.NoError(t, err)
	return string(data)
}

// reimport sends the state through JSON, into another store and back.
func reimport(t *rapid.T, s *store.Memory) {
	before := dump(t, s)
	var state store.State
	require.NoError(t, json.Unmarshal([]byte(before), &state))
	other := store.NewMemory()
	require.True(t, other.Create(sandbox))
	require.NoError(t, other.Import(sandbox, state))
	require.Equal(t, before, dump(t, other))
	require.NoError(t, s.Update(sandbox, func(tx store.Tx) error {
		tx.Put("a", "stray", item{}, "x")
		tx.Next("stray")
		tx.Claim("stray")
		return nil
	}))
	require.NoError(t, s.Import(sandbox, state))
	require.Equal(t, before, dump(t, s), "an import replaces everything")
	_, ok := s.Locate("stray")
	require.False(t, ok)
}
