package expression_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brianvoe/gofakeit/v6"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/expression"
)

// vars is what a call rule sees, in small.
func vars() expression.Vars {
	return expression.Vars{
		Now:  time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC),
		Fake: gofakeit.New(1),
		Names: map[string]any{
			"request": map[string]any{
				"method": "POST",
				"json":   map[string]any{"amount": 5.0, "items": []any{1.0, 2.0, 3.0}, "note": nil},
				"body":   `{"amount":5}`,
			},
			"state":  map[string]any{"mode": "degraded"},
			"start":  time.Date(2026, 1, 8, 9, 0, 0, 0, time.UTC),
			"params": map[string]any{"n": 3},
		},
	}
}

func names() []string { return []string{"request", "state", "start", "params"} }

func TestValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`request.method == "POST" and request.json.amount > 4`: true,
		`request.json.amount == 5`:                             true,
		`request.json.amount + 1`:                              6.0,
		`params.n + 1`:                                         4,
		`request.json.missing`:                                 nil,
		`request.json.missing?.deeper ?? "x"`:                  "x",
		`request.json.items[-1]`:                               3.0,
		`map(request.json.items, # * 2)`:                       []any{2.0, 4.0, 6.0},
		`filter(1..5, # % 2 == 0)`:                             []any{2, 4},
		`{"a": [1, 2], b: state.mode}`:                         map[string]any{"a": []any{1, 2}, "b": "degraded"},
		`now() - start`:                                        time.Hour,
		`start + duration("90m")`:                              time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC),
		`now().Unix()`:                                         1767866400,
		`now().Month()`:                                        1,
		`hash("sha256", "")`:                                   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		`hmac("SHA-256", "key", "The quick brown fox jumps over the lazy dog")`: "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
		`toJSON({b: 1, "a": "<x>"})`:                                   `{"a":"<x>","b":1}`,
		`toJSON([now(), duration("1m")])`:                              `["2026-01-08T10:00:00.000Z","1m0s"]`,
		`fromJSON(request.body).amount`:                                5.0,
		`join(split("a,b", ","), "-")`:                                 "a-b",
		`repeat("ab", 2)`:                                              "abab",
		`replace("a.b.c", ".", "/")`:                                   "a/b/c",
		`request.body matches "amount"`:                                true,
		`"x" in ["x", "y"]`:                                            true,
		`let a = 2; a * a`:                                             4,
		`groupBy(["a", "b", "a"], #)`:                                  map[string]any{"a": []any{"a", "a"}, "b": []any{"b"}},
		`len(request.json.items)`:                                      3,
		`any(request.json.items, # == 2)`:                              true,
		`reduce(1..4, #acc + #, 0)`:                                    10,
		`request.json.note == nil`:                                     true,
		`fake("{number:7,7}") == "7" and len(fake("{firstname}")) > 0`: true,
		"\n  1 +\n  1":                                                 2,
	} {
		e, err := expression.Compile(text, names())
		require.NoError(t, err, text)
		require.Equal(t, text, e.Text())
		got, err := e.Value(vars())
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestCompileSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "the expression is empty",
		" \n ":                           "the expression is empty",
		"\xff":                           "not valid UTF-8",
		`reqest.method`:                  "unknown name reqest; did you mean request? (line 1, column 1)",
		"1 +\n  stete.mode":              "unknown name stete; did you mean state? (line 2, column 3)",
		`elsewhere`:                      "unknown name elsewhere; there are fake, hash, hmac, now, params, request, start, state",
		`nwo()`:                          "did you mean now?",
		`1 +`:                            "the expression ends too early: a value or a closing bracket is missing",
		`state.mode = "x"`:               "unexpected =; write == to compare (line 1, column 12)",
		`1 2`:                            `unexpected "2": an operator, or the end, is expected before it`,
		`state.mode == "x`:               "the text that begins with a quote does not end with one",
		`1 + "a"`:                        "mismatched types int and string",
		`$env`:                           "unknown name $env",
		`let $charge = 1; 1`:             "cannot redeclare $charge",
		`hash("sha256")`:                 "not enough arguments",
		`hash(1, "")`:                    "cannot use int as argument (type string)",
		`repeat("a", "b")`:               "cannot use string as argument (type int)",
		strings.Repeat("1", 5000):        "the expression has 5000 bytes; at most 4096 are allowed",
		strings.Repeat("1+", 1500) + "1": "allowed nodes",
	} {
		_, err := expression.Compile(text, names())
		require.ErrorContains(t, err, want, text)
		var where *expression.Error
		require.ErrorAs(t, err, &where)
		require.Positive(t, where.Line)
		require.Positive(t, where.Column)
	}
}

func TestAnyNameWhenNoneAreGiven(t *testing.T) {
	t.Parallel()
	e, err := expression.Compile(`state.mode == "degraded" and nothing == nil`, nil)
	require.NoError(t, err)
	got, err := e.Bool(vars())
	require.NoError(t, err)
	require.True(t, got)
	_, err = expression.Compile(`state`, []string{})
	require.ErrorContains(t, err, "unknown name state")
}

func TestValueSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`request.json.missing.deeper`:      "no member deeper: what should have it is null; write ?.deeper where it may be missing",
		`request.json.items[7]`:            "index out of range",
		`1 % 0`:                            "divide by zero",
		`hash("crc", "")`:                  `unknown algorithm "crc"; there are md5, sha1, sha256, sha384, sha512`,
		`hash("md5", request.json.amount)`: "an argument is a float64, expected a string",
		`now`:                              "the value is a function: call it with ()",
		`1 / 0`:                            "not a number of JSON",
		`fake("{paragraph:100000,100000,100000}")`: "paragraph takes no parameters here",
		`fake("{digitn:100000000}")`:               "from 0 to 1000",
		`fake(repeat("x", 300))`:                   "the template of fake() has 300 bytes",
		`timezone("Europe/Zurich")`:                "is no plain value",
		`join([1])`:                                "expected a list of texts, got 1 in it",
		`join(["a"], "b", "c")`:                    "one text to put between",
		`repeat("a", -1)`:                          "expected a whole number from 0, got -1",
		`repeat("a", request.json.note)`:           "expected a whole number from 0, got null",
		`replace(request.json.note, "a", "b")`:     "expected three texts, got null",
		`repeat(request.json.note, 1)`:             "expected a text, got null",
		`join(request.json.note)`:                  "expected a list, got null",
	} {
		e, err := expression.Compile(text, names())
		require.NoError(t, err, text)
		_, err = e.Value(vars())
		require.ErrorContains(t, err, want, text)
	}
}

func TestBoolRefusesWhatIsNoCondition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"yes"`: `the condition is the text "yes", not true or false`, `1`: "the condition is 1", `nil`: "the condition is null",
		`[1]`: "the condition is a list", `{}`: "the condition is a map", `now()`: "the condition is an instant",
		`duration("1s")`: "the condition is a duration",
	} {
		e, err := expression.Compile(text, nil)
		require.NoError(t, err)
		require.False(t, e.MayBeBool() && text != "nil", text)
		_, err = e.Bool(expression.Vars{})
		require.ErrorContains(t, err, want)
	}
	e, err := expression.Compile("request.flag", nil)
	require.NoError(t, err)
	require.True(t, e.MayBeBool())
}

func TestFakeNeedsAFaker(t *testing.T) {
	t.Parallel()
	e, err := expression.Compile(`fake("{firstname}")`, nil)
	require.NoError(t, err)
	_, err = e.Value(expression.Vars{})
	require.ErrorContains(t, err, "fake() cannot be used here")
}

func TestFunctionsCannotBeHidden(t *testing.T) {
	t.Parallel()
	e, err := expression.Compile(`now()`, []string{"now"})
	require.NoError(t, err)
	v := vars()
	v.Names = map[string]any{"now": "mine", "$charge": "mine"}
	got, err := e.Value(v)
	require.NoError(t, err)
	require.Equal(t, v.Now, got)
}

// doubling is an expression whose value doubles with each step.
func doubling(first, step, last string, times int) string {
	text := "let a0 = " + first + ";"
	for i := range times {
		text += strings.NewReplacer("NEW", "v"+string(rune('a'+i/26))+string(rune('a'+i%26)), "OLD", previous(i)).Replace("let NEW = " + step + ";")
	}
	return text + strings.ReplaceAll(last, "OLD", previous(times))
}

func previous(i int) string {
	if i == 0 {
		return "a0"
	}
	i--
	return "v" + string(rune('a'+i/26)) + string(rune('a'+i%26))
}

func TestNoExpressionIsSlowOrLarge(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1<<20)
	for name, text := range map[string]string{
		"a text that doubles":              doubling(`"xxxxxxxx"`, "OLD + OLD", "len(OLD)", 60),
		"a list in itself":                 doubling("[1]", "[OLD, OLD]", "toJSON(OLD)", 60),
		"a sum over a list in itself":      doubling("[1]", "[OLD, OLD]", "sum(flatten(OLD))", 60),
		"a maximum of a list in itself":    doubling("[1]", "[OLD, OLD]", "max(OLD)", 60),
		"a map in itself":                  doubling("{}", "{x: OLD, y: OLD}", "string(OLD)", 60),
		"a list joined to itself":          doubling("[1]", "concat(OLD, OLD)", "len(OLD)", 60),
		"loops in loops":                   `let a = 1..1000; count(a, any(a, one(a, all(a, true))))`,
		"loops in loops that look at more": `let a = 1..1000; all(a, any(a, none(a, sum(a) > 0)))`,
		"a huge range":                     `1..1000000000`,
		"many ranges":                      `[1..400000, 1..400000, 1..400000]`,
		"a loop that makes a long text":    `len(reduce(1..100000, #acc + "xxxxxxxxxx", ""))`,
		"a loop that makes a deep list":    `reduce(1..100000, [#acc], 0)`,
		"a loop over long texts":           `all(1..1000, not (body matches "y.*y.*y"))`,
		"a loop that looks for a text":     `count(1..1000, body contains "y")`,
		"a loop that compares":             `count(1..1000, body == body + "")`,
		"a loop that looks into a list":    `let a = map(1..20000, # * 2); count(a, -1 in a)`,
		"a loop of hashes":                 `map(1..1000, hash("md5", body))`,
		"a long text many times":           `repeat(body, 1000000)`,
		"a text with long replacements":    `replace(body, "x", body)`,
		"a list with long glue":            `join(map(1..10000, "x"), body)`,
		"texts in many parts":              `map(1..1000, split(body, ""))`,
		"a result that is too large":       `body + "x"`,
		"a result that is too long a list": `map(1..500000, "xxxx")`,
	} {
		e, err := expression.Compile(text, []string{"body"})
		require.NoError(t, err, name)
		_, err = e.Value(expression.Vars{Names: map[string]any{"body": big}})
		require.Error(t, err, name)
	}
}

func TestOneExpressionServesManyGoroutines(t *testing.T) {
	t.Parallel()
	e, err := expression.Compile(`map(1..n, # + n)[0]`, []string{"n"})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			got, err := e.Value(expression.Vars{Names: map[string]any{"n": n + 1}})
			require.NoError(t, err)
			require.Equal(t, n+2, got)
		})
	}
	wg.Wait()
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"id", "webhook_id", "a1", "Täter"} {
		require.NoError(t, expression.CheckName(good), good)
	}
	for bad, want := range map[string]string{
		"now": "is a function", "len": "is a function", "": "letters, digits", "a b": "letters, digits", "1a": "letters, digits",
		"a.b": "letters, digits", "nil": "letters, digits", "$env": "letters, digits", "not": "letters, digits", " a": "letters, digits",
	} {
		require.ErrorContains(t, expression.CheckName(bad), want, bad)
	}
}

func BenchmarkBool(b *testing.B) {
	e, err := expression.Compile(`request.method == "POST" and request.json.amount > 4 and "x" not in request.json.items`, names())
	require.NoError(b, err)
	v := vars()
	for b.Loop() {
		if _, err := e.Bool(v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := expression.Compile(`request.method == "POST" and request.json.amount > 4`, names()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		`request.json.amount > 4`, `let a = [1]; [a, a]`, `map(1..9, # + 1)`, `repeat("x", 9)`, `a?.b ?? "x"`, `hash("md5", "")`,
		`fake("{number:1,9}")`, `reduce(1..9, [#acc], 0)`, `now().Format("2006")`, `sort([3, "a"])`, `request[request.method]`,
		`fromJSON("{}")`, `start - now()`, `1..0`, `-9223372036854775808 .. 9223372036854775807`, "`raw`", `if true {1} else {2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		e, err := expression.Compile(text, names())
		if err != nil {
			return
		}
		_, _ = e.Value(vars())
		_, _ = e.Bool(vars())
	})
}
