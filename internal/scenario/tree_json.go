package scenario

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// isJSON says that a file is JSON. Most of that is YAML, too, but not all: tabs, and escapes of two halves of a letter.
func isJSON(data []byte) bool {
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '{' {
		return false
	}
	_, err := strictjson.Decode(data)
	return err == nil
}

// jsonBuilder makes nodes of a JSON document that was found to be valid.
type jsonBuilder struct {
	file     *source
	data     []byte
	dec      *jsontext.Decoder
	at       int // where line and column are known
	line     int
	column   int
	values   int
	problems Problems
}

func readJSON(file *source, data []byte) (*node, Problems) {
	b := &jsonBuilder{file: file, data: data, dec: jsontext.NewDecoder(bytes.NewReader(data)), line: 1, column: 1}
	root := b.value("", 0)
	return root, b.problems
}

// place is where the next token begins.
func (b *jsonBuilder) place() *node {
	end := int(b.dec.InputOffset())
	for end < len(b.data) && strings.IndexByte(" \t\r\n,:", b.data[end]) >= 0 {
		end++
	}
	passed := b.data[b.at:end]
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		b.line, b.column = b.line+bytes.Count(passed, []byte("\n")), 1
		passed = passed[last+1:]
	}
	b.column += utf8.RuneCount(passed)
	b.at = end
	return &node{file: b.file, line: b.line, column: b.column, values: 1}
}

func (b *jsonBuilder) wrong(n *node, path, message string) {
	b.problems = append(b.problems, n.problem(path, message))
}

func (b *jsonBuilder) value(path string, depth int) *node {
	n := b.place()
	if b.values++; b.values > maxValues {
		b.wrong(n, path, tooMuch())
	}
	if depth > maxDepth {
		b.wrong(n, path, nestedTooDeep())
	}
	token, err := b.dec.ReadToken()
	if err != nil || len(b.problems) > 0 {
		return n // the document is valid: there is no error
	}
	switch token.Kind() {
	case '{':
		b.object(n, path, depth)
	case '[':
		b.list(n, path, depth)
	case '"':
		n.kind, n.text, n.scalar = isText, token.String(), token.String()
	case 't', 'f':
		n.kind, n.text, n.scalar = isBool, token.String(), token.Bool()
	case '0':
		b.number(n, token, path)
	default:
		n.kind = isNull
	}
	n.size += len(n.text)
	return n
}

func (b *jsonBuilder) number(n *node, token jsontext.Token, path string) {
	v, err := strconv.ParseFloat(token.String(), 64)
	n.kind, n.text, n.scalar = isNumber, token.String(), v
	switch {
	case err != nil:
		b.wrong(n, path, n.text+" is too large")
	case !strings.ContainsAny(n.text, ".eE") && math.Abs(v) >= maxWhole:
		b.wrong(n, path, n.text+" is too large to be exact; put it in quotes")
	}
}

func (b *jsonBuilder) object(n *node, path string, depth int) {
	n.kind = isMap
	for b.dec.PeekKind() == '"' && len(b.problems) == 0 {
		key := b.place()
		token, err := b.dec.ReadToken()
		if err != nil {
			return
		}
		name := token.String()
		below := b.value(join(path, name), depth+1)
		n.add(below)
		n.size += len(name)
		n.members = append(n.members, member{name: name, key: key, node: below})
	}
	b.end()
}

func (b *jsonBuilder) list(n *node, path string, depth int) {
	n.kind = isList
	for kind := b.dec.PeekKind(); kind != ']' && kind != 0 && len(b.problems) == 0; kind = b.dec.PeekKind() {
		below := b.value(fmt.Sprintf("%s[%d]", path, len(n.items)), depth+1)
		n.add(below)
		n.items = append(n.items, below)
	}
	b.end()
}

// end passes the bracket at the end.
func (b *jsonBuilder) end() {
	if len(b.problems) == 0 {
		_, _ = b.dec.ReadToken() // the document is valid: it is the bracket
	}
}
