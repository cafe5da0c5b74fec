// Command app is a small shop with accounts at five providers. It registers a webhook at each, and keeps what they report
// once they are proved to be the sender. It calls the providers' own URLs and knows nothing of a simulator: which CA is
// trusted is set from outside (SSL_CERT_FILE), as for any program.
package main

import (
	"context"
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

// message is what the shop wants to know of a delivery.
type message struct {
	ID    string // the same when it comes again
	Event string
}

// shop takes deliveries.
type shop struct {
	providers map[string]provider
	ready     atomic.Bool // registered everywhere

	mu   sync.Mutex
	kept map[string]map[string]bool // provider → ids of messages
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	providers, err := accounts(os.Getenv)
	if err != nil {
		return err
	}
	s := &shop{providers: providers, kept: map[string]map[string]bool{}}
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
	if err == nil && m.Event == "" {
		err = errors.New("it is of no event")
	}
	if err != nil {
		log.Printf("shop: refused what says it is from %s: %v", name, err)
		http.Error(w, "not from you", http.StatusUnauthorized)
		return
	}
	log.Printf("shop: %s reports %s", name, m.Event)
	w.Header().Set("Content-Type", "application/json")
	// VelaFi wants to read callbackStatus, the others look at the status. How many are kept is for whoever tests the shop.
	_, _ = fmt.Fprintf(w, `{"callbackStatus":"SUCCESS","kept":%d}`, s.keep(name, m))
}

// keep keeps a message once, and returns how many of the provider are kept.
func (s *shop) keep(provider string, m message) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[provider] == nil {
		s.kept[provider] = map[string]bool{}
	}
	s.kept[provider][m.ID] = true
	return len(s.kept[provider])
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
