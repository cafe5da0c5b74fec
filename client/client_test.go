package client_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// tries is a transport that counts requests and does something before the n-th.
type tries struct {
	count  atomic.Int64
	before int64
	do     func()
	next   http.RoundTripper
}

func (c *tries) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.count.Add(1) == c.before {
		c.do()
	}
	return c.next.RoundTrip(r)
}

func newTries(before int64, do func()) *tries {
	return &tries{before: before, do: do, next: &http.Transport{DisableKeepAlives: true}}
}

// freePort is an address where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestCallsAreRepeatedUntilTheServerListens(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	transport := newTries(3, func() { mocksrv.RunT(t, func(o *mocksrv.Options) { o.Address = address }) })
	c := client.New("http://"+address+"/", client.WithHTTPClient(&http.Client{Transport: transport}), client.WithStartupWait(time.Minute))
	made, err := c.CreateSandbox(t.Context(), client.NewSandbox{Name: "early"}) // its body is sent each time
	require.NoError(t, err)
	require.Equal(t, "early", made.Name)
	require.EqualValues(t, 3, transport.count.Load())
}

func TestWithoutStartupWaitThereIsOneTry(t *testing.T) {
	t.Parallel()
	transport := newTries(0, nil)
	c := client.New("http://"+freePort(t), client.WithHTTPClient(&http.Client{Transport: transport}), client.WithStartupWait(0))
	require.ErrorIs(t, c.Health(t.Context()), syscall.ECONNREFUSED)
	require.EqualValues(t, 1, transport.count.Load())
}

// TestTheContextEndsTheWaitForTheServer: the error used to hide that it was the context.
func TestTheContextEndsTheWaitForTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	transport := newTries(2, cancel)
	c := client.New("http://"+freePort(t), client.WithHTTPClient(&http.Client{Transport: transport}), client.WithStartupWait(time.Minute))
	require.ErrorIs(t, c.Health(ctx), context.Canceled)
}

func TestTheContextEndsACall(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := srv.Control().In("default").Deliveries(ctx, client.DeliveryFilter{Wait: time.Minute})
	require.ErrorIs(t, err, context.Canceled)
}

func TestABrokenConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	_, err := client.New(server.URL).CreateSandbox(t.Context(), client.NewSandbox{})
	require.ErrorContains(t, err, "EOF")
	require.EqualValues(t, 1, calls.Load())
}

func TestErrorsAreProblems(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	_, err := srv.Control().In("default").Emit(t.Context(), client.Event{Sim: "signdsub"})
	var p client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, "sim", p.Errors[0].Field)
	require.Equal(t, `invalid request: sim: there is no sim "signdsub"; did you mean "signedsub"?`, err.Error())

	_, err = srv.Control().In("a/../b?c").Get(t.Context())
	require.ErrorContains(t, err, `there is no sandbox "a/../b?c"`, "the name is escaped")
	_, err = srv.Control().In("default").Deliveries(t.Context(), client.DeliveryFilter{Wait: time.Millisecond})
	require.ErrorAs(t, err, &p)
	require.Equal(t, http.StatusRequestTimeout, p.Status)
	require.ErrorAs(t, srv.Control().In("default").Delete(t.Context()), &p)
	require.Equal(t, http.StatusConflict, p.Status)
}

func TestAnswersOfOthersBecomeProblemsToo(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) *client.Client {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return client.New(server.URL)
	}
	require.Equal(t, client.Problem{Title: "Bad Gateway", Status: 502, Detail: "<h1>proxy</h1>"}, answer(502, " <h1>proxy</h1>\n").Health(t.Context()))
	require.Equal(t, client.Problem{Title: "Forbidden", Status: 403, Detail: `{"a":1}`}, answer(403, `{"a":1}`).Health(t.Context()))
	_, err := answer(200, "<h1>hello</h1>").Sims(t.Context())
	require.ErrorContains(t, err, "client: decode the answer of GET v1/sims")
}

func TestTheTokenIsSent(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.ControlToken = "secret" })
	_, err := client.New(srv.URL(), client.WithToken("secret")).Sims(t.Context())
	require.NoError(t, err)
	_, err = client.New(srv.URL()).Sims(t.Context())
	require.ErrorContains(t, err, "control token required")
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	c := mocksrv.RunT(t).Control()
	ca, err := c.CA(t.Context())
	require.NoError(t, err)
	certificate, err := c.ClientCertificate(t.Context(), client.NewCertificate{Name: "tester"})
	require.NoError(t, err)
	require.Equal(t, string(ca), certificate.CA)
}

// TestEveryCall makes each call once; that its answers decode into the types without a rest is proven by the contract
// test of the control API.
func TestEveryCall(t *testing.T) {
	t.Parallel()
	ctx, srv := t.Context(), mocksrv.RunT(t)
	c := srv.Control()
	must := func(err error) { t.Helper(); require.NoError(t, err) }
	must(c.Health(ctx))
	sims, err := c.Sims(ctx)
	must(err)
	require.NotEmpty(t, sims.Sims)
	seed := int64(7)
	made, err := c.CreateSandbox(ctx, client.NewSandbox{Name: "a", Seed: &seed, Clock: []byte(`"2026-01-08T10:30:00Z"`), Policies: map[string]any{"signedsub.block_limit": 1}})
	must(err)
	list, err := c.Sandboxes(ctx)
	must(err)
	require.Len(t, list.Sandboxes, 2)
	s := c.In("a")
	got, err := s.Get(ctx)
	must(err)
	require.Equal(t, made, got)
	changed, err := s.SetPolicies(ctx, map[string]any{"signedsub.block_limit": nil})
	must(err)
	require.Empty(t, changed.Policies)
	clock, err := s.Clock(ctx)
	must(err)
	require.Equal(t, made.Clock, clock)
	skew := "-1s"
	clock, err = s.SetClock(ctx, client.ClockChange{Skew: &skew, Edge: "world"})
	must(err)
	require.Equal(t, []string{"-1s", "world", "frozen"}, []string{clock.Skew, clock.Edge, clock.Mode})
	until := clock.Now.Add(time.Hour)
	moved, err := s.Advance(ctx, client.Advance{To: &until})
	must(err)
	require.Equal(t, until, moved.Now)
	deliver(t, s, srv.Client(), made.Sims["hsrcpay"])
	reset, err := s.Reset(ctx)
	must(err)
	require.Equal(t, made, reset)
	must(s.Delete(ctx))
}

// deliver makes the calls that are about webhooks.
func deliver(t *testing.T, s *client.SandboxClient, provider *http.Client, sim client.SandboxSim) {
	t.Helper()
	ctx := t.Context()
	shop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(shop.Close)
	hook(t, provider, sim, shop.URL)
	webhooks, err := s.Webhooks(ctx, "hsrcpay")
	require.NoError(t, err)
	require.Len(t, webhooks.Webhooks, 1)
	emitted, err := s.Emit(ctx, client.Event{Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"amount": 5}})
	require.NoError(t, err)
	filter := client.DeliveryFilter{
		Sim: "hsrcpay", State: "delivered", Webhook: webhooks.Webhooks[0].ID, Event: emitted.ID, Type: "payment.succeeded", Wait: time.Minute, Count: 1,
	}
	deliveries, err := s.Deliveries(ctx, filter)
	require.NoError(t, err)
	require.Len(t, deliveries.Deliveries, 1)
	sent := deliveries.Deliveries[0]
	comparison, err := s.Compare(ctx, sent.ID, client.SignatureClaim{Attempt: 1, Signature: sent.Attempts[0].Signature.Value})
	require.NoError(t, err)
	require.Equal(t, "match", comparison.Findings[0].Cause)
	once(t, s, sent)
	unblocked, err := s.Unblock(ctx, webhooks.Webhooks[0].ID)
	require.NoError(t, err)
	require.Zero(t, unblocked.Redelivered)
	journal, err := s.Journal(ctx, client.JournalFilter{Sim: "hsrcpay", Operation: "listWebhooks", Direction: "all", Rule: "credentials", Since: "0", Status: 200, Page: client.Page{Limit: 1}})
	require.NoError(t, err)
	require.Empty(t, journal.Exchanges)
	journal, err = s.Journal(ctx, client.JournalFilter{Direction: "all", Page: client.Page{Newest: 1}})
	require.NoError(t, err)
	require.Len(t, journal.Exchanges, 1)
	verify(t, s)
}

// once makes the calls that are about one delivery.
func once(t *testing.T, s *client.SandboxClient, sent client.Delivery) {
	t.Helper()
	one, err := s.Delivery(t.Context(), sent.ID)
	require.NoError(t, err)
	require.Equal(t, sent, one)
	_, err = s.Redeliver(t.Context(), sent.ID)
	require.NoError(t, err)
	again, err := s.WaitForDeliveries(t.Context(), 1, client.DeliveryFilter{State: "delivered"})
	require.NoError(t, err)
	require.Len(t, again.Deliveries, 1)
}

// verify makes the calls that ask what happened, and the one that forgets it.
func verify(t *testing.T, s *client.SandboxClient) {
	t.Helper()
	ctx := t.Context()
	verified, err := s.Verify(ctx, client.Verification{Sim: "hsrcpay", Operation: "createWebhook"})
	require.NoError(t, err)
	require.True(t, verified.Pass, verified.Reason)
	verified, err = s.VerifyDeliveries(ctx, client.Verification{Match: map[string]any{"state": "delivered"}})
	require.NoError(t, err)
	require.True(t, verified.Pass, verified.Reason)
	require.NoError(t, s.ClearJournal(ctx))
	journal, err := s.Journal(ctx, client.JournalFilter{Direction: "all"})
	require.NoError(t, err)
	require.Empty(t, journal.Exchanges)
}

func TestWhatIsNotJSONComesAsItIs(t *testing.T) {
	t.Parallel()
	c := mocksrv.RunT(t).Control()
	document, err := c.OpenAPI(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(document), "openapi: 3.0.3\n")
	metrics, err := c.Metrics(t.Context())
	require.NoError(t, err)
	require.Contains(t, metrics, "\nmocksrv_sandboxes 1\n")
}

func TestEveryCallAboutReceivers(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), mocksrv.RunT(t).Control().In("default")
	opened, err := s.OpenReceiver(ctx, client.ReceiverSpec{
		Name: "shop", KeepRequests: 10, Script: client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 503, Header: map[string]string{"A": "b"}}}, Then: "ok"},
	})
	require.NoError(t, err)
	for _, status := range []int{503, 200, 200} {
		resp, err := http.Post(opened.URL+"/hook", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, status, resp.StatusCode)
	}
	shop, err := s.Receiver(ctx, "shop", client.ReceivedFilter{Wait: time.Minute, Count: 3, Page: client.Page{Limit: 2}})
	require.NoError(t, err)
	require.Len(t, shop.Received, 2)
	require.Equal(t, "2", shop.Next)
	var numbers []uint64
	for received, err := range s.AllReceived(ctx, "shop", client.ReceivedFilter{Page: client.Page{Limit: 2}}) {
		require.NoError(t, err)
		require.Equal(t, "hello", received.Request.Body)
		numbers = append(numbers, received.Number)
	}
	require.Equal(t, []uint64{1, 2, 3}, numbers)
	list, err := s.Receivers(ctx)
	require.NoError(t, err)
	require.Len(t, list.Receivers, 1)
	_, err = s.ScriptReceiver(ctx, "shop", client.ReceiverScript{Down: true})
	require.NoError(t, err)
	_, err = http.Post(opened.URL+"/hook", "text/plain", http.NoBody) //nolint:bodyclose // there is none
	require.Error(t, err, "refused, or cut on a connection that was there already")
	require.NoError(t, s.CloseReceiver(ctx, "shop"))
	_, err = s.Receiver(ctx, "shop", client.ReceivedFilter{})
	require.ErrorContains(t, err, "no such receiver")
}

// TestIteratorsGoThroughAllPages: each list is longer than a page.
func TestIteratorsGoThroughAllPages(t *testing.T) {
	t.Parallel()
	ctx, srv := t.Context(), mocksrv.RunT(t)
	c, s := srv.Control(), srv.Control().In("default")
	const n = 230
	sandbox, err := s.Get(ctx)
	require.NoError(t, err)
	for i := range n {
		_, err := c.CreateSandbox(ctx, client.NewSandbox{Name: fmt.Sprintf("s%d", i)})
		require.NoError(t, err)
		hook(t, srv.Client(), sandbox.Sims["hsrcpay"], fmt.Sprintf("http://127.0.0.1:1/%d", i))
	}
	_, err = s.Emit(ctx, client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	require.Equal(t, n+1, length(t, c.AllSandboxes(ctx)))
	require.Equal(t, n, length(t, s.AllWebhooks(ctx, "hsrcpay")))
	require.Equal(t, n, length(t, s.AllDeliveries(ctx, client.DeliveryFilter{Wait: time.Minute, Count: n})))
	require.Equal(t, n, length(t, s.AllExchanges(ctx, client.JournalFilter{})))
	require.Equal(t, 5, length(t, s.AllExchanges(ctx, client.JournalFilter{Page: client.Page{Newest: 5}})))
	require.Equal(t, 0, length(t, s.AllReceivers(ctx)))
	for _, err := range c.AllSandboxes(ctx) {
		require.NoError(t, err)
		break // and no more pages are asked for
	}
	for _, err := range c.In("nobody").AllDeliveries(ctx, client.DeliveryFilter{}) {
		require.ErrorContains(t, err, "no such sandbox")
	}
}

func length[T any](t *testing.T, all iter.Seq2[T, error]) int {
	t.Helper()
	n := 0
	for _, err := range all {
		require.NoError(t, err)
		n++
	}
	return n
}

// TestWaitingForDeliveriesEndsWithItsContext, where one call would end after five minutes at most.
func TestWaitingForDeliveriesEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := mocksrv.RunT(t).Control().In("default").WaitForDeliveries(ctx, 1, client.DeliveryFilter{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestWaitingForDeliveriesTakesSeveralCalls when one is not enough.
func TestWaitingForDeliveriesTakesSeveralCalls(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls < 3 {
			w.WriteHeader(http.StatusRequestTimeout)
			_, _ = io.WriteString(w, `{"title":"not within the deadline","status":408,"detail":"x"}`)
			return
		}
		_, _ = io.WriteString(w, `{"deliveries":[{"id":"a"}],"forgotten":0}`)
	}))
	t.Cleanup(server.Close)
	got, err := client.New(server.URL).In("default").WaitForDeliveries(t.Context(), 1, client.DeliveryFilter{})
	require.NoError(t, err)
	require.Equal(t, "a", got.Deliveries[0].ID)
}

// hook stores a webhook for every payment event.
func hook(t *testing.T, provider *http.Client, sim client.SandboxSim, to string) {
	t.Helper()
	body := `{"endpoint":"` + to + `","enabled_events":["payment.*"]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sim.BaseURL+"/v1/webhooks/", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+sim.Credentials["secret_key"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := provider.Do(req)
	require.NoError(t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Less(t, resp.StatusCode, 300, "%s", answer)
}
