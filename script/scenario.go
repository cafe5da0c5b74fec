package script

// Scenario is a scenario file: a provider's world, how it behaves, and what must come of it.
type Scenario struct {
	Title   string                    `json:"title" doc:"What it shows, in a line."`
	About   string                    `json:"about,omitzero" doc:"More about it."`
	Include []string                  `json:"include,omitempty" doc:"Files whose world and behaviour come before this one's, relative to this file, or names of built-in scenarios. Their steps and cases do not count."`
	Params  map[string]any            `json:"params,omitempty" doc:"Values for holes: params.<name>."`
	Cases   map[string]map[string]any `json:"cases,omitempty" doc:"A table: the scenario is tested once for each, with these params."`

	Seed       *int64                                  `json:"seed,omitzero" doc:"Every id, secret and payload derives from it. Default 1."`
	Origin     string                                  `json:"origin,omitzero" doc:"What ids and secrets derive from beside the seed; recordings have that of their sandbox. Default under test: the file's name and the case."`
	Clock      any                                     `json:"clock,omitzero" doc:"real, an RFC 3339 instant at which it is frozen, or {mode, now, edge, skew}. Default: frozen at 2026-01-08T10:00:00Z under test, as it is while serving."`
	Policies   map[string]any                          `json:"policies,omitempty" doc:"<sim>.<policy>: value."`
	Accounts   map[string]map[string]map[string]string `json:"accounts,omitempty" doc:"Account → sim → credentials with given values. The account default has the ready-made ones; others get a set of their own."`
	State      map[string]string                       `json:"state,omitempty" doc:"Named states and their first values."`
	Receivers  map[string]Receiver                     `json:"receivers,omitempty" doc:"Scripted customer endpoints."`
	Webhooks   []Webhook                               `json:"webhooks,omitempty" doc:"Webhooks that exist already."`
	Deliveries []Delivery                              `json:"deliveries,omitempty" doc:"Deliveries that exist already."`
	Rules      []Rule                                  `json:"rules,omitempty" doc:"How the provider behaves otherwise."`
	Timeline   []Moment                                `json:"timeline,omitempty" doc:"What happens by itself."`
	Steps      []Step                                  `json:"steps,omitempty" doc:"What a test does and expects, in this order. On a frozen clock each is over, with all that is due sent and answered, before the next begins. Ignored while serving."`
}

// Receiver is a scripted customer endpoint (see the receivers of the control API).
type Receiver struct {
	TLS    string `json:"tls,omitzero" doc:"Plain HTTP when left out." enum:"trusted,self_signed,expired,wrong_host,handshake_cut"`
	Script any    `json:"script,omitzero" doc:"{down, replies: [{times, status, header, body, delay, fault, location}], then: last, loop or ok}"`
}

// Webhook is one that exists already, or several.
type Webhook struct {
	Name       string         `json:"name,omitzero" doc:"How the scenario refers to it; those of a count are <name>-1, <name>-2, …"`
	Sim        string         `json:"sim"`
	Count      *int           `json:"count,omitzero" doc:"So many, with generated data; default 1."`
	URL        string         `json:"url,omitzero" doc:"Where it points; default: an address where nobody listens."`
	Events     []string       `json:"events,omitempty" doc:"Event types; default: the sim's first."`
	Account    string         `json:"account,omitzero" doc:"Whose it is; default: the account default."`
	Body       map[string]any `json:"body,omitempty" doc:"Merged into the request of the provider that would create it."`
	CreatedAt  string         `json:"created_at,omitzero" doc:"An instant, or a duration before now such as -48h."`
	State      string         `json:"state,omitzero" enum:"active,disabled,blocked"`
	ErrorCount int            `json:"error_count,omitzero" doc:"Failures in a row so far."`
}

// Delivery is one that exists already, or several.
type Delivery struct {
	Webhook  string         `json:"webhook" doc:"Name of the webhook in the scenario."`
	Type     string         `json:"type" doc:"Event type."`
	Count    *int           `json:"count,omitzero" doc:"So many; default 1."`
	State    string         `json:"state,omitzero" doc:"Default delivered." enum:"delivered,failed,pending,held"`
	Attempts int            `json:"attempts,omitzero" doc:"How many attempts were made; default 1 when delivered or failed."`
	Status   int            `json:"status,omitzero" doc:"What the receiver answered to the last; default 200 when delivered, 500 when not."`
	At       string         `json:"at,omitzero" doc:"When the event happened: an instant, or a duration before now such as -2h."`
	Data     map[string]any `json:"data,omitempty" doc:"Merged into the payload."`
}

// Moment is something that happens by itself: at an instant, again and again, or when an event happens.
type Moment struct {
	At    string   `json:"at,omitzero" doc:"An instant, or a duration since the scenario was applied."`
	On    Targets  `json:"on,omitempty" doc:"When one of these events happens: <sim>.<type>."`
	Every string   `json:"every,omitzero" doc:"Again after this duration."`
	Times *int     `json:"times,omitzero" doc:"How often in all; needed with every. 0: never."`
	Do    []Action `json:"do"`
}

// Step is one thing a test does, and what it expects then. At most one verb; a step without one only expects.
type Step struct {
	Name   string `json:"name,omitzero"`
	If     string `json:"if,omitzero" doc:"An expression; the step is skipped when it is false."`
	Repeat *int   `json:"repeat,omitzero" doc:"So many times; index counts from 0."`

	Call    string            `json:"call,omitzero" doc:"An operation: <sim>.<operation>."`
	As      string            `json:"as,omitzero" doc:"Which account calls; default: default. nobody: without credentials."`
	Token   string            `json:"token,omitzero" doc:"Which of its credentials (read_token) or another value is used where the sim has a token."`
	Params  map[string]any    `json:"params,omitempty" doc:"Path parameters."`
	Query   map[string]any    `json:"query,omitempty"`
	Headers map[string]string `json:"headers,omitempty" doc:"Set after authentication; an empty value takes one away."`
	Body    any               `json:"body,omitzero" doc:"Default: the example of the provider's document. A text is sent as it is."`
	Sign    string            `json:"sign,omitzero" doc:"right, wrong (a signature that does not fit), stale (a timestamp outside of the window) or none." enum:"right,wrong,stale,none"`
	Timeout string            `json:"timeout,omitzero" doc:"Real time the client waits for the answer; default 10s."`

	Raw *Raw `json:"raw,omitzero" doc:"A request as it is, with nothing added."`

	Emit      *Emit             `json:"emit,omitzero" doc:"Make an event happen. Expressions see emitted.id, and emitted.deliveries, the ids of its deliveries."`
	Advance   string            `json:"advance,omitzero" doc:"A duration, an instant, or idle."`
	Clock     map[string]any    `json:"clock,omitempty" doc:"Change the clock: {mode, now, edge, skew}."`
	Set       map[string]string `json:"set,omitempty" doc:"Give named states these values."`
	Policy    map[string]any    `json:"policy,omitempty"`
	Receiver  *ReceiverChange   `json:"receiver,omitzero"`
	Rule      *Rule             `json:"rule,omitzero" doc:"From here on, this rule, too."`
	Drop      string            `json:"drop_rule,omitzero" doc:"From here on, this rule no more: its name."`
	Block     string            `json:"block,omitzero"`
	Unblock   string            `json:"unblock,omitzero"`
	Expire    string            `json:"expire,omitzero"`
	Release   *Release          `json:"release,omitzero"`
	Redeliver string            `json:"redeliver,omitzero"`
	Wait      string            `json:"wait,omitzero" doc:"Until everything due has been sent and answered: idle."`

	Expect *Expect           `json:"expect,omitzero"`
	Save   map[string]string `json:"save,omitempty" doc:"Name → expression; the values can be used from here on."`
}

// Raw is a request as it is.
type Raw struct {
	Sim     string            `json:"sim"`
	Method  string            `json:"method"`
	Path    string            `json:"path" doc:"The provider's own, with query."`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitzero"`
}

// Expect is what a step expects. Members that are left out do not matter.
type Expect struct {
	// Of the answer to call and raw.
	Status  int            `json:"status,omitzero" doc:"Default: below 400, where neither error, refusal, body nor that (response.…) says otherwise."`
	Headers map[string]any `json:"headers,omitempty" doc:"Name → value or matcher."`
	Body    any            `json:"body,omitzero" doc:"Matchers: members that are not named do not matter. A text is the whole body."`
	Error   string         `json:"error,omitzero" doc:"No answer: timeout, or broken (reset, cut, not HTTP)." enum:"timeout,broken"`
	Refusal string         `json:"refusal,omitzero" doc:"The rule of the ledger that refused it."`
	Rules   []string       `json:"rules,omitempty" doc:"The scripted rules that fired."`

	// Of an emit.
	Made *int `json:"made,omitzero" doc:"How many deliveries the event made."`

	// Of the world.
	Deliveries []Expected            `json:"deliveries,omitempty"`
	Webhooks   []Expected            `json:"webhooks,omitempty"`
	Journal    []Expected            `json:"journal,omitempty"`
	Receivers  map[string][]Expected `json:"receivers,omitempty" doc:"What arrived at a receiver."`
	State      map[string]string     `json:"state,omitempty"`
	That       Expressions           `json:"that,omitempty" doc:"Expressions that must be true."`
	Within     string                `json:"within,omitzero" doc:"Real time that the world may take until it is so, such as 10s: for an app that acts by itself. Default: it must be so now."`
}

// Expressions are one expression, or a list.
type Expressions []string

// Expected is some entries of a list: how many match.
type Expected struct {
	Match     map[string]any `json:"match,omitempty" doc:"Matchers, as in verify. Empty: every entry."`
	Count     any            `json:"count,omitzero" doc:"A number, or {min, max}. Default: at least one."`
	Signature string         `json:"signature,omitzero" doc:"Deliveries: whether the signature of each attempt fits what was sent, under the webhook's present key." enum:"valid,invalid"`
	At        []string       `json:"at,omitempty" doc:"Deliveries: the instants of the attempts of the first that matches, or durations since the first of them."`
}
