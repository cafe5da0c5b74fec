package control_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// TestTheDocumentHasTheCausesOfTheDoctor: programs compare with these words.
func TestTheDocumentHasTheCausesOfTheDoctor(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../doctor/cause.go")
	require.NoError(t, err)
	var causes []any
	for _, match := range regexp.MustCompile(`Cause = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		causes = append(causes, match[1])
	}
	require.Greater(t, len(causes), 40)
	require.Equal(t, causes, document(t).Components.Schemas["DoctorReport"].Value.Properties["cause"].Value.Enum)
}

// TestTheDoctorOfAServerTrustsWhatItsDeliveriesTrust: the receivers' CA is the server's own.
func TestTheDoctorOfAServerTrustsWhatItsDeliveriesTrust(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	shop, err := srv.Control().In("default").OpenReceiver(t.Context(), client.ReceiverSpec{Name: "shop", TLS: "trusted"})
	require.NoError(t, err)
	report, err := srv.Control().Doctor(t.Context(), shop.URL)
	require.NoError(t, err)
	require.True(t, report.Reachable, "%+v", report)
	report, err = srv.Control().DoctorWith(t.Context(), client.DoctorCheck{URL: shop.URL, NoRequest: true, Timeout: "1s"})
	require.NoError(t, err)
	require.Equal(t, "skipped", report.Steps[6].Outcome)
	seen, err := srv.Control().In("default").Receiver(t.Context(), "shop", client.ReceivedFilter{})
	require.NoError(t, err)
	require.Len(t, seen.Received, 1)
	require.Equal(t, "mocksrv/dev", seen.Received[0].Request.Headers["User-Agent"][0], "as the deliveries say")
}

// TestTheDoctorOfAServerHasItsSafetyRules: public addresses as the server was started, its own port never.
func TestTheDoctorOfAServerHasItsSafetyRules(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	for target, want := range map[string]string{
		"http://8.8.8.8/": "public_address", srv.URL() + "/_mocksrv/v1/sandboxes": "mocksrv_itself", srv.ControlURL() + "/hsrcpay/v1/webhooks/": "mocksrv_itself",
	} {
		report, err := srv.Control().Doctor(t.Context(), target)
		require.NoError(t, err)
		require.Equal(t, want, report.Cause, target)
		require.Equal(t, "failed", report.Steps[2].Outcome)
	}
}

// TestTheDoctorIsGuardedAsEveryWriteIs: a page of another origin, a rebound name, a caller without the token.
func TestTheDoctorIsGuardedAsEveryWriteIs(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.ControlToken = "secret" })
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"with the token":    {func(*http.Request) {}, http.StatusOK},
		"another origin":    {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		"a rebound name":    {func(r *http.Request) { r.Host = "evil.example" }, http.StatusForbidden},
		"without the token": {func(r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/_mocksrv/v1/doctor", strings.NewReader(`{"url":"http://8.8.8.8/"}`))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer secret")
			c.change(req)
			resp, err := srv.Client().Do(req)
			require.NoError(t, err)
			received(t, resp).is(c.status)
		})
	}
}
