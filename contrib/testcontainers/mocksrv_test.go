package mocksrv_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"

	"github.com/mocksrv/mocksrv/client"
	mocksrv "github.com/mocksrv/mocksrv/contrib/testcontainers"
)

func TestMain(m *testing.M) {
	if image() == "" {
		fmt.Fprintln(os.Stderr, "MOCKSRV_IMAGE: want the image to test, such as the one of docker build -t mocksrv .; scripts/container.sh does all of it")
		os.Exit(1) //nolint:forbidigo // a test of nothing must not pass
	}
	os.Exit(m.Run()) //nolint:forbidigo // what testing asks for
}

// started runs the image until the test ends.
func started(t *testing.T, opts ...testcontainers.ContainerCustomizer) *mocksrv.Container {
	t.Helper()
	c, err := mocksrv.Run(t.Context(), image(), opts...)
	testcontainers.CleanupContainer(t, c)
	require.NoError(t, err)
	return c
}

func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 8, 9, 0, 0, 500_000_000, time.UTC)
	c := started(t, mocksrv.WithSeed(7), mocksrv.WithClock(at), mocksrv.WithControlToken("test-token"), mocksrv.WithAllowHosts("a.example", "b.example"))
	control, err := c.Client(t.Context())
	require.NoError(t, err)
	sandbox, err := control.In("default").Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(7), sandbox.Seed)
	require.True(t, sandbox.Clock.Now.Equal(at), sandbox.Clock.Now)

	url, err := c.ControlURL(t.Context())
	require.NoError(t, err)
	for host, want := range map[string]int{"b.example": http.StatusUnauthorized, "c.example": http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/_mocksrv/v1/sims", nil)
		require.NoError(t, err)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode, host)
	}
}

func TestAnUnknownSimIsNamedWithThoseThereAre(t *testing.T) {
	t.Parallel()
	_, err := started(t).BaseURL(t.Context(), "stripe")
	require.ErrorContains(t, err, `there is no sim "stripe"; the sims are bankly, bitpay, bts, hsrcpay, signedsub`)
}

func TestAnImageThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	c, err := mocksrv.Run(t.Context(), image(), testcontainers.WithCmd("no-such-command"))
	testcontainers.CleanupContainer(t, c)
	require.ErrorContains(t, err, "mocksrv: run "+image())
}

// Bankly's own host asks for a client certificate; the container issues one.
func TestAClientCertificateOpensBankly(t *testing.T) {
	t.Parallel()
	c := started(t)
	control, err := c.Client(t.Context())
	require.NoError(t, err)
	issued, err := control.ClientCertificate(t.Context(), client.NewCertificate{Name: "shop"})
	require.NoError(t, err)
	certificate, err := tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	require.NoError(t, err)
	credentials, err := c.Credentials(t.Context(), "bankly")
	require.NoError(t, err)
	for want, certificates := range map[int][]tls.Certificate{http.StatusOK: {certificate}, http.StatusForbidden: nil} {
		transport, err := c.Transport(t.Context(), certificates...)
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api-mtls.sandbox.bankly.com.br/webhooks/configurations", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+credentials["token"])
		req.Header.Set("api-version", "1.0")
		resp, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
	}
}

// A delivery reaches a receiver of the test itself, outside of the container.
func TestDeliveriesReachTheTest(t *testing.T) {
	t.Parallel()
	c := started(t)
	arrived := make(chan string, 1)
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("HSRCPAY-Signature")
	}))
	require.NoError(t, receiver.Listener.Close())
	receiver.Listener = fromContainers(t, c)
	receiver.Start()
	t.Cleanup(receiver.Close)
	address, ok := receiver.Listener.Addr().(*net.TCPAddr)
	require.True(t, ok)

	base, err := c.BaseURL(t.Context(), "hsrcpay")
	require.NoError(t, err)
	credentials, err := c.Credentials(t.Context(), "hsrcpay")
	require.NoError(t, err)
	body := fmt.Sprintf(`{"endpoint":%q,"enabled_events":["payment.succeeded"]}`, c.HostURL(address.Port)+"/hook")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/webhooks/", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+credentials["secret_key"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	control, err := c.Client(t.Context())
	require.NoError(t, err)
	emitted, err := control.In("default").Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	require.Len(t, emitted.Deliveries, 1)
	_, err = control.In("default").WaitForDeliveries(t.Context(), 1, client.DeliveryFilter{State: "delivered"})
	require.NoError(t, err)
	require.Contains(t, <-arrived, "v1=")
}

// fromContainers listens where containers reach this machine: on the bridge, or on loopback where Docker is a virtual
// machine that leads there.
func fromContainers(t *testing.T, c *mocksrv.Container) net.Listener {
	t.Helper()
	info, err := c.Inspect(t.Context())
	require.NoError(t, err)
	var config net.ListenConfig
	for _, network := range info.NetworkSettings.Networks {
		if listener, err := config.Listen(t.Context(), "tcp", net.JoinHostPort(network.Gateway.String(), "0")); err == nil {
			return listener
		}
	}
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}
