package authority

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func newTestCA(t *testing.T) *CA {
	t.Helper()
	ca, err := New()
	require.NoError(t, err)
	return ca
}

// served listens with a configuration and shakes hands with whoever comes.
func served(t *testing.T, l Listener) net.Addr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	config := l.Config()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				secured := tls.Server(conn, config)
				if err := secured.HandshakeContext(t.Context()); err == nil {
					shown := secured.ConnectionState().PeerCertificates
					_, _ = fmt.Fprintf(secured, "%d", len(shown))
				}
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr()
}

// shaken is what a client sees that trusts a pool.
type shaken struct {
	err  error
	leaf *x509.Certificate
	alpn string
	said string
}

func shake(t *testing.T, at net.Addr, config *tls.Config) shaken {
	t.Helper()
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.String())
	require.NoError(t, err)
	defer func() { _ = raw.Close() }()
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config.ServerName = "127.0.0.1" // which is not sent
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		return shaken{err: err}
	}
	buffer := make([]byte, 8)
	n, err := conn.Read(buffer)
	state := conn.ConnectionState()
	return shaken{err: err, leaf: state.PeerCertificates[0], alpn: state.NegotiatedProtocol, said: string(buffer[:n])}
}

func TestALeafForEachName(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	at := served(t, Listener{CA: ca})
	for _, name := range []string{"api.example.com", "auth.example.com", "localhost", strings.Repeat("a.", 120) + "example"} {
		got := shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: name})
		require.NoError(t, got.err, name)
		require.Contains(t, got.leaf.DNSNames, name)
		require.Error(t, shake(t, at, &tls.Config{RootCAs: newTestCA(t).Pool(), ServerName: name}).err)
	}
	upper := shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: "API.example.com"})
	require.NoError(t, upper.err)
	require.Equal(t, []string{"api.example.com"}, upper.leaf.DNSNames)
}

func TestALeafForAnAddressWithoutAName(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	for _, name := range []string{"127.0.0.1", "::1"} { // Go sends no server name for them
		got := shake(t, served(t, Listener{CA: ca}), &tls.Config{RootCAs: ca.Pool(), ServerName: name})
		require.NoError(t, got.err)
		require.Contains(t, got.leaf.DNSNames, "localhost")
	}
	r := request{kind: Trusted, at: netip.MustParseAddr("172.17.0.2")}
	leaf, err := ca.leafFor(r)
	require.NoError(t, err)
	require.NoError(t, leaf.Leaf.VerifyHostname("172.17.0.2"))
	require.NoError(t, leaf.Leaf.VerifyHostname("127.0.0.1"), "a published port of a container is reached at another address")
}

func TestAStrangeServerNameGetsNoCertificate(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	at := served(t, Listener{CA: ca})
	for _, name := range []string{"*.example.com", "a b.example", strings.Repeat("a", 254), "a/b"} {
		require.Error(t, shake(t, at, &tls.Config{InsecureSkipVerify: true, ServerName: name}).err, name)
	}
	require.Empty(t, ca.leaves)
}

func TestLeavesAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	first, err := ca.leafFor(request{kind: Trusted, name: "a.example"})
	require.NoError(t, err)
	again, err := ca.leafFor(request{kind: Trusted, name: "a.example"})
	require.NoError(t, err)
	require.Same(t, first, again)
	for i := range maxLeaves + 10 {
		_, err := ca.leafFor(request{kind: Trusted, name: fmt.Sprintf("%d.example", i)})
		require.NoError(t, err)
	}
	require.Len(t, ca.leaves, maxLeaves)
}

func TestALeafIsIssuedAgainBeforeItEnds(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	now := clock.WallNow()
	ca.now = func() time.Time { return now }
	r := request{kind: Trusted, name: "a.example"}
	first, err := ca.leafFor(r)
	require.NoError(t, err)
	require.Less(t, first.Leaf.NotBefore, now, "the clocks of containers differ")
	now = first.Leaf.NotAfter.Add(-renewal)
	kept, err := ca.leafFor(r)
	require.NoError(t, err)
	require.Same(t, first, kept)
	now = now.Add(time.Second)
	renewed, err := ca.leafFor(r)
	require.NoError(t, err)
	require.NotSame(t, first, renewed)
	require.Equal(t, now.Add(lifetime).Unix(), renewed.Leaf.NotAfter.Unix())
	now = ca.Certificate.NotAfter.Add(-day)
	last, err := ca.leafFor(r)
	require.NoError(t, err)
	require.Equal(t, ca.Certificate.NotAfter, last.Leaf.NotAfter, "nothing outlives its CA")
	again, err := ca.leafFor(r)
	require.NoError(t, err)
	require.Same(t, last, again)
}

func TestEachKindHasOneThingWrong(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	kinds := []Kind{Plain, Trusted, SelfSigned, Expired, WrongHost, HandshakeCut}
	next := make(chan Kind, 2)
	at := served(t, Listener{CA: ca, Kind: func(name string) Kind {
		require.Equal(t, "api.example.com", name)
		kind := <-next
		next <- kind
		return kind
	}})
	for _, kind := range kinds {
		next <- kind
		got := shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: "api.example.com"})
		<-next
		switch kind {
		case Plain, Trusted:
			require.NoError(t, got.err)
		case SelfSigned:
			require.ErrorAs(t, got.err, new(x509.UnknownAuthorityError))
		case Expired:
			invalid, ok := errorAs[x509.CertificateInvalidError](got.err)
			require.True(t, ok, got.err)
			require.Equal(t, x509.Expired, invalid.Reason)
			_, err := invalid.Cert.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "api.example.com", CurrentTime: invalid.Cert.NotBefore})
			require.NoError(t, err)
		case WrongHost:
			require.ErrorAs(t, got.err, new(x509.HostnameError))
		case HandshakeCut:
			require.ErrorIs(t, got.err, syscall.ECONNRESET)
		}
	}
}

// TestNoHandshakeIsSkipped: a client that comes again is shown a certificate again, so that a fault reaches it.
func TestNoHandshakeIsSkipped(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	kind := make(chan Kind, 1)
	kind <- Trusted
	at := served(t, Listener{CA: ca, Kind: func(string) Kind { k := <-kind; kind <- k; return k }})
	config := &tls.Config{RootCAs: ca.Pool(), ServerName: "a.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	require.NoError(t, shake(t, at, config).err)
	<-kind
	kind <- Expired
	require.Error(t, shake(t, at, config).err)
}

func TestHTTP2IsOffered(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	at := served(t, Listener{CA: ca})
	for _, offers := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}, nil} {
		got := shake(t, at, &tls.Config{RootCAs: ca.Pool(), NextProtos: offers})
		require.NoError(t, got.err)
		require.Equal(t, slices.Concat(offers, []string{""})[0], got.alpn)
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	at := served(t, Listener{CA: ca})
	require.NoError(t, shake(t, at, &tls.Config{RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS12}).err)
	require.Error(t, shake(t, at, &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).err)
}

func TestOwnCertificatesServeTheirNames(t *testing.T) {
	t.Parallel()
	ca, other := newTestCA(t), newTestCA(t)
	own, err := issue(Trusted.leaf(request{name: "own.example"}, other), other)
	require.NoError(t, err)
	at := served(t, Listener{CA: ca, Own: []tls.Certificate{*own}, Kind: func(name string) Kind {
		if name == "expired.own.example" {
			return Expired
		}
		return Trusted
	}})
	require.NoError(t, shake(t, at, &tls.Config{RootCAs: other.Pool(), ServerName: "own.example"}).err)
	require.NoError(t, shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: "a.example"}).err)
	require.NoError(t, shake(t, at, &tls.Config{RootCAs: ca.Pool()}).err)
	require.ErrorAs(t, shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: "own.example"}).err, new(x509.UnknownAuthorityError))
	for kind, shown := range map[Kind]bool{Trusted: true, Expired: false, WrongHost: false} { // a fault wins over it
		l := Listener{CA: ca, Own: []tls.Certificate{*own}, Kind: func(string) Kind { return kind }}
		got := shake(t, served(t, l), &tls.Config{InsecureSkipVerify: true, ServerName: "own.example"})
		require.Equal(t, shown, got.leaf.Equal(own.Leaf), kind)
	}
}

func TestOwnCertificateForAnAddress(t *testing.T) {
	t.Parallel()
	ca, other := newTestCA(t), newTestCA(t)
	own, err := Leaf(Trusted, other, netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	at := served(t, Listener{CA: ca, Own: []tls.Certificate{*own}})
	require.NoError(t, shake(t, at, &tls.Config{RootCAs: other.Pool()}).err)
}

// TestOwnCertificateBehindAPublishedPort: a client outside asks for 127.0.0.1, and the container sees an address of its own.
func TestOwnCertificateBehindAPublishedPort(t *testing.T) {
	t.Parallel()
	other := newTestCA(t)
	leaf := func(names []string, addresses ...net.IP) tls.Certificate {
		template := Trusted.leaf(request{name: "x"}, other)
		template.DNSNames, template.IPAddresses = names, addresses
		made, err := issue(template, other)
		require.NoError(t, err)
		return *made
	}
	named, local, here := leaf([]string{"own.example"}), leaf(nil, net.IPv4(127, 0, 0, 1)), leaf(nil, net.IPv4(172, 17, 0, 2))
	six := leaf(nil, net.IPv6loopback)
	hello := &tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}}
	inside := request{kind: Trusted, at: netip.MustParseAddr("172.17.0.2")}
	for _, c := range []struct {
		says string
		own  []tls.Certificate
		of   request
		want *tls.Certificate
	}{
		{"one for loopback is shown", []tls.Certificate{named, local}, inside, &local},
		{"also for the loopback of IPv6", []tls.Certificate{six}, inside, &six},
		{"one for the address itself comes first", []tls.Certificate{local, here}, inside, &here},
		{"one for names only is not shown", []tls.Certificate{named}, inside, nil},
		{"a name is a name", []tls.Certificate{local}, request{kind: Trusted, name: "own.example", at: inside.at}, nil},
		{"on loopback itself the address counts", []tls.Certificate{local}, request{kind: Trusted, at: netip.MustParseAddr("::1")}, nil},
		{"without an address there is nothing to compare", []tls.Certificate{local}, request{kind: Trusted}, nil},
	} {
		got := Listener{Own: c.own}.own(hello, c.of)
		if c.want == nil {
			require.Nil(t, got, c.says)
			continue
		}
		require.NotNil(t, got, c.says)
		require.Equal(t, c.want.Certificate, got.Certificate, c.says)
	}
}

func TestOnlySomeNamesAskForACertificate(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	mine, err := newTestCA(t).Client("somebody", false)
	require.NoError(t, err)
	at := served(t, Listener{CA: ca, Asks: func(name string) bool { return name == "mtls.example" }})
	for name, said := range map[string]string{"mtls.example": "1", "a.example": "0"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := &tls.Config{RootCAs: ca.Pool(), ServerName: name, Certificates: []tls.Certificate{*mine}, MaxVersion: version}
			got := shake(t, at, config)
			require.NoError(t, got.err, "a handshake never fails for the client's certificate")
			require.Equal(t, said, got.said, name)
		}
	}
	require.Equal(t, "0", shake(t, at, &tls.Config{RootCAs: ca.Pool(), ServerName: "mtls.example"}).said)
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	verify := func(leaf *x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) error {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
	good, err := ca.Client("", false)
	require.NoError(t, err)
	require.Equal(t, "CN="+DefaultClient, good.Leaf.Subject.String())
	require.NoError(t, verify(good.Leaf, ca.Pool(), x509.ExtKeyUsageClientAuth))
	require.Error(t, verify(good.Leaf, ca.Pool(), x509.ExtKeyUsageServerAuth))
	require.Error(t, verify(good.Leaf, newTestCA(t).Pool(), x509.ExtKeyUsageClientAuth))
	ended, err := ca.Client("Acme Ltda. ção", true)
	require.NoError(t, err)
	require.Equal(t, "Acme Ltda. ção", ended.Leaf.Subject.CommonName)
	invalid, ok := errorAs[x509.CertificateInvalidError](verify(ended.Leaf, ca.Pool(), x509.ExtKeyUsageClientAuth))
	require.True(t, ok)
	require.Equal(t, x509.Expired, invalid.Reason)
	for _, name := range []string{strings.Repeat("é", maxName+1), "a\nb", "\xff"} {
		_, err := ca.Client(name, false)
		require.ErrorContains(t, err, "a name has")
	}
	_, err = ca.Client(strings.Repeat("é", maxName), false)
	require.NoError(t, err)
	certificate, key, err := EncodePair(good)
	require.NoError(t, err)
	_, err = tls.X509KeyPair(certificate, key)
	require.NoError(t, err)
}

func TestTheCAMaySignLeavesOnly(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	require.True(t, ca.Certificate.IsCA && ca.Certificate.MaxPathLenZero)
	require.Equal(t, x509.KeyUsageCertSign, ca.Certificate.KeyUsage)
	require.NotEqual(t, ca.Certificate.Subject.String(), newTestCA(t).Certificate.Subject.String(), "two can be told apart")
	block, rest := pem.Decode(ca.PEM())
	require.Empty(t, rest)
	require.Equal(t, ca.Certificate.Raw, block.Bytes)
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}
