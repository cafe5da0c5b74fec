package doctor_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/doctor"
	"github.com/mocksrv/mocksrv/internal/receiver"
)

func TestTLSOfReceivers(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	for kind, c := range map[receiver.TLS]struct {
		cause doctor.Cause
		words string
	}{
		receiver.Trusted:      {"", ""},
		receiver.SelfSigned:   {doctor.TLSSelfSigned, "SSL_CERT_FILE"},
		receiver.Expired:      {doctor.TLSExpired, "expired on "},
		receiver.WrongHost:    {doctor.TLSWrongHost, "but for "},
		receiver.HandshakeCut: {doctor.TLSBroken, "ended in the TLS handshake"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{TLS: kind}, CA: ca})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			report := practice{trust: ca.Certificate}.examine(t, r.URL())
			if c.cause == "" {
				requireHealthy(t, report)
				require.Contains(t, report.Steps[4].Detail, "TLS 1.3, a trusted certificate of ")
				return
			}
			requireCause(t, report, "tls", c.cause, c.words)
		})
	}
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{TLS: receiver.Trusted}, CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	requireCause(t, practice{}.examine(t, r.URL()), "tls", doctor.TLSUnknownAuthority, "which is not trusted here", "full chain", "the system's store")
	requireCause(t, practice{container: true}.examine(t, r.URL()), "tls", doctor.TLSUnknownAuthority, "mount the certificate of its CA", "SSL_CERT_FILE=")
}

// secured is an app with TLS settings of its own.
func secured(t *testing.T, config *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = config
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func trustOf(t *testing.T) *x509.Certificate {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // all test servers share a certificate
	defer server.Close()
	return server.Certificate()
}

func TestTLSThatDoesNotFit(t *testing.T) {
	t.Parallel()
	trust := trustOf(t)
	old := secured(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	requireCause(t, practice{trust: trust}.examine(t, old), "tls", doctor.TLSProtocol, "TLS 1.2")
	mutual := secured(t, &tls.Config{MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert})
	requireCause(t, practice{trust: trust}.examine(t, mutual), "tls", doctor.TLSProtocol, "client certificate")
	late := secured(t, &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}) // it says so after the handshake
	requireCause(t, practice{trust: trust}.examine(t, late), "answer", doctor.TLSClientCertificate, "client certificate")
}

func TestPortsOfTheOtherScheme(t *testing.T) {
	t.Parallel()
	plain := strings.TrimPrefix(status(t, 200), "http://")
	requireCause(t, practice{}.examine(t, "https://"+plain), "tls", doctor.HTTPSOnHTTPPort, "http://")
	server := strings.TrimPrefix(secured(t, nil), "https://")
	requireCause(t, practice{}.examine(t, "http://"+server), "answer", doctor.HTTPOnHTTPSPort, "https://")
	requireCause(t, practice{trust: trustOf(t)}.examine(t, "http://"+server), "answer", doctor.HTTPOnHTTPSPort, "https://")
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{TLS: receiver.SelfSigned}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	requireCause(t, practice{}.examine(t, strings.Replace(r.URL(), "https", "http", 1)), "answer", doctor.HTTPOnHTTPSPort)
}

// TestTLSThatDoesNotExplainItself: most servers of TLS end a plain request with an alert or with nothing.
func TestTLSThatDoesNotExplainItself(t *testing.T) {
	t.Parallel()
	leaf, err := authority.Leaf(authority.SelfSigned, nil, netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	address := socket(t, "127.0.0.1:0", func(conn net.Conn) {
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*leaf}}).HandshakeContext(context.Background())
	})
	requireCause(t, practice{}.examine(t, "http://"+address), "answer", doctor.HTTPOnHTTPSPort)
}

func TestPortsThatSpeakNoTLS(t *testing.T) {
	t.Parallel()
	short := practice{timeout: 80 * time.Millisecond}
	requireCause(t, practice{}.examine(t, "https://"+socket(t, "127.0.0.1:0", answers("220 mail ready\r\n"))), "tls", doctor.NotTLS)
	requireCause(t, practice{}.examine(t, "https://"+socket(t, "127.0.0.1:0", answers(""))), "tls", doctor.TLSBroken)
	requireCause(t, short.examine(t, "https://"+hanging(t)), "tls", doctor.TLSTimeout, "within 80ms")
}

// hanging takes connections and says nothing until the other side is gone.
func hanging(t *testing.T) string {
	t.Helper()
	return socket(t, "127.0.0.1:0", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}
