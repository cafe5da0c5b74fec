package bankly

import (
	"slices"

	"github.com/mocksrv/mocksrv/sims"
)

// certificateNot is the value of the policy client_certificate that is not the default.
const certificateNot = "not_required"

// The provider's host names.
const (
	hostAPI               = "api-mtls.bankly.com.br"
	hostToken             = "auth.bankly.com.br"
	hostSandboxAPI        = "api-mtls.sandbox.bankly.com.br"
	hostSandboxToken      = "auth-mtls.sandbox.bankly.com.br"
	hostSandboxBeforehand = "login.sandbox.bankly.com.br" // gives the token with which a partner gets its first certificate
)

// admit obeys client-certificate and token-client-certificate.
func admit(c *sims.Call, from sims.Caller) error {
	withCertificate := []string{hostAPI, hostToken, hostSandboxAPI, hostSandboxToken}
	if !slices.Contains(withCertificate, from.Host) || c.Policies.Enum("client_certificate") == certificateNot {
		return nil
	}
	var saw string
	switch {
	case from.Certificate == "":
		saw = "no client certificate in the handshake with " + from.Host
	case from.Wrong != "":
		saw = "the certificate of " + sims.Excerpt(from.Certificate, 300) + " " + from.Wrong
	default:
		return nil
	}
	if c.Operation == opIssueToken {
		return uncertifiedClient(saw)
	}
	return uncertified(saw)
}

// wantCertificate says how to come in.
func wantCertificate() string {
	return "a certificate that the CA of this server signed (mocksrv cert client, or POST /_mocksrv/v1/certificates/client), " +
		"or the policy bankly.client_certificate: " + certificateNot
}

func uncertified(saw string) error {
	return sims.Failure{Kind: sims.Forbidden, Rule: "client-certificate", Saw: saw, Want: wantCertificate()}
}

func uncertifiedClient(saw string) error {
	return sims.Failure{Kind: sims.Invalid, Rule: "token-client-certificate", Code: "invalid_client", Saw: saw, Want: wantCertificate()}
}
