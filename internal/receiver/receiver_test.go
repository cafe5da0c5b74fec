package receiver

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func TestDown(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, r *Receiver) {
		t.Helper()
		_, err := post(t, client(t), r)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	}
	t.Run("refuses connections, and comes back at the same address", func(t *testing.T) {
		t.Parallel()
		r := openWith(t)
		url := r.URL()
		require.Equal(t, []string{"200"}, statuses(t, r, 1))
		require.NoError(t, r.SetScript(Script{Down: true}))
		refused(t, r)
		require.NoError(t, r.SetScript(Script{Down: true}))
		refused(t, r)
		require.NoError(t, r.SetScript(Script{Replies: []Reply{{Status: 201}}}))
		require.Equal(t, []string{"201"}, statuses(t, r, 1))
		require.Equal(t, url, r.URL())
		require.Equal(t, []uint64{2, 2}, []uint64{r.Info().Requests, r.Info().Connections})
	})
	t.Run("can be so from the start", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{Script: Script{Down: true}}})
		refused(t, r)
		require.True(t, r.Info().Spec.Script.Down)
	})
	t.Run("is seen in the number of open connections", func(t *testing.T) {
		t.Parallel()
		r := openWith(t, Reply{}, Reply{Fault: Hang})
		for i := range uint64(2) {
			_, err := io.WriteString(dial(t, r), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			require.NoError(t, r.Wait(t.Context(), i+1))
		}
		require.Equal(t, int64(2), r.Info().Open)
		require.NoError(t, r.SetScript(Script{Down: true}))
		require.Zero(t, r.Info().Open)
	})
	t.Run("ends connections that are kept alive", func(t *testing.T) {
		t.Parallel()
		r := openWith(t)
		c := client(t)
		_, err := post(t, c, r)
		require.NoError(t, err)
		require.NoError(t, r.SetScript(Script{Down: true}))
		_, err = post(t, c, r)
		require.Error(t, err)
		require.Equal(t, uint64(1), r.Info().Requests)
	})
	t.Run("cuts off who waits, without an answer", func(t *testing.T) {
		t.Parallel()
		for _, reply := range []Reply{{Fault: Hang}, {Delay: "1h"}} {
			r := openWith(t, reply)
			conn := dial(t, r)
			send(t, conn, "")
			require.NoError(t, r.Wait(t.Context(), 1))
			require.NoError(t, r.SetScript(Script{Down: true}))
			got, _ := io.ReadAll(conn)
			require.Empty(t, got)
		}
	})
	t.Run("stays so when the port cannot be opened again", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{Script: Script{Down: true}}})
		other, err := net.Listen("tcp", r.Info().Spec.Address)
		require.NoError(t, err)
		require.ErrorIs(t, r.SetScript(Script{}), syscall.EADDRINUSE)
		require.True(t, r.Info().Spec.Script.Down)
		require.NoError(t, other.Close())
		require.NoError(t, r.SetScript(Script{}))
		require.Equal(t, []string{"200"}, statuses(t, r, 1))
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	t.Run("IPv6", func(t *testing.T) {
		t.Parallel()
		r, err := Open(Config{Spec: Spec{Address: "[::1]:0"}})
		if err != nil {
			t.Skipf("no IPv6 here: %v", err)
		}
		defer func() { require.NoError(t, r.Close()) }()
		require.Contains(t, r.URL(), "http://[::1]:")
		require.Equal(t, []string{"200"}, statuses(t, r, 1))
	})
	t.Run("every address of the machine is reached through loopback", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{Address: "0.0.0.0:0"}})
		require.Contains(t, r.URL(), "http://127.0.0.1:")
		require.Contains(t, r.Info().Spec.Address, "0.0.0.0:")
		require.Equal(t, []string{"200"}, statuses(t, r, 1))
	})
	t.Run("a port of one's own", func(t *testing.T) {
		t.Parallel()
		held, err := holdPort(netip.MustParseAddrPort("127.0.0.1:0"))
		require.NoError(t, err)
		defer func() { require.NoError(t, held.release()) }()
		r := open(t, Config{Spec: Spec{Address: held.address.String()}})
		require.Equal(t, "http://"+held.address.String(), r.URL())
	})
	t.Run("a port somebody else listens on is an error", func(t *testing.T) {
		t.Parallel()
		other := openWith(t)
		_, err := Open(Config{Spec: Spec{Address: other.Info().Spec.Address}})
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, other.Info().Spec.Address)
	})
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	numbers := func(r *Receiver, after uint64) (all []uint64, dropped uint64) {
		kept, dropped := r.Requests(after)
		for _, req := range kept {
			all = append(all, req.Number)
		}
		return all, dropped
	}
	t.Run("by number", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{KeepRequests: 2}})
		_ = statuses(t, r, 5)
		for after, want := range [][]uint64{{4, 5}, {4, 5}, {4, 5}, {4, 5}, {5}, nil, nil} {
			got, dropped := numbers(r, uint64(after))
			require.Equal(t, want, got, "after %d", after)
			require.Equal(t, uint64(3), dropped)
		}
		got, _ := numbers(r, 1<<64-1)
		require.Empty(t, got)
		require.Equal(t, []uint64{5, 3}, []uint64{r.Info().Requests, r.Info().Dropped})
	})
	t.Run("by size, though the newest is always kept", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{KeepBytes: 5000}})
		for _, size := range []int{1000, 1000, 3000, 6000, 10} {
			conn := dial(t, r)
			send(t, conn, strings.Repeat("b", size))
			_, err := io.ReadAll(conn)
			require.NoError(t, err)
			kept, dropped := r.Requests(0)
			want := map[int]uint64{1000: 0, 3000: 1, 6000: 3, 10: 4}[size]
			require.Equal(t, want, dropped)
			require.Len(t, kept[len(kept)-1].Body, size)
		}
	})
	t.Run("by defaults", func(t *testing.T) {
		t.Parallel()
		spec := openWith(t).Info().Spec
		require.Equal(t, []int{1000, 16 << 20}, []int{spec.KeepRequests, spec.KeepBytes})
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	t.Run("returns when enough have arrived", func(t *testing.T) {
		t.Parallel()
		r := open(t, Config{Spec: Spec{KeepRequests: 1}})
		waited := make(chan error)
		go func() { waited <- r.Wait(t.Context(), 3) }()
		_ = statuses(t, r, 3)
		require.NoError(t, <-waited)
		require.NoError(t, r.Wait(t.Context(), 3), "those that were dropped count too")
	})
	t.Run("ends with its context, and says how many arrived", func(t *testing.T) {
		t.Parallel()
		r := openWith(t)
		_ = statuses(t, r, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := r.Wait(ctx, 2)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "receiver: waited for 2 requests, 1 arrived: context canceled")
	})
	t.Run("ends with the receiver", func(t *testing.T) {
		t.Parallel()
		r := openWith(t)
		waited := make(chan error)
		go func() { waited <- r.Wait(t.Context(), 1) }()
		require.NoError(t, r.Close())
		require.ErrorIs(t, <-waited, ErrClosed)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	r := openWith(t)
	_ = statuses(t, r, 1)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "a second time does nothing")
	require.ErrorIs(t, r.SetScript(Script{}), ErrClosed)
	requests, _ := r.Requests(0)
	require.Len(t, requests, 1)
	_, err := post(t, client(t), r)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// Not parallel: it counts goroutines. Each client below is in another state when the receiver closes.
func TestCloseLeavesNothingBehind(t *testing.T) {
	for _, kind := range []TLS{Plain, SelfSigned} {
		present := goleak.IgnoreCurrent()
		r := open(t, Config{Spec: Spec{TLS: kind, Script: Script{Replies: []Reply{
			{}, {Fault: Hang}, {Delay: "1h"}, {Fault: Dribble, Delay: "1h"}, {Fault: Informational, Delay: "1h"}, {Fault: Huge},
		}}}})
		_ = dial(t, r) // says nothing at all
		var conns []net.Conn
		for i := range uint64(6) {
			conn := connect(t, r)
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") // kept alive
			require.NoError(t, err)
			require.NoError(t, r.Wait(t.Context(), i+1))
			conns = append(conns, conn)
		}
		require.NoError(t, r.Close())
		goleak.VerifyNone(t, present)
		for i, want := range []string{"200", "", "", "", "103"} {
			got, _ := io.ReadAll(conns[i])
			require.Contains(t, []string{want, ""}, statusOf(string(got)), "what was not sent yet is cut off")
			require.LessOrEqual(t, strings.Count(string(got), "HTTP/1.1"), 1)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const clients, each = 8, 10
	r := open(t, Config{Spec: Spec{Script: Script{Then: ThenLoop, Replies: []Reply{{Status: 500}, {Status: 200}}}}})
	var all sync.WaitGroup
	for range clients {
		c := client(t)
		all.Go(func() {
			for range each {
				_, _ = post(t, c, r)
				_ = r.Info()
			}
		})
	}
	require.NoError(t, r.Wait(t.Context(), clients*each))
	all.Wait()
	requests, dropped := r.Requests(0)
	require.Zero(t, dropped)
	for i, req := range requests {
		require.Equal(t, uint64(i+1), req.Number)
		require.Equal(t, []int{500, 200}[i%2], req.Status)
	}
}

// Scripts, clients and the end of a receiver meet in every order.
func TestCloseUnderFire(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := openWith(t, Reply{Fault: Hang})
		var all sync.WaitGroup
		for range 4 {
			conn := dial(t, r)
			all.Go(func() {
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				_, _ = io.Copy(io.Discard, conn)
			})
		}
		all.Go(func() { _ = r.SetScript(Script{Down: true}) })
		all.Go(func() { _ = r.SetScript(Script{}) })
		all.Go(func() { _ = r.Close() })
		all.Wait()
	}
}

func TestNowIsTheMachinesClockByDefault(t *testing.T) {
	t.Parallel()
	r, err := Open(Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	before := clock.WallNow()
	_ = statuses(t, r, 1)
	requests, _ := r.Requests(0)
	require.WithinRange(t, requests[0].At, before, clock.WallNow().Add(time.Nanosecond))
}
