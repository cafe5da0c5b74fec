package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in characters, from 1
	Path    string `json:"path"`   // of the member: steps[3].expect.body
	Message string `json:"message"`
	Excerpt string `json:"excerpt"` // the line
	NotYAML bool   `json:"-"`       // the file as a whole cannot be read
}

// Error is file:line:column: message.
func (p Problem) Error() string {
	message := p.Message
	if p.Path != "" {
		message = p.Path + ": " + message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, message)
}

// Show is the error, the line, and a caret below the place.
func (p Problem) Show() string {
	if strings.TrimSpace(p.Excerpt) == "" {
		return p.Error()
	}
	runes := []rune(p.Excerpt)
	before := runes[:min(max(p.Column-1, 0), len(runes))]
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
	return fmt.Sprintf("%s\n  %s\n  %s^", p.Error(), p.Excerpt, indent)
}

// Problems are all things that are wrong, in the order of the file.
type Problems []Problem

// Error has a line for each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// orNil is an error when there are problems.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p.sorted()
}

// maxProblems are shown of one file: a file that is something else altogether has thousands.
const maxProblems = 100

// enoughProblems are those after which nobody looks for more.
const enoughProblems = 1000

// sorted puts problems into the order of the files, without those that say the same of the same place.
func (p Problems) sorted() Problems {
	files := map[string]int{}
	for _, problem := range p {
		if _, ok := files[problem.File]; !ok {
			files[problem.File] = len(files)
		}
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(files[a.File], files[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	p = slices.CompactFunc(p, func(a, b Problem) bool { return a == b })
	if len(p) > maxProblems {
		last := p[maxProblems-1]
		last.Path, last.Message = "", fmt.Sprintf("there are %d more problems", len(p)-maxProblems+1)
		return append(slices.Clone(p[:maxProblems-1]), last)
	}
	return p
}

// longestPath is how much of a path is shown: names in maps can be as long as a file.
const longestPath = 500

func (f *source) problem(line, column int, path, message string) Problem {
	const enough = 200
	excerpt := ""
	if line >= 1 && line <= len(f.lines) {
		excerpt = strings.TrimRight(f.lines[line-1], "\r")
	}
	if runes := []rune(excerpt); len(runes) > enough {
		excerpt = string(runes[:enough]) + "…"
	}
	if len(path) > longestPath {
		path = strings.ToValidUTF8(path[:longestPath], "") + "…"
	}
	return Problem{File: f.name, Line: max(line, 1), Column: max(column, 1), Path: path, Message: message, Excerpt: excerpt}
}

// problem is one about this node.
func (n *node) problem(path, message string) Problem {
	return n.file.problem(n.line, n.column, path, message)
}
