package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// checker finds what is wrong with a scenario whose shape is right.
type checker struct {
	root     *node
	s        script.Scenario
	names    Names
	problems Problems

	members map[string][]string // what variables have, as far as it is known: params, receivers, webhooks, accounts
	rules   []string            // names of rules, those of steps included
	saved   []string            // names that earlier steps saved
	params  map[string]any
}

func newChecker(root *node, s script.Scenario, params map[string]any, names Names) *checker {
	c := &checker{root: root, s: s, names: names, params: params, members: map[string][]string{
		"params":    slices.Sorted(maps.Keys(params)),
		"receivers": slices.Sorted(maps.Keys(s.Receivers)),
		"accounts":  append([]string{"default"}, slices.Sorted(maps.Keys(s.Accounts))...),
	}}
	c.names.Webhooks, c.names.Receivers = []string{}, append([]string{}, c.members["receivers"]...)
	for _, w := range s.Webhooks {
		c.names.Webhooks = append(c.names.Webhooks, namesOfWebhook(w)...)
	}
	c.members["webhooks"] = c.names.Webhooks
	return c
}

// namesOfWebhook are the names under which the webhooks of an entry are known.
func namesOfWebhook(w script.Webhook) []string {
	if w.Name == "" {
		return nil
	}
	if w.Count == nil || *w.Count == 1 {
		return []string{w.Name}
	}
	var names []string
	for i := range min(*w.Count, maxEntries) {
		names = append(names, fmt.Sprintf("%s-%d", w.Name, i+1))
	}
	return names
}

func (c *checker) wrong(path, format string, args ...any) {
	c.problems = append(c.problems, c.root.find(path).problem(path, fmt.Sprintf(format, args...)))
}

// refuse notes an error, if there is one.
func (c *checker) refuse(path string, err error) {
	if err != nil {
		c.wrong(path, "%s", err.Error())
	}
}

// refuseName is refuse where the name before the value is wrong.
func (c *checker) refuseName(path string, err error) {
	if err == nil {
		return
	}
	found, key := c.root.walk(path)
	if key != nil {
		found = key
	}
	c.problems = append(c.problems, found.problem(path, err.Error()))
}

// refuseAll notes the faults of a part.
func (c *checker) refuseAll(path string, faults []rule.Fault) {
	for _, f := range faults {
		if f.Name {
			c.refuseName(join(path, f.Path), errors.New(f.Message))
			continue
		}
		c.wrong(strings.TrimSuffix(join(path, f.Path), "."), "%s", f.Message)
	}
}

func (c *checker) check() {
	if strings.TrimSpace(c.s.Title) == "" && c.root.member("title") != nil {
		c.wrong("title", "want a line that says what the scenario shows")
	}
	if !c.countsFit() {
		return
	}
	c.checkParams()
	c.checkClock("clock", c.s.Clock)
	for _, name := range slices.Sorted(maps.Keys(c.s.Policies)) {
		if err := c.policy(name, nil); err != nil {
			c.refuseName(join("policies", name), err)
			continue
		}
		c.refuse(join("policies", name), c.policy(name, c.s.Policies[name]))
	}
	c.checkAccounts()
	c.checkReceivers()
	c.checkWebhooks()
	c.checkDeliveries()
	c.checkRules()
	c.checkTimeline()
	c.checkSteps()
	c.checkStates()
}

// countsFit refuses lists that are too long before anything looks at each entry.
func (c *checker) countsFit() bool {
	fit := true
	for name, n := range map[string]int{
		"rules": len(c.s.Rules), "steps": len(c.s.Steps), "webhooks": len(c.s.Webhooks), "deliveries": len(c.s.Deliveries),
		"timeline": len(c.s.Timeline), "receivers": len(c.s.Receivers), "accounts": len(c.s.Accounts), "state": len(c.s.State),
	} {
		if n > maxEntries {
			c.wrong(name, "%d entries; at most %d are allowed", n, maxEntries)
			fit = false
		}
	}
	return fit
}

// checkParams refuses holes in params: they are what holes are filled with.
func (c *checker) checkParams() {
	if params := c.root.member("params"); params != nil {
		c.noHoles(params, "params", "a param is what holes are filled with, and has none")
	}
	if cases := c.root.member("cases"); cases != nil {
		c.noHoles(cases, "cases", "a param is what holes are filled with, and has none")
	}
}

// noHoles refuses holes where nothing would fill them.
func (c *checker) noHoles(n *node, path, why string) {
	c.texts(n, path, func(n *node, path string) {
		if hasHole(n.text) {
			c.problems = append(c.problems, n.problem(path, why))
		}
	})
}

// texts calls do with every text below a node, but not with names of members.
func (c *checker) texts(n *node, path string, do func(n *node, path string)) {
	switch n.kind {
	case isText:
		do(n, path)
	case isList:
		for i, item := range n.items {
			c.texts(item, fmt.Sprintf("%s[%d]", path, i), do)
		}
	case isMap:
		for _, m := range n.members {
			c.texts(m.node, join(path, m.name), do)
		}
	default:
	}
}

func (c *checker) checkClock(path string, clock any) {
	switch v := clock.(type) {
	case nil:
	case string:
		if v != "real" {
			c.refuse(path, instant(v, "want real, or an instant such as 2026-01-08T10:30:00Z"))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, isText := v[name].(string)
			if !isText {
				c.wrong(join(path, name), "want a text, got %v", v[name])
				continue
			}
			c.refuse(join(path, name), clockMember(name, text))
		}
	default:
		c.wrong(path, "want real, an instant, or {mode, now, edge, skew}, got %v", clock)
	}
}

func clockMember(name, text string) error {
	if hasHole(text) {
		return nil
	}
	switch name {
	case "mode":
		return oneOf(text, "real", "frozen")
	case "edge":
		return oneOf(text, "wall", "world")
	case "now":
		return instant(text, "want an instant such as 2026-01-08T10:30:00Z")
	case "skew":
		if _, err := time.ParseDuration(text); err != nil {
			return fmt.Errorf("want a duration such as 5m or -30s, got %q", text)
		}
		return nil
	default:
		return fmt.Errorf("unknown member%s", suggest(name, []string{"mode", "now", "edge", "skew"}))
	}
}

func oneOf(got string, want ...string) error {
	if slices.Contains(want, got) {
		return nil
	}
	return fmt.Errorf("want one of %s, got %q%s", strings.Join(want, ", "), got, onlyNear(got, want))
}

// instant reads an instant within the years that a clock can have.
func instant(text, want string) error {
	const first, last = 1970, 2199
	at, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case hasHole(text):
		return nil
	case err != nil:
		return fmt.Errorf("%s, got %q", want, text)
	case at.UTC().Year() < first || at.UTC().Year() > last:
		return fmt.Errorf("%s is not within the years %d to %d", text, first, last)
	}
	return nil
}

// before reads an instant, or a duration before now.
func before(text string) error {
	if text == "" || hasHole(text) {
		return nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d > 0 || d < -rule.Longest {
			return fmt.Errorf("want a duration before now such as -48h, got %q", text)
		}
		return nil
	}
	return instant(text, "want an instant such as 2026-01-08T10:30:00Z, or a duration before now such as -48h")
}

func (c *checker) policy(name string, value any) error {
	if c.names.Policy == nil || holed(value) {
		return nil
	}
	return c.names.Policy(name, value)
}

// holed says that there is a hole somewhere in a value.
func holed(value any) bool {
	switch v := value.(type) {
	case string:
		return hasHole(v)
	case []any:
		return slices.ContainsFunc(v, holed)
	case map[string]any:
		for _, item := range v {
			if holed(item) {
				return true
			}
		}
	}
	return false
}

func (c *checker) sim(name string) error {
	if _, ok := c.names.Sim(name); ok || hasHole(name) {
		return nil
	}
	var sims []string
	for _, s := range c.names.Sims {
		sims = append(sims, s.Name)
	}
	return fmt.Errorf("there is no sim %q; the sims are %s", name, strings.Join(sims, ", "))
}

func (c *checker) account(name string) error {
	if name == "" || hasHole(name) || slices.Contains(c.members["accounts"], name) {
		return nil
	}
	return fmt.Errorf("there is no account %q%s", name, suggest(name, c.members["accounts"]))
}

// holes checks every hole below a path. members say what variables have where that differs from the whole scenario.
func (c *checker) holes(path string, names []string, members map[string][]string) {
	n := c.root.find(path)
	c.texts(n, path, func(n *node, path string) {
		if !hasHole(n.text) {
			return
		}
		t, err := expression.ParseTemplate(n.text, names)
		if err != nil {
			c.badExpression(n, path, err)
			return
		}
		c.checkMembers(n, path, t.Members, names, members)
	})
}

// checkMembers refuses members that a variable does not have.
func (c *checker) checkMembers(n *node, path string, used func(string) []string, names []string, members map[string][]string) {
	for variable, word := range map[string]string{"params": "param", "receivers": "receiver", "webhooks": "webhook", "accounts": "account"} {
		known, ok := members[variable]
		if !ok {
			known = c.members[variable]
		}
		if !slices.Contains(names, variable) {
			continue
		}
		if err := knownMembers(word, used(variable), known); err != nil {
			c.problems = append(c.problems, n.problem(path, err.Error()))
		}
	}
}

// expression checks a text that is an expression itself.
func (c *checker) expression(path, text string, names []string, condition bool) {
	if text == "" {
		return
	}
	n := c.root.find(path)
	if hasHole(text) {
		c.problems = append(c.problems, n.problem(path, "this is an expression: take ${{ and }} away"))
		return
	}
	e, err := expression.Compile(text, names)
	if err != nil {
		c.badExpression(n, path, err)
		return
	}
	if condition && !e.MayBeBool() {
		c.problems = append(c.problems, n.problem(path, "want a condition, which is true or false"))
	}
	c.checkMembers(n, path, e.Members, names, nil)
}

// badExpression shows the place within the text, where the text stands in one line as it is.
func (c *checker) badExpression(n *node, path string, err error) {
	e, ok := err.(*expression.Error) //nolint:errorlint // nobody wraps it
	if !ok || e.Line > 1 || n.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		c.problems = append(c.problems, n.problem(path, err.Error()))
		return
	}
	column := n.column + e.Column - 1
	if n.style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		column++
	}
	c.problems = append(c.problems, n.file.problem(n.line, column, path, e.Message))
}

// matcher checks what is expected of a value. What has holes is looked at when they are filled.
func (c *checker) matcher(path string, want any) {
	if want != nil && !holed(want) {
		c.refuse(path, match.Check(want))
	}
}

// masked is a value of package script whose texts with holes are replaced by one that compiles everywhere: holes are
// checked apart, where their place is known.
func masked[T any](value T) (out T) {
	data, err := strictjson.Encode(value)
	if err != nil {
		return value
	}
	plain, err := strictjson.Decode(data)
	if err != nil {
		return value
	}
	if data, err = strictjson.Encode(mask(plain)); err != nil {
		return value
	}
	if strictjson.Unmarshal(data, &out) != nil {
		return value
	}
	return out
}

func mask(value any) any {
	switch v := value.(type) {
	case string:
		if hasHole(v) {
			return "${{ nil }}"
		}
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = mask(v[name])
		}
	}
	return value
}

// isZero says that a member was left out.
func isZero(value any) bool { return reflect.ValueOf(value).IsZero() }
