// Package scenario reads scenario files: YAML or JSON, with includes and tables of cases. It finds everything that is wrong
// with a file at once, each with file, line and column, before anything of it is performed: what the language does not
// have, what the providers do not have, and what the file itself does not have.
//
// It neither serves a scenario nor runs its steps.
package scenario

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// The bounds of what a scenario has.
const (
	maxIncludes = 64
	maxEntries  = 10_000 // rules, steps, webhooks, …, each
	maxCases    = 1000
	maxCaseWork = 2_000_000 // values of all cases that have to be read one by one
)

// Names is what files may refer to.
type Names = rule.Names

// NamesOf returns what files may refer to that are for these providers.
func NamesOf(providers []*engine.Provider) Names { return engine.NamesOf(providers) }

// Loaded is a scenario file with what it includes.
type Loaded struct {
	Scenario script.Scenario // with its own params
	File     string

	root  *node
	cases []Case
}

// Case is one test of a file.
type Case struct {
	Name     string          // "" where the file has no cases
	Scenario script.Scenario // with the params of the case, and without cases
}

// Cases returns the cases in the order of the file; one without a name where the file has none.
func (l *Loaded) Cases() []Case { return l.cases }

// At returns file:line of a part of the scenario, such as steps[3].expect.body, or of the nearest that it is in.
func (l *Loaded) At(path string) string { return l.root.at(path) }

// Load reads a file and what it includes, and checks it. read returns the content of a file, or of a built-in scenario by its
// name. An error is Problems, or comes from read for the file itself.
func Load(file string, read func(name string) ([]byte, error), names Names) (*Loaded, error) {
	data, err := read(file)
	if err != nil {
		return nil, err
	}
	root, problems := readTree(file, data)
	if len(problems) > 0 {
		return nil, problems.orNil()
	}
	i := &includer{read: read, seen: map[string]bool{file: true}}
	root = i.include(root, file)
	if len(i.problems) > 0 {
		return nil, i.problems.orNil()
	}
	l := &Loaded{File: file, root: root}
	if err := l.finish(names); err != nil {
		return nil, err
	}
	return l, nil
}

// Parse reads a scenario that stands alone: YAML or JSON without includes.
func Parse(data []byte, names Names) (script.Scenario, error) {
	root, problems := readTree("scenario", data)
	if len(problems) > 0 {
		return script.Scenario{}, problems.orNil()
	}
	if included := root.member("include"); included != nil {
		return script.Scenario{}, Problems{included.problem("include", "a scenario that is sent has no includes: send one that is complete")}
	}
	l := &Loaded{File: "scenario", root: root}
	err := l.finish(names)
	return l.Scenario, err
}

// finish checks the tree and makes the scenario and its cases of it.
func (l *Loaded) finish(names Names) error {
	params := l.ownParams()
	var problems Problems
	var filled bool
	l.Scenario, filled, problems = l.decode(l.root, params, names)
	problems = append(problems, l.checkCases(params)...)
	if len(problems) > 0 {
		return problems.orNil()
	}
	l.Scenario.Params = params
	return l.readCases(filled, names).orNil()
}

// ownParams are the params of the file itself. What every case sets needs no value beside: it has that of the first case.
func (l *Loaded) ownParams() map[string]any {
	own := map[string]any{}
	if cases := l.root.member("cases"); cases != nil && len(cases.members) > 0 {
		for _, m := range cases.members[0].members {
			if everyCaseSets(cases, m.name) {
				own[m.name] = m.plain()
			}
		}
	}
	if params := l.root.member("params"); params != nil {
		for _, m := range params.members {
			own[m.name] = m.plain()
		}
	}
	return own
}

func everyCaseSets(cases *node, name string) bool {
	return !slices.ContainsFunc(cases.members, func(c member) bool { return c.member(name) == nil })
}

// decode makes the scenario that a tree is with certain params, and checks it.
func (l *Loaded) decode(root *node, params map[string]any, names Names) (s script.Scenario, filled bool, problems Problems) {
	shape := &shaper{params: params}
	data, ok := shape.value(root, reflect.TypeFor[script.Scenario](), "", "")
	if !ok {
		return s, false, shape.problems
	}
	encoded, err := strictjson.Encode(data)
	if err == nil {
		err = strictjson.UnmarshalKnown(encoded, &s)
	}
	if err != nil {
		return s, false, append(shape.problems, root.problem("", err.Error()))
	}
	s.Include = nil // what is included is in
	checker := newChecker(root, s, params, names)
	checker.check()
	return s, shape.filled, append(shape.problems, without(checker.problems, shape.problems)...)
}

// without leaves out what only follows from something that does not fit: its place is empty now.
func without(problems, causes Problems) Problems {
	return slices.DeleteFunc(problems, func(p Problem) bool {
		return slices.ContainsFunc(causes, func(cause Problem) bool {
			parent := cause.Path[:max(strings.LastIndexByte(cause.Path, '.'), 0)]
			return isWithin(cause.Path, p.Path) || hasVerb(parent) && isWithin(p.Path, parent)
		})
	})
}

// hasVerb says that a path is that of a step or an action: what else it has depends on its verb.
func hasVerb(path string) bool {
	return regexp.MustCompile(`(^steps|\.do)\[[0-9]+\]$`).MatchString(path)
}

// isWithin says that a path is that of an ancestor, or below it.
func isWithin(path, ancestor string) bool {
	rest, ok := strings.CutPrefix(path, ancestor)
	return ok && (ancestor == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (l *Loaded) checkCases(params map[string]any) (problems Problems) {
	cases := l.root.member("cases")
	if cases == nil || cases.kind != isMap {
		return nil
	}
	if len(cases.members) == 0 {
		return Problems{cases.problem("cases", "a table without cases tests nothing: take it away, or add one")}
	}
	if len(cases.members) > maxCases {
		return Problems{cases.problem("cases", fmt.Sprintf("%d cases; at most %d are allowed", len(cases.members), maxCases))}
	}
	known := slices.Sorted(maps.Keys(params))
	for _, c := range cases.members {
		if c.name == "" {
			problems = append(problems, c.key.problem("cases", "a case needs a name"))
		}
		for _, m := range c.members {
			if !slices.Contains(known, m.name) {
				where := join(join("cases", c.name), m.name)
				problems = append(problems, m.key.problem(where, "sets a param that neither the scenario nor every other case has"+suggest(m.name, known)))
			}
		}
	}
	return problems
}

// readCases makes the cases. Where a hole was filled with a param, each is decoded and checked anew.
func (l *Loaded) readCases(filled bool, names Names) (problems Problems) {
	base := l.Scenario
	base.Cases = nil
	if len(l.Scenario.Cases) == 0 {
		l.cases = []Case{{Scenario: base}}
		return nil
	}
	if work := len(l.Scenario.Cases) * l.root.values; filled && work > maxCaseWork {
		return Problems{l.root.member("cases").problem("cases", fmt.Sprintf("%d cases of %d values are too many to read; split the file", len(l.Scenario.Cases), l.root.values))}
	}
	for _, m := range l.root.member("cases").members {
		name, merged := m.name, maps.Clone(l.Scenario.Params)
		maps.Copy(merged, l.Scenario.Cases[name])
		c := Case{Name: name, Scenario: base}
		if filled {
			var wrong Problems
			c.Scenario, _, wrong = l.decode(l.root, merged, names)
			problems = append(problems, inCase(name, wrong)...)
		}
		c.Scenario.Params, c.Scenario.Cases = merged, nil
		l.cases = append(l.cases, c)
	}
	return problems
}

func inCase(name string, problems Problems) Problems {
	for i := range problems {
		problems[i].Message += fmt.Sprintf(" (in the case %q)", name)
	}
	return problems
}
