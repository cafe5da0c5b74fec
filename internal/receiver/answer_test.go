package receiver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/fault"
)

const worldDate = "Mon, 03 Feb 2031 04:05:06 GMT"

func TestReply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply Reply
		want  string
	}{
		{
			"an empty reply is a 200 with the world's date",
			Reply{},
			"HTTP/1.1 200 OK\r\nDate: " + worldDate + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"status",
			Reply{Status: 503},
			"HTTP/1.1 503 Service Unavailable\r\nDate: " + worldDate + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"body, as plain text",
			Reply{Body: "ok"},
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: " + worldDate +
				"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		},
		{
			"header, also in the place of the receiver's own",
			Reply{Body: "{}", Header: map[string]string{"content-type": "application/json", "X-A": "b", "Date": "never"}},
			"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: never\r\nX-A: b" +
				"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		},
		{
			"redirect is a 302 to the location",
			Reply{Fault: Redirect, Location: "http://127.0.0.1:1/x"},
			"HTTP/1.1 302 Found\r\nDate: " + worldDate +
				"\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"redirect with a status",
			Reply{Fault: Redirect, Location: "/x", Status: 307},
			"HTTP/1.1 307 Temporary Redirect\r\nDate: " + worldDate +
				"\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"informational is a 103, then the answer",
			Reply{Fault: Informational, Status: 202},
			"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 Accepted\r\nDate: " + worldDate +
				"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"dribble is a whole answer",
			Reply{Fault: Dribble, Status: 404, Body: "no", Header: map[string]string{"X-A": "b"}},
			"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8" +
				"\r\nDate: " + worldDate + "\r\nX-A: b\r\n\r\nno",
		},
		{
			"truncate promises more than it sends",
			Reply{Fault: Truncate, Status: 201, Body: "half"},
			"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 20\r\nContent-Type: text/plain; charset=utf-8" +
				"\r\nDate: " + worldDate + "\r\n\r\nhalf",
		},
		{"garbage is not HTTP", Reply{Fault: Garbage}, fault.DefaultGarbage},
		{"garbage of one's own", Reply{Fault: Garbage, Body: "\x00\xff"}, "\x00\xff"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := exchange(t, openWith(t, test.reply))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply Reply
		want  string
	}{
		{"reset_before sends nothing", Reply{Fault: ResetBefore}, ""},
		{
			"reset_during sends the head and half of the body",
			Reply{Fault: ResetDuring, Status: 500, Body: "abcdef"},
			"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 6" +
				"\r\nContent-Type: text/plain; charset=utf-8\r\nDate: " + worldDate + "\r\n\r\nabc",
		},
		{
			"reset_during without a body sends half of the head",
			Reply{Fault: ResetDuring},
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Len",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := exchange(t, openWith(t, test.reply))
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const delay = 5 * time.Millisecond
	for _, fault := range []Fault{None, ResetBefore, ResetDuring, Truncate, Garbage, Redirect, Huge} {
		t.Run("real time passes before the answer of fault "+string(fault), func(t *testing.T) {
			t.Parallel()
			reply := Reply{Fault: fault, Delay: delay.String()}
			if fault == Redirect {
				reply.Location = "/"
			}
			conn := dial(t, openWith(t, reply))
			started := clock.WallNow()
			send(t, conn, "")
			_, _ = conn.Read(make([]byte, 1))
			require.GreaterOrEqual(t, clock.WallNow().Sub(started), delay)
		})
	}
	t.Run("real time passes between two dribbled bytes", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []TLS{Plain, SelfSigned} {
			r := open(t, Config{Spec: Spec{TLS: kind, Script: Script{Replies: []Reply{{Fault: Dribble, Delay: "1ms"}}}}})
			conn := connect(t, r)
			started := clock.WallNow()
			send(t, conn, "")
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.GreaterOrEqual(t, clock.WallNow().Sub(started), time.Duration(len(got)-1)*time.Millisecond)
			require.Equal(t, "200", statusOf(string(got)))
		}
	})
	t.Run("the answer starts at once when it is dribbled", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, openWith(t, Reply{Fault: Dribble, Delay: "1h"}))
		send(t, conn, "")
		first := make([]byte, 2)
		n, err := conn.Read(first)
		require.NoError(t, err)
		require.Equal(t, "H", string(first[:n]))
		requireNothingYet(t, conn)
	})
	t.Run("the 103 comes before the delay", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, openWith(t, Reply{Fault: Informational, Delay: "1h"}))
		send(t, conn, "")
		early := make([]byte, len("HTTP/1.1 103 Early Hints\r\n\r\n"))
		_, err := io.ReadFull(conn, early)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 103 Early Hints\r\n\r\n", string(early))
		requireNothingYet(t, conn)
	})
}

func TestHang(t *testing.T) {
	t.Parallel()
	r := openWith(t, Reply{Fault: Hang})
	conn := dial(t, r)
	send(t, conn, "hello")
	require.NoError(t, r.Wait(t.Context(), 1))
	requireNothingYet(t, conn)
	requests, _ := r.Requests(0)
	require.Equal(t, []any{Hang, 0}, []any{requests[0].Fault, requests[0].Status})
}

// What waits for a client must not outlive it, with the receiver still up.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for _, kind := range []TLS{Plain, SelfSigned} {
		for _, reply := range []Reply{
			{Delay: "1h"},
			{Fault: Hang},
			{Fault: Dribble, Delay: "1h"},
			{Fault: Informational, Delay: "1h"},
			{Fault: ResetBefore, Delay: "1h"},
			{Fault: Huge},
		} {
			t.Run("tls "+string(kind)+" fault "+string(reply.Fault), func(t *testing.T) {
				t.Parallel()
				r := open(t, Config{Spec: Spec{TLS: kind, Script: Script{Replies: []Reply{reply}}}})
				conn := connect(t, r)
				send(t, conn, "hello")
				require.NoError(t, r.Wait(t.Context(), 1))
				require.NoError(t, conn.Close())
				requireEnded(t, r)
			})
		}
	}
}

func TestHuge(t *testing.T) {
	t.Parallel()
	r := openWith(t, Reply{Fault: Huge, Status: 500, Header: map[string]string{"X-A": "b"}})
	got, err := post(t, client(t), r)
	require.NoError(t, err)
	require.Equal(t, []any{500, 64 << 20, int64(-1), "b"},
		[]any{got.status, len(got.body), got.length, got.header.Get("X-A")})
}

// How the faults look through Go's client, which is what delivers.
func TestFaultsThroughHTTPClient(t *testing.T) {
	t.Parallel()
	t.Run("truncate is an unexpected EOF", func(t *testing.T) {
		t.Parallel()
		got, err := post(t, client(t), openWith(t, Reply{Fault: Truncate, Body: "half"}))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, "half", got.body)
	})
	t.Run("garbage is a malformed response", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t), openWith(t, Reply{Fault: Garbage}))
		require.ErrorContains(t, err, "malformed HTTP")
	})
	t.Run("reset_before is a connection reset", func(t *testing.T) {
		t.Parallel()
		_, err := post(t, client(t), openWith(t, Reply{Fault: ResetBefore}))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
	t.Run("informational is seen apart from the answer", func(t *testing.T) {
		t.Parallel()
		var early []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				early = append(early, code)
				return nil
			},
		})
		got, err := postContext(ctx, t, client(t), openWith(t, Reply{Fault: Informational, Status: 202}))
		require.NoError(t, err)
		require.Equal(t, []int{http.StatusEarlyHints}, early)
		require.Equal(t, 202, got.status)
	})
	t.Run("hang runs into the client's time limit", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		_, err := postContext(ctx, t, client(t), openWith(t, Reply{Fault: Hang}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestFaultsUnderTLS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		reply Reply
		err   error
		want  string // how what arrives begins
	}{
		{Reply{Fault: ResetBefore}, syscall.ECONNRESET, ""},
		{Reply{Fault: ResetDuring, Body: "abcdef"}, syscall.ECONNRESET, "HTTP/1.1 200 OK"},
		{Reply{Fault: Truncate}, nil, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 16"},
		{Reply{Fault: Garbage}, nil, fault.DefaultGarbage},
		{Reply{Status: 500}, nil, "HTTP/1.1 500 Internal Server Error"},
	}
	for _, test := range tests {
		t.Run(string(test.reply.Fault), func(t *testing.T) {
			t.Parallel()
			r := open(t, Config{Spec: Spec{TLS: SelfSigned, Script: Script{Replies: []Reply{test.reply}}}})
			conn := dialTLS(t, r)
			send(t, conn, "hello")
			got, err := io.ReadAll(conn)
			require.ErrorIs(t, err, test.err)
			require.True(t, bytes.HasPrefix(got, []byte(test.want)), "%q", got)
		})
	}
}

func TestRequestIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	r := openWith(t, Reply{Status: 503}, Reply{Fault: ResetBefore}, Reply{Fault: Truncate, Status: 201})
	for range 3 {
		_, _ = exchange(t, r)
	}
	requests, dropped := r.Requests(0)
	require.Zero(t, dropped)
	want := Request{
		Number: 1, At: worldStart(), Method: "POST", Path: "/hook?x=1", Body: []byte("hello"), Status: 503,
		Header: http.Header{"Host": {"customer.test"}, "Connection": {"close"}, "Content-Length": {"5"}},
	}
	second, third := want, want
	second.Number, second.Status, second.Fault = 2, 0, ResetBefore
	third.Number, third.Status, third.Fault = 3, 201, Truncate
	require.Equal(t, []Request{want, second, third}, requests)
}

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	t.Run("a body is kept up to a bound, and read to its end", func(t *testing.T) {
		t.Parallel()
		r := openWith(t)
		for _, extra := range []int{0, 1, 3 * MaxBody} {
			conn := dial(t, r)
			send(t, conn, strings.Repeat("b", MaxBody+extra))
			answer, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, "200", statusOf(string(answer)))
		}
		requests, _ := r.Requests(0)
		for i, truncated := range []bool{false, true, true} {
			require.Len(t, requests[i].Body, MaxBody)
			require.Equal(t, truncated, requests[i].Truncated)
		}
	})
	t.Run("a body that breaks off is kept, gets no answer and takes no reply", func(t *testing.T) {
		t.Parallel()
		r := openWith(t, Reply{Status: 503}, Reply{Status: 200})
		conn := dial(t, r)
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Empty(t, got)
		require.Equal(t, []string{"503"}, statuses(t, r, 1))
		requests, _ := r.Requests(0)
		require.Equal(t, []any{"half", "unexpected EOF", 0},
			[]any{string(requests[0].Body), requests[0].Error, requests[0].Status})
	})
	t.Run("OPTIONS * is a request like others", func(t *testing.T) {
		t.Parallel()
		r := openWith(t, Reply{Status: 405})
		conn := dial(t, r)
		_, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "405", statusOf(string(got)))
	})
}
