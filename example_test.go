package mocksrv_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// fakeT stands in for the *testing.T of a test.
type fakeT struct{ cleanup []func() }

func (t *fakeT) Helper()                           {}
func (t *fakeT) Cleanup(f func())                  { t.cleanup = append(t.cleanup, f) }
func (t *fakeT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *fakeT) end() {
	for _, f := range t.cleanup {
		f()
	}
}

// A test of an app that registers a webhook, loses the first attempt, and gets the retry.
func ExampleRunT() {
	t := &fakeT{} // in a test: t *testing.T
	defer t.end()

	srv := mocksrv.RunT(t, mocksrv.Frozen(time.Date(2026, 1, 8, 9, 0, 0, 0, time.UTC)))

	// The app's own endpoint. It fails the first time.
	calls := 0
	app := &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	url, stop := serve(app)
	defer stop()

	// The app registers its webhook, as it would with the real provider.
	req, _ := http.NewRequest(http.MethodPost, srv.BaseURL("hsrcpay")+"/v1/webhooks/",
		strings.NewReader(`{"endpoint":"`+url+`","enabled_events":["payment.succeeded"]}`))
	req.Header.Set("Authorization", "Bearer "+srv.Credentials("hsrcpay")["secret_key"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := srv.Client().Do(req)
	if err != nil {
		panic(err)
	}
	fmt.Println("registered:", resp.Status)
	_ = resp.Body.Close()

	// Something happens at the provider, and time passes.
	if _, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"}); err != nil {
		panic(err)
	}
	if _, err := srv.Advance(time.Minute); err != nil { // performs what is due, and waits for the answers
		panic(err)
	}
	deliveries, err := srv.Deliveries()
	if err != nil {
		panic(err)
	}
	for _, a := range deliveries[0].Attempts {
		fmt.Println("attempt", a.N, "at", a.At.Format(time.TimeOnly), "status", a.Status)
	}
	fmt.Println(deliveries[0].State)
	// Output:
	// registered: 201 Created
	// attempt 1 at 09:00:00 status 503
	// attempt 2 at 09:01:00 status 200
	// delivered
}
