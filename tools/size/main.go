// Command size prints how long the functions and files of a module are, and which are the longest: outliers show where
// a design hides its difficulty. Tests are left out.
//
//	go run ./size ..
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const outliers = 8

type measure struct {
	lines int
	what  string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: size FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run(root string, out io.Writer) error {
	var functions, files []measure
	folders := map[string]int{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "tools" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		short, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		found, lines, err := inFile(name, short)
		functions = append(functions, found...)
		files = append(files, measure{lines: lines, what: short})
		folders[filepath.Dir(short)] += lines
		return err
	})
	if err != nil {
		return err
	}
	var packages []measure
	for folder, lines := range folders {
		packages = append(packages, measure{lines: lines, what: folder})
	}
	report(out, "functions", functions)
	report(out, "files", files)
	report(out, "packages", packages)
	return nil
}

func inFile(name, short string) (functions []measure, lines int, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, 0, err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			from, to := set.Position(f.Pos()).Line, set.Position(f.End()).Line
			functions = append(functions, measure{lines: to - from + 1, what: fmt.Sprintf("%s:%d %s", short, from, f.Name.Name)})
		}
	}
	return functions, set.File(file.Pos()).LineCount(), nil
}

func report(out io.Writer, title string, all []measure) {
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b measure) int { return cmp.Or(cmp.Compare(b.lines, a.lines), strings.Compare(a.what, b.what)) })
	n := len(all)
	fmt.Fprintf(out, "%s: %d, lines: median %d, p90 %d, max %d\n", title, n, all[n/2].lines, all[n/10].lines, all[0].lines)
	for _, m := range all[:min(outliers, n)] {
		fmt.Fprintf(out, "  %4d  %s\n", m.lines, m.what)
	}
}
