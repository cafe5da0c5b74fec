package mocksrv

import (
	"context"
	"fmt"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// TB is what RunT needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// RunT starts a server that ends with the test.
func RunT(t TB, options ...func(*Options)) *Server {
	t.Helper()
	o := Options{Seed: 1}
	for _, option := range options {
		option(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("mocksrv: %v", err)
	}
	s.fatalf = t.Fatalf
	if !o.NoListener {
		if err := s.Start(); err != nil {
			t.Fatalf("mocksrv: %v", err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = s.Stop(ctx) // the test is over: what was left is of no interest
	})
	return s
}

// Frozen freezes the world clock at an instant. Retries and token expiry then wait for Advance.
func Frozen(at time.Time) func(*Options) { return func(o *Options) { o.FrozenAt = at } }

// Seed sets the seed.
func Seed(seed int64) func(*Options) { return func(o *Options) { o.Seed = seed } }

// EdgeWorld compares request timestamps with the world clock instead of the machine's: for clients whose clock the test
// controls, too.
func EdgeWorld() func(*Options) { return func(o *Options) { o.EdgeWorld = true } }

// NoListener opens no port: use Server.Client.
func NoListener() func(*Options) { return func(o *Options) { o.NoListener = true } }

// Now is the world clock's instant.
func (s *Server) Now() time.Time { return s.sandbox.Clock.Now() }

// Advance moves the world clock forward, performs everything that is due on the way, in order, and returns the attempts
// that were made.
func (s *Server) Advance(by time.Duration) ([]client.Fired, error) {
	if by < 0 {
		return nil, fmt.Errorf("advance by %s: the clock moves forward only; freeze it at another instant to go back", by)
	}
	return s.move(func(ctx context.Context) error {
		_, err := s.sandbox.Clock.Advance(ctx, s.sandbox.Clock.Now().Add(by), delivery.MaxFiredByMove)
		return err
	})
}

// AdvanceUntilIdle performs everything that is due, however late, until nothing is left.
func (s *Server) AdvanceUntilIdle() ([]client.Fired, error) {
	return s.move(func(ctx context.Context) error {
		_, err := s.sandbox.Clock.AdvanceUntilIdle(ctx, delivery.MaxFiredByMove)
		return err
	})
}

func (s *Server) move(move func(context.Context) error) ([]client.Fired, error) {
	fired, err := s.dispatcher.Collect(s.sandbox, func() error { return move(context.Background()) })
	return control.FiredOf(fired), err
}

// Emit makes an event happen at a provider and returns its id and its deliveries. Their first attempts start at once;
// Advance(0) waits for them.
func (s *Server) Emit(event client.Event) (client.Emitted, error) {
	happened, created, err := s.dispatcher.Emit(s.sandbox, delivery.EventRequest(event))
	if err != nil {
		return client.Emitted{}, err
	}
	return client.Emitted{ID: happened.ID, Deliveries: control.DeliveriesOf(created)}, nil
}

// Deliveries returns all deliveries in the order of their events.
func (s *Server) Deliveries() ([]client.Delivery, error) {
	all, _, _, err := s.dispatcher.List(s.sandbox)
	return control.DeliveriesOf(all), err
}

// Journal returns the exchanges that are kept, oldest first, and how many were dropped.
func (s *Server) Journal() client.Journal { return control.JournalOf(s.sandbox) }

// Webhooks returns every stored webhook of a provider.
func (s *Server) Webhooks(sim string) ([]client.Webhook, error) {
	return control.WebhooksOf(s.sandbox, s.provider(sim))
}

// Snapshot returns the default sandbox as readable, versioned JSON: everything its future answers depend on.
func (s *Server) Snapshot() ([]byte, error) {
	snap, err := s.sandbox.Snapshot()
	if err != nil {
		return nil, err
	}
	return strictjson.Encode(snap)
}

// Restore makes the default sandbox what a snapshot says. Nothing changes when the snapshot is not valid.
func (s *Server) Restore(snapshot []byte) error {
	var snap engine.Snapshot
	if err := strictjson.UnmarshalKnown(snapshot, &snap); err != nil {
		return err
	}
	return s.sandbox.Restore(snap)
}

// Dump returns the snapshot indented, for golden tests.
func (s *Server) Dump() (string, error) {
	snapshot, err := s.Snapshot()
	if err != nil {
		return "", err
	}
	text, err := strictjson.Indent(snapshot)
	return string(text), err
}

// SetPolicy sets a policy, named <sim>.<policy>; nil returns it to its default.
func (s *Server) SetPolicy(name string, value any) error {
	return s.sandbox.SetPolicies(map[string]any{name: value})
}
