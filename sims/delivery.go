package sims

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/brianvoe/gofakeit/v6"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Delivery says how a provider sends events. Numbers and switches (schedule, timeout, blocking …) are not here: they
// are policies of the document's ledger, under the Policy names below, so that each can be overridden per sandbox.
type Delivery struct {
	// Environments are the values an event's environment may have beside "", the provider's default. Nil: it has none.
	Environments []string
	// Ordered: the provider sends the events of one webhook one after the other.
	Ordered bool
	// Payload builds the realistic default payload of an event for one webhook. The caller's overrides are merged in
	// afterwards.
	Payload func(Source) Object
	// Document wraps the payload into the JSON document that is sent. Nil: the payload itself.
	Document func(Object) any
	// Encode turns the JSON document into the body. Nil: the JSON itself, as application/json.
	Encode func(s Source, document []byte) (body []byte, contentType string)
	// Targets returns the ids of the webhooks that receive an event, in the order in which they receive it. Webhooks
	// that match but are disabled are included only where the provider keeps events for them (see Endpoint.Hold).
	Targets func(*Env, Event) []string
	// Endpoint returns where a webhook points now. False: the webhook is gone.
	Endpoint func(e *Env, webhookID string) (Endpoint, bool)
	// Sign sets the headers of an attempt, signature included, and says what was signed. It must be a pure function
	// of the attempt.
	Sign func(*Attempt) (Signature, error)
	// Accept, when set, looks at an answer whose status is a success and returns why it is none after all, or "".
	Accept func(p Policies, status int, body []byte) string
	// Record, when set, is told every change of a delivery, in the transaction that makes it.
	Record func(*Env, DeliveryRecord)
}

// Names of the delivery policies every document has. Their values are the provider's data for the one delivery engine.
const (
	PolicyRetrySchedule     = "retry_schedule"     // durations: the delay before each retry, from the previous attempt
	PolicyRetryJitter       = "retry_jitter"       // int: percent by which a delay may be longer
	PolicyAttemptTimeout    = "attempt_timeout"    // duration, in real time
	PolicySuccessStatuses   = "success_statuses"   // enum: 2xx, 200
	PolicyPermanentStatuses = "permanent_statuses" // enum: none, client_errors
	PolicyBlockLimit        = "block_limit"        // int: more errors than this block the webhook; 0 never
	PolicyBlockWindow       = "block_window"       // duration
	PolicyBlockWindowKind   = "block_window_kind"  // enum: none, first_error, sliding
	PolicyBlockCounts       = "block_counts"       // enum: attempt, event
	PolicyWhileBlocked      = "while_blocked"      // enum: drop, hold, fail
	PolicyBind              = "bind"               // enum: event, attempt
	PolicyResign            = "resign"             // bool
)

// Event is something that happened at the provider.
type Event struct {
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	Group       string    `json:"group,omitempty"`
	Account     string    `json:"account,omitempty"`     // "" means the account of the ready-made credentials
	Environment string    `json:"environment,omitempty"` // provider's word: test, production, live; "" is the provider's default
	At          time.Time `json:"at"`
	Seed        Derived   `json:"seed"`
}

// Source is what a payload is made from.
type Source struct {
	*Env
	Event    Event
	Endpoint Endpoint
	Fields   []string        // the required members of the event's schema, in documented order
	Fake     *gofakeit.Faker // seeded with the event: the same data for every webhook that receives it
}

// Build makes a payload with one member for each required field, in documented order.
func (s Source) Build(field func(s Source, name string) any) Object {
	object := make(Object, 0, len(s.Fields)+1)
	for _, name := range s.Fields {
		object = append(object, Member{Name: name, Value: field(s, name)})
	}
	return object
}

// Endpoint is where a webhook points: plain data, so that a delivery can keep it.
type Endpoint struct {
	WebhookID string            `json:"webhook_id"`
	Account   string            `json:"account,omitempty"`
	URL       string            `json:"url"`
	Keys      map[string]string `json:"keys,omitempty"`    // what Sign needs, by the provider's names
	Options   map[string]string `json:"options,omitempty"` // other settings Sign and Payload need
	// Inactive, when not empty, says why nothing is sent now ("disabled"). Hold: the event waits for the webhook to
	// come back, instead of being dropped.
	Inactive string `json:"inactive,omitempty"`
	Hold     bool   `json:"hold,omitempty"`
}

// Attempt is one HTTP request of a delivery, about to be signed and sent.
type Attempt struct {
	DeliveryID string
	Event      Event
	Endpoint   Endpoint
	N          int       // 1, 2, …
	Now        time.Time // world clock
	Edge       time.Time // edge clock: for timestamps the receiver compares with its own clock
	Policies   Policies
	Nonce      Derived // differs for each attempt
	Header     http.Header
	Body       []byte
}

// SetHeader sets a header in exactly this spelling, as the provider sends it.
func (a *Attempt) SetHeader(name, value string) { a.Header[name] = []string{value} }

// Signature says what was signed, for people who debug a verification.
type Signature struct {
	Scheme       string `json:"scheme"`                   // "hmac-sha512-hex", "rsa-sha256-hex", …; "none"
	Header       string `json:"header,omitempty"`         // where it is
	Key          string `json:"key,omitempty"`            // which key, in words
	StringToSign string `json:"string_to_sign,omitempty"` // the exact bytes; "" when the scheme is none
	Value        string `json:"value,omitempty"`
}

// DeliveryRecord is a delivery as a provider's own bookkeeping sees it.
type DeliveryRecord struct {
	ID       string
	Event    Event
	Endpoint Endpoint
	State    string // pending, delivered, failed, held, dropped; DeliveryForgotten: it is not kept any more
	Attempts int
	FirstAt  time.Time     // when the event happened
	LastAt   time.Time     // when the last attempt was made; zero before
	LastTook time.Duration // what the last attempt took on the world clock: nothing, where that is frozen
}

// DeliveryForgotten is the state of a DeliveryRecord that tells of the end: the delivery is not kept any more and cannot
// be sent again.
const DeliveryForgotten = "forgotten"

// Health is the delivery engine's record of how a webhook has been doing.
type Health struct {
	ErrorCount   int         `json:"error_count"` // failures in a row
	ErrorFirstAt time.Time   `json:"error_first_at,omitzero"`
	ErrorLastAt  time.Time   `json:"error_last_at,omitzero"`
	Blocked      bool        `json:"blocked"`
	BlockedAt    time.Time   `json:"blocked_at,omitzero"`
	Window       []time.Time `json:"window,omitempty"` // errors that count towards blocking
}

// HealthTable holds the health of a sim's webhooks by webhook id. A webhook without a row is healthy.
func HealthTable(tx Tx) Table[Health] { return TableOf[Health](tx, "health", nil) }

// Effects are what a handler wants the delivery engine to do, in the same transaction.
type Effects struct {
	Redeliver []string // delivery ids to send once more
	Release   []string // ids of webhooks that changed: what waits for them is held, dropped or let go, as they are now
}

// Object is a JSON object that keeps the order of its members.
type Object []Member

// Member is one member of an Object.
type Member struct {
	Name  string
	Value any
}

// MarshalJSONTo writes the members in order.
func (o Object) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range o {
		if err := enc.WriteToken(jsontext.String(m.Name)); err != nil {
			return err
		}
		value, err := strictjson.Encode(m.Value)
		if err != nil {
			return err
		}
		if err := enc.WriteValue(value); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// PlainObject rewrites an object so that every object inside it, at any depth, is an Object, too: in order, and open to
// changes.
func PlainObject(o Object) (Object, error) {
	data, err := strictjson.Encode(o)
	if err != nil {
		return nil, err
	}
	return ReadObject(data)
}

// ReadObject reads a JSON object in the order in which it is written; nil when it is none.
func ReadObject(data []byte) (Object, error) {
	plain, err := readPlain(jsontext.NewDecoder(bytes.NewReader(data)))
	object, _ := plain.(Object)
	return object, err
}

// Merge puts members into an object: in place where a member exists (objects are merged in turn), at the end otherwise, in
// alphabetical order.
func (o Object) Merge(data map[string]any) Object {
	merged := slices.Clone(o)
	for i, m := range merged {
		change, ok := data[m.Name]
		if !ok {
			continue
		}
		inner, isObject := m.Value.(Object)
		changes, isMap := change.(map[string]any)
		if isObject && isMap {
			change = inner.Merge(changes)
		}
		merged[i].Value = change
	}
	var added Object
	for name, value := range data {
		if _, exists := o.Get(name); !exists {
			added = append(added, Member{Name: name, Value: value})
		}
	}
	slices.SortFunc(added, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return append(merged, added...)
}

// readPlain reads one JSON value: an Object, []any, or a scalar as it is written.
func readPlain(dec *jsontext.Decoder) (any, error) {
	switch dec.PeekKind() {
	case '{':
		return readMembers(dec)
	case '[':
		return readItems(dec)
	default:
		value, err := dec.ReadValue()
		return value.Clone(), err
	}
}

func readMembers(dec *jsontext.Decoder) (Object, error) {
	object := Object{}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		member := Member{Name: name.String()}
		if member.Value, err = readPlain(dec); err != nil {
			return nil, err
		}
		object = append(object, member)
	}
	_, err := dec.ReadToken()
	return object, err
}

func readItems(dec *jsontext.Decoder) ([]any, error) {
	items := []any{}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != ']' {
		item, err := readPlain(dec)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := dec.ReadToken()
	return items, err
}

// Get returns a member's value.
func (o Object) Get(name string) (any, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}
