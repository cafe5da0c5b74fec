package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/script"
)

// MaxRules is how many rules a sandbox may have.
const MaxRules = 10_000

// Part is the rules of one scenario, or those that were added together, and what their expressions see: plain data.
type Part struct {
	Rules []script.Rule  `json:"rules"`
	Vars  map[string]any `json:"vars,omitempty"` // params, receivers, webhooks, accounts, …
	Start time.Time      `json:"start"`          // what durations in from and until count from
}

// Rule is a compiled rule.
type Rule struct {
	script.Rule
	point       script.Point
	vars        map[string]any
	when        *expression.Expression
	from, until moment
	start       time.Time
	per         time.Duration
	actions     []*expression.Template // of Do; nil where there is nothing to fill in
}

// NeedsAccount reports whether the rule looks at whose call it is.
func (r *Rule) NeedsAccount() bool { return strings.Contains(r.When, "account") || r.hasHoles() }

func (r *Rule) hasHoles() bool {
	return slices.ContainsFunc(r.actions, func(t *expression.Template) bool { return t != nil })
}

// Set is the rules of a sandbox, compiled and indexed: what no rule is about costs one look into a map. It is read-only.
type Set struct {
	parts []Part
	rules []*Rule
	index map[script.Point]map[subject][]*Rule
}

// Parts returns what the set was compiled from.
func (s *Set) Parts() []Part {
	if s == nil {
		return nil
	}
	return s.parts
}

// Rules returns the rules in the order in which they are asked.
func (s *Set) Rules() []*Rule {
	if s == nil {
		return nil
	}
	return s.rules
}

// At returns the rules for an operation or event type of a sim, in the order in which they are asked.
func (s *Set) At(p script.Point, sim, name string) []*Rule {
	if s == nil || len(s.index[p]) == 0 {
		return nil
	}
	return s.index[p][subject{sim: sim, name: name}]
}

// Compile checks and compiles the rules of all parts. Rules without a name get one, in the parts, too.
func Compile(parts []Part, n Names) (*Set, error) {
	set := &Set{index: map[script.Point]map[subject][]*Rule{}}
	var faults Faults
	taken := map[string]bool{}
	for _, part := range parts {
		part.Rules = slices.Clone(part.Rules)
		for i := range part.Rules {
			spec := &part.Rules[i]
			if spec.Name == "" {
				spec.Name = freeName(taken, len(set.rules)+1)
			}
			at := fmt.Sprintf("rules[%d]", i)
			if taken[spec.Name] {
				faults = append(faults, Fault{Path: at + ".name", Message: fmt.Sprintf("there is a rule %q already", spec.Name)})
			}
			taken[spec.Name] = true
			wrong := Check(*spec, n)
			if faults = append(faults, wrong.under(at)...); len(wrong) == 0 {
				set.add(compile(*spec, part), n)
			}
		}
		set.parts = append(set.parts, part)
	}
	switch {
	case len(faults) > 0:
		return nil, faults
	case len(set.rules) > MaxRules:
		return nil, Faults{{Path: "rules", Message: fmt.Sprintf("at most %d rules, got %d", MaxRules, len(set.rules))}}
	}
	return set, nil
}

func freeName(taken map[string]bool, n int) string {
	for {
		name := fmt.Sprintf("rule-%d", n)
		if !taken[name] {
			return name
		}
		n++
	}
}

// compile makes a rule ready. It has been checked.
func compile(spec script.Rule, part Part) *Rule {
	point, _, _ := PointOf(spec)
	r := &Rule{Rule: spec, point: point, vars: part.Vars, start: part.Start, actions: make([]*expression.Template, len(spec.Do))}
	if spec.When != "" {
		r.when, _ = expression.Compile(spec.When, Variables(point))
	}
	r.from, _ = parseMoment(spec.From)
	r.until, _ = parseMoment(spec.Until)
	if spec.Rate != nil {
		r.per, _ = Duration(spec.Rate.Per)
	}
	for i, a := range spec.Do {
		if t, err := templateOf(a, point); err == nil && !t.Fixed() {
			r.actions[i] = t
		}
	}
	return r
}

// add puts a rule into the index.
func (s *Set) add(r *Rule, n Names) {
	s.rules = append(s.rules, r)
	_, texts, _ := PointOf(r.Rule)
	targets := make([]target, len(texts))
	for i, text := range texts {
		targets[i], _ = parseTarget(text, r.point, n)
	}
	if s.index[r.point] == nil {
		s.index[r.point] = map[subject][]*Rule{}
	}
	for _, about := range subjects(targets, r.point, n) {
		s.index[r.point][about] = append(s.index[r.point][about], r)
	}
}

// Without returns the parts without the rule of a name, or without any when it is "", and whether there was one. What their
// expressions saw is kept: other rules and actions may name it.
func Without(parts []Part, name string) (rest []Part, found bool) {
	for _, part := range parts {
		part.Rules = slices.DeleteFunc(slices.Clone(part.Rules), func(r script.Rule) bool {
			gone := name == "" || r.Name == name
			found = found || gone
			return gone
		})
		last := len(rest) - 1
		switch {
		case len(part.Rules) == 0 && !part.names(): // nothing is left of it
		case len(part.Rules) == 0 && last >= 0 && len(rest[last].Rules) == 0:
			rest[last].Vars = Joined(rest[last].Vars, part.Vars)
		default:
			rest = append(rest, part)
		}
	}
	return rest, found
}

// names: there is something that expressions could name, beside the sandbox.
func (p Part) names() bool {
	for name := range p.Vars {
		if name != "sandbox" {
			return true
		}
	}
	return false
}

// Joined are the variables of two parts: the members of both, and where both have one, that of the later.
func Joined(earlier, later map[string]any) map[string]any {
	joined := with(earlier, later)
	for name, value := range later {
		more, isObject := value.(map[string]any)
		if had, hadObject := earlier[name].(map[string]any); isObject && hadObject {
			joined[name] = with(had, more)
		}
	}
	return joined
}

// Fill fills the holes of an action that stands in no rule: in the timeline, or performed now.
func Fill(a script.Action, vars expression.Vars) (script.Action, error) {
	t, err := templateOf(a, "")
	if err != nil || t.Fixed() {
		return a, err
	}
	return filled(t, vars)
}

func filled(t *expression.Template, vars expression.Vars) (a script.Action, err error) {
	plain, err := t.Render(vars)
	if err != nil {
		return a, err
	}
	return a, Into(plain, &a)
}

// with is a set of variables with more of them.
func with(base map[string]any, more map[string]any) map[string]any {
	vars := make(map[string]any, len(base)+len(more))
	maps.Copy(vars, base)
	maps.Copy(vars, more)
	return vars
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
