package derive_test

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/derive"
)

// source64 is math/rand.Source64, which gofakeit takes.
type source64 interface {
	Int63() int64
	Seed(seed int64)
	Uint64() uint64
}

var _ source64 = (*derive.Source)(nil)

func TestTheSamePathGivesTheSameBytesForEver(t *testing.T) {
	t.Parallel()
	v := derive.Root(42, "default").Child("bts").Value("webhook", 1)
	require.Equal(t, "8b7542d0c69b1bd94cb11be4bb2f7e1b408319af6b29c41bdb46109b05683839", v.Hex(64), "users keep ids in their fixtures: this must never change")
	require.Equal(t, v, derive.Root(42, "default").Child("bts").Value("webhook", 1))
}

// TestEveryPartOfThePathCounts: two different paths never meet.
func TestEveryPartOfThePathCounts(t *testing.T) {
	t.Parallel()
	type path struct {
		seed               int64
		sandbox, sim, kind string
		n                  uint64
	}
	draw := rapid.Custom(func(t *rapid.T) path {
		part := rapid.SampledFrom([]string{"", "a", "ab", "b", "a\x00", "1"})
		return path{
			rapid.Int64Range(-2, 12).Draw(t, "seed"), part.Draw(t, "sandbox"), part.Draw(t, "sim"), part.Draw(t, "kind"),
			rapid.SampledFrom([]uint64{0, 1, 2, 1 << 40, 1<<64 - 1}).Draw(t, "n"),
		}
	})
	value := func(p path) derive.Value { return derive.Root(p.seed, p.sandbox).Child(p.sim).Value(p.kind, p.n) }
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		require.Equal(t, a == b, value(a) == value(b))
	})
}

func TestForms(t *testing.T) {
	t.Parallel()
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	alphanumeric := regexp.MustCompile(`^[0-9A-Za-z]*$`)
	rapid.Check(t, func(t *rapid.T) {
		v := derive.Root(rapid.Int64().Draw(t, "seed"), "s").Value("k", rapid.Uint64().Draw(t, "n"))
		n := rapid.IntRange(0, 32).Draw(t, "length")
		require.Regexp(t, uuid, v.UUID())
		require.Equal(t, regexp.MustCompile("-").ReplaceAllString(v.UUID(), ""), v.UUIDHex())
		require.Equal(t, hex.EncodeToString(v[:n]), v.Hex(2*n))
		require.Equal(t, base64.StdEncoding.EncodeToString(v[:n]), v.Base64(n))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(v[:n]), v.Base64URL(n))
		require.Len(t, v.Alphanumeric(n), n)
		require.Regexp(t, alphanumeric, v.Alphanumeric(n))
		require.GreaterOrEqual(t, v.Float(), 0.0)
		require.Less(t, v.Float(), 1.0)
	})
	var highest derive.Value
	for i := range highest {
		highest[i] = 0xff
	}
	require.Less(t, highest.Float(), 1.0)
	require.Zero(t, derive.Value{}.Float())
}

func TestASourceRepeatsItself(t *testing.T) {
	t.Parallel()
	v := derive.Root(1, "s").Value("k", 1)
	a, b := v.Source(), v.Source()
	seen := map[uint64]bool{}
	for range 1000 {
		n := a.Uint64()
		require.Equal(t, n, b.Uint64())
		seen[n] = true
	}
	require.Len(t, seen, 1000)
	a.Seed(5)
	b.Seed(5)
	require.Equal(t, a.Int63(), b.Int63())
	require.GreaterOrEqual(t, a.Int63(), int64(0))
	var zero derive.Source
	require.Equal(t, uint64(0xe220a8397b1dcdaf), zero.Uint64(), "SplitMix64, published test vector for seed 0")
}
