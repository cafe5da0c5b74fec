package mocksrv

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/script"
)

// dropIn is a client that finds every host at a server's TLS listener, and trusts the server's CA.
func dropIn(srv *Server, certificates ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(srv.CA())
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(srv.TLSURL(), "https://"))
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
}

// fetched is an answer that was read.
type fetched struct {
	status int
	proto  string
	body   string
}

func fetch(t *testing.T, c *http.Client, url string, header ...string) fetched {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Host = req.Header.Get("Host")
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return fetched{status: resp.StatusCode, proto: resp.Proto, body: string(body)}
}

func TestOneServerSpeaksHTTPAndHTTPS(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	require.True(t, strings.HasPrefix(srv.URL(), "http://127.0.0.1:"))
	require.True(t, strings.HasPrefix(srv.TLSURL(), "https://127.0.0.1:"))
	require.Equal(t, []string{srv.URL(), srv.TLSURL()}, srv.URLs())
	require.Equal(t, 200, fetch(t, srv.Client(), srv.URL()+"/_mocksrv/health").status)
	require.Equal(t, fetched{200, "HTTP/2.0", "{\"status\":\"ok\"}\n"}, fetch(t, srv.Client(), srv.TLSURL()+"/_mocksrv/health"))
	older := dropIn(srv)
	transport, _ := older.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = false
	require.Equal(t, fetched{200, "HTTP/1.1", "{\"status\":\"ok\"}\n"}, fetch(t, older, srv.TLSURL()+"/_mocksrv/health"))
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}
	_, err := stranger.Get(srv.TLSURL()) //nolint:bodyclose // there is no answer
	require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
}

func TestWithoutTLSThereIsNoTLSURL(t *testing.T) {
	t.Parallel()
	require.Empty(t, RunT(t).TLSURL())
	require.Empty(t, RunT(t, NoListener()).TLSURL())
	only := RunT(t, func(o *Options) { o.Address = "https://127.0.0.1:0" })
	require.Equal(t, only.TLSURL(), only.URL())
	_, err := only.Control().Sims(t.Context())
	require.NoError(t, err, "Client trusts the server")
}

func TestRealHostNamesNeedNoPrefixOverTLS(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	providers, err := Providers()
	require.NoError(t, err)
	for _, p := range providers {
		for _, host := range p.Hosts {
			before := len(srv.Journal().Exchanges)
			fetch(t, dropIn(srv), "https://"+host+"/no/such/path")
			exchanges := srv.Journal().Exchanges
			require.Len(t, exchanges, before+1, host)
			require.Equal(t, p.Name, exchanges[before].Sim)
		}
	}
}

func TestBanklyWantsAClientCertificateOnItsOwnHosts(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	good, err := srv.ClientCertificate("tester", false)
	require.NoError(t, err)
	expired, err := srv.ClientCertificate("tester", true)
	require.NoError(t, err)
	foreign, err := RunT(t, NoListener()).ClientCertificate("stranger", false)
	require.NoError(t, err)
	const host, list = "https://api-mtls.sandbox.bankly.com.br", "/webhooks/configurations?page=1&pageSize=10"
	header := []string{"api-version", "1.0", "Authorization", "Bearer " + srv.Credentials("bankly")["token"]}
	for saw, shown := range map[string][]tls.Certificate{
		"no client certificate in the handshake":      nil,
		"that ended at ":                              {expired},
		"that is not signed by the CA of this server": {foreign},
	} {
		answer := fetch(t, dropIn(srv, shown...), host+list, header...)
		require.Equal(t, 403, answer.status)
		require.Equal(t, `{"code":"FORBIDDEN","message":"O acesso ao recurso foi negado pelo servidor."}`, answer.body)
		exchanges := srv.Journal().Exchanges
		refusal := exchanges[len(exchanges)-1].Refusal
		require.Equal(t, "client-certificate", refusal.Rule)
		require.Contains(t, refusal.Saw, saw)
		require.Equal(t, "bankly.client_certificate", refusal.Policy)
	}
	require.Equal(t, 200, fetch(t, dropIn(srv, good), host+list, header...).status)
	require.Equal(t, 200, fetch(t, dropIn(srv), srv.TLSURL()+"/bankly"+list, header...).status, "by prefix none is needed")
	require.NoError(t, srv.SetPolicy("bankly.client_certificate", "not_required"))
	require.Equal(t, 200, fetch(t, dropIn(srv), host+list, header...).status)
}

func TestAddressesOfASandboxFollowTheSchemeOfTheCall(t *testing.T) {
	t.Parallel()
	both := RunT(t, TLS())
	for server, want := range map[string]string{both.URL(): both.URL(), both.TLSURL(): both.TLSURL()} {
		api := client.New(server, client.WithHTTPClient(both.Client()))
		sandbox, err := api.In(DefaultSandbox).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, want+"/bankly", sandbox.Sims["bankly"].BaseURL)
		require.Contains(t, sandbox.Sims["bankly"].Curl, want+"/bankly/")
	}
	apart := RunT(t, func(o *Options) {
		o.Listen, o.ControlAddress = []string{"https://0.0.0.0:0"}, "https://127.0.0.1:0"
	})
	sandbox, err := apart.Control().In(DefaultSandbox).Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, apart.TLSURL()+"/bankly", sandbox.Sims["bankly"].BaseURL, "https for who comes over https")
	plain := RunT(t, func(o *Options) { o.Address, o.ControlAddress = "https://127.0.0.1:0", "127.0.0.1:0" })
	sandbox, err = plain.Control().In(DefaultSandbox).Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, plain.TLSURL()+"/bankly", sandbox.Sims["bankly"].BaseURL, "there is no other")
}

func TestTheControlAPIIsGuardedOverTLSAsWell(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	sims := srv.TLSURL() + "/_mocksrv/v1/sims"
	for _, host := range []string{"", "localhost", "127.0.0.1:1", "[::1]:2", "mocksrv", "mocksrv:443"} {
		require.Equal(t, 200, fetch(t, dropIn(srv), sims, "Host", host).status, host)
	}
	for _, host := range []string{"rebound.example", "rebound.example:443", "localhost.example"} {
		require.Equal(t, 403, fetch(t, dropIn(srv), sims, "Host", host).status, host)
	}
}

func TestAHandshakeCanBeScripted(t *testing.T) {
	t.Parallel()
	const host = "https://api.calypso.finance/x"
	for kind, want := range map[authority.Kind]func(err error){
		authority.SelfSigned:   func(err error) { require.ErrorAs(t, err, new(x509.UnknownAuthorityError)) },
		authority.Expired:      func(err error) { require.ErrorContains(t, err, "certificate has expired") },
		authority.WrongHost:    func(err error) { require.ErrorAs(t, err, new(x509.HostnameError)) },
		authority.HandshakeCut: func(err error) { require.ErrorIs(t, err, syscall.ECONNRESET) },
	} {
		srv := RunT(t, TLS())
		_, err := srv.Control().In(DefaultSandbox).AddRules(t.Context(), script.Rule{
			Name: "bad", Handshake: script.Targets{"signedsub"}, First: new(1), Do: []script.Action{{Certificate: string(kind)}},
		})
		require.NoError(t, err)
		resp, err := dropIn(srv).Get(host)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		want(err)
		again, err := dropIn(srv).Get(host)
		require.NoError(t, err, "the rule is for the first only")
		require.NoError(t, again.Body.Close())
		require.Equal(t, 200, fetch(t, dropIn(srv), "https://localhost/_mocksrv/health").status, "no other name is touched")
	}
}

func TestServersShareTheCAOfAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	in := func(o *Options) { o.TLSDir = dir }
	first, second, other := RunT(t, TLS(), in), RunT(t, TLS(), in), RunT(t, TLS())
	require.True(t, first.CA().Equal(second.CA()))
	require.False(t, first.CA().Equal(other.CA()))
	require.Equal(t, 200, fetch(t, first.Client(), second.TLSURL()+"/_mocksrv/health").status)
	_, err := New(Options{TLSDir: "/proc/mocksrv"})
	require.ErrorContains(t, err, "no CA can be kept in /proc/mocksrv")
}

func TestOwnCertificatesAreShownForTheirNames(t *testing.T) {
	t.Parallel()
	other, err := authority.New()
	require.NoError(t, err)
	own, err := authority.Leaf(authority.Trusted, other, netip.Addr{})
	require.NoError(t, err)
	own.Leaf = nil
	srv := RunT(t, TLS(), func(o *Options) { o.Certificates = []tls.Certificate{*own} })
	require.Equal(t, 200, fetch(t, srv.Client(), srv.TLSURL()+"/_mocksrv/health").status, "Client trusts it, too")
	_, err = dropIn(srv).Get(srv.TLSURL()) //nolint:bodyclose // there is no answer
	require.ErrorAs(t, err, new(x509.UnknownAuthorityError), "it is shown for the address, which is in it")
	require.Equal(t, 404, fetch(t, dropIn(srv), "https://api.calypso.finance/x").status, "the CA signs for any other name")
	_, err = New(Options{Certificates: []tls.Certificate{{}}})
	require.EqualError(t, err, "certificate 1: want at least one block, got none")
	_, err = New(Options{Certificates: []tls.Certificate{{Certificate: [][]byte{{1}}}}})
	require.ErrorContains(t, err, "certificate 1: x509: ")
}

// TestOneCASignsForListenersAndReceivers: a client that trusts the server trusts its receivers, and so do deliveries.
func TestOneCASignsForListenersAndReceivers(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	receiver, err := srv.Control().In(DefaultSandbox).OpenReceiver(t.Context(), client.ReceiverSpec{Name: "shop", TLS: "trusted"})
	require.NoError(t, err)
	require.Equal(t, 200, fetch(t, srv.Client(), receiver.URL).status)
	certificate, err := srv.Control().CA(t.Context())
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(certificate))
	require.True(t, roots.Equal(srv.ca.Pool()))
}

func TestTheLiveStreamComesOverHTTP2(t *testing.T) {
	t.Parallel()
	srv := RunT(t, func(o *Options) { o.Address = "https://127.0.0.1:0" })
	require.Equal(t, "HTTP/2.0", fetch(t, srv.Client(), srv.URL()+"/_mocksrv/health").proto)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := srv.Control().In(DefaultSandbox).Stream(ctx)
	require.NoError(t, err)
	fetch(t, srv.Client(), srv.URL()+"/hsrcpay/no/such/path")
	for event, err := range events {
		require.NoError(t, err)
		require.Equal(t, "exchange", event.Kind)
		break
	}
}

func TestWhereToListen(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]struct {
		secure  bool
		address string
	}{
		"127.0.0.1:8080":         {false, "127.0.0.1:8080"},
		":8080":                  {false, ":8080"},
		"http://127.0.0.1:8080":  {false, "127.0.0.1:8080"},
		"http://127.0.0.1":       {false, "127.0.0.1:80"},
		"https://0.0.0.0:443":    {true, "0.0.0.0:443"},
		"https://localhost:443/": {true, "localhost:443"},
		"https://localhost":      {true, "localhost:443"},
		"https://[::1]":          {true, "[::1]:443"},
		"https://[::1]:28345":    {true, "[::1]:28345"},
		"https://:443":           {true, ":443"},
		"https://127.0.0.1:":     {true, "127.0.0.1:443"},
		"[::1]:0":                {false, "[::1]:0"},
	} {
		secure, address, err := ParseListen(where)
		require.NoError(t, err)
		require.Equal(t, want.secure, secure, where)
		require.Equal(t, want.address, address, where)
	}
	for where, says := range map[string]string{
		"ftp://127.0.0.1:21":         `got the scheme "ftp"`,
		"://127.0.0.1:21":            `got the scheme ""`,
		"https://":                   "want scheme, host and port alone, such as https://127.0.0.1:443",
		"https://127.0.0.1:443/path": "want scheme, host and port alone",
		"https://user@127.0.0.1:443": "want scheme, host and port alone",
		"http://127.0.0.1:80?a=b":    "such as http://127.0.0.1:80",
		"":                           "want an address and a port", // package net listens on every interface
		"127.0.0.1":                  "missing port",
		"127.0.0.1:":                 "there is no port",
		"127.0.0.1:99999":            "want an address and a port",
		"https://127.0.0.1:99999":    "want an address and a port",
		"127.0.0.1:-1":               "want an address and a port",
	} {
		_, _, err := ParseListen(where)
		require.ErrorContains(t, err, says, where)
	}
}

func TestAnAddressThatIsTakenFreesTheOthers(t *testing.T) {
	t.Parallel()
	first := RunT(t)
	taken := strings.TrimPrefix(first.URL(), "http://")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	srv, err := New(Options{Address: address, Listen: []string{"https://127.0.0.1:0", taken}})
	require.NoError(t, err)
	require.ErrorContains(t, srv.Start(), "listen on "+taken)
	require.Equal(t, "http://mocksrv", srv.URL(), "it does not listen")
	again, err := net.Listen("tcp", address)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestPlainHTTPOnThePortOfHTTPSIsToldSo(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS())
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(srv.TLSURL(), "https://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 400, resp.StatusCode)
	require.Equal(t, "Client sent an HTTP request to an HTTPS server.\n", string(body))
}

func TestTooManyConnectionsOverTLSAreClosedWithoutAWord(t *testing.T) {
	t.Parallel()
	srv := RunT(t, TLS(), func(o *Options) { o.MaxConnections = 1 })
	address := strings.TrimPrefix(srv.TLSURL(), "https://")
	roots := srv.ca.Pool()
	kept, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer func() { _ = kept.Close() }()
	over, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = over.Close() }()
	said, err := io.ReadAll(over)
	require.NoError(t, err)
	require.Empty(t, said)
}
