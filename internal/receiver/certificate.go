package receiver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// TLS says what a client meets in the handshake. The receiver speaks plain HTTP without it.
type TLS string

// What a client meets in the handshake.
const (
	Plain        TLS = ""              // no TLS
	Trusted      TLS = "trusted"       // a good certificate, signed by the CA of the Config
	SelfSigned   TLS = "self_signed"   // signed by nobody else
	Expired      TLS = "expired"       // as trusted, but it ended yesterday
	WrongHost    TLS = "wrong_host"    // as trusted, but for another host
	HandshakeCut TLS = "handshake_cut" // a reset after the client's hello
)

// Certificates are valid by the machine's clock, since that is what clients compare them with.
const (
	day        = 24 * time.Hour
	caLifetime = 3650 * day
	lifetime   = 365 * day
)

var errHandshakeCut = errors.New("receiver: handshake cut, as asked for")

func tlsKinds() []TLS { return []TLS{Plain, Trusted, SelfSigned, Expired, WrongHost, HandshakeCut} }

// CA signs the certificates of receivers. A client that is to trust them has Certificate among its roots.
type CA struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// NewCA makes a certificate authority that lives as long as the process does.
func NewCA() (*CA, error) {
	now := clock.WallNow()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "mocksrv receivers"},
		NotBefore:             now.Add(-3 * day), // earlier than an expired leaf
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	certificate, key, err := issue(template, nil)
	if err != nil {
		return nil, err
	}
	return &CA{Certificate: certificate, Key: key}, nil
}

// PEM is the certificate of the authority, for a client's root pool.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw})
}

// tlsConfig is what a receiver at an address shows; nil for Plain.
func tlsConfig(kind TLS, ca *CA, host netip.Addr) (*tls.Config, error) {
	switch kind {
	case Plain:
		return nil, nil
	case SelfSigned, HandshakeCut:
		ca = nil
	case Trusted, Expired, WrongHost:
		if ca == nil {
			return nil, &InvalidError{Fields: []FieldError{{
				Field: "tls", Saw: fmt.Sprintf("%q without a CA", kind),
				Want: `a CA in the configuration, which signs the certificate, or "self_signed"`,
			}}}
		}
	}
	certificate, key, err := issue(leaf(kind, host), ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"}, // a bare connection cannot be had from HTTP/2
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}},
	}
	if kind == HandshakeCut {
		config.GetConfigForClient = cutHandshake
	}
	return config, nil
}

func cutHandshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	reset(hello.Conn)
	return nil, errHandshakeCut
}

// leaf is the certificate of a receiver before it is signed: at most one thing is wrong with it.
func leaf(kind TLS, host netip.Addr) *x509.Certificate {
	now := clock.WallNow()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "mocksrv receiver"},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, host.AsSlice()},
	}
	switch kind {
	case Expired:
		template.NotBefore, template.NotAfter = now.Add(-2*day), now.Add(-day)
	case WrongHost:
		template.DNSNames, template.IPAddresses = []string{"elsewhere.invalid"}, nil
	case Plain, Trusted, SelfSigned, HandshakeCut:
	}
	return template
}

// issue signs a template with a fresh P-256 key of its own; without a CA it signs itself.
func issue(template *x509.Certificate, ca *CA) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("receiver: certificate key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, fmt.Errorf("receiver: certificate serial number: %w", err)
	}
	parent, signer := template, crypto.Signer(key)
	if ca != nil {
		parent, signer = ca.Certificate, ca.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("receiver: sign certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("receiver: read back certificate: %w", err)
	}
	return certificate, key, nil
}
