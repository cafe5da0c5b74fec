package authority

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Listener says what a TLS listener shows, and what it asks for.
type Listener struct {
	CA *CA
	// Own are certificates from elsewhere. One is shown for the names in it, instead of one that the CA signs.
	Own []tls.Certificate
	// Kind says for each handshake what the client meets. Nil, or Plain: Trusted.
	Kind func(serverName string) Kind
	// Asks says for which names a client is asked for its certificate. Nil: none. Whether it is any good is for the
	// handler to say: a handshake never fails for it.
	Asks func(serverName string) bool
}

var errHandshakeCut = errors.New("authority: handshake cut, as asked for")

// Config returns the TLS configuration of the listener. There is no resumption: each handshake shows a certificate.
func (l Listener) Config() *tls.Config {
	config := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"h2", "http/1.1"},
		SessionTicketsDisabled: true,
		GetCertificate:         l.show(Trusted),
	}
	// No list of accepted CAs goes out: many clients would then keep a foreign certificate to themselves, and the refusal
	// could not name it.
	asking := config.Clone()
	asking.ClientAuth = tls.RequestClientCert
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name := serverName(hello)
		kind := l.kind(name) // asked once in a handshake: whoever answers may count
		if kind == HandshakeCut {
			return Cut(hello)
		}
		chosen := config
		if l.Asks != nil && l.Asks(name) {
			chosen = asking
		}
		if kind != Trusted {
			chosen = chosen.Clone()
			chosen.GetConfigForClient, chosen.GetCertificate = nil, l.show(kind)
		}
		return chosen, nil
	}
	return config
}

func (l Listener) kind(name string) Kind {
	if l.Kind == nil {
		return Trusted
	}
	if kind := l.Kind(name); kind != Plain {
		return kind
	}
	return Trusted
}

// show returns what chooses the certificate for a client that is to meet a kind of it.
func (l Listener) show(kind Kind) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return l.certificate(hello, kind) }
}

// certificate is what one client is shown.
func (l Listener) certificate(hello *tls.ClientHelloInfo, kind Kind) (*tls.Certificate, error) {
	r := request{name: serverName(hello), kind: kind}
	if r.name == "" || r.name == localhost {
		r.at = localAddress(hello.Conn)
	}
	if err := checkServerName(r.name); err != nil {
		return nil, err
	}
	if own := l.own(hello, r); own != nil {
		return own, nil
	}
	return l.CA.leafFor(r)
}

// own is the certificate from elsewhere that has the name, or without a name, the address.
func (l Listener) own(hello *tls.ClientHelloInfo, r request) *tls.Certificate {
	for _, name := range wanted(r) {
		at := slices.IndexFunc(l.Own, func(c tls.Certificate) bool {
			return r.kind == Trusted && c.Leaf.VerifyHostname(name) == nil && hello.SupportsCertificate(&c) == nil
		})
		if at >= 0 {
			return &l.Own[at]
		}
	}
	return nil
}

// wanted is what a certificate from elsewhere must have one of, the best first. A client that asks for no name may have used
// a published port: it sees a loopback address where a container sees another.
func wanted(r request) []string {
	switch {
	case r.name != "":
		return []string{r.name}
	case !r.at.IsValid():
		return nil
	case r.at.IsLoopback():
		return []string{r.at.String()}
	}
	return []string{r.at.String(), "127.0.0.1", "::1"}
}

func serverName(hello *tls.ClientHelloInfo) string {
	return strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
}

// checkServerName keeps out what is no name of a host.
func checkServerName(name string) error {
	const longest = 253
	strange := func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}
	if len(name) > longest || strings.ContainsFunc(name, strange) {
		return fmt.Errorf("authority: the server name %.300q is no name of a host", name)
	}
	return nil
}

// localAddress is where a connection came in.
func localAddress(conn net.Conn) netip.Addr {
	if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Cut ends a handshake after the client's hello, with a reset.
func Cut(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if tcp, ok := hello.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = hello.Conn.Close()
	return nil, errHandshakeCut
}
