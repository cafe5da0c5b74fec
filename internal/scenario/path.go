package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// find returns the node of a path such as steps[3].expect.body, or its nearest ancestor that there is. Names in maps may
// have dots themselves: the longest that fits counts.
func (n *node) find(path string) *node {
	found, _ := n.walk(path)
	return found
}

// walk also returns the key before the node, where it is the value of a name.
func (n *node) walk(path string) (found, key *node) {
	for path != "" {
		next, nextKey, rest, ok := n.step(path)
		if !ok {
			return n, key
		}
		n, key, path = next, nextKey, rest
	}
	return n, key
}

func (n *node) step(path string) (next, key *node, rest string, ok bool) {
	path = strings.TrimPrefix(path, ".")
	if index, after, isIndex := cutIndex(path); isIndex {
		switch {
		case n.kind == isList && index < len(n.items):
			return n.items[index], nil, after, true
		case n.kind != isList && index == 0: // one stands for a list of one
			return n, nil, after, true
		}
		return nil, nil, "", false
	}
	best := -1
	for i, m := range n.members {
		after, fits := strings.CutPrefix(path, m.name)
		if fits && (after == "" || after[0] == '.' || after[0] == '[') && (best < 0 || len(m.name) > len(n.members[best].name)) {
			best, rest = i, after
		}
	}
	if best < 0 {
		return nil, nil, "", false
	}
	return n.members[best].node, n.members[best].key, rest, true
}

func cutIndex(path string) (index int, rest string, ok bool) {
	inside, found := strings.CutPrefix(path, "[")
	if !found {
		return 0, "", false
	}
	digits, rest, found := strings.Cut(inside, "]")
	index, err := strconv.Atoi(digits)
	return index, rest, found && err == nil && index >= 0
}

// at is file:line of a path.
func (n *node) at(path string) string {
	found, key := n.walk(path)
	if key != nil && key.line > 0 {
		found = key
	}
	return fmt.Sprintf("%s:%d", found.file.name, found.line)
}
