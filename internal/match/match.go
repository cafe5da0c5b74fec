// Package match compares values with what somebody expects of them, and says field by field where they differ.
//
// An expectation is plain JSON data. An object expects the members it names and tolerates others; a list expects the
// same length; anything else expects equality. An object whose only members start with "$" is an operator:
//
//	{"$any": true}            anything, also nothing
//	{"$exists": false}        absent (true: present)
//	{"$type": "string"}       string, number, bool, object, array or null
//	{"$regex": "^evt_"}       a string that matches (RE2)
//	{"$contains": "x"}        a string that contains it, or a list with an item that matches it
//	{"$in": [1, 2]}           one of these
//	{"$not": …}               what does not match it
//	{"$gt": 1} $gte $lt $lte  a number, or a string in its order
//	{"$length": 3}            a string or list of this length
//	{"$exact": {…}}           an object with these members and no others
//
// The package knows nothing of providers, the journal or HTTP.
package match

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Difference is one place where a value is not as expected.
type Difference struct {
	Path string `json:"path"` // names and indexes joined with dots; "" is the whole
	Want string `json:"want"`
	Got  string `json:"got"`
}

// absent stands for a member that is not there.
type absent struct{}

// Compare returns where a decoded JSON value differs from an expectation. None: it matches.
func Compare(want, got any) []Difference {
	var found []Difference
	compare("", want, got, &found)
	return found
}

// Check returns an error when an expectation cannot be understood: an unknown operator, a wrong operand, a bad pattern.
func Check(want any) error {
	switch w := want.(type) {
	case map[string]any:
		return checkObject(w)
	case []any:
		for i, item := range w {
			if err := Check(item); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	}
	return nil
}

func checkObject(w map[string]any) error {
	if !IsOperator(w) {
		for _, name := range slices.Sorted(maps.Keys(w)) {
			if strings.HasPrefix(name, "$") {
				return fmt.Errorf("operator %s stands beside members", name)
			}
			if err := Check(w[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(w)) {
		op, ok := operators()[name]
		if !ok {
			return fmt.Errorf("unknown operator %s; the operators are %s", name, strings.Join(slices.Sorted(maps.Keys(operators())), ", "))
		}
		if err := op.check(w[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// IsOperator tells an operator, or several at once, from an object of members.
func IsOperator(w map[string]any) bool {
	for name := range w {
		if !strings.HasPrefix(name, "$") {
			return false
		}
	}
	return len(w) > 0
}

func compare(path string, want, got any, found *[]Difference) {
	switch w := want.(type) {
	case map[string]any:
		compareObject(path, w, got, found)
	case []any:
		compareList(path, w, got, found)
	default:
		if !reflect.DeepEqual(normal(want), normal(got)) {
			*found = append(*found, Difference{Path: path, Want: show(want), Got: show(got)})
		}
	}
}

func compareObject(path string, want map[string]any, got any, found *[]Difference) {
	if IsOperator(want) {
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if op, ok := operators()[name]; !ok || !op.holds(want[name], got) {
				*found = append(*found, Difference{Path: path, Want: show(map[string]any{name: want[name]}), Got: gotFor(name, got)})
			}
		}
		return
	}
	object, ok := got.(map[string]any)
	if !ok {
		*found = append(*found, Difference{Path: path, Want: "an object", Got: show(got)})
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		member, present := object[name]
		if !present {
			member = absent{}
		}
		compare(join(path, name), want[name], member, found)
	}
}

func compareList(path string, want []any, got any, found *[]Difference) {
	list, ok := got.([]any)
	if !ok || len(list) != len(want) {
		*found = append(*found, Difference{Path: path, Want: show(want), Got: show(got)})
		return
	}
	for i := range want {
		compare(join(path, fmt.Sprint(i)), want[i], list[i], found)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// normal makes numbers of different Go types comparable.
func normal(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	default:
		return v
	}
}

func show(v any) string {
	if _, ok := v.(absent); ok {
		return "nothing"
	}
	data, err := strictjson.Encode(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(data) > 300 {
		return string(data[:300]) + "…"
	}
	return string(data)
}

// operator is one way to expect something else than a literal.
type operator struct {
	check func(operand any) error
	holds func(operand, got any) bool
}

func operators() map[string]operator {
	order := func(ok func(int) bool) operator {
		return operator{check: orderable, holds: func(operand, got any) bool {
			c, both := ordered(got, operand)
			return both && ok(c)
		}}
	}
	return map[string]operator{
		"$any":      {anything, func(any, any) bool { return true }},
		"$exists":   {boolean, func(operand, got any) bool { _, missing := got.(absent); return missing != (operand == true) }},
		"$type":     {typeName, func(operand, got any) bool { return typeOf(got) == operand }},
		"$regex":    {pattern, matches},
		"$contains": {Check, contains},
		"$in": {list, func(operand, got any) bool {
			return slices.ContainsFunc(items(operand), func(w any) bool { return len(Compare(w, got)) == 0 })
		}},
		"$not":    {Check, func(operand, got any) bool { return len(Compare(operand, got)) > 0 }},
		"$gt":     order(func(c int) bool { return c > 0 }),
		"$gte":    order(func(c int) bool { return c >= 0 }),
		"$lt":     order(func(c int) bool { return c < 0 }),
		"$lte":    order(func(c int) bool { return c <= 0 }),
		"$length": {number, func(operand, got any) bool { return normal(length(got)) == normal(operand) }},
		"$exact":  {object, exact},
	}
}

func anything(any) error { return nil }

func boolean(operand any) error {
	if _, ok := operand.(bool); !ok {
		return fmt.Errorf("true or false expected, got %s", show(operand))
	}
	return nil
}

func number(operand any) error {
	if _, ok := normal(operand).(float64); !ok {
		return fmt.Errorf("a number expected, got %s", show(operand))
	}
	return nil
}

func orderable(operand any) error {
	if _, ok := operand.(string); ok {
		return nil
	}
	return number(operand)
}

func list(operand any) error {
	if _, ok := operand.([]any); !ok {
		return fmt.Errorf("a list expected, got %s", show(operand))
	}
	return Check(operand)
}

func object(operand any) error {
	if _, ok := operand.(map[string]any); !ok {
		return fmt.Errorf("an object expected, got %s", show(operand))
	}
	return Check(operand)
}

func typeName(operand any) error {
	names := []string{"string", "number", "bool", "object", "array", "null"}
	if name, ok := operand.(string); !ok || !slices.Contains(names, name) {
		return fmt.Errorf("one of %s expected, got %s", strings.Join(names, ", "), show(operand))
	}
	return nil
}

func pattern(operand any) error {
	text, ok := operand.(string)
	if !ok {
		return fmt.Errorf("a pattern expected, got %s", show(operand))
	}
	_, err := regexp.Compile(text)
	return err
}

func typeOf(v any) string {
	switch normal(v).(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case nil:
		return "null"
	default:
		return "nothing"
	}
}

func matches(operand, got any) bool {
	text, isText := got.(string)
	expression, _ := operand.(string)
	re, err := regexp.Compile(expression)
	return isText && err == nil && re.MatchString(text)
}

func contains(operand, got any) bool {
	if text, ok := got.(string); ok {
		part, isText := operand.(string)
		return isText && strings.Contains(text, part)
	}
	return slices.ContainsFunc(items(got), func(item any) bool { return len(Compare(operand, item)) == 0 })
}

func items(v any) []any {
	list, _ := v.([]any)
	return list
}

// ordered compares two numbers or two strings.
func ordered(a, b any) (int, bool) {
	if x, ok := normal(a).(float64); ok {
		y, ok := normal(b).(float64)
		return cmp.Compare(x, y), ok
	}
	x, ok := a.(string)
	y, also := b.(string)
	return strings.Compare(x, y), ok && also
}

// gotFor is what an operator saw.
func gotFor(operator string, got any) string {
	if n := length(got); operator == "$length" && n != nil {
		return fmt.Sprintf("length %v: %s", n, show(got))
	}
	return show(got)
}

func length(v any) any {
	switch v := v.(type) {
	case string:
		return len([]rune(v))
	case []any:
		return len(v)
	default:
		return nil
	}
}

func exact(operand, got any) bool {
	want, _ := operand.(map[string]any)
	have, ok := got.(map[string]any)
	if !ok || len(want) != len(have) {
		return false
	}
	return len(Compare(want, got)) == 0
}
