package arch

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoInitFunctions(t *testing.T) {
	t.Parallel()
	var found []string
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, s.at(decl))
			}
		}
	}
	require.Empty(t, found, "registration is one explicit list, no init()")
}

// TestOnlyTheClockReadsTime holds invariant 5: nobody but internal/clock reads the machine's clock or waits for it.
func TestOnlyTheClockReadsTime(t *testing.T) {
	t.Parallel()
	var found []string
	for _, s := range sources(t) {
		if s.pkg == "internal/clock" || slices.Contains(realTime(), path.Join(s.pkg, s.name)) {
			continue
		}
		timeName := localName(s, "time")
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if ok && isIdent(selector.X, timeName) && readsClock(selector.Sel.Name) {
				found = append(found, s.at(n)+" time."+selector.Sel.Name)
			}
			return true
		})
	}
	require.Empty(t, found, "only internal/clock reads time or waits for it")
}

// realTime lists the files that have a reason of their own to wait, which stands at the line.
func realTime() []string {
	return []string{
		"client/client.go", // another process is starting
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
