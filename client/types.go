// Package client has the types of the control API and a typed client for it. The server uses the same types, so the two
// cannot drift apart.
//
// The control API is described at /_mocksrv/openapi.yaml of every running server.
package client

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Sims is the answer of GET /_mocksrv/v1/sims.
type Sims struct {
	Sims []Sim `json:"sims"`
}

// Sim is one simulated provider.
type Sim struct {
	Name       string        `json:"name"`
	Title      string        `json:"title"`
	Hosts      []string      `json:"hosts"`
	Operations []Operation   `json:"operations"`
	Events     []EventType   `json:"events"`
	Policies   []Policy      `json:"policies"`
	Ledger     []LedgerEntry `json:"ledger"`
	// Environments are the provider's words for test and live, as an Event may name them.
	Environments []string `json:"environments"`
}

// Operation is one operation of a provider.
type Operation struct {
	ID      string `json:"id"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Summary string `json:"summary"`
}

// EventType is one event type of a provider's catalogue.
type EventType struct {
	Type  string `json:"type"`
	Group string `json:"group,omitzero"`
}

// Policy is a switch for a behaviour that is not certain.
type Policy struct {
	Name    string   `json:"name"` // <sim>.<policy>
	Type    string   `json:"type"` // enum, bool, int, duration, durations
	Values  []string `json:"values,omitempty"`
	Min     *int     `json:"min,omitzero"`
	Max     *int     `json:"max,omitzero"`
	Default any      `json:"default"`
	Ledger  string   `json:"ledger"` // the entry it belongs to
}

// LedgerEntry is one behaviour of a provider and what it rests on.
type LedgerEntry struct {
	ID         string   `json:"id"`
	Behaviour  string   `json:"behaviour"`
	Basis      string   `json:"basis"` // documented, observed, inferred, assumed
	Source     string   `json:"source"`
	Operations []string `json:"operations,omitempty"`
	Policy     string   `json:"policy,omitzero"`
}

// Sandboxes is the answer of GET /_mocksrv/v1/sandboxes.
type Sandboxes struct {
	Sandboxes []Sandbox `json:"sandboxes"`
	Next      string    `json:"next,omitzero"` // the after of what follows
}

// Sandbox is one world.
type Sandbox struct {
	Name     string                `json:"name"`
	Seed     int64                 `json:"seed"`
	Clock    Clock                 `json:"clock"`
	Policies map[string]any        `json:"policies"`      // those that differ from their defaults
	Idle     string                `json:"idle,omitzero"` // it expires when it is unused for so long; absent: never
	Sims     map[string]SandboxSim `json:"sims"`
	// Scenarios are those that were applied.
	Scenarios []AppliedScenario `json:"scenarios,omitempty"`
}

// SandboxSim is how to reach one provider in a sandbox.
type SandboxSim struct {
	BaseURL     string            `json:"base_url"`
	Credentials map[string]string `json:"credentials"`
	Curl        string            `json:"curl"` // a first request that works when pasted
}

// NewSandbox is the body of POST /_mocksrv/v1/sandboxes. Everything is optional.
type NewSandbox struct {
	Name     string         `json:"name,omitzero"`
	Origin   string         `json:"origin,omitzero"` // what ids and secrets derive from beside the seed; default: the name
	Seed     *int64         `json:"seed,omitzero"`
	Clock    jsontext.Value `json:"clock,omitzero"` // "real", an RFC 3339 instant (frozen there), or a clock object
	Policies map[string]any `json:"policies,omitempty"`
	Idle     string         `json:"idle,omitzero"` // it expires when it is unused for so long, in real time; "0s": never
	// Scenario is applied to the new sandbox; seed, clock and policies given here win over its own.
	Scenario ScenarioSource `json:"scenario,omitzero"`
}

// SandboxChange is the body of PATCH on a sandbox.
type SandboxChange struct {
	Policies map[string]any `json:"policies"` // null returns a policy to its default
}

// Clock is the clock of a sandbox.
type Clock struct {
	Mode string    `json:"mode"` // real, frozen
	Now  time.Time `json:"now"`
	Edge string    `json:"edge"` // wall, world
	Skew string    `json:"skew"` // a duration, may be negative
}

// ClockChange is the body of PUT on a clock. What is left out stays.
type ClockChange struct {
	Mode string     `json:"mode,omitzero"`
	Now  *time.Time `json:"now,omitzero"`
	Edge string     `json:"edge,omitzero"`
	Skew *string    `json:"skew,omitzero"`
}

// Advance is the body of POST …/clock/advance: exactly one of the three.
type Advance struct {
	By    string     `json:"by,omitzero"` // a duration
	To    *time.Time `json:"to,omitzero"`
	Until string     `json:"until,omitzero"` // idle
}

// Advanced is its answer.
type Advanced struct {
	Clock
	Fired []Fired `json:"fired"`
}

// Fired is one attempt that an advance performed.
type Fired struct {
	At         time.Time `json:"at"`
	Sim        string    `json:"sim"`
	DeliveryID string    `json:"delivery_id"`
	WebhookID  string    `json:"webhook_id"`
	EventType  string    `json:"event_type"`
	Attempt    int       `json:"attempt"`
	Status     int       `json:"status"`
	Error      string    `json:"error,omitzero"`
	State      string    `json:"state"`
}

// Webhooks is the answer of GET …/webhooks.
type Webhooks struct {
	Webhooks []Webhook `json:"webhooks"`
	Next     string    `json:"next,omitzero"` // the after of what follows
}

// Webhook is a stored webhook in the neutral shape.
type Webhook struct {
	ID         string         `json:"id"`
	Sim        string         `json:"sim"`
	Account    string         `json:"account"`
	URL        string         `json:"url"`
	State      string         `json:"state" enum:"active,disabled,blocked,deleted"`
	Events     []string       `json:"events"`
	ErrorCount int            `json:"error_count"`
	CreatedAt  time.Time      `json:"created_at"`
	UpdatedAt  time.Time      `json:"updated_at,omitzero"`
	Provider   jsontext.Value `json:"provider"` // the provider's own object
}

// Unblocked is the answer of POST …/webhooks/{id}/unblock.
type Unblocked struct {
	Redelivered int `json:"redelivered"`
}

// Event is the body of POST …/events.
type Event struct {
	Sim         string         `json:"sim"`
	Type        string         `json:"type"`
	Account     string         `json:"account,omitzero"`
	Environment string         `json:"environment,omitzero"`
	Data        map[string]any `json:"data,omitempty"`    // merged into the payload
	Payload     map[string]any `json:"payload,omitempty"` // replaces the payload
}

// Emitted is its answer.
type Emitted struct {
	ID         string     `json:"id"`
	Deliveries []Delivery `json:"deliveries"`
	Note       string     `json:"note,omitzero"` // why there are none
}

// Deliveries is the answer of GET …/deliveries.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries"`
	Forgotten  uint64     `json:"forgotten"`     // final deliveries that are not kept any more
	Next       string     `json:"next,omitzero"` // the after of what follows
}

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID            string     `json:"id"`
	Sim           string     `json:"sim"`
	WebhookID     string     `json:"webhook_id"`
	EventID       string     `json:"event_id"`
	EventType     string     `json:"event_type"`
	URL           string     `json:"url"`
	State         string     `json:"state" enum:"pending,delivered,failed,held,dropped"`
	Reason        string     `json:"reason"` // why, in words
	CreatedAt     time.Time  `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	FinishedAt    *time.Time `json:"finished_at"`
	Rules         []string   `json:"rules,omitempty"` // the scripted rules that fired when it was made
	Attempts      []Attempt  `json:"attempts"`
	// AttemptsOmitted counts those in the middle that are not kept: their n are missing.
	AttemptsOmitted int `json:"attempts_omitted,omitzero"`
}

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	N         int       `json:"n"`
	At        time.Time `json:"at"`
	Status    int       `json:"status"` // 0: no answer
	Error     string    `json:"error,omitzero"`
	Detail    string    `json:"detail,omitzero"`
	Request   Message   `json:"request"`
	Response  Message   `json:"response"`
	Signature Signature `json:"signature"`
	Rules     []string  `json:"rules,omitempty"` // the scripted rules that fired
	Took      string    `json:"took"`            // on the world clock; the journal has the real time
}

// Signature says what was signed.
type Signature struct {
	Scheme       string `json:"scheme"`
	Header       string `json:"header,omitzero"`
	Key          string `json:"key,omitzero"`
	StringToSign string `json:"string_to_sign,omitzero"`
	Value        string `json:"value,omitzero"`
}

// Message is the header and body of a request or an answer. A body that is not UTF-8 is in BodyBase64 instead.
type Message struct {
	Method     string              `json:"method,omitzero"`
	URL        string              `json:"url,omitzero"`
	Headers    map[string][]string `json:"headers"`
	Body       string              `json:"body"`
	BodyBase64 []byte              `json:"body_base64,omitempty"`
	Truncated  bool                `json:"truncated,omitzero"`
}

// SignatureClaim is the body of POST …/deliveries/{id}/compare: what a receiver computed. Everything is optional.
type SignatureClaim struct {
	Attempt      int    `json:"attempt,omitzero"` // default: the last
	Signature    string `json:"signature,omitzero"`
	Body         string `json:"body,omitzero"`
	StringToSign string `json:"string_to_sign,omitzero"`
	Key          string `json:"key,omitzero"`
}

// Comparison is its answer.
type Comparison struct {
	// Valid: what was sent verifies now: its signature fits its body under the webhook's present key.
	Valid    bool      `json:"valid"`
	Findings []Finding `json:"findings"`
}

// Finding is one difference.
type Finding struct {
	Cause  string `json:"cause"` // match, body, key, string_to_sign, encoding, clock, unexplained
	Detail string `json:"detail"`
}

// Journal is the answer of GET …/journal.
type Journal struct {
	Exchanges []Exchange `json:"exchanges"`
	Dropped   uint64     `json:"dropped"`       // exchanges that are not kept any more
	Next      string     `json:"next,omitzero"` // the after of what follows
}

// Exchange is one request and its answer.
type Exchange struct {
	ID         uint64    `json:"id"`
	At         time.Time `json:"at"`
	Direction  string    `json:"direction" enum:"in,out"`
	Sim        string    `json:"sim"`
	Operation  string    `json:"operation"`
	DeliveryID string    `json:"delivery_id,omitzero"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Status     int       `json:"status"`
	Request    Message   `json:"request"`
	Response   Message   `json:"response"`
	Refusal    *Refusal  `json:"refusal,omitzero"`
	Rules      []string  `json:"rules,omitempty"` // the scripted rules that fired
	Fault      string    `json:"fault,omitzero"`  // how a rule damaged the answer on the wire
	Took       string    `json:"took"`
}

// Refusal explains an error answer of a provider.
type Refusal struct {
	Rule   string `json:"rule"` // the ledger entry
	Saw    string `json:"saw"`
	Want   string `json:"want"`
	Basis  string `json:"basis"`
	Source string `json:"source"`
	Policy string `json:"policy,omitzero"` // the switch of this behaviour, if it has one
}

// Problem is an error answer of the control API (RFC 9457).
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Errors []ProblemField `json:"errors,omitempty"`
	Fired  []Fired        `json:"fired,omitempty"` // what an advance that ended early has performed
}

// ProblemField is one wrong field.
type ProblemField struct {
	Field  string   `json:"field"`
	Detail string   `json:"detail"`
	Valid  []string `json:"valid,omitempty"`
}

// Error implements error.
func (p Problem) Error() string { return p.Title + ": " + p.Detail }

// NewCertificate is the body of POST …/certificates/client.
type NewCertificate struct {
	Name    string `json:"name,omitzero"`    // its common name, 1 to 64 characters; "": a default
	Expired bool   `json:"expired,omitzero"` // it ended yesterday
}

// Certificate is a client's certificate with its key, and the CA that signed it, all in PEM.
type Certificate struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
}

// Receivers is the answer of GET …/receivers.
type Receivers struct {
	Receivers []Receiver `json:"receivers"`
	Next      string     `json:"next,omitzero"` // the after of what follows
}

// Receiver is a scripted customer endpoint.
type Receiver struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	TLS         string            `json:"tls,omitzero"`
	Requests    uint64            `json:"requests"`      // how many arrived
	Dropped     uint64            `json:"dropped"`       // how many of them are not kept any more
	Connections uint64            `json:"connections"`   // how many were accepted, with or without a request
	Received    []ReceivedRequest `json:"received"`      // only when one receiver is asked for
	Next        string            `json:"next,omitzero"` // the after of the requests that follow
}

// ReceiverSpec is the body of POST …/receivers. All but the name is optional.
type ReceiverSpec struct {
	Name         string         `json:"name"`
	Address      string         `json:"address,omitzero"` // on the loopback interface; default: a free port
	TLS          string         `json:"tls,omitzero"`     // trusted, self_signed, expired, wrong_host, handshake_cut; default: plain HTTP
	Script       ReceiverScript `json:"script,omitzero"`
	KeepRequests int            `json:"keep_requests,omitzero"` // default: 1000
	KeepBytes    int            `json:"keep_bytes,omitzero"`    // default: 16 MiB
}

// ReceiverScript is how a receiver answers. An empty one answers 200 to everything.
type ReceiverScript struct {
	Down    bool            `json:"down,omitzero"` // connections are refused
	Replies []ReceiverReply `json:"replies,omitempty"`
	Then    string          `json:"then,omitzero"` // what follows after the last reply: last (the default), loop or ok
}

// ReceiverReply is one answer. A fault says which of the members it uses; the others must be left out.
type ReceiverReply struct {
	Times    int               `json:"times,omitzero"`  // for how many requests; default 1
	Status   int               `json:"status,omitzero"` // default 200
	Header   map[string]string `json:"header,omitempty"`
	Body     string            `json:"body,omitzero"`
	Delay    string            `json:"delay,omitzero"` // real time before the answer
	Fault    string            `json:"fault,omitzero"` // how it goes wrong; the OpenAPI document says in which ways
	Location string            `json:"location,omitzero"`
}

// ReceivedRequest is one request that arrived at a receiver, and how it was answered.
type ReceivedRequest struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Request Message   `json:"request"`
	Status  int       `json:"status"`
	Fault   string    `json:"fault,omitzero"`
	Error   string    `json:"error,omitzero"`
}

// Verification is the body of POST …/journal/verify and …/deliveries/verify: what must have happened.
type Verification struct {
	Sim       string `json:"sim,omitzero"`
	Operation string `json:"operation,omitzero"` // journal only
	// Match is compared with each exchange or delivery as the lists show them; request and response (of an attempt, too)
	// also have "json", the decoded body. Members that are not named do not matter; operators start with "$".
	Match map[string]any `json:"match,omitempty"`
	// Count is how many must match; one or more when it is left out.
	Count *Count `json:"count,omitzero"`
	// Order wants one match for each, in this order; others may stand between. It stands alone.
	Order []map[string]any `json:"order,omitempty"`
	// Within is how long, in real time, to wait for what is still in flight.
	Within string `json:"within,omitzero"`
}

// Count bounds a number. Max absent: no bound.
type Count struct {
	Min int  `json:"min,omitzero"`
	Max *int `json:"max,omitzero"`
}

// Verified is its answer.
type Verified struct {
	Pass    bool     `json:"pass"`
	Reason  string   `json:"reason"`
	Count   int      `json:"count"`
	Matched []string `json:"matched"` // ids
	Dropped uint64   `json:"dropped"` // entries that are not kept any more
	Misses  []Miss   `json:"misses"`  // the closest, when it did not pass
	Final   bool     `json:"final"`   // waiting longer could not have helped
}

// Miss is an exchange or a delivery that did not match, and why.
type Miss struct {
	ID          string       `json:"id"`
	Rule        string       `json:"rule,omitzero"` // the provider's rule that refused it
	Differences []Difference `json:"differences"`
}

// Difference is one place where a value is not as expected.
type Difference struct {
	Path string `json:"path"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// StreamWebhooks is the data of an event "webhooks" of the live stream: the state of a provider has changed. The other
// events carry an Exchange ("exchange"), a Delivery ("delivery") or a Clock ("clock").
type StreamWebhooks struct {
	Sim string `json:"sim"`
}

// StreamMissed is the data of an event "missed" of the live stream.
type StreamMissed struct {
	Missed uint64 `json:"missed"` // events that are not kept any more
}

// StreamGone is the data of an event whose subject is not kept any more.
type StreamGone struct {
	Gone bool `json:"gone"`
}
