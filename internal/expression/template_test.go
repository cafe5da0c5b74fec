package expression_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/expression"
)

func render(t *testing.T, value any) (any, error) {
	t.Helper()
	template, err := expression.ParseTemplate(value, names())
	require.NoError(t, err)
	return template.Render(vars())
}

func object(t *testing.T, value any) map[string]any {
	t.Helper()
	m, ok := value.(map[string]any)
	require.True(t, ok)
	return m
}

func TestRender(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`plain`:                                   "plain",
		`${{ request.json.amount }}`:              5.0,
		`${{request.json.items}}`:                 []any{1.0, 2.0, 3.0},
		`${{ request.json.missing }}`:             nil,
		`${{ true }}`:                             true,
		`/payments/${{ request.json.amount }}/x`:  "/payments/5/x",
		`${{ 1 }}${{ 2.5 }}${{ true }}`:           "12.5true",
		`${{ now() }}`:                            "2026-01-08T10:00:00.000Z",
		`since ${{ start }} (${{ now()-start }})`: "since 2026-01-08T09:00:00.000Z (1h0m0s)",
		`${{ duration("90s") }}`:                  "1m30s",
		`of ${{ request.json.items }}`:            "of [1,2,3]",
		`of ${{ {"a": {"b": 1}} }}`:               `of {"a":{"b":1}}`,
		`${{ {"a": "}}"} }}`:                      map[string]any{"a": "}}"},
		`${{ '}}\'' }}!`:                          "}}'!",
		"${{ `}}` }}!":                            "}}!",
		`$${{ no hole }}`:                         "${{ no hole }}",
		`$${{ a }} ${{ 1 }}`:                      "${{ a }} 1",
		`cost: $5 {a} }}`:                         "cost: $5 {a} }}",
		"a\n${{ \n 1 + \n 1 }}":                   "a\n2",
	} {
		got, err := render(t, text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestRenderReachesIntoData(t *testing.T) {
	t.Parallel()
	value := map[string]any{
		"a": []any{"x", "${{ params.n }}", nil, 7}, "${{ 1 }}": true, "b": map[string]any{"c": []any{"y"}},
		"at": []any{"${{ [now(), {d: duration('1s')}] }}"},
	}
	got, err := render(t, value)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"a": []any{"x", 3, nil, 7}, "${{ 1 }}": true, "b": map[string]any{"c": []any{"y"}},
		"at": []any{[]any{"2026-01-08T10:00:00.000Z", map[string]any{"d": "1s"}}},
	}, got)
}

func TestMembersAreThoseOfAVariable(t *testing.T) {
	t.Parallel()
	e, err := expression.Compile(`params.n + params?.m.x + request["method"] + len(params[state.mode])`, names())
	require.NoError(t, err)
	require.Equal(t, []string{"n", "m"}, e.Members("params"))
	require.Equal(t, []string{"method"}, e.Members("request"))
	require.Empty(t, e.Members("start"))
	template, err := expression.ParseTemplate(map[string]any{"a": "${{ params.x }}", "b": []any{"/${{ params.y }}/${{ params.z }}", 1}}, names())
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y", "z"}, template.Members("params"))
}

func TestFixed(t *testing.T) {
	t.Parallel()
	for _, fixed := range []any{nil, 1, "a", "$${{ x }}", []any{"a"}, map[string]any{"${{ 1 }}": "b"}, time.Second} {
		template, err := expression.ParseTemplate(fixed, nil)
		require.NoError(t, err)
		require.True(t, template.Fixed(), fixed)
	}
	for _, open := range []any{"${{ 1 }}", "a${{ 1 }}", []any{"${{ 1 }}"}, map[string]any{"a": []any{"${{ 1 }}"}}} {
		template, err := expression.ParseTemplate(open, nil)
		require.NoError(t, err)
		require.False(t, template.Fixed(), open)
	}
}

func TestResultsAreNobodyElses(t *testing.T) {
	t.Parallel()
	template, err := expression.ParseTemplate(map[string]any{"list": []any{"a"}}, nil)
	require.NoError(t, err)
	first, err := template.Render(expression.Vars{})
	require.NoError(t, err)
	clear(object(t, first))
	second, err := template.Render(expression.Vars{})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"list": []any{"a"}}, second)

	whole, err := expression.ParseTemplate("${{ request.json }}", nil)
	require.NoError(t, err)
	v := vars()
	got, err := whole.Render(v)
	require.NoError(t, err)
	clear(object(t, got))
	require.Equal(t, vars().Names, v.Names)
}

func TestParseTemplateSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`a ${{ 1`:                          "b[0].c: the hole ${{ is not closed: }} is missing (line 1, column 3)",
		`${{ 'a }}`:                        "is not closed",
		`${{ {a: 1 }}`:                     "is not closed",
		"x\nab${{ elsewhere }}":            "unknown name elsewhere; there are fake",
		"x\nab${{\n elsewhere }}":          "(line 3, column 2)",
		"äx ${{ reqest }}":                 "did you mean request? (line 1, column 8)",
		`${{ }}`:                           "the expression is empty (line 1, column 4)",
		`${{ ` + strings.Repeat("1", 5000): "is not closed",
	} {
		_, err := expression.ParseTemplate(map[string]any{"b": []any{map[string]any{"c": text}}}, names())
		require.ErrorContains(t, err, want)
	}
}

func TestRenderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`/x/${{ request.json.missing }}`:                         `a: ${{ request.json.missing }}: the value is null; write ?? "…" to say what stands there instead`,
		`${{ request.json.missing.id }}`:                         "a: ${{ request.json.missing.id }}: no member id",
		`${{ repeat("x", 1000000) }}${{ repeat("x", 1000000) }}`: "the value is larger than",
	} {
		_, err := render(t, map[string]any{"a": text})
		require.ErrorContains(t, err, want)
	}
	deep := any("x")
	for range 200 {
		deep = []any{deep}
	}
	_, err := expression.ParseTemplate(deep, nil)
	require.ErrorContains(t, err, "nested deeper")
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{`a ${{ 1 }}`, `${{ request }}`, `$${{ }} ${{ "}}" }}`, "${{ {a: {b: 1}} }}", "${{ `", "${{ '\\", "${{}}", "$${{${{1}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := expression.ParseTemplate([]any{text, map[string]any{"a": text}}, names())
		if err != nil {
			return
		}
		got, err := template.Render(vars())
		if err == nil && template.Fixed() && !strings.Contains(text, "${{") {
			require.Equal(t, []any{text, map[string]any{"a": text}}, got)
		}
	})
}
