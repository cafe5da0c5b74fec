package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/engine"
)

// TestStrangersAreRefused: names that were rebound to this machine, and pages of other origins.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	p := launch(t)
	for name, head := range map[string]string{
		"DNS rebinding":            "Host: evil.example\r\n",
		"DNS rebinding, read":      "Host: 127.0.0.1.evil.example:80\r\n",
		"page of another origin":   "Host: localhost\r\nOrigin: http://evil.example\r\n",
		"page without an origin":   "Host: localhost\r\nOrigin: null\r\n",
		"cross-site form":          "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Type: text/plain\r\n",
		"cross-site, simple types": "Host: localhost\r\nSec-Fetch-Site: same-site\r\nContent-Type: application/x-www-form-urlencoded\r\n",
	} {
		resp := p.send("POST /_mocksrv/v1/sandboxes HTTP/1.1\r\n" + head + "Content-Length: 2\r\n\r\n{}")
		require.Equal(t, http.StatusForbidden, resp.status, name)
		require.Equal(t, "application/problem+json", resp.header.Get("Content-Type"), name)
		require.Empty(t, resp.header.Get("Access-Control-Allow-Origin"), name)
	}
	require.Equal(t, http.StatusForbidden, p.send("GET /_mocksrv/v1/sandboxes/default HTTP/1.1\r\nHost: evil.example\r\n\r\n").status)
	all, err := p.api().Sandboxes(t.Context())
	require.NoError(t, err)
	require.Len(t, all.Sandboxes, 1, "nothing was made")
	p.healthy()
}

func TestOversizedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	p := launch(t)
	key := p.hook("https://merchant.example/hook")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<16, strings.Repeat(" ", 1<<16))
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"body of a provider":        {createHook(key, strings.Repeat(" ", engine.MaxBody+1)), http.StatusRequestEntityTooLarge},
		"announced and never sent":  {createHead(key, 1<<40), http.StatusRequestEntityTooLarge},
		"body without a length":     {strings.Replace(createHead(key, 0), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + strings.Repeat(chunk, 20), http.StatusRequestEntityTooLarge},
		"body of the control API":   {"POST /_mocksrv/v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33554433\r\n\r\n" + strings.Repeat(" ", control.MaxBody+1), http.StatusRequestEntityTooLarge},
		"one header":                {"GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"many headers":              {"GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X: y\r\n", 20<<10) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"path":                      {"GET /" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"two lengths":               {"POST /hsrcpay/v1/webhooks/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", http.StatusBadRequest},
		"a length that is negative": {"POST /hsrcpay/v1/webhooks/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", http.StatusBadRequest},
	} {
		require.Equal(t, c.want, p.send(c.raw).status, name)
	}
	p.healthy()
}

// TestSlowClientsAreCut: each kind of them trickles, and is cut when its time is over, not before its last byte.
//
//nolint:tparallel // the kinds run beside each other, and the server is asked again when they are over
func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the server's real time limits")
	}
	p := launch(t)
	key := p.hook("https://merchant.example/hook")
	t.Run("kinds", func(t *testing.T) {
		t.Run("header", func(t *testing.T) {
			t.Parallel()
			conn := trickle(p.in(t), "GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\nX: ")
			require.Less(t, untilClosed(t, conn), mocksrv.ReadHeaderTime+3*time.Second)
		})
		t.Run("nothing", func(t *testing.T) {
			t.Parallel()
			require.Less(t, untilClosed(t, p.in(t).dial()), mocksrv.ReadHeaderTime+3*time.Second)
		})
		t.Run("body", func(t *testing.T) {
			t.Parallel()
			conn := trickle(p.in(t), createHead(key, 1000))
			started := clock.WallNow()
			require.Equal(t, http.StatusBadRequest, p.in(t).answer(conn).status, "in the provider's envelope, and in the journal")
			require.Less(t, clock.WallNow().Sub(started), mocksrv.ReadTime+3*time.Second)
		})
		t.Run("reader", func(t *testing.T) {
			t.Parallel()
			conn := p.in(t).dial()
			started := clock.WallNow()
			for { // asks on and on, and takes no answer
				_, err := io.WriteString(conn, strings.Repeat("GET /_mocksrv/v1/sims HTTP/1.1\r\nHost: localhost\r\n\r\n", 100))
				if err != nil {
					require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server did not cut it")
					break
				}
			}
			require.Less(t, clock.WallNow().Sub(started), mocksrv.WriteTime+8*time.Second)
		})
		t.Run("others meanwhile", func(t *testing.T) { t.Parallel(); p.in(t).healthy() })
	})
	p.healthy()
}

// trickle sends a beginning, and then a byte from time to time.
func trickle(p *process, beginning string) net.Conn {
	p.Helper()
	conn := p.dial()
	_, err := io.WriteString(conn, beginning)
	require.NoError(p, err)
	p.Cleanup(clock.Every(100*time.Millisecond, func(time.Time) { _, _ = io.WriteString(conn, "x") }))
	return conn
}

func untilClosed(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	started := clock.WallNow()
	_, err := io.Copy(io.Discard, conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server did not cut it")
	return clock.WallNow().Sub(started)
}

// TestTenThousandOpenConnections: they are open at the same time, have each been answered once, and cost nobody else his
// answer.
func TestTenThousandOpenConnections(t *testing.T) {
	t.Parallel()
	const want = 10_000
	if limit := openFiles(t); limit < want+1000 {
		t.Skipf("a process may have %d files open here; this needs %d", limit, want+1000)
	}
	p := launch(t)
	conns := make([]net.Conn, want)
	var wg sync.WaitGroup
	const dialers = 32
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < want; i += dialers {
				conns[i] = p.open(t)
			}
		})
	}
	wg.Wait()
	require.NotContains(t, conns, net.Conn(nil), "connections are missing")
	p.healthy()
	t.Logf("with %d open connections: %s", want, resident(p.cmd.Process.Pid))
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	p.healthy()
}

// open is a connection that has been answered once and stays open; nil when that fails.
func (p *process) open(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Error(err)
		return nil
	}
	buf := make([]byte, 4096)
	if _, err = io.WriteString(conn, "HEAD /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\n\r\n"); err == nil {
		_, err = conn.Read(buf)
	}
	if err != nil || !strings.HasPrefix(string(buf), "HTTP/1.1 200 ") {
		t.Errorf("%v: %.100s", err, buf)
		return nil
	}
	return conn
}

func TestConnectionsOverTheLimitAreToldSo(t *testing.T) {
	t.Parallel()
	const limit = 8
	p := launch(t, "--max-connections", "8")
	open := make([]net.Conn, limit)
	for i := range open {
		open[i] = p.open(t)
		require.NotNil(t, open[i])
	}
	for range 3 {
		resp := p.send("GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.Equal(t, http.StatusServiceUnavailable, resp.status)
		require.JSONEq(t, `{"type":"about:blank","title":"too many connections","status":503,"detail":"8 connections are open; close some, or start with --max-connections"}`, resp.body)
	}
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
	for { // until the server has seen that they are closed
		resp := p.send("GET /_mocksrv/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if resp.status != http.StatusOK {
			continue
		}
		require.Regexp(t, `(?m)^mocksrv_connections_refused_total [3-9]`, resp.body)
		return
	}
}

// TestPathTricks: no redirect, no file, no way around the control API's address, and an answer to each.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	p := launch(t)
	const rest = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for _, target := range []string{
		"/_mocksrv/v1/sandboxes/default%2fclock", "/_mocksrv%2fv1%2fsims", "/_mocksrv/v1/../v1/sims", "/_mocksrv/v1/%2e%2e/v1/sims",
		"/_mocksrv//v1/sims", "//_mocksrv/v1/sims", "/./_mocksrv/v1/sims", "/x/../_mocksrv/v1/sims", "/..", "/../../etc/passwd",
		"/%2e%2e/%2e%2e/etc/passwd", "/sandboxes/../default/hsrcpay/v1/webhooks/", "/sandboxes/%2e%2e/hsrcpay/v1/webhooks/",
		"/sandboxes//hsrcpay/v1/webhooks/", "/sandboxes/default%2fhsrcpay/v1/webhooks/", "/_mocksrv/v1/sims;x", "/_mocksrv/v1/sims%00",
		"/sandboxes/default/_mocksrv/v1/sims", "http://localhost/sandboxes/none/hsrcpay/v1/webhooks/", `/_mocksrv\v1\sims`,
	} {
		require.Equal(t, http.StatusNotFound, p.send("GET "+target+rest).status, target)
	}
	for _, target := range []string{
		"/hsrcpay//v1/webhooks/", "/hsrcpay/../_mocksrv/v1/sims", "/hsrcpay/v1%2fwebhooks/", "/hsrcpay/v1/webhooks/..", "/hsrcpay/v1/./webhooks/",
	} {
		resp := p.send("GET " + target + rest)
		require.Equal(t, http.StatusNotFound, resp.status, target)
		require.NotEqual(t, "application/problem+json", resp.header.Get("Content-Type"), "%s: the provider's own", target)
	}
	require.Equal(t, http.StatusForbidden, p.send("GET http://evil.example/_mocksrv/v1/sims"+rest).status)
	require.Equal(t, http.StatusOK, p.send("GET http://localhost/_mocksrv/v1/sims"+rest).status, "absolute-form is a form of HTTP/1.1")
	for _, raw := range []string{
		"GET  /_mocksrv/health HTTP/1.1\r\n\r\n", "GET /_mocksrv/health\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET _mocksrv/health HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /_mocksrv/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
	} {
		require.Equal(t, http.StatusBadRequest, p.send(raw).status, "%q", raw)
	}
	p.healthy()
}

func TestControlListenKeepsTheControlAPIApart(t *testing.T) {
	t.Parallel()
	p := launch(t, "--control-listen", "127.0.0.1:0")
	const rest = " HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, target := range []string{
		"/_mocksrv/v1/sims", "/_mocksrv/openapi.yaml", "/_mocksrv/metrics", "/_mocksrv/v1/sandboxes/default", "/%5fmocksrv/v1/sims",
		"/_mocksrv/health/", "/_mocksrv/health/../v1/sims", "/_mocksrv/health%2f..%2fv1/sims", "/_mocksrv/",
	} {
		resp := p.send("GET " + target + rest)
		require.Equal(t, http.StatusNotFound, resp.status, target)
		require.Equal(t, "application/problem+json", resp.header.Get("Content-Type"), target)
	}
	p.healthy()
}
