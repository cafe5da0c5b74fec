package engine

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestDistrustSaysWhatIsWrongWithAClientsCertificate(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	foreign, err := authority.New()
	require.NoError(t, err)
	client := func(by *authority.CA, expired bool) *x509.Certificate {
		made, err := by.Client("", expired)
		require.NoError(t, err)
		return made.Leaf
	}
	server, err := authority.Leaf(authority.Trusted, ca, netip.Addr{})
	require.NoError(t, err)
	good, ended, now := client(ca, false), client(ca, true), clock.WallNow()
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		roots *x509.CertPool
		now   time.Time
		want  string
	}{
		"good":              {[]*x509.Certificate{good}, ca.Pool(), now, ""},
		"good, with its CA": {[]*x509.Certificate{good, ca.Certificate}, ca.Pool(), now, ""},
		"ended":             {[]*x509.Certificate{ended}, ca.Pool(), now, "that ended at " + ended.NotAfter.Format(time.RFC3339)},
		"not begun":         {[]*x509.Certificate{good}, ca.Pool(), now.Add(-25 * time.Hour), "that begins at " + good.NotBefore.Format(time.RFC3339)},
		"of another CA":     {[]*x509.Certificate{client(foreign, false)}, ca.Pool(), now, "that is not signed by the CA of this server"},
		"of another CA, which it has with it": {
			[]*x509.Certificate{client(foreign, false), foreign.Certificate}, ca.Pool(), now, "that is not signed by the CA of this server",
		},
		"of a server":            {[]*x509.Certificate{server.Leaf}, ca.Pool(), now, "that is not for clients: it lacks the extended key usage clientAuth"},
		"where no CA is trusted": {[]*x509.Certificate{good}, nil, now, "that is not signed by the CA of this server"},
	} {
		require.Equal(t, c.want, distrust(&tls.ConnectionState{PeerCertificates: c.chain}, c.roots, c.now), name)
	}
}
