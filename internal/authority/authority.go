// Package authority is the development CA of a server: it signs what its TLS listeners and its scripted receivers show in
// a handshake, and the certificates of clients. Whoever has its certificate among its roots trusts all of them.
//
// Certificates are valid by the machine's clock, since that is what the other side compares them with. A CA lives as long
// as the process does, or in a folder, where the next process finds it. Its key is for tests: nothing of value may trust it.
//
// The package must not know HTTP, providers or receivers.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// How long certificates are good.
const (
	day        = 24 * time.Hour
	caLifetime = 3650 * day
	lifetime   = 365 * day
	renewal    = 30 * day  // a leaf that ends sooner is issued again
	early      = time.Hour // a leaf begins so long ago: the clocks of containers differ
	caEarly    = 3 * day   // earlier than an expired leaf
)

// CA signs certificates. Its methods are safe for concurrent use.
type CA struct {
	Certificate *x509.Certificate

	key crypto.Signer
	now func() time.Time

	mu     sync.Mutex
	leaves map[request]*tls.Certificate // those of listeners
}

// New makes a CA that lives as long as the process does.
func New() (*CA, error) {
	now := clock.WallNow()
	template := &x509.Certificate{
		NotBefore:             now.Add(-caEarly),
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	made, err := issue(template, nil)
	if err != nil {
		return nil, err
	}
	return newCA(made.Leaf, made.PrivateKey)
}

func newCA(certificate *x509.Certificate, key crypto.PrivateKey) (*CA, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("authority: the key is a %T, which cannot sign", key)
	}
	return &CA{Certificate: certificate, key: signer, now: clock.WallNow, leaves: map[request]*tls.Certificate{}}, nil
}

// PEM is the certificate of the CA, for a client's roots.
func (c *CA) PEM() []byte { return encode(c.Certificate.Raw) }

// Pool has the CA as its only root.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate)
	return pool
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue signs a template with a fresh P-256 key of its own; without a CA it signs itself. Nothing outlives its CA.
func issue(template *x509.Certificate, ca *CA) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority: certificate key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fmt.Errorf("authority: serial number: %w", err)
	}
	parent, signer := template, crypto.Signer(key)
	if ca != nil {
		parent, signer = ca.Certificate, ca.key
	}
	if template.IsCA { // several may stand in one list of roots
		template.Subject = pkix.Name{CommonName: fmt.Sprintf("mocksrv development CA %.8x", template.SerialNumber.FillBytes(make([]byte, 16)))}
	}
	if template.NotAfter.After(parent.NotAfter) {
		template.NotAfter = parent.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("authority: sign certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("authority: read back certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}, nil
}

func nowOf(ca *CA) time.Time {
	if ca == nil {
		return clock.WallNow()
	}
	return ca.now()
}
