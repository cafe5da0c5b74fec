package scenario

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// includer puts the files that a scenario includes before it.
type includer struct {
	read     func(name string) ([]byte, error)
	seen     map[string]bool // files that are in already, or being read
	open     []string        // those being read, from the first on
	problems Problems
}

// Files are the files that a scenario is read from: its own, and those that it includes, as far as they can be read. What is
// built in is no file.
func Files(file string, read func(name string) ([]byte, error)) []string {
	i := &includer{read: read, seen: map[string]bool{file: true}}
	if data, err := read(file); err == nil {
		if root, problems := readTree(file, data); len(problems) == 0 {
			i.include(root, file)
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(i.seen)), func(name string) bool { return !isFile(name) })
}

// include returns a tree with what its includes bring.
func (i *includer) include(root *node, file string) *node {
	list := root.member("include")
	if root.kind != isMap || list == nil || list.kind != isList {
		return root // the shape is checked later
	}
	i.open = append(i.open, file)
	merged := &node{kind: isMap, file: root.file, line: root.line, column: root.column}
	for at, item := range list.items {
		if item.kind != isText {
			continue
		}
		if included := i.one(item, fmt.Sprintf("include[%d]", at), file); included != nil {
			merged = merge(merged, ofWorld(included))
		}
	}
	i.open = i.open[:len(i.open)-1]
	if merged = merge(merged, root); merged.values > maxValues || merged.size > maxText {
		i.problems = append(i.problems, list.problem("include", tooMuch()))
	}
	return merged
}

// one reads one included file, with its own includes; nil: it is in already, or there is none.
func (i *includer) one(item *node, path, from string) *node {
	name := resolve(item.text, from)
	wrong := func(format string, args ...any) *node {
		i.problems = append(i.problems, item.problem(path, fmt.Sprintf(format, args...)))
		return nil
	}
	switch {
	case name == from || slices.Contains(i.open, name):
		return wrong("includes itself: %s", strings.Join(append(slices.Clone(i.open), name), " → "))
	case i.seen[name]:
		return nil
	case len(i.seen) > maxIncludes:
		return wrong("more than %d files are included", maxIncludes)
	}
	i.seen[name] = true
	data, err := i.read(name)
	if err != nil {
		return wrong("cannot be read: %v", err)
	}
	root, problems := readTree(name, data)
	if len(problems) > 0 {
		i.problems = append(i.problems, problems...)
		return nil
	}
	return i.include(root, name)
}

// resolve is the name under which an included file is read: relative to the file that includes it, or a built-in
// scenario's name.
func resolve(name, from string) string {
	if !isFile(name) || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(from), name)
}

// isFile tells a file from the name of a built-in scenario.
func isFile(name string) bool {
	return strings.ContainsAny(name, `/\`) || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}

// ofWorld is what an included file brings: neither what it is about, nor its steps and cases.
func ofWorld(n *node) *node {
	world := *n
	world.members = slices.DeleteFunc(slices.Clone(n.members), func(m member) bool {
		return slices.Contains([]string{"title", "about", "include", "cases", "steps"}, m.name)
	})
	return &world
}

// merge puts the second of two trees over the first: lists are joined, maps are merged name by name, and of everything else
// the second counts.
func merge(under, over *node) *node {
	return mergeMaps(under, over, joined)
}

// mergeMaps merges two maps. Of what both have, both says what becomes.
func mergeMaps(under, over *node, both func(name string, under, over *node) *node) *node {
	merged := *over
	merged.members = slices.Clone(over.members)
	merged.values, merged.size = under.values+over.values, under.size+over.size
	at := make(map[string]int, len(over.members))
	for i, m := range over.members {
		at[m.name] = i
	}
	for _, m := range under.members {
		if i, ok := at[m.name]; ok {
			merged.members[i].node = both(m.name, m.node, merged.members[i].node)
		} else {
			merged.members = append(merged.members, m)
		}
	}
	return &merged
}

// joined is a member that both trees have. Accounts are merged to the credential; of other maps each name is whole.
func joined(name string, under, over *node) *node {
	switch {
	case under.kind == isList && over.kind == isList:
		both := *over
		both.items = slices.Concat(under.items, over.items)
		both.values, both.size = under.values+over.values, under.size+over.size
		return &both
	case under.kind != isMap || over.kind != isMap || name == "clock":
		return over
	case name == "accounts":
		return mergeMaps(under, over, ofAccount)
	default:
		return mergeMaps(under, over, second)
	}
}

// ofAccount merges what two files say of an account: sim by sim, credential by credential.
func ofAccount(_ string, under, over *node) *node {
	if under.kind != isMap || over.kind != isMap {
		return over
	}
	return mergeMaps(under, over, ofAccount)
}

func second(_ string, _, over *node) *node { return over }
