package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// SnapshotVersion is the version of the form of a Snapshot.
const SnapshotVersion = 1

// ErrSnapshot refuses a snapshot that cannot be restored.
var ErrSnapshot = errors.New("the snapshot cannot be restored")

// Snapshot is a sandbox as plain data: everything its future answers depend on. The journal is not part of it.
type Snapshot struct {
	Version     int                         `json:"version"`
	Origin      string                      `json:"origin"` // the sandbox name that ids derive from
	Seed        int64                       `json:"seed"`
	Clock       SnapshotClock               `json:"clock"`
	Policies    map[string]any              `json:"policies"`
	Calls       uint64                      `json:"calls"` // requests so far
	Credentials map[string]sims.Credentials `json:"credentials"`
	Accounts    Accounts                    `json:"accounts,omitempty"` // beside the account default
	State       store.State                 `json:"state"`
	Rules       []rule.Part                 `json:"rules,omitempty"`     // scripted
	Scenarios   []script.Applied            `json:"scenarios,omitempty"` // that were applied
}

// SnapshotClock is the clock of a Snapshot, in the words of the control API.
type SnapshotClock struct {
	Mode clock.Mode `json:"mode"`
	Now  string     `json:"now"` // RFC 3339 with nanoseconds
	Edge clock.Edge `json:"edge"`
	Skew string     `json:"skew"`
}

func snapshotClock(s clock.Setting) SnapshotClock {
	return SnapshotClock{Mode: s.Mode, Now: s.Now.Format(time.RFC3339Nano), Edge: s.Edge, Skew: s.Skew.String()}
}

func (c SnapshotClock) setting() (clock.Setting, error) {
	now, err := time.Parse(time.RFC3339Nano, c.Now)
	if err != nil {
		return clock.Setting{}, fmt.Errorf("%w: clock.now %q is no RFC 3339 instant", ErrSnapshot, c.Now)
	}
	skew, err := time.ParseDuration(c.Skew)
	if err != nil {
		return clock.Setting{}, fmt.Errorf("%w: clock.skew %q is no duration", ErrSnapshot, c.Skew)
	}
	setting := clock.Setting{Mode: c.Mode, Now: now, Edge: c.Edge, Skew: skew}
	if !setting.Valid() {
		return clock.Setting{}, fmt.Errorf("%w: clock.mode %q, clock.edge %q", ErrSnapshot, c.Mode, c.Edge)
	}
	return setting, nil
}

// Snapshot returns the sandbox as plain data, as it is at one instant.
func (s *Sandbox) Snapshot() (Snapshot, error) {
	snap, rows, err := s.photograph()
	if err != nil {
		return Snapshot{}, err
	}
	snap.State, err = rows.State()
	return snap, err
}

// photograph takes everything at one instant: nobody resets, restores or changes policies and accounts meanwhile, and
// no transaction runs. Encoding the rows is left for afterwards.
func (s *Sandbox) photograph() (snap Snapshot, rows store.Copy, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts := s.allCredentials()
	credentials := accounts[sims.DefaultAccount]
	delete(accounts, sims.DefaultAccount)
	id := s.identity.Load()
	err = s.View(func(tx store.Tx) error {
		rows = tx.Copy()
		snap = Snapshot{
			Version: SnapshotVersion, Origin: id.origin, Seed: id.seed, Clock: snapshotClock(s.Clock.Setting()), Policies: s.ChangedPolicies(),
			Calls: s.calls.Load(), Credentials: credentials, Accounts: accounts,
			Rules: s.Rules().Parts(), Scenarios: s.applied,
		}
		return nil
	})
	return snap, rows, err
}

// Restore makes the sandbox what the snapshot says: from now on it answers as that one would have. Deliveries that wait
// are taken up. The journal stays. Nothing changes when the snapshot is not valid.
func (s *Sandbox) Restore(snap Snapshot) error {
	if snap.Version != SnapshotVersion {
		return fmt.Errorf("%w: it has version %d, this server reads version %d", ErrSnapshot, snap.Version, SnapshotVersion)
	}
	setting, err := snap.Clock.setting()
	if err != nil {
		return err
	}
	policies, err := s.parsePolicies(nil, snap.Policies)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if err := s.checkRows(snap.State); err != nil {
		return err
	}
	rules, err := s.compileRules(snap.Rules)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	s.engine.forget(s) // an advance under way comes to its end, before anything that it may need is locked
	return s.Clock.Alone(func(setClock func(clock.Setting)) error {
		s.quiet()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.engine.forget(s)
		s.rules.Store(rules)
		s.policies.Store(&policies)
		if err := s.become(snap); err != nil {
			return err
		}
		setClock(setting)
		return errors.Join(s.engine.outbox.Resume(s), s.engine.director.Resume(s))
	})
}

// become takes over what a snapshot holds. The caller holds s.mu.
func (s *Sandbox) become(snap Snapshot) error {
	s.applied = snap.Scenarios
	s.identity.Store(s.engine.identity(snap.Seed, snap.Origin, snap.Credentials))
	s.calls.Store(snap.Calls)
	if err := s.Import(snap.State); err != nil {
		return err
	}
	s.adopt(snap.accounts())
	s.engine.forget(s) // also what was made due between the first time and the new state
	return nil
}

// checkRows refuses a state whose rows the providers could not read, by having each provider list its webhooks on a
// trial copy.
func (s *Sandbox) checkRows(state store.State) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrSnapshot, p)
		}
	}()
	if err := checkIDs(state); err != nil {
		return err
	}
	trial := store.NewMemory()
	trial.Create(s.Name)
	if err := trial.Import(s.Name, state); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return trial.View(s.Name, func(tx store.Tx) error {
		if err := s.roomForRows(tx); err != nil {
			return err
		}
		for _, p := range s.engine.providers {
			p.Webhooks(s.Env(p, tx))
		}
		return s.engine.outbox.Check(tx)
	})
}

// checkIDs refuses a state of which rows would be lost, because another has their id.
func checkIDs(state store.State) error {
	for _, name := range slices.Sorted(maps.Keys(state.Tables)) {
		seen := make(map[string]bool, len(state.Tables[name]))
		for _, row := range state.Tables[name] {
			if seen[row.ID] {
				return fmt.Errorf("%w: table %q has the row %q twice", ErrSnapshot, name, row.ID)
			}
			seen[row.ID] = true
		}
	}
	return nil
}
