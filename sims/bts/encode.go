package bts

import (
	"bytes"
	"mime/multipart"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/sims"
)

// encode turns the JSON of an event into a body (delivery-format). The boundary is derived, so that a retry sends the
// same bytes (delivery-repeat).
func encode(s sims.Source, document []byte) (body []byte, contentType string) {
	shape := s.Policies.Enum("body_shape")
	if shape == "json" {
		return document, "application/json"
	}
	var form form
	if shape == "form_fields" {
		form.flatten("", document)
	} else {
		form.add("text", string(document))
	}
	return form.encode(s.Event.Seed.Hex(40))
}

// form is a list of named values, in the order in which they are sent.
type form []struct{ name, value string }

func (f *form) add(name, value string) {
	*f = append(*f, struct{ name, value string }{name, value})
}

// flatten adds a JSON value as PHP writes nested values into forms: status[id], status[name].
func (f *form) flatten(name string, value jsontext.Value) {
	switch value.Kind() {
	case '{', '[':
		f.flattenMembers(name, value)
	case 'n':
		f.add(name, "")
	case '"':
		text, _ := jsontext.AppendUnquote(nil, value)
		f.add(name, string(text))
	default:
		f.add(name, string(value))
	}
}

func (f *form) flattenMembers(name string, value jsontext.Value) {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	_, err := dec.ReadToken()
	for i := 0; err == nil && dec.PeekKind() != '}' && dec.PeekKind() != ']'; i++ {
		key := strconv.Itoa(i)
		if value.Kind() == '{' {
			token, _ := dec.ReadToken()
			key = token.String()
		}
		if name != "" {
			key = name + "[" + key + "]"
		}
		var member jsontext.Value
		if member, err = dec.ReadValue(); err == nil {
			f.flatten(key, member)
		}
	}
}

func (f *form) encode(boundary string) (body []byte, contentType string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	_ = w.SetBoundary(boundary) // 40 hexadecimal digits: always valid
	for _, field := range *f {
		_ = w.WriteField(field.name, field.value) // a buffer takes everything
	}
	_ = w.Close()
	return buf.Bytes(), w.FormDataContentType()
}
