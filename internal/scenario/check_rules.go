package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/script"
)

func (c *checker) checkRules() {
	for i, r := range c.s.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		if len(c.problems) > enoughProblems {
			return
		}
		c.checkRule(path, r)
		c.checkReachable(path, i)
		c.rules = append(c.rules, r.Name)
	}
}

// checkRule checks one rule: what it refers to, its expressions and its holes.
func (c *checker) checkRule(path string, r script.Rule) {
	c.noHole(path+".name", r.Name)
	if r.Name != "" && slices.Contains(c.rules, r.Name) {
		c.wrong(path+".name", "there is a rule %q already", r.Name)
	}
	plain := masked(r)
	plain.When = "" // checked here, where its place is known
	c.refuseAll(path, rule.Check(plain, c.names))
	point, _, err := rule.PointOf(r)
	if err != nil {
		return
	}
	names := rule.Variables(point)
	c.expression(path+".when", r.When, names, true)
	if state := c.root.find(path + ".state"); len(r.State) > 0 {
		c.noHoles(state, path+".state", "no hole can stand in a condition; use when")
	}
	c.holes(path+".do", names, nil)
	c.receiverScripts(path+".do", r.Do)
}

func (c *checker) receiverScripts(path string, do []script.Action) {
	for i, a := range do {
		if a.Receiver != nil {
			c.checkReceiverScript(fmt.Sprintf("%s[%d].receiver.script", path, i), a.Receiver.Script)
		}
	}
}

// checkReachable refuses a rule that is never asked: an earlier one answers every such call.
func (c *checker) checkReachable(path string, i int) {
	r := c.s.Rules[i]
	if len(r.Call) == 0 {
		return
	}
	var answered []string
	for at, earlier := range c.s.Rules[:i] {
		if !alwaysAnswers(earlier) {
			continue
		}
		answered = append(answered, earlier.Call...)
		if coversAll(answered, r.Call) {
			c.wrong(path, "is never asked: rules[%d]%s answers all these calls before it", at, named(earlier.Name))
			return
		}
	}
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", name)
}

// alwaysAnswers says that a rule has no condition and answers.
func alwaysAnswers(r script.Rule) bool {
	conditions := r
	conditions.Name, conditions.Call, conditions.Do = "", nil, nil
	return len(r.Call) > 0 && isZero(conditions) && slices.ContainsFunc(r.Do, func(a script.Action) bool { return a.Answer != nil || a.Refuse != nil })
}

func coversAll(targets, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(want string) bool {
		return !slices.ContainsFunc(targets, func(target string) bool { return covers(target, want) })
	})
}

// covers says that a name of operations means all that another means.
func covers(target, want string) bool {
	prefix, all := strings.CutSuffix(target, "*")
	return target == want || all && strings.HasPrefix(strings.TrimSuffix(want, "*"), prefix)
}

func (c *checker) checkTimeline() {
	for i, m := range c.s.Timeline {
		path := fmt.Sprintf("timeline[%d]", i)
		c.checkMoment(path, m)
		if len(m.Do) == 0 {
			c.wrong(path+".do", "nothing happens: want a list of actions")
		}
		c.receiverScripts(path+".do", m.Do)
		if len(m.On) > 0 {
			c.checkOn(path, m)
			continue
		}
		for at, a := range m.Do {
			c.refuseAll(fmt.Sprintf("%s.do[%d]", path, at), rule.CheckAction("", masked(a), c.names))
		}
		c.holes(path+".do", rule.Variables(""), nil)
	}
}

// checkOn checks what happens when an event does: it is a rule for events.
func (c *checker) checkOn(path string, m script.Moment) {
	for _, f := range rule.Check(script.Rule{Event: m.On, Do: masked(script.Rule{Do: m.Do}).Do}, c.names) {
		if at, ok := strings.CutPrefix(f.Path, string(script.OnEvent)); ok {
			f.Path = "on" + at
		}
		c.wrong(join(path, f.Path), "%s", f.Message)
	}
	c.holes(path+".do", rule.Variables(script.OnEvent), nil)
}

func (c *checker) checkMoment(path string, m script.Moment) {
	switch {
	case len(m.On) > 0 && (m.At != "" || m.Every != ""):
		c.wrong(path, "want on, or at and every: not both")
	case len(m.On) == 0 && m.At == "" && m.Every == "":
		c.wrong(path, "want at or on: when it happens")
	case m.Every != "" && m.Times == nil:
		c.wrong(path+".every", "want times, too: how often in all")
	case m.Every == "" && m.Times != nil:
		c.wrong(path+".times", "want every, too: after how long it happens again")
	}
	if _, err := rule.Moment(m.At, c.start()); m.At != "" {
		c.refuse(path+".at", err)
	}
	if d, err := rule.Duration(m.Every); m.Every != "" && (err != nil || d <= 0) {
		c.wrong(path+".every", "want a duration above 0 such as 10m, got %q", m.Every)
	}
	c.refuse(path+".times", within(script.Times(m.Times), maxEntries))
}
