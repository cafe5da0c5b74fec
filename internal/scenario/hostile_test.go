package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/scenario"
)

// TestHostileFilesAreRefused: whatever a file is made of, an error says why it is not taken. One that was not bounded would not end.
func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(c.file)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 100_000)
		})
	}
}

func hostile() map[string]mistake {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	bomb := "title: x\nparams:\n  a0: &a0 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("  a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	merges := "title: x\nparams:\n  a0: &a0 {x: 1, y: 2}\n"
	for i := range 3000 {
		merges += fmt.Sprintf("  a%d: &a%d {<<: *a%d, k%d: *a%d}\n", i+1, i+1, i, i, i)
	}
	long := strings.Repeat("x", 500_000)
	return map[string]mistake{
		"10 MB":                   {"title: x\nabout: " + strings.Repeat("x", 10<<20), "the file has 10485776 bytes; at most 1048576 are allowed"},
		"an alias bomb":           {bomb, "too much: a scenario has at most 100000 values"},
		"merges of merges":        {merges, "too much"},
		"a long text many times":  {"title: x\nparams: {a: &a " + long + ", b: [*a, *a, *a, *a, *a, *a, *a, *a, *a]}", "too much"},
		"deep lists":              {"title: x\nparams: {a: " + strings.Repeat("[", 500_000), "nested deeper than 64 levels"},
		"lists a little too deep": {"title: x\nparams: {a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}", "nested deeper than 64 levels"},
		"deep maps":               {"title: x\nparams: " + strings.Repeat("{a: ", 250_000), "nested deeper than 64 levels"},
		"deep dashes":             {"title: x\nparams:\n" + strings.Repeat("- ", 500_000) + "x", "nested deeper"},
		"deep indentation": {"title: x\nparams:\n" + func() (s string) {
			for i := range 1000 {
				s += strings.Repeat(" ", i+1) + "a:\n"
			}
			return s
		}(), "nested deeper"},
		"many values":               {"title: x\nparams: {a: [" + strings.Repeat("1,", 110_000) + "1]}", "too much"},
		"many unknown members":      {"title: x\n" + many(20_000, "m%d: 1\n"), "there are 901 more problems"},
		"many steps":                {"title: x\nsteps:\n" + many(20_000, "- {wait: idle} # %d\n"), "20000 entries; at most 10000 are allowed"},
		"many bad expressions":      {"title: x\nsteps:\n" + many(3000, "- {if: 'a%d + nope', wait: idle}\n"), "more problems"},
		"many saved names":          {"title: x\nsteps:\n" + many(9000, "- {wait: idle, save: {v%d: index}}\n"), "at most 200 names can be saved"},
		"many cases":                {"title: x\nparams: {a: 1}\ncases:\n" + many(2000, "  c%d: {a: 2}\n"), "2000 cases; at most 1000 are allowed"},
		"many cases of many values": {"title: x\nparams: {a: 1}\nwebhooks: [{sim: bts, count: '${{ params.a }}'}]\ncases:\n" + many(900, "  c%d: {a: 2}\n") + "state:\n" + many(9000, "  s%d: a\n"), "are too many to read; split the file"},
		"many keys that are merged": {"title: x\nparams:\n  a: &a {" + many(34_000, "k%d: 1, ") + "}\n  b: {<<: [*a, *a, *a], " + many(10_000, "k%d: 1, ") + "}\n", "too much"},
		"a huge expression":         {"title: x\nsteps: [{if: " + strings.Repeat("1+", 100_000) + "1, wait: idle}]", "at most 4096 are allowed"},
		"many rules that answer":    {"title: x\nrules:\n" + many(2_000, "- {name: r%d, call: bts.refresh, do: [{refuse: internal}]}\n"), "is never asked"},
		"control characters":        {"title: \x00\x01", "not valid YAML"},
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range mistakes() {
		f.Add("title: x\n" + c.file)
	}
	for right, wrong := range twins() {
		f.Add("title: x\n" + right)
		f.Add("title: x\n" + wrong)
	}
	f.Add(`{"title": "x", "steps": [{"raw": {"sim": "bts", "method": "GET", "path": "/${{ params.a }}"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse([]byte(text), names())
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, s.Title)
	})
}
