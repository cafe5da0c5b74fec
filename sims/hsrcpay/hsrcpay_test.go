package hsrcpay_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, hsrcpay.New()) }

func TestCurlLineWorksWhenPasted(t *testing.T) {
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this machine", program)
		}
	}
	w := simtest.New(t, hsrcpay.New())
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _ = w.Engine.Serve(rw, r) }))
	defer server.Close()
	line := w.Provider.Curl(server.URL+"/hsrcpay", w.Credentials)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	require.NoError(t, err)
	require.Equal(t, `{"message":"success","success":true,"data":`+first(w)+`}`, string(out))
}

// first is the first webhook of the list, as it is answered.
func first(w *simtest.World) string {
	w.T.Helper()
	body := string(w.Call(list, simtest.Request{}).OK().Body)
	return strings.TrimSuffix(strings.TrimPrefix(body, `{"message":"success","success":true,"data":[`), `]}`)
}

// TestRefusalsSayWhatWasSeenAndWhatIsWanted: the journal tells a newcomer what to do next.
func TestRefusalsSayWhatWasSeenAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, hsrcpay.New())
	const want = "Authorization: Bearer with the ready-made secret_key (GET /_mocksrv/v1/sandboxes/<name>)"
	raw(w, http.MethodGet, "/v1/webhooks/", "", nil).Explained("no Authorization header", want)
	as(w, list, "Basic eDp5").Explained(`Authorization: "Basic eDp5", which has no token after the word "Bearer"`, want)
	as(w, list, "Bearer sk_test_0123456789").Explained(`the secret key "sk_test_0123…" of 18 bytes, which this sandbox does not know`, want)
	as(w, list, "Bearer something-else").
		Explained(`the token "something-el…", which is no secret key (sk_), publishable key (pk_) or access token (JWT)`, want)
	as(w, list, "Bearer "+jwt(`{"exp":1}`, "c2ln")).
		Explained("exp 1", "an exp after 1767868200, by the edge clock, now 2026-01-08T10:30:00.25Z or 1767868200250 ms")
	w.SetPolicy("unknown_events", "refuse")
	w.Call(create, simtest.Request{Body: `{"endpoint":"http://localhost/","enabled_events":["payment.success"]}`}).
		Explained(`enabled_events with "payment.success"`, "perhaps payment.succeeded; one of the 10 event types that GET /_mocksrv/v1/sims lists")
	w.SetPolicy("jwt", "refuse")
	as(w, list, "Bearer "+jwt(`{}`, "c2ln")).Explained(`the access token "eyJhbGciOiJI…" of 29 bytes, which this sandbox does not know`,
		"the ready-made secret_key (GET /_mocksrv/v1/sandboxes/<name>), as policy hsrcpay.jwt is refuse")
}
