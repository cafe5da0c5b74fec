//go:build unix

package delivery_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

const workers = 16

// BenchmarkDeliver sends b.N deliveries that are due, and beside them as many requests of a bare loop of 16 workers that
// sign and send the same body over kept connections. Creating the deliveries is not measured.
func BenchmarkDeliver(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	signHMAC := func(body []byte) string { return mac("0123456789abcdef0123456789abcdef", body) }
	signRSA := func(body []byte) string {
		digest := sha256.Sum256(body)
		raw, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return hex.EncodeToString(raw)
	}
	b.Run("hmac/bare", func(b *testing.B) { bareLoop(b, signHMAC) })
	b.Run("hmac/signedsub", func(b *testing.B) { engineLoop(b, signedsub.New(), payout) })
	b.Run("rsa/bare", func(b *testing.B) { bareLoop(b, signRSA) })
	b.Run("rsa/bitpay", func(b *testing.B) { engineLoop(b, bitpay.New(), "ORDER_WEBHOOK") })
}

func bareLoop(b *testing.B, sign func([]byte) string) {
	url := sink(b, takes)
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	body := []byte(`{"payload":"` + strings.Repeat("x", 300) + `"}`)
	var next atomic.Int64
	var group sync.WaitGroup
	measured(b, b.N, func() {
		for range workers {
			group.Go(func() {
				for next.Add(1) <= int64(b.N) {
					req, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
					req.Header.Set("Sign", sign(body))
					resp, err := transport.RoundTrip(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
		group.Wait()
	})
}

// engineLoop makes the deliveries while their receiver fails, and measures their first retry, on a real clock.
func engineLoop(b *testing.B, sim *sims.Sim, event string) {
	w := simtest.New(b, sim)
	w.SetPolicy("retry_schedule", []any{"1h"})
	w.SetPolicy("block_limit", 0)
	w.SetPolicy("resign", true)
	var fails atomic.Bool
	fails.Store(true)
	url := sink(b, func(rw http.ResponseWriter, r *http.Request) {
		if fails.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		takes(rw, r)
	})
	for i := range workers {
		if sim.Name == "bitpay" {
			w.Call("createWebhook", simtest.Request{Body: object{"eventType": event, "url": fmt.Sprintf("%s/%d", url, i)}}).OK()
		} else {
			subscribe(w, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), fmt.Sprintf("%s/%d", url, i))
		}
	}
	made := 0
	for ; made < b.N; made += workers {
		_, _, err := w.Dispatcher.Emit(w.Sandbox, delivery.EventRequest{Sim: sim.Name, Type: event})
		require.NoError(b, err)
	}
	require.NoError(b, w.Sandbox.Clock.Settle(context.Background()))
	fails.Store(false)
	w.Sandbox.Journal.Clear()
	measured(b, made, func() {
		due := w.Sandbox.Clock.Setting()
		due.Mode, due.Now = clock.Real, due.Now.Add(time.Hour) // as in service: several at once to each webhook
		w.Sandbox.Clock.Set(due)
		require.NoError(b, w.Sandbox.Clock.Settle(context.Background()))
	})
	for _, d := range w.Deliveries() {
		require.Equal(b, delivery.Delivered, d.State)
	}
}

// BenchmarkRetries is one event of signedsub that fails to the end of its schedule: 20 attempts over 3.8 virtual days.
func BenchmarkRetries(b *testing.B) {
	w := simtest.New(b, signedsub.New())
	w.SetPolicy("block_limit", 0)
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{Script: receiver.Script{Replies: []receiver.Reply{{Status: 500}}}}, Now: w.Sandbox.Clock.Now})
	require.NoError(b, err)
	defer func() { require.NoError(b, r.Close()) }()
	subscribe(w, hookID, r.URL())
	b.ResetTimer()
	for range b.N {
		emit(w)
		w.Idle()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/delivery")
}

// BenchmarkBacklog is what a waiting delivery costs: memory, and time to make it.
func BenchmarkBacklog(b *testing.B) {
	w := simtest.New(b, signedsub.New())
	for i := range 1000 {
		subscribe(w, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "http://127.0.0.1:1/none")
	}
	require.NoError(b, w.Sandbox.Clock.Stop(context.Background())) // nothing is sent
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for range b.N {
		require.Len(b, emitSoon(b, w), 1000)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N)/1000, "heap-B/waiting")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/created")
}

// measured runs what is measured and reports throughput, and the processor time it took: the figure to compare when the
// machine has other work. Both count the receiver.
func measured(b *testing.B, n int, run func()) {
	b.ReportAllocs()
	runtime.GC()
	before := cpuTime(b)
	b.ResetTimer()
	run()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1000/float64(n), "cpu-µs/delivery")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "deliveries/s")
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
