package authority

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Kind says what a client meets in the handshake.
type Kind string

// What a client meets in the handshake.
const (
	Plain        Kind = ""              // no TLS
	Trusted      Kind = "trusted"       // a good certificate, signed by the CA
	SelfSigned   Kind = "self_signed"   // signed by nobody else
	Expired      Kind = "expired"       // as trusted, but it ended yesterday
	WrongHost    Kind = "wrong_host"    // as trusted, but for another host
	HandshakeCut Kind = "handshake_cut" // a reset after the client's hello
)

// elsewhere is the host of a certificate that is for another.
const elsewhere = "elsewhere.invalid"

// ErrNoCA is returned for a certificate that only a CA can sign.
var ErrNoCA = errors.New("authority: no CA")

// Leaf issues what a server at an address shows. Without a CA it can only be self-signed.
func Leaf(kind Kind, ca *CA, at netip.Addr) (*tls.Certificate, error) {
	if kind == SelfSigned || kind == HandshakeCut {
		return issue(kind.leaf(request{at: at}, ca), nil)
	}
	if ca == nil {
		return nil, fmt.Errorf("%w: %q needs one", ErrNoCA, kind)
	}
	return issue(kind.leaf(request{at: at}, ca), ca)
}

// request is which certificate a listener needs: for a name, or without one, for an address.
type request struct {
	kind Kind
	name string
	at   netip.Addr
}

// leaf is the certificate of a server before it is signed: at most one thing is wrong with it.
func (k Kind) leaf(r request, ca *CA) *x509.Certificate {
	now := nowOf(ca)
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "mocksrv"},
		NotBefore:   now.Add(-early),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	switch {
	case k == WrongHost:
		template.DNSNames = []string{elsewhere}
	case r.name != "" && r.name != localhost:
		template.DNSNames = []string{r.name}
	default: // in a container the address is not the one that a client outside used
		template.DNSNames = []string{localhost}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		if r.at.IsValid() {
			template.IPAddresses = append(template.IPAddresses, r.at.AsSlice())
		}
	}
	if k == Expired {
		template.NotBefore, template.NotAfter = now.Add(-2*day), now.Add(-day)
	}
	return template
}

const localhost = "localhost"

// maxLeaves is how many certificates of listeners are kept: a client may ask for any name.
const maxLeaves = 1024

// leafFor is the certificate for a handshake: the one it was before, unless that ends soon.
func (c *CA) leafFor(r request) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.leaves[r]; ok && c.lasts(r.kind, kept.Leaf) {
		return kept, nil
	}
	by := c
	if r.kind == SelfSigned {
		by = nil
	}
	made, err := issue(r.kind.leaf(r, c), by)
	if err != nil {
		return nil, err
	}
	for old := range c.leaves {
		if len(c.leaves) < maxLeaves {
			break
		}
		delete(c.leaves, old)
	}
	c.leaves[r] = made
	return made, nil
}

// lasts: an expired leaf is as good as it will be; any other is issued again before it ends, unless the CA ends first.
func (c *CA) lasts(kind Kind, leaf *x509.Certificate) bool {
	return kind == Expired || leaf.NotAfter.Sub(c.now()) >= renewal || leaf.NotAfter.Equal(c.Certificate.NotAfter)
}
