package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
)

func open(t *testing.T, names ...string) *store.Memory {
	t.Helper()
	s := store.NewMemory()
	for _, name := range names {
		require.True(t, s.Create(name))
	}
	return s
}

func update(t *testing.T, s *store.Memory, name string, fn func(store.Tx)) {
	t.Helper()
	require.NoError(t, s.Update(name, func(tx store.Tx) error { fn(tx); return nil }))
}

func located(s *store.Memory, name string) string {
	sandbox, _ := s.Locate(name)
	return sandbox
}

func TestASandboxIsMadeOnceAndGoneWhenDeleted(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	require.False(t, s.Create("a"))
	s.Delete("a")
	s.Delete("a")
	for _, err := range []error{
		s.View("a", func(store.Tx) error { return nil }), s.Update("a", func(store.Tx) error { return nil }), s.Import("a", store.State{}),
	} {
		require.ErrorIs(t, err, store.ErrNoSandbox)
		require.EqualError(t, err, `store: no such sandbox: "a"`)
	}
	_, err := s.Export("a")
	require.ErrorIs(t, err, store.ErrNoSandbox)
	require.True(t, s.Create("a"))
	state, err := s.Export("a")
	require.NoError(t, err)
	require.Empty(t, state.Tables)
}

func TestClaimsAreSeenWhenTheirTransactionIsCommitted(t *testing.T) {
	t.Parallel()
	s := open(t, "a", "b")
	update(t, s, "a", func(tx store.Tx) {
		tx.Claim("key")
		require.Empty(t, located(s, "key"), "not before")
	})
	require.Equal(t, "a", located(s, "key"))
	require.ErrorIs(t, s.Update("a", func(tx store.Tx) error { tx.Release("key"); return errUndo }), errUndo)
	require.Equal(t, "a", located(s, "key"), "a release that was undone")
	require.ErrorIs(t, s.Update("b", func(tx store.Tx) error { tx.Claim("other"); return errUndo }), errUndo)
	require.Empty(t, located(s, "other"), "a claim that was undone")
	update(t, s, "a", func(tx store.Tx) { tx.Release("key"); tx.Claim("key") })
	require.Equal(t, "a", located(s, "key"), "released and claimed in one")
	update(t, s, "a", func(tx store.Tx) { tx.Claim("new"); tx.Release("new") })
	require.Empty(t, located(s, "new"), "claimed and released in one")
	update(t, s, "b", func(tx store.Tx) { tx.Claim("key") })
	require.Equal(t, "b", located(s, "key"), "the last claim wins")
	update(t, s, "a", func(tx store.Tx) { tx.Release("key") })
	require.Equal(t, "b", located(s, "key"), "who lost a name cannot give it up")
	s.Delete("b")
	require.Empty(t, located(s, "key"))
}

func TestImportGivesUpTheClaimsThatAreNotInIt(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Claim("old"); tx.Claim("both") })
	require.NoError(t, s.Import("a", store.State{Claims: []string{"both", "new"}}))
	require.Empty(t, located(s, "old"))
	require.Equal(t, "a", located(s, "both"))
	require.Equal(t, "a", located(s, "new"))
}

func TestAViewCannotWrite(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	for name, write := range map[string]func(store.Tx){
		"put": func(tx store.Tx) { tx.Put("t", "1", 1) }, "delete": func(tx store.Tx) { tx.Delete("t", "1") },
		"next": func(tx store.Tx) { tx.Next("c") }, "claim": func(tx store.Tx) { tx.Claim("n") }, "release": func(tx store.Tx) { tx.Release("n") },
	} {
		require.PanicsWithValue(t, "store: write in a View", func() {
			_ = s.View("a", func(tx store.Tx) error { write(tx); return nil })
		}, name)
	}
	update(t, s, "a", func(tx store.Tx) { require.Zero(t, tx.Count("t", "")) }) // no lock was left behind
}

func TestAReplacedRowKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	update(t, s, "a", func(tx store.Tx) {
		for i := range 5 {
			tx.Put("t", fmt.Sprint(i), item{}, "all")
		}
		tx.Put("t", "1", item{}, "other")
		tx.Put("t", "1", item{}, "all")
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, tx.IDs("t", "all", 0, -1))
		tx.Delete("t", "2")
		tx.Put("t", "2", item{}, "all")
		require.Equal(t, []string{"0", "1", "3", "4", "2"}, tx.IDs("t", "", 0, -1))
		first, ok := store.TableOf(tx, "t", func(item) []string { return nil }).First("all")
		require.True(t, ok)
		require.Equal(t, item{}, first)
		_, ok = store.TableOf[item](tx, "t", nil).First("none")
		require.False(t, ok)
	})
}

func TestImportedRowsAreDecodedWhenTheyAreRead(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	require.NoError(t, s.Import("a", store.State{Tables: map[string][]store.Row{"t": {
		{ID: "good", Value: store.Raw(`{"name":"n"}`)}, {ID: "bad", Value: store.Raw(`{"name":1}`)},
	}}}))
	update(t, s, "a", func(tx store.Tx) {
		rows := store.TableOf[item](tx, "t", nil)
		got, ok := rows.Get("good")
		require.True(t, ok)
		require.Equal(t, item{Name: "n"}, got)
		require.Panics(t, func() { rows.Get("bad") })
		rows.Put("typed", item{})
		require.PanicsWithValue(t, "store: table t holds store_test.item, opened as int", func() { store.TableOf[int](tx, "t", nil).Get("typed") })
	})
}

func TestAnExportCannotBeChangedThroughTheStore(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Put("t", "1", item{Name: "before"}); tx.Next("c") })
	state, err := s.Export("a")
	require.NoError(t, err)
	require.NoError(t, s.Import("a", state))
	update(t, s, "a", func(tx store.Tx) { tx.Put("t", "1", item{Name: "after"}); tx.Next("c") })
	require.JSONEq(t, `{"name":"before"}`, string(state.Tables["t"][0].Value))
	require.Equal(t, map[string]uint64{"c": 1}, state.Counters)
}

func TestAValueThatDoesNotEncodeFailsTheExport(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	update(t, s, "a", func(tx store.Tx) { tx.Put("t", "1", func() {}) })
	_, err := s.Export("a")
	require.ErrorContains(t, err, "store: export table t: row 1: ")
}

func TestScopesKeepProvidersApart(t *testing.T) {
	t.Parallel()
	s := open(t, "a")
	update(t, s, "a", func(tx store.Tx) {
		one, two := store.Scoped(tx, "one"), store.Scoped(tx, "two")
		one.Put("t", "1", item{Name: "one"}, "key")
		one.Claim("name")
		require.EqualValues(t, 1, one.Next("c"))
		require.EqualValues(t, 1, two.Next("c"))
		require.Equal(t, 1, one.Count("t", "key"))
		require.Zero(t, two.Count("t", "key"))
		_, ok := two.Get("t", "1")
		require.False(t, ok)
		require.False(t, two.Delete("t", "1"))
		require.Equal(t, []string{"1"}, one.IDs("t", "", 0, -1))
		two.Release("name")
	})
	require.Equal(t, "a", located(s, "one/name"))
	update(t, s, "a", func(tx store.Tx) {
		store.Scoped(tx, "one").Release("name")
		require.True(t, store.Scoped(tx, "one").Delete("t", "1"))
	})
	require.Empty(t, located(s, "one/name"))
}

func TestUpdatesOfOneSandboxRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := open(t, "a", "b")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			name := []string{"a", "b"}[i%2]
			for range 100 {
				_ = s.Update(name, func(tx store.Tx) error {
					n := tx.Next("c")
					tx.Put("t", fmt.Sprint(n), item{}, fmt.Sprint(n%3))
					if n%5 == 0 {
						return errUndo
					}
					return nil
				})
				_ = s.View(name, func(tx store.Tx) error { _ = tx.IDs("t", "1", 0, -1); return nil })
				located(s, "x")
			}
		})
	}
	group.Wait()
	update(t, s, "a", func(tx store.Tx) {
		require.Equal(t, 4, tx.Count("t", ""), "every fifth is undone, and tried again for ever")
	})
}
