package control

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/engine"
)

// counted are candidates that count how often they are decoded.
func counted(n int, decoded *int) []candidate {
	all := make([]candidate, n)
	for i := range all {
		all[i] = candidate{id: fmt.Sprint(i), value: func() map[string]any {
			*decoded++
			return map[string]any{"n": fmt.Sprint(i)}
		}}
	}
	return all
}

// TestAVerificationThatWaitsDecodesOnlyWhatIsNew at each wake-up, and says what it would have said with everything anew.
func TestAVerificationThatWaitsDecodesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]client.Verification{
		"count": {Match: map[string]any{"n": "70"}},
		"order": {Order: []map[string]any{{"n": "10"}, {"n": "40"}, {"n": "70"}}},
	} {
		decoded, fresh := 0, 0
		all, again := counted(100, &decoded), counted(100, &fresh)
		seen := compared{}
		for n := range 101 {
			require.Equal(t, evaluate(v, view{all: again[:n]}, compared{}), evaluate(v, view{all: all[:n]}, seen), name)
		}
		require.LessOrEqual(t, decoded, 100, name)
		require.Greater(t, fresh, 3000, name)
	}
	changed := candidate{id: "1", version: "a", value: func() map[string]any { return map[string]any{"n": "1"} }}
	seen := compared{}
	require.NotEmpty(t, seen.compare(0, map[string]any{"n": "2"}, changed))
	changed.version, changed.value = "b", func() map[string]any { return map[string]any{"n": "2"} }
	require.Empty(t, seen.compare(0, map[string]any{"n": "2"}, changed), "another version is looked at anew")
}

func BenchmarkVerifyAtAWakeUp(b *testing.B) {
	var entries []*engine.Exchange
	for i := range 9000 {
		entries = append(entries, &engine.Exchange{
			ID: uint64(i), Direction: engine.Inbound, Sim: "hsrcpay", Method: "POST", Path: "/v1/webhooks/", Status: 201,
			Request:  engine.Message{Body: []byte(`{"endpoint":"https://merchant.example/hook","enabled_events":["payment.succeeded"]}`)},
			Response: engine.Message{Body: []byte(`{"id":"wh_0123456789","endpoint":"https://merchant.example/hook","enabled_events":["payment.succeeded"]}`)},
		})
	}
	v := client.Verification{Match: map[string]any{"path": "/never"}}
	seen := compared{}
	evaluate(v, view{all: exchangeCandidates(entries, v)}, seen)
	for b.Loop() {
		evaluate(v, view{all: exchangeCandidates(entries, v)}, seen)
	}
}
