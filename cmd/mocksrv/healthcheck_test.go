package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthcheckFindsTheServerOfItsEnvironment(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct{ listen, want string }{
		"an address":                    {"127.0.0.1:8080", "http://127.0.0.1:8080"},
		"every address of the machine":  {"0.0.0.0:8080", "http://127.0.0.1:8080"},
		"no address":                    {":8080", "http://127.0.0.1:8080"},
		"every address, IPv6":           {"[::]:8080", "http://127.0.0.1:8080"},
		"an IPv6 address":               {"[::1]:8080", "http://[::1]:8080"},
		"a name":                        {"localhost:8080", "http://localhost:8080"},
		"with a scheme":                 {"http://0.0.0.0:8080", "http://127.0.0.1:8080"},
		"https":                         {"https://0.0.0.0:443", "https://127.0.0.1:443"},
		"https without an address":      {"https://:443", "https://127.0.0.1:443"},
		"https without a port":          {"https://0.0.0.0", "https://127.0.0.1:443"},
		"an address that is not ours":   {"192.0.2.7:9000", "http://192.0.2.7:9000"},
		"https at every IPv6 interface": {"https://[::]:443", "https://127.0.0.1:443"},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			got, err := reached("--listen", c.listen)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestHealthcheckSaysWhatItCannotAsk(t *testing.T) {
	t.Parallel()
	for listen, says := range map[string]string{
		"127.0.0.1:0":     "want the URL of the server as an argument",
		"127.0.0.1":       "want an address and a port",
		"ftp://127.0.0.1": "want http://host:port",
		"":                "want an address",
	} {
		code, _, errs := ran(t, map[string]string{"MOCKSRV_LISTEN": listen}, "healthcheck")
		require.Equal(t, exitFailed, code, listen)
		require.Contains(t, errs, says, listen)
	}
}

// healthy is a server that answers as a ready one does.
func healthy(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_mocksrv/health" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestHealthcheckAsksTheFirstListener(t *testing.T) {
	t.Parallel()
	plain, secure := healthy(t, httptest.NewServer), healthy(t, httptest.NewTLSServer)
	address := func(s *httptest.Server) string { _, a, _ := strings.Cut(s.URL, "://"); return a }
	const nobody = "127.0.0.1:1"
	for says, c := range map[string]struct {
		env  map[string]string
		args []string
		code int
	}{
		"by the environment":           {env: map[string]string{"MOCKSRV_LISTEN": address(plain)}},
		"the first of several":         {env: map[string]string{"MOCKSRV_LISTEN": address(plain) + ",https://" + nobody}},
		"not the second":               {env: map[string]string{"MOCKSRV_LISTEN": nobody + "," + address(plain)}, code: exitFailed},
		"by https":                     {env: map[string]string{"MOCKSRV_LISTEN": secure.URL}},
		"the control API's":            {env: map[string]string{"MOCKSRV_LISTEN": nobody, "MOCKSRV_CONTROL_LISTEN": address(plain)}},
		"an argument wins":             {env: map[string]string{"MOCKSRV_LISTEN": nobody}, args: []string{plain.URL}},
		"an argument must be trusted":  {args: []string{secure.URL}, code: exitFailed},
		"not http where https listens": {env: map[string]string{"MOCKSRV_LISTEN": address(secure)}, code: exitFailed},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			code, out, errs := ran(t, c.env, append([]string{"healthcheck"}, c.args...)...)
			require.Equal(t, c.code, code, errs)
			if c.code == exitOK {
				require.Equal(t, "healthy\n", out)
			} else {
				require.Contains(t, errs, "not healthy")
			}
		})
	}
}
