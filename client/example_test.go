package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

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
