package hsrcpay_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func retryTests() ledgerTests {
	return ledgerTests{
		"delivery-success":        deliverySuccess,
		"delivery-permanent":      deliveryPermanent,
		"delivery-redirects":      deliveryRedirects,
		"delivery-retries":        deliveryRetries,
		"delivery-jitter":         deliveryJitter,
		"delivery-timeout":        deliveryTimeout,
		"delivery-repeats":        deliveryRepeats,
		"delivery-states":         deliveryStates,
		"delivery-states-mapping": deliveryStatesMapping,
	}
}

// outcome is the state of an event's delivery after its first attempt was answered with a status.
func outcome(w *simtest.World, policy, value string, status int, body string) delivery.Delivery {
	w.T.Helper()
	fresh := simtest.New(w.T, w.Provider.Sim)
	fresh.SetPolicy(policy, value)
	r := fresh.Receive(func(int) (int, string) { return status, body })
	hookAt(fresh, r.URL)
	d := emitted(fresh)
	require.Len(w.T, d.Attempts, 1)
	return d
}

func deliverySuccess(w *simtest.World) {
	for _, status := range []int{200, 201, 202, 299} {
		require.Equal(w.T, delivery.Delivered, outcome(w, "success_statuses", "2xx", status, `{"success":false}`).State, status)
	}
	require.Equal(w.T, delivery.Delivered, outcome(w, "success_statuses", "2xx", 204, "").State)
	require.Equal(w.T, delivery.Delivered, outcome(w, "success_statuses", "200", 200, "error").State)
	require.Equal(w.T, delivery.Pending, outcome(w, "success_statuses", "200", 201, "").State)
}

func deliveryPermanent(w *simtest.World) {
	for _, status := range []int{400, 401, 403, 404, 410, 418, 422, 499} {
		require.Equal(w.T, delivery.Failed, outcome(w, "permanent_statuses", "client_errors", status, "").State, status)
		require.Equal(w.T, delivery.Pending, outcome(w, "permanent_statuses", "none", status, "").State, status)
	}
	for _, status := range []int{408, 409, 425, 429, 500, 502, 503, 599} {
		require.Equal(w.T, delivery.Pending, outcome(w, "permanent_statuses", "client_errors", status, "").State, status)
	}
}

func deliveryRedirects(w *simtest.World) {
	r := w.Receive(nil)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		http.Redirect(rw, req, r.URL, []int{301, 302, 303, 307, 308}[(int(asked.Add(1))-1)%5])
	}))
	defer server.Close()
	hookAt(w, server.URL)
	d := emitted(w)
	require.Equal(w.T, delivery.Pending, d.State)
	require.Equal(w.T, delivery.ClassRedirect, d.Attempts[0].Error.Class)
	w.Idle()
	require.Equal(w.T, delivery.Failed, w.Deliveries()[0].State)
	require.Equal(w.T, int32(7), asked.Load())
	require.Empty(w.T, r.Requests())
}

// waits are the times between the attempts a receiver saw.
func waits(r *simtest.Receiver) []time.Duration {
	all := []time.Duration{}
	for i, got := range r.Requests()[1:] {
		all = append(all, got.At.Sub(r.Requests()[i].At))
	}
	return all
}

func documentedWaits() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour}
}

func deliveryRetries(w *simtest.World) {
	r := w.Receive(always(503))
	hookAt(w, r.URL)
	emitted(w)
	w.Idle()
	require.Equal(w.T, documentedWaits(), waits(r))
	require.Equal(w.T, delivery.Failed, w.Deliveries()[0].State)
	require.Len(w.T, w.Deliveries()[0].Attempts, 7)

	w = simtest.New(w.T, w.Provider.Sim)
	w.SetPolicy("retry_schedule", []any{"1s", "90s"})
	r = w.Receive(always(503))
	hookAt(w, r.URL)
	emitted(w)
	w.Idle()
	require.Equal(w.T, []time.Duration{time.Second, 90 * time.Second}, waits(r))
}

func deliveryJitter(w *simtest.World) {
	run := func(percent int) []time.Duration {
		w := simtest.New(w.T, w.Provider.Sim)
		w.SetPolicy("retry_jitter", percent)
		r := w.Receive(always(500))
		hookAt(w, r.URL)
		emitted(w)
		w.Idle()
		return waits(r)
	}
	require.Equal(w.T, documentedWaits(), run(0))
	shaken := run(50)
	require.NotEqual(w.T, documentedWaits(), shaken)
	require.Equal(w.T, shaken, run(50), "the same seed gives the same waits")
	for i, least := range documentedWaits() {
		require.GreaterOrEqual(w.T, shaken[i], least)
		require.LessOrEqual(w.T, shaken[i], least*3/2)
	}
	inside(w, func(e *sims.Env) { require.Zero(w.T, e.Policies.Int("retry_jitter")) })
}

func deliveryTimeout(w *simtest.World) {
	inside(w, func(e *sims.Env) { require.Equal(w.T, 10*time.Second, e.Policies.Duration("attempt_timeout")) })
	w.SetPolicy("attempt_timeout", "50ms")
	release := make(chan struct{})
	defer close(release)
	r := w.Receive(func(n int) (int, string) {
		if n == 1 {
			<-release
		}
		return http.StatusOK, ""
	})
	hookAt(w, r.URL)
	d := emitted(w)
	require.Equal(w.T, delivery.Pending, d.State)
	require.Equal(w.T, delivery.ClassTimeout, d.Attempts[0].Error.Class)
	w.SetPolicy("attempt_timeout", "10s")
	w.Advance(time.Minute)
	require.Equal(w.T, delivery.Delivered, w.Deliveries()[0].State)
}

func deliveryRepeats(w *simtest.World) {
	r := w.Receive(func(n int) (int, string) { return map[bool]int{true: 500, false: 200}[n < 3], "" })
	hookAt(w, r.URL)
	d := emitted(w)
	w.Idle()
	w.Redeliver(d.ID)
	require.Len(w.T, r.Requests(), 4)
	for _, got := range r.Requests() {
		require.Equal(w.T, string(d.Body), string(got.Body))
		require.Contains(w.T, string(got.Body), `"id":"`+d.Event.ID+`"`)
	}
	other := emitted(w)
	require.NotEqual(w.T, d.Event.ID, other.Event.ID)
	require.NotContains(w.T, string(other.Body), d.Event.ID)
}

func deliveryStates(w *simtest.World) {
	statuses := []int{500, 503, 200, 404}
	r := w.Receive(func(n int) (int, string) { return statuses[n-1], "" })
	hookAt(w, r.URL)
	d := emitted(w)
	require.Equal(w.T, []any{delivery.Pending, simtest.Start().Add(time.Minute)}, []any{d.State, d.NextAttemptAt})
	w.Advance(time.Minute)
	d = w.Deliveries()[0]
	require.Equal(w.T, []any{delivery.Pending, simtest.Start().Add(6 * time.Minute)}, []any{d.State, d.NextAttemptAt})
	w.Advance(5 * time.Minute)
	d = w.Deliveries()[0]
	require.Equal(w.T, []any{delivery.Delivered, time.Time{}}, []any{d.State, d.NextAttemptAt})
	for i, attempt := range d.Attempts {
		require.Equal(w.T, []int{i + 1, statuses[i]}, []int{attempt.N, attempt.Status})
	}
	require.Len(w.T, d.Attempts, 3)
	require.Equal(w.T, delivery.Failed, emitted(w).State, "a permanent error")
	w.Idle()
	require.Len(w.T, r.Requests(), 4)
}

func deliveryStatesMapping(w *simtest.World) {
	during := make(chan delivery.Delivery, 2)
	r := w.Receive(func(int) (int, string) {
		all, _, _, _ := w.Dispatcher.List(w.Sandbox)
		during <- all[0]
		return http.StatusInternalServerError, ""
	})
	hookAt(w, r.URL)
	_, before, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: "hsrcpay", Type: "charge.captured"})
	require.NoError(w.T, err)
	require.Equal(w.T, []any{delivery.Pending, simtest.Start()}, []any{before[0].State, before[0].NextAttemptAt})
	require.Empty(w.T, before[0].Attempts)
	w.Advance(0)
	sending := <-during
	require.Equal(w.T, []any{delivery.Pending, 0}, []any{sending.State, len(sending.Attempts)}, "PROCESSING")
	waiting := w.Deliveries()[0]
	require.Equal(w.T, []any{delivery.Pending, 1, simtest.Start().Add(time.Minute)}, []any{waiting.State, len(waiting.Attempts), waiting.NextAttemptAt})
}
