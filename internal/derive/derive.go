// Package derive makes ids, secrets, payloads and jitter from a seed, so that the same seed gives the same bytes.
//
// Every value depends on the path that names it (seed, sandbox, sim, kind, n) and on nothing else: there is no shared
// random stream whose order concurrent work could disturb.
package derive

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Key is a node of the derivation tree.
type Key [sha256.Size]byte

// Root is the key of one sandbox under a seed.
func Root(seed int64, sandbox string) Key {
	return Key{}.Child(strconv.FormatInt(seed, 10)).Child(sandbox)
}

// Child derives a key below k.
func (k Key) Child(name string) Key {
	buf := make([]byte, 0, 128)
	buf = append(append(buf, k[:]...), name...)
	return sha256.Sum256(buf)
}

// Value derives the n-th value of a kind.
func (k Key) Value(kind string, n uint64) Value {
	buf := make([]byte, 0, 128)
	buf = append(append(buf, k[:]...), kind...)
	buf = append(buf, 0)
	buf = binary.BigEndian.AppendUint64(buf, n)
	return sha256.Sum256(buf)
}

// Value is 32 derived bytes and the forms in which providers write such things.
type Value [sha256.Size]byte

// Hex returns n lower-case hexadecimal digits, at most 64.
func (v Value) Hex(n int) string { return hex.EncodeToString(v[:])[:n] }

// UUID returns a version 4 UUID with hyphens.
func (v Value) UUID() string {
	b := v
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// UUIDHex returns a version 4 UUID without hyphens: 32 lower-case hexadecimal digits.
func (v Value) UUIDHex() string {
	b := v
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:16])
}

// Base64 returns the first n bytes (at most 32) in standard base64.
func (v Value) Base64(n int) string { return base64.StdEncoding.EncodeToString(v[:n]) }

// Base64URL returns the first n bytes (at most 32) in unpadded URL-safe base64.
func (v Value) Base64URL(n int) string { return base64.RawURLEncoding.EncodeToString(v[:n]) }

// Alphanumeric returns n (at most 32) characters of [0-9A-Za-z].
func (v Value) Alphanumeric(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[int(v[i])%len(alphabet)]
	}
	return string(out)
}

// Uint64 returns the first eight bytes as a number.
func (v Value) Uint64() uint64 { return binary.BigEndian.Uint64(v[:8]) }

// Float returns a number in [0, 1).
func (v Value) Float() float64 { return float64(v.Uint64()>>11) / (1 << 53) }

// Source returns a random source seeded with the value. It satisfies math/rand.Source64 (as gofakeit wants it) and is
// not safe for concurrent use.
func (v Value) Source() *Source { return &Source{state: v.Uint64()} }

// Source is a SplitMix64 generator: 8 bytes of state, nothing to set up.
type Source struct{ state uint64 }

// Uint64 returns the next number.
func (s *Source) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Int63 returns the next number without its sign bit.
func (s *Source) Int63() int64 { return int64(s.Uint64() >> 1) }

// Seed starts the sequence anew.
func (s *Source) Seed(seed int64) { s.state = uint64(seed) }
