package stage

import (
	"fmt"
	"sync"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// Receivers keeps the scripted customer endpoints of each sandbox.
type Receivers struct {
	ca        *authority.CA
	mu        sync.Mutex
	bySandbox map[*engine.Sandbox]*receiver.Set
}

// NewReceivers returns an empty keeping. ca signs the certificates of receivers.
func NewReceivers(ca *authority.CA) *Receivers {
	return &Receivers{ca: ca, bySandbox: map[*engine.Sandbox]*receiver.Set{}}
}

// Set returns the receivers of a sandbox.
func (r *Receivers) Set(s *engine.Sandbox) *receiver.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, ok := r.bySandbox[s]
	if !ok {
		set = receiver.NewSet(receiver.SetConfig{Now: s.Clock.Now, CA: r.ca})
		r.bySandbox[s] = set
	}
	return set
}

// Forget closes the receivers of a sandbox that is gone or was reset.
func (r *Receivers) Forget(s *engine.Sandbox) { closeSet(r.take(s)) }

// take takes the receivers of a sandbox away from it, open as they are. Nil: it has none.
func (r *Receivers) take(s *engine.Sandbox) *receiver.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.bySandbox[s]
	delete(r.bySandbox, s)
	return set
}

// give gives a sandbox receivers back.
func (r *Receivers) give(s *engine.Sandbox, set *receiver.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if set != nil {
		r.bySandbox[s] = set
	}
}

func closeSet(set *receiver.Set) {
	if set != nil {
		_ = set.Close() // nobody is left who could do anything about it
	}
}

// CloseAll closes the receivers of all sandboxes.
func (r *Receivers) CloseAll() {
	r.mu.Lock()
	sandboxes := make([]*engine.Sandbox, 0, len(r.bySandbox))
	for s := range r.bySandbox {
		sandboxes = append(sandboxes, s)
	}
	r.mu.Unlock()
	for _, s := range sandboxes {
		r.Forget(s)
	}
}

// open opens a receiver of a scenario and returns its URL.
func (r *Receivers) open(s *engine.Sandbox, name string, wanted script.Receiver) (string, error) {
	spec := receiver.Spec{Name: name, TLS: receiver.TLS(wanted.TLS)}
	var err error
	if spec.Script, err = scriptOf(wanted.Script); err != nil {
		return "", err
	}
	opened, err := r.Set(s).Open(spec)
	if err != nil {
		return "", err
	}
	return opened.Info().URL, nil
}

// change gives a receiver another script.
func (r *Receivers) change(s *engine.Sandbox, c script.ReceiverChange) error {
	found, err := r.Set(s).Get(c.Name)
	if err != nil {
		return err
	}
	wanted, err := scriptOf(c.Script)
	if err != nil {
		return err
	}
	return found.SetScript(wanted)
}

// scriptOf reads the script of a receiver, which scenarios have as plain data.
func scriptOf(plain any) (wanted receiver.Script, err error) {
	if plain == nil {
		return receiver.Script{}, nil
	}
	data, err := strictjson.Encode(plain)
	if err != nil {
		return receiver.Script{}, err
	}
	if err := strictjson.UnmarshalKnown(data, &wanted); err != nil {
		return receiver.Script{}, fmt.Errorf("the script of a receiver: %w", err)
	}
	return wanted, nil
}
