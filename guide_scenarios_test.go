package mocksrv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/script"
)

// scenarioGuide is the guide whose examples are run here; scripts/guide.sh runs its shell blocks.
func scenarioGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("docs/guide-scenarios.md")
	require.NoError(t, err)
	return string(text)
}

// guideExample is a yaml block of the guide, as the comment before it names it.
type guideExample struct {
	kind string // file: it is complete; in: what it leaves out stands in the world of that name
	name string
	text string
}

// guideExamples returns the blocks of the guide, and the worlds that complete the fragments.
func guideExamples(t *testing.T, guide string) (examples []guideExample, worlds map[string]string) {
	t.Helper()
	worlds = map[string]string{}
	for _, found := range regexp.MustCompile(`(?s)<!-- world ([a-z-]+):\n(.*?)-->`).FindAllStringSubmatch(guide, -1) {
		worlds[found[1]] = found[2]
	}
	for _, found := range regexp.MustCompile("(?s)<!-- (file|in): ([a-z./-]+) -->\n\n```yaml\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		examples = append(examples, guideExample{kind: found[1], name: found[2], text: found[3]})
	}
	require.Len(t, examples, strings.Count(guide, "```yaml\n"), "a yaml block has a comment before it that says how it is run")
	return examples, worlds
}

// completed is a fragment with what it leaves out. What it has takes the place of the world's.
func completed(fragment, world string) string {
	section := regexp.MustCompile(`(?m)^([a-z]+):.*\n(?:[ -].*\n|\n|#.*\n)*`)
	own := map[string]bool{}
	for _, found := range section.FindAllStringSubmatch(fragment, -1) {
		own[found[1]] = true
	}
	rest := section.ReplaceAllStringFunc(world, func(text string) string {
		if name, _, _ := strings.Cut(text, ":"); own[name] {
			return ""
		}
		return text
	})
	return rest + fragment
}

// TestTheExamplesOfTheScenarioGuidePass runs each as a scenario of its own. Those with a file name may include each other.
func TestTheExamplesOfTheScenarioGuidePass(t *testing.T) {
	t.Parallel()
	examples, worlds := guideExamples(t, scenarioGuide(t))
	folder := t.TempDir()
	var files []string
	for i, e := range examples {
		text, path := e.text, filepath.Join(folder, e.name)
		if e.kind == "in" {
			world, ok := worlds[e.name]
			require.True(t, ok, "no world %s", e.name)
			text, path = completed(e.text, world), filepath.Join(folder, fmt.Sprintf("%02d-%s.yaml", i, e.name))
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		files = append(files, path)
	}
	srv := mocksrv.RunT(t)
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("the example:\n" + examples[i].text)
				}
			})
			srv.RunScenario(t, file)
		})
	}
}

// scripted are the types of package script of which scenario files are made.
func scripted() []any {
	return []any{
		script.Scenario{},
		script.Receiver{},
		script.Webhook{},
		script.Delivery{},
		script.Moment{},
		script.Step{},
		script.Raw{},
		script.Expect{},
		script.Expected{},
		script.Rule{},
		script.Rate{},
		script.Action{},
		script.Answer{},
		script.Refuse{},
		script.Delay{},
		script.Emit{},
		script.Release{},
		script.ReceiverChange{},
	}
}

// TestTheScenarioGuideUsesEveryWordOfTheLanguage: each member of each type stands in an example, which is run.
func TestTheScenarioGuideUsesEveryWordOfTheLanguage(t *testing.T) {
	t.Parallel()
	guide := scenarioGuide(t)
	examples, _ := guideExamples(t, guide)
	var all strings.Builder
	for _, e := range examples {
		all.WriteString(e.text)
	}
	for _, value := range scripted() {
		for f := range reflect.TypeOf(value).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			require.Regexp(t, `\b`+name+`: `, strings.ReplaceAll(all.String(), "\n", " "), "%T.%s is in no example", value, f.Name)
			for word := range strings.SplitSeq(f.Tag.Get("enum"), ",") {
				require.Contains(t, guide, word, "%T.%s", value, f.Name)
			}
		}
	}
}

// TestTheScenarioGuideListsEveryPointActionVariableAndRefusal: its tables leave nothing out.
func TestTheScenarioGuideListsEveryPointActionVariableAndRefusal(t *testing.T) {
	t.Parallel()
	guide := scenarioGuide(t)
	listed := func(names ...string) {
		for _, name := range names {
			require.Regexp(t, "\n\\|[^\n]*`"+regexp.QuoteMeta(name)+"[`:(.]", guide, "%s stands in no table", name)
		}
	}
	for _, point := range []script.Point{script.OnCall, script.OnEvent, script.OnDelivery, script.OnAttempt, script.OnHandshake} {
		listed(string(point))
		listed(rule.Variables(point)...)
		if point != script.OnHandshake { // which has one action, and no table
			listed(rule.VerbsAt(point)...)
		}
	}
	listed("response", "index", "now")
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	for _, p := range providers {
		for name := range p.Refusals {
			listed(name)
		}
	}
}

// TestTheScenarioGuideSaysWhichProvidersBlock: its table is that of the policies' defaults.
func TestTheScenarioGuideSaysWhichProvidersBlock(t *testing.T) {
	t.Parallel()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	var table strings.Builder
	for _, p := range providers {
		by := func(name string) any {
			policy, ok := p.Contract.Policy(name)
			require.True(t, ok, "%s.%s", p.Name, name)
			return policy.Default
		}
		limit := "0: never"
		if n := fmt.Sprint(by("block_limit")); n != "0" {
			limit = "after more than " + n + " errors"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %v | %v | %v | %v |\n", p.Name, limit, by("block_window_kind"), by("block_window"), by("block_counts"), by("while_blocked"))
	}
	require.Contains(t, scenarioGuide(t), "|\n"+table.String()+"\n")
}

// TestTheScenarioGuideListsWhatEntriesHave: its table is that of the types of the control API.
func TestTheScenarioGuideListsWhatEntriesHave(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	for _, of := range []struct {
		name  string
		value any
	}{
		{"`deliveries`", client.Delivery{}},
		{"their `attempts`", client.Attempt{}},
		{"`webhooks`", client.Webhook{}},
		{"`journal`", client.Exchange{}},
		{"`receivers`", client.ReceivedRequest{}},
		{"`request`, `response`", client.Message{}},
		{"`refusal`", client.Refusal{}},
	} {
		var members, words []string
		for f := range reflect.TypeOf(of.value).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			members = append(members, "`"+name+"`")
			if enum := f.Tag.Get("enum"); enum != "" {
				words = append(words, "`"+name+"`: "+strings.ReplaceAll(enum, ",", ", "))
			}
		}
		if of.name == "`request`, `response`" {
			members = append(members, "`json`")
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", of.name, strings.Join(members, ", "), strings.Join(words, "; "))
	}
	require.Contains(t, scenarioGuide(t), "|\n"+table.String()+"\n")
}

// TestTheGoOfTheScenarioGuideIsATest: what the guide shows stands in a test of this package.
func TestTheGoOfTheScenarioGuideIsATest(t *testing.T) {
	t.Parallel()
	_, block, ok := strings.Cut(scenarioGuide(t), "```go\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	tests, err := os.ReadFile("guide_shop_test.go")
	require.NoError(t, err)
	require.Contains(t, string(tests), block)
}

// TestTheScenarioOfTheReadmeIsThatOfTheGuide: it is run there.
func TestTheScenarioOfTheReadmeIsThatOfTheGuide(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(readme), "```yaml\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	require.Contains(t, scenarioGuide(t), "\n"+block+"YAML\n")
}

// exercise is what the third chapter of the guide asks for.
const exercise = `title: The third create is refused, the receiver fails until the block, and recovers
policies: {signedsub.block_limit: 3}
receivers: {shop: {script: {replies: [{status: 500}]}}}
webhooks: [{name: payouts, sim: signedsub, events: [PAYOUT_CONFIRMED], url: "${{ receivers.shop.url }}"}]
rules: [{name: limited, call: signedsub.createSubscription, nth: 3, do: [{refuse: rate_limited}]}]
steps:
- {repeat: 2, call: signedsub.createSubscription, body: {account: "${{ accounts.default.signedsub.account }}", payload: {requestId: "123e4567-e89b-12d3-a456-42661417400${{ index }}", notificationServiceTypes: [INVOICE], url: "https://shop.example"}}, expect: {status: 200}}
- {call: signedsub.createSubscription, expect: {status: 429, rules: [limited]}}
- {repeat: 4, emit: {sim: signedsub, type: PAYOUT_CONFIRMED}}
- expect: {webhooks: [{match: {id: "${{ webhooks.payouts.id }}", state: blocked}}]}
- {receiver: {name: shop, script: {}}}
- {unblock: payouts}
- expect: {deliveries: [{match: {state: delivered}, count: 4}], webhooks: [{match: {id: "${{ webhooks.payouts.id }}", state: active}}]}
`

func TestTheExerciseOfTheScenarioGuideCanBeDone(t *testing.T) {
	t.Parallel()
	mocksrv.TestScenario(t, written(t, exercise))
}
