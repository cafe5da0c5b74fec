package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// outcome is an attempt that has been made (or was found not to be wanted any more).
type outcome struct {
	ok     bool   // the receiver took the delivery
	record func() // stores what happened; nil: nothing happened
}

// prepared is an attempt ready to be sent.
type prepared struct {
	delivery Delivery
	endpoint sims.Endpoint
	policies sims.Policies
	attempt  *sims.Attempt
	tamper   tampering
}

// attempt makes one attempt of a delivery: read what it needs, sign, send. Only the first of these sees the state, and
// none holds a lock during I/O.
func (d *Dispatcher) attempt(s *engine.Sandbox, st *state, p *engine.Provider, due turn) outcome {
	if d.stopping.Load() || st.life.Err() != nil {
		return outcome{} // it waits as before, or is gone
	}
	ready, wanted, err := d.prepare(s, p, due)
	switch {
	case err != nil:
		d.log.Error("delivery", "sandbox", s.Name, "delivery", due.id, "error", err)
		return outcome{}
	case !wanted:
		return outcome{}
	case ready == nil: // the webhook is gone or off
		return outcome{record: func() { d.giveUp(s, p, due) }}
	}
	if len(s.Rules().At(script.OnAttempt, p.Name, ready.attempt.Event.Type)) > 0 {
		ready.tamper = d.tamper(s, p, ready)
	}
	made := &Attempt{At: ready.attempt.Now, Rules: ready.tamper.rules}
	started := clock.WallNow()
	d.perform(st.life, p, ready, made)
	took := clock.WallNow().Sub(started)
	made.TookNanos = max(0, s.Clock.Now().Sub(made.At)).Nanoseconds()
	return outcome{ok: made.Error == nil, record: func() {
		if d.sender.base.Err() != nil || st.life.Err() == nil { // a sandbox that was reset knows nothing of it
			d.settle(s, p, ready, made, took)
			d.engine.Perform(s, ready.tamper.effects)
		}
	}}
}

// prepare reads the delivery and its endpoint. wanted: the delivery still waits for this attempt. A nil result with
// wanted means that there is nowhere to send it.
func (d *Dispatcher) prepare(s *engine.Sandbox, p *engine.Provider, due turn) (ready *prepared, wanted bool, err error) {
	err = s.View(func(tx store.Tx) error {
		current, ok := table(tx).Get(due.id)
		if wanted = ok && current.State == Pending && current.Turn == due.turn; !wanted {
			return nil
		}
		w := &writer{tx: tx, env: s.Env(p, tx), p: p}
		endpoint, ok := w.endpoint(current)
		if !ok || endpoint.Inactive != "" || w.health(current.WebhookID).Blocked {
			return nil
		}
		n := nonceOf(current.Seq, current.Turn)
		ready = &prepared{
			delivery: current, endpoint: endpoint, policies: w.env.Policies,
			attempt: &sims.Attempt{
				DeliveryID: current.ID, Event: current.Event, Endpoint: endpoint, N: current.Made() + 1,
				Now: w.env.Now, Edge: w.env.Edge, Policies: w.env.Policies, Nonce: w.env.Derived("nonce", n),
				Header: http.Header{"Content-Type": {current.ContentType}}, Body: current.Body,
			},
		}
		return nil
	})
	return ready, wanted, err
}

// nonceOf numbers what is drawn for a turn of a delivery: each has one attempt.
func nonceOf(seq uint64, turn int) uint64 { return seq<<16 + uint64(turn) }

// giveUp ends or parks a delivery whose webhook is gone or off by the time its attempt is due.
func (d *Dispatcher) giveUp(s *engine.Sandbox, p *engine.Provider, due turn) {
	d.update(s, p, func(w *writer) {
		current, ok := table(w.tx).Get(due.id)
		if !ok || current.State != Pending || current.Turn != due.turn {
			return
		}
		endpoint, ok := w.endpoint(current)
		switch {
		case !ok:
			w.put(current.with(Dropped, "the webhook is gone", w.env.Now), endpoint)
		case endpoint.Inactive != "":
			w.put(inactive(current, endpoint, w.env.Now), endpoint)
		case w.health(current.WebhookID).Blocked:
			w.put(w.whileBlocked(current), endpoint)
		default: // it came back this very moment
			w.put(current.due(w.env.Now, current.Reason), endpoint)
		}
	})
}

// perform signs and sends, and fills in what happened.
func (d *Dispatcher) perform(ctx context.Context, p *engine.Provider, ready *prepared, made *Attempt) {
	a := ready.attempt
	ready.authenticate(p, made)
	if a.Header.Get("User-Agent") == "" {
		a.SetHeader("User-Agent", d.userAgent)
	}
	ready.delivery.Trace.pass(a.Header)
	ready.tamper.finish(a, made.Signature)
	made.Request = Request{Method: http.MethodPost, URL: ready.endpoint.URL, Header: a.Header, Body: a.Body}
	if ready.tamper.fail != "" {
		made.Error = &AttemptError{Class: ClassFault, Detail: "not sent: " + ready.tamper.fail}
	}
	if made.Error != nil {
		return
	}
	d.sending.Add(1)
	defer d.sending.Add(-1)
	answer := d.sender.send(ctx, made.Request, ready.policies.Duration(sims.PolicyAttemptTimeout))
	made.Status, made.Response, made.Error = answer.status, answer.response, answer.err
	if made.Error == nil {
		made.Error = judge(p, ready.policies, answer)
	}
}

// authenticate signs an attempt: anew, or as the one before was signed.
func (r *prepared) authenticate(p *engine.Provider, made *Attempt) {
	a := r.attempt
	made.Tampered = r.tamper.changes()
	made.Signed = Signed{Turn: r.delivery.Turn, EdgeAt: a.Edge.Add(-r.tamper.stale), Endpoint: r.endpoint}
	if repeated, ok := r.repeats(); ok && !made.Tampered {
		if !repeated.Tampered {
			a.Header, made.Signature, made.Signed = repeated.Request.Header.Clone(), repeated.Signature, repeated.Signed
			return
		}
		a.Edge, made.Signed.EdgeAt = repeated.Signed.EdgeAt, repeated.Signed.EdgeAt
	}
	r.tamper.prepare(a)
	if err := sign(p, a, made); err != nil {
		made.Error = &AttemptError{Class: ClassRequest, Detail: err.Error()}
	}
}

// repeats: the attempt is sent as the one before was, because the provider does not sign anew and the webhook has not
// moved.
func (r *prepared) repeats() (before Attempt, ok bool) {
	n := len(r.delivery.Attempts)
	if n == 0 || r.policies.Bool(sims.PolicyResign) || r.delivery.URL != r.endpoint.URL {
		return Attempt{}, false
	}
	return r.delivery.unpacked(r.delivery.Attempts[n-1]), true
}

func sign(p *engine.Provider, a *sims.Attempt, made *Attempt) (err error) {
	defer func() {
		if defect := recover(); defect != nil {
			err = fmt.Errorf("sign: panic: %v", defect)
		}
	}()
	signature, err := p.Delivery.Sign(a)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	made.Signature = signature
	return nil
}

// judge says why an answer is no success, or nil.
func judge(p *engine.Provider, policies sims.Policies, a answer) *AttemptError {
	success := a.status >= 200 && a.status < 300
	if policies.Enum(sims.PolicySuccessStatuses) == "200" {
		success = a.status == http.StatusOK
	}
	switch {
	case a.status >= 300 && a.status < 400:
		return &AttemptError{Class: ClassRedirect, Detail: fmt.Sprintf("status %d to %s; redirects are not followed", a.status, sims.Excerpt(a.response.Header.Get("Location"), maxDetail))}
	case !success:
		return &AttemptError{Class: ClassStatus, Detail: fmt.Sprintf("status %d is no success", a.status)}
	case p.Delivery.Accept == nil:
		return nil
	}
	if why := p.Delivery.Accept(policies, a.status, a.body); why != "" {
		return &AttemptError{Class: ClassAnswer, Detail: why}
	}
	return nil
}

// settle stores an attempt, what follows from it for the delivery and for its webhook, in one transaction.
func (d *Dispatcher) settle(s *engine.Sandbox, p *engine.Provider, ready *prepared, made *Attempt, took time.Duration) {
	d.journal(s, p, ready, made, took)
	d.update(s, p, func(w *writer) {
		current, ok := table(w.tx).Get(ready.delivery.ID)
		if !ok {
			return // forgotten meanwhile: the journal has it
		}
		made.N = current.Made() + 1
		current = current.add(*made, w.full())
		current.URL = made.Request.URL
		if made.stopped() { // says nothing of the receiver: the delivery waits as before
			w.put(current, ready.endpoint)
			return
		}
		if current.State == Pending && current.Turn == ready.delivery.Turn {
			current.Tries++
			current.InOrder = false
			current = w.next(current, made)
		} else if made.Error == nil && current.State != Pending { // a newer turn is still wanted
			current = current.with(Delivered, "attempt "+fmt.Sprint(made.N)+" was accepted", w.env.Now)
		}
		w.put(current, ready.endpoint)
		w.score(current, made)
		if now, ok := table(w.tx).Get(current.ID); ok { // the attempt may have blocked its webhook
			current = now
		}
		d.collect(s, current, made)
	})
}

// next is the delivery after an attempt: delivered, due again, or failed for good.
func (w *writer) next(d Delivery, made *Attempt) Delivery {
	if made.Error == nil {
		return d.with(Delivered, fmt.Sprintf("attempt %d was accepted with status %d", made.N, made.Status), w.env.Now)
	}
	schedule := w.env.Policies.Durations(sims.PolicyRetrySchedule)
	switch {
	case w.permanent(made):
		return d.with(Failed, fmt.Sprintf("status %d is permanent", made.Status), w.env.Now)
	case d.Tries > len(schedule):
		return d.with(Failed, fmt.Sprintf("all %d attempts failed, the last one: %s", d.Tries, made.Error.Detail), w.env.Now)
	}
	delay := w.jitter(d, schedule[d.Tries-1])
	return d.due(made.At.Add(delay), fmt.Sprintf("retry %d of %d, %s after attempt %d failed: %s: %s",
		d.Tries, len(schedule), delay, made.N, made.Error.Class, made.Error.Detail))
}

// permanent: the provider does not try again after some statuses.
func (w *writer) permanent(made *Attempt) bool {
	if w.env.Policies.Enum(sims.PolicyPermanentStatuses) != "client_errors" || made.Status < 400 || made.Status > 499 {
		return false
	}
	temporary := []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests}
	return !slices.Contains(temporary, made.Status)
}

// jitter lengthens a delay by up to the policy's percentage, the same way under the same seed.
func (w *writer) jitter(d Delivery, delay time.Duration) time.Duration {
	percent := w.env.Policies.Int(sims.PolicyRetryJitter)
	if percent == 0 {
		return delay
	}
	share := w.env.Derived("jitter", d.Seq<<16+uint64(d.Tries)).Float() * float64(percent) / 100
	return delay + time.Duration(share*float64(delay)).Truncate(time.Millisecond)
}

// score counts an attempt for its webhook, which may block it.
func (w *writer) score(d Delivery, made *Attempt) {
	health := sims.HealthTable(w.env.Tx)
	before, known := health.Get(d.WebhookID)
	if made.Error == nil {
		if known {
			health.Put(d.WebhookID, succeeded(before))
		}
		return
	}
	if _, exists := w.p.Delivery.Endpoint(w.env, d.WebhookID); !exists {
		return
	}
	after := blockingOf(w.env.Policies).failed(before, made.At, d.State == Failed)
	health.Put(d.WebhookID, after)
	if !after.Blocked || before.Blocked {
		return
	}
	w.blocked = true
	w.park(d.WebhookID)
}

// park does with what waits for a webhook what the provider does while it is blocked.
func (w *writer) park(webhookID string) {
	for _, waiting := range table(w.tx).All(webhookKey(w.p.Name, webhookID) + "/" + string(Pending)) {
		endpoint, _ := w.endpoint(waiting)
		w.put(w.whileBlocked(waiting), endpoint)
	}
}

// update runs a change of deliveries in one transaction and sets the alarms that follow from it.
func (d *Dispatcher) update(s *engine.Sandbox, p *engine.Provider, change func(*writer)) {
	var w *writer
	err := s.Update(func(tx store.Tx) error {
		w = d.writer(s, p, tx)
		change(w)
		return nil
	})
	if err != nil { // the sandbox is gone
		return
	}
	d.schedule(s, w.changed)
	if w.blocked {
		s.Feed.Publish(engine.NoteWebhooks, p.Name)
	}
}

func (d *Dispatcher) collect(s *engine.Sandbox, delivery Delivery, made *Attempt) {
	st := d.state(s)
	frozen := s.Clock.Setting().Mode == clock.Frozen
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.moving == 0 && !frozen {
		return
	}
	if len(st.fired) == MaxFiredByMove {
		st.fired = st.fired[1:]
	}
	st.fired = append(st.fired, Fired{
		seq: delivery.Seq,
		At:  made.At, Sim: delivery.Sim, DeliveryID: delivery.ID, WebhookID: delivery.WebhookID,
		EventType: delivery.Event.Type, Attempt: made.N, Status: made.Status, Error: made.Error, State: delivery.State,
	})
}

// journal writes the attempt down: nothing leaves unjournaled.
func (d *Dispatcher) journal(s *engine.Sandbox, p *engine.Provider, ready *prepared, made *Attempt, took time.Duration) {
	x := &engine.Exchange{
		At: made.At, Sim: p.Name, Direction: engine.Outbound, DeliveryID: ready.delivery.ID,
		Method: made.Request.Method, Path: made.Request.URL,
		Request: engine.Message{Header: made.Request.Header, Body: made.Request.Body}, Status: made.Status,
		Response: engine.Message{Header: made.Response.Header, Body: made.Response.Body}, Rules: made.Rules, Took: took,
	}
	if made.Error != nil && made.Error.Class == ClassFault {
		x.Fault = made.Error.Detail
	}
	s.Journal.Append(x)
	s.Feed.Publish(engine.NoteExchange, x.ID)
	s.Touch()
	made.N = ready.attempt.N
	d.observe(s, x, *made)
}
