package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

// TestOnlyWhoComesOverTLSByARealHostNameIsLookedAt: by prefix and over plain HTTP a provider asks for no certificate.
func TestOnlyWhoComesOverTLSByARealHostNameIsLookedAt(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	client, err := ca.Client("tester", false)
	require.NoError(t, err)
	var callers []sims.Caller
	p := fake(t)
	p.Admit = func(_ *sims.Call, from sims.Caller) error {
		callers = append(callers, from)
		return sims.Failure{Kind: sims.Forbidden, Rule: "credentials", Saw: "a stranger", Want: "a friend"}
	}
	e, err := engine.New(engine.Options{Providers: []*engine.Provider{p}, ClientRoots: ca.Pool()})
	require.NoError(t, err)
	sandbox, _ := e.Sandbox(engine.DefaultSandbox)
	ask := func(target, host string, state *tls.ConnectionState) int {
		req := httptest.NewRequest(http.MethodPut, target, strings.NewReader("{}"))
		req.Header.Set("Content-Type", "application/json")
		req.Host, req.TLS = host, state
		rec := httptest.NewRecorder()
		require.NoError(t, e.Serve(rec, req))
		return rec.Code
	}
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{client.Leaf}}
	require.Equal(t, 200, ask("/fake/things/1", "localhost", shown), "by prefix")
	require.Equal(t, 200, ask("/things/1", "api.fake.example", nil), "over plain HTTP")
	require.Empty(t, callers)
	refused := 400 + int(sims.Forbidden)
	require.Equal(t, refused, ask("/things/1", "API.fake.example:443", &tls.ConnectionState{}))
	require.Equal(t, "putThing", sandbox.Journal.Last().Operation, "the journal knows what was asked for")
	require.Equal(t, refused, ask("/no/such/path", "api.fake.example", shown), "before the path is looked at")
	require.Equal(t, []sims.Caller{
		{Host: "api.fake.example"},
		{Host: "api.fake.example", Certificate: "CN=tester, signed by " + ca.Certificate.Subject.String()},
	}, callers)
}
