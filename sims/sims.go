// Package sims is what the author of a provider needs to know, and nothing else: a provider is a Sim value, its
// operations are Handlers that take a Call and return a Reply or a Failure, and its deliveries are described by a
// Delivery value. Handlers never see an http.ResponseWriter, a router, a lock or the machine's clock.
//
// Each provider lives in its own folder below this one and imports only this package and its OpenAPI document.
package sims

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mocksrv/mocksrv/internal/contract"
)

// Sim is one simulated provider. Its OpenAPI document is its routing table, its schemas, its ledger and its policies;
// the value holds what a document cannot say.
type Sim struct {
	// Name is the folder, the URL prefix and the name of the document: "bts".
	Name string
	// Title is what people call the provider.
	Title string
	// Spec is the OpenAPI 3.0.3 document.
	Spec []byte
	// Hosts are the provider's real host names, with the port where the provider uses an unusual one. Requests whose
	// Host is one of them reach the sim without its prefix.
	Hosts []string

	// Seed creates one account with its credentials, and returns these. It runs for every sandbox, so it does nothing
	// costly; and once more for each further account, with an Env from which everything derives anew. Each value that
	// Given names it takes from Env.Ready.
	Seed func(*Env) Credentials
	// Reveal, when set, adds credentials that are costly to make. It runs when somebody first asks for them.
	Reveal func(*Env, Credentials)
	// Given says which credentials may be given instead of derived, each with the check of its form: an error says what
	// the provider would accept. It runs before Seed and may look whether the value is taken.
	Given map[string]func(e *Env, value string) error
	// Owner is the account that credentials belong to, in the neutral word of Webhook.Account.
	Owner func(*Env, Credentials) string
	// Credential returns the part of a request that tells whose it is (a token, a key), or "". Names claimed with
	// Env.Tx.Claim lead a request that carries them to their sandbox.
	Credential func(*http.Request) string
	// Admit, when set, decides by the client's certificate whether a request that came over TLS, under one of Hosts, comes
	// in. It runs before anything but the size is checked. On those hosts a TLS listener asks clients for their certificate.
	Admit func(*Call, Caller) error
	// Auth has one function for each security scheme of the document.
	Auth map[string]AuthFunc
	// Headers, when set, runs after authentication and before the body is looked at.
	Headers func(*Call) error
	// Check, when set, runs when the body has been decoded and before it is validated.
	Check func(*Call) error
	// Ops has one handler for each operationId of the document.
	Ops map[string]Handler
	// Fail renders a failure in the provider's envelope.
	Fail func(*Call, Failure) Reply
	// Rule, when set, names the ledger entry of a failure that the engine found, where the ledger has a closer one than
	// the engine's own (a certain field, a certain parameter). "" keeps the engine's.
	Rule func(*Call, Failure) string
	// Finish, when set, adds what every reply of the provider carries (a correlation id).
	Finish func(*Call, *Reply)
	// Account is whose call it is, in the neutral word of Webhook.Account: "" before authentication.
	Account func(*Call) string
	// Refusals are the provider's own errors by name (duplicate_request), beside those of KindNames: what a script may
	// ask for, on any call, with or without a body and a caller.
	Refusals map[string]func(*Call) error
	// NumericCodes: the error code in the envelope is a number, so a script can ask for no other.
	NumericCodes bool
	// Expire, when set, lets every token that was issued expire now, and returns how many. Nil: the provider issues none.
	Expire func(*Env) int

	// Webhooks lists every stored webhook in one neutral shape, in creation order.
	Webhooks func(*Env) []Webhook
	// Plant says how a webhook is made that exists from the start.
	Plant *Plant
	// Delivery says how the provider sends events. Nil: it sends none.
	Delivery *Delivery

	// Authorize makes a request as a client of the provider would: authenticated, signed, timestamped where the caller
	// gives no timestamp.
	Authorize func(*ClientRequest) error
	// Curl is a shell line that works when pasted: a first request to the provider with its ready-made credentials.
	Curl func(base string, credentials Credentials) string
	// Placeholders maps literals in the document's examples to the credential that replaces them when an example is sent.
	Placeholders map[string]string
}

// Credentials are the ready-made credentials of a sandbox: name → value.
type Credentials map[string]string

// Caller is a client that came over TLS under one of the provider's host names.
type Caller struct {
	Host        string // the name, without port
	Certificate string // whose certificate it showed, as its subject and issuer; "": it showed none
	Wrong       string // why that is not to be trusted, in words that go after "a certificate"; "": it is
}

// Handler performs one operation. It reads and changes state only through c.Tx; when it returns an error, every change
// is undone. The error is a Failure, or a defect of the simulator.
type Handler func(c *Call) (Reply, error)

// AuthFunc checks one security scheme. It may set c.Principal. scopes are those the operation asks for.
type AuthFunc func(c *Call, scopes []string) error

// Env is the world a piece of provider code runs in.
type Env struct {
	// Tx is the state of this sim in this sandbox.
	Tx Tx
	// Now is the world clock's instant, fixed for the duration of the call.
	Now time.Time
	// Edge is the edge clock's instant: compare it with what the counterpart's clock says.
	Edge time.Time
	// Policies are the switches as set in this sandbox.
	Policies Policies
	// Catalogue lists the provider's event types in documented order. Read-only.
	Catalogue []EventType

	// AccountName is DefaultAccount, but for Seed, Reveal and Given of another account: then its name.
	AccountName string

	derive deriver
	given  Credentials
}

// Call is one request to one operation.
type Call struct {
	*Env
	N         uint64 // the number of this call in its sandbox: 1, 2, …
	Operation string // operationId; "" before routing succeeded
	Method    string
	Path      string // as sent, without prefix and query
	Header    http.Header
	Query     url.Values
	Params    map[string]string // path parameters, unescaped
	Raw       []byte            // the body as it came
	// Body is the decoded body: set when the operation has one, after authentication. JSON objects are map[string]any,
	// numbers float64.
	Body any
	// Principal is who authentication found: the sim's own type.
	Principal any
	// Effects are what the handler wants done with deliveries, in the same transaction as its own changes.
	Effects Effects

	decode func() (any, error)
	parsed bool
	err    error
}

// Decoded returns the decoded body, for authentication that depends on it. Everyone else reads Body. A body that
// cannot be decoded gives a Failure of kind Malformed; an empty one gives nil.
func (c *Call) Decoded() (any, error) {
	if !c.parsed && c.decode != nil { // before routing, nothing says how
		c.parsed = true
		c.Body, c.err = c.decode()
	}
	return c.Body, c.err
}

// SetDecoder is called by the engine.
func (c *Call) SetDecoder(decode func() (any, error)) { c.decode = decode }

// Object returns the decoded body as an object; nil when it is none.
func (c *Call) Object() map[string]any {
	object, _ := c.Body.(map[string]any)
	return object
}

// Reply is what a handler answers. The body is encoded after the call, with struct fields in their order.
type Reply struct {
	Status int
	Header http.Header
	Body   any // nil: no content
	// Raw, when set, is sent as it is instead of Body.
	Raw         []byte
	ContentType string // "" means application/json for a Body
}

// Kind says in which way a request failed, so that a provider can choose status and envelope.
type Kind int

// The kinds of failure. Those up to Invalid come from the engine; the others from providers.
const (
	Internal         Kind = iota // a defect of the simulator
	UnknownPath                  // no operation has this path
	WrongMethod                  // the path exists, the method does not
	TooLarge                     // body over the limit
	WrongContentType             // missing or undeclared media type
	Malformed                    // not decodable: syntax, trailing data, duplicate keys, not UTF-8
	MissingBody                  // a required body is empty; Fields says what it would need
	Invalid                      // violates the schema; Fields says where
	Unauthorized                 // missing, unknown or expired credentials
	Forbidden                    // known, but may not
	NotFound                     // no such object
	Conflict                     // clashes with what exists
	Refused                      // any other rule of the provider
	RateLimited
)

// Failure is a request the provider refuses. Rule is the id of the ledger entry that says why; Saw and Want explain the
// refusal in the journal and never reach the client.
type Failure struct {
	Kind   Kind
	Rule   string
	Saw    string
	Want   string
	Fields []FieldError
	Allow  []string // WrongMethod: the methods that exist
	// Code, Message and Status carry what a provider's own constructor or a script chose. Fail renders each that is set
	// instead of what belongs to the kind, as far as the envelope has a place for it.
	Code    string
	Message string
	Status  int
}

// FieldError is one violation of the schema.
type FieldError = contract.FieldError

// Error implements error.
func (f Failure) Error() string {
	return fmt.Sprintf("refused by rule %s: saw %s, want %s", f.Rule, f.Saw, f.Want)
}

// ScriptedRule is the ledger entry that every document has for the failures of KindNames: they are answered only when a
// script asks for them.
const ScriptedRule = "scripted-errors"

// KindNames are the failures that a script may ask of any provider, by name.
func KindNames() map[string]Kind {
	return map[string]Kind{
		"unauthorized": Unauthorized, "forbidden": Forbidden, "not_found": NotFound, "conflict": Conflict,
		"rate_limited": RateLimited, "internal": Internal, "malformed": Malformed, "invalid": Invalid,
	}
}

// AsFailure finds the Failure in an error.
func AsFailure(err error) (Failure, bool) {
	if err == nil {
		return Failure{}, false
	}
	var f Failure
	ok := errors.As(err, &f)
	return f, ok
}

// Closest is the one ledger entry that a provider's Rule names for each violation of the schema: "" when they differ, or
// when there are none.
func (f Failure) Closest(rule func(FieldError) string) string {
	if len(f.Fields) == 0 {
		return ""
	}
	first := rule(f.Fields[0])
	for _, field := range f.Fields[1:] {
		if rule(field) != first {
			return ""
		}
	}
	return first
}

// Policies gives typed access to the switches of a sim. Asking for a policy the ledger does not have is a defect and
// panics.
type Policies interface {
	Enum(name string) string
	Bool(name string) bool
	Int(name string) int
	Duration(name string) time.Duration
	Durations(name string) []time.Duration
}

// Webhook is a stored webhook in the neutral shape of the control API.
type Webhook struct {
	ID         string    `json:"id"`
	Sim        string    `json:"sim"`
	Account    string    `json:"account"`
	URL        string    `json:"url"`
	State      string    `json:"state"` // active, disabled, blocked, deleted
	Events     []string  `json:"events"`
	ErrorCount int       `json:"error_count"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at,omitzero"`
	Provider   any       `json:"provider"` // the provider's own object
}

// The states of a webhook in the neutral shape.
const (
	Active   = "active"
	Disabled = "disabled"
	Blocked  = "blocked"
	Deleted  = "deleted"
)

// ClientRequest is a request to the sim, as a client of the provider is about to send it.
type ClientRequest struct {
	Operation   string
	Method      string
	URL         *url.URL
	Header      http.Header
	Body        []byte
	Credentials Credentials
	Now         time.Time // the client's clock
	// Given reports whether the caller gives a member of the body or a query parameter itself, as it is to be sent. Nil: none.
	Given func(name string) bool
}

// Stamps reports whether a timestamp of this name is for Authorize to set.
func (r *ClientRequest) Stamps(name string) bool { return r.Given == nil || !r.Given(name) }
