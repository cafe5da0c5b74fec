package control_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestOnlyAddressesAndOwnNamesAreAnsweredTo(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(o *mocksrv.Options) { o.ControlHosts = []string{"Mock.Internal.example"} })
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "10.1.2.3", "localhost", "LOCALHOST:1", "app.localhost", "mocksrv", "mocksrv_1:8080",
		"mock.internal.example", "mock.internal.example:8080",
	} {
		a.call("GET /_mocksrv/v1/sims", request{host: host}).is(http.StatusOK)
	}
	for _, host := range []string{
		"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "mock.internal.example.evil.example",
		"127.0.0.1.", "localhost.", "x;id", "$(id)", "[::1%25$(id)]", "evil.example:80:80",
	} {
		got := send(t, a.srv, "GET /_mocksrv/v1/sims HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, got.status, host) // 400: net/http itself refuses it
	}
	send(t, a.srv, "GET /_mocksrv/health HTTP/1.0\r\n\r\n").is(http.StatusForbidden)
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	const create = "POST /_mocksrv/v1/sandboxes"
	for _, header := range []map[string]string{
		{"Origin": "http://evil.example"},
		{"Origin": "null"},
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Sec-Fetch-Site": "cross-site", "Origin": a.srv.URL()},
		{"Origin": "http://evil.example", "Content-Type": "text/plain"},
	} {
		for _, pattern := range []string{create, "PATCH " + sandboxPath, "DELETE " + sandboxPath + "/journal", "PUT " + sandboxPath + "/clock"} {
			p := a.call(pattern, request{header: header, body: "{}", wrong: true}).is(http.StatusForbidden).problem()
			require.Equal(t, "cross-origin request", p.Title)
		}
	}
	for _, header := range []map[string]string{{"Origin": a.srv.URL()}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, nil} {
		a.call(create, request{header: header}).is(http.StatusCreated)
	}
	got := a.call("GET /_mocksrv/v1/sims", request{header: map[string]string{"Origin": "http://evil.example"}}).is(http.StatusOK)
	require.Empty(t, got.header.Get("Access-Control-Allow-Origin"), "no other origin may read the answer")
}

func TestTheTokenIsAskedOfEveryCallButHealthAndTheCA(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(o *mocksrv.Options) { o.ControlToken = "secret" })
	a.call("GET /_mocksrv/health", request{}).is(http.StatusOK)
	a.call("GET /_mocksrv/ca.pem", request{}).is(http.StatusOK)
	for _, value := range []string{"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "bearer secret", "Basic c2VjcmV0"} {
		got := a.call("GET /_mocksrv/v1/sims", request{header: map[string]string{"Authorization": value}}).is(http.StatusUnauthorized)
		require.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
	}
	a.call("GET /_mocksrv/v1/sims", request{header: map[string]string{"Authorization": "Bearer secret"}}).is(http.StatusOK)
	for _, path := range []string{"/_mocksrv/no-such", "/_mocksrv/health/", "/_mocksrv//health", "/_mocksrv/health/../v1/sims", "/_mocksrv/health%2f..%2fv1/sims"} {
		send(t, a.srv, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusUnauthorized)
	}
	_, err := a.srv.Control().Sims(t.Context())
	require.NoError(t, err)
}

// TestPathTricksLeadNowhere: no redirect, no other route, and always a problem.
func TestPathTricksLeadNowhere(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, target := range []string{
		"/_mocksrv/", "/_mocksrv/v1", "/_mocksrv/v1/sims/", "/_mocksrv//v1/sims", "/_mocksrv/v1/../v1/sims", "/_mocksrv/./v1/sims",
		"/_mocksrv/v1/sandboxes/..", "/_mocksrv/v1/sandboxes/%2e%2e", "/_mocksrv/v1/sandboxes/default%2fclock", "/_mocksrv/v1%2fsims",
		"/_mocksrv/v1/sandboxes/%00", "/_mocksrv/v1/sandboxes/default/../../sims", "//_mocksrv/v1/sims",
		"/sandboxes/default/_mocksrv/v1/sims", "/x/../_mocksrv/health", "/_MOCKSRV/health", "/_mocksrv", "/", "/..",
	} {
		got := send(t, a.srv, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.Equal(t, http.StatusNotFound, got.status, "%s: %s", target, got.body)
		require.Equal(t, http.StatusNotFound, got.problem().Status)
	}
	send(t, a.srv, "GET /signedsub/../_mocksrv/v1/sims HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusNotFound) // the provider's own
	send(t, a.srv, "GET http://evil.example/_mocksrv/v1/sims HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusForbidden)
	send(t, a.srv, "GET http://localhost/_mocksrv/v1/sims HTTP/1.1\r\nHost: evil.example\r\n\r\n").is(http.StatusOK) // RFC 9112: the target wins
}

func TestMethodsThatARouteDoesNotHave(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for target, allow := range map[string]string{
		"/_mocksrv/health": "GET, HEAD", "/_mocksrv/v1/sandboxes": "GET, HEAD, POST", "/_mocksrv/v1/sandboxes/default": "GET, HEAD, PATCH, DELETE",
		"/_mocksrv/v1/sandboxes/default/clock/advance": "POST", "/_mocksrv/v1/sandboxes/none/clock": "GET, HEAD, PUT",
	} {
		for _, method := range []string{"OPTIONS", "TRACE", "CONNECT", "BREW"} {
			got := send(t, a.srv, method+" "+target+" HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n")
			if method == "CONNECT" && got.status == http.StatusBadRequest {
				continue // refused by net/http
			}
			require.Equal(t, "no such method", got.is(http.StatusMethodNotAllowed).problem().Title)
			require.Equal(t, allow, got.header.Get("Allow"))
		}
	}
	send(t, a.srv, "OPTIONS /_mocksrv/no HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusNotFound)
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, path := range []string{"/_mocksrv/health", "/_mocksrv/v1/sandboxes/default", "/_mocksrv/openapi.yaml"} {
		got := send(t, a.srv, "HEAD "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusOK)
		require.Empty(t, got.body)
	}
	send(t, a.srv, "HEAD /_mocksrv/v1/sandboxes/none HTTP/1.1\r\nHost: localhost\r\n\r\n").is(http.StatusNotFound)
}

// TestTheHostsOfProvidersDoNotReachTheControlAPI: they are the provider's, whatever the path.
func TestTheHostsOfProvidersDoNotReachTheControlAPI(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	got := send(t, srv, "GET /_mocksrv/v1/sims HTTP/1.1\r\nHost: "+provider(t, "signedsub").Hosts[0]+"\r\n\r\n").is(http.StatusNotFound)
	require.NotContains(t, string(got.body), `"sims"`)
	journal := srv.Journal()
	require.Len(t, journal.Exchanges, 1)
	require.IsType(t, client.Exchange{}, journal.Exchanges[0])
}
