package scenario

import (
	"reflect"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/script"
)

// SchemaID is the name of the JSON Schema of scenario files.
const SchemaID = "https://raw.githubusercontent.com/mocksrv/mocksrv/main/scenarios/scenario.schema.json"

// Schema returns the JSON Schema of scenario files, made from the types of package script, for editors. It knows the
// language, but not the providers: mocksrv lint knows both.
func Schema() map[string]any {
	g := &generator{defs: map[string]any{
		"hole": map[string]any{
			"type": "string", "pattern": `\$\{\{`, "description": "A ${{ hole }} that is filled with a value.",
		},
	}}
	root := g.object(reflect.TypeFor[script.Scenario]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaID
	root["title"] = "mocksrv scenario"
	root["description"] = "A provider's world, how it behaves, and what must come of it."
	root["$defs"] = g.defs
	root["examples"] = []any{example()}
	return root
}

// example is a small scenario.
func example() any {
	return map[string]any{
		"title": "A client retries when it is told to wait",
		"rules": []any{map[string]any{
			"call": "bankly.*", "first": 1,
			"do": []any{map[string]any{"refuse": map[string]any{"error": "rate_limited", "headers": map[string]any{"Retry-After": "1"}}}},
		}},
	}
}

// generator makes schemas of types; structs stand among the definitions.
type generator struct{ defs map[string]any }

func (g *generator) schema(t reflect.Type, tag reflect.StructTag) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return g.schema(t.Elem(), tag)
	case reflect.Interface:
		return map[string]any{}
	case reflect.Struct:
		return g.reference(t)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.entry(t.Elem())}
	case reflect.Slice:
		return g.list(t)
	case reflect.String:
		return texts(tag.Get("enum"))
	case reflect.Bool:
		return orHole(map[string]any{"type": "boolean"})
	case reflect.Float64:
		return orHole(map[string]any{"type": "number"})
	case reflect.Int64:
		return orHole(map[string]any{"type": "integer"})
	default:
		return orHole(map[string]any{"type": "integer", "minimum": leastOf(t, tag)})
	}
}

func orHole(s map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{s, map[string]any{"$ref": "#/$defs/hole"}}}
}

func texts(enum string) map[string]any {
	if enum == "" {
		return map[string]any{"type": "string"}
	}
	return orHole(map[string]any{"enum": anyList(strings.Split(enum, ","))})
}

func anyList(names []string) []any {
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return list
}

// entry is the schema of what maps of texts have: a number is taken as its text there.
func (g *generator) entry(t reflect.Type) map[string]any {
	if t.Kind() == reflect.String {
		return map[string]any{"type": []any{"string", "number", "boolean"}}
	}
	return g.schema(t, "")
}

func (g *generator) list(t reflect.Type) map[string]any {
	list := map[string]any{"type": "array", "items": g.schema(t.Elem(), "")}
	if shortForm(t) == "" {
		return list
	}
	return map[string]any{"anyOf": []any{map[string]any{"type": "string"}, list}}
}

// reference puts a struct among the definitions, and refers to it.
func (g *generator) reference(t reflect.Type) map[string]any {
	name := strings.ToLower(t.Name()[:1]) + t.Name()[1:]
	ref := map[string]any{"$ref": "#/$defs/" + name}
	if _, ok := g.defs[name]; ok {
		return ref
	}
	g.defs[name] = true // it may refer to itself
	schema := g.object(t)
	if shortForm(t) != "" {
		schema = map[string]any{"anyOf": []any{map[string]any{"type": "string"}, schema}}
	}
	g.defs[name] = schema
	return ref
}

func (g *generator) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fieldsOf(t) {
		schema := g.schema(f.Type, f.Tag)
		if doc := f.Tag.Get("doc"); doc != "" {
			schema["description"] = doc
		}
		properties[f.name] = schema
		if f.required {
			required = append(required, f.name)
		}
	}
	object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		object["required"] = anyList(required)
	}
	if choice := choiceOf(t); len(choice) > 0 {
		object["oneOf"] = choice
	}
	return object
}

// choiceOf says of which members a type has exactly one.
func choiceOf(t reflect.Type) []any {
	var choice []any
	for _, name := range exclusive(t) {
		choice = append(choice, map[string]any{"required": []any{name}})
	}
	if t == reflect.TypeFor[script.Step]() {
		choice = append(choice, map[string]any{"not": map[string]any{"anyOf": slices.Clone(choice)}})
	}
	return choice
}

// exclusive are the members of which there is one at a time.
func exclusive(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[script.Action]():
		var names []string
		for _, f := range fieldsOf(t) {
			if f.name != "after" {
				names = append(names, f.name)
			}
		}
		return names
	case reflect.TypeFor[script.Rule]():
		return []string{"call", "event", "delivery", "attempt", "handshake"}
	case reflect.TypeFor[script.Step]():
		return stepVerbs()
	default:
		return nil
	}
}
