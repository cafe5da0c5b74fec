// Package engine is the request path: it finds the sandbox and the operation of a request, checks it, lets the
// provider's handler answer, and writes everything into the journal. It owns the sandboxes.
//
// The engine names no provider and invents no provider behaviour: statuses, texts and rules come from the sim and its
// document.
package engine

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// Options set up an engine.
type Options struct {
	Providers []*Provider
	Store     store.Store   // nil: in memory
	Default   SandboxConfig // the default sandbox; its name is ignored
	Journal   JournalLimits
	Limits    SandboxLimits // of each sandbox; what is 0 has a generous default
	// MaxSandboxes bounds the sandboxes, the default one included.
	MaxSandboxes int
	// ClientRoots are the authorities whose client certificates providers let in. Nil: none.
	ClientRoots *x509.CertPool
	// Observe is told of every exchange with a client, when it is in the journal. It must not change it, nor take long.
	Observe func(*Sandbox, *Exchange)
	Log     *slog.Logger
}

// Outbox is what the request path needs of the delivery engine.
type Outbox interface {
	// Apply carries out what a handler wants done with deliveries, in the handler's transaction. The function it
	// returns is called when that transaction has been committed.
	Apply(s *Sandbox, p *Provider, tx store.Tx, effects sims.Effects) (after func(), err error)
	// Resume is called when the deliveries of a sandbox have been restored from a snapshot, Check before that: it says
	// whether they can be.
	Resume(s *Sandbox) error
	Check(tx store.Tx) error
	// Forget is called when the deliveries of a sandbox are gone: it was reset or deleted.
	Forget(s *Sandbox)
}

type noOutbox struct{}

func (noOutbox) Apply(*Sandbox, *Provider, store.Tx, sims.Effects) (func(), error) {
	return func() {}, nil
}
func (noOutbox) Resume(*Sandbox) error { return nil }
func (noOutbox) Check(store.Tx) error  { return nil }
func (noOutbox) Forget(*Sandbox)       {}

// Engine serves the providers.
type Engine struct {
	outbox    Outbox
	director  Director
	options   Options
	log       *slog.Logger
	store     store.Store
	providers []*Provider
	byName    map[string]*Provider
	byHost    map[string]*Provider
	names     rule.Names

	dropped atomic.Uint64 // exchanges, by the journals of all sandboxes
	expired atomic.Uint64 // sandboxes

	mu        sync.RWMutex
	sandboxes map[string]*Sandbox
	reserved  map[string]struct{} // names of sandboxes that are being seeded
	made      uint64              // sandboxes so far
}

// New returns an engine with its default sandbox.
func New(o Options) (*Engine, error) {
	if o.Store == nil {
		o.Store = store.NewMemory()
	}
	if o.Journal == (JournalLimits{}) {
		o.Journal = DefaultJournalLimits()
	}
	o.Limits.Rows = cmp.Or(o.Limits.Rows, DefaultSandboxLimits().Rows)
	o.Limits.Bytes = cmp.Or(o.Limits.Bytes, DefaultSandboxLimits().Bytes)
	if o.MaxSandboxes == 0 {
		o.MaxSandboxes = 20_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(*Sandbox, *Exchange) {}
	}
	e := &Engine{
		outbox: noOutbox{}, director: noDirector{}, options: o, log: o.Log, store: o.Store, providers: o.Providers,
		names: NamesOf(o.Providers), byName: map[string]*Provider{}, byHost: map[string]*Provider{}, sandboxes: map[string]*Sandbox{}, reserved: map[string]struct{}{},
	}
	for _, p := range o.Providers {
		e.byName[p.Name] = p
		for _, host := range p.Hosts {
			e.byHost[hostname(host)] = p
		}
	}
	o.Default.Name = DefaultSandbox
	if _, err := e.CreateSandbox(o.Default); err != nil {
		return nil, err
	}
	return e, nil
}

// forget tells those who keep something of a sandbox that it is gone.
func (e *Engine) forget(s *Sandbox) {
	e.outbox.Forget(s)
	e.director.Forget(s)
}

// SetOutbox connects the delivery engine. It is called once, before the first request.
func (e *Engine) SetOutbox(o Outbox) { e.outbox = o }

// Providers returns the providers in their registration order.
func (e *Engine) Providers() []*Provider { return e.providers }

// Provider returns a provider by name.
func (e *Engine) Provider(name string) (*Provider, bool) {
	p, ok := e.byName[name]
	return p, ok
}

// spaceMark stands between the name of a sandbox and a number in the name of its part of the store: what is still under
// way for a sandbox that was deleted does not reach another of the same name.
const spaceMark = "@"

// CreateSandbox makes a sandbox. It is seeded while others are served; meanwhile its name is taken, and it is not there.
func (e *Engine) CreateSandbox(config SandboxConfig) (*Sandbox, error) {
	if !sandboxNamePattern.MatchString(config.Name) {
		return nil, fmt.Errorf("%w: %q", ErrSandboxName, config.Name)
	}
	space, err := e.reserve(config.Name)
	if err != nil {
		return nil, err
	}
	s, err := e.seeded(config, space)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.reserved, config.Name)
	if err != nil {
		e.store.Delete(space)
		return nil, err
	}
	e.sandboxes[config.Name] = s
	return s, nil
}

// reserve takes a name, and returns the part of the store that goes with it.
func (e *Engine) reserve(name string) (space string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sandboxes)+len(e.reserved) >= e.options.MaxSandboxes {
		return "", fmt.Errorf("%w: %d", ErrTooManySandbox, e.options.MaxSandboxes)
	}
	_, exists := e.sandboxes[name]
	if _, soon := e.reserved[name]; exists || soon {
		return "", fmt.Errorf("%w: %q", ErrSandboxExists, name)
	}
	e.reserved[name] = struct{}{}
	e.made++
	return name + spaceMark + strconv.FormatUint(e.made, 10), nil
}

// seeded makes a sandbox that is not listed yet. A panic of a provider's seed gives its name back.
func (e *Engine) seeded(config SandboxConfig, space string) (s *Sandbox, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{value: p, stack: string(debug.Stack())}
			e.log.Error("defect while a sandbox was seeded", "sandbox", config.Name, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	e.store.Create(space)
	return e.newSandbox(config, space)
}

// DeleteSandbox frees a sandbox with everything in it. It reports false when there is none of that name.
func (e *Engine) DeleteSandbox(name string) (bool, error) {
	if name == DefaultSandbox {
		return true, ErrDefaultSandbox
	}
	e.mu.Lock()
	s, ok := e.sandboxes[name]
	delete(e.sandboxes, name)
	e.mu.Unlock()
	if ok {
		e.store.Delete(s.space)
		e.forget(s)
	}
	return ok, nil
}

// Sandbox returns a sandbox by name.
func (e *Engine) Sandbox(name string) (*Sandbox, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s, ok := e.sandboxes[name]
	return s, ok
}

// Sandboxes returns all sandboxes by name.
func (e *Engine) Sandboxes() []*Sandbox {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*Sandbox, 0, len(e.sandboxes))
	for _, s := range e.sandboxes {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Sandbox) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// ForHost returns the provider that owns a real host name; ports are ignored.
func (e *Engine) ForHost(host string) (*Provider, bool) {
	p, ok := e.byHost[hostname(host)]
	return p, ok
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// SandboxHeader selects a sandbox by name.
const SandboxHeader = "Mocksrv-Sandbox"

// target is where a request goes.
type target struct {
	provider *Provider
	sandbox  string // "" when neither path nor header names one
	path     string // escaped, without prefixes
}

// locate reads path prefixes, Host and header. False: the request is for no provider.
func (e *Engine) locate(r *http.Request) (target, bool) {
	t := target{path: r.URL.EscapedPath(), sandbox: r.Header.Get(SandboxHeader)}
	if rest, ok := strings.CutPrefix(t.path, "/sandboxes/"); ok && !strings.HasPrefix(rest, "/") { // no name is not the default one
		name, rest, _ := strings.Cut(rest, "/")
		t.sandbox, t.path = name, "/"+rest
	}
	if p, ok := e.ForHost(r.Host); ok {
		t.provider = p
		return t, true
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(t.path, "/"), "/")
	t.provider = e.byName[name]
	t.path = "/" + rest
	return t, t.provider != nil
}

// choose enters the sandbox of a request: named by path or header, else claimed by its credential, else the default.
func (e *Engine) choose(t target, r *http.Request) (*Sandbox, bool) {
	name := t.sandbox
	if name == "" {
		name = DefaultSandbox
		if credential := t.provider.Credential(r); credential != "" {
			if claimed, ok := e.store.Locate(t.provider.Name + "/" + credential); ok {
				name, _, _ = strings.Cut(claimed, spaceMark)
			}
		}
	}
	return e.Enter(name)
}
