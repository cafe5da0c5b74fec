package arch

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//nolint:gochecknoglobals // the flag package has no other way to add a flag to a test binary
var update = flag.Bool("update", false, "write the import arrows into .golangci.yml")

// arrows say what one package, or each of several, may import beside the standard library. They are the only place
// where this stands: the depguard section of .golangci.yml is made from them (make arrows).
type arrows struct {
	pkg     string   // a path below the module; sims/* is every provider
	own     []string // packages of the module; sims/* is every provider
	foreign []string // prefixes of other modules' packages; "$" at the end: this package only
	why     string
}

// The pieces that many arrows share.
const (
	codec    = "github.com/go-json-experiment/json"
	jsontext = "github.com/go-json-experiment/json/jsontext"
	openapi  = "github.com/getkin/kin-openapi/openapi3"
)

func leaves() []string {
	return []string{
		"internal/authority", "internal/clock", "internal/contract", "internal/derive", "internal/expression", "internal/fault", "internal/match", "internal/near",
		"internal/receiver", "internal/store",
		"internal/strictjson",
	}
}

// allowed lists the arrows from the bottom up: an import points to an earlier entry.
func allowed() []arrows {
	engine := slices.Concat(leaves(), []string{"internal/rule", "script", "sims"})
	delivery := slices.Concat(engine, []string{"internal/engine"})
	scenario := slices.Concat(delivery, []string{"internal/delivery"})
	control := slices.Concat(scenario, []string{"client", "internal/doctor", "internal/metrics", "internal/scenario", "internal/scenario/record", "internal/stage", "scenarios"})
	top := slices.Concat(control, []string{"internal/control", "internal/scenario/run", "scenarios", "sims/all", "specs"})
	yaml := "go.yaml.in/yaml/v4"
	return []arrows{
		{pkg: "internal/clock", why: "a leaf"},
		{pkg: "internal/authority", own: []string{"internal/clock"}, why: "a leaf"},
		{pkg: "internal/derive", why: "a leaf"},
		{pkg: "internal/near", why: "a leaf"},
		{pkg: "internal/metrics", why: "a leaf: it is told what happened"},
		{pkg: "internal/strictjson", foreign: []string{codec}, why: "a leaf"},
		{pkg: "internal/store", foreign: []string{codec}, why: "a leaf"},
		{pkg: "internal/contract", own: []string{"internal/strictjson"}, foreign: []string{codec, openapi}, why: "a leaf"},
		{pkg: "internal/match", own: []string{"internal/strictjson"}, why: "a leaf"},
		{pkg: "internal/fault", own: []string{"internal/clock"}, why: "a leaf"},
		{
			pkg: "internal/expression", own: []string{"internal/near", "internal/strictjson"},
			foreign: []string{"github.com/expr-lang/expr", "github.com/brianvoe/gofakeit/v6"}, why: "a leaf: the one expression language",
		},
		{pkg: "internal/receiver", own: []string{"internal/authority", "internal/clock", "internal/fault", "internal/strictjson"}, why: "a leaf"},
		{pkg: "script", foreign: []string{codec}, why: "the words of rules and scenario files: types only"},
		{
			pkg: "client", own: []string{"script"}, foreign: []string{codec},
			why: "the API's types and calls, shared with the server: nothing of the server comes into its users' programs",
		},
		{pkg: "specs", why: "documents, embedded"},
		{pkg: "scenarios", why: "scenario files, embedded"},
		{
			pkg: "sims", own: []string{"internal/contract", "internal/derive", "internal/expression", "internal/fault", "internal/near", "internal/store", "internal/strictjson"},
			foreign: []string{"github.com/brianvoe/gofakeit/v6", jsontext}, why: "what a provider author sees stands on leaves only",
		},
		{
			pkg: "sims/*", own: []string{"internal/strictjson", "sims", "specs"}, foreign: []string{jsontext},
			why: "a provider knows sims and its document: no router, no engine, no clock, no other provider",
		},
		{pkg: "sims/all", own: []string{"sims", "sims/*"}, why: "the one list of providers"},
		{
			pkg: "internal/rule", own: []string{"internal/expression", "internal/near", "internal/store", "internal/strictjson", "script"},
			foreign: []string{"github.com/brianvoe/gofakeit/v6", "golang.org/x/net/http/httpguts"},
			why:     "rules are decided on plain data: no provider, no engine, no I/O",
		},
		{
			pkg: "internal/engine", own: engine, foreign: []string{"github.com/brianvoe/gofakeit/v6", "github.com/gorilla/mux", openapi},
			why: "the request path names no provider, and nobody else knows the router",
		},
		{
			pkg: "internal/delivery", own: delivery, foreign: []string{"golang.org/x/net/http/httpguts"},
			why: "deliveries name no provider and no front end",
		},
		{
			pkg: "internal/scenario", own: slices.Concat(scenario, []string{"client"}), foreign: []string{yaml, jsontext},
			why: "a scenario drives engine and deliveries, and knows no front end",
		},
		{
			pkg: "internal/scenario/run", own: slices.Concat(engine, []string{"client", "internal/engine", "internal/scenario", "scenarios"}),
			foreign: []string{"github.com/getkin/kin-openapi/openapi3"}, why: "steps are performed from outside, as a client",
		},
		{
			pkg: "internal/scenario/record", own: slices.Concat(engine, []string{"client", "internal/engine", "internal/scenario"}),
			foreign: []string{yaml, jsontext}, why: "a recording is made from what the control API answers",
		},
		{
			pkg: "internal/doctor", own: slices.Concat(scenario, []string{"client"}),
			why: "the doctor goes the way of a delivery, and knows no front end",
		},
		{
			pkg: "internal/stage", own: scenario, foreign: []string{"github.com/brianvoe/gofakeit/v6"},
			why: "scripts act on engine and deliveries, and know no front end",
		},
		{
			pkg: "internal/control", own: control, foreign: []string{yaml, openapi},
			why: "the control API names no provider",
		},
		{
			pkg: "sims/simtest", own: control, foreign: []string{"github.com/stretchr/testify/require", openapi},
			why: "the conformance suite stands beside the control API, and tests it not",
		},
		{pkg: "internal/arch", why: "it has tests only"},
		{pkg: ".", own: top, why: "the in-process API puts the parts together"},
		{
			pkg: "cmd/mocksrv", own: slices.Concat(top, []string{"."}), foreign: []string{"github.com/alecthomas/kong", yaml},
			why: "the command is a thin shell over the root package",
		},
		{pkg: "examples/go", own: []string{".", "client"}, why: "an example uses what any module may use"},
	}
}

// forTests is what test files may import on top of what their package may.
func forTests() []string {
	return []string{
		"github.com/stretchr/testify/require", "github.com/rogpeppe/go-internal", "go.uber.org/goleak", "go.yaml.in/yaml/v4", "pgregory.net/rapid",
		"github.com/getkin/kin-openapi", codec, "github.com/prometheus", "github.com/santhosh-tekuri/jsonschema/v6",
	}
}

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	var found []string
	for _, s := range sources(t) {
		a, ok := arrowsOf(s.pkg)
		require.True(t, ok, "package %s has no arrows: add it to allowed() and run make arrows", s.pkg)
		for i, imported := range s.imports() {
			if !a.allow(s, imported) {
				found = append(found, fmt.Sprintf("%s must not import %s: %s", s.at(s.file.Imports[i]), imported, a.why))
			}
		}
	}
	require.Empty(t, found)
}

func arrowsOf(pkg string) (arrows, bool) {
	i := slices.IndexFunc(allowed(), func(a arrows) bool { return a.pkg == pkg })
	if i < 0 && isProvider(pkg) {
		return arrowsOf("sims/*")
	}
	if i < 0 {
		return arrows{}, false
	}
	return allowed()[i], true
}

func (a arrows) allow(s source, imported string) bool {
	if pkg, ok := ownPackage(imported); ok {
		return slices.Contains(a.own, pkg) || isProvider(pkg) && slices.Contains(a.own, "sims/*") || s.isTest() && a.allowInTest(s.pkg, pkg)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return hasPrefix(a.foreign, imported) || s.isTest() && hasPrefix(forTests(), imported)
}

// allowInTest: a provider's test stays away from other providers, and any other test from what Go's rule against cycles
// forbids it.
func (a arrows) allowInTest(pkg, imported string) bool {
	return a.pkg != "sims/*" || imported == pkg || !isProvider(imported) && imported != "sims/all"
}

func hasPrefix(prefixes []string, imported string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") })
}

func TestArrowsPointOneWay(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, a := range allowed() {
		for _, own := range a.own {
			require.True(t, known[own], "%s may import %s, which does not stand above it in the list", a.pkg, own)
		}
		require.False(t, known[a.pkg], "%s stands twice", a.pkg)
		known[a.pkg] = true
	}
}

// The markers between which .golangci.yml holds the arrows.
const (
	beginArrows = "        # begin arrows: made from internal/arch/arrows_test.go by make arrows, do not edit\n"
	endArrows   = "        # end arrows\n"
)

func TestLinterKnowsTheArrows(t *testing.T) {
	t.Parallel()
	config := read(t, ".golangci.yml")
	before, rest, ok := strings.Cut(config, beginArrows)
	require.True(t, ok, "the first marker is missing")
	got, after, ok := strings.Cut(rest, endArrows)
	require.True(t, ok, "the second marker is missing")
	want := depguard()
	if *update {
		updated := before + beginArrows + want + endArrows + after
		require.NoError(t, os.WriteFile(filepath.Join(root(), ".golangci.yml"), []byte(updated), 0o600))
		return
	}
	require.Equal(t, want, got, "run make arrows")
}

// depguard writes the arrows as rules of the linter, which shows a wrong import while it is being typed.
func depguard() string {
	var b strings.Builder
	for _, a := range allowed() {
		fmt.Fprintf(&b, "        %s:\n", ruleName(a.pkg))
		b.WriteString("          list-mode: strict\n          files:\n")
		for _, glob := range globs(a.pkg) {
			fmt.Fprintf(&b, "            - %q\n", glob)
		}
		b.WriteString("          allow:\n            - $gostd\n")
		for _, own := range a.own {
			fmt.Fprintf(&b, "            - %s\n", depguardPackage(own))
		}
		for _, foreign := range a.foreign {
			fmt.Fprintf(&b, "            - %s\n", foreign)
		}
	}
	return b.String()
}

func ruleName(pkg string) string {
	switch pkg {
	case ".":
		return "root"
	case "sims/*":
		return "providers"
	}
	return strings.ReplaceAll(pkg, "/", "-")
}

func globs(pkg string) []string {
	switch pkg {
	case ".":
		return []string{"${base-path}/*.go", "!$test"}
	case "sims/*":
		return []string{"**/sims/*/*.go", "!**/sims/all/*.go", "!**/sims/simtest/*.go", "!$test"}
	}
	return []string{"**/" + pkg + "/*.go", "!$test"}
}

func depguardPackage(own string) string {
	if own == "sims/*" {
		return module + "/sims/"
	}
	return path.Join(module, own) + "$"
}
