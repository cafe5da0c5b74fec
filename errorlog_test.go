package mocksrv

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// told is a log whose lines can be waited for.
type told chan string

func (l told) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestAClientThatDoesNotTrustTheCAIsExplainedInTheLog(t *testing.T) {
	t.Parallel()
	lines := make(told, 100)
	srv := RunT(t, TLS(), func(o *Options) { o.Log = slog.New(slog.NewTextHandler(lines, nil)) })
	address := strings.TrimPrefix(srv.TLSURL(), "https://")
	_, err := tls.Dial("tcp", address, &tls.Config{RootCAs: x509.NewCertPool()})
	require.Error(t, err)
	line := <-lines
	require.Contains(t, line, "TLS handshake error")
	require.Contains(t, line, `hint="the client may not trust the CA: see /_mocksrv/ca.pem"`)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	_, err = io.WriteString(conn, "\x00 is no handshake at all")
	require.NoError(t, err)
	line = <-lines
	require.NoError(t, conn.Close())
	require.Contains(t, line, "TLS handshake error")
	require.NotContains(t, line, "hint", "the certificate was never shown")
}

func TestOnlyHandshakesThatMayBeAboutTrustHaveAHint(t *testing.T) {
	t.Parallel()
	for message, hint := range map[string]bool{
		"http: TLS handshake error from 127.0.0.1:1: remote error: tls: bad certificate":               true,
		"http: TLS handshake error from 127.0.0.1:1: remote error: tls: unknown certificate authority": true,
		"http: TLS handshake error from 127.0.0.1:1: local error: tls: bad record MAC":                 true,
		"http: TLS handshake error from 127.0.0.1:1: EOF":                                              true,
		"http: TLS handshake error from 127.0.0.1:1: read tcp 127.0.0.1:2: connection reset by peer":   false,
		"http: Accept error: bad certificate; retrying in 5ms":                                         false,
	} {
		var out bytes.Buffer
		require.NoError(t, hinting{slog.NewTextHandler(&out, nil)}.Handle(t.Context(), slog.NewRecord(time.Time{}, slog.LevelWarn, message, 0)))
		require.Equal(t, hint, strings.Contains(out.String(), "hint="), message)
		require.Contains(t, out.String(), message)
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
	}
}
