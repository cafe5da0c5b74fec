package control_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// TestFiltersThatNameNothingAreRefused: they would select nothing, and look like an answer.
func TestFiltersThatNameNothingAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, c := range []struct{ route, query, field, says string }{
		{"journal", "operation=createWebhok", "operation", `did you mean "createWebhook"?`},
		{"journal", "sim=bts&operation=createWebhook", "operation", `there is no operation "createWebhook"`},
		{"journal", "rule=unknown-pth", "rule", `did you mean "unknown-path"?`},
		{"journal", "rule=simulator-limits", "rule", `did you mean "simulator-limit"?`},
		{"deliveries", "type=payment.suceeded", "type", `did you mean "payment.succeeded"?`},
		{"deliveries", "sim=bts&type=payment.succeeded", "type", `there is no event type "payment.succeeded"`},
	} {
		p := a.call("GET "+sandboxPath+"/"+c.route, request{query: c.query, wrong: true}).is(http.StatusUnprocessableEntity).problem()
		require.Equal(t, c.field, p.Errors[0].Field, c.query)
		require.Contains(t, p.Detail, c.says, c.query)
		require.NotEmpty(t, p.Errors[0].Valid, c.query)
	}
	for route, queries := range map[string][]string{
		"journal":    {"operation=createWebhook", "sim=hsrcpay&operation=createWebhook", "rule=simulator-limit", "rule=internal", "rule=unknown-path"},
		"deliveries": {"type=payment.succeeded", "sim=hsrcpay&type=payment.succeeded"},
	} {
		for _, query := range queries {
			a.call("GET "+sandboxPath+"/"+route, request{query: query}).is(http.StatusOK)
		}
	}
}

func TestALateAnswerIsInWordsForPeople(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	p := a.call("GET "+sandboxPath+"/deliveries", request{query: "wait=10ms&count=3"}).is(http.StatusRequestTimeout).problem()
	require.Equal(t, "0 of 3 wanted deliveries came within 10ms; wait longer, or look at all of them without the filter", p.Detail)
	a.call("POST "+sandboxPath+"/receivers", request{body: `{"name":"shop"}`}).is(http.StatusCreated)
	p = a.call("GET "+sandboxPath+"/receivers/{receiver}", request{params: in("default", "receiver", "shop"), query: "wait=10ms"}).is(http.StatusRequestTimeout).problem()
	require.NotContains(t, p.Detail, "context")
}

// TestAnAdvanceThatEndsEarlyLosesNothing: its problem has the attempts that were made, and the next goes on from there.
func TestAnAdvanceThatEndsEarlyLosesNothing(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen)
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 3 {
			cancel() // the caller gives up while the third attempt is under way
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(shop.Close)
	subscribe(t, srv, client.SandboxSim{BaseURL: srv.BaseURL("signedsub"), Credentials: srv.Credentials("signedsub")}, shop.URL)
	_, err := srv.Emit(client.Event{Sim: "signedsub", Type: "INVOICE_PAID"})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/_mocksrv/v1/sandboxes/default/clock/advance", strings.NewReader(`{"until":"idle"}`)))
	require.Equal(t, http.StatusUnprocessableEntity, rec.Code, rec.Body)
	var problem client.Problem
	require.NoError(t, strictjson.UnmarshalKnown(rec.Body.Bytes(), &problem))
	require.NotContains(t, problem.Detail, "context")
	require.Len(t, problem.Fired, 3)
	fired, err := srv.AdvanceUntilIdle()
	require.NoError(t, err)
	require.NotEmpty(t, fired)
	require.Equal(t, 4, fired[0].Attempt)
	require.EqualValues(t, 3+len(fired), calls.Load())
}

// TestClockChangesDoNotOverwriteEachOther: one sets the skew, one the edge, again and again.
func TestClockChangesDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen)
	box := srv.Control().In("default")
	var wg sync.WaitGroup
	for n := range 20 {
		skew := fmt.Sprintf("%ds", n+1)
		for _, change := range []client.ClockChange{{Skew: &skew}, {Edge: []string{"wall", "world"}[n%2]}} {
			wg.Go(func() {
				if _, err := box.SetClock(t.Context(), change); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		now, err := box.Clock(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{skew, []string{"wall", "world"}[n%2]}, []string{now.Skew, now.Edge})
	}
}

// TestTheLiveStreamTellsOfBlocksAndInProcessMoves.
func TestTheLiveStreamTellsOfBlocksAndInProcessMoves(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen)
	require.NoError(t, srv.SetPolicy("signedsub.block_limit", 2))
	id := subscribe(t, srv, client.SandboxSim{BaseURL: srv.BaseURL("signedsub"), Credentials: srv.Credentials("signedsub")}, customer(t, 500))
	events, err := srv.Control().In("default").StreamAfter(t.Context(), 0)
	require.NoError(t, err)
	_, err = srv.Emit(client.Event{Sim: "signedsub", Type: "INVOICE_PAID"})
	require.NoError(t, err)
	_, err = srv.Advance(0)
	require.NoError(t, err)
	_, err = srv.AdvanceUntilIdle()
	require.NoError(t, err)
	stored, err := srv.Webhooks("signedsub")
	require.NoError(t, err)
	require.Equal(t, "blocked", strings.ToLower(stored[0].State))
	_, err = srv.Unblock(id)
	require.NoError(t, err)
	require.NoError(t, srv.SetPolicy("signedsub.block_limit", nil))
	_, err = srv.Advance(0)
	require.NoError(t, err)
	kinds := map[string]int{}
	for event, err := range events {
		require.NoError(t, err)
		if kinds[event.Kind]++; kinds["clock"] == 3 {
			break
		}
	}
	require.Equal(t, 3, kinds["webhooks"], "stored, blocked, unblocked")
}
