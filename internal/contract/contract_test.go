package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
)

const document = `
openapi: 3.0.3
info: {title: t, version: "1"}
x-mocksrv-events:
  - {type: a.done, group: A}
paths:
  /hooks/:
    x-mocksrv-trailing-slash: true
    post:
      operationId: createHook
      security: [{sign: [], key: [read]}]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [url, name]
              properties:
                url: {type: string, format: uri, maxLength: 40}
                id: {type: string, format: uuid}
                name: {type: string, enum: [x, y]}
                count: {type: integer, minimum: 1, maximum: 9}
                tags: {type: array, maxItems: 1, items: {type: string, minLength: 2}}
      responses: {"200": {description: ok}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: Key}
    sign: {type: apiKey, in: header, name: Sign}
  schemas:
    event.a.done: {type: object, required: [id, at], properties: {id: {type: string}, at: {type: string}}}
x-mocksrv-ledger:
  - {id: one, behaviour: b, basis: documented, source: s, operations: [createHook]}
  - {id: two, behaviour: b, basis: assumed, source: s, policy: {name: wait, type: duration, default: "5s"}}
`

func compiled(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Compile([]byte(document))
	require.NoError(t, err)
	return c
}

func TestADocumentIsARoutingTable(t *testing.T) {
	t.Parallel()
	c := compiled(t)
	op := c.Operations["createHook"]
	require.Equal(t, []string{"/hooks/", "/hooks"}, op.Paths)
	require.True(t, op.BodyRequired)
	require.Equal(t, [][]contract.Requirement{{{Scheme: "key", Scopes: []string{"read"}}, {Scheme: "sign", Scopes: []string{}}}}, op.Security,
		"schemes are checked in the order of their names")
	require.Equal(t, []contract.EventType{{Type: "a.done", Group: "A", Fields: []string{"id", "at"}}}, c.Catalogue)
	policy, ok := c.Policy("wait")
	require.True(t, ok)
	require.Equal(t, 5*time.Second, policy.Default)
}

func TestWrongDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ from, to, want string }{
		"an operation without an id":       {"operationId: createHook", "summary: s", "has no operationId"},
		"an unknown basis":                 {"basis: assumed", "basis: guessed", `basis "guessed" is none of`},
		"an entry without a source":        {"basis: documented, source: s", "basis: documented", "id, behaviour and source are required"},
		"an entry that stands twice":       {"id: two", "id: one", "stands twice"},
		"an entry of no operation":         {"[createHook]", "[dropHook]", `operation "dropHook" does not exist`},
		"a default of another type":        {`default: "5s"`, `default: soon`, `a duration such as "10s" or "1m30s", at most ten years expected, got "soon"`},
		"a misspelt member of an entry":    {"behaviour: b, basis: assumed", "behavior: b, basis: assumed", "behavior"},
		"an event type without a schema":   {"{type: a.done, group: A}", "{type: b.done}", `"b.done" has no schema`},
		"an event schema that is unlisted": {"  schemas:\n", "  schemas:\n    event.b: {type: object}\n", "2 event schemas, but x-mocksrv-events lists 1"},
	} {
		_, err := contract.Compile([]byte(strings.Replace(document, tc.from, tc.to, 1)))
		require.ErrorContains(t, err, tc.want, name)
	}
}

func TestViolationsSayWhereWhatAndWhatWouldPass(t *testing.T) {
	t.Parallel()
	schema := compiled(t).Operations["createHook"].Body["application/json"]
	for name, tc := range map[string]struct {
		body map[string]any
		want contract.FieldError
	}{
		"missing":       {map[string]any{"url": "http://x"}, contract.FieldError{Field: "name", Keyword: "required", Want: "a value: one of x, y"}},
		"wrong type":    {hook("count", "1"), contract.FieldError{Field: "count", Keyword: "type", Value: "1", Want: "integer"}},
		"not an option": {hook("name", "z"), contract.FieldError{Field: "name", Keyword: "enum", Value: "z", Want: "one of x, y", Limit: "x, y"}},
		"too small":     {hook("count", 0.0), contract.FieldError{Field: "count", Keyword: "minimum", Value: 0.0, Want: "at least 1", Limit: "1"}},
		"too large":     {hook("count", 10.0), contract.FieldError{Field: "count", Keyword: "maximum", Value: 10.0, Want: "at most 9", Limit: "9"}},
		"an item":       {hook("tags", []any{"a"}), contract.FieldError{Field: "tags.0", Keyword: "minLength", Value: "a", Want: "at least 2 characters", Limit: "2"}},
		"no uuid":       {hook("id", "7"), contract.FieldError{Field: "id", Keyword: "format", Value: "7", Want: "uuid"}},
	} {
		tc.want.In = "body"
		require.Equal(t, []contract.FieldError{tc.want}, contract.ValidateBody(schema, tc.body), name)
	}
}

func hook(name string, value any) map[string]any {
	body := map[string]any{"url": "http://x", "name": "x"}
	body[name] = value
	return body
}

func TestURLs(t *testing.T) {
	t.Parallel()
	schema := &openapi3.Schema{Type: &openapi3.Types{"string"}, Format: "uri"}
	for _, good := range []string{
		"http://x", "https://localhost/callback", "http://127.0.0.1:9000/a?b=c#d", "http://[::1]:80/", "https://xn--bcher-kva.example", "http://a_b.c",
	} {
		require.Empty(t, contract.ValidateValue(schema, good, "body", "url"), good)
	}
	for _, bad := range []string{
		"", "x", "ftp://x", "http://", "http:///path", "http://a b", "http://a/\x00", "http://-a", "http://a:99999", "//x", "mailto:a@b", "http://a..b", "http://%zz",
	} {
		require.NotEmpty(t, contract.ValidateValue(schema, bad, "body", "url"), bad)
	}
}

func TestPolicyValues(t *testing.T) {
	t.Parallel()
	low, high := 0, 100
	for _, tc := range []struct {
		policy  contract.Policy
		good    any
		parsed  any
		refused []any
	}{
		{contract.Policy{Type: contract.Enum, Values: []string{"a", "b"}}, "b", "b", []any{"c", 1.0, nil}},
		{contract.Policy{Type: contract.Bool}, true, true, []any{"true", 1.0}},
		{contract.Policy{Type: contract.Int, Min: &low, Max: &high}, 100.0, 100, []any{101.0, -1.0, 1.5, "1", 1e300}},
		{contract.Policy{Type: contract.Duration}, "1m30s", 90 * time.Second, []any{"90", "-1s", 90.0, "2000000h"}},
		{contract.Policy{Type: contract.Durations}, []any{"1s", "1m"}, []time.Duration{time.Second, time.Minute}, []any{"1s", []any{1.0}}},
	} {
		parsed, err := tc.policy.Parse(tc.good)
		require.NoError(t, err)
		require.Equal(t, tc.parsed, parsed)
		again, err := tc.policy.Parse(parsed)
		require.NoError(t, err, "a parsed value parses to itself")
		require.Equal(t, parsed, again)
		for _, bad := range tc.refused {
			_, err := tc.policy.Parse(bad)
			require.Error(t, err, "%v", bad)
		}
	}
}
