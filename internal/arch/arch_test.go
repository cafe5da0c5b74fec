// Package arch holds the rules of the architecture that a reader cannot see in any one package, as tests: which package
// may import which, what every provider folder has, where time is read, and that CONTRIBUTING.md tells the truth about
// adding a provider. It has no code of its own, and it knows no package but by its path.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the module's path; packages are named by what follows it, the root package by ".".
const module = "github.com/mocksrv/mocksrv"

// root is the module's root, seen from this package.
func root() string { return filepath.Join("..", "..") }

// source is one parsed Go file of the module.
type source struct {
	pkg  string // "internal/store"; "." for the root
	name string // "memory.go"
	file *ast.File
	set  *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// at says where a node is, relative to the module's root.
func (s source) at(n ast.Node) string {
	return path.Join(s.pkg, s.name) + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// imports returns the imported paths.
func (s source) imports() []string {
	paths := make([]string, len(s.file.Imports))
	for i, spec := range s.file.Imports {
		paths[i], _ = strconv.Unquote(spec.Path.Value) // the parser has checked it
	}
	return paths
}

// ownPackage returns the path below the module of a package of the module.
func ownPackage(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// sources parses every Go file of the module. Nested modules, hidden folders and test data are none of it.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(root(), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipForeign(name, d)
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root(), filepath.Dir(name))
		all = append(all, source{pkg: filepath.ToSlash(folder), name: d.Name(), file: file, set: set})
		return err
	}))
	require.NotEmpty(t, all)
	return all
}

func skipForeign(name string, d fs.DirEntry) error {
	if name == root() {
		return nil
	}
	hidden := strings.HasPrefix(d.Name(), ".")
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	if hidden || err == nil || slices.Contains([]string{"testdata", "bin", "dist"}, d.Name()) {
		return filepath.SkipDir
	}
	return nil
}

// providers returns the providers' names: the folders below sims that are neither the list nor the conformance suite.
func providers(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, s := range sources(t) {
		if isProvider(s.pkg) {
			names = append(names, path.Base(s.pkg))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isProvider(pkg string) bool {
	return path.Dir(pkg) == "sims" && pkg != "sims/all" && pkg != "sims/simtest"
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(), name))
	require.NoError(t, err)
	return string(data)
}
