// Package engine is the request path: it finds the sandbox and the operation of a request, checks it, lets the
// provider's handler answer, and writes everything into the journal. It owns the sandboxes.
//
// The engine names no provider and invents no provider behaviour: statuses, texts and rules come from the sim and its
// document.
package engine

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// Options set up an engine.
type Options struct {
	Providers []*Provider
	Store     store.Store   // nil: in memory
	Default   SandboxConfig // the default sandbox; its name is ignored
	Journal   JournalLimits
	// MaxSandboxes bounds the sandboxes, the default one included.
	MaxSandboxes int
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
	options   Options
	log       *slog.Logger
	store     store.Store
	providers []*Provider
	byName    map[string]*Provider
	byHost    map[string]*Provider

	dropped atomic.Uint64 // exchanges, by the journals of all sandboxes
	expired atomic.Uint64 // sandboxes

	mu        sync.RWMutex
	sandboxes map[string]*Sandbox
	made      uint64 // sandboxes so far
}

// New returns an engine with its default sandbox.
func New(o Options) (*Engine, error) {
	if o.Store == nil {
		o.Store = store.NewMemory()
	}
	if o.Journal == (JournalLimits{}) {
		o.Journal = DefaultJournalLimits()
	}
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
		outbox: noOutbox{}, options: o, log: o.Log, store: o.Store, providers: o.Providers,
		byName: map[string]*Provider{}, byHost: map[string]*Provider{}, sandboxes: map[string]*Sandbox{},
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

// CreateSandbox makes a sandbox.
func (e *Engine) CreateSandbox(config SandboxConfig) (*Sandbox, error) {
	if !sandboxNamePattern.MatchString(config.Name) {
		return nil, fmt.Errorf("%w: %q", ErrSandboxName, config.Name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sandboxes) >= e.options.MaxSandboxes {
		return nil, fmt.Errorf("%w: %d", ErrTooManySandbox, e.options.MaxSandboxes)
	}
	if _, exists := e.sandboxes[config.Name]; exists {
		return nil, fmt.Errorf("%w: %q", ErrSandboxExists, config.Name)
	}
	e.made++
	space := config.Name + spaceMark + strconv.FormatUint(e.made, 10)
	e.store.Create(space)
	s, err := e.newSandbox(config, space)
	if err != nil {
		e.store.Delete(space)
		return nil, err
	}
	e.sandboxes[config.Name] = s
	return s, nil
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
		e.outbox.Forget(s)
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
