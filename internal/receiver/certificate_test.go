package receiver

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	secured := func(t *testing.T, kind TLS) *Receiver {
		t.Helper()
		return open(t, Config{Spec: Spec{TLS: kind, Script: Script{Replies: []Reply{{Status: 201}}}}, CA: ca})
	}
	t.Run("trusted is accepted by who trusts the CA", func(t *testing.T) {
		t.Parallel()
		r := secured(t, Trusted)
		got, err := post(t, client(t, ca.Certificate), r)
		require.NoError(t, err)
		require.Equal(t, 201, got.status)
		require.Contains(t, r.URL(), "https://127.0.0.1:")
	})
	t.Run("trusted is refused by who does not", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t), secured(t, Trusted))
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	})
	t.Run("self_signed is refused even by who trusts the CA", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t, ca.Certificate), secured(t, SelfSigned))
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	})
	t.Run("self_signed is accepted by who knows the certificate", func(t *testing.T) {
		t.Parallel()
		r := secured(t, SelfSigned)
		got, err := post(t, client(t, r.Certificate()), r)
		require.NoError(t, err)
		require.Equal(t, 201, got.status)
	})
	t.Run("expired is refused for its dates", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t, ca.Certificate), secured(t, Expired))
		var invalid x509.CertificateInvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, x509.Expired, invalid.Reason)
	})
	t.Run("expired has nothing else wrong with it", func(t *testing.T) {
		t.Parallel()
		leaf := secured(t, Expired).Certificate()
		pool := x509.NewCertPool()
		pool.AddCert(ca.Certificate)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1", CurrentTime: leaf.NotBefore})
		require.NoError(t, err)
	})
	t.Run("wrong_host is refused for its name", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t, ca.Certificate), secured(t, WrongHost))
		require.ErrorAs(t, err, new(x509.HostnameError))
	})
	t.Run("handshake_cut resets the connection after the hello", func(t *testing.T) {
		t.Parallel()
		r := secured(t, HandshakeCut)
		_, err := post(t, client(t, ca.Certificate), r)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		requireEnded(t, r)
		require.Equal(t, []uint64{1, 0}, []uint64{r.Info().Connections, r.Info().Requests})
	})
	t.Run("plain HTTP has no certificate", func(t *testing.T) {
		t.Parallel()
		r := secured(t, Plain)
		require.Nil(t, r.Certificate())
		require.Contains(t, r.URL(), "http://127.0.0.1:")
	})
	t.Run("the PEM of the CA is its certificate", func(t *testing.T) {
		t.Parallel()
		block, rest := pem.Decode(ca.PEM())
		require.Empty(t, rest)
		require.Equal(t, ca.Certificate.Raw, block.Bytes)
	})
}

func TestTLSNeedsACA(t *testing.T) {
	t.Parallel()
	for _, kind := range []TLS{Trusted, Expired, WrongHost} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			_, err := Open(Config{Spec: Spec{TLS: kind}})
			require.EqualError(t, err, `receiver: tls: saw "`+string(kind)+`" without a CA, want a CA in the configuration,`+
				` which signs the certificate, or "self_signed"`)
			require.ErrorAs(t, err, new(*InvalidError))
		})
	}
}

func TestTLSSpeaksHTTP1(t *testing.T) {
	t.Parallel()
	r := open(t, Config{Spec: Spec{TLS: SelfSigned}})
	conn := tls.Client(dial(t, r), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(t, conn.HandshakeContext(t.Context()))
	require.Equal(t, "http/1.1", conn.ConnectionState().NegotiatedProtocol)
}
