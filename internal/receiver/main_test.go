package receiver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// worldStart is the world clock of the tests: far from the machine's.
func worldStart() time.Time { return time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC) }

func open(t *testing.T, c Config) *Receiver {
	t.Helper()
	if c.Now == nil {
		c.Now = worldStart
	}
	r, err := Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func openWith(t *testing.T, replies ...Reply) *Receiver {
	t.Helper()
	return open(t, Config{Spec: Spec{Script: Script{Replies: replies}}})
}

// dial opens a bare connection that never blocks a test for ever.
func dial(t *testing.T, r *Receiver) *net.TCPConn {
	t.Helper()
	u, err := url.Parse(r.URL())
	require.NoError(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(clock.WallNow().Add(30*time.Second)))
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	return tcp
}

// dialTLS is dial with a handshake that checks nothing.
func dialTLS(t *testing.T, r *Receiver) *tls.Conn {
	t.Helper()
	conn := tls.Client(dial(t, r), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, conn.HandshakeContext(t.Context()))
	return conn
}

// connect is dial or dialTLS, as the receiver is.
func connect(t *testing.T, r *Receiver) net.Conn {
	t.Helper()
	if r.Certificate() != nil {
		return dialTLS(t, r)
	}
	return dial(t, r)
}

// send writes a request after whose answer the connection closes.
func send(t *testing.T, conn net.Conn, body string) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "POST /hook?x=1 HTTP/1.1\r\nHost: customer.test\r\nConnection: close\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	require.NoError(t, err)
}

// exchange sends a request on its own connection and returns every byte that comes back, and how that ended.
func exchange(t *testing.T, r *Receiver) (string, error) {
	t.Helper()
	conn := dial(t, r)
	send(t, conn, "hello")
	got, err := io.ReadAll(conn)
	return string(got), err
}

// statusOf is the status in an answer's first line; "" when there is none.
func statusOf(answer string) string {
	if _, rest, ok := strings.Cut(answer, "HTTP/1.1 "); ok && len(rest) >= 3 {
		return rest[:3]
	}
	return ""
}

func statuses(t *testing.T, r *Receiver, n int) []string {
	t.Helper()
	var all []string
	for range n {
		answer, err := exchange(t, r)
		require.NoError(t, err)
		all = append(all, statusOf(answer))
	}
	return all
}

// client is a net/http client that leaves nothing behind and follows no redirect.
func client(t *testing.T, roots ...*x509.Certificate) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answered is an answer as net/http understands it.
type answered struct {
	status int
	length int64 // Content-Length; -1 when there was none
	header http.Header
	body   string
}

func post(t *testing.T, c *http.Client, r *Receiver) (answered, error) {
	t.Helper()
	return postContext(t.Context(), t, c, r)
}

// postContext returns what arrived of an answer, also with an error.
func postContext(ctx context.Context, t *testing.T, c *http.Client, r *Receiver) (answered, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL()+"/hook", strings.NewReader("hello"))
	require.NoError(t, err)
	res, err := c.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answered{status: res.StatusCode, length: res.ContentLength, header: res.Header, body: string(body)}, err
}

// requireEnded waits until the receiver, still up, holds no connection any more.
func requireEnded(t *testing.T, r *Receiver) {
	t.Helper()
	require.Eventually(t, func() bool { return r.Info().Open == 0 }, 30*time.Second, time.Millisecond)
}

// requireNothingYet proves that no answer has come.
func requireNothingYet(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(clock.WallNow().Add(5*time.Millisecond)))
	n, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, n)
}
