package record

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mocksrv/mocksrv/script"
)

// values are texts that the simulator made up, and how the scenario refers to them.
type values struct {
	names map[string]string // value → expression
	found map[string]source // value → where a response had it, until it is used
	taken map[string]bool   // names of saved values
}

// source is where a value was first seen.
type source struct {
	step       int
	name       string // what it will be called
	expression string
}

func newValues() *values {
	return &values{names: map[string]string{}, found: map[string]source{}, taken: map[string]bool{}}
}

// least is how long a text must be to be looked for inside of others.
const least = 8

// know gives a value its expression.
func (v *values) know(value, expression string) {
	if _, known := v.names[value]; !known && len(value) >= least {
		v.names[value] = expression
	}
}

// refer replaces the values in a text by holes. A value that a response had is saved there.
func (v *values) refer(text string, steps []script.Step) string {
	for value, s := range v.found {
		if s.step < len(steps) && strings.Contains(text, value) { // one of the step under way is not there yet
			v.save(value, s, steps)
		}
	}
	all := slices.SortedFunc(maps.Keys(v.names), func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d // the longest first: one may be a part of another
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, value := range all {
		pairs = append(pairs, value, "${{ "+v.names[value]+" }}")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (v *values) save(value string, s source, steps []script.Step) {
	name := s.name
	for n := 2; v.taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", s.name, n)
	}
	v.taken[name] = true
	if steps[s.step].Save == nil {
		steps[s.step].Save = map[string]string{}
	}
	steps[s.step].Save[name] = s.expression
	v.names[value] = name
	delete(v.found, value)
}

// referAll does so in plain data.
func (v *values) referAll(value any, steps []script.Step) any {
	switch value := value.(type) {
	case string:
		return v.refer(value, steps)
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, m := range value {
			out[name] = v.referAll(m, steps)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = v.referAll(item, steps)
		}
		return out
	default:
		return value
	}
}

// expect is a matcher for the body of an answer: what was made up matches by its type, or what was saved of it earlier.
func (v *values) expect(got any, at source, key string, steps []script.Step) any {
	switch got := got.(type) {
	case string:
		return v.expectText(got, at, key, steps)
	case float64:
		if got >= 1e9 { // an instant, or an id
			return map[string]any{"$type": "number"}
		}
		return got
	case map[string]any:
		out := make(map[string]any, len(got))
		for _, name := range slices.Sorted(maps.Keys(got)) {
			below := at
			below.expression += member(name)
			out[name] = v.expect(got[name], below, name, steps)
		}
		return out
	case []any:
		out := make([]any, len(got))
		for i, item := range got {
			below := at
			below.expression += fmt.Sprintf("[%d]", i)
			out[i] = v.expect(item, below, key, steps)
		}
		return out
	default:
		return got
	}
}

func (v *values) expectText(got string, at source, key string, steps []script.Step) any {
	if s, ok := v.found[got]; ok && s.step < at.step {
		v.save(got, s, steps)
	}
	referred := v.refer(got, steps)
	switch {
	case referred != got:
		return referred
	case isInstant(got):
		return map[string]any{"$type": "string"}
	case madeUp(got):
		if _, known := v.found[got]; !known && len(got) >= least {
			at.name = snake(at.name) + "_" + snake(key)
			v.found[got] = at
		}
		return map[string]any{"$type": "string"}
	case strings.HasPrefix(got, "$") || strings.Contains(got, "${{"):
		return map[string]any{"$type": "string"}
	}
	return got
}

func isInstant(text string) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly, time.RFC1123} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// madeUp tells generated texts from words: ids, keys, tokens and long numbers.
func madeUp(text string) bool {
	return generated.MatchString(text) && strings.IndexFunc(text, unicode.IsDigit) >= 0 || blob.MatchString(text)
}

var (
	generated = regexp.MustCompile(`^(0x)?([0-9a-fA-F]{16,}|[0-9]{10,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|([A-Za-z]+[_-])+[0-9A-Za-z]{8,})$`)
	blob      = regexp.MustCompile(`^[0-9A-Za-z+/_.=-]{32,}$`)
)

// snake is a name in lower case with underscores.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case unicode.IsUpper(r):
			if i > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}
