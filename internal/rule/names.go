// Package rule compiles scripted rules, checks them, and decides which of them fire. It carries nothing out: the actions of the
// rules that fire are for those who own the points (the request path, the delivery engine, the TLS handshake).
//
// What a rule remembers (how often it matched, the named states) is plain data in the store of its sandbox.
package rule

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/script"
)

// Names is what rules may refer to.
type Names struct {
	Sims []SimNames
	// Policy says what is wrong with the value of a policy named <sim>.<policy>; nil: nothing.
	Policy func(name string, value any) error
	// Webhooks and Receivers are the names of the scenario. Nil: they are not known here, and not checked.
	Webhooks, Receivers []string
}

// SimNames is what one sim offers to rules.
type SimNames struct {
	Name         string
	Operations   []string
	Events       []string
	Refusals     []string // beside those every sim has
	Rules        []string // the entries of its ledger, which its refusals name
	Environments []string
	Expires      bool // it issues tokens that can be made to expire
	NumericCodes bool // its error codes are numbers
}

// Sim finds a sim by name.
func (n Names) Sim(name string) (SimNames, bool) {
	i := slices.IndexFunc(n.Sims, func(s SimNames) bool { return s.Name == name })
	if i < 0 {
		return SimNames{}, false
	}
	return n.Sims[i], true
}

func (n Names) simNames() []string {
	names := make([]string, len(n.Sims))
	for i, s := range n.Sims {
		names[i] = s.Name
	}
	return names
}

// Fault is one thing that is wrong with a rule.
type Fault struct {
	Path    string // below the rule: do[0].answer.status
	Message string
	Name    bool // the name at the end of the path is wrong, not its value
}

// Error implements error.
func (f Fault) Error() string { return strings.TrimPrefix(f.Path+": "+f.Message, ": ") }

// Faults are all things that are wrong.
type Faults []Fault

// Error implements error.
func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i := range f {
		texts[i] = f[i].Error()
	}
	return strings.Join(texts, "; ")
}

// under moves faults below a path.
func (f Faults) under(path string) Faults {
	for i := range f {
		switch {
		case f[i].Path == "":
			f[i].Path = path
		case strings.HasPrefix(f[i].Path, "["):
			f[i].Path = path + f[i].Path
		default:
			f[i].Path = path + "." + f[i].Path
		}
	}
	return f
}

// target is one name of operations or events: of one sim or of all.
type target struct {
	sim, name string // "" is all
	prefix    bool   // name is the beginning of names
}

// subject is something that a rule may be attached to.
type subject struct{ sim, name string }

// offered are the names of a sim at a point.
func (s SimNames) offered(p script.Point) []string {
	switch p {
	case script.OnCall:
		return s.Operations
	case script.OnHandshake:
		return nil
	default:
		return s.Events
	}
}

// parseTarget reads a name such as bankly.createConfiguration, bankly.PIX*, bankly.* or *.
func parseTarget(text string, p script.Point, n Names) (target, error) {
	if text == "*" {
		return target{prefix: true}, nil
	}
	simName, name, dotted := strings.Cut(text, ".")
	sim, ok := n.Sim(simName)
	switch {
	case !ok:
		return target{}, fmt.Errorf("%q names no sim%s; the sims are %s", text, suggest(simName, n.simNames()), strings.Join(n.simNames(), ", "))
	case p == script.OnHandshake:
		if dotted {
			return target{}, fmt.Errorf("%q: a handshake is with a sim: %s", text, simName)
		}
		return target{sim: simName, prefix: true}, nil
	case !dotted:
		return target{}, fmt.Errorf("%q: want %s.<%s>, or %s.* for all", text, simName, wordFor(p), simName)
	}
	t := target{sim: simName, name: strings.TrimSuffix(name, "*"), prefix: strings.HasSuffix(name, "*")}
	if len(t.among(sim, p)) == 0 {
		return target{}, fmt.Errorf("%s has no %s %q%s", simName, wordFor(p), name, suggest(t.name, sim.offered(p)))
	}
	return t, nil
}

func wordFor(p script.Point) string {
	if p == script.OnCall {
		return "operation"
	}
	return "event type"
}

// among are the names of a sim that the target means.
func (t target) among(s SimNames, p script.Point) []string {
	return slices.DeleteFunc(slices.Clone(s.offered(p)), func(name string) bool {
		if t.prefix {
			return !strings.HasPrefix(name, t.name)
		}
		return name != t.name
	})
}

// subjects are all that targets mean. A target that means a whole sim also means what has no name: a call of no operation.
func subjects(targets []target, p script.Point, n Names) []subject {
	seen := map[subject]bool{}
	var list []subject
	add := func(s subject) {
		if !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	for _, t := range targets {
		for _, s := range n.Sims {
			if t.sim != "" && t.sim != s.Name {
				continue
			}
			if t.prefix && t.name == "" {
				add(subject{sim: s.Name})
			}
			for _, name := range t.among(s, p) {
				add(subject{sim: s.Name, name: name})
			}
		}
	}
	return list
}

// suggest is what a wrong name could have been.
func suggest(wrong string, names []string) string {
	if best := near.Best(wrong, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// Verbs returns the verbs an action has, in the order of their documentation.
func Verbs(a script.Action) []string {
	var verbs []string
	v := reflect.ValueOf(a)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "after" && !v.Field(i).IsZero() {
			verbs = append(verbs, name)
		}
	}
	return verbs
}

// common are the verbs that need nothing at hand.
func common() []string {
	return []string{"set", "emit", "policy", "block", "unblock", "expire", "release", "redeliver", "receiver"}
}

// VerbsAt returns the verbs of a point. "" is no point: the timeline, or now.
func VerbsAt(p script.Point) []string {
	switch p {
	case script.OnCall:
		return append([]string{"answer", "refuse", "fault", "patch", "delay"}, common()...)
	case script.OnDelivery:
		return append([]string{"delay", "drop", "hold", "duplicate", "reorder", "payload", "pad"}, common()...)
	case script.OnAttempt:
		return append([]string{"corrupt_signature", "stale", "old_key", "headers", "fail"}, common()...)
	case script.OnHandshake:
		return []string{"certificate"}
	}
	return common()
}
