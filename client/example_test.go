package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// running stands in for a server that was started by somebody else: mocksrv serve, or a container.
func running() *httptest.Server {
	srv, err := mocksrv.New(mocksrv.Options{NoListener: true})
	if err != nil {
		panic(err)
	}
	return httptest.NewServer(srv)
}

func ExampleNew() {
	server := running()
	defer server.Close()
	ctx := context.Background()

	c := client.New(server.URL) // http://127.0.0.1:8080
	if err := c.Health(ctx); err != nil {
		fmt.Println(err)
		return
	}
	sandbox, err := c.CreateSandbox(ctx, client.NewSandbox{Name: "checkout", Clock: []byte(`"2026-01-08T10:30:00Z"`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sandbox.Name, sandbox.Clock.Mode, sandbox.Clock.Now)
	// Output: checkout frozen 2026-01-08 10:30:00 +0000 UTC
}

func ExampleSandboxClient_Advance() {
	server := running()
	defer server.Close()
	ctx := context.Background()

	sandbox := client.New(server.URL).In("default")
	if _, err := sandbox.SetClock(ctx, client.ClockChange{Mode: "frozen"}); err != nil {
		fmt.Println(err)
		return
	}
	before, err := sandbox.Clock(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := sandbox.Advance(ctx, client.Advance{By: "1h30m"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(after.Now.Sub(before.Now), len(after.Fired))
	// Output: 1h30m0s 0
}

func ExampleProblem() {
	server := running()
	defer server.Close()

	_, err := client.New(server.URL).In("default").SetPolicies(context.Background(), map[string]any{"signedsub.blok_limit": 3})
	if problem, ok := errors.AsType[client.Problem](err); ok {
		fmt.Println(problem.Status, problem.Title)
		fmt.Println(problem.Errors[0].Field)
		fmt.Println(problem.Errors[0].Detail)
	}
	// Output:
	// 422 invalid request
	// policies.signedsub.blok_limit
	// there is no policy "signedsub.blok_limit"; did you mean "signedsub.block_limit"?
}

// What happens in a sandbox, as it happens.
func ExampleSandboxClient_Stream() {
	server := running()
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	sandbox := client.New(server.URL).In("default")
	events, err := sandbox.Stream(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	skew := "-5s"
	if _, err := sandbox.SetClock(ctx, client.ClockChange{Skew: &skew}); err != nil {
		fmt.Println(err)
		return
	}
	for event, err := range events {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.ID, event.Kind, event.Clock.Skew)
		break
	}
	// Output: 1 clock -5s
}

func ExampleSandboxClient_OpenReceiver() {
	server := running()
	defer server.Close()
	ctx := context.Background()

	sandbox := client.New(server.URL).In("default")
	shop, err := sandbox.OpenReceiver(ctx, client.ReceiverSpec{
		Name: "shop", Script: client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 503, Times: 2}}, Then: "ok"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 { // in a test this is what the provider does
		resp, err := http.Post(shop.URL+"/hook", "application/json", strings.NewReader("{}"))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
	}
	for received, err := range sandbox.AllReceived(ctx, "shop", client.ReceivedFilter{Wait: time.Minute, Count: 3}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(received.Number, received.Request.Method, received.Request.URL, received.Status)
	}
	// Output:
	// 1 POST /hook 503
	// 2 POST /hook 503
	// 3 POST /hook 200
}

func ExampleSandboxClient_Verify() {
	server := running()
	defer server.Close()

	verified, err := client.New(server.URL).In("default").Verify(context.Background(), client.Verification{
		Sim: "hsrcpay", Operation: "createWebhook", Match: map[string]any{"status": 200}, Within: "10ms",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(verified.Pass, verified.Reason)
	// Output: false 0 matched, at least 1 were wanted
}

func ExampleSandboxClient_AllExchanges() {
	server := running()
	defer server.Close()
	ctx := context.Background()

	if _, err := http.Get(server.URL + "/hsrcpay/v1/webhooks/"); err != nil { //nolint:bodyclose // an example
		fmt.Println(err)
		return
	}
	for exchange, err := range client.New(server.URL).In("default").AllExchanges(ctx, client.JournalFilter{Sim: "hsrcpay"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(exchange.ID, exchange.Method, exchange.Path, exchange.Status, exchange.Refusal.Rule)
	}
	// Output: 1 GET /v1/webhooks/ 401 credentials
}
