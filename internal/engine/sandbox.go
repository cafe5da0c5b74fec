package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// DefaultSandbox always exists.
const DefaultSandbox = "default"

// Errors of the sandbox registry.
var (
	ErrSandboxExists   = errors.New("a sandbox of this name exists already")
	ErrSandboxName     = errors.New("a sandbox name has 1 to 63 characters of a-z, 0-9, '-', '_', '.', and starts with a letter or digit")
	ErrDefaultSandbox  = errors.New("the default sandbox cannot be deleted; reset it instead")
	ErrTooManySandbox  = errors.New("the limit of sandboxes is reached; delete some")
	ErrUnknownPolicy   = errors.New("unknown policy")
	ErrInvalidPolicy   = errors.New("invalid policy value")
	sandboxNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
)

// SandboxConfig is what a sandbox starts from, and what a reset returns to.
type SandboxConfig struct {
	Name     string
	Origin   string // the sandbox name that ids derive from; "" means Name. Another one after a restore.
	Seed     int64
	Clock    clock.Setting
	Policies map[string]any // "sim.policy" → value
	Accounts Accounts       // beside the account default, which there always is; and values given for that one
	Idle     time.Duration  // it expires when it is unused for so long, in real time; 0: never
}

// Sandbox is one world: state, credentials, clock, seed, policies and journal of its own.
type Sandbox struct {
	Name    string
	Clock   *clock.World
	Journal *Journal
	Feed    *Feed

	engine   *Engine
	space    string // its part of the store
	config   SandboxConfig
	identity atomic.Pointer[identity]
	policies atomic.Pointer[map[string]any] // "sim.policy" → parsed value
	calls    atomic.Uint64                  // requests so far
	inFlight atomic.Int64                   // requests under way
	mu       sync.Mutex                     // guards accounts and serialises reset, restore and policy changes
	accounts map[string]*account            // by name
	rules    atomic.Pointer[rule.Set]       // scripted; nil: none
	applied  []script.Applied               // the scenarios; guarded by mu

	idle   time.Duration
	users  atomic.Int64 // between Enter and Leave; counted when idle > 0
	usedAt atomic.Int64 // Unix nanoseconds of the machine's clock
}

// identity is what ids and secrets derive from. It changes only when a snapshot is restored.
type identity struct {
	seed   int64
	origin string
	keys   map[string]derive.Key       // by sim
	given  map[string]sims.Credentials // by sim: what was given for the account default
}

func (e *Engine) identity(seed int64, origin string, given map[string]sims.Credentials) *identity {
	id := &identity{seed: seed, origin: origin, keys: make(map[string]derive.Key, len(e.providers)), given: given}
	root := derive.Root(seed, origin)
	for name := range e.byName {
		id.keys[name] = root.Child(name)
	}
	return id
}

func (e *Engine) newSandbox(config SandboxConfig, space string) (*Sandbox, error) {
	if config.Origin == "" {
		config.Origin = config.Name
	}
	s := &Sandbox{Name: config.Name, space: space, Clock: clock.New(), Journal: NewJournal(e.options.Journal), Feed: &Feed{}, engine: e, config: config}
	s.idle, s.Journal.overall = config.Idle, &e.dropped
	s.Touch()
	s.identity.Store(e.identity(config.Seed, config.Origin, config.Accounts[sims.DefaultAccount]))
	if err := s.SetPolicies(config.Policies); err != nil {
		return nil, err
	}
	s.Clock.Set(config.Clock)
	if err := s.seed(); err != nil {
		return nil, err
	}
	return s, nil
}

// seed makes the state what it is at the start: the accounts and credentials of every sim, and nothing else.
func (s *Sandbox) seed() error {
	var made map[string]*account
	err := s.engine.store.Update(s.space, func(tx store.Tx) (err error) {
		tx.Replace(store.State{})
		made, err = s.seedAccounts(tx, accountNames(s.config.Accounts), s.config.Accounts)
		return err
	})
	if err != nil {
		return fmt.Errorf("seed sandbox %q: %w", s.Name, err)
	}
	s.accounts = made
	return nil
}

// Env is the world of a piece of provider code, inside a transaction on the sandbox.
func (s *Sandbox) Env(p *Provider, tx store.Tx) *sims.Env {
	now, edge := s.Clock.Read()
	return s.env(p, tx, now, edge)
}

func (s *Sandbox) env(p *Provider, tx store.Tx, now, edge time.Time) *sims.Env {
	return s.envOf(p, tx, now, edge, s.owner(p, sims.DefaultAccount, s.identity.Load().given[p.Name]))
}

// Config is what the sandbox started from, and what a reset returns it to.
func (s *Sandbox) Config() SandboxConfig { return s.config }

// Origin is what ids and secrets derive from beside the seed.
func (s *Sandbox) Origin() string { return s.identity.Load().origin }

// Seed returns the seed everything in the sandbox derives from.
func (s *Sandbox) Seed() int64 { return s.identity.Load().seed }

func (s *Sandbox) enter() { s.inFlight.Add(1) }

// leave comes after the exchange is in the journal: whoever sees nothing in flight finds everything there.
func (s *Sandbox) leave() {
	s.inFlight.Add(-1)
	s.Journal.Wake()
}

// InFlight returns the number of requests to providers that are under way.
func (s *Sandbox) InFlight() int { return int(s.inFlight.Load()) }

// View reads the state of the sandbox.
func (s *Sandbox) View(fn func(store.Tx) error) error { return s.engine.store.View(s.space, fn) }

// Update changes the state of the sandbox.
func (s *Sandbox) Update(fn func(store.Tx) error) error { return s.engine.store.Update(s.space, fn) }

// Reset returns the sandbox to its seed state: empty journal, ready-made credentials, clock and policies as at creation.
func (s *Sandbox) Reset() error {
	s.engine.forget(s) // an advance under way comes to its end, before anything that it may need is locked
	return s.Clock.Alone(s.reset)
}

// aMoment is how long, in real time, a reset waits for what it has ended.
const aMoment = 2 * time.Second

// quiet ends what is under way by itself, so that it is not done in the state that comes next.
func (s *Sandbox) quiet() {
	s.engine.forget(s)
	ctx, cancel := context.WithTimeout(context.Background(), aMoment)
	defer cancel()
	_ = s.Clock.Settle(ctx) // an attempt that does not end finds that its sandbox was reset
}

func (s *Sandbox) reset(setClock func(clock.Setting)) error {
	s.quiet()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.forget(s)
	s.rules.Store(nil)
	s.applied = nil
	s.identity.Store(s.engine.identity(s.config.Seed, s.config.Origin, s.config.Accounts[sims.DefaultAccount]))
	if err := s.changePolicies(nil, s.config.Policies); err != nil {
		return err
	}
	setClock(resetSetting(s.config.Clock))
	s.Journal.Clear()
	s.calls.Store(0)
	if err := s.seed(); err != nil {
		return err
	}
	s.engine.forget(s) // also what was made due between the first time and the new state
	s.Feed.Publish(NoteClock, nil)
	for _, p := range s.engine.providers {
		s.Feed.Publish(NoteWebhooks, p.Name)
	}
	return nil
}

// resetSetting makes "as at creation" explicit: a real clock without an instant goes back to the machine's time.
func resetSetting(at clock.Setting) clock.Setting {
	if at.Now.IsZero() {
		at.Now = clock.WallNow()
	}
	if at.Mode == "" {
		at.Mode = clock.Real
	}
	if at.Edge == "" {
		at.Edge = clock.Wall
	}
	return at
}

// SetPolicies sets policies by "sim.policy"; a nil value returns one to its default. Either all are set or none.
func (s *Sandbox) SetPolicies(changes map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var current map[string]any
	if set := s.policies.Load(); set != nil {
		current = *set
	}
	return s.changePolicies(current, changes)
}

func (s *Sandbox) changePolicies(current, changes map[string]any) error {
	next, err := s.parsePolicies(current, changes)
	if err != nil {
		return err
	}
	s.policies.Store(&next)
	return nil
}

// parsePolicies returns the policies after a change: all of it, or an error.
func (s *Sandbox) parsePolicies(current, changes map[string]any) (map[string]any, error) {
	next := map[string]any{}
	maps.Copy(next, current)
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		policy, err := s.engine.policy(name)
		if err != nil {
			return nil, err
		}
		if changes[name] == nil {
			delete(next, name)
			continue
		}
		value, err := policy.Parse(changes[name])
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalidPolicy, name, err)
		}
		next[name] = value
	}
	return next, nil
}

// policy finds a policy by "sim.policy".
func (e *Engine) policy(name string) (*contract.Policy, error) {
	simName, policyName, _ := strings.Cut(name, ".")
	p, ok := e.byName[simName]
	if !ok {
		return nil, fmt.Errorf("%w: %q; policies are named <sim>.<policy>, the sims are %s",
			ErrUnknownPolicy, name, strings.Join(keys(e.byName), ", "))
	}
	policy, ok := p.Contract.Policy(policyName)
	if !ok {
		return nil, fmt.Errorf("%w: %q; the policies of %s are %s",
			ErrUnknownPolicy, name, simName, strings.Join(p.Contract.PolicyNames(), ", "))
	}
	return policy, nil
}

// ChangedPolicies returns the policies that differ from their defaults, as plain JSON data.
func (s *Sandbox) ChangedPolicies() map[string]any {
	changed := map[string]any{}
	if set := s.policies.Load(); set != nil {
		for name, value := range *set {
			changed[name] = contract.Plain(value)
		}
	}
	return changed
}

// Policies gives a sim its switches.
func (s *Sandbox) Policies(p *Provider) sims.Policies {
	set := s.policies.Load()
	return policies{provider: p, set: *set}
}

type policies struct {
	provider *Provider
	set      map[string]any
}

func policyValue[T any](p policies, name string) T {
	if len(p.set) > 0 {
		if v, ok := p.set[p.provider.Name+"."+name].(T); ok {
			return v
		}
	}
	policy, ok := p.provider.Contract.Policy(name)
	if !ok {
		panic(fmt.Sprintf("sim %s asks for policy %q, which its ledger does not have", p.provider.Name, name))
	}
	v, ok := policy.Default.(T)
	if !ok {
		panic(fmt.Sprintf("sim %s asks for policy %q as %T, but it is %s", p.provider.Name, name, v, policy.Type))
	}
	return v
}

func (p policies) Enum(name string) string            { return policyValue[string](p, name) }
func (p policies) Bool(name string) bool              { return policyValue[bool](p, name) }
func (p policies) Int(name string) int                { return policyValue[int](p, name) }
func (p policies) Duration(name string) time.Duration { return policyValue[time.Duration](p, name) }
func (p policies) Durations(name string) []time.Duration {
	return policyValue[[]time.Duration](p, name)
}

// Export returns the state of the sandbox as plain data.
func (s *Sandbox) Export() (store.State, error) { return s.engine.store.Export(s.space) }

// Import replaces the state of the sandbox.
func (s *Sandbox) Import(state store.State) error { return s.engine.store.Import(s.space, state) }
