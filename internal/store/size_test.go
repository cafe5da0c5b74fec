package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/store"
)

// usage is that of a table, or of the whole sandbox.
func usage(t require.TestingT, s *store.Memory, table string) (u store.Usage) {
	require.NoError(t, s.View(sandbox, func(tx store.Tx) error { u = tx.Usage(table); return nil }))
	return u
}

// recount is what a store would say that had only ever been given what is there now.
func recount(t *rapid.T, m *model, table string) store.Usage {
	fresh := store.NewMemory()
	require.True(t, fresh.Create(sandbox))
	require.NoError(t, fresh.Update(sandbox, func(tx store.Tx) error {
		for name, rows := range m.tables {
			for _, r := range rows {
				tx.Put(name, r.id, r.value, r.keys...)
			}
		}
		for name := range m.claims {
			tx.Claim(name)
		}
		return nil
	}))
	return usage(t, fresh, table)
}

// TestTheAccountsAreRight after every random transaction, also one that failed or panicked, replaced rows or everything.
func TestTheAccountsAreRight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, m := store.NewMemory(), newModel()
		require.True(t, s.Create(sandbox))
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			changed := m.clone()
			end := rapid.SampledFrom([]string{"commit", "commit", "error", "panic", "replaced"}).Draw(t, "end")
			if end == "replaced" {
				require.ErrorIs(t, s.Update(sandbox, func(tx store.Tx) error {
					operate(t, tx, changed)
					tx.Replace(store.State{Tables: map[string][]store.Row{"a": {{ID: "new", Keys: []string{"x"}, Value: store.Raw(`{}`)}}}, Claims: []string{"1", "n"}})
					operate(t, tx, newModel())
					return errUndo
				}), errUndo)
			} else if !transact(t, s, changed, end) {
				m = changed
			}
			for _, table := range []string{"", "a", "b"} {
				require.Equal(t, recount(t, m, table), usage(t, s, table), "table %q after %s", table, end)
			}
		}
		require.NoError(t, s.Import(sandbox, store.State{}))
		require.Zero(t, usage(t, s, ""), "nothing is left of an empty sandbox")
	})
}

func TestTheSizeOfARowIsThatOfWhatItHolds(t *testing.T) {
	t.Parallel()
	type nested struct {
		At    time.Time
		Text  string
		Bytes []byte
		List  []string
		Map   map[string]string
		Any   any
		Next  *nested
		Array [2]string
		skip  int
	}
	text := strings.Repeat("x", 1000)
	size := func(value any) int {
		s := open(t, sandbox)
		update(t, s, sandbox, func(tx store.Tx) { tx.Put("t", "1", value) })
		require.Equal(t, 1, usage(t, s, "t").Rows)
		return usage(t, s, "t").Bytes
	}
	empty := size(nested{At: time.Date(2026, 1, 8, 0, 0, 0, 0, time.Local), skip: 1})
	for name, value := range map[string]nested{
		"text": {Text: text}, "bytes": {Bytes: []byte(text)}, "list": {List: []string{text[:500], text[500:]}}, "map": {Map: map[string]string{"a": text}},
		"any": {Any: text}, "pointer": {Next: &nested{Text: text}}, "array": {Array: [2]string{"", text}}, "any list": {Any: []any{map[string]any{"a": text}}},
	} {
		require.InDelta(t, empty+1100, size(value), 250, name)
	}
	require.Equal(t, size(store.Raw(text)), size(text))
	require.Less(t, empty, 500)
	require.Equal(t, size(sized(12345))-12345, size(sized(0)), "a row that knows its size is asked")
}

type sized int

func (s sized) Size() int { return int(s) }

func BenchmarkPut(b *testing.B) {
	s := store.NewMemory()
	s.Create(sandbox)
	row := item{Name: "a name", Tags: []string{"one", "two", "three"}}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Update(sandbox, func(tx store.Tx) error { tx.Put("t", "1", row, "x", "y"); return nil })
	}
}
