package scenario

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/script"
)

// maxSaved is how many names the steps of a scenario can save.
const maxSaved = 200

// start is some instant: which, no check depends on.
func (c *checker) start() time.Time { return time.Unix(0, 0) }

// stepVerbs are what a step can do.
func stepVerbs() []string {
	return []string{
		"call", "raw", "emit", "advance", "clock", "set", "policy", "receiver", "rule", "drop_rule", "block", "unblock", "expire",
		"release", "redeliver", "wait",
	}
}

// callMembers are the members of a step that are about its call.
func callMembers() []string {
	return []string{"as", "token", "params", "query", "headers", "body", "sign", "timeout"}
}

// answerMembers are what can be expected of an answer.
func answerMembers() []string {
	return []string{"status", "headers", "body", "error", "refusal", "rules"}
}

// worldMembers are what can be expected of the world.
func worldMembers() []string {
	return []string{"deliveries", "webhooks", "journal", "receivers", "state", "that"}
}

// used are the members of a value that are set, of some.
func used(value any, among []string) []string {
	var names []string
	v := reflect.ValueOf(value)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(among, name) && !v.Field(i).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// stepNames are the variables of a step.
func (c *checker) stepNames() []string {
	return append([]string{
		"state", "params", "receivers", "webhooks", "accounts", "sandbox", "start", "response", "request", "emitted", "index",
	}, c.saved[:min(len(c.saved), maxSaved)]...)
}

func (c *checker) checkSteps() {
	for i, s := range c.s.Steps {
		if len(c.saved) > maxSaved || len(c.problems) > enoughProblems {
			return
		}
		c.checkStep(fmt.Sprintf("steps[%d]", i), s)
	}
}

func (c *checker) checkStep(path string, s script.Step) {
	verbs := used(s, stepVerbs())
	if len(verbs) > 1 {
		c.wrong(join(path, verbs[1]), "a step does one thing, got %s; make a step of each", strings.Join(verbs, " and "))
	}
	if len(verbs) == 0 && s.Expect == nil && len(s.Save) == 0 {
		c.wrong(path, "the step does and expects nothing; the verbs are %s", strings.Join(stepVerbs(), ", "))
	}
	for _, name := range used(s, callMembers()) {
		if s.Call == "" && (s.Raw == nil || name != "timeout") {
			c.refuseName(join(path, name), fmt.Errorf("%s belongs to call", name))
		}
	}
	c.refuse(path+".repeat", within(script.Times(s.Repeat), maxEntries))
	c.expression(path+".if", s.If, c.stepNames(), true)
	c.checkVerb(path, s)
	c.stepHoles(path, s)
	if s.Expect != nil {
		c.checkExpect(path+".expect", s)
	}
	c.checkSave(path, s)
}

// stepHoles checks the holes of a step. Names, expressions, and a rule, which has its own, are looked at elsewhere.
func (c *checker) stepHoles(path string, s script.Step) {
	c.noHole(path+".drop_rule", s.Drop)
	for _, m := range c.root.find(path).members {
		if slices.Contains([]string{"name", "if", "rule", "save", "drop_rule", "expect"}, m.name) {
			continue
		}
		c.holes(join(path, m.name), c.stepNames(), nil)
	}
	if s.Expect == nil {
		return
	}
	for _, m := range c.root.find(path + ".expect").members {
		if m.name != "that" {
			c.holes(join(path+".expect", m.name), c.stepNames(), nil)
		}
	}
}

func (c *checker) checkVerb(path string, s script.Step) {
	switch {
	case s.Call != "":
		c.checkCall(path, s)
	case s.Raw != nil:
		c.checkRaw(path+".raw", *s.Raw)
	case s.Advance != "":
		c.refuse(path+".advance", advance(s.Advance))
	case s.Clock != nil:
		c.checkClock(path+".clock", s.Clock)
	case s.Rule != nil:
		c.checkRule(path+".rule", *s.Rule)
		c.rules = append(c.rules, s.Rule.Name)
	case s.Drop != "":
		c.refuse(path+".drop_rule", c.knownRule(s.Drop))
	case s.Wait != "":
		if s.Wait != "idle" {
			c.wrong(path+".wait", "want idle, got %q", s.Wait)
		}
	}
	if s.Timeout != "" && !hasHole(s.Timeout) {
		if d, err := time.ParseDuration(s.Timeout); err != nil || d <= 0 || d > time.Hour {
			c.wrong(path+".timeout", "want a duration above 0 such as 2s, at most 1h, got %q", s.Timeout)
		}
	}
	c.checkAction(path, s)
}

// checkAction checks the verbs that steps share with rules.
func (c *checker) checkAction(path string, s script.Step) {
	a := script.Action{
		Emit: s.Emit, Set: s.Set, Policy: s.Policy, Receiver: s.Receiver, Block: s.Block, Unblock: s.Unblock, Expire: s.Expire,
		Release: s.Release, Redeliver: s.Redeliver,
	}
	if len(rule.Verbs(a)) != 1 {
		return
	}
	c.refuseAll(path, rule.CheckAction("", masked(a), c.names))
	if s.Receiver != nil {
		c.checkReceiverScript(path+".receiver.script", s.Receiver.Script)
	}
	if s.Emit != nil {
		c.refuse(path+".emit.account", c.account(s.Emit.Account))
	}
}

func advance(text string) error {
	if text == "idle" || hasHole(text) {
		return nil
	}
	if _, err := rule.Duration(text); err == nil {
		return nil
	}
	if d, err := time.ParseDuration(text); err == nil && d < 0 {
		return fmt.Errorf("the clock does not go back: want a positive duration such as 90m, an instant, or idle, got %q", text)
	}
	return instant(text, "want a positive duration such as 90m, an instant, or idle")
}

func (c *checker) knownRule(name string) error {
	if slices.Contains(c.rules, name) || regexp.MustCompile(`^(rule|timeline)-[0-9]+$`).MatchString(name) {
		return nil
	}
	return fmt.Errorf("there is no rule %q%s", name, suggest(name, slices.DeleteFunc(slices.Clone(c.rules), func(n string) bool { return n == "" })))
}

func (c *checker) checkCall(path string, s script.Step) {
	simName, operation, _ := strings.Cut(s.Call, ".")
	sim, ok := c.names.Sim(simName)
	switch {
	case hasHole(s.Call):
	case !ok:
		c.refuse(path+".call", c.sim(simName))
	case !slices.Contains(sim.Operations, operation):
		c.wrong(path+".call", "%s has no operation %q%s", simName, operation, suggest(operation, sim.Operations))
	}
	if s.As != "nobody" {
		c.refuse(path+".as", c.account(s.As))
	}
}

func (c *checker) checkRaw(path string, r script.Raw) {
	c.refuse(path+".sim", c.sim(r.Sim))
	if !hasHole(r.Method) && !regexp.MustCompile(`^[A-Z]{1,20}$`).MatchString(r.Method) {
		c.wrong(path+".method", "want a method such as %s, got %q", http.MethodPost, r.Method)
	}
	if !hasHole(r.Path) && !strings.HasPrefix(r.Path, "/") {
		c.wrong(path+".path", "want a path that begins with /, got %q", r.Path)
	}
}

func (c *checker) checkExpect(path string, s script.Step) {
	e := *s.Expect
	for _, name := range used(e, answerMembers()) {
		if s.Call == "" && s.Raw == nil {
			c.refuseName(join(path, name), fmt.Errorf("%s is about an answer: the step has neither call nor raw", name))
		}
	}
	if e.Made != nil && s.Emit == nil {
		c.refuseName(path+".made", errors.New("made is about an event: the step has no emit"))
	}
	if e.Error != "" && e.Status != 0 {
		c.wrong(path+".error", "there is no answer, and so no status: expect one of them")
	}
	if e.Status != 0 && (e.Status < 100 || e.Status > 599) {
		c.wrong(path+".status", "want 100 to 599, got %d", e.Status)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		c.matcher(join(path+".headers", name), e.Headers[name])
	}
	c.matcher(path+".body", e.Body)
	c.checkRefusal(path+".refusal", s)
	for i, name := range e.Rules {
		c.refuse(fmt.Sprintf("%s.rules[%d]", path, i), c.knownRule(name))
	}
	c.checkLists(path, e)
	for i, text := range e.That {
		c.expression(fmt.Sprintf("%s.that[%d]", path, i), text, c.stepNames(), true)
	}
	c.refuse(path+".within", patience(e))
}

// patience checks how long an expectation may take.
func patience(e script.Expect) error {
	if e.Within == "" || hasHole(e.Within) {
		return nil
	}
	if d, err := time.ParseDuration(e.Within); err != nil || d <= 0 || d > time.Hour {
		return fmt.Errorf("want a duration above 0 such as 10s, at most 1h, got %q", e.Within)
	}
	if len(used(e, worldMembers())) == 0 {
		return fmt.Errorf("within is how long %s may take: expect one of them", strings.Join(worldMembers(), ", "))
	}
	return nil
}

// checkLists checks what is expected of the world.
func (c *checker) checkLists(path string, e script.Expect) {
	for i, one := range e.Deliveries {
		at := fmt.Sprintf("%s.deliveries[%d]", path, i)
		c.checkExpected(at, one, reflect.TypeFor[client.Delivery]())
		for n, text := range one.At {
			c.refuse(fmt.Sprintf("%s.at[%d]", at, n), moment(text))
		}
	}
	c.checkOthers(path+".webhooks", e.Webhooks, reflect.TypeFor[client.Webhook]())
	c.checkOthers(path+".journal", e.Journal, reflect.TypeFor[client.Exchange]())
	for _, name := range slices.Sorted(maps.Keys(e.Receivers)) {
		at := join(path+".receivers", name)
		if !slices.Contains(c.names.Receivers, name) {
			c.refuseName(at, fmt.Errorf("there is no receiver %q%s", name, suggest(name, c.names.Receivers)))
		}
		c.checkOthers(at, e.Receivers[name], reflect.TypeFor[client.ReceivedRequest]())
	}
}

// checkOthers checks what is expected of entries that are no deliveries.
func (c *checker) checkOthers(path string, list []script.Expected, t reflect.Type) {
	for i, one := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.checkExpected(at, one, t)
		if one.Signature != "" {
			c.refuseName(at+".signature", errors.New("signature is about deliveries"))
		}
		if len(one.At) > 0 {
			c.refuseName(at+".at", errors.New("at is about deliveries"))
		}
	}
}

func (c *checker) checkExpected(path string, e script.Expected, t reflect.Type) {
	if e.Match != nil {
		c.matcher(path+".match", e.Match)
		c.checkMatch(path+".match", e.Match, t, "")
	}
	c.refuse(path+".count", count(e.Count))
}

// moment reads an instant of an attempt, or a duration since the first.
func moment(text string) error {
	if _, err := rule.Duration(text); err == nil {
		return nil
	}
	return instant(text, "want an instant, or a duration since the first attempt such as 5m")
}

// count reads how many are expected: a number, or {min, max}.
func count(value any) error {
	switch v := value.(type) {
	case nil:
		return nil
	case float64:
		if v >= 0 && v == float64(int(v)) {
			return nil
		}
	case string:
		if hasHole(v) {
			return nil
		}
	case map[string]any:
		return countRange(v)
	}
	return fmt.Errorf("want a whole number from 0, or {min, max}, got %v", value)
}

func countRange(v map[string]any) error {
	if len(v) == 0 {
		return errors.New("want min, max or both")
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if name != "min" && name != "max" {
			return fmt.Errorf("unknown member %s; there are min, max", name)
		}
		if _, isMap := v[name].(map[string]any); isMap {
			return fmt.Errorf("want a whole number for %s", name)
		}
		if err := count(v[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	low, isLow := v["min"].(float64)
	high, isHigh := v["max"].(float64)
	if isLow && isHigh && low > high {
		return fmt.Errorf("min %v is more than max %v", low, high)
	}
	return nil
}

// checkSave checks what a step saves; later steps can use it.
func (c *checker) checkSave(path string, s script.Step) {
	names := c.stepNames()
	for _, name := range slices.Sorted(maps.Keys(s.Save)) {
		at := join(path+".save", name)
		err := expression.CheckName(name)
		if err == nil && slices.Contains(new(checker).stepNames(), name) {
			err = fmt.Errorf("%s is a variable that is there already: choose another name", name)
		}
		c.refuseName(at, err)
		c.expression(at, s.Save[name], names, false)
		if slices.Contains(c.saved, name) {
			continue
		}
		if c.saved = append(c.saved, name); len(c.saved) == maxSaved+1 {
			c.wrong(at, "at most %d names can be saved", maxSaved)
		}
	}
}
