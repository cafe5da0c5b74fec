package delivery

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// Cause is what an event comes from.
type Cause struct {
	Trace Trace
	Depth int // how many effects of rules led to it
	Chain *engine.Chain
}

// padName is the member that makes a payload longer.
const padName = "mocksrvPadding"

// wish is what rules want of a delivery that is made.
type wish struct {
	rules     []string
	drop      bool
	heldBy    string
	delay     time.Duration
	reorder   time.Duration
	duplicate int
	payload   []map[string]any
	u         float64
}

// ask asks rules of the sandbox, in the transaction of the writer, and keeps their effects for afterwards.
func (w *writer) ask(p script.Point, event sims.Event, vars func() map[string]any) []rule.Fired {
	rules := w.s.Rules().At(p, w.p.Name, event.Type)
	if len(rules) == 0 {
		return nil
	}
	return w.s.Consult(w.tx, w.env.Now, rules, func() map[string]any {
		seen := vars()
		maps.Copy(seen, map[string]any{"event": w.shownEvent(event), "sim": w.p.Name, "sandbox": w.s.Name})
		return seen
	})
}

// effect keeps an action that is about nothing at hand.
func (w *writer) effect(name string, a script.Action) {
	w.effects = append(w.effects, engine.Effect{Rule: name, Action: a, Depth: w.cause.Depth + 1, Chain: w.cause.Chain})
}

func (w *writer) shownEvent(e sims.Event) map[string]any {
	return map[string]any{"id": e.ID, "type": e.Type, "account": w.account(e.Account), "environment": e.Environment, "at": e.At}
}

func (w *writer) shownWebhook(e sims.Endpoint) map[string]any {
	return map[string]any{"id": e.WebhookID, "url": e.URL, "account": w.account(e.Account)}
}

// account is the name of an account; the sim's own word, when none of the sandbox is. "" is the account default.
func (w *writer) account(owner string) string {
	if owner == "" {
		return sims.DefaultAccount
	}
	return cmp.Or(w.accounts[owner], owner)
}

// accountNames are the names of accounts by the sim's own words, where rules may look at them.
func accountNames(s *engine.Sandbox, p *engine.Provider) map[string]string {
	if s.Rules() == nil {
		return nil
	}
	return s.AccountNames(p.Name)
}

// scripted reports whether there are rules at a point for an event: most often there are none, and that costs nothing.
func (w *writer) scripted(p script.Point, event *sims.Event) bool {
	return len(w.s.Rules().At(p, w.p.Name, event.Type)) > 0
}

// happens asks the rules about an event.
func (w *writer) happens(event sims.Event) {
	for _, f := range w.ask(script.OnEvent, event, func() map[string]any { return map[string]any{} }) {
		for _, a := range f.Actions {
			w.effect(f.Rule, a)
		}
	}
}

// wishes asks the rules about a delivery that is being made.
func (w *writer) wishes(event sims.Event, endpoint sims.Endpoint, payload sims.Object) (want wish) {
	fired := w.ask(script.OnDelivery, event, func() map[string]any {
		return map[string]any{"webhook": w.shownWebhook(endpoint), "payload": decoded(payload)}
	})
	for _, f := range fired {
		want.rules, want.u = append(want.rules, f.Rule), f.U
		for _, a := range f.Actions {
			switch {
			case a.Drop:
				want.drop = true
			case a.Hold:
				want.heldBy = f.Rule
			case a.Delay != nil:
				want.delay = min(want.delay+rule.Draw(*a.Delay, f.U, f.V, rule.Longest), rule.Longest)
			case a.Reorder != "":
				span, _ := rule.Duration(a.Reorder)
				want.reorder = min(want.reorder+span, rule.Longest)
			case a.Duplicate > 0:
				want.duplicate = min(want.duplicate+a.Duplicate, rule.MaxDuplicate)
			case a.Payload != nil:
				want.payload = append(want.payload, a.Payload)
			case a.Pad > 0:
				want.payload = append(want.payload, map[string]any{padName: strings.Repeat("x", min(a.Pad, rule.MaxPad))})
			default:
				w.effect(f.Rule, a)
			}
		}
	}
	return want
}

// decoded is a payload as expressions see it.
func decoded(payload sims.Object) any {
	data, err := strictjson.Encode(payload)
	if err != nil {
		return nil
	}
	value, _ := strictjson.Decode(data)
	return value
}

// grant puts wishes into a delivery that is about to be stored: n counts the copies of it. ready: nothing speaks against an
// attempt now.
func (w *writer) grant(d Delivery, want wish, ready bool) Delivery {
	now := w.env.Now
	switch {
	case want.drop:
		return d.with(Dropped, "the rule "+last(want.rules)+" drops it", now)
	case want.heldBy != "":
		d.HeldBy = want.heldBy
		return d.with(Held, "the rule "+want.heldBy+" holds it", now)
	case !ready:
		return d
	}
	late := want.delay
	if want.reorder > 0 {
		late += time.Duration(w.s.Draw("reorder", d.Seq) * float64(want.reorder)).Truncate(time.Millisecond)
	}
	if late == 0 {
		return d
	}
	return d.due(now.Add(late), "first attempt, "+late.String()+" late by the rule "+last(want.rules))
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// tampering is what rules want of one attempt.
type tampering struct {
	rules   []string
	corrupt bool
	oldKey  map[string]string // nil: the present one
	stale   time.Duration
	headers map[string]string
	fail    string
	effects []engine.Effect
}

// changes reports whether the attempt is sent otherwise than it would be: the next is not to repeat that.
func (t tampering) changes() bool {
	return t.corrupt || t.oldKey != nil || t.stale > 0 || t.headers != nil
}

// tamper asks the rules about an attempt.
func (d *Dispatcher) tamper(s *engine.Sandbox, p *engine.Provider, ready *prepared) (t tampering) {
	event := ready.attempt.Event
	accounts := accountNames(s, p)
	_ = s.Update(func(tx store.Tx) error { // a sandbox that is gone wants nothing
		w := d.writer(s, p, tx)
		w.accounts = accounts
		w.cause.Depth = ready.delivery.Depth
		fired := w.ask(script.OnAttempt, event, func() map[string]any {
			payload, _ := strictjson.Decode(ready.attempt.Body)
			return map[string]any{
				"webhook": w.shownWebhook(ready.endpoint), "payload": payload, "attempt": float64(ready.attempt.N),
				"delivery": map[string]any{"id": ready.delivery.ID, "attempts": float64(ready.attempt.N - 1)},
			}
		})
		for _, f := range fired {
			t.rules = append(t.rules, f.Rule)
			for _, a := range f.Actions {
				t.add(w, f.Rule, a, ready)
			}
		}
		t.effects = w.effects
		return nil
	})
	return t
}

func (t *tampering) add(w *writer, name string, a script.Action, ready *prepared) {
	switch {
	case a.CorruptSignature:
		t.corrupt = true
	case a.OldKey:
		t.oldKey = w.keysBefore(ready.delivery.WebhookID)
	case a.Stale != "":
		d, _ := rule.Duration(a.Stale)
		t.stale += d
	case a.Headers != nil:
		if t.headers == nil {
			t.headers = map[string]string{}
		}
		maps.Copy(t.headers, a.Headers)
	case a.Fail != "":
		t.fail = a.Fail
	default:
		w.effect(name, a)
	}
}

// prepare changes what an attempt is signed from.
func (t tampering) prepare(a *sims.Attempt) {
	a.Now, a.Edge = a.Now.Add(-t.stale), a.Edge.Add(-t.stale)
	if t.oldKey != nil {
		a.Endpoint.Keys = t.oldKey
	}
}

// finish changes what an attempt sends.
func (t tampering) finish(a *sims.Attempt, signature sims.Signature) {
	if t.corrupt && signature.Value != "" {
		for name, values := range a.Header {
			if strings.EqualFold(name, signature.Header) {
				a.Header[name] = []string{strings.Replace(values[0], signature.Value, corrupted(signature.Value), 1)}
			}
		}
	}
	for name, value := range t.headers {
		for had := range a.Header {
			if strings.EqualFold(had, name) {
				delete(a.Header, had)
			}
		}
		switch {
		case value != "":
			a.SetHeader(name, value)
		case strings.EqualFold(name, "User-Agent"):
			a.Header["User-Agent"] = nil // without the member the transport would put in its own
		}
	}
}

// corrupted is a signature of the same form with one character changed.
func corrupted(value string) string {
	at := len(value) / 2
	other := byte('0')
	if value[at] == other {
		other = '1'
	}
	return value[:at] + string(other) + value[at+1:]
}

// keyring is what a webhook is signed with, as its deliveries have seen it.
type keyring struct {
	Now    map[string]string `json:"now"`
	Before map[string]string `json:"before,omitempty"`
}

func keyrings(tx store.Tx) store.Table[keyring] {
	return store.TableOf[keyring](tx, "signing keys", nil)
}

// seeKeys remembers the keys of a webhook, in sandboxes that are scripted: rules may sign with those before.
func (w *writer) seeKeys(endpoint sims.Endpoint) {
	if w.s.Rules() == nil || len(endpoint.Keys) == 0 {
		return
	}
	id := webhookKey(w.p.Name, endpoint.WebhookID)
	ring, _ := keyrings(w.tx).Get(id)
	if maps.Equal(ring.Now, endpoint.Keys) {
		return
	}
	keyrings(w.tx).Put(id, keyring{Now: endpoint.Keys, Before: ring.Now})
}

// keysBefore are the keys of a webhook before its present ones; nil when its deliveries have seen no others.
func (w *writer) keysBefore(webhookID string) map[string]string {
	if endpoint, ok := w.p.Delivery.Endpoint(w.env, webhookID); ok {
		endpoint.WebhookID = webhookID
		w.seeKeys(endpoint)
	}
	ring, _ := keyrings(w.tx).Get(webhookKey(w.p.Name, webhookID))
	return ring.Before
}

// Release sends what rules hold: of one sim and webhook, or of all. It returns how many deliveries that is.
func (d *Dispatcher) Release(s *engine.Sandbox, sim, webhookID, order string, over time.Duration) (int, error) {
	var held []Delivery
	err := s.View(func(tx store.Tx) error {
		for _, delivery := range table(tx).All(string(Held)) {
			if delivery.HeldBy != "" && cmp.Or(sim, delivery.Sim) == delivery.Sim && cmp.Or(webhookID, delivery.WebhookID) == delivery.WebhookID {
				held = append(held, delivery)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	switch order {
	case "reverse":
		slices.Reverse(held)
	case "shuffle":
		slices.SortStableFunc(held, func(a, b Delivery) int {
			return cmp.Compare(s.Draw("shuffle", a.Seq), s.Draw("shuffle", b.Seq))
		})
	}
	for i, delivery := range held {
		late := time.Duration(0)
		if over > 0 {
			late = over * time.Duration(i) / time.Duration(len(held))
		}
		d.release(s, delivery, late)
	}
	return len(held), nil
}

// release makes one held delivery due.
func (d *Dispatcher) release(s *engine.Sandbox, held Delivery, late time.Duration) {
	p, ok := d.engine.Provider(held.Sim)
	if !ok {
		return
	}
	d.update(s, p, func(w *writer) {
		now, ok := table(w.tx).Get(held.ID)
		if !ok || now.State != Held || now.HeldBy == "" {
			return
		}
		now.HeldBy, now.InOrder = "", true
		endpoint, exists := w.endpoint(now)
		switch {
		case !exists:
			now = now.with(Dropped, "the webhook is gone", w.env.Now)
		case endpoint.Inactive != "":
			now = inactive(now, endpoint, w.env.Now)
		case w.health(now.WebhookID).Blocked:
			now = w.whileBlocked(now)
		default:
			now = now.due(w.env.Now.Add(late), "released")
		}
		w.put(now, endpoint)
	})
}

// Block switches a webhook off as if it had failed too often. What waits for it is held, failed or dropped, as the provider
// does. A blocked one stays as it is.
func (d *Dispatcher) Block(s *engine.Sandbox, p *engine.Provider, webhookID string, errorCount int) error {
	var w *writer
	err := s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		if _, ok := p.Delivery.Endpoint(w.env, webhookID); !ok {
			return unknownWebhook(p, webhookID)
		}
		h := w.health(webhookID)
		if h.Blocked {
			return nil
		}
		h.Blocked, h.BlockedAt, h.Window = true, w.env.Now, nil
		h.ErrorCount = max(h.ErrorCount, errorCount)
		if h.ErrorFirstAt.IsZero() {
			h.ErrorFirstAt = w.env.Now
		}
		sims.HealthTable(w.env.Tx).Put(webhookID, h)
		w.park(webhookID)
		return nil
	})
	if err != nil {
		return err
	}
	d.schedule(s, w.changed)
	s.Feed.Publish(engine.NoteWebhooks, p.Name)
	return nil
}

// Trouble gives a webhook errors in a row, without an attempt.
func (d *Dispatcher) Trouble(s *engine.Sandbox, p *engine.Provider, webhookID string, errors int) error {
	return s.Update(func(tx store.Tx) error {
		w := d.writer(s, p, tx)
		if _, ok := p.Delivery.Endpoint(w.env, webhookID); !ok {
			return unknownWebhook(p, webhookID)
		}
		h := w.health(webhookID)
		rule, now := blockingOf(w.env.Policies), w.env.Now
		for range errors {
			h = rule.failed(h, now, true)
		}
		sims.HealthTable(w.env.Tx).Put(webhookID, h)
		return nil
	})
}
