// Package strictjson is the one place where JSON is read and written on the provider side.
//
// Reading refuses what lenient decoders let pass and real providers do not: trailing data, duplicate keys, invalid
// UTF-8. Writing keeps the order of struct fields, escapes nothing that needs no escaping, and sorts map keys, so that
// replies have the provider's bytes.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode parses exactly one JSON value into nil, bool, float64, string, []any or map[string]any.
func Decode(data []byte) (any, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, describe(err)
	}
	return v, nil
}

// Unmarshal parses exactly one JSON value into v.
func Unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return describe(err)
	}
	return nil
}

// UnmarshalKnown is Unmarshal that also refuses members v does not have.
func UnmarshalKnown(data []byte, v any) error {
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return describe(err)
	}
	return nil
}

// Encode writes v as compact JSON.
func Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("strictjson: encode %T: %w", v, err)
	}
	return data, nil
}

// SetMember replaces the value of a top-level member of a JSON object, or appends the member, and leaves every other
// byte as it is. value is JSON text.
func SetMember(object []byte, name, value string) ([]byte, error) {
	if !jsontext.Value(object).IsValid() {
		return nil, errors.New("not valid JSON")
	}
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	empty := true
	for dec.PeekKind() == '"' {
		empty = false
		key, err := dec.ReadToken()
		if err != nil {
			return nil, describe(err)
		}
		found := key.String() == name
		old, err := dec.ReadValue()
		if err != nil {
			return nil, describe(err)
		}
		if found {
			end := int(dec.InputOffset())
			return slices.Concat(object[:end-len(old)], []byte(value), object[end:]), nil
		}
	}
	member, err := jsontext.AppendQuote(nil, name)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", name, err)
	}
	if !empty {
		member = append([]byte(","), member...)
	}
	end := int(dec.InputOffset())
	return slices.Concat(object[:end], member, []byte(":"+value), object[end:]), nil
}

// Indent rewrites JSON with two-space indentation, for people.
func Indent(data []byte) ([]byte, error) { return IndentWith(data, "  ") }

// IndentWith rewrites JSON with an indentation of spaces or tabs.
func IndentWith(data []byte, indent string) ([]byte, error) {
	v := jsontext.Value(bytes.Clone(data))
	if err := v.Indent(jsontext.WithIndent(indent)); err != nil {
		return nil, describe(err)
	}
	return v, nil
}

// Compact rewrites JSON without spaces between its tokens. The order of members stays.
func Compact(data []byte) ([]byte, error) {
	v := jsontext.Value(bytes.Clone(data))
	if err := v.Compact(); err != nil {
		return nil, describe(err)
	}
	return v, nil
}

// describe says where and what, independent of the library's wording.
func describe(err error) error {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return err
	}
	what := "not valid JSON"
	if errors.Is(err, jsontext.ErrDuplicateName) {
		what = "duplicate key"
	}
	return fmt.Errorf("%s at byte %d: %w", what, syntactic.ByteOffset, err)
}
