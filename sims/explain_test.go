package sims_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
)

func TestExcerptsShowWhereTheyWereCut(t *testing.T) {
	t.Parallel()
	require.Equal(t, `""`, sims.Excerpt("", 3))
	require.Equal(t, `"aéi"`, sims.Excerpt("aéi", 3))
	require.Equal(t, `"aéi…"`, sims.Excerpt("aéio", 3))
	require.Equal(t, `"a\xff\n…"`, sims.Excerpt("a\xff\n\"", 3))
}

func TestHeadersThatAreAbsentOrEmptyAreCalledSo(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Key": {""}, "Sign": {strings.Repeat("s", 201)}}
	require.Equal(t, "no Key header", sims.SawHeader(h, "Key"))
	require.Equal(t, "an empty x-key header", sims.SawHeader(h, "x-key"))
	require.Equal(t, `Sign: "`+strings.Repeat("s", 200)+`…"`, sims.SawHeader(h, "Sign"))
}

func TestTheWorldClockIsNamedWhereItIsNotTheEdgeClock(t *testing.T) {
	t.Parallel()
	edge := time.Date(2026, 1, 8, 10, 30, 0, 250_999_999, time.UTC)
	e := &sims.Env{Now: edge.Add(time.Millisecond), Edge: edge}
	require.Equal(t, "the edge clock, now 2026-01-08T10:30:00.25Z or 1767868200250 ms", e.EdgeClock())
	e.Now = edge.AddDate(-1, 0, 0)
	require.Equal(t, "the edge clock, now 2026-01-08T10:30:00.25Z or 1767868200250 ms; "+
		"it is not the world clock, which says 2025-01-08T10:30:00.25Z", e.EdgeClock())
}

func TestTimestampsInSecondsAreRecognised(t *testing.T) {
	t.Parallel()
	e := &sims.Env{Edge: time.UnixMilli(1_767_868_200_250)}
	for sent, saw := range map[float64]string{
		1_767_868_200:     "timestamp 1767868200, which looks like seconds; milliseconds are wanted",
		1_767_868_195:     "timestamp 1767868195, which looks like seconds; milliseconds are wanted",
		1_767_868_193:     "timestamp 1767868193, which is -1766100332057 ms from the edge clock",
		1_767_868_100_250: "timestamp 1767868100250, which is -100000 ms from the edge clock",
		1e300:             "timestamp 1e+300, which is +1e+300 ms from the edge clock",
	} {
		require.Equal(t, saw, e.SawTimestamp(sent, 5*time.Second))
	}
}

func TestUnknownEventsAreOfferedTheLikeliestNames(t *testing.T) {
	t.Parallel()
	e := &sims.Env{Catalogue: []sims.EventType{{Type: "INVOICE_PAID"}, {Type: "INVOICES_PAID"}, {Type: "PAYOUT"}}}
	const all = "one of the 3 event types that GET /_mocksrv/v1/sims lists"
	require.Equal(t, all, e.WantEvent(""))
	require.Equal(t, all, e.WantEvent("x"))
	require.Equal(t, all, e.WantEvent(strings.Repeat("INVOICE_PAID", 9)))
	require.Equal(t, "perhaps PAYOUT; "+all, e.WantEvent("payouts"))
	require.Equal(t, "perhaps INVOICES_PAID or INVOICE_PAID; "+all, e.WantEvent("INVOICES.PAID"))
}

func TestUsualMistakesInSignaturesAreNamed(t *testing.T) {
	t.Parallel()
	h := sims.HMAC{Hash: crypto.SHA256, Key: "key", Secret: "5ec7e7", Text: []byte("text")}
	// printf text | openssl dgst -sha256 -hmac 5ec7e7, and with -mac HMAC -macopt hexkey:5ec7e7
	right, decoded := "82b3f8e210496bc04daeef424b14f20371b5d5a4ef8444442c29833f1a7a1c70", "43f83d72048cecda3f993483660879e5290dc4df732f0160a6a3a78906ed1393"
	raw, err := hex.DecodeString(right)
	require.NoError(t, err)
	for sent, mistake := range map[string]string{
		right[:62]:                             "",
		"0x" + right:                           "with more than the hexadecimal digits",
		"(stdin)= " + right:                    "with more than the hexadecimal digits",
		base64.StdEncoding.EncodeToString(raw): "in base64 instead of hexadecimal digits",
		decoded:                                "signed with the bytes that the secret spells in hexadecimal; the secret itself is the key, as text",
		"":                                     "", "0x": "which is not hexadecimal", "no": "which is not hexadecimal",
	} {
		require.Equal(t, mistake, h.Mistake(sent), sent)
	}
}
