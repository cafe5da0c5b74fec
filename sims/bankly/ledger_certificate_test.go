package bankly_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func certificateTests() ledgerTests {
	return ledgerTests{"client-certificate": clientCertificate, "token-client-certificate": tokenClientCertificate}
}

const invalidClient = `{"error":"invalid_client"}`

// mutualHosts are those on which the provider wants a certificate.
func mutualHosts() []string {
	return []string{
		"api-mtls.sandbox.bankly.com.br", "auth-mtls.sandbox.bankly.com.br", "api-mtls.bankly.com.br", "auth.bankly.com.br",
		"API-mtls.bankly.com.br:8443",
	}
}

// over makes a request come over TLS under a host name, from a client that showed a certificate, or none.
func over(host string, shown *x509.Certificate) func(*http.Request) *http.Request {
	return func(r *http.Request) *http.Request {
		r.Host, r.TLS = host, &tls.ConnectionState{}
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/bankly")
		r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, "/bankly")
		if shown != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{shown}
		}
		return r
	}
}

// called is an operation called that way.
func called(w *simtest.World, operation, host string, shown *x509.Certificate) *simtest.Reply {
	w.T.Helper()
	r := valid(operation)
	if operation == issue {
		r.Body = form(w)
	}
	r.Tamper = func(r *http.Request) { over(host, shown)(r) }
	return w.Call(operation, r)
}

// shownBy is the certificate of a client of a CA.
func shownBy(w *simtest.World, ca *authority.CA, expired bool) *x509.Certificate {
	w.T.Helper()
	made, err := ca.Client("tester", expired)
	require.NoError(w.T, err)
	return made.Leaf
}

// badCertificates are what a client should not show, with what the journal says of them.
func badCertificates(w *simtest.World) map[string]*x509.Certificate {
	w.T.Helper()
	foreign, err := authority.New()
	require.NoError(w.T, err)
	server, err := authority.Leaf(authority.Trusted, w.CA, netip.Addr{})
	require.NoError(w.T, err)
	return map[string]*x509.Certificate{
		"no client certificate in the handshake with ": nil,
		"that ended at ": shownBy(w, w.CA, true),
		"that is not signed by the CA of this server": shownBy(w, foreign, false),
		"that is not for clients":                     server.Leaf,
	}
}

func clientCertificate(w *simtest.World) {
	good := shownBy(w, w.CA, false)
	for operation := range apiOperations() {
		require.NotContains(w.T, []int{401, 403}, w.Call(operation, valid(operation)).Status, "plain HTTP asks for none: "+operation)
		require.NotContains(w.T, []int{401, 403}, called(w, operation, mutualHosts()[0], good).Status, operation)
		called(w, operation, mutualHosts()[0], nil).Refused(403, "client-certificate").Is(403, forbidden)
	}
	for saw, bad := range badCertificates(w) {
		for _, host := range mutualHosts() {
			require.Contains(w.T, called(w, list, host, bad).Refused(403, "client-certificate").Is(403, forbidden).Refusal.Saw, saw)
			called(w, list, host, good).OK()
		}
		called(w, list, "login.sandbox.bankly.com.br", bad).OK()
	}
	called(w, list, mutualHosts()[0], nil).Explained("no client certificate in the handshake with api-mtls.sandbox.bankly.com.br",
		"a certificate that the CA of this server signed (mocksrv cert client, or POST /_mocksrv/v1/certificates/client), "+
			"or the policy bankly.client_certificate: not_required")
	require.Equal(w.T, list, w.Sandbox.Journal.Last().Operation)
	byPrefix := w.Request("GET", configurationsPath, "", nil)
	byPrefix.TLS = &tls.ConnectionState{}
	w.Send(byPrefix).Refused(401, "credentials")
	w.SetPolicy("client_certificate", "not_required")
	for _, bad := range badCertificates(w) {
		called(w, list, mutualHosts()[0], bad).OK()
	}
}

func tokenClientCertificate(w *simtest.World) {
	good := shownBy(w, w.CA, false)
	for saw, bad := range badCertificates(w) {
		for _, host := range mutualHosts() {
			require.Contains(w.T, called(w, issue, host, bad).Refused(400, "token-client-certificate").Is(400, invalidClient).Refusal.Saw, saw)
			called(w, issue, host, good).OK()
		}
	}
	post(w, issue, form(w)).OK()
	w.SetPolicy("client_certificate", "not_required")
	called(w, issue, mutualHosts()[1], nil).OK()
}
