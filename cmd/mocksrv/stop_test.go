package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
)

// underWay is a binary with a request that has been sent by half, and an attempt that its receiver does not answer yet.
type underWay struct {
	*process
	conn    net.Conn
	rest    string        // of the request
	release chan struct{} // lets the receiver answer
	done    chan struct{} // closed when it has
}

func busy(t *testing.T, flags ...string) *underWay {
	t.Helper()
	b := &underWay{release: make(chan struct{}), done: make(chan struct{})}
	reached := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then net/http notices that the client is gone
		close(reached)
		select {
		case <-b.release:
		case <-r.Context().Done(): // the attempt was cut
		}
		close(b.done)
	}))
	t.Cleanup(receiver.Close)
	b.process = launch(t, flags...)
	key := b.hook(receiver.URL)
	b.conn = b.dial()
	body := hookBody("https://merchant.example/other")
	_, err := io.WriteString(b.conn, createHead(key, len(body))+body[:10])
	require.NoError(t, err)
	b.rest = body[10:]
	_, err = b.api().In("default").Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	<-reached
	return b
}

// terminate sends SIGTERM and returns when the server takes no new connections.
func (b *underWay) terminate() {
	b.Helper()
	require.NoError(b, b.cmd.Process.Signal(syscall.SIGTERM))
	for {
		conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) { // it was in the queue, or came after it
			return
		}
		require.NoError(b, err)
		_ = conn.Close()
	}
}

// report waits for the end and returns the last line of the log.
func (b *underWay) report() string {
	b.Helper()
	b.stop()
	lines := strings.Split(strings.TrimSpace(b.stderr.String()), "\n")
	_, last, _ := strings.Cut(lines[len(lines)-1], "msg=")
	return last
}

func TestSIGTERMLetsRequestsAndAttemptsFinish(t *testing.T) {
	t.Parallel()
	b := busy(t, "--grace", "25s")
	b.terminate()
	_, err := io.WriteString(b.conn, b.rest)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, b.answer(b.conn).status)
	close(b.release)
	<-b.done
	require.Equal(t, "stopped requests_cut=0 attempts_cut=0 deliveries_waiting=0", b.report())
}

func TestSIGTERMCutsWhatTakesLongerThanTheGraceAndReportsIt(t *testing.T) {
	t.Parallel()
	b := busy(t, "--grace", "300ms")
	b.terminate()
	<-b.done
	require.Equal(t, "stopped requests_cut=1 attempts_cut=1 deliveries_waiting=1", b.report())
}

// TestSIGTERMEndsCallsThatWaitInVain: nothing they wait for will happen, so they do not use up the grace.
func TestSIGTERMEndsCallsThatWaitInVain(t *testing.T) {
	t.Parallel()
	b := busy(t, "--grace", "25s")
	waiting := b.dial()
	_, err := io.WriteString(waiting, "GET /_mocksrv/v1/sandboxes/default/deliveries?state=failed&wait=5m HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	_, err = io.WriteString(b.conn, b.rest)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, b.answer(b.conn).status)
	b.terminate()
	close(b.release)
	require.Equal(t, http.StatusServiceUnavailable, b.answer(waiting).status)
	require.Equal(t, "stopped requests_cut=0 attempts_cut=0 deliveries_waiting=0", b.report())
}
