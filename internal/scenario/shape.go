package scenario

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/script"
)

// shaper compares a file with the types of package script, and makes the data that is decoded into them: what does not
// fit is left out.
//
// Some holes are filled here, and see the params only: those that stand for a number or a truth value, and those of what
// must be known before there is a world to look at.
type shaper struct {
	params   map[string]any
	problems Problems
	early    bool // every hole is filled
	filled   bool // there was a hole to fill
}

// isEarly says which members have to be known before there is a world.
func isEarly(t reflect.Type, name string) bool {
	var early []string
	switch t {
	case reflect.TypeFor[script.Scenario]():
		early = []string{"clock", "policies", "accounts", "state", "receivers"}
	case reflect.TypeFor[script.Rule]():
		early = []string{"from", "until", "rate"}
	case reflect.TypeFor[script.Moment]():
		early = []string{"at", "every"}
	}
	return slices.Contains(early, name)
}

func (s *shaper) wrong(n *node, path, message string) (any, bool) {
	s.problems = append(s.problems, n.problem(path, message))
	return nil, false
}

func (s *shaper) misfit(n *node, path, want string) (any, bool) {
	return s.wrong(n, path, fmt.Sprintf("want %s, got %s", want, n.describe()))
}

// value returns what is decoded into a type; false: it does not fit.
func (s *shaper) value(n *node, t reflect.Type, path string, tag reflect.StructTag) (any, bool) {
	if n.kind == isText {
		if data, ok := asText(n, t); ok {
			return data, true
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(n, t.Elem(), path, tag)
	case reflect.Interface:
		if s.early {
			return s.fill(n, path)
		}
		return n.plain(), true
	case reflect.Struct:
		return s.object(n, t, path)
	case reflect.Map:
		return s.entries(n, t, path)
	case reflect.Slice:
		return s.list(n, t, path)
	case reflect.String:
		return s.text(n, path, tag.Get("enum"))
	default:
		return s.scalar(n, t, path, leastOf(t, tag))
	}
}

// asText is a text where a type has a short form.
func asText(n *node, t reflect.Type) (any, bool) {
	switch t {
	case reflect.TypeFor[script.Targets](), reflect.TypeFor[script.Expressions](), reflect.TypeFor[script.Refuse](), reflect.TypeFor[script.Delay]():
		return n.text, true
	default:
		return nil, false
	}
}

// shortForm is how a type can be written beside its long form; "" is not.
func shortForm(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[script.Targets]():
		return "a name, or "
	case reflect.TypeFor[script.Expressions]():
		return "an expression, or "
	case reflect.TypeFor[script.Refuse]():
		return "the name of an error, or "
	case reflect.TypeFor[script.Delay]():
		return "a duration, or "
	default:
		return ""
	}
}

func (s *shaper) object(n *node, t reflect.Type, path string) (any, bool) {
	if n.kind != isMap {
		return s.misfit(n, path, shortForm(t)+"a map")
	}
	fields := fieldsOf(t)
	object := map[string]any{}
	for _, m := range n.members {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.name })
		if i < 0 {
			if len(s.problems) < enoughProblems {
				s.wrong(m.key, join(path, m.name), unknownMember(m.name, fields))
			}
			continue
		}
		outside := s.early
		s.early = outside || isEarly(t, m.name)
		if data, ok := s.value(m.node, fields[i].Type, join(path, m.name), fields[i].Tag); ok {
			object[m.name] = data
		}
		s.early = outside
	}
	for _, f := range fields {
		if f.required && n.member(f.name) == nil {
			s.wrong(n, join(path, f.name), "is missing")
		}
	}
	return object, true
}

// field is a member of a type.
type field struct {
	reflect.StructField
	name     string
	required bool
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{StructField: f, name: name, required: options == ""})
	}
	return fields
}

func unknownMember(wrong string, fields []field) string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
	}
	return "unknown member" + suggest(wrong, names)
}

// suggest is what a wrong name was probably meant to be, or what there is.
func suggest(wrong string, names []string) string {
	if len(names) == 0 {
		return "; there are none"
	}
	if best := near.Best(wrong, names); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	const many = 30
	if len(names) > many {
		return ""
	}
	return "; there are " + strings.Join(names, ", ")
}

func (s *shaper) entries(n *node, t reflect.Type, path string) (any, bool) {
	if n.kind != isMap {
		return s.misfit(n, path, "a map")
	}
	object := make(map[string]any, len(n.members))
	for _, m := range n.members {
		below := join(path, m.name)
		if t.Elem().Kind() == reflect.String && (m.kind == isNumber || m.kind == isBool) {
			object[m.name] = m.text // a header or a state is a text, whatever it looks like
			continue
		}
		if data, ok := s.value(m.node, t.Elem(), below, ""); ok {
			object[m.name] = data
		}
	}
	return object, true
}

func (s *shaper) list(n *node, t reflect.Type, path string) (any, bool) {
	if n.kind != isList {
		return s.misfit(n, path, shortForm(t)+"a list")
	}
	list := make([]any, len(n.items))
	for i, item := range n.items {
		list[i], _ = s.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), "")
		if list[i] == nil && t.Elem().Kind() != reflect.Interface {
			list[i] = emptyOf(t.Elem()) // the places of the others stay
		}
	}
	return list, true
}

func emptyOf(t reflect.Type) any {
	if t.Kind() == reflect.String {
		return ""
	}
	return map[string]any{}
}

func (s *shaper) text(n *node, path, enum string) (any, bool) {
	if n.kind == isNumber || n.kind == isBool {
		return s.wrong(n, path, fmt.Sprintf("want a text, got %s; put it in quotes", n.text))
	}
	if n.kind != isText {
		return s.misfit(n, path, "a text")
	}
	if s.early && hasHole(n.text) {
		return s.filledText(n, path)
	}
	if words := strings.Split(enum, ","); enum != "" && !hasHole(n.text) && !slices.Contains(words, n.text) {
		return s.wrong(n, path, fmt.Sprintf("want one of %s, got %q%s", strings.Join(words, ", "), shorten(n.text), onlyNear(n.text, words)))
	}
	return n.text, true
}

// onlyNear is a suggestion, or nothing where none is near.
func onlyNear(wrong string, names []string) string {
	if hint := suggest(wrong, names); strings.HasPrefix(hint, "; did") {
		return hint
	}
	return ""
}

func hasHole(text string) bool { return strings.Contains(text, "${{") }

// filledText is a text whose holes are filled here.
func (s *shaper) filledText(n *node, path string) (any, bool) {
	value, ok := s.fill(n, path)
	switch v := value.(type) {
	case string:
		return v, ok
	case bool, int, float64:
		return fmt.Sprint(v), ok
	}
	if ok {
		return s.wrong(n, path, fmt.Sprintf("want a text, got %v from %s", value, n.text))
	}
	return nil, false
}

// scalar is a number or a truth value, or a hole that stands for one.
func (s *shaper) scalar(n *node, t reflect.Type, path string, least float64) (any, bool) {
	value := n.scalar
	if n.kind == isText && hasHole(n.text) {
		var ok bool
		if value, ok = s.fill(n, path); !ok {
			return nil, false
		}
	}
	word := "a number"
	switch t.Kind() {
	case reflect.Bool:
		if _, ok := value.(bool); ok {
			return value, true
		}
		word = "true or false"
	case reflect.Float64:
		if f, ok := number(value); ok {
			return f, true
		}
	default:
		word = "a whole number"
		if f, ok := number(value); ok && f == float64(int64(f)) {
			return s.whole(n, path, f, least)
		}
	}
	if value != n.scalar {
		return s.wrong(n, path, fmt.Sprintf("want %s, got %v from %s", word, value, n.text))
	}
	return s.misfit(n, path, word)
}

// leastOf is the least that a whole number may be: it counts something. Only a seed may be negative.
func leastOf(t reflect.Type, tag reflect.StructTag) float64 {
	if t.Kind() == reflect.Int64 {
		return math.Inf(-1)
	}
	least, _ := strconv.Atoi(tag.Get("minimum")) // 0 where nothing is said
	return float64(least)
}

func (s *shaper) whole(n *node, path string, f, least float64) (any, bool) {
	if f < least {
		return s.wrong(n, path, fmt.Sprintf("want %v or more, got %v", least, f))
	}
	return int64(f), true
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	default:
		return 0, false
	}
}

// fill fills the holes of a value.
func (s *shaper) fill(n *node, path string) (any, bool) {
	t, err := expression.ParseTemplate(n.plain(), []string{"params"})
	if err != nil {
		return s.wrong(n, path, "a hole here is filled when the file is read, and sees params only: "+err.Error())
	}
	if t.Fixed() {
		value, _ := t.Render(expression.Vars{}) // nothing to fill
		return value, true
	}
	s.filled = true
	if err := knownMembers("param", t.Members("params"), slices.Sorted(maps.Keys(s.params))); err != nil {
		return s.wrong(n, path, err.Error())
	}
	value, err := t.Render(expression.Vars{Names: map[string]any{"params": s.params}})
	if err != nil {
		return s.wrong(n, path, err.Error())
	}
	return value, true
}

// knownMembers says which of the members that expressions use is not there.
func knownMembers(word string, used, known []string) error {
	for _, name := range used {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no %s %s%s", word, name, suggest(name, known))
		}
	}
	return nil
}
