package fault_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/fault"
)

func answer() fault.Answer {
	return fault.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("hello, world"), Pace: time.Millisecond}
}

// raw sends a request over a bare connection and returns every byte of what comes back, and how it ended.
func raw(t *testing.T, kind fault.Kind) (string, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fault.Serve(w, r, kind, answer()) }))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	data, err := io.ReadAll(conn)
	return string(data), err
}

func TestWhatAClientSeesOnTheWire(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
	const kind = "\r\nContent-Type: text/plain\r\n\r\n"
	for fails, want := range map[fault.Kind]struct {
		bytes string
		reset bool
	}{
		fault.ResetBefore: {"", true},
		fault.ResetDuring: {head + "12" + kind + "hello,", true},
		fault.Truncate:    {head + "28" + kind + "hello, world", false},
		fault.Dribble:     {head + "12" + kind + "hello, world", false},
		fault.Garbage:     {fault.DefaultGarbage, false},
	} {
		got, err := raw(t, fails)
		if want.reset {
			require.Error(t, err, fails)
			require.Contains(t, want.bytes, got, fails) // a reset may overtake what was sent
			continue
		}
		require.NoError(t, err, fails)
		require.Equal(t, want.bytes, got, fails)
	}
}

func TestAHangEndsWhenTheClientGoes(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault.Serve(w, r, fault.Hang, answer())
		close(ended)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	<-ended
}

// TestOverHTTP2TheStreamIsCut: other streams of the connection go on.
func TestOverHTTP2TheStreamIsCut(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind := r.URL.Query().Get("kind"); kind != "" {
			fault.Serve(w, r, fault.Kind(kind), answer())
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	get := func(kind fault.Kind) error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/?kind="+string(kind), nil)
		require.NoError(t, err)
		resp, err := server.Client().Do(req)
		if err != nil {
			return err
		}
		require.Equal(t, 2, resp.ProtoMajor)
		_, err = bufio.NewReader(resp.Body).ReadString(0)
		require.NoError(t, resp.Body.Close())
		return err
	}
	for _, kind := range []fault.Kind{fault.ResetBefore, fault.ResetDuring, fault.Truncate, fault.Garbage} {
		err := get(kind)
		require.Error(t, err, kind)
		require.NotErrorIs(t, err, io.EOF, kind)
	}
	require.ErrorIs(t, get(fault.Dribble), io.EOF, "it comes whole, slowly")
	require.ErrorIs(t, get(""), io.EOF)
}
