package engine

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// Errors about the accounts of a sandbox.
var (
	ErrAccount         = errors.New("invalid account")
	ErrAccountExists   = errors.New("an account of this name exists already")
	accountNamePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
)

// Accounts are the credentials of accounts: account → sim → credentials. Where accounts are asked for, those that are
// given; the others derive from the seed.
type Accounts = map[string]map[string]sims.Credentials

// account is one account in a sandbox: it has credentials at every provider.
type account struct {
	credentials map[string]sims.Credentials // by sim
	revealed    map[string]bool             // by sim
}

// accountNames are the account default and those that are asked for, in this order.
func accountNames(accounts Accounts) []string {
	others := slices.DeleteFunc(keys(accounts), func(name string) bool { return name == sims.DefaultAccount })
	return slices.Insert(others, 0, sims.DefaultAccount)
}

// seedAccounts creates accounts, each at every provider.
func (s *Sandbox) seedAccounts(tx store.Tx, names []string, accounts Accounts) (map[string]*account, error) {
	now, edge := s.Clock.Read()
	made := make(map[string]*account, len(names))
	for _, name := range names {
		if err := s.checkAccount(name, accounts[name]); err != nil {
			return nil, err
		}
		a := &account{credentials: make(map[string]sims.Credentials, len(s.engine.providers)), revealed: map[string]bool{}}
		for _, p := range s.engine.providers {
			env := s.envOf(p, tx, now, edge, s.owner(p, name, accounts[name][p.Name]))
			if err := checkGiven(p, env, accounts[name][p.Name]); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrAccount, name, err)
			}
			a.credentials[p.Name] = p.Seed(env)
		}
		made[name] = a
	}
	return made, nil
}

// checkAccount refuses a name that cannot stand in expressions, and sims that there are not.
func (s *Sandbox) checkAccount(name string, given map[string]sims.Credentials) error {
	if !accountNamePattern.MatchString(name) || name == "nobody" {
		return fmt.Errorf("%w: the name %q; want a letter, then up to 62 letters, digits, '_' and '-', and not nobody", ErrAccount, name)
	}
	for _, sim := range keys(given) {
		if _, ok := s.engine.byName[sim]; !ok {
			return fmt.Errorf("%w: %s has credentials for %q; the sims are %s", ErrAccount, name, sim, strings.Join(keys(s.engine.byName), ", "))
		}
	}
	return nil
}

// checkGiven refuses values that the provider would never have issued, or that another account has.
func checkGiven(p *Provider, env *sims.Env, given sims.Credentials) error {
	for _, name := range keys(given) {
		check, ok := p.Given[name]
		if !ok {
			return fmt.Errorf("%s: %q cannot be given; want one of %s", p.Name, name, strings.Join(keys(p.Given), ", "))
		}
		if err := check(env, given[name]); err != nil {
			return fmt.Errorf("%s: %s %q: %w", p.Name, name, given[name], err)
		}
	}
	return nil
}

// owner is an account as a provider derives from it.
func (s *Sandbox) owner(p *Provider, name string, given sims.Credentials) sims.Owner {
	id := s.identity.Load()
	if name == sims.DefaultAccount {
		return sims.Owner{Account: name, Key: id.keys[p.Name], Given: given}
	}
	return sims.Owner{Account: name, Key: id.keys[p.Name].Child("account").Child(name), Given: given}
}

func (s *Sandbox) envOf(p *Provider, tx store.Tx, now, edge time.Time, owner sims.Owner) *sims.Env {
	return sims.NewEnv(store.Scoped(tx, p.Name), now, edge, s.Policies(p), p.Contract.Catalogue, owner)
}

// AddAccounts creates further accounts. All are created or none.
func (s *Sandbox) AddAccounts(accounts Accounts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range keys(accounts) {
		if _, exists := s.accounts[name]; exists {
			return fmt.Errorf("%w: %s", ErrAccountExists, name)
		}
	}
	var made map[string]*account
	err := s.Update(func(tx store.Tx) (err error) {
		before := tx.Usage("")
		if made, err = s.seedAccounts(tx, keys(accounts), accounts); err != nil {
			return err
		}
		return s.Room(tx, before)
	})
	if err != nil {
		return err
	}
	maps.Copy(s.accounts, made)
	return nil
}

// Accounts returns the names of the accounts, the account default among them.
func (s *Sandbox) Accounts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keys(s.accounts)
}

// Credentials returns the ready-made credentials of a sim.
func (s *Sandbox) Credentials(sim string) sims.Credentials {
	return s.AccountCredentials(sims.DefaultAccount, sim)
}

// AccountCredentials returns the credentials of an account at a sim; nil when there is no such account or sim.
func (s *Sandbox) AccountCredentials(name, sim string) sims.Credentials {
	p, ok := s.engine.byName[sim]
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accountCredentials(name, p)
}

// accountCredentials are those of an account at a sim. The caller holds s.mu.
func (s *Sandbox) accountCredentials(name string, p *Provider) sims.Credentials {
	sim := p.Name
	a, ok := s.accounts[name]
	if !ok {
		return nil
	}
	if p.Reveal != nil && !a.revealed[sim] {
		now, edge := s.Clock.Read()
		_ = s.View(func(tx store.Tx) error { // a sandbox that is gone reveals nothing
			p.Reveal(s.envOf(p, tx, now, edge, s.owner(p, name, a.credentials[sim])), a.credentials[sim])
			return nil
		})
		a.revealed[sim] = true
	}
	return maps.Clone(a.credentials[sim])
}

// AccountOwner returns what a sim calls an account: the word in Webhook.Account and Event.Account.
func (s *Sandbox) AccountOwner(name, sim string) (owner string, ok bool) {
	s.mu.Lock()
	var credentials sims.Credentials
	if a, known := s.accounts[name]; known {
		credentials = maps.Clone(a.credentials[sim]) // as far as they were asked for: an owner needs no costly ones
	}
	s.mu.Unlock()
	p := s.engine.byName[sim]
	if credentials == nil || p.Owner == nil {
		return "", false
	}
	err := s.View(func(tx store.Tx) error {
		owner = p.Owner(s.Env(p, tx), credentials)
		return nil
	})
	return owner, err == nil
}

// AccountNames are the names of the accounts by the sim's own words for them.
func (s *Sandbox) AccountNames(sim string) map[string]string {
	names := map[string]string{}
	for _, name := range s.Accounts() {
		if owner, ok := s.AccountOwner(name, sim); ok {
			names[owner] = name
		}
	}
	return names
}

// OwnerOf is what a sim calls an account that is named either way: by its name here, or by the sim's own word.
func (s *Sandbox) OwnerOf(named, sim string) string {
	if owner, ok := s.AccountOwner(named, sim); ok {
		return owner
	}
	return named
}

// allCredentials returns the credentials of all accounts. The caller holds s.mu.
func (s *Sandbox) allCredentials() Accounts {
	all := Accounts{}
	for name := range s.accounts {
		all[name] = make(map[string]sims.Credentials, len(s.engine.providers))
		for _, p := range s.engine.providers {
			all[name][p.Name] = s.accountCredentials(name, p)
		}
	}
	return all
}

// accounts are all of a snapshot, the account default among them.
func (snap Snapshot) accounts() Accounts {
	all := maps.Clone(snap.Accounts)
	if all == nil {
		all = Accounts{}
	}
	all[sims.DefaultAccount] = snap.Credentials
	return all
}

// adopt takes over credentials that are complete.
func (s *Sandbox) adopt(accounts Accounts) {
	s.accounts = map[string]*account{}
	for name, bySim := range accounts {
		a := &account{credentials: map[string]sims.Credentials{}, revealed: map[string]bool{}}
		for _, p := range s.engine.providers {
			a.credentials[p.Name], a.revealed[p.Name] = maps.Clone(bySim[p.Name]), true
		}
		s.accounts[name] = a
	}
}

// ErrNoTokens says that a provider issues no tokens that could expire.
var ErrNoTokens = errors.New("the provider issues no tokens")

// ExpireTokens lets every token that a provider issued expire now, and returns how many.
func (s *Sandbox) ExpireTokens(p *Provider) (expired int, err error) {
	if p.Expire == nil {
		return 0, fmt.Errorf("%s: %w", p.Name, ErrNoTokens)
	}
	err = s.Update(func(tx store.Tx) error {
		expired = p.Expire(s.Env(p, tx))
		return nil
	})
	return expired, err
}
