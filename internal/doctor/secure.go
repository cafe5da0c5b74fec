package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
)

const (
	trustAdvice = "Or let mocksrv trust it: put the CA's certificate into the system's store, or on Linux into a PEM file that SSL_CERT_FILE names (it takes the place of the store)."
	mountAdvice = "Or let mocksrv trust it: mount the certificate of its CA (its own when it is self-signed) as a PEM file that this container's user can read, and start mocksrv with SSL_CERT_FILE=<that file>, which takes the place of the image's roots."
)

// trustAdvice is how mocksrv is made to trust a certificate: an image has no store that somebody could add to.
func (e *examination) trustAdvice() string {
	if e.options.Container() {
		return mountAdvice
	}
	return trustAdvice
}

// secure makes the TLS handshake of an https URL. The connection is not used further: what follows makes its own.
func (e *examination) secure(ctx context.Context) finding {
	defer e.hangUp()
	if e.target.Scheme != "https" {
		return skipped("the URL is http")
	}
	conn, err := e.prober.Handshake(ctx, e.conn, e.target.Hostname(), e.check.Timeout)
	if err != nil {
		e.conn = nil
		return e.insecure(err)
	}
	e.conn = conn
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return fine("secured")
	}
	state := secured.ConnectionState()
	leaf := state.PeerCertificates[0]
	return fine(fmt.Sprintf("%s, a trusted certificate of %s that ends on %s", tls.VersionName(state.Version), clip(leaf.Issuer.CommonName), leaf.NotAfter.UTC().Format("2006-01-02")))
}

// insecure says why there was no handshake.
func (e *examination) insecure(err *delivery.ProbeError) finding {
	if strings.Contains(err.Detail, "remote error") && strings.Contains(err.Detail, "certificate") {
		return clientCertificate(err.Detail)
	}
	if f, ok := e.badCertificate(err); ok {
		return f
	}
	var record tls.RecordHeaderError
	why := err.Detail
	switch {
	case errors.As(err, &record) && strings.HasPrefix(string(record.RecordHeader[:]), "HTTP"):
		return wrong(HTTPSOnHTTPPort, "the port speaks plain HTTP, not TLS", "Begin the URL with http://, or use the app's https port.")
	case errors.As(err, &record):
		return wrong(NotTLS, "the port speaks something that is not TLS", "Check the port, or begin the URL with http://.")
	case err.Class == delivery.ClassTimeout:
		return wrong(TLSTimeout, "connected, but there was no TLS handshake within "+e.check.Timeout.String(), "Check that the port speaks TLS: one that does not may stay silent. If it speaks plain HTTP, begin the URL with http://.")
	case strings.Contains(why, "remote error"), strings.Contains(why, "protocol version"), strings.Contains(why, "cipher suite"):
		return wrong(TLSProtocol, why, "Let the app speak TLS 1.2 or 1.3 with usual ciphers, for the host name in the URL.",
			"If the app asks for a client certificate: deliveries have none, so do not require one on this path.")
	case strings.Contains(why, "the connection broke"):
		return wrong(TLSBroken, "connected, but the connection ended in the TLS handshake", "See the app's log. If the port speaks no TLS, begin the URL with http://; a proxy may also know no certificate for this host name.")
	}
	return wrong(TLSBadCertificate, why, "See the app's log and its certificate.")
}

func clientCertificate(why string) finding {
	return wrong(TLSClientCertificate, why, "The app asks for a client certificate, and deliveries have none: do not require one on this path.")
}

// badCertificate says what is wrong with a certificate, if that is what is wrong.
func (e *examination) badCertificate(err *delivery.ProbeError) (finding, bool) {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return wrong(TLSWrongHost, "the certificate is not for "+e.target.Hostname()+", but for "+namesOf(host.Certificate),
			"Use one of these names in the URL, or give the app a certificate that has "+e.target.Hostname()+" among its subject alternative names."), true
	case errors.As(err, &unknown) && selfSigned(unknown.Cert):
		return wrong(TLSSelfSigned, "the certificate is self-signed: nobody vouches for it",
			"For a test http is enough: let the app listen without TLS, and begin the URL with http://.", e.trustAdvice()), true
	case errors.As(err, &unknown):
		return wrong(TLSUnknownAuthority, fmt.Sprintf("the certificate is signed by %q, which is not trusted here", issuerOf(unknown.Cert)),
			"If the CA is a public one, let the app send the intermediate certificates, too (the full chain).", e.trustAdvice()), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotBefore.After(clock.WallNow()):
		return wrong(TLSNotYetValid, "the certificate begins on "+day(invalid.Cert, true), "Check the clocks of both machines, or renew the certificate."), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return wrong(TLSExpired, "the certificate expired on "+day(invalid.Cert, false), "Renew it, and let the app load the new one. Check the clock of this machine."), true
	case errors.As(err, &invalid), strings.Contains(err.Detail, "certificate"):
		return wrong(TLSBadCertificate, err.Detail, "Issue another certificate for the app.", e.trustAdvice()), true
	}
	return finding{}, false
}

func selfSigned(c *x509.Certificate) bool {
	return c != nil && string(c.RawIssuer) == string(c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func issuerOf(c *x509.Certificate) string {
	if c == nil {
		return "unknown"
	}
	return clip(c.Issuer.String())
}

func day(c *x509.Certificate, begins bool) string {
	at := c.NotAfter
	if begins {
		at = c.NotBefore
	}
	return at.UTC().Format("2006-01-02 15:04 MST")
}

// namesOf are the names that a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name at all (its common name does not count)"
	}
	return clip(strings.Join(names, ", "))
}

// speaksTLS says whether the port that was connected to makes TLS handshakes.
func (e *examination) speaksTLS(ctx context.Context) bool {
	conn, err := e.prober.Connect(ctx, e.reached, e.check.Timeout)
	if err != nil {
		return false
	}
	secured, err := e.prober.Handshake(ctx, conn, e.target.Hostname(), e.check.Timeout)
	if err == nil {
		_ = secured.Close()
		return true
	}
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate) || strings.Contains(err.Detail, "remote error: tls")
}
