package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/script"
)

// checkMatch refuses members and words that the entries of a list never have.
func (c *checker) checkMatch(path string, want any, t reflect.Type, enum string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch w := want.(type) {
	case string:
		if enum != "" && !hasHole(w) {
			c.refuse(path, oneOf(w, strings.Split(enum, ",")...))
		}
	case []any:
		for i, item := range w {
			if t.Kind() == reflect.Slice {
				c.checkMatch(fmt.Sprintf("%s[%d]", path, i), item, t.Elem(), enum)
			}
		}
	case map[string]any:
		if match.IsOperator(w) {
			c.checkOperands(path, w, t, enum)
		} else if t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() {
			c.checkMembersOf(path, w, t)
		}
	}
}

// checkOperands looks at what operators compare with.
func (c *checker) checkOperands(path string, operators map[string]any, t reflect.Type, enum string) {
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		below := join(path, name)
		switch operand := operators[name]; name {
		case "$not", "$exact":
			c.checkMatch(below, operand, t, enum)
		case "$in":
			c.checkMatch(below, operand, reflect.SliceOf(t), enum)
		case "$contains":
			if t.Kind() == reflect.Slice {
				c.checkMatch(below, operand, t.Elem(), enum)
			}
		}
	}
}

func (c *checker) checkMembersOf(path string, want map[string]any, t reflect.Type) {
	fields := membersOf(t)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			c.refuseName(join(path, name), errors.New(noMember(name, fields)))
			continue
		}
		c.checkMatch(join(path, name), want[name], fields[i].Type, fields[i].Tag.Get("enum"))
	}
}

// noMember says that an entry has no member of a name, and which of its members has one.
func noMember(name string, fields []field) string {
	for _, f := range fields {
		t := f.Type
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		own := func(of field) bool { return of.name == name }
		if t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() && slices.ContainsFunc(membersOf(t), own) {
			return fmt.Sprintf("unknown member; %s in %s is one", name, f.name)
		}
	}
	return unknownMember(name, fields)
}

// membersOf are the members of an entry: those of the control API, and the decoded bodies of messages.
func membersOf(t reflect.Type) []field {
	fields := fieldsOf(t)
	if t == reflect.TypeFor[client.Message]() {
		fields = append(fields, field{StructField: reflect.StructField{Type: reflect.TypeFor[any]()}, name: "json"})
	}
	return fields
}

// checkRefusal refuses a rule that the ledger of the sim does not have.
func (c *checker) checkRefusal(path string, s script.Step) {
	name, _, _ := strings.Cut(s.Call, ".")
	if s.Raw != nil {
		name = s.Raw.Sim
	}
	sim, ok := c.names.Sim(name)
	if want := s.Expect.Refusal; ok && want != "" && !hasHole(want) && !slices.Contains(sim.Rules, want) {
		c.wrong(path, "the ledger of %s has no entry %q%s (mocksrv ledger lists them)", name, want, onlyNear(want, sim.Rules))
	}
}

// checkStates refuses conditions on named states that nothing ever sets.
func (c *checker) checkStates() {
	set := maps.Clone(c.s.State)
	if set == nil {
		set = map[string]string{}
	}
	actions := slices.Clone(c.s.Timeline)
	for _, r := range c.s.Rules {
		actions = append(actions, script.Moment{Do: r.Do})
	}
	for _, s := range c.s.Steps {
		maps.Copy(set, s.Set)
		if s.Rule != nil {
			actions = append(actions, script.Moment{Do: s.Rule.Do})
		}
	}
	for _, m := range actions {
		for _, a := range m.Do {
			maps.Copy(set, a.Set)
		}
	}
	known := slices.Sorted(maps.Keys(set))
	for i, r := range c.s.Rules {
		c.checkStateNames(fmt.Sprintf("rules[%d].state", i), r.State, known)
	}
	for i, s := range c.s.Steps {
		if s.Rule != nil {
			c.checkStateNames(fmt.Sprintf("steps[%d].rule.state", i), s.Rule.State, known)
		}
	}
}

func (c *checker) checkStateNames(path string, state map[string]string, known []string) {
	for _, name := range slices.Sorted(maps.Keys(state)) {
		if !slices.Contains(known, name) {
			c.refuseName(join(path, name), fmt.Errorf("nothing sets a state %q, so the rule never acts; give it a first value in state%s", name, onlyNear(name, known)))
		}
	}
}
