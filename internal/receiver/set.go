package receiver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/authority"
)

// What a Set refuses, beside what an InvalidError says.
var (
	ErrExists   = errors.New("receiver: exists already")
	ErrNotFound = errors.New("receiver: does not exist")
	ErrLimit    = errors.New("receiver: too many receivers")
)

// DefaultLimit is how many receivers a sandbox has at most when nothing else is said.
const DefaultLimit = 100

// SetConfig is what the receivers of one sandbox share.
type SetConfig struct {
	Limit int              // how many there are at most; 0 means DefaultLimit
	Now   func() time.Time // the world clock of the sandbox; nil means the machine's clock
	CA    *authority.CA    // signs certificates; without it tls trusted, expired and wrong_host are refused
}

// Set holds the receivers of one sandbox by name. Its methods are safe for concurrent use.
type Set struct {
	config SetConfig

	mu     sync.Mutex
	byName map[string]*Receiver // nil while it is being opened
	closed bool
}

// NewSet returns a set without receivers.
func NewSet(c SetConfig) *Set {
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	return &Set{config: c, byName: map[string]*Receiver{}}
}

// Open starts a receiver under the name in its spec.
func (s *Set) Open(spec Spec) (*Receiver, error) {
	if err := s.reserve(spec); err != nil {
		return nil, err
	}
	r, err := Open(Config{Spec: spec, Now: s.config.Now, CA: s.config.CA})
	if err = s.settle(spec.Name, r, err); err != nil {
		return nil, err
	}
	return r, nil
}

// reserve checks the spec and takes its name, so that opening sockets needs no lock.
func (s *Set) reserve(spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if spec.Name == "" {
		return &InvalidError{Fields: []FieldError{{Field: "name", Saw: `""`, Want: wantName}}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.byName[spec.Name]
	switch {
	case s.closed:
		return fmt.Errorf("%w: the sandbox of receiver %q is gone", ErrClosed, spec.Name)
	case exists:
		return fmt.Errorf("%w: %q; delete it first, or give it another script", ErrExists, spec.Name)
	case len(s.byName) >= s.config.Limit:
		return fmt.Errorf("%w: %q would be one more than the limit of %d; delete one first",
			ErrLimit, spec.Name, s.config.Limit)
	}
	s.byName[spec.Name] = nil
	return nil
}

// settle turns a reservation into what was opened, or gives it up.
func (s *Set) settle(name string, r *Receiver, err error) error {
	s.mu.Lock()
	closed := s.closed
	if err == nil && !closed {
		s.byName[name] = r
	} else {
		delete(s.byName, name)
	}
	s.mu.Unlock()
	if err == nil && closed {
		return errors.Join(fmt.Errorf("%w: while receiver %q was being opened", ErrClosed, name), r.Close())
	}
	return err
}

// Get returns a receiver.
func (s *Set) Get(name string) (*Receiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byName[name]; r != nil {
		return r, nil
	}
	return nil, s.notFound(name)
}

// notFound says what there is instead. The caller holds s.mu.
func (s *Set) notFound(name string) error {
	if len(s.byName) == 0 {
		return fmt.Errorf("%w: %q; there is none", ErrNotFound, name)
	}
	names := slices.Sorted(maps.Keys(s.byName))
	return fmt.Errorf("%w: %q; there are %s", ErrNotFound, name, strings.Join(names, ", "))
}

// List returns the receivers in the order of their names.
func (s *Set) List() []*Receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Receiver
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		if r := s.byName[name]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// Delete closes a receiver and forgets it with its requests.
func (s *Set) Delete(name string) error {
	s.mu.Lock()
	r := s.byName[name]
	if r == nil {
		defer s.mu.Unlock()
		return s.notFound(name)
	}
	delete(s.byName, name)
	s.mu.Unlock()
	return r.Close()
}

// CloseAll deletes every receiver. The set can be used further: this is what a reset does.
func (s *Set) CloseAll() error {
	var errs []error
	for _, r := range s.List() {
		if err := s.Delete(r.Name()); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close deletes every receiver and lets none be opened afterwards: this is what the end of a sandbox does.
func (s *Set) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.CloseAll()
}
