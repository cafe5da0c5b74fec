//go:build unix

package mocksrv_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/signedsub"
)

const (
	senders = 16
	onWay   = 256 // events made and not delivered yet, at most
)

// BenchmarkCreateToDelivery makes events over HTTP and waits until each has arrived, signed, at a receiver: here and in a
// bare program that decodes, stores, signs and sends, and does nothing else.
func BenchmarkCreateToDelivery(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		sent := newArrivals(b)
		p := &bareProvider{url: sent.URL, events: map[int]map[string]any{}, queue: make(chan []byte, onWay)}
		stop := p.send()
		defer stop()
		server := httptest.NewServer(p)
		defer server.Close()
		sent.load(b, server.URL, `{"sim":"signedsub","type":"PAYOUT_CONFIRMED"}`)
	})
	b.Run("mocksrv", func(b *testing.B) {
		sent := newArrivals(b)
		srv := mocksrv.RunT(b)
		subscribeTo(b, srv, sent.URL)
		sent.load(b, srv.URL()+"/_mocksrv/v1/sandboxes/default/events", `{"sim":"signedsub","type":"PAYOUT_CONFIRMED"}`)
	})
}

// bareProvider is create → delivery with nothing around it.
type bareProvider struct {
	url    string
	mu     sync.Mutex
	events map[int]map[string]any
	queue  chan []byte
}

func (p *bareProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	var event map[string]any
	if err := strictjson.Unmarshal(data, &event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	id := len(p.events)
	p.events[id] = event
	p.mu.Unlock()
	body, _ := strictjson.Encode(map[string]any{"id": id, "event": event, "payload": strings.Repeat("x", 300)})
	p.queue <- body
	w.WriteHeader(http.StatusAccepted)
}

// send starts the senders; what it returns ends them.
func (p *bareProvider) send() (stop func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for body := range p.queue {
				mac := hmac.New(sha512.New, []byte("0123456789abcdef"))
				mac.Write(body)
				req, _ := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(body))
				req.Header.Set("Sign", hex.EncodeToString(mac.Sum(nil)))
				if resp, err := transport.RoundTrip(req); err == nil {
					_ = resp.Body.Close()
				}
			}
		})
	}
	return func() { close(p.queue); group.Wait(); transport.CloseIdleConnections() }
}

func subscribeTo(b *testing.B, srv *mocksrv.Server, url string) {
	b.Helper()
	sim, credentials := signedsub.New(), srv.Credentials("signedsub")
	body := fmt.Sprintf(`{"account":%q,"timestamp":0,"payload":{"requestId":%q,"notificationEventTypes":["PAYOUT_CONFIRMED"],"url":%q}}`,
		credentials["account"], "123e4567-e89b-12d3-a456-426614174000", url)
	r, err := http.NewRequest(http.MethodPost, srv.BaseURL("signedsub")+"/api/v1/subscription/webhook/create", nil)
	require.NoError(b, err)
	out := &sims.ClientRequest{Method: r.Method, URL: r.URL, Header: r.Header, Body: []byte(body), Credentials: credentials, Now: srv.Now()}
	require.NoError(b, sim.Authorize(out))
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out.Body)), int64(len(out.Body))
	resp, err := srv.Client().Do(r)
	require.NoError(b, err)
	require.NoError(b, resp.Body.Close())
	require.Less(b, resp.StatusCode, 300)
}

// arrivals is the receiver, which lets the next event be made when one has arrived.
type arrivals struct {
	*httptest.Server
	room chan struct{}
	all  sync.WaitGroup
}

func newArrivals(b *testing.B) *arrivals {
	b.Helper()
	a := &arrivals{room: make(chan struct{}, onWay)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-a.room
		a.all.Done()
	}))
	b.Cleanup(a.Close)
	return a
}

// load makes b.N events over 16 connections.
func (a *arrivals) load(b *testing.B, url, body string) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	defer transport.CloseIdleConnections()
	a.all.Add(b.N)
	numbers := make(chan int)
	var group sync.WaitGroup
	before := processorTime(b)
	b.ResetTimer()
	for range senders {
		group.Go(func() {
			for range numbers {
				a.room <- struct{}{}
				req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
				req.Header.Set("Content-Type", "application/json")
				resp, err := transport.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusAccepted {
					panic(fmt.Sprint(resp, err)) // the others would wait for ever
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	for i := range b.N {
		numbers <- i
	}
	close(numbers)
	group.Wait()
	a.all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/delivery")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
