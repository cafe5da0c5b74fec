// Package delivery is the one delivery engine: it turns events into deliveries, signs and sends attempts, retries,
// counts failures, blocks webhooks and brings them back. It runs on the world clock of each sandbox.
//
// What differs between providers is data: the policies of their ledgers and the functions of sims.Delivery. The package
// names no provider.
package delivery

import (
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// State is where a delivery stands.
type State string

// The states of a delivery. Delivered, Failed and Dropped are final, unless somebody asks for another attempt.
const (
	Pending   State = "pending"   // an attempt is due or under way
	Delivered State = "delivered" // the receiver took it
	Failed    State = "failed"    // no attempt will follow
	Held      State = "held"      // waits until its webhook is back
	Dropped   State = "dropped"   // will never be sent: Reason says why
)

// Delivery is one event on its way to one webhook. It is plain data and immutable: every change is a new value.
type Delivery struct {
	ID            string         `json:"id"`
	Seq           uint64         `json:"seq"` // order of creation in the sandbox
	Sim           string         `json:"sim"`
	WebhookID     string         `json:"webhook_id"`
	Event         sims.Event     `json:"event"`
	URL           string         `json:"url"` // of the last attempt; before the first, of the webhook
	State         State          `json:"state"`
	Reason        string         `json:"reason"` // why it is in this state, in words
	CreatedAt     time.Time      `json:"created_at"`
	NextAttemptAt time.Time      `json:"next_attempt_at,omitzero"`
	FinishedAt    time.Time      `json:"finished_at,omitzero"`
	ContentType   string         `json:"content_type"`
	Body          []byte         `json:"body"`
	Bound         *sims.Endpoint `json:"bound,omitzero"`    // policy bind=event: the endpoint of the event's moment
	InOrder       bool           `json:"in_order,omitzero"` // its next attempt waits for those before it: it was held back with others
	Tries         int            `json:"tries"`             // attempts since the schedule started (anew)
	Trace         Trace          `json:"trace,omitzero"`
	Rules         []string       `json:"rules,omitempty"`  // the scripted rules that fired when it was made
	HeldBy        string         `json:"held_by,omitzero"` // the rule that holds it; "": it waits for its webhook
	Depth         int            `json:"depth,omitzero"`   // how many effects of rules led to its event
	Turn          int            `json:"turn"`             // how often it was made due: an attempt of an earlier turn only reports
	Attempts      []Attempt      `json:"attempts"`
	Omitted       int            `json:"omitted,omitzero"` // attempts in the middle of those, which are not kept
}

// Attempt is one HTTP request of a delivery and what came of it.
type Attempt struct {
	N         int            `json:"n"`
	At        time.Time      `json:"at"`
	Request   Request        `json:"request"`
	Signature sims.Signature `json:"signature"`
	Signed    Signed         `json:"signed"`
	Status    int            `json:"status,omitzero"` // 0: no answer
	Error     *AttemptError  `json:"error,omitzero"`  // nil: delivered
	Response  Response       `json:"response"`
	TookNanos int64          `json:"took_nanos"`
	Rules     []string       `json:"rules,omitempty"`   // the scripted rules that fired
	Tampered  bool           `json:"tampered,omitzero"` // they made it be sent otherwise than it would have been

	SameBody     bool `json:"same_body,omitzero"`      // the request's body is the delivery's, and is not kept twice
	BodySignedAt int  `json:"body_signed_at,omitzero"` // 1 + where that body was in the string to sign; 0: it is as it was
}

// Took is how long the attempt took on the world clock: nothing, where that is frozen. The journal has the real time.
func (a Attempt) Took() time.Duration { return time.Duration(a.TookNanos) }

func (a Attempt) stopped() bool { return a.Error != nil && a.Error.Class == ClassStopped }

// Signed is what the signature of an attempt was made from, beside the request: enough to make it again.
type Signed struct {
	Turn     int           `json:"turn"`
	EdgeAt   time.Time     `json:"edge_at"`
	Endpoint sims.Endpoint `json:"endpoint"`
}

// Request is what was sent.
type Request struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// Response is what came back. The body is cut after MaxKept bytes.
type Response struct {
	Header    http.Header `json:"header,omitempty"`
	Body      []byte      `json:"body,omitempty"`
	Truncated bool        `json:"truncated,omitzero"`
}

// Class says in which way an attempt failed.
type Class string

// The classes of failed attempts.
const (
	ClassDNS       Class = "dns"       // the name does not resolve
	ClassRefused   Class = "refused"   // nobody listens
	ClassReset     Class = "reset"     // the connection broke before the answer was complete
	ClassTLS       Class = "tls"       // no handshake, or a certificate that is not trusted
	ClassTimeout   Class = "timeout"   // no complete answer in time
	ClassStatus    Class = "status"    // an answer whose status is no success
	ClassRedirect  Class = "redirect"  // a 3xx: redirects are not followed
	ClassTooLarge  Class = "too_large" // more answer than is read
	ClassAnswer    Class = "answer"    // the provider reads a refusal in the answer's body
	ClassProtocol  Class = "protocol"  // the answer is not HTTP
	ClassForbidden Class = "forbidden" // the address may not be called (see the safety rules)
	ClassRequest   Class = "request"   // the request could not be made: its URL or headers are not valid
	ClassStopped   Class = "stopped"   // the server stopped while the attempt was under way
	ClassFault     Class = "fault"     // a scripted rule failed the attempt
)

// AttemptError is why an attempt failed.
type AttemptError struct {
	Class  Class  `json:"class"`
	Detail string `json:"detail"`
}

// table is where deliveries live. They are found by sim and state, and by webhook and state.
func table(tx store.Tx) store.Table[Delivery] {
	return store.TableOf(tx, tableName, func(d Delivery) []string {
		key := webhookKey(d.Sim, d.WebhookID)
		keys := []string{string(d.State), key, key + "/" + string(d.State), finishedKey}
		if !d.final() {
			keys = keys[:3]
		}
		return keys
	})
}

const (
	tableName   = "deliveries"
	finishedKey = "finished"
)

func webhookKey(sim, webhookID string) string { return sim + "/" + webhookID }

func (d Delivery) final() bool {
	return d.State == Delivered || d.State == Failed || d.State == Dropped
}

// DueBy reports whether an attempt is due or under way at an instant.
func (d Delivery) DueBy(now time.Time) bool { return d.State == Pending && !d.NextAttemptAt.After(now) }

// with returns the delivery in another state.
func (d Delivery) with(state State, reason string, now time.Time) Delivery {
	d.State, d.Reason = state, reason
	d.NextAttemptAt, d.FinishedAt = time.Time{}, time.Time{}
	if d.final() {
		d.FinishedAt = now
	}
	if state != Held {
		d.HeldBy = ""
	}
	return d
}

// due returns the delivery pending, with its next attempt at an instant.
func (d Delivery) due(at time.Time, reason string) Delivery {
	d = d.with(Pending, reason, at)
	d.NextAttemptAt = at
	d.Turn++
	return d
}

// record is the delivery as the provider's own bookkeeping sees it.
func (d Delivery) record(endpoint sims.Endpoint) sims.DeliveryRecord {
	r := sims.DeliveryRecord{
		ID: d.ID, Event: d.Event, Endpoint: endpoint, State: string(d.State), Attempts: d.Made(),
		FirstAt: d.CreatedAt,
	}
	if n := len(d.Attempts); n > 0 {
		r.LastAt, r.LastTook = d.Attempts[n-1].At, d.Attempts[n-1].Took()
	}
	return r
}
