package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims"
)

// admit lets the provider look at the certificate of a client that came over TLS under one of its host names. Requests over
// plain HTTP, or by prefix, come in without. Who is turned away is told in the envelope of the operation, and the journal
// names it.
func (e *Engine) admit(req *request) error {
	if req.provider.Admit == nil || req.http.TLS == nil {
		return nil
	}
	if p, byHost := e.ForHost(req.http.Host); !byHost || p != req.provider {
		return nil
	}
	_ = req.route() // a path that is none is told to those who may come in
	return req.provider.Admit(req.call, e.caller(req.http))
}

// caller is what is known of a client by its handshake.
func (e *Engine) caller(r *http.Request) sims.Caller {
	c := sims.Caller{Host: hostname(r.Host)}
	if len(r.TLS.PeerCertificates) == 0 {
		return c
	}
	leaf := r.TLS.PeerCertificates[0]
	c.Certificate = leaf.Subject.String() + ", signed by " + leaf.Issuer.String()
	c.Wrong = distrust(r.TLS, e.options.ClientRoots, clock.WallNow())
	return c
}

// distrust says what is wrong with the certificate of a client; "" is nothing.
func distrust(state *tls.ConnectionState, roots *x509.CertPool, now time.Time) string {
	leaf := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if roots == nil {
		roots = x509.NewCertPool() // nil would be those of this machine
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isForeign := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case err == nil:
		return ""
	case now.After(leaf.NotAfter):
		return "that ended at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(leaf.NotBefore):
		return "that begins at " + leaf.NotBefore.UTC().Format(time.RFC3339)
	case isInvalid && invalid.Reason == x509.IncompatibleUsage:
		return "that is not for clients: it lacks the extended key usage clientAuth"
	case isForeign:
		return "that is not signed by the CA of this server"
	}
	return "that does not verify: " + err.Error()
}
