package script

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// UnmarshalJSONFrom reads one name, or a list.
func (t *Targets) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return oneOrMany(dec, (*[]string)(t))
}

// UnmarshalJSONFrom reads one expression, or a list.
func (e *Expressions) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return oneOrMany(dec, (*[]string)(e))
}

func oneOrMany(dec *jsontext.Decoder, list *[]string) error {
	if dec.PeekKind() != '"' {
		return json.UnmarshalDecode(dec, list)
	}
	var one string
	err := json.UnmarshalDecode(dec, &one)
	*list = []string{one}
	return err
}

// UnmarshalJSONFrom reads the name of an error, or an object.
func (r *Refuse) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &r.Error)
	}
	type plain Refuse
	return json.UnmarshalDecode(dec, (*plain)(r))
}

// UnmarshalJSONFrom reads a duration, or an object.
func (d *Delay) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &d.Fixed)
	}
	type plain Delay
	return json.UnmarshalDecode(dec, (*plain)(d))
}
