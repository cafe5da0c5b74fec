package arch

import (
	"go/ast"
	"path"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoInitFunctions(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			require.False(t, ok && f.Recv == nil && f.Name.Name == "init", "%s: registration is one explicit list, no init()", s.at(decl))
		}
	}
}

// TestOnlyTheClockReadsTime holds invariant 5: nobody but internal/clock reads the machine's clock or waits for it.
func TestOnlyTheClockReadsTime(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.pkg == "internal/clock" {
			continue
		}
		timeName := localName(s, "time")
		ast.Inspect(s.file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok && isIdent(selector.X, timeName) {
				require.False(t, readsClock(selector.Sel.Name), "%s: time.%s outside of internal/clock", s.at(n), selector.Sel.Name)
			}
			return true
		})
	}
}

func readsClock(name string) bool {
	switch name {
	case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker":
		return true
	}
	return false
}

// localName is the name under which a file knows an imported package; "" when it does not import it.
func localName(s source, imported string) string {
	for _, spec := range s.file.Imports {
		if unquoted, _ := strconv.Unquote(spec.Path.Value); unquoted != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

func isIdent(x ast.Expr, name string) bool {
	ident, ok := x.(*ast.Ident)
	return ok && name != "" && ident.Name == name
}
