package hsrcpay_test

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func idempotencyTests() ledgerTests {
	return ledgerTests{"idempotency": idempotency, "idempotency-conflict": idempotencyConflict}
}

// keyed is a create with an idempotency key.
func keyed(w *simtest.World, key, body string, credentials sims.Credentials) *simtest.Reply {
	w.T.Helper()
	return w.Call(create, simtest.Request{Body: body, Header: map[string]string{"Idempotency-Key": key}, Credentials: credentials})
}

func idempotency(w *simtest.World) {
	first := keyed(w, "k", plainBody, nil).OK()
	require.Equal(w.T, "application/json", first.Header.Get("Content-Type"))
	state := w.Dump()
	w.SetPolicy("created_status", "200")
	w.SetPolicy("timestamps", "null")
	reordered := `{ "enabled_events" : ["payment.\u0073ucceeded"], "endpoint":"https://shop.example.com/hooks" }`
	for _, body := range []string{plainBody, reordered} {
		again := keyed(w, "k", body, nil).Is(http.StatusCreated, string(first.Body))
		require.Equal(w.T, first.Header, again.Header)
	}
	require.Equal(w.T, state, w.Dump(), "nothing is stored")
	own := simtest.Request{
		Body: plainBody, Header: map[string]string{"Idempotency-Key": "k"}, Query: map[string]string{"account_id": w.Credentials["account_id"]},
	}
	w.Call(create, own).Is(http.StatusCreated, string(first.Body))

	require.NotEqual(w.T, string(first.Body), string(keyed(w, "K", plainBody, nil).OK().Body), "keys differ by case")
	require.NotEqual(w.T, string(first.Body), string(keyed(w, "k", plainBody, live(w)).OK().Body), "each data set has its own")
	require.Len(w.T, listed(w, nil), 2)
	require.Len(w.T, listed(w, live(w)), 1)
	idempotencyExpires(simtest.New(w.T, w.Provider.Sim))
	idempotencyForgets(simtest.New(w.T, w.Provider.Sim))
}

func idempotencyExpires(w *simtest.World) {
	first := string(keyed(w, "k", plainBody, nil).OK().Body)
	w.SetNow(simtest.Start().Add(24*time.Hour - time.Nanosecond))
	keyed(w, "k", plainBody, nil).Is(http.StatusCreated, first)
	w.SetNow(simtest.Start().Add(24 * time.Hour))
	second := string(keyed(w, "k", plainBody, nil).OK().Body)
	require.NotEqual(w.T, first, second)
	keyed(w, "k", plainBody, nil).Is(http.StatusCreated, second)

	w.SetPolicy("idempotency_expiry", "1m")
	w.SetNow(simtest.Start().Add(24*time.Hour + time.Minute))
	require.NotEqual(w.T, second, string(keyed(w, "k", `{"endpoint":"https://a.example","enabled_events":["*"]}`, nil).OK().Body))
}

// idempotencyForgets: keys that are never sent again do not stay for ever.
func idempotencyForgets(w *simtest.World) {
	for _, key := range []string{"a", "b", "c", "d"} {
		keyed(w, key, plainBody, nil).OK()
	}
	w.SetNow(simtest.Start().Add(24 * time.Hour))
	keyed(w, "e", plainBody, nil).OK()
	keyed(w, "f", plainBody, nil).OK()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	require.Len(w.T, state.Tables["hsrcpay/kept replies"], 2)
}

func idempotencyConflict(w *simtest.World) {
	want := refusal(409, "Conflict", "Idempotency key was used with a different request", `{"Idempotency-Key":"Already used with a different request"}`)
	first := keyed(w, "k", plainBody, nil).OK()
	for _, body := range []string{
		`{"endpoint":"https://shop.example.com/hooks","enabled_events":["payment.succeeded","*"]}`,
		`{"endpoint":"https://shop.example.com/hooks","enabled_events":["payment.succeeded"],"secret":"x"}`,
		`{"endpoint":"https://shop.example.com/hooks","enabled_events":["payment.succeeded"],"extra":1}`,
	} {
		keyed(w, "k", body, nil).Is(http.StatusConflict, want).Refused(http.StatusConflict, "idempotency-conflict")
		keyed(w, "k", body, live(w)).OK()
		w = simtest.New(w.T, w.Provider.Sim)
		keyed(w, "k", plainBody, nil).Is(http.StatusCreated, string(first.Body))
	}
}
