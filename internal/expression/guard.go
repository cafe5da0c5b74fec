package expression

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// The library bounds the elements of lists, but neither the length of texts nor the steps of loops, nor lists that
// contain one list many times. So every part of an expression that can make something larger, or that is repeated, is
// wrapped in a call that charges the size of its value, and stops when too much was charged.

// chargeName is the function that wraps parts of expressions. No expression can name it.
const chargeName = "$charge"

// maxWork is what one evaluation may be charged: about the bytes it makes or looks at.
const maxWork = 16 << 20

// perNode is charged for each value, whatever it is.
const perNode = 16

var (
	errWork  = errors.New("the expression does too much: it makes or reads more than 16 MiB")
	errDepth = errors.New("a value is nested deeper than 100 levels")
)

// meter counts what one evaluation does.
type meter struct{ left int }

// charge returns its argument, after taking its size from what is left.
func (m *meter) charge(args ...any) any {
	m.take(args[0], 0)
	return args[0]
}

func (m *meter) take(value any, depth int) {
	if depth > maxDepth {
		panic(errDepth)
	}
	m.spend(perNode)
	switch v := value.(type) {
	case nil, bool, int, float64, time.Time, time.Duration:
	case string:
		m.spend(len(v))
	case []int:
		m.spend(perNode * len(v))
	case []any:
		for _, item := range v {
			m.take(item, depth+1)
		}
	case map[string]any:
		for name, item := range v {
			m.spend(len(name))
			m.take(item, depth+1)
		}
	default:
		m.takeOther(reflect.ValueOf(value), depth)
	}
}

func (m *meter) takeOther(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		m.spend(v.Len())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			m.take(v.Index(i).Interface(), depth+1)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			m.take(key.Interface(), depth+1)
			m.take(v.MapIndex(key).Interface(), depth+1)
		}
	default:
	}
}

func (m *meter) spend(n int) {
	m.left -= n
	if m.left < 0 {
		panic(errWork)
	}
}

// guardTree refuses names that are ours, puts the charges into a tree that was checked, and returns the members of
// variables that it names.
func guardTree(tree *parser.Tree) (map[string][]string, error) {
	g := &guard{members: map[string][]string{}}
	ast.Walk(&tree.Node, g)
	return g.members, g.err
}

type guard struct {
	members map[string][]string
	err     error
}

// Visit sees every node after its children.
func (g *guard) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		g.refuse(n.Value)
	case *ast.VariableDeclaratorNode:
		g.refuse(n.Name)
	case *ast.MemberNode:
		g.note(n)
	case *ast.PredicateNode:
		wrap(&n.Node)
	case *ast.BinaryNode:
		guardOperator(node, n)
	case *ast.ArrayNode, *ast.MapNode, *ast.CallNode:
		wrapUnlessScalar(node)
	case *ast.BuiltinNode:
		guardBuiltin(node, n)
	}
}

// note remembers a member of a variable.
func (g *guard) note(n *ast.MemberNode) {
	variable, ok := n.Node.(*ast.IdentifierNode)
	if !ok {
		return
	}
	if member, ok := n.Property.(*ast.StringNode); ok {
		g.members[variable.Value] = append(g.members[variable.Value], member.Value)
	}
}

func (g *guard) refuse(name string) {
	if strings.HasPrefix(name, "$") && g.err == nil {
		g.err = at(1, 1, "unknown name "+name)
	}
}

// guardOperator charges what operators make, and what those look at that compare all of a value.
func guardOperator(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "+", "..":
		wrapUnlessScalar(node)
	case "in":
		wrapUnlessScalar(&n.Right)
	case "contains", "matches", "startsWith", "endsWith":
		wrapUnlessScalar(&n.Left)
	case "==", "!=", "<", "<=", ">", ">=":
		if !isScalar(n.Right) {
			wrapUnlessScalar(&n.Left)
		}
	}
}

// guardBuiltin charges the result, or what was looked at when that is only a number or the like.
func guardBuiltin(node *ast.Node, n *ast.BuiltinNode) {
	if !isScalar(*node) {
		wrap(node)
		return
	}
	for i := range n.Arguments {
		if _, ok := n.Arguments[i].(*ast.PredicateNode); !ok {
			wrapUnlessScalar(&n.Arguments[i])
		}
	}
}

func wrapUnlessScalar(node *ast.Node) {
	if !isScalar(*node) {
		wrap(node)
	}
}

// isScalar says whether a value takes no more room than it has in the text, or a few bytes.
func isScalar(node ast.Node) bool {
	switch node.(type) {
	case *ast.NilNode, *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return true
	}
	switch node.Type().Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	case reflect.Struct:
		return node.Type() == reflect.TypeFor[time.Time]()
	default:
		return false
	}
}

// wrap puts a charge around a node. What the checker found out about it stays.
func wrap(node *ast.Node) {
	inner := *node
	callee := &ast.IdentifierNode{Value: chargeName}
	callee.SetLocation(inner.Location())
	callee.SetType(reflect.TypeOf((*meter)(nil).charge))
	call := &ast.CallNode{Callee: callee, Arguments: []ast.Node{inner}}
	call.SetLocation(inner.Location())
	call.SetNature(*inner.Nature())
	*node = call
}
