package mocksrv

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inside returns a client of a handler without a network.
func inside(handler http.HandlerFunc) *http.Client {
	return &http.Client{Transport: inProcess{handler: handler}}
}

func get(t *testing.T, ctx context.Context, c *http.Client) (*http.Response, error) { //nolint:revive // t first, as everywhere in tests
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mocksrv/a?b=c", strings.NewReader("hello"))
	require.NoError(t, err)
	return c.Do(req)
}

func TestInProcessAnswersAreWholeWhenTheyArrive(t *testing.T) {
	t.Parallel()
	ended := false
	resp, err := get(t, t.Context(), inside(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("A", "b")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // too late
		_, _ = io.WriteString(w, r.Host+r.RequestURI+string(body))
		ended = err == nil
	}))
	require.NoError(t, err)
	require.True(t, ended)
	require.Equal(t, "418 I'm a teapot", resp.Status)
	require.Equal(t, http.Header{"A": {"b"}}, resp.Header)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "mocksrv/a?b=chello", string(body))
	require.Equal(t, int64(len(body)), resp.ContentLength)
}

func TestInProcessAnswersThatFlushAreStreams(t *testing.T) {
	t.Parallel()
	words := make(chan string)
	resp, err := get(t, t.Context(), inside(func(w http.ResponseWriter, _ *http.Request) {
		out := http.NewResponseController(w)
		w.Header().Set("A", "b")
		_, _ = io.WriteString(w, "first ")
		_ = out.Flush()
		w.Header().Set("A", "c") // too late
		for word := range words {
			_, _ = io.WriteString(w, word)
			_ = out.Flush()
		}
	}))
	require.NoError(t, err)
	require.Equal(t, []any{"200 OK", "b", int64(-1)}, []any{resp.Status, resp.Header.Get("A"), resp.ContentLength})
	read := func() string {
		p := make([]byte, 100)
		n, err := resp.Body.Read(p)
		require.NoError(t, err)
		return string(p[:n])
	}
	require.Equal(t, "first ", read())
	for _, word := range []string{"second ", "third "} {
		words <- word
		require.Equal(t, word, read())
	}
	close(words)
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.NoError(t, resp.Body.Close())
}

func TestClosingTheBodyOfAStreamEndsItsHandler(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	resp, err := get(t, t.Context(), inside(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		_, err := io.WriteString(w, "too late")
		ended <- err
	}))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.ErrorIs(t, <-ended, io.ErrClosedPipe)
}

func TestTheContextEndsAnInProcessCall(t *testing.T) {
	t.Parallel()
	for name, flushes := range map[string]bool{"before the answer": false, "within a stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			begun := make(chan struct{})
			go func() {
				<-begun
				cancel()
			}()
			resp, err := get(t, ctx, inside(func(w http.ResponseWriter, r *http.Request) {
				if flushes {
					_ = http.NewResponseController(w).Flush()
				}
				close(begun)
				<-r.Context().Done()
			}))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
			}
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestAReaderThatDoesNotReadAnInProcessStreamIsCutOff(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	resp, err := get(t, t.Context(), inside(func(w http.ResponseWriter, _ *http.Request) {
		out := http.NewResponseController(w)
		_ = out.Flush()
		_ = out.SetWriteDeadline(time.Unix(1, 0))
		_, err := io.WriteString(w, "nobody reads")
		ended <- err
	}))
	require.NoError(t, err)
	var late interface{ Timeout() bool }
	require.ErrorAs(t, <-ended, &late)
	require.True(t, late.Timeout())
	require.NoError(t, resp.Body.Close())
}

// TestAPanicOfAnInProcessHandlerIsAnError, as it is on a network, and not the end of the process.
func TestAPanicOfAnInProcessHandlerIsAnError(t *testing.T) {
	t.Parallel()
	_, err := get(t, t.Context(), inside(func(http.ResponseWriter, *http.Request) { panic("a defect") })) //nolint:bodyclose // there is none
	require.ErrorContains(t, err, "the connection was cut: a defect")

	closed := make(chan struct{})
	resp, err := get(t, t.Context(), inside(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-closed
		panic(errors.New("later"))
	}))
	require.NoError(t, err)
	close(closed)
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, errCut)
	require.NoError(t, resp.Body.Close())
}

// TestStoppingTwiceIsStoppingOnce: it used to wait for ever, and RunT stops at the end of a test, too.
func TestStoppingTwiceIsStoppingOnce(t *testing.T) {
	t.Parallel()
	srv := RunT(t)
	for range 2 {
		_, err := srv.Stop(t.Context())
		require.NoError(t, err)
	}
}
