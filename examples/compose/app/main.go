// Command app is a small shop with accounts at five providers. It registers a webhook at each, and keeps what they report
// once they are proved to be the sender. It calls the providers' own URLs and knows nothing of a simulator: which CA is
// trusted is set from outside (SSL_CERT_FILE), as for any program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	run := serve
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		run = healthcheck
	}
	if err := run(); err != nil {
		log.Fatal("shop: ", err)
	}
}

// provider is one account.
type provider interface {
	// register makes the provider call an address.
	register(ctx context.Context, address string) error
	// receive reads a delivery. It fails when the sender is not proved to be the provider.
	receive(header http.Header, body []byte) (message, error)
}

// message is what the shop keeps of a delivery.
type message struct {
	ID    string `json:"id"` // the same when it comes again
	Event string `json:"event"`
}

// shop takes deliveries.
type shop struct {
	providers map[string]provider
	ready     atomic.Bool // registered everywhere
	closed    atomic.Bool // for maintenance

	mu       sync.Mutex
	received map[string][]message // by provider
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	providers, err := accounts(os.Getenv)
	if err != nil {
		return err
	}
	s := &shop{providers: providers, received: map[string][]message{}}
	server := &http.Server{Addr: ":8080", Handler: s.routes(), ReadTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- server.ListenAndServe() }()
	go func() {
		if err := s.register(ctx, os.Getenv("SHOP_URL")); err != nil {
			failed <- err
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// register makes every provider call the shop.
func (s *shop) register(ctx context.Context, url string) error {
	for name, p := range s.providers {
		if err := p.register(ctx, url+"/hooks/"+name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		log.Println("shop: registered at", name)
	}
	s.ready.Store(true)
	return nil
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{provider}", s.deliver)
	mux.HandleFunc("GET /received", s.report)
	mux.HandleFunc("PUT /maintenance", func(http.ResponseWriter, *http.Request) { s.closed.Store(true) })
	mux.HandleFunc("DELETE /maintenance", func(http.ResponseWriter, *http.Request) { s.closed.Store(false) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}

// deliver takes one delivery. Only what is kept is answered with 200; everything else comes again.
func (s *shop) deliver(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("provider")
	p, ok := s.providers[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "cannot be read", http.StatusBadRequest)
		return
	}
	m, err := p.receive(r.Header, body)
	switch {
	case err != nil:
		log.Printf("shop: refused what says it is from %s: %v", name, err)
		http.Error(w, "not from you", http.StatusUnauthorized)
	case s.closed.Load():
		http.Error(w, "closed for maintenance", http.StatusServiceUnavailable)
	default:
		s.keep(name, m)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"callbackStatus":"SUCCESS"}`) // VelaFi wants to read this; the others look at the status
	}
}

// keep keeps a message once.
func (s *shop) keep(provider string, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.received[provider] {
		if known.ID == m.ID {
			return
		}
	}
	s.received[provider] = append(s.received[provider], m)
}

// report shows what was kept, by provider.
func (s *shop) report(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.received)
}

// healthcheck asks the shop of this container.
func healthcheck() error {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get("http://127.0.0.1:8080/health")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("not registered everywhere yet")
	}
	return nil
}
