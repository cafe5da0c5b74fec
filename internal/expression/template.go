package expression

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The signs around a hole. "$${{" stands for the sign itself.
const (
	holeOpens  = "${{"
	holeEscape = "$${{"
)

// maxTemplateDepth bounds the nesting of the data that has holes.
const maxTemplateDepth = 100

// Template is plain data whose texts may have holes.
type Template struct {
	fixed any         // without holes: the value
	whole *Expression // a text that is one hole
	parts []part      // a text with holes
	list  []*Template // a list
	names []string    // the sorted members of a map
	items []*Template // their values
	kind  templateKind
}

type templateKind int

const (
	isFixed templateKind = iota
	isWhole
	isText
	isList
	isMap
)

// part is a piece of a text, or a hole in it.
type part struct {
	text string
	hole *Expression
}

// ParseTemplate reads plain data whose texts may have ${{ }} holes; their expressions may use the given variables.
// Members' names have none.
func ParseTemplate(value any, names []string) (*Template, error) {
	return parseTemplate(value, names, "", 0)
}

func parseTemplate(value any, names []string, path string, depth int) (*Template, error) {
	if depth > maxTemplateDepth {
		return nil, &Error{Path: path, Line: 1, Column: 1, Message: errDepth.Error()}
	}
	switch v := value.(type) {
	case string:
		return parseText(v, names, path)
	case []any:
		return parseList(v, names, path, depth)
	case map[string]any:
		return parseMap(v, names, path, depth)
	default:
		return &Template{fixed: value}, nil
	}
}

func parseList(list []any, names []string, path string, depth int) (*Template, error) {
	t, fixed := &Template{kind: isList, list: make([]*Template, len(list))}, true
	for i, item := range list {
		var err error
		if t.list[i], err = parseTemplate(item, names, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return nil, err
		}
		fixed = fixed && t.list[i].Fixed()
	}
	if fixed {
		return &Template{fixed: values(t.list)}, nil
	}
	return t, nil
}

func parseMap(object map[string]any, names []string, path string, depth int) (*Template, error) {
	t, fixed := &Template{kind: isMap, names: slices.Sorted(maps.Keys(object))}, true
	for _, name := range t.names {
		item, err := parseTemplate(object[name], names, below(path, name), depth+1)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, item)
		fixed = fixed && item.Fixed()
	}
	if fixed {
		return &Template{fixed: t.object(values(t.items))}, nil
	}
	return t, nil
}

// values are those of templates without holes.
func values(templates []*Template) []any {
	list := make([]any, len(templates))
	for i, t := range templates {
		list[i] = t.fixed
	}
	return list
}

func (t *Template) object(items []any) map[string]any {
	object := make(map[string]any, len(items))
	for i, name := range t.names {
		object[name] = items[i]
	}
	return object
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// parseText splits a text at its holes.
func parseText(text string, names []string, path string) (*Template, error) {
	if !strings.Contains(text, holeOpens) {
		return &Template{fixed: text}, nil
	}
	parts, err := split(text, names)
	if err != nil {
		if where, ok := errors.AsType[*Error](err); ok {
			where.Path = path
		}
		return nil, err
	}
	switch {
	case len(parts) == 1 && parts[0].hole == nil:
		return &Template{fixed: parts[0].text}, nil
	case len(parts) == 1:
		return &Template{kind: isWhole, whole: parts[0].hole}, nil
	default:
		return &Template{kind: isText, parts: parts}, nil
	}
}

func split(text string, names []string) ([]part, error) {
	var parts []part
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			parts = append(parts, part{text: literal.String()})
			literal.Reset()
		}
	}
	for at := 0; at < len(text); {
		switch rest := text[at:]; {
		case strings.HasPrefix(rest, holeEscape):
			literal.WriteString(holeOpens)
			at += len(holeEscape)
		case strings.HasPrefix(rest, holeOpens):
			flush()
			hole, length, err := readHole(text, at, names)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{hole: hole})
			at += length
		default:
			literal.WriteByte(text[at])
			at++
		}
	}
	flush()
	return parts, nil
}

// readHole compiles the hole that begins at a place of a text, and returns its length with its signs.
func readHole(text string, start int, names []string) (*Expression, int, error) {
	inside := text[start+len(holeOpens):]
	end, ok := holeEnd(inside)
	if !ok {
		line, column := position(text, start)
		return nil, 0, at(line, column, "the hole ${{ is not closed: }} is missing")
	}
	e, err := Compile(inside[:end], names)
	if err == nil {
		return e, len(holeOpens) + end + len("}}"), nil
	}
	if where, ok := errors.AsType[*Error](err); ok {
		line, column := position(text, start+len(holeOpens))
		if where.Line > 1 {
			column = 1
		}
		where.Line, where.Column = where.Line+line-1, where.Column+column-1
	}
	return nil, 0, err
}

// holeEnd finds the closing braces of a hole: outside of quotes, and not those of maps within it.
func holeEnd(text string) (int, bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'', '`':
			length, ok := quoted(text[i:], c)
			if !ok {
				return 0, false
			}
			i += length - 1
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i, strings.HasPrefix(text[i:], "}}")
			}
			depth--
		}
	}
	return 0, false
}

// quoted is the length of a quoted text, with its quotes.
func quoted(text string, quote byte) (int, bool) {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == quote:
			return i + 1, true
		}
	}
	return 0, false
}

// position is the line and column of a place in a text.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
}

// Fixed says that there is no hole.
func (t *Template) Fixed() bool { return t.kind == isFixed }

// Members returns the members of a variable that the holes of a text name.
func (t *Template) Members(variable string) []string {
	var members []string
	if t.whole != nil {
		members = append(members, t.whole.Members(variable)...)
	}
	for _, p := range t.parts {
		if p.hole != nil {
			members = append(members, p.hole.Members(variable)...)
		}
	}
	for _, below := range slices.Concat(t.list, t.items) {
		members = append(members, below.Members(variable)...)
	}
	return members
}

// Render fills the holes. A text that is one hole keeps the value's type; instants become RFC 3339 texts with
// milliseconds, and durations Go's.
func (t *Template) Render(v Vars) (any, error) {
	r := &renderer{vars: v, left: maxResult}
	return r.render(t, "")
}

// renderer counts down the bytes that may still be made.
type renderer struct {
	vars Vars
	left int
}

func (r *renderer) render(t *Template, path string) (any, error) {
	switch t.kind {
	case isWhole:
		return r.hole(t.whole, path)
	case isText:
		return r.text(t.parts, path)
	case isList:
		return r.all(t.list, func(i int) string { return path + "[" + strconv.Itoa(i) + "]" })
	case isMap:
		items, err := r.all(t.items, func(i int) string { return below(path, t.names[i]) })
		if err != nil {
			return nil, err
		}
		return t.object(items), nil
	default:
		return clone(t.fixed), nil
	}
}

func (r *renderer) all(templates []*Template, path func(i int) string) ([]any, error) {
	list := make([]any, len(templates))
	for i, t := range templates {
		var err error
		if list[i], err = r.render(t, path(i)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *renderer) hole(e *Expression, path string) (any, error) {
	value, err := e.Value(r.vars)
	if err != nil {
		return nil, inHole(err, e, path)
	}
	if err := r.spend(value); err != nil {
		return nil, inHole(err, e, path)
	}
	return written(value), nil
}

// spend counts what a hole made.
func (r *renderer) spend(value any) error {
	p := &plainer{left: r.left}
	_, err := p.value(value, 0)
	r.left = p.left
	return err
}

func (r *renderer) text(parts []part, path string) (any, error) {
	var b strings.Builder
	for _, p := range parts {
		if p.hole == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := r.hole(p.hole, path)
		if err != nil {
			return nil, err
		}
		text, err := inText(value)
		if err != nil {
			return nil, inHole(err, p.hole, path)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// inHole says which hole an error comes from.
func inHole(err error, e *Expression, path string) error {
	hole := "${{ " + shorten(strings.TrimSpace(e.Text())) + " }}"
	if where, ok := errors.AsType[*Error](err); ok {
		return &Error{Path: path, Line: where.Line, Column: where.Column, Message: hole + ": " + where.Message}
	}
	return &Error{Path: path, Line: 1, Column: 1, Message: hole + ": " + err.Error()}
}

// clone copies lists and maps, so that nobody changes a template by its result.
func clone(value any) any {
	return mapped(value, func(scalar any) any { return scalar })
}
