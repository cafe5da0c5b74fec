package authority

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// DefaultClient is the name in the certificate of a client that says no other.
const DefaultClient = "mocksrv client"

// maxName is how long a common name may be (RFC 5280, ub-common-name).
const maxName = 64

// Client issues the certificate of a client, which is good now, or ended yesterday.
func (c *CA) Client(name string, expired bool) (*tls.Certificate, error) {
	if name == "" {
		name = DefaultClient
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	kind := Trusted
	if expired {
		kind = Expired
	}
	template := kind.leaf(request{}, c)
	template.Subject = pkix.Name{CommonName: name}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.DNSNames, template.IPAddresses = nil, nil
	return issue(template, c)
}

// CheckName refuses what cannot be the name in a client's certificate.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(name); n > maxName {
		return fmt.Errorf("a name has at most %d characters, this one has %d", maxName, n)
	}
	for _, r := range name {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Errorf("a name has only characters that can be printed, %q has others", name)
		}
	}
	return nil
}

// EncodePair writes a certificate and its key in PEM.
func EncodePair(pair *tls.Certificate) (certificate, key []byte, err error) {
	for _, der := range pair.Certificate {
		certificate = append(certificate, encode(der)...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("authority: write key: %w", err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
