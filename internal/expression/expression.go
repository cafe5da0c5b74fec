// Package expression has the one expression language of scripted behaviour: conditions, assertions, saved values, and
// the ${{ }} holes of texts. It is expr-lang/expr (https://expr-lang.org) over plain data, with the world's time and
// randomness instead of the machine's.
//
// An expression has no effects and cannot reach anything but its variables. Its length, its steps, its memory and its
// result are bounded, so that no text makes the server slow, large or stop.
//
// The package knows nothing of rules, scenarios or providers.
package expression

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brianvoe/gofakeit/v6"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/mocksrv/mocksrv/internal/near"
)

// The bounds of an expression.
const (
	maxText   = 4 << 10
	maxNodes  = 2000
	maxList   = 250_000 // elements that lists and ranges of one evaluation may have in all
	maxResult = 1 << 20 // bytes of a result
	maxDepth  = 100     // nesting of a value
)

// Vars is what an expression sees.
type Vars struct {
	Now   time.Time
	Fake  *gofakeit.Faker // may be nil: fake() is an error then
	Names map[string]any  // plain data
}

// Expression is a compiled expression. It may be used by several goroutines at once.
type Expression struct {
	text    string
	program *vm.Program
	kind    reflect.Kind // of the result, as far as it is known; Interface: it is not
	members map[string][]string
}

// Error says what is wrong with an expression, and where.
type Error struct {
	Path    string // of the text within a template: members and indexes, empty for an expression
	Line    int    // within the text, from 1
	Column  int    // in characters, from 1
	Message string
}

func (e *Error) Error() string {
	where := fmt.Sprintf("%s (line %d, column %d)", e.Message, e.Line, e.Column)
	if e.Path != "" {
		return e.Path + ": " + where
	}
	return where
}

// Compile reads an expression that may use the given variables; with nil it may use any.
func Compile(text string, names []string) (_ *Expression, err error) {
	defer func() {
		if r := recover(); r != nil { // a fault of the library is the expression's, not the server's
			err = at(1, 1, fmt.Sprintf("the expression cannot be compiled: %v", r))
		}
	}()
	if err := checkText(text); err != nil {
		return nil, err
	}
	config := configure(names)
	tree, err := checker.ParseCheck(text, config)
	if err != nil {
		return nil, explain(err, names)
	}
	kind := tree.Node.Type().Kind()
	members, err := guardTree(tree)
	if err != nil {
		return nil, err
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, explain(err, names)
	}
	return &Expression{text: text, program: program, kind: kind, members: members}, nil
}

func checkText(text string) error {
	switch {
	case len(text) > maxText:
		return at(1, 1, fmt.Sprintf("the expression has %d bytes; at most %d are allowed", len(text), maxText))
	case strings.TrimSpace(text) == "":
		return at(1, 1, "the expression is empty")
	case !utf8.ValidString(text):
		return at(1, 1, "the expression is not valid UTF-8")
	}
	return nil
}

// configure describes the language: the variables, our functions, and the library's without those that reach outside
// or that are replaced.
func configure(names []string) *conf.Config {
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	env := types.Map{chargeName: types.TypeOf((*meter)(nil).charge)}
	for _, name := range names {
		env[name] = types.Any
	}
	for name, fn := range runFunctions(Vars{}, nil) {
		env[name] = types.TypeOf(fn)
	}
	if names == nil {
		env[types.Extra] = types.Any
	}
	config.WithEnv(env)
	for name, f := range pureFunctions() {
		config.Functions[name] = &builtin.Function{Name: name, Func: f.call, Types: []reflect.Type{reflect.TypeOf(f.signature)}}
		delete(config.Builtins, name)
	}
	delete(config.Builtins, "now")
	return config
}

// Text returns the expression as it was written.
func (e *Expression) Text() string { return e.text }

// MayBeBool says whether the result may be a boolean, as far as that is known without evaluating.
func (e *Expression) MayBeBool() bool { return e.kind == reflect.Bool || e.kind == reflect.Interface }

// Members returns the members of a variable that the expression names: a and b for x of x.a + x.b.c.
func (e *Expression) Members(variable string) []string { return e.members[variable] }

// Value evaluates the expression to plain data: string, bool, int, float64, nil, list, map, time.Time or time.Duration.
func (e *Expression) Value(v Vars) (any, error) {
	m := &meter{left: maxWork}
	machine := vm.VM{MemoryBudget: maxList}
	got, err := machine.Run(e.program, environment(v, m))
	if err != nil {
		return nil, explain(err, nil)
	}
	value, err := plain(got)
	if err != nil {
		return nil, at(1, 1, err.Error())
	}
	return value, nil
}

// Bool evaluates a condition.
func (e *Expression) Bool(v Vars) (bool, error) {
	value, err := e.Value(v)
	if err != nil {
		return false, err
	}
	b, ok := value.(bool)
	if !ok {
		return false, at(1, 1, fmt.Sprintf("the condition is %s, not true or false", describe(value)))
	}
	return b, nil
}

// environment is what a program sees when it runs. Functions come last: no variable hides them.
func environment(v Vars, m *meter) map[string]any {
	env := make(map[string]any, len(v.Names)+8)
	maps.Copy(env, v.Names)
	maps.Copy(env, runFunctions(v, m))
	env[chargeName] = m.charge
	return env
}

func at(line, column int, message string) *Error {
	return &Error{Line: line, Column: column, Message: message}
}

// explain turns an error of the library into ours, with a suggestion for a misspelt name.
func explain(err error, names []string) error {
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	theirs, ok := errors.AsType[*file.Error](err)
	if !ok {
		return at(1, 1, err.Error())
	}
	line, column := max(theirs.Line, 1), theirs.Column+1
	return at(line, column, reword(theirs.Message, names))
}

func reword(message string, names []string) string {
	if wrong, ok := strings.CutPrefix(message, "unknown name "); ok {
		return message + suggest(wrong, names)
	}
	if strings.HasPrefix(message, "cannot fetch ") && strings.HasSuffix(message, "from <nil>") {
		name := strings.TrimSuffix(strings.TrimPrefix(message, "cannot fetch "), " from <nil>")
		return fmt.Sprintf("no member %s: what should have it is null; write ?.%s where it may be missing", name, name)
	}
	if token, ok := strings.CutPrefix(message, "unexpected token "); ok {
		return unexpected(token)
	}
	if message == "literal not terminated" {
		return "the text that begins with a quote does not end with one"
	}
	if call, ok := strings.CutPrefix(message, "reflect: Call using "); ok {
		got, want, _ := strings.Cut(call, " as type ")
		return fmt.Sprintf("an argument is a %s, expected a %s", got, want)
	}
	return message
}

// unexpected says what stands where something else was expected.
func unexpected(token string) string {
	switch token {
	case "EOF":
		return "the expression ends too early: a value or a closing bracket is missing"
	case `Operator("=")`:
		return "unexpected =; write == to compare"
	}
	if _, quoted, ok := strings.Cut(token, "("); ok {
		token = strings.TrimSuffix(quoted, ")")
	}
	return fmt.Sprintf("unexpected %s: an operator, or the end, is expected before it", token)
}

// suggest names what a misspelt name was probably meant to be, or what there is.
func suggest(wrong string, names []string) string {
	known := slices.Clone(names)
	for name := range runFunctions(Vars{}, nil) {
		known = append(known, name)
	}
	slices.Sort(known)
	if best := near.Best(wrong, known); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	if best := nearest(wrong, builtin.Names); near.Distance(best, wrong) == 1 {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; there are " + strings.Join(known, ", ")
}

func nearest(wrong string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return near.Distance(a, wrong) - near.Distance(b, wrong) })
}

// CheckName says whether a value can be saved under a name, so that expressions can use it.
func CheckName(name string) error {
	config := conf.CreateNew()
	_, isBuiltin := config.Builtins[name]
	_, isOurs := runFunctions(Vars{}, nil)[name]
	if isBuiltin || isOurs {
		return fmt.Errorf("%q is a function of the expression language: choose another name", name)
	}
	tree, err := checker.ParseCheck(name, configure(nil))
	if err != nil {
		return fmt.Errorf("%q cannot be used as a name in expressions: use letters, digits and _", name)
	}
	if ident, ok := tree.Node.(*ast.IdentifierNode); !ok || ident.Value != name || strings.HasPrefix(name, "$") {
		return fmt.Errorf("%q cannot be used as a name in expressions: use letters, digits and _", name)
	}
	return nil
}
