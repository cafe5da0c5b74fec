package receiver

import (
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
)

func newSet(t *testing.T, c SetConfig) *Set {
	t.Helper()
	s := NewSet(c)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openIn(t *testing.T, s *Set, name string) *Receiver {
	t.Helper()
	r, err := s.Open(Spec{Name: name})
	require.NoError(t, err)
	return r
}

func names(s *Set) []string {
	all := []string{}
	for _, r := range s.List() {
		all = append(all, r.Name())
	}
	return all
}

func TestSet(t *testing.T) {
	t.Parallel()
	t.Run("holds receivers by name", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		b, a := openIn(t, s, "b"), openIn(t, s, "a")
		require.Equal(t, []*Receiver{a, b}, s.List())
		got, err := s.Get("b")
		require.NoError(t, err)
		require.Same(t, b, got)
	})
	t.Run("gives them its clock and its CA", func(t *testing.T) {
		t.Parallel()
		ca, err := authority.New()
		require.NoError(t, err)
		s := newSet(t, SetConfig{Now: worldStart, CA: ca})
		r, err := s.Open(Spec{Name: "a", TLS: Trusted})
		require.NoError(t, err)
		got, err := post(t, client(t, ca.Certificate), r)
		require.NoError(t, err)
		require.Equal(t, 200, got.status)
		requests, _ := r.Requests(0)
		require.Equal(t, worldStart(), requests[0].At)
	})
	t.Run("deletes one, and its port is closed", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		r := openIn(t, s, "a")
		openIn(t, s, "b")
		require.NoError(t, s.Delete("a"))
		require.Equal(t, []string{"b"}, names(s))
		_, err := post(t, client(t), r)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
	t.Run("closes all, and goes on", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		a, b := openIn(t, s, "a"), openIn(t, s, "b")
		require.NoError(t, s.CloseAll())
		require.Empty(t, s.List())
		require.ErrorIs(t, a.SetScript(Script{}), ErrClosed)
		require.ErrorIs(t, b.SetScript(Script{}), ErrClosed)
		openIn(t, s, "a")
		require.Equal(t, []string{"a"}, names(s))
	})
	t.Run("closes for good", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		a := openIn(t, s, "a")
		require.NoError(t, s.Close())
		require.ErrorIs(t, a.SetScript(Script{}), ErrClosed)
		_, err := s.Open(Spec{Name: "b"})
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a name twice", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		openIn(t, s, "a")
		_, err := s.Open(Spec{Name: "a"})
		require.ErrorIs(t, err, ErrExists)
		require.EqualError(t, err, `receiver: exists already: "a"; delete it first, or give it another script`)
	})
	t.Run("no name", func(t *testing.T) {
		t.Parallel()
		_, err := newSet(t, SetConfig{}).Open(Spec{})
		require.EqualError(t, err, `receiver: name: saw "", want `+wantName)
		require.ErrorAs(t, err, new(*InvalidError))
	})
	t.Run("a wrong script, and keeps nothing of it", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		_, err := s.Open(Spec{Name: "a", Script: Script{Then: "x"}})
		require.EqualError(t, err, `receiver: script.then: saw "x", want one of "", "last", "loop", "ok"`)
		openIn(t, s, "a")
	})
	t.Run("what cannot be opened, and keeps nothing of it", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{Limit: 1})
		_, err := s.Open(Spec{Name: "a", TLS: Trusted})
		require.ErrorAs(t, err, new(*InvalidError))
		openIn(t, s, "a")
	})
	t.Run("more than its limit", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{Limit: 2})
		openIn(t, s, "a")
		openIn(t, s, "b")
		_, err := s.Open(Spec{Name: "c"})
		require.ErrorIs(t, err, ErrLimit)
		require.EqualError(t, err, `receiver: too many receivers: "c" would be one more than the limit of 2; delete one first`)
		require.NoError(t, s.Delete("a"))
		openIn(t, s, "c")
	})
	t.Run("more than a hundred by default", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		for i := range 100 {
			openIn(t, s, fmt.Sprintf("r%d", i))
		}
		_, err := s.Open(Spec{Name: "c"})
		require.ErrorIs(t, err, ErrLimit)
	})
	t.Run("an unknown name, and says which there are", func(t *testing.T) {
		t.Parallel()
		s := newSet(t, SetConfig{})
		require.EqualError(t, s.Delete("x"), `receiver: does not exist: "x"; there is none`)
		openIn(t, s, "b")
		openIn(t, s, "a")
		_, err := s.Get("x")
		require.EqualError(t, err, `receiver: does not exist: "x"; there are a, b`)
		require.ErrorIs(t, err, ErrNotFound)
	})
}

// A set that closes while receivers are being opened keeps none of them.
func TestSetClosesWhileOpening(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := NewSet(SetConfig{})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { _, _ = s.Open(Spec{Name: fmt.Sprintf("r%d", i)}) })
		}
		all.Go(func() { _ = s.Close() })
		all.Wait()
		require.Empty(t, s.List())
		require.NoError(t, s.Close())
	}
}
