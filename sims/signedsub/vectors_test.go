package signedsub_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// hmacSHA512 is the scheme as docs.calypso.finance describes it: hex HMAC-SHA512 of the body, the secret as text.
func hmacSHA512(secret, body string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// The computed vector of providers.md 4.2; key pair and account are those of the provider's own examples.
const (
	vectorKey     = "c529e14832b34b74972365cf7bf02430"
	vectorSecret  = "b823a6b9ea72408583cef9ec8d67fa52"
	vectorAccount = "0xc195df92dd9db2a8f28e597981f113d6e7582f8b"
	vectorBody    = `{"account":"` + vectorAccount + `","timestamp":1751735302769}`
	vectorSign    = "1ad0ad7acfaf7c4b33efd6785705ea79280539fcf371abd3c5c151d528e6804b" +
		"4e653ed9bc16ff62f1be05d5091bc92b5535708df7a8a3d66b86f131b08049ba"
)

func TestVectorIsAccepted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetNow(time.UnixMilli(1751735302769))
	addClient(w, vectorKey, vectorSecret, vectorAccount)
	request := simtest.Request{Body: vectorBody, Anonymous: true, Header: map[string]string{"Key": vectorKey, "Sign": vectorSign}}
	w.Call(list, request).Is(200, `{"subscriptions":[]}`)
	request.Body = strings.Replace(vectorBody, "769", "770", 1)
	w.Call(list, request).Is(401, wrongSign)
}

func TestVectorByOpenSSL(t *testing.T) {
	t.Parallel()
	require.Equal(t, vectorSign, openssl(t, vectorSecret, vectorBody))
	require.Equal(t, vectorSign, hmacSHA512(vectorSecret, vectorBody))
}

func TestDeliveryByOpenSSL(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	r := w.Receive(nil)
	secret, _ := subscribed(w, r).Get("secretKey").(string)
	w.Emit(payout())
	require.Equal(t, openssl(t, secret, string(r.Requests()[0].Body)), r.Requests()[0].RawHeader["Sign"])
}

func openssl(t *testing.T, secret, body string) string {
	t.Helper()
	needs(t, "openssl")
	cmd := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha512", "-hmac", secret, "-r")
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.Output()
	require.NoError(t, err)
	sum, _, _ := strings.Cut(string(out), " ")
	return sum
}

func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
}

// serve listens for a world whose edge clock is the machine's, as a server's is.
func serve(t *testing.T, w *simtest.World) *httptest.Server {
	t.Helper()
	w.Sandbox.Clock.Set(clock.Setting{Edge: clock.Wall})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.Engine.Serve(rw, r); err != nil {
			http.Error(rw, err.Error(), http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestCurlLineWorksWhenPasted(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "sh", "curl", "openssl")
	w := simtest.New(t, signedsub.New())
	server := serve(t, w)
	for _, shell := range []string{"bash", "sh"} {
		for _, base := range []string{server.URL + "/signedsub", server.URL + "/sandboxes/default/signedsub"} {
			cmd := exec.CommandContext(t.Context(), shell, "-c", w.Provider.Curl(base, w.Credentials))
			cmd.Env = append(cmd.Environ(), "NO_PROXY=*")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, `{"subscriptions":[]}`, string(out))
		}
	}
}

func TestRealHostsNeedNoPrefix(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	server := serve(t, w)
	require.Equal(t, []string{"api.calypso.finance", "api.calypso.money"}, w.Provider.Hosts)
	for _, host := range w.Provider.Hosts {
		body := validList(w, 0)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+listPath, strings.NewReader(body))
		require.NoError(t, err)
		req.Host = host
		req.Header.Set("Content-Type", "application/json")
		for name, value := range signed(w.Credentials, body) {
			req.Header.Set(name, value)
		}
		reply, err := server.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		require.Equal(t, http.StatusOK, reply.StatusCode)
	}
}
