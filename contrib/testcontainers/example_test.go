package mocksrv_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/mocksrv/mocksrv/client"
	mocksrv "github.com/mocksrv/mocksrv/contrib/testcontainers"
)

// image is mocksrv.Image, or the one under test.
func image() string { return os.Getenv("MOCKSRV_IMAGE") } //nolint:forbidigo // a setting of the tests

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// answered is the status of the answer to a request.
func answered(c *http.Client, req *http.Request) (string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	return resp.Status, resp.Body.Close()
}

// An outage and the retry that repairs it: the clock stands still until the test moves it.
func ExampleRun() {
	ctx := context.Background()
	c, err := mocksrv.Run(ctx, image(), mocksrv.WithClock(time.Date(2026, 1, 8, 9, 0, 0, 0, time.UTC)))
	defer func() { _ = testcontainers.TerminateContainer(c) }()
	if err != nil {
		panic(err)
	}
	control := must(c.Client(ctx)).In("default")
	shop := must(control.OpenReceiver(ctx, client.ReceiverSpec{Name: "shop", Script: client.ReceiverScript{
		Replies: []client.ReceiverReply{{Status: 500}, {Status: 200}},
	}}))

	// The app under test would do this.
	body := fmt.Sprintf(`{"endpoint":%q,"enabled_events":["payment.succeeded"]}`, shop.URL)
	req := must(http.NewRequest(http.MethodPost, must(c.BaseURL(ctx, "hsrcpay"))+"/v1/webhooks/", strings.NewReader(body)))
	req.Header.Set("Authorization", "Bearer "+must(c.Credentials(ctx, "hsrcpay"))["secret_key"])
	req.Header.Set("Content-Type", "application/json")
	must(answered(http.DefaultClient, req))

	must(control.Emit(ctx, client.Event{Sim: "hsrcpay", Type: "payment.succeeded"}))
	for _, f := range must(control.Advance(ctx, client.Advance{By: "1m"})).Fired {
		fmt.Println(f.Attempt, f.Status, f.State)
	}
	// Output:
	// 1 500 pending
	// 2 200 delivered
}

// The app keeps the provider's own URL; only its transport is the container's.
func ExampleContainer_Transport() {
	ctx := context.Background()
	c, err := mocksrv.Run(ctx, image())
	defer func() { _ = testcontainers.TerminateContainer(c) }()
	if err != nil {
		panic(err)
	}
	app := &http.Client{Transport: must(c.Transport(ctx))}
	req := must(http.NewRequest(http.MethodGet, "https://api.hsrcpay.com/v1/webhooks/", nil))
	req.Header.Set("Authorization", "Bearer "+must(c.Credentials(ctx, "hsrcpay"))["secret_key"])
	fmt.Println(must(answered(app, req)))
	// Output: 200 OK
}
