package rule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// Bounds of what scripts may ask for.
const (
	MaxDelay     = time.Minute // of an answer, in real time
	MaxDuplicate = 1000
	MaxPad       = 1 << 20
	MaxEmit      = 10_000
)

// PointOf says what a rule is attached to. Exactly one is right.
func PointOf(r script.Rule) (script.Point, script.Targets, error) {
	var points []string
	var point script.Point
	var targets script.Targets
	for _, p := range []struct {
		point   script.Point
		targets script.Targets
	}{
		{script.OnCall, r.Call},
		{script.OnEvent, r.Event},
		{script.OnDelivery, r.Delivery},
		{script.OnAttempt, r.Attempt},
		{script.OnHandshake, r.Handshake},
	} {
		if len(p.targets) > 0 {
			points = append(points, string(p.point))
			point, targets = p.point, p.targets
		}
	}
	switch len(points) {
	case 0:
		return "", nil, fmt.Errorf("a rule needs one of call, event, delivery, attempt, handshake: what it is attached to")
	case 1:
		return point, targets, nil
	}
	return "", nil, fmt.Errorf("a rule has only one of call, event, delivery, attempt, handshake, got %s", strings.Join(points, " and "))
}

// Variables are the top-level names that expressions see, beside those everywhere.
func Variables(p script.Point) []string {
	always := []string{"state", "params", "receivers", "webhooks", "accounts", "sandbox", "start"}
	switch p {
	case script.OnCall:
		return append(always, "request", "sim", "operation", "account", "retry_after", "count")
	case script.OnEvent:
		return append(always, "event", "sim", "count")
	case script.OnDelivery:
		return append(always, "event", "webhook", "payload", "sim", "count")
	case script.OnAttempt:
		return append(always, "event", "webhook", "payload", "delivery", "attempt", "sim", "count")
	case script.OnHandshake:
		return append(always, "sim", "host", "count")
	}
	return always
}

// Check says everything that is wrong with a rule.
func Check(r script.Rule, n Names) Faults {
	var faults Faults
	wrong := func(path string, err error) {
		if err != nil {
			faults = append(faults, Fault{Path: path, Message: err.Error()})
		}
	}
	point, targets, err := PointOf(r)
	if err != nil {
		return Faults{{Message: err.Error()}}
	}
	for i, text := range targets {
		_, err := parseTarget(text, point, n)
		wrong(fmt.Sprintf("%s[%d]", point, i), err)
	}
	if r.When != "" {
		_, err := expression.Compile(r.When, Variables(point))
		wrong("when", err)
	}
	_, err = parseMoment(r.From)
	wrong("from", err)
	_, err = parseMoment(r.Until)
	wrong("until", err)
	faults = append(faults, checkCounts(r)...)
	if len(r.Do) == 0 {
		wrong("do", fmt.Errorf("a rule without an action does nothing"))
	}
	for i, a := range r.Do {
		faults = append(faults, CheckAction(point, a, n).under(fmt.Sprintf("do[%d]", i))...)
	}
	return append(faults, checkRefusals(r, targets, point, n)...)
}

// checkCounts looks at the conditions that count.
func checkCounts(r script.Rule) Faults {
	var faults Faults
	var used []string
	for _, count := range []struct {
		name  string
		n     *int
		least int
	}{{"first", r.First, 0}, {"skip", &r.Skip, 0}, {"nth", r.Nth, 1}, {"every", r.Every, 1}} {
		if count.n == nil || count.name == "skip" && r.Skip == 0 {
			continue
		}
		if *count.n < count.least {
			faults = append(faults, Fault{Path: count.name, Message: fmt.Sprintf("want %d or more, got %d", count.least, *count.n)})
		}
		used = append(used, count.name)
	}
	if len(used) > 1 {
		faults = append(faults, Fault{Path: used[1], Message: "at most one of first, skip, nth, every; got " + strings.Join(used, " and ")})
	}
	if r.Chance != nil && (*r.Chance < 0 || *r.Chance > 1) {
		faults = append(faults, Fault{Path: "chance", Message: fmt.Sprintf("want a probability from 0 to 1, got %g", *r.Chance)})
	}
	if r.Rate != nil {
		if r.Rate.Over < 0 || r.Rate.Over > 100_000 {
			faults = append(faults, Fault{Path: "rate.over", Message: fmt.Sprintf("want 0 to 100000, got %d", r.Rate.Over)})
		}
		if _, err := Duration(r.Rate.Per); err != nil {
			faults = append(faults, Fault{Path: "rate.per", Message: err.Error()})
		}
	}
	return faults
}

// CheckAction says everything that is wrong with an action at a point; "" is none: the timeline, or now. Texts with holes are
// checked as far as that is possible before they are filled.
func CheckAction(p script.Point, a script.Action, n Names) Faults {
	verbs := Verbs(a)
	if len(verbs) != 1 {
		return Faults{{Message: fmt.Sprintf("an action has exactly one verb, got %s; the verbs here are %s", none(verbs), strings.Join(VerbsAt(p), ", "))}}
	}
	verb := verbs[0]
	if !slices.Contains(VerbsAt(p), verb) {
		return Faults{{Path: verb, Message: fmt.Sprintf("%s has no effect %s; the verbs there are %s", verb, place(p), strings.Join(VerbsAt(p), ", "))}}
	}
	var faults Faults
	wrong := func(path string, err error) {
		if err != nil {
			faults = append(faults, Fault{Path: path, Message: err.Error()})
		}
	}
	if a.After != "" {
		_, err := Duration(a.After)
		wrong("after", err)
		if !slices.Contains(common(), verb) {
			wrong("after", fmt.Errorf("%s happens at once or not at all: it is about what is at hand", verb))
		}
	}
	if _, err := templateOf(a, p); err != nil {
		wrong(verb, err)
	}
	faults = append(faults, checkVerb(p, a, n)...)
	return faults
}

// CheckActions says everything that is wrong with the ith of a list of actions that stand in no rule.
func CheckActions(a script.Action, i int, n Names) Faults {
	return CheckAction("", a, n).under(fmt.Sprintf("actions[%d]", i))
}

func none(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " and ")
}

func place(p script.Point) string {
	if p == "" {
		return "by itself: it is about a call, a delivery or an attempt"
	}
	return "at a rule for " + string(p)
}

// checkVerb looks at the members of the one verb.
func checkVerb(p script.Point, a script.Action, n Names) Faults {
	switch {
	case a.Answer != nil:
		return checkAnswer(*a.Answer).under("answer")
	case a.Refuse != nil:
		return checkRefuse(*a.Refuse, n).under("refuse")
	case a.Delay != nil:
		return checkDelay(p, *a.Delay).under("delay")
	case a.Emit != nil:
		return checkEmit(*a.Emit, n).under("emit")
	case a.Release != nil:
		return checkRelease(*a.Release, n).under("release")
	case a.Headers != nil:
		return checkHeaders(a.Headers).under("headers")
	case a.Policy != nil:
		return checkPolicies(a.Policy, n).under("policy")
	case a.Receiver != nil:
		return one("receiver.name", known(a.Receiver.Name, "receiver", n.Receivers))
	}
	return checkValue(a, n)
}

// checkValue looks at verbs that are one value.
func checkValue(a script.Action, n Names) Faults {
	switch {
	case a.Fault != "":
		return one("fault", oneOf(a.Fault, "reset_before", "reset_during", "hang", "dribble", "truncate", "garbage"))
	case a.Certificate != "":
		return one("certificate", oneOf(a.Certificate, "expired", "wrong_host", "self_signed", "handshake_cut"))
	case a.Duplicate != 0:
		return one("duplicate", within(a.Duplicate, 1, MaxDuplicate))
	case a.Pad != 0:
		return one("pad", within(a.Pad, 1, MaxPad))
	case a.Reorder != "":
		return one("reorder", duration(a.Reorder))
	case a.Stale != "":
		return one("stale", duration(a.Stale))
	case a.Expire != "":
		return one("expire", checkExpire(a.Expire, n))
	case a.Block != "":
		return one("block", checkWebhook(a.Block, n))
	case a.Unblock != "":
		return one("unblock", checkWebhook(a.Unblock, n))
	}
	return nil
}

// one is a fault for an error, if there is one.
func one(path string, err error) Faults {
	if err == nil {
		return nil
	}
	return Faults{{Path: path, Message: err.Error()}}
}

func checkAnswer(a script.Answer) (faults Faults) {
	if a.Status < 200 || a.Status > 599 {
		faults = append(faults, Fault{Path: "status", Message: fmt.Sprintf("want 200 to 599, got %d", a.Status)})
	}
	if (a.Status == http.StatusNoContent || a.Status == http.StatusNotModified) && a.Body != nil {
		faults = append(faults, Fault{Path: "body", Message: fmt.Sprintf("an answer with status %d has no body", a.Status)})
	}
	return append(faults, checkHeaders(a.Headers).under("headers")...)
}

func checkHeaders(headers map[string]string) (faults Faults) {
	for name, value := range headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			faults = append(faults, Fault{Path: name, Message: fmt.Sprintf("%q is no header name", name)})
		case !httpguts.ValidHeaderFieldValue(value):
			faults = append(faults, Fault{Path: name, Message: fmt.Sprintf("%q cannot be the value of a header", value)})
		case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Connection"}, http.CanonicalHeaderKey(name)):
			faults = append(faults, Fault{Path: name, Message: "this header is the server's own; use fault to damage an answer"})
		}
	}
	return faults
}

func checkRefuse(r script.Refuse, n Names) (faults Faults) {
	names := Kinds()
	for _, s := range n.Sims {
		names = append(names, s.Refusals...)
	}
	if !hasHole(r.Error) && !slices.Contains(names, r.Error) {
		faults = append(faults, Fault{
			Path:    "error",
			Message: fmt.Sprintf("%q is no error of a provider%s; every sim has %s", r.Error, suggest(r.Error, names), strings.Join(Kinds(), ", ")),
		})
	}
	if r.Status != 0 && (r.Status < 400 || r.Status > 599) {
		faults = append(faults, Fault{Path: "status", Message: fmt.Sprintf("want 400 to 599, got %d", r.Status)})
	}
	return append(faults, checkHeaders(r.Headers).under("headers")...)
}

// Kinds are the errors that every sim can answer.
func Kinds() []string {
	return []string{"unauthorized", "forbidden", "not_found", "conflict", "rate_limited", "internal", "malformed", "invalid"}
}

func checkDelay(p script.Point, d script.Delay) (faults Faults) {
	spread, err := parseDelay(d)
	if err != nil {
		return Faults{{Message: err.Error()}}
	}
	if longest := max(spread.low, spread.high); p == script.OnCall && longest > MaxDelay {
		faults = append(faults, Fault{Message: fmt.Sprintf("an answer is delayed by at most %s of real time, got %s", MaxDelay, longest)})
	}
	return faults
}

func checkEmit(e script.Emit, n Names) (faults Faults) {
	sim, ok := n.Sim(e.Sim)
	switch {
	case hasHole(e.Sim):
	case !ok:
		faults = append(faults, Fault{Path: "sim", Message: fmt.Sprintf("there is no sim %q%s; the sims are %s", e.Sim, suggest(e.Sim, n.simNames()), strings.Join(n.simNames(), ", "))})
	case !hasHole(e.Type) && !slices.Contains(sim.Events, e.Type):
		faults = append(faults, Fault{Path: "type", Message: fmt.Sprintf("%s has no event type %q%s", e.Sim, e.Type, suggest(e.Type, sim.Events))})
	case e.Environment != "" && !hasHole(e.Environment) && !slices.Contains(sim.Environments, e.Environment):
		faults = append(faults, Fault{Path: "environment", Message: fmt.Sprintf("%s has no environment %q; it has %s", e.Sim, e.Environment, none(sim.Environments))})
	}
	if e.Count != nil {
		if err := within(*e.Count, 0, MaxEmit); err != nil {
			faults = append(faults, Fault{Path: "count", Message: err.Error()})
		}
	}
	return faults
}

func checkRelease(r script.Release, n Names) (faults Faults) {
	if _, ok := n.Sim(r.Sim); r.Sim != "" && !ok {
		faults = append(faults, Fault{Path: "sim", Message: fmt.Sprintf("there is no sim %q%s", r.Sim, suggest(r.Sim, n.simNames()))})
	}
	if r.Webhook != "" {
		if err := checkWebhook(r.Webhook, n); err != nil {
			faults = append(faults, Fault{Path: "webhook", Message: err.Error()})
		}
	}
	if r.Order != "" {
		if err := oneOf(r.Order, "events", "reverse", "shuffle"); err != nil {
			faults = append(faults, Fault{Path: "order", Message: err.Error()})
		}
	}
	if r.Over != "" {
		if err := duration(r.Over); err != nil {
			faults = append(faults, Fault{Path: "over", Message: err.Error()})
		}
	}
	return faults
}

func checkPolicies(set map[string]any, n Names) (faults Faults) {
	for name, value := range set {
		if n.Policy == nil || value == nil || hasHole(fmt.Sprint(value)) {
			continue
		}
		if err := n.Policy(name, value); err != nil {
			faults = append(faults, Fault{Path: name, Message: err.Error(), Name: n.Policy(name, nil) != nil})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	return faults
}

func checkExpire(name string, n Names) error {
	sim, ok := n.Sim(name)
	switch {
	case hasHole(name):
		return nil
	case !ok:
		return fmt.Errorf("there is no sim %q%s; the sims are %s", name, suggest(name, n.simNames()), strings.Join(n.simNames(), ", "))
	case !sim.Expires:
		return fmt.Errorf("%s issues no tokens that could expire", name)
	}
	return nil
}

// checkWebhook looks at a reference: a name of the scenario, an id, or <sim>.* for all of a sim. Ids are not known here.
func checkWebhook(reference string, n Names) error {
	if sim, all := strings.CutSuffix(reference, ".*"); all {
		if _, ok := n.Sim(sim); !ok {
			return fmt.Errorf("there is no sim %q%s", sim, suggest(sim, n.simNames()))
		}
		return nil
	}
	return known(reference, "webhook", n.Webhooks)
}

// known: a reference is among names, as far as they are known.
func known(reference, word string, names []string) error {
	if names == nil || hasHole(reference) || slices.Contains(names, reference) {
		return nil
	}
	return fmt.Errorf("the scenario has no %s %q%s; it has %s", word, reference, suggest(reference, names), none(names))
}

func oneOf(got string, want ...string) error {
	if hasHole(got) || slices.Contains(want, got) {
		return nil
	}
	return fmt.Errorf("want one of %s, got %q%s", strings.Join(want, ", "), got, suggest(got, want))
}

func within(n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("want %d to %d, got %d", low, high, n)
	}
	return nil
}

func duration(text string) error {
	_, err := Duration(text)
	return err
}

func hasHole(text string) bool { return strings.Contains(text, "${{") }

// templateOf compiles the holes of an action.
func templateOf(a script.Action, p script.Point) (*expression.Template, error) {
	data, err := strictjson.Encode(a)
	if err != nil {
		return nil, err
	}
	plain, err := strictjson.Decode(data)
	if err != nil {
		return nil, err
	}
	return expression.ParseTemplate(plain, Variables(p))
}
