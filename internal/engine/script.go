package engine

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brianvoe/gofakeit/v6"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/fault"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// Effect is something that happens beside the call, delivery or attempt a rule is about.
type Effect struct {
	Rule   string // "" when no rule asks for it
	Action script.Action
	Depth  int    // how many effects led to this one, each to the next
	Chain  *Chain // nil: it is the first of one
}

// Chain counts the events that one effect leads to at once, however it branches.
type Chain struct{ Events int }

// Director carries out effects.
type Director interface {
	// Perform carries out effects in their order. What is due later is planned. It is called outside of transactions.
	Perform(s *Sandbox, effects []Effect)
	// Resume takes up what was planned, after a sandbox was restored.
	Resume(s *Sandbox) error
	// Forget is called when what was planned is gone: the sandbox was reset or deleted.
	Forget(s *Sandbox)
}

type noDirector struct{}

func (noDirector) Perform(*Sandbox, []Effect) {}
func (noDirector) Resume(*Sandbox) error      { return nil }
func (noDirector) Forget(*Sandbox)            {}

// SetDirector connects what carries out effects. It is called once, before the first request.
func (e *Engine) SetDirector(d Director) { e.director = d }

// Perform carries out effects of a sandbox.
func (e *Engine) Perform(s *Sandbox, effects []Effect) {
	if len(effects) > 0 {
		e.director.Perform(s, effects)
	}
}

// Rules returns the scripted rules of the sandbox; nil when there are none.
func (s *Sandbox) Rules() *rule.Set { return s.rules.Load() }

// AddRules adds rules behind those there are. All are added or none.
func (s *Sandbox) AddRules(part rule.Part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := rule.Compile(append(slices.Clone(s.Rules().Parts()), part), s.engine.names)
	if err != nil {
		return err
	}
	s.rules.Store(set)
	return nil
}

// DeleteRules takes away the rule of a name, or all when it is "", with what they remember. It reports false when there is
// none of that name.
func (s *Sandbox) DeleteRules(name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.Rules().Rules()
	rest, found := rule.Without(s.Rules().Parts(), name)
	if name != "" {
		if !found {
			return false, nil
		}
		gone = slices.DeleteFunc(slices.Clone(gone), func(r *rule.Rule) bool { return r.Name != name })
	}
	set, err := s.compileRules(rest)
	if err != nil {
		return true, err
	}
	s.rules.Store(set)
	return true, s.Update(func(tx store.Tx) error {
		for _, r := range gone {
			rule.Memories(tx).Delete(r.Name)
		}
		return nil
	})
}

// compileRules compiles parts; nil when there are none.
func (s *Sandbox) compileRules(parts []rule.Part) (*rule.Set, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	return rule.Compile(parts, s.engine.names)
}

// Applied remembers a scenario that was applied.
func (s *Sandbox) Applied(a script.Applied) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = append(slices.Clone(s.applied), a)
}

// Scenarios returns the scenarios that were applied.
func (s *Sandbox) Scenarios() []script.Applied {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied
}

// Vars is what the expressions of actions see that stand in no rule: what all scenarios of the sandbox have named.
func (s *Sandbox) Vars() map[string]any {
	vars := map[string]any{}
	for _, part := range s.Rules().Parts() {
		vars = rule.Joined(vars, part.Vars)
	}
	vars["sandbox"] = s.Name
	return vars
}

// Draw returns a number from 0 to 1 that derives from the seed of the sandbox, for a script.
func (s *Sandbox) Draw(kind string, n uint64) float64 { return s.scriptKey().Value(kind, n).Float() }

// Fake returns a source of realistic data that derives from the seed of the sandbox, for a script.
func (s *Sandbox) Fake(kind string, n uint64) *gofakeit.Faker {
	return sims.Fake(s.scriptKey().Value(kind, n))
}

func (s *Sandbox) scriptKey() derive.Key {
	id := s.identity.Load()
	return derive.Root(id.seed, id.origin).Child("script")
}

// Consult asks rules, in a transaction of their own.
func (s *Sandbox) Consult(tx store.Tx, now time.Time, rules []*rule.Rule, vars func() map[string]any) []rule.Fired {
	return rule.Decide(rule.Input{Tx: tx, Now: now, Vars: vars, Draw: s.Draw, Fake: s.Fake}, rules)
}

// scripted is what rules want of one call.
type scripted struct {
	fired   []string
	headers map[string]string // of a refusal
	fault   fault.Kind
	delay   time.Duration
	patches []map[string]any
	effects []Effect
}

// consult asks the rules about a call. answered: one of them answers it.
func (e *Engine) consult(req *request) (reply sims.Reply, answered bool, err error) {
	rules := req.sandbox.Rules().At(script.OnCall, req.provider.Name, req.call.Operation)
	if len(rules) == 0 {
		return sims.Reply{}, false, nil
	}
	account := e.whose(req, rules)
	var fired []rule.Fired
	vars := sync.OnceValue(func() map[string]any {
		return map[string]any{
			"request": req.plain(), "sim": req.provider.Name, "operation": req.call.Operation, "account": account, "sandbox": req.sandbox.Name,
		}
	})
	err = req.sandbox.Update(func(tx store.Tx) error {
		fired = req.sandbox.Consult(tx, req.call.Now, rules, vars)
		return nil
	})
	if err != nil {
		return sims.Reply{}, false, err
	}
	for _, f := range fired {
		req.script.fired = append(req.script.fired, f.Rule)
		for _, a := range f.Actions {
			switch {
			case a.Answer != nil:
				reply, answered, err = replyOf(*a.Answer), true, nil
			case a.Refuse != nil:
				answered, err = true, e.refusal(req, f.Rule, *a.Refuse)
				req.script.headers = a.Refuse.Headers
			case a.Fault != "":
				req.script.fault = fault.Kind(a.Fault)
			case a.Delay != nil:
				req.script.delay = min(req.script.delay+rule.Draw(*a.Delay, f.U, f.V, rule.MaxDelay), rule.MaxDelay)
			case a.Patch != nil:
				req.script.patches = append(req.script.patches, a.Patch)
			default:
				req.script.effects = append(req.script.effects, Effect{Rule: f.Rule, Action: a, Depth: 1})
			}
		}
	}
	return reply, answered, err
}

// whose is the account of a call, where a rule looks at it. A call that is not authenticated has none.
func (e *Engine) whose(req *request, rules []*rule.Rule) string {
	if req.op == nil || req.provider.Account == nil || !slices.ContainsFunc(rules, (*rule.Rule).NeedsAccount) {
		return ""
	}
	if err := e.authenticate(req); err != nil {
		return ""
	}
	owner := req.provider.Account(req.call)
	return cmp.Or(req.sandbox.AccountNames(req.provider.Name)[owner], owner)
}

// plain is a request as expressions see it.
func (req *request) plain() map[string]any {
	query, headers := map[string]any{}, map[string]any{}
	for name, values := range req.call.Query {
		query[name] = values[0]
	}
	for name, values := range req.call.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	var body any
	if form, err := decodeForm(req.call.Raw); err == nil && strings.HasPrefix(req.call.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		body = form
	} else if decoded, err := strictjson.Decode(req.call.Raw); err == nil {
		body = decoded
	}
	return map[string]any{
		"method": req.call.Method, "path": req.call.Path, "query": query, "headers": headers, "json": body, "body": string(req.call.Raw),
		"params": anyMap(req.call.Params),
	}
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for name, value := range m {
		out[name] = value
	}
	return out
}

// replyOf is a scripted answer.
func replyOf(a script.Answer) sims.Reply {
	reply := sims.Reply{Status: a.Status, Header: http.Header{}}
	for name, value := range a.Headers {
		reply.Header.Set(name, value)
	}
	if text, ok := a.Body.(string); ok {
		reply.Raw = []byte(text)
		if reply.Header.Get("Content-Type") == "" {
			reply.ContentType = "text/plain; charset=utf-8"
		}
		return reply
	}
	reply.Body = a.Body
	reply.ContentType = reply.Header.Get("Content-Type")
	return reply
}

// refusal is an error of the provider that a rule asks for: one of its own, or one of a kind that every provider has.
func (e *Engine) refusal(req *request, name string, r script.Refuse) error {
	failure := sims.Failure{Kind: sims.KindNames()[r.Error]}
	if made, ok := req.provider.Refusals[r.Error]; ok {
		err := made(req.call)
		own, isFailure := sims.AsFailure(err)
		if !isFailure {
			return fmt.Errorf("the refusal %s of %s: %w", r.Error, req.provider.Name, err)
		}
		failure = own
	} else if _, ok := sims.KindNames()[r.Error]; !ok {
		failure.Kind = sims.Internal
	}
	failure.Saw, failure.Want = "the scripted rule "+name+", which refuses with "+r.Error, "no such rule"
	if failure.Rule == "" {
		failure.Rule = RuleScripted
	}
	if r.Status != 0 {
		failure.Status = r.Status
	}
	if r.Code != "" {
		failure.Code = r.Code
	}
	if r.Message != "" {
		failure.Message = r.Message
	}
	return failure
}

// RuleScripted is the rule of a refusal that a script asks for, and that no rule of the provider explains.
const RuleScripted = "scripted-errors"

// act puts what rules want into an answer.
func (req *request) act(out *rendered) {
	for name, value := range req.script.headers {
		if out.header == nil {
			out.header = http.Header{}
		}
		out.header.Set(name, value)
	}
	for _, patch := range req.script.patches {
		object, err := sims.ReadObject(out.body)
		if err != nil || object == nil {
			continue // nothing that could be merged into
		}
		if patched, err := strictjson.Encode(object.Merge(patch)); err == nil {
			out.body = patched
		}
	}
}

// send writes an answer, as late and as damaged as rules want it.
func (req *request) send(w http.ResponseWriter, out rendered) {
	if req.script.fault == "" {
		write(w, req.http, out.status, out.header, out.body)
		return
	}
	fault.Serve(w, req.http, req.script.fault, fault.Answer{Status: out.status, Header: out.header, Body: out.body})
}

// answerTime is how long writing an answer may take once its delay is over.
const answerTime = 10 * time.Second

// linger delays an answer, whatever time the server has for others. A client that goes away meanwhile is none to wait for.
func (req *request) linger(w http.ResponseWriter) {
	if req.script.delay > 0 {
		limits := http.NewResponseController(w)
		_ = limits.SetReadDeadline(time.Time{}) // there is none without a connection
		_ = limits.SetWriteDeadline(clock.WallNow().Add(req.script.delay + answerTime))
		clock.Pause(req.http.Context(), req.script.delay)
	}
}
