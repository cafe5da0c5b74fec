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
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/metrics"
	"github.com/mocksrv/mocksrv/internal/stage"
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
	// Address is where RunT and Start listen: host:port, http://host:port or https://host:port. "": a free port on the
	// loopback interface.
	Address string
	// Listen are further addresses of the same forms.
	Listen []string
	// TLSDir keeps the development CA, which signs what TLS listeners and receivers show. "": it lives as long as the server.
	TLSDir string
	// Scenarios are served in the default sandbox from the start: files, or built-in ones by their names.
	Scenarios []string
	// KeepSeed and KeepClock let Seed and FrozenAt win over the scenarios'.
	KeepSeed, KeepClock bool
	// Certificates are shown by TLS listeners for the names in them. For every other name the development CA signs one.
	Certificates []tls.Certificate
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
	// MaxSandboxRows and MaxSandboxBytes bound what each sandbox holds beside its journal. 0: generous defaults.
	MaxSandboxRows  int
	MaxSandboxBytes int
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
	stage      *stage.Stage
	control    *control.API
	sandbox    *engine.Sandbox
	served     map[string]any // policies of the scenarios served from the start
	options    Options
	metrics    *metrics.Metrics
	active     atomic.Int64                     // requests under way
	own        atomic.Pointer[[]netip.AddrPort] // where the control API listens; nil: nowhere

	ca           *authority.CA
	providerEnds []*endpoint     // none before Start
	controlEnd   *endpoint       // nil: the control API is where the providers are
	transport    *http.Transport // of Client, where there is TLS

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
	scenarios, err := readScenarios(o.Scenarios, providers)
	if err != nil {
		return nil, err
	}
	config, err := o.prepared(scenarios)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, served: config.Policies, fatalf: func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }}
	s.metrics = metrics.New(s.gauges)
	if err := s.openCA(); err != nil {
		return nil, err
	}
	s.engine, err = engine.New(engine.Options{
		Providers: providers, Default: config, MaxSandboxes: o.MaxSandboxes,
		Limits:      engine.SandboxLimits{Rows: o.MaxSandboxRows, Bytes: o.MaxSandboxBytes},
		ClientRoots: s.ca.Pool(), Observe: s.answered, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	version := o.Version
	if version == "" {
		version = "dev"
	}
	s.dispatcher = delivery.New(s.engine, delivery.Options{
		AllowPublic: o.AllowPublicDelivery, UserAgent: "mocksrv/" + version, Own: s.ownAddresses, Trust: s.ca.Certificate, Observe: s.attempted, Log: o.Log,
	})
	s.sandbox, _ = s.engine.Sandbox(DefaultSandbox)
	s.stage = stage.New(s.engine, s.dispatcher, stage.NewReceivers(s.ca), o.Log)
	s.control = control.New(s.engine, s.dispatcher, s.stage, control.Options{
		Token: o.ControlToken, AllowHosts: o.ControlHosts, Seed: o.Seed, CA: s.ca, Idle: o.SandboxIdle,
		Metrics: s.metrics.Scrape, ProviderURL: s.providerURL, Log: o.Log,
	})
	return s, s.serveScenarios(scenarios)
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
	if len(s.providerEnds) == 0 {
		return &http.Client{Transport: inProcess{handler: s}}
	}
	if s.transport != nil {
		return &http.Client{Transport: s.transport}
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
