// Package mocksrv is a webhook provider in a box: a simulator server for testing integrations with webhook providers.
//
// In a Go test one line starts it, on a free port, with a world of its own:
//
//	srv := mocksrv.RunT(t)
//	base, key := srv.BaseURL("hsrcpay"), srv.Credentials("hsrcpay")["secret_key"]
//
// It ends with the test. The clock can be frozen (mocksrv.Frozen) and advanced (srv.Advance), events can be made to
// happen (srv.Emit), and everything that went in and out can be asked for (srv.Journal, srv.Deliveries).
package mocksrv

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/metrics"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/all"
)

// DefaultSandbox is the name of the sandbox that always exists.
const DefaultSandbox = engine.DefaultSandbox

// Options set up a server. The zero value is a server with a real clock and seed 0.
type Options struct {
	// Seed determines every id, secret and payload. The same seed gives the same bytes.
	Seed int64
	// FrozenAt freezes the world clock of the default sandbox at an instant. Zero: the clock is real.
	FrozenAt time.Time
	// EdgeWorld compares request timestamps with the world clock instead of the machine's.
	EdgeWorld bool
	// Address is where RunT and Start listen. "": a free port on the loopback interface.
	Address string
	// ControlAddress is where the control API listens. "": where the providers do, under /_mocksrv/.
	ControlAddress string
	// NoListener opens no port: requests go through Server.Client only.
	NoListener bool
	// AllowPublicDelivery lets deliveries go to public addresses, too.
	AllowPublicDelivery bool
	// ControlToken, when set, is asked of every call of the control API.
	ControlToken string
	// ControlHosts are further Host names under which the control API answers.
	ControlHosts []string
	// MaxSandboxes bounds the sandboxes. 0: a generous default.
	MaxSandboxes int
	// SandboxIdle is how long, in real time, a sandbox may be unused before it expires, unless it says otherwise. 0: it
	// never does.
	SandboxIdle time.Duration
	// MaxConnections bounds the open connections of each listener. 0: DefaultMaxConnections.
	MaxConnections int
	// Version is what deliveries say in User-Agent.
	Version string
	// Log receives what an operator wants to know. Nil: nothing is logged.
	Log *slog.Logger
}

// Server is a running simulator.
type Server struct {
	engine     *engine.Engine
	dispatcher *delivery.Dispatcher
	control    *control.API
	sandbox    *engine.Sandbox
	options    Options
	metrics    *metrics.Metrics
	active     atomic.Int64 // requests under way

	providerEnd *endpoint // nil before Start
	controlEnd  *endpoint // nil: the control API is where the providers are

	fatalf func(format string, args ...any) // ends the test, or panics
}

// startGCPercent lets the heap grow while the documents are read.
const startGCPercent = 400

//nolint:gochecknoglobals // the documents are read once in a process, not once for each of hundreds of test servers
var compiled = sync.OnceValues(func() ([]*engine.Provider, error) {
	// Reading the documents leaves much garbage once: collecting it meanwhile would take half of the start.
	defer debug.SetGCPercent(debug.SetGCPercent(startGCPercent))
	list := all.Sims()
	providers, errs := make([]*engine.Provider, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, sim := range list {
		wg.Go(func() { providers[i], errs[i] = engine.Compile(sim) })
	}
	wg.Wait()
	return providers, errors.Join(errs...)
})

// Providers returns the compiled providers.
func Providers() ([]*engine.Provider, error) { return compiled() }

// New returns a server that does not listen yet. Its Handler answers requests already.
func New(o Options) (*Server, error) {
	providers, err := compiled()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: o, fatalf: func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }}
	s.metrics = metrics.New(s.gauges)
	s.engine, err = engine.New(engine.Options{
		Providers: providers, Default: engine.SandboxConfig{Seed: o.Seed, Clock: o.clock()}, MaxSandboxes: o.MaxSandboxes,
		Observe: s.answered, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	version := o.Version
	if version == "" {
		version = "dev"
	}
	ca, err := receiver.NewCA()
	if err != nil {
		return nil, err
	}
	s.dispatcher = delivery.New(s.engine, delivery.Options{
		AllowPublic: o.AllowPublicDelivery, UserAgent: "mocksrv/" + version, Trust: ca.Certificate, Observe: s.attempted, Log: o.Log,
	})
	s.sandbox, _ = s.engine.Sandbox(DefaultSandbox)
	s.control = control.New(s.engine, s.dispatcher, control.Options{
		Token: o.ControlToken, AllowHosts: o.ControlHosts, Seed: o.Seed, CA: ca, Idle: o.SandboxIdle,
		Metrics: s.metrics.Scrape, ProviderHost: s.providerHost, Log: o.Log,
	})
	return s, nil
}

func (o Options) clock() clock.Setting {
	setting := clock.Setting{Mode: clock.Real, Edge: clock.Wall}
	if !o.FrozenAt.IsZero() {
		setting.Mode, setting.Now = clock.Frozen, o.FrozenAt
	}
	if o.EdgeWorld {
		setting.Edge = clock.WorldEdge
	}
	return setting
}

// ServeHTTP implements http.Handler: the control API under /_mocksrv/, the providers everywhere else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Add(-1)
	_, isProvider := s.engine.ForHost(r.Host)
	if !isProvider && strings.HasPrefix(r.URL.Path, control.Prefix) {
		if s.controlEnd != nil {
			s.control.Elsewhere(w, r)
			return
		}
		s.control.ServeHTTP(w, r)
		return
	}
	if err := s.engine.Serve(w, r); err != nil {
		control.WriteNotFound(w, err)
	}
}

// Client returns an HTTP client that reaches the server, with or without a listener.
func (s *Server) Client() *http.Client {
	if s.providerEnd == nil {
		return &http.Client{Transport: inProcess{handler: s}}
	}
	return &http.Client{}
}

// BaseURL is where a provider of the default sandbox is reached. Paths of the provider are appended to it.
func (s *Server) BaseURL(sim string) string {
	s.provider(sim)
	return control.BaseURL(s.URL(), DefaultSandbox, sim)
}

// Credentials returns the ready-made credentials of a provider in the default sandbox.
func (s *Server) Credentials(sim string) map[string]string {
	return s.sandbox.Credentials(s.provider(sim).Name)
}

// provider finds a provider by name. An unknown one ends the test with the names there are.
func (s *Server) provider(name string) *engine.Provider {
	p, ok := s.engine.Provider(name)
	if !ok {
		var names []string
		for _, known := range s.engine.Providers() {
			names = append(names, known.Name)
		}
		s.fatalf("mocksrv: there is no sim %q; the sims are %s", name, strings.Join(names, ", "))
	}
	return p
}

// Control returns a typed client of the control API.
func (s *Server) Control() *client.Client {
	return client.New(s.ControlURL(), client.WithHTTPClient(s.Client()), client.WithToken(s.options.ControlToken))
}
