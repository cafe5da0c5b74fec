// Package script has the language in which the behaviour of providers is scripted: rules, and scenario files. It is types
// only, plain data that reads and writes as JSON and YAML; docs/guide-scenarios.md explains each with examples.
//
// Rules say when a provider behaves otherwise than it would, and what it does then: attached to a point (a call of an
// operation, an event, a delivery that is made, an attempt, a TLS handshake), with conditions and a list of actions.
package script

// Rule is scripted behaviour, as it is written in scenario files and sent to the control API.
type Rule struct {
	Name string `json:"name,omitzero" doc:"Shown in the journal and in messages. Default: rule-1, rule-2, …"`

	Call      Targets `json:"call,omitempty" doc:"Calls of these operations: <sim>.<operation>, <sim>.*, or *."`
	Event     Targets `json:"event,omitempty" doc:"Events that happen: <sim>.<type>, <sim>.<prefix>*, or *."`
	Delivery  Targets `json:"delivery,omitempty" doc:"Deliveries of these events, when they are made: one for each webhook that matches."`
	Attempt   Targets `json:"attempt,omitempty" doc:"Attempts of deliveries of these events: each HTTP request."`
	Handshake Targets `json:"handshake,omitempty" doc:"TLS handshakes on the real host names of these sims: <sim>, or *."`

	When   string            `json:"when,omitzero" doc:"An expression that must be true."`
	State  map[string]string `json:"state,omitempty" doc:"Named states that must have these values."`
	From   string            `json:"from,omitzero" doc:"Not before: an instant, or a duration since the scenario was applied."`
	Until  string            `json:"until,omitzero" doc:"Only before: an instant, or a duration since the scenario was applied."`
	Rate   *Rate             `json:"rate,omitzero" doc:"Only when there were more than so many in a period."`
	First  *int              `json:"first,omitzero" doc:"Only the first N of those that meet the other conditions; 0: none."`
	Skip   int               `json:"skip,omitzero" doc:"Not the first N of them."`
	Nth    *int              `json:"nth,omitzero" doc:"Only the Nth of them." minimum:"1"`
	Every  *int              `json:"every,omitzero" doc:"Every Nth of them." minimum:"1"`
	Chance *float64          `json:"chance,omitzero" doc:"Then with this probability, from 0 to 1, by the seed."`

	Do []Action `json:"do" doc:"What happens, in this order."`
}

// Targets names what a rule is attached to. In a file it is one name or a list.
type Targets []string

// Rate is more than Over in a sliding period.
type Rate struct {
	Over int    `json:"over" doc:"So many are let through."`
	Per  string `json:"per" doc:"In this period of world time."`
}

// Action is one thing that happens: exactly one verb, and possibly After.
type Action struct {
	After string `json:"after,omitzero" doc:"So much world time later. Not for verbs about the call, delivery or attempt at hand."`

	// Calls.
	Answer *Answer        `json:"answer,omitzero" doc:"Answer this instead of the provider's own answer; the operation is not performed."`
	Refuse *Refuse        `json:"refuse,omitzero" doc:"Answer an error of the provider, in its own envelope; the operation is not performed."`
	Fault  string         `json:"fault,omitzero" doc:"Damage the answer on the wire." enum:"reset_before,reset_during,hang,dribble,truncate,garbage"`
	Patch  map[string]any `json:"patch,omitempty" doc:"Merge this into the JSON body of the answer."`

	// Calls and deliveries.
	Delay *Delay `json:"delay,omitzero" doc:"Calls: answer so much real time later. Deliveries: the first attempt comes so much world time later."`

	// Deliveries.
	Drop      bool           `json:"drop,omitzero" doc:"The delivery is not made: it is listed as dropped."`
	Hold      bool           `json:"hold,omitzero" doc:"It is held until a release."`
	Duplicate int            `json:"duplicate,omitzero" doc:"So many more of the same." minimum:"1"`
	Reorder   string         `json:"reorder,omitzero" doc:"Its first attempt comes after a drawn part of this duration, so that deliveries overtake each other."`
	Payload   map[string]any `json:"payload,omitempty" doc:"Merge this into the payload: changed or unknown members."`
	Pad       int            `json:"pad,omitzero" doc:"Make the payload longer by so many bytes, in a member of its own." minimum:"1"`

	// Attempts.
	CorruptSignature bool              `json:"corrupt_signature,omitzero" doc:"Send a signature that does not fit."`
	Stale            string            `json:"stale,omitzero" doc:"Sign and stamp it as if so much time had passed since."`
	OldKey           bool              `json:"old_key,omitzero" doc:"Sign it with the key the webhook had before its present one."`
	Headers          map[string]string `json:"headers,omitempty" doc:"Set these headers. An empty value takes one away."`
	Fail             string            `json:"fail,omitzero" doc:"Do not send it: it failed, for this reason in words."`

	// Handshakes.
	Certificate string `json:"certificate,omitzero" doc:"What the client meets." enum:"expired,wrong_host,self_signed,handshake_cut"`

	// Everywhere.
	Set       map[string]string `json:"set,omitempty" doc:"Give named states these values."`
	Emit      *Emit             `json:"emit,omitzero" doc:"Make an event happen."`
	Policy    map[string]any    `json:"policy,omitempty" doc:"Set policies; null returns one to its default."`
	Block     string            `json:"block,omitzero" doc:"Block this webhook: its name in the scenario, its id, or <sim>.* for all."`
	Unblock   string            `json:"unblock,omitzero" doc:"Lift the block, as the provider's web cabinet does."`
	Expire    string            `json:"expire,omitzero" doc:"Let all issued tokens of this sim expire."`
	Release   *Release          `json:"release,omitzero" doc:"Send what rules hold."`
	Redeliver string            `json:"redeliver,omitzero" doc:"Send this delivery once more: its id."`
	Receiver  *ReceiverChange   `json:"receiver,omitzero" doc:"Give a receiver another script."`
}

// Answer is a scripted answer to a call.
type Answer struct {
	Status  int               `json:"status" doc:"200 to 599."`
	Headers map[string]string `json:"headers,omitempty" doc:"Its headers."`
	Body    any               `json:"body,omitzero" doc:"A text is sent as it is, anything else as JSON."`
}

// Refuse is an error of the provider. In a file it may be its name alone.
type Refuse struct {
	Error   string            `json:"error" doc:"unauthorized, forbidden, not_found, conflict, rate_limited, internal, malformed, invalid, or a name of the sim's own."`
	Status  int               `json:"status,omitzero" doc:"Another status than the provider's."`
	Code    string            `json:"code,omitzero" doc:"Another error code."`
	Message string            `json:"message,omitzero" doc:"Another text."`
	Headers map[string]string `json:"headers,omitempty" doc:"Added to the answer, such as Retry-After."`
}

// Delay is a duration: fixed, uniform between two, or log-normal by its median and 95th percentile. In a file a fixed one is
// written as the duration alone.
type Delay struct {
	Fixed  string `json:"fixed,omitzero" doc:"A fixed one."`
	Min    string `json:"min,omitzero" doc:"Uniform: the shortest."`
	Max    string `json:"max,omitzero" doc:"Uniform: the longest."`
	Median string `json:"median,omitzero" doc:"Log-normal: half of them are shorter."`
	P95    string `json:"p95,omitzero" doc:"Log-normal: 95 of 100 are shorter."`
}

// Emit is an event that a rule makes happen.
type Emit struct {
	Sim         string         `json:"sim" doc:"The provider."`
	Type        string         `json:"type" doc:"One of its event types."`
	Account     string         `json:"account,omitzero" doc:"Whose event it is. Default: the account of the ready-made credentials."`
	Environment string         `json:"environment,omitzero" doc:"The provider's word for test or live."`
	Data        map[string]any `json:"data,omitempty" doc:"Merged into the payload."`
	Payload     map[string]any `json:"payload,omitempty" doc:"Instead of the payload."`
	Count       *int           `json:"count,omitzero" doc:"So many; default 1."`
}

// Release sends held deliveries.
type Release struct {
	Sim     string `json:"sim,omitzero" doc:"Of this sim; default: all."`
	Webhook string `json:"webhook,omitzero" doc:"Of this webhook: its name or id."`
	Order   string `json:"order,omitzero" doc:"In the order of the events, backwards, or shuffled by the seed." enum:"events,reverse,shuffle"`
	Over    string `json:"over,omitzero" doc:"Spread evenly over this duration instead of at once."`
}

// ReceiverChange gives a receiver another script.
type ReceiverChange struct {
	Name   string `json:"name" doc:"Its name."`
	Script any    `json:"script" doc:"As in receivers."`
}

// Point is where rules are looked for.
type Point string

// The points.
const (
	OnCall      Point = "call"
	OnEvent     Point = "event"
	OnDelivery  Point = "delivery"
	OnAttempt   Point = "attempt"
	OnHandshake Point = "handshake"
)
