package run

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

// example is what the provider's document shows of a request.
type example struct {
	query, header map[string]string
	body          any // nil: none
}

// firstExample is the extension of an operation that names its first example.
const firstExample = "x-mocksrv-first-example"

// exampleOf reads the first example of an operation, with the credentials of an account in their places.
func exampleOf(p *engine.Provider, op *contract.Operation, credentials sims.Credentials) example {
	out := example{query: map[string]string{}, header: map[string]string{}}
	place := func(v any) any { return placed(v, p.Placeholders, credentials) }
	for _, ref := range slices.Concat(op.Spec.Parameters, p.Contract.Doc.Paths.Value(op.Path).Parameters) {
		param := ref.Value
		value := place(param.Example)
		if value == nil && param.Schema != nil && len(param.Schema.Value.Enum) > 0 {
			value = param.Schema.Value.Enum[0]
		}
		if !param.Required || value == nil {
			continue
		}
		switch param.In {
		case openapi3.ParameterInQuery:
			out.query[param.Name] = fmt.Sprint(value)
		case openapi3.ParameterInHeader:
			out.header[param.Name] = fmt.Sprint(value)
		}
	}
	if op.Spec.RequestBody != nil {
		out.body = place(bodyExample(op))
	}
	return out
}

// bodyExample is the first example of the body: the one that is called the first, or by name.
func bodyExample(op *contract.Operation) any {
	all := map[string]*openapi3.ExampleRef{}
	content := op.Spec.RequestBody.Value.Content
	mediaType := mediaTypeOf(op, nil)
	if media := content[mediaType]; media != nil {
		all = media.Examples
		if len(all) == 0 {
			return media.Example
		}
	}
	names := slices.Sorted(maps.Keys(all))
	if len(names) == 0 {
		return nil
	}
	first, _ := op.Spec.Extensions[firstExample].(string)
	if _, there := all[first]; !there {
		first = ""
	}
	return all[cmp.Or(first, names[0])].Value.Value
}

// placed is a copy of plain data with credentials where placeholders stand.
func placed(v any, placeholders map[string]string, credentials sims.Credentials) any {
	switch v := v.(type) {
	case string:
		if name, ok := placeholders[v]; ok {
			return credentials[name]
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = placed(member, placeholders, credentials)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = placed(item, placeholders, credentials)
		}
		return out
	default:
		return v
	}
}
