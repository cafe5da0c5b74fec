package scenario

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// MaxFile is how many bytes a file may have.
const MaxFile = 1 << 20

// The bounds of what stands in a file.
const (
	maxDepth  = 64      // nesting
	maxValues = 100_000 // values, after aliases are replaced by what they stand for
	maxText   = 4 << 20 // bytes of all texts, likewise
	maxWhole  = 1 << 53 // the largest whole number that JSON's numbers hold exactly
)

// kind is what a node is.
type kind int

const (
	isNull kind = iota
	isBool
	isNumber
	isText
	isList
	isMap
)

// node is a value of a file, with where it stands. An alias is the node it stands for.
type node struct {
	kind    kind
	text    string // as it was written
	scalar  any    // nil, bool, float64 or string
	items   []*node
	members []member

	file         *source
	line, column int
	style        yaml.Style
	values, size int // of the whole tree below: values, and bytes of texts
}

// member is a name in a map and what it has.
type member struct {
	name string
	key  *node
	*node
}

// source is a file that was read.
type source struct {
	name  string
	lines []string
}

func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	return nil
}

// plain is the value without positions.
func (n *node) plain() any {
	switch n.kind {
	case isList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	case isMap:
		object := make(map[string]any, len(n.members))
		for _, m := range n.members {
			object[m.name] = m.plain()
		}
		return object
	default:
		return n.scalar
	}
}

// describe names a value for messages.
func (n *node) describe() string {
	switch n.kind {
	case isNull:
		return "nothing"
	case isBool, isNumber:
		return n.text
	case isText:
		return "the text " + fmt.Sprintf("%q", shorten(n.text))
	case isList:
		return "a list"
	default:
		return "a map"
	}
}

func shorten(text string) string {
	const enough = 40
	if runes := []rune(text); len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return text
}

// readTree reads a file: YAML, or JSON, which is YAML.
func readTree(name string, data []byte) (*node, Problems) {
	file := &source{name: name}
	if len(data) > MaxFile {
		return nil, Problems{file.problem(1, 1, "", fmt.Sprintf("the file has %d bytes; at most %d are allowed", len(data), MaxFile))}
	}
	if !utf8.Valid(data) {
		return nil, Problems{file.problem(1, 1, "", "the file is not valid UTF-8")}
	}
	file.lines = strings.Split(string(data), "\n")
	if line, column, ok := tooDeep(data); ok {
		return nil, Problems{file.problem(line, column, "", nestedTooDeep())}
	}
	if isJSON(data) {
		return readJSON(file, data)
	}
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		unreadable := file.unreadable(err)
		unreadable.NotYAML = true
		return nil, Problems{unreadable}
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, Problems{file.problem(1, 1, "", emptyFile())}
	}
	b := &builder{file: file, built: map[*yaml.Node]*node{}}
	root := b.build(document.Content[0], "", 0)
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return root, nil
}

func tooMuch() string {
	return fmt.Sprintf("too much: a scenario has at most %d values and %d bytes of text, with aliases replaced and includes", maxValues, maxText)
}

func nestedTooDeep() string { return fmt.Sprintf("nested deeper than %d levels", maxDepth) }

// tooDeep finds brackets that nest too deeply, before a parser has to. It may be wrong about brackets in texts only where
// there are many more of them than any text needs.
func tooDeep(data []byte) (line, column int, found bool) {
	const many = 20 * maxDepth
	depth := 0
	line, column = 1, 0
	for _, c := range data {
		column++
		switch c {
		case '[', '{':
			if depth++; depth > many {
				return line, column, true
			}
		case ']', '}':
			depth = max(0, depth-1)
		case '\n':
			line, column = line+1, 0
		}
	}
	return 0, 0, false
}

// unreadable is an error of the YAML parser.
func (f *source) unreadable(err error) Problem {
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		line, column := max(1, e.Mark.Line), max(1, e.Mark.Column)
		message := strings.TrimSpace(e.Message)
		switch {
		case strings.Contains(message, "no documents"):
			return f.problem(1, 1, "", emptyFile())
		case strings.Contains(message, "max depth"):
			return f.problem(line, column, "", nestedTooDeep())
		case strings.Contains(message, "document") && (strings.Contains(message, "single") || strings.Contains(message, "multiple")):
			return f.problem(line, column, "", "a file has one scenario: take --- away")
		case e.ContextMsg != "":
			message = e.ContextMsg + ": " + message
		}
		return f.problem(line, column, "", "not valid YAML: "+message)
	}
	if strings.Contains(err.Error(), "no documents") {
		return f.problem(1, 1, "", emptyFile())
	}
	return f.problem(1, 1, "", "not valid YAML: "+strings.TrimPrefix(err.Error(), "yaml: "))
}

func emptyFile() string { return "the file is empty; a scenario has a title and what shall happen" }

// builder makes nodes of a YAML document.
type builder struct {
	file     *source
	built    map[*yaml.Node]*node
	problems Problems
}

func (b *builder) wrong(y *yaml.Node, path, message string) {
	b.problems = append(b.problems, b.file.problem(y.Line, y.Column, path, message))
}

// build makes a node. Its size counts what aliases stand for, so that a small file cannot become a large one.
func (b *builder) build(y *yaml.Node, path string, depth int) *node {
	for y.Kind == yaml.AliasNode && y.Alias != nil {
		y = y.Alias
	}
	if n, ok := b.built[y]; ok {
		if n == nil {
			b.wrong(y, path, "an alias stands within what it stands for")
			return &node{file: b.file}
		}
		return n
	}
	if depth > maxDepth {
		b.wrong(y, path, nestedTooDeep())
		return &node{file: b.file}
	}
	b.built[y] = nil
	n := &node{file: b.file, line: y.Line, column: y.Column, style: y.Style, values: 1}
	switch y.Kind {
	case yaml.MappingNode:
		b.buildMap(n, y, path, depth)
	case yaml.SequenceNode:
		b.buildList(n, y, path, depth)
	default:
		b.buildScalar(n, y, path)
	}
	b.built[y] = n
	if len(b.problems) == 0 && (n.values > maxValues || n.size > maxText) {
		b.wrong(y, path, tooMuch())
	}
	return n
}

func (b *builder) buildList(n *node, y *yaml.Node, path string, depth int) {
	n.kind = isList
	for i, item := range y.Content {
		if len(b.problems) > 0 {
			return
		}
		below := b.build(item, fmt.Sprintf("%s[%d]", path, i), depth+1)
		n.add(below)
		n.items = append(n.items, below)
	}
}

// add counts what is below a node.
func (n *node) add(below *node) {
	n.values += below.values
	n.size += below.size
}

func (b *builder) buildMap(n *node, y *yaml.Node, path string, depth int) {
	n.kind = isMap
	var merged []*yaml.Node
	seen := make(map[string]bool, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content) && len(b.problems) == 0; i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
			merged = append(merged, value)
			continue
		}
		name, ok := b.name(key, path)
		if !ok {
			return
		}
		if seen[name] {
			b.wrong(key, join(path, name), fmt.Sprintf("%q stands twice", shorten(name)))
			return
		}
		seen[name] = true
		n.size += len(name)
		below := b.build(value, join(path, name), depth+1)
		n.add(below)
		n.members = append(n.members, member{name: name, key: &node{file: b.file, line: key.Line, column: key.Column}, node: below})
	}
	for _, value := range merged {
		b.merge(n, value, path, depth, seen)
	}
}

// name is the text of a map's key, whatever it looks like: 200 and true are names, too.
func (b *builder) name(key *yaml.Node, path string) (string, bool) {
	for key.Kind == yaml.AliasNode && key.Alias != nil {
		key = key.Alias
	}
	if key.Kind != yaml.ScalarNode {
		b.wrong(key, path, "a name is a text, not a list or a map; put quotes around {{ … }}")
		return "", false
	}
	return key.Value, true
}

// merge adds what a merge key brings: the members that the map has not itself.
func (b *builder) merge(n *node, value *yaml.Node, path string, depth int, seen map[string]bool) {
	if len(b.problems) > 0 {
		return
	}
	from := b.build(value, path, depth+1)
	maps := []*node{from}
	if from.kind == isList {
		maps = from.items
	}
	for _, m := range maps {
		if m.kind != isMap {
			b.wrong(value, path, "<< merges a map, or a list of maps, not "+m.describe())
			return
		}
		for _, added := range m.members {
			if !seen[added.name] {
				seen[added.name] = true
				n.members = append(n.members, added)
				n.size += len(added.name)
				n.add(added.node)
			}
		}
	}
}

// buildScalar reads a scalar by the rules of YAML 1.2. What only looks like an instant is a text.
func (b *builder) buildScalar(n *node, y *yaml.Node, path string) {
	n.text, n.size = y.Value, len(y.Value)
	switch tag := y.ShortTag(); tag {
	case "!!null":
		n.kind = isNull
	case "!!str", "!!timestamp":
		n.kind, n.scalar = isText, y.Value
	case "!!bool":
		var v bool
		b.decode(n, y, path, &v, isBool)
		n.scalar = v
	case "!!int", "!!float":
		var v float64
		b.decode(n, y, path, &v, isNumber)
		n.scalar = v
		b.checkNumber(y, path, v, tag == "!!int")
	default:
		b.wrong(y, path, fmt.Sprintf("unknown tag %s: write a text, a number, true, false, null, a list or a map", shorten(tag)))
	}
}

func (b *builder) decode(n *node, y *yaml.Node, path string, to any, k kind) {
	n.kind = k
	if err := y.Decode(to); err != nil {
		b.wrong(y, path, fmt.Sprintf("%q cannot be read; put it in quotes when it is a text", shorten(y.Value)))
	}
}

// checkNumber refuses numbers that would not arrive as they are written.
func (b *builder) checkNumber(y *yaml.Node, path string, v float64, whole bool) {
	digits := strings.TrimLeft(y.Value, "+-")
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		b.wrong(y, path, y.Value+" is not a number of JSON")
	case whole && math.Abs(v) >= maxWhole:
		b.wrong(y, path, y.Value+" is too large to be exact; put it in quotes")
	case whole && len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9':
		b.wrong(y, path, y.Value+" has a leading zero; put it in quotes when it is a text")
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
