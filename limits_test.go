package mocksrv_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

const megabyte = 1 << 20

// hooked stores a webhook at hsrcpay for succeeded payments.
func hooked(t *testing.T, srv *mocksrv.Server, url string) {
	t.Helper()
	key := srv.Credentials("hsrcpay")["secret_key"]
	require.Equal(t, 201, hsrcpay(t, srv, key, http.MethodPost, "/v1/webhooks/", `{"endpoint":"`+url+`","enabled_events":["payment.succeeded"]}`))
}

// large is an event of about so many bytes.
func large(bytes int) client.Event {
	return client.Event{Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"filler": strings.Repeat("x", bytes)}}
}

func small(o *mocksrv.Options) { o.MaxSandboxBytes = 4 * megabyte }

// TestWaitingDeliveriesAreBoundedInBytes: the event that would be too much is refused whole, and what is there goes on.
func TestWaitingDeliveriesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()), small)
	bad, _ := answering(t, 500)
	hooked(t, srv, bad)
	n := 0
	_, err := srv.Emit(large(100_000))
	for ; err == nil; _, err = srv.Emit(large(100_000)) {
		n++
		require.Less(t, n, 100)
	}
	require.ErrorContains(t, err, "the backlog is full: the sandbox is full: it would hold")
	require.ErrorContains(t, err, "--max-sandbox-bytes")
	require.InDelta(t, 41, n, 2, "4 MiB of 100 kB each")
	_, err = srv.Control().In("default").Emit(t.Context(), large(100_000))
	var problem client.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, []any{http.StatusTooManyRequests, "backlog full"}, []any{problem.Status, problem.Title})
	all, err := srv.Deliveries()
	require.NoError(t, err)
	require.Len(t, all, n)
	fired, err := srv.Advance(100 * 24 * time.Hour)
	require.NoError(t, err)
	require.Greater(t, len(fired), 3*n, "all are retried to the end, full or not")
	_, err = srv.Emit(large(100_000))
	require.NoError(t, err, "what is over makes room for what is new")
	page, err := srv.Control().In("default").Deliveries(t.Context(), client.DeliveryFilter{})
	require.NoError(t, err)
	require.NotZero(t, page.Forgotten, "and is counted")
}

// TestAProvidersClientIsToldThatTheSimulatorIsFull in words of the simulator, and the journal can be asked for it.
func TestAProvidersClientIsToldThatTheSimulatorIsFull(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.MaxSandboxRows = 100 })
	status := 201
	for n := 0; status == 201; n++ {
		require.Less(t, n, 101)
		status = hsrcpay(t, srv, srv.Credentials("hsrcpay")["secret_key"], http.MethodPost, "/v1/webhooks/",
			fmt.Sprintf(`{"endpoint":"https://merchant.example/%d","enabled_events":["payment.succeeded"]}`, n))
	}
	require.Equal(t, http.StatusInsufficientStorage, status)
	journal, err := srv.Control().In("default").Journal(t.Context(), client.JournalFilter{Rule: "simulator-limit"})
	require.NoError(t, err)
	require.Len(t, journal.Exchanges, 1)
	require.Contains(t, journal.Exchanges[0].Refusal.Saw, "rows")
	require.Contains(t, journal.Exchanges[0].Response.Body, "limit of the simulator")
	require.NoError(t, srv.Reset())
	require.Equal(t, 201, hsrcpay(t, srv, srv.Credentials("hsrcpay")["secret_key"], http.MethodPost, "/v1/webhooks/", `{"endpoint":"https://merchant.example/x","enabled_events":["payment.succeeded"]}`))
}

// TestALoopOfRedeliveriesKeepsAHundredAttempts, and says how many it does not keep.
func TestALoopOfRedeliveriesKeepsAHundredAttempts(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()))
	good, seen := answering(t, 200)
	hooked(t, srv, good)
	emitted, err := srv.Emit(large(1000))
	require.NoError(t, err)
	_, err = srv.Advance(0)
	require.NoError(t, err)
	for range 119 {
		_, err = srv.Redeliver(emitted.Deliveries[0].ID)
		require.NoError(t, err)
		_, err = srv.Advance(0)
		require.NoError(t, err)
	}
	all, err := srv.Deliveries()
	require.NoError(t, err)
	d := all[0]
	require.Len(t, seen(), 120)
	require.Len(t, d.Attempts, 100)
	require.Equal(t, 20, d.AttemptsOmitted)
	require.Equal(t, []int{1, 50, 71, 120}, []int{d.Attempts[0].N, d.Attempts[49].N, d.Attempts[50].N, d.Attempts[99].N})
	require.Contains(t, d.Attempts[99].Request.Body, strings.Repeat("x", 1000))
	require.Contains(t, d.Attempts[99].Signature.StringToSign, d.Attempts[99].Request.Body, "kept once, shown twice")
	for attempt, says := range map[int]string{50: "", 120: "", 60: "attempt 60 is not kept any more", 121: "there is no attempt 121"} {
		found, err := srv.Compare(d.ID, client.SignatureClaim{Attempt: attempt, Signature: signatureOf(d, attempt)})
		if says == "" {
			require.NoError(t, err)
			require.Equal(t, "match", found.Findings[0].Cause)
			continue
		}
		require.ErrorContains(t, err, says)
	}
	verified, err := srv.VerifyDeliveries(client.Verification{Match: map[string]any{"attempts_omitted": 20}})
	require.NoError(t, err)
	require.True(t, verified.Pass)
}

func signatureOf(d client.Delivery, n int) string {
	if at := slices.IndexFunc(d.Attempts, func(a client.Attempt) bool { return a.N == n }); at >= 0 {
		return d.Attempts[at].Signature.Value
	}
	return "none"
}

// TestWhatASnapshotGivesIsTakenBack, also when it is larger than any other body may be.
func TestWhatASnapshotGivesIsTakenBack(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()))
	good, _ := answering(t, 200)
	hooked(t, srv, good)
	for range 40 {
		_, err := srv.Emit(large(900_000))
		require.NoError(t, err)
	}
	_, err := srv.Advance(0)
	require.NoError(t, err)
	box := srv.Control().In("default")
	snapshot, err := box.Snapshot(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(snapshot), 33*megabyte)
	require.Less(t, len(snapshot), 40*1_300_000, "each body is in it once")
	before, err := srv.Deliveries()
	require.NoError(t, err)
	require.NoError(t, srv.Reset())
	_, err = box.Restore(t.Context(), snapshot)
	require.NoError(t, err)
	after, err := srv.Deliveries()
	require.NoError(t, err)
	require.Equal(t, before, after)
	again, err := box.Snapshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(snapshot), string(again))
	diff, err := box.Diff(t.Context(), snapshot)
	require.NoError(t, err)
	require.Empty(t, diff.Changes)
}

// TestDeletingALargeSandboxFreesIt is not parallel: others would allocate meanwhile.
func TestDeletingALargeSandboxFreesIt(t *testing.T) {
	srv := mocksrv.RunT(t, mocksrv.NoListener())
	control := srv.Control()
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	fill := func(name string) {
		sandbox, err := control.CreateSandbox(t.Context(), client.NewSandbox{Name: name, Clock: []byte(`"2026-01-08T09:00:00Z"`)})
		require.NoError(t, err)
		hook, err := http.NewRequest(http.MethodPost, sandbox.Sims["hsrcpay"].BaseURL+"/v1/webhooks/", strings.NewReader(`{"endpoint":"http://127.0.0.1:1/","enabled_events":["payment.succeeded"]}`))
		require.NoError(t, err)
		hook.Header.Set("Authorization", "Bearer "+sandbox.Sims["hsrcpay"].Credentials["secret_key"])
		hook.Header.Set("Content-Type", "application/json")
		resp, err := srv.Client().Do(hook)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 201, resp.StatusCode)
		for range 30 {
			_, err := control.In(name).Emit(t.Context(), large(megabyte/2))
			require.NoError(t, err)
		}
		_, err = control.In(name).Advance(t.Context(), client.Advance{By: "1h"})
		require.NoError(t, err)
	}
	fill("warm")
	require.NoError(t, control.In("warm").Delete(t.Context()))
	before := heap()
	fill("large")
	full := heap() - before
	require.NoError(t, control.In("large").Delete(t.Context()))
	left := heap() - before
	t.Logf("a sandbox with 30 deliveries of 0.5 MiB and their journal: %.1f MB, after its deletion %.2f MB", float64(full)/megabyte, float64(left)/megabyte)
	require.Greater(t, full, int64(15*megabyte))
	require.Less(t, full, int64(25*megabyte), "each body is in memory once")
	require.Less(t, left, int64(megabyte))
	runtime.KeepAlive(srv)
}

// TestNoWebhookDrivesTheControlAPI: whoever can store a webhook at a provider could otherwise reset the sandbox.
func TestNoWebhookDrivesTheControlAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option func(*mocksrv.Options)
		target func(srv *mocksrv.Server, port string) string
		class  string
	}{
		"where the providers are": {nil, func(srv *mocksrv.Server, _ string) string {
			return srv.ControlURL() + "/_mocksrv/v1/sandboxes/default/reset"
		}, "forbidden"},
		"by a name": {nil, func(_ *mocksrv.Server, port string) string {
			return "http://localhost:" + port + "/_mocksrv/v1/sandboxes/default/reset"
		}, "forbidden"},
		"a provider beside it": {nil, func(srv *mocksrv.Server, _ string) string { return srv.BaseURL("bts") }, "forbidden"},
		"every interface": {func(o *mocksrv.Options) { o.Address = "0.0.0.0:0" }, func(_ *mocksrv.Server, port string) string {
			return "http://127.0.0.9:" + port + "/_mocksrv/v1/sandboxes/default/reset"
		}, "forbidden"},
		"an address of its own": {func(o *mocksrv.Options) { o.ControlAddress = "127.0.0.1:0" }, func(srv *mocksrv.Server, _ string) string {
			return srv.ControlURL() + "/_mocksrv/v1/sandboxes/default/reset"
		}, "forbidden"},
		"a provider, apart from it": {func(o *mocksrv.Options) { o.ControlAddress = "127.0.0.1:0" }, func(srv *mocksrv.Server, _ string) string {
			return srv.BaseURL("bts") + "/no/such"
		}, "status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []func(*mocksrv.Options){mocksrv.Frozen(at())}
			if c.option != nil {
				options = append(options, c.option)
			}
			srv := mocksrv.RunT(t, options...)
			_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL(), "http://"), ":")
			hooked(t, srv, c.target(srv, port))
			_, err := srv.Emit(large(1))
			require.NoError(t, err)
			_, err = srv.Advance(0)
			require.NoError(t, err)
			all, err := srv.Deliveries()
			require.NoError(t, err)
			require.Len(t, all, 1, "nothing was reset")
			require.Equal(t, c.class, all[0].Attempts[0].Error)
			if c.class == "forbidden" {
				require.Contains(t, all[0].Attempts[0].Detail, "--control-listen")
			}
		})
	}
}

// TestTheControlAPIInProcess: the calls that RunT gives without a port.
func TestTheControlAPIInProcess(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, mocksrv.Frozen(at()), mocksrv.NoListener(), func(o *mocksrv.Options) { o.ControlToken = "token" })
	shop, err := srv.OpenReceiver(client.ReceiverSpec{Name: "shop", Script: client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 500}, {Status: 200}}}})
	require.NoError(t, err)
	hooked(t, srv, shop.URL)
	emitted, err := srv.Emit(large(1))
	require.NoError(t, err)
	id := emitted.Deliveries[0].ID
	_, err = srv.Advance(time.Hour)
	require.NoError(t, err)
	got, err := srv.Receiver("shop", client.ReceivedFilter{})
	require.NoError(t, err)
	require.Equal(t, uint64(2), got.Requests)
	again, err := srv.Redeliver(id)
	require.NoError(t, err)
	require.Equal(t, "pending", again.State)
	_, err = srv.Advance(0)
	require.NoError(t, err)
	compared, err := srv.Compare(id, client.SignatureClaim{Body: "{}"})
	require.NoError(t, err)
	require.Equal(t, "body", compared.Findings[0].Cause)
	called, err := srv.VerifyJournal(client.Verification{Sim: "hsrcpay", Operation: "createWebhook"})
	require.NoError(t, err)
	require.True(t, called.Pass, called.Reason)
	sent, err := srv.VerifyDeliveries(client.Verification{Match: map[string]any{"state": "delivered"}})
	require.NoError(t, err)
	require.True(t, sent.Pass, sent.Reason)
	n, err := srv.Unblock(again.WebhookID)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = srv.ScriptReceiver("shop", client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 204}}})
	require.NoError(t, err)
	require.NoError(t, srv.CloseReceiver("shop"))
	_, err = srv.Unblock("none")
	require.ErrorContains(t, err, "no such webhook")
	require.NoError(t, srv.Reset())
	all, err := srv.Deliveries()
	require.NoError(t, err)
	require.Empty(t, all)
}
