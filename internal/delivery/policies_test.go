package delivery_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// policied is a world of signedsub with policies set, and a subscription to a receiver that follows a script.
func policied(t *testing.T, policies object, replies ...receiver.Reply) (*simtest.World, *receiver.Receiver) {
	t.Helper()
	w := simtest.New(t, signedsub.New())
	for name, value := range policies {
		w.SetPolicy(name, value)
	}
	r := played(w, replies...)
	subscribe(w, hookID, r.URL())
	return w, r
}

func TestPolicyResign(t *testing.T) {
	t.Parallel()
	for resign, want := range map[bool]int{true: 4, false: 1} {
		w := simtest.New(t, bankly.New()) // whose signature has a nonce and a timestamp
		w.SetPolicy("resign", resign)
		r := played(w, receiver.Reply{Status: 500})
		providers()["bankly"].hook(w, r.URL())
		w.Emit(simtest.Event{Type: "TED_CASH_IN_WAS_CLEARED"})
		w.Idle()
		signatures, nonces := map[string]bool{}, map[string]bool{}
		for _, request := range arrived(r) {
			signatures[request.Header.Get("Authorization")] = true
			nonces[request.Header.Get("Nonce")] = true
		}
		require.Len(t, signatures, want, "resign %t", resign)
		require.Len(t, nonces, want, "resign %t", resign)
		require.Len(t, arrived(r), 4)
	}
}

// TestPolicyBind moves the webhook and changes its keys in the middle of a retry cycle.
func TestPolicyBind(t *testing.T) {
	t.Parallel()
	for _, bind := range []string{"attempt", "event"} {
		t.Run(bind, func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			w.SetPolicy("bind", bind)
			first, second := played(w, receiver.Reply{Status: 500}), played(w, receiver.Reply{Status: 500})
			secrets := map[string]string{}
			keep := func(reply *simtest.Reply) {
				secrets[fmt.Sprint(reply.Get("publicKey"))] = fmt.Sprint(reply.Get("secretKey"))
			}
			keep(subscribe(w, hookID, first.URL()))
			oldKey := fmt.Sprint(shown(w, "publicKey"))
			d := emit(w)
			w.Advance(30 * time.Second)
			keep(newKeys(w, hookID))
			moveTo(w, hookID, second.URL())
			w.Advance(90 * time.Second) // the retries after 30 and 60 seconds
			require.Len(t, get(w, d.ID).Attempts, 4)
			moved := 2
			if bind == "event" {
				moved = 0
			}
			require.Len(t, arrived(second), moved)
			require.Len(t, arrived(first), 4-moved)
			for _, request := range append(arrived(first), arrived(second)...) {
				key := request.Header.Get("Key")
				require.Equal(t, mac(secrets[key], request.Body), request.Header.Get("Sign"))
				require.Equal(t, bind == "event" || request.Header.Get("Host") == hostOf(first), key == oldKey)
			}
		})
	}
}

func hostOf(r *receiver.Receiver) string { return r.Info().Spec.Address }

func mac(secret string, body []byte) string {
	h := hmac.New(sha512.New, []byte(secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func TestPolicySuccessStatuses(t *testing.T) {
	t.Parallel()
	for policy, delivered := range map[string][]int{"200": {200}, "2xx": {200, 201, 202, 204, 299}} {
		for _, status := range []int{200, 201, 202, 204, 299, 300, 304, 400, 500} {
			w, _ := policied(t, object{"success_statuses": policy}, receiver.Reply{Status: status})
			want := delivery.Pending
			if slices.Contains(delivered, status) {
				want = delivery.Delivered
			}
			require.Equal(t, want, emit(w).State, "%s, status %d", policy, status)
		}
	}
}

func TestPolicyPermanentStatuses(t *testing.T) {
	t.Parallel()
	for policy, permanent := range map[string][]int{"none": nil, "client_errors": {400, 401, 403, 404, 410, 422, 451, 499}} {
		for _, status := range []int{302, 400, 401, 403, 404, 408, 409, 410, 422, 425, 429, 451, 499, 500, 503} {
			w, _ := policied(t, object{"permanent_statuses": policy}, receiver.Reply{Status: status})
			d := emit(w)
			want := delivery.Pending
			if slices.Contains(permanent, status) {
				want = delivery.Failed
				require.Equal(t, fmt.Sprintf("status %d is permanent", status), d.Reason)
			}
			require.Equal(t, want, d.State, "%s, status %d", policy, status)
		}
	}
}

func TestPolicyAttemptTimeout(t *testing.T) {
	t.Parallel()
	w, r := policied(t, object{"attempt_timeout": "50ms"}, receiver.Reply{Fault: receiver.Hang, Times: 1}, receiver.Reply{Delay: "100ms"})
	require.Equal(t, delivery.ClassTimeout, classOf(emit(w).Attempts[0]))
	w.SetPolicy("attempt_timeout", "1m")
	w.Advance(30 * time.Second)
	require.Equal(t, delivery.Delivered, w.Deliveries()[0].State)
	require.Len(t, arrived(r), 2)
}

func TestPolicyBlockCounts(t *testing.T) {
	t.Parallel()
	for counts, blockedAfter := range map[string]int{"attempt": 3, "event": 6} {
		w, r := policied(t, object{"block_counts": counts, "block_limit": 2, "retry_schedule": []any{"1s"}}, receiver.Reply{Status: 500})
		for shown(w, "blockedByErrorCount") == false {
			emit(w)
			w.Advance(time.Second)
			require.LessOrEqual(t, len(arrived(r)), 6)
		}
		require.Len(t, arrived(r), blockedAfter, counts)
	}
}

// TestPolicyBlockWindowKind fails at these minutes, with a limit of 2 and a window of 10 minutes.
func TestPolicyBlockWindowKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minutes []int
		blocks  []string // the kinds under which the last failure blocks
	}{
		{[]int{0, 5, 10}, []string{"none", "first_error", "sliding"}},
		{[]int{0, 9, 12}, []string{"none"}},
		{[]int{0, 9, 12, 13}, []string{"sliding"}},
		{[]int{0, 9, 12, 21, 23}, nil},
		{[]int{0, 11, 12, 13}, []string{"first_error", "sliding"}},
		{[]int{0, 11, 22, 33, 44}, nil},
	} {
		for _, kind := range []string{"none", "first_error", "sliding"} {
			w, _ := policied(t, object{
				"block_window_kind": kind, "block_limit": 2, "block_window": "10m", "retry_schedule": []any{},
			}, receiver.Reply{Status: 500})
			for i, minute := range c.minutes {
				w.Advance(simtest.Start().Add(time.Duration(minute) * time.Minute).Sub(w.Sandbox.Clock.Now()))
				if kind == "none" && i > 2 {
					break // blocked by the third
				}
				require.Equal(t, false, shown(w, "blockedByErrorCount"), "%s, before minute %d of %v", kind, minute, c.minutes)
				emit(w)
			}
			want := kind == "none" || slices.Contains(c.blocks, kind)
			require.Equal(t, want, shown(w, "blockedByErrorCount"), "%s, %v", kind, c.minutes)
		}
	}
}

func TestPolicyWhileBlocked(t *testing.T) {
	t.Parallel()
	for policy, state := range map[string]delivery.State{"drop": delivery.Dropped, "hold": delivery.Held, "fail": delivery.Failed} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w, r := policied(t, object{"while_blocked": policy, "block_limit": 3}, receiver.Reply{Status: 500})
			for range 4 {
				require.Equal(t, false, shown(w, "blockedByErrorCount"))
				emit(w)
			}
			require.Equal(t, true, shown(w, "blockedByErrorCount"))
			emit(w) // happens while it is blocked
			require.Empty(t, w.Idle(), "nothing is sent to a webhook that is blocked")
			for i, d := range w.Deliveries() {
				require.Equal(t, state, d.State, "%d: %s", i, d.Reason)
				require.Contains(t, d.Reason, "the webhook is blocked")
				require.Len(t, d.Attempts, map[bool]int{true: 1, false: 0}[i < 4])
			}
			answer(t, r)
			w.Unblock(hookID)
			bodies := arrived(r)[4:]
			if policy == "drop" {
				require.Empty(t, bodies, "what was dropped is gone")
				return
			}
			require.Len(t, bodies, 5)
			for i, d := range w.Deliveries() {
				require.Equal(t, delivery.Delivered, d.State)
				require.Equal(t, d.Attempts[len(d.Attempts)-1].At, w.Sandbox.Clock.Now(), "delivery %d", i)
			}
			require.Empty(t, w.Idle())
		})
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	w, _ := policied(t, nil, receiver.Reply{Status: 200})
	_, _, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{
		Sim: "signedsub", Type: payout, Data: map[string]any{"message": strings.Repeat("x", delivery.MaxEvent)},
	})
	require.ErrorIs(t, err, delivery.ErrEventTooLarge)
	require.Empty(t, w.Deliveries())
}
