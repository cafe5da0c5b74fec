package mocksrv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// written is a scenario file.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

const shopScenario = `title: A shop hears of a payment
receivers: {shop: {script: {replies: [{status: 500}], then: ok}}}
webhooks: [{name: hook, sim: hsrcpay, url: "${{ receivers.shop.url }}", events: [payment.succeeded]}]
rules: [{name: maintenance, call: hsrcpay.listWebhooks, do: [{refuse: internal}]}]
cases: {small: {amount: 1}, large: {amount: 900}}
params: {amount: 5}
steps:
- emit: {sim: hsrcpay, type: payment.succeeded, data: {amount: "${{ params.amount }}"}}
- advance: 1h
- expect:
    deliveries: [{match: {state: delivered, attempts: [{status: 500}, {status: 200, request: {json: {amount: "${{ params.amount }}"}}}]}}]
    receivers: {shop: [{count: 2}]}
`

func TestScenarioRunsEachCaseAsASubtest(t *testing.T) {
	t.Parallel()
	mocksrv.TestScenario(t, written(t, shopScenario))
	mocksrv.TestScenario(t, "hsrcpay-payment")
}

func TestScenarioWithoutAListener(t *testing.T) {
	t.Parallel()
	mocksrv.TestScenario(t, written(t, shopScenario), mocksrv.NoListener())
	mocksrv.TestScenario(t, "scenarios", mocksrv.NoListener())
}

// failing is a test that only remembers how it failed. Its Fatalf ends no goroutine.
type failing struct {
	*testing.T
	failed []string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.failed = append(f.failed, fmt.Sprintf(format, args...))
}

// Run hides that of the test: this one has no subtests.
func (f *failing) Run() {}

func TestAScenarioThatFailsNamesFileAndLine(t *testing.T) {
	t.Parallel()
	file := written(t, shopScenario+"- name: too much\n  expect:\n    receivers: {shop: [{count: 3}]}\n")
	f := &failing{T: t}
	mocksrv.RunT(t).RunScenario(f, file)
	require.Len(t, f.failed, 2)
	require.Contains(t, f.failed[0], file+":15: step 4 (too much): receivers.shop: 2 there, 3 wanted\n")
	require.Contains(t, f.failed[0], "again:  mocksrv test "+file+" --run '/small$' --seed 1\n")
	f = &failing{T: t}
	mocksrv.TestScenario(f, written(t, "title: x\nsteps: [{call: hsrcpay.listWebhook}]\n"))
	require.Contains(t, f.failed[0], "shop.yaml:2:16: steps[0].call: ")
}

func TestApplyScenarioPutsTheWorldIntoTheDefaultSandbox(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	applied, err := srv.ApplyScenario(written(t, shopScenario))
	require.NoError(t, err)
	require.Equal(t, []string{"maintenance"}, applied.Rules)
	emitted, err := srv.Emit(client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	require.Equal(t, applied.Webhooks["hook"].ID, emitted.Deliveries[0].WebhookID)
	_, err = srv.ApplyScenario("no-such-scenario")
	require.ErrorContains(t, err, "no-such-scenario")
}
