package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
)

// patience is how long a test of the binary waits for what must come.
const patience = 30 * time.Second

//nolint:gochecknoglobals // the binary is built once for all tests
var (
	built = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "mocksrv")
		if err != nil {
			return "", err
		}
		builtIn = dir
		binary := filepath.Join(dir, "mocksrv")
		out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %w: %s", err, out)
		}
		return binary, nil
	})
	builtIn string
)

func TestMain(m *testing.M) {
	m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
}

// process is a running binary.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	url    string
	stderr *locked
	ended  chan error
}

// locked is a buffer that a process writes to and a test reads.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// launch starts the binary's "serve" on a free port. It is told to stop at the end of the test, and must then exit 0.
func launch(t *testing.T, flags ...string) *process {
	t.Helper()
	binary, err := built()
	require.NoError(t, err)
	p := &process{T: t, stderr: &locked{}, ended: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.Background(), binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--quiet"}, flags...)...)
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.stop)
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "no ready line: %s", p.stderr)
	p.url = strings.TrimPrefix(lines.Text(), "mocksrv ready at ")
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		p.ended <- p.cmd.Wait()
	}()
	return p
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case err := <-p.ended:
		p.ended <- err
		require.NoError(p, err, p.stderr.String())
	case <-expired(p.T):
		_ = p.cmd.Process.Kill()
		require.Fail(p, "the server does not stop", p.stderr.String())
	}
}

// expired is closed when patience ends.
func expired(t *testing.T) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx.Done()
}

// in is the process for a subtest.
func (p *process) in(t *testing.T) *process {
	t.Helper()
	other := *p
	other.T = t
	return &other
}

func (p *process) api() *client.Client { return client.New(p.url) }

// healthy: the server answers, over a new connection.
func (p *process) healthy() {
	p.Helper()
	require.Equal(p, http.StatusOK, p.send("GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status)
}

func (p *process) dial() net.Conn {
	p.Helper()
	conn, err := new(net.Dialer).DialContext(p.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(p, err)
	require.NoError(p, conn.SetDeadline(clock.WallNow().Add(patience)))
	p.Cleanup(func() { _ = conn.Close() })
	return conn
}

// send writes bytes as they are and reads one answer with its body.
func (p *process) send(raw string) answer {
	p.Helper()
	conn := p.dial()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(conn, raw) // the server may stop to read before the end
	}()
	resp := p.answer(conn)
	_ = conn.Close()
	<-written
	return resp
}

func (p *process) answer(conn net.Conn) answer {
	p.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(p, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(p, err)
	require.NoError(p, resp.Body.Close())
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// hook registers a webhook with hsrcpay and returns the key.
func (p *process) hook(endpoint string) (key string) {
	p.Helper()
	sandbox, err := p.api().In("default").Get(p.Context())
	require.NoError(p, err)
	key = sandbox.Sims["hsrcpay"].Credentials["secret_key"]
	resp := p.send(createHook(key, hookBody(endpoint)))
	require.Equal(p, http.StatusCreated, resp.status)
	return key
}

func hookBody(endpoint string) string {
	return `{"endpoint":"` + endpoint + `","enabled_events":["payment.succeeded"]}`
}

func createHook(key, body string) string {
	return createHead(key, len(body)) + body
}

func createHead(key string, length int) string {
	return fmt.Sprintf("POST /hsrcpay/v1/webhooks/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", key, length)
}

// executed runs a program and returns its exit code and what it printed.
func executed(t *testing.T, env []string, name string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	printed, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exited)
	}
	return cmd.ProcessState.ExitCode(), string(printed)
}
