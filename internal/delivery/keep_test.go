package delivery

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

func numbers(d Delivery) []int {
	var all []int
	for _, a := range d.Attempts {
		all = append(all, a.N)
	}
	return all
}

func TestTheFirstAndTheLastAttemptsAreKept(t *testing.T) {
	t.Parallel()
	d := Delivery{Body: []byte("{}"), Attempts: []Attempt{}}
	var earlier Delivery
	for n := 1; n <= 1000; n++ {
		require.Equal(t, n, d.Made()+1)
		d = d.add(Attempt{N: n, Request: Request{Body: d.Body}}, false)
		if n == MaxAttempts {
			require.Zero(t, d.Omitted)
			earlier = d
		}
	}
	var want []int
	for n := 1; n <= 50; n++ {
		want = append(want, n, 950+n)
	}
	slices.Sort(want)
	require.Equal(t, want, numbers(d))
	require.Equal(t, 900, d.Omitted)
	require.Equal(t, 51, numbers(earlier)[50], "a delivery that was read before stays as it was")
	_, ok := d.Attempt(51)
	require.False(t, ok)
	last, ok := d.Attempt(1000)
	require.True(t, ok)
	require.Equal(t, "{}", string(last.Request.Body))
}

func TestWhereRoomIsScarceAttemptsAreKeptScarcely(t *testing.T) {
	t.Parallel()
	d := Delivery{Body: []byte(strings.Repeat("x", 1000)), Attempts: []Attempt{}}
	for n := 1; n <= 50; n++ {
		d = d.add(Attempt{N: n, Status: 500, Request: Request{Body: d.Body}, Response: Response{Header: http.Header{"A": {"b"}}, Body: d.Body}}, false)
	}
	roomy := d.Size()
	d = d.add(Attempt{N: 51, Status: 503, Request: Request{Body: d.Body}, Response: Response{Header: http.Header{"A": {"b"}}, Body: d.Body}}, true)
	require.Equal(t, []int{1, 51}, numbers(d))
	require.Equal(t, 49, d.Omitted)
	require.Equal(t, 51, d.Made())
	require.Less(t, d.Size(), roomy/10)
	last, _ := d.Attempt(51)
	require.Equal(t, Response{Truncated: true}, last.Response, "what is left out is said to be")
	require.Equal(t, 503, last.Status)
	require.Equal(t, Response{}, Delivery{}.add(Attempt{}, true).Attempts[0].Response, "no answer is none, not a cut one")
}

// TestABodyIsKeptOnce: what is packed comes out as it was, also through JSON, and packing twice does nothing.
func TestABodyIsKeptOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[a-c]{0,6}`).Draw(t, "body")
		sent := rapid.SampledFrom([]string{body, body, body, body + "!"}).Draw(t, "sent")
		a := Attempt{N: 1, Request: Request{Body: []byte(sent)}, Signature: sims.Signature{
			StringToSign: rapid.StringMatching(`[a-d]{0,4}`).Draw(t, "before") + rapid.SampledFrom([]string{"", body, body + body}).Draw(t, "in it"),
		}}
		d := Delivery{Body: []byte(body)}
		packed := d.packed(a)
		require.Equal(t, a, d.unpacked(packed))
		require.Equal(t, packed, d.packed(packed))
		if sent == body && body != "" {
			require.Empty(t, packed.Request.Body)
			require.NotEqual(t, strings.Contains(a.Signature.StringToSign, body), packed.BodySignedAt == 0)
		}
		data, err := strictjson.Encode(packed)
		require.NoError(t, err)
		var again Attempt
		require.NoError(t, strictjson.Unmarshal(data, &again))
		out := d.unpacked(again)
		require.Equal(t, a.Signature, out.Signature)
		require.Equal(t, sent, string(out.Request.Body))
	})
}

// TestASizeIsThatOfItsTexts, each counted once.
func TestASizeIsThatOfItsTexts(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 10_000)
	d := Delivery{Body: []byte(text)}
	require.InDelta(t, 10_000, d.Size(), 1000)
	signed := d.add(Attempt{Request: Request{Body: d.Body}, Signature: sims.Signature{StringToSign: "t." + text}}, false)
	require.InDelta(t, 10_000, signed.Size(), 2000, "body and signed string share one text")
	answered := d.add(Attempt{Request: Request{Body: d.Body, Header: http.Header{"A": {text}}}, Response: Response{Body: []byte(text), Header: http.Header{"B": {text}}}, Error: &AttemptError{Detail: text}}, false)
	require.InDelta(t, 50_000, answered.Size(), 2500)
}
