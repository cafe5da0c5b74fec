package delivery

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// Limits of the delivery engine, per sandbox where not said otherwise.
const (
	MaxWaiting       = 200_000 // deliveries that wait (pending or held)
	MaxWaitingOfHook = 20_000  // of one webhook
	MaxFinished      = 10_000  // final deliveries kept; the oldest are forgotten, and counted
	MaxEvent         = 1 << 20 // bytes of an event's JSON
	MaxAtOnce        = 1024    // attempts under way, in all sandboxes
	MaxAtOnceOfHook  = 8       // to one webhook, while it answers
	MaxFiredByMove   = 100_000 // alarms one advance may fire
)

// Errors of the delivery engine.
var (
	ErrUnknownSim         = errors.New("unknown sim")
	ErrUnknownType        = errors.New("unknown event type")
	ErrUnknownEnvironment = errors.New("unknown environment")
	ErrBacklog            = errors.New("the backlog is full")
	ErrEventTooLarge      = errors.New("the event is too large")
	ErrUnknownDelivery    = errors.New("no such delivery")
	ErrUnknownWebhook     = errors.New("no such webhook")
)

// Options set up a dispatcher.
type Options struct {
	AllowPublic bool // deliver to public addresses, too
	UserAgent   string
	// Own is where the control API of this server listens, which is never called. Nil: nowhere.
	Own func() []netip.AddrPort
	// Observe is told of every attempt, when it is in the journal.
	Observe func(*engine.Sandbox, *engine.Exchange, Attempt)
	Trust   *x509.Certificate // an authority to trust beside those of this machine
	Log     *slog.Logger
}

// Dispatcher is the delivery engine of one server.
type Dispatcher struct {
	engine *engine.Engine
	sender *sender
	lanes  *lanes
	log    *slog.Logger

	userAgent string
	observe   func(*engine.Sandbox, *engine.Exchange, Attempt)

	stopping atomic.Bool
	sending  atomic.Int64 // attempts on the wire

	mu     sync.Mutex
	states map[*engine.Sandbox]*state
}

// state is what the dispatcher knows of a sandbox beside its stored deliveries: derived, never saved.
type state struct {
	life context.Context //nolint:containedctx // ends the attempts of the sandbox when it is reset or deleted
	end  context.CancelFunc

	scheduling sync.Mutex       // one change of alarms at a time
	alarms     map[string]alarm // by delivery id

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil while nobody waits
	fired   []Fired       // attempts since the last advance answered
	moving  int           // advances under way
}

// alarm is set for one turn of a delivery, and stays listed until the delivery waits for another turn, or for none.
type alarm struct {
	id   uint64
	turn int
}

// Fired is one attempt that an advance performed.
type Fired struct {
	At         time.Time `json:"at"`
	Sim        string    `json:"sim"`
	DeliveryID string    `json:"delivery_id"`
	WebhookID  string    `json:"webhook_id"`
	EventType  string    `json:"event_type"`
	seq        uint64
	Attempt    int           `json:"attempt"`
	Status     int           `json:"status,omitzero"`
	Error      *AttemptError `json:"error,omitzero"`
	State      State         `json:"state"`
}

// New returns a dispatcher and connects it with the engine.
func New(e *engine.Engine, o Options) *Dispatcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(*engine.Sandbox, *engine.Exchange, Attempt) {}
	}
	d := &Dispatcher{
		engine: e, sender: newSender(o), lanes: newLanes(MaxAtOnce, MaxAtOnceOfHook), log: o.Log,
		states: map[*engine.Sandbox]*state{}, userAgent: o.UserAgent, observe: o.Observe,
	}
	e.SetOutbox(d)
	return d
}

func (d *Dispatcher) state(s *engine.Sandbox) *state {
	d.mu.Lock()
	defer d.mu.Unlock()
	st, ok := d.states[s]
	if !ok {
		st = &state{alarms: map[string]alarm{}}
		st.life, st.end = context.WithCancel(d.sender.base)
		d.states[s] = st
	}
	return st
}

// touch tells those who wait that something changed.
func (st *state) touch() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.changed != nil {
		close(st.changed)
		st.changed = nil
	}
}

// watch returns a channel that is closed at the next change.
func (st *state) watch() <-chan struct{} {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.changed == nil {
		st.changed = make(chan struct{})
	}
	return st.changed
}

// Forget implements engine.Outbox.
func (d *Dispatcher) Forget(s *engine.Sandbox) {
	d.mu.Lock()
	st := d.states[s]
	delete(d.states, s)
	d.mu.Unlock()
	if st == nil {
		return
	}
	st.end()
	st.scheduling.Lock()
	for _, alarm := range st.alarms {
		s.Clock.Cancel(alarm.id)
	}
	clear(st.alarms)
	st.scheduling.Unlock()
	st.touch()
}

// Check implements engine.Outbox: deliveries that do not decode make it panic.
func (d *Dispatcher) Check(tx store.Tx) error {
	states := []State{Pending, Delivered, Failed, Held, Dropped}
	for _, delivery := range table(tx).All("") {
		if delivery.Tries < 0 || delivery.Turn < 0 || !slices.Contains(states, delivery.State) {
			return fmt.Errorf("delivery %s: tries %d, turn %d, state %q", delivery.ID, delivery.Tries, delivery.Turn, delivery.State)
		}
	}
	return nil
}

// Resume sets the alarms of every pending delivery, after a sandbox was restored. What was read from the snapshot is
// decoded here once, not again at every look.
func (d *Dispatcher) Resume(s *engine.Sandbox) error {
	var pending []Delivery
	err := s.Update(func(tx store.Tx) error {
		for _, delivery := range table(tx).All("") {
			table(tx).Put(delivery.ID, delivery)
		}
		pending = table(tx).All(string(Pending))
		return nil
	})
	if err != nil {
		return err
	}
	d.schedule(s, pending)
	return nil
}

// schedule sets (or resets) the alarm of each delivery: for its next attempt when it is pending, none otherwise. It is
// called after the transaction that changed them, and goes by what is stored now: a later change may have overtaken it.
func (d *Dispatcher) schedule(s *engine.Sandbox, changed []Delivery) {
	if len(changed) == 0 {
		return
	}
	st := d.state(s)
	st.scheduling.Lock()
	for _, now := range turnsOf(s, changed) {
		set, ok := st.alarms[now.id]
		if ok && now.pending && set.turn == now.turn {
			continue
		}
		if ok {
			delete(st.alarms, now.id)
			s.Clock.Cancel(set.id)
		}
		if now.pending {
			d.setAlarm(s, st, now)
		}
	}
	st.scheduling.Unlock()
	for _, delivery := range changed {
		s.Feed.Publish(engine.NoteDelivery, delivery.ID)
	}
	st.touch()
}

// turn is a delivery as far as its alarm goes.
type turn struct {
	id      string
	pending bool
	turn    int
	at      time.Time
	sim     string
	webhook string
	event   string // type
	ordered bool
	place   uint64 // among those of one instant: retries come in the order of the events, whoever answered first
}

// turnsOf reads deliveries again. One that is gone waits for nothing.
func turnsOf(s *engine.Sandbox, changed []Delivery) []turn {
	turns := make([]turn, len(changed))
	err := s.View(func(tx store.Tx) error {
		deliveries := table(tx)
		for i := range changed {
			now, ok := deliveries.Get(changed[i].ID)
			turns[i] = turn{
				id: changed[i].ID, pending: ok && now.State == Pending, turn: now.Turn, at: now.NextAttemptAt,
				sim: now.Sim, webhook: now.WebhookID, event: now.Event.Type, ordered: now.InOrder,
			}
			if now.Tries > 0 {
				turns[i].place = now.Seq
			}
		}
		return nil
	})
	if err != nil { // the sandbox is gone
		return nil
	}
	return turns
}

func (d *Dispatcher) setAlarm(s *engine.Sandbox, st *state, due turn) {
	p, ok := d.engine.Provider(due.sim)
	if !ok || st.life.Err() != nil {
		return
	}
	frozen := s.Clock.IsFrozen()
	id := s.Clock.AtPlace(due.at, due.place, func(done func(func())) {
		key, due := laneKey{sandbox: st, webhook: webhookKey(due.sim, due.webhook)}, due
		if frozen && len(s.Rules().At(script.OnAttempt, due.sim, due.event)) > 0 {
			key.webhook, due.ordered = "", true // which attempts a rule counts must not be luck
		}
		d.lanes.add(key, work{ordered: p.Delivery.Ordered || due.ordered, do: func() (bool, <-chan struct{}) {
			outcome := d.attempt(s, st, p, due)
			recorded := make(chan struct{})
			done(func() {
				defer close(recorded)
				d.keep(due.id, outcome.record)
			})
			return outcome.ok && s.Clock.Setting().Mode == clock.Real, recorded // one by one, where order must not be luck
		}})
	})
	st.alarms[due.id] = alarm{id: id, turn: due.turn}
}

// keep records an outcome. A defect there costs this delivery, not the server.
func (d *Dispatcher) keep(deliveryID string, record func()) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("panic while an attempt was recorded", "delivery", deliveryID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if record != nil {
		record()
	}
}

// Apply implements engine.Outbox.
func (d *Dispatcher) Apply(s *engine.Sandbox, p *engine.Provider, tx store.Tx, effects sims.Effects) (func(), error) {
	if len(effects.Redeliver)+len(effects.Release) == 0 {
		return func() {}, nil
	}
	w := d.writer(s, p, tx)
	for _, id := range effects.Redeliver {
		delivery, ok := table(tx).Get(id)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrUnknownDelivery, id)
		}
		w.again(delivery, "sent again")
	}
	for _, id := range effects.Release {
		w.reconsider(id)
	}
	return func() { d.schedule(s, w.changed) }, nil
}

// writer changes deliveries of one sim inside a transaction and remembers which.
type writer struct {
	tx      store.Tx
	env     *sims.Env
	p       *engine.Provider
	changed []Delivery
	blocked bool // a webhook was

	cause     Cause             // of what is created
	accounts  map[string]string // names of accounts by the sim's own words; in scripted sandboxes
	effects   []engine.Effect   // of rules, for after the transaction
	s         *engine.Sandbox
	providers func(name string) (*engine.Provider, bool)
}

func (d *Dispatcher) writer(s *engine.Sandbox, p *engine.Provider, tx store.Tx) *writer {
	return &writer{tx: tx, env: s.Env(p, tx), p: p, s: s, providers: d.engine.Provider}
}

// put stores a delivery and tells the provider.
func (w *writer) put(d Delivery, endpoint sims.Endpoint) {
	table(w.tx).Put(d.ID, d)
	w.changed = append(w.changed, d)
	if w.p.Delivery.Record != nil {
		w.p.Delivery.Record(w.env, d.record(endpoint))
	}
	w.trim()
}

// trim forgets the oldest final deliveries over the limit.
func (w *writer) trim() {
	for w.tooMany() {
		id := w.tx.IDs(tableName, finishedKey, 0, 1)[0]
		oldest, _ := table(w.tx).Get(id)
		table(w.tx).Delete(id)
		totals(w.tx).Put(forgottenTotal, countOf(w.tx)+1)
		if p, ok := w.providers(oldest.Sim); ok && p.Delivery.Record != nil {
			gone := oldest.record(sims.Endpoint{WebhookID: oldest.WebhookID})
			gone.State = sims.DeliveryForgotten
			p.Delivery.Record(w.s.Env(p, w.tx), gone)
		}
	}
}

// totals counts what is not kept any more.
func totals(tx store.Tx) store.Table[uint64] {
	return store.TableOf[uint64](tx, "delivery totals", nil)
}

const forgottenTotal = "forgotten"

func countOf(tx store.Tx) uint64 {
	n, _ := totals(tx).Get(forgottenTotal)
	return n
}

// endpoint is where a delivery goes: as bound at the event, or as the webhook is now. False: the webhook is gone.
func (w *writer) endpoint(d Delivery) (sims.Endpoint, bool) {
	now, ok := w.p.Delivery.Endpoint(w.env, d.WebhookID)
	if ok && d.Bound != nil {
		bound := *d.Bound
		bound.Inactive, bound.Hold = now.Inactive, now.Hold
		return bound, true
	}
	now.WebhookID = d.WebhookID
	return now, ok
}

// again starts the schedule of a delivery anew, now.
func (w *writer) again(d Delivery, reason string) {
	endpoint, ok := w.endpoint(d)
	if !ok {
		w.put(d.with(Dropped, "the webhook is gone", w.env.Now), endpoint)
		return
	}
	d.Tries = 0
	w.put(d.due(w.env.Now, reason), endpoint)
}

// reconsider looks at the waiting deliveries of a webhook that has changed.
func (w *writer) reconsider(webhookID string) {
	key := webhookKey(w.p.Name, webhookID)
	for _, d := range slices.Concat(table(w.tx).All(key+"/"+string(Pending)), table(w.tx).All(key+"/"+string(Held))) {
		endpoint, ok := w.endpoint(d)
		switch {
		case !ok:
			w.put(d.with(Dropped, "the webhook is gone", w.env.Now), endpoint)
		case endpoint.Inactive != "":
			w.put(inactive(d, endpoint, w.env.Now), endpoint)
		case d.State == Held && d.HeldBy == "" && !w.health(webhookID).Blocked:
			d.InOrder = true
			w.put(d.due(w.env.Now, "released"), endpoint)
		}
	}
}

func (w *writer) health(webhookID string) sims.Health {
	h, _ := sims.HealthTable(w.env.Tx).Get(webhookID)
	return h
}

// inactive is a delivery whose webhook is switched off.
func inactive(d Delivery, endpoint sims.Endpoint, now time.Time) Delivery {
	if endpoint.Hold {
		return d.with(Held, "the webhook is "+endpoint.Inactive, now)
	}
	return d.with(Dropped, "the webhook is "+endpoint.Inactive, now)
}

// whileBlocked is a delivery whose webhook is blocked, by the provider's policy.
func (w *writer) whileBlocked(d Delivery) Delivery {
	const reason = "the webhook is blocked"
	switch w.env.Policies.Enum(sims.PolicyWhileBlocked) {
	case "hold":
		return d.with(Held, reason, w.env.Now)
	case "fail":
		return d.with(Failed, reason+"; unblocking sends it again", w.env.Now)
	}
	return d.with(Dropped, reason, w.env.Now)
}

// List returns the deliveries of a sandbox in creation order, and how many final ones were forgotten.
func (d *Dispatcher) List(s *engine.Sandbox) (all []Delivery, forgotten uint64, changed <-chan struct{}, err error) {
	all, forgotten, changed, err = d.list(s)
	return shown(all), forgotten, changed, err
}

// list returns the deliveries as they are stored.
func (d *Dispatcher) list(s *engine.Sandbox) (all []Delivery, forgotten uint64, changed <-chan struct{}, err error) {
	changed = d.state(s).watch()
	err = s.View(func(tx store.Tx) error {
		all, forgotten = table(tx).All(""), countOf(tx)
		return nil
	})
	return all, forgotten, changed, err
}

// Get returns one delivery.
func (d *Dispatcher) Get(s *engine.Sandbox, id string) (found Delivery, err error) {
	err = s.View(func(tx store.Tx) error {
		var ok bool
		if found, ok = table(tx).Get(id); !ok {
			return fmt.Errorf("%w: %q", ErrUnknownDelivery, id)
		}
		return nil
	})
	return found.shown(), err
}

// Wait returns the deliveries as soon as done accepts them, or when ctx ends.
func (d *Dispatcher) Wait(ctx context.Context, s *engine.Sandbox, done func([]Delivery) bool) ([]Delivery, error) {
	for {
		all, _, changed, err := d.list(s)
		if err != nil || done(all) {
			return shown(all), err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return shown(all), fmt.Errorf("waited in vain: %w", ctx.Err())
		}
	}
}

// Redeliver sends a delivery once more, now, with its whole schedule before it.
func (d *Dispatcher) Redeliver(s *engine.Sandbox, id string) (Delivery, error) {
	found, err := d.Get(s, id)
	if err != nil {
		return Delivery{}, err
	}
	p, ok := d.engine.Provider(found.Sim)
	if !ok {
		return Delivery{}, fmt.Errorf("%w: %q", ErrUnknownSim, found.Sim)
	}
	var after func()
	err = s.Update(func(tx store.Tx) error {
		var err error
		after, err = d.Apply(s, p, tx, sims.Effects{Redeliver: []string{id}})
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	after()
	return d.Get(s, id)
}

// Unblock does what the provider does when somebody lifts the block in its web cabinet: the error count starts anew,
// and what failed or waited in the period is sent. It returns how many deliveries that is.
func (d *Dispatcher) Unblock(s *engine.Sandbox, p *engine.Provider, webhookID string) (int, error) {
	var w *writer
	err := s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		if _, ok := p.Delivery.Endpoint(w.env, webhookID); !ok {
			return unknownWebhook(p, webhookID)
		}
		h := w.health(webhookID)
		sims.HealthTable(w.env.Tx).Put(webhookID, sims.Health{})
		for _, delivery := range w.missed(webhookID, h) {
			delivery.InOrder = true
			w.again(delivery, "sent again after unblocking")
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	d.schedule(s, w.changed)
	s.Feed.Publish(engine.NoteWebhooks, p.Name)
	return len(w.changed), nil
}

func unknownWebhook(p *engine.Provider, id string) error {
	return fmt.Errorf("%w: %s %q", ErrUnknownWebhook, p.Name, id)
}

// missed returns what a webhook did not get because of its block, in the order of the events.
func (w *writer) missed(webhookID string, h sims.Health) []Delivery {
	key := webhookKey(w.p.Name, webhookID)
	missed := slices.DeleteFunc(table(w.tx).All(key+"/"+string(Held)), func(d Delivery) bool { return d.HeldBy != "" })
	if h.Blocked && w.env.Policies.Enum(sims.PolicyWhileBlocked) != "drop" {
		for _, d := range table(w.tx).All(key + "/" + string(Failed)) {
			if !d.FinishedAt.Before(h.ErrorFirstAt) {
				missed = append(missed, d)
			}
		}
	}
	slices.SortFunc(missed, func(a, b Delivery) int { return int(a.Seq) - int(b.Seq) })
	return missed
}

// Collect runs a function that moves the clock and returns the attempts that were recorded since the last time, in the
// order of their instants and events. On a frozen clock that includes first attempts, which start when an event happens
// and may be over before the clock is moved.
func (d *Dispatcher) Collect(s *engine.Sandbox, move func() error) ([]Fired, error) {
	st := d.state(s)
	st.mu.Lock()
	st.moving++
	st.mu.Unlock()
	err := move()
	s.Feed.Publish(engine.NoteClock, nil)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.moving--
	fired := st.fired
	st.fired = nil
	slices.SortStableFunc(fired, func(a, b Fired) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.seq, b.seq), cmp.Compare(a.Attempt, b.Attempt))
	})
	return fired, err
}
