package run_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/script"
)

// closedPort is a URL where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{Script: receiver.Script{Down: true}}}) // it keeps the port
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r.URL() + "/hook"
}

// undelivered is a webhook at a URL, events for it, and an expectation that is not met.
func undelivered(url, more string) string {
	return fmt.Sprintf(`steps:
- {call: hsrcpay.createWebhook, body: {endpoint: "%s", enabled_events: ["payment.*"]}, expect: {status: 201}}
%s
- {emit: {sim: hsrcpay, type: payment.succeeded}, expect: {deliveries: [{match: {state: delivered}}]}}
`, url, more)
}

func TestAMissedDeliverySaysWhyItFailed(t *testing.T) {
	t.Parallel()
	url := closedPort(t)
	f := fails(t, undelivered(url, ""))
	require.Len(t, f.Attempts, 1)
	require.Regexp(t, `^\S+ attempt 1 to `+regexp.QuoteMeta(url)+`: refused: .+; try mocksrv doctor `+regexp.QuoteMeta(url)+`$`, f.Attempts[0])
	require.Contains(t, f.Text(), "\n  "+f.Attempts[0]+"\n")

	f = fails(t, undelivered(shop(t, 503), ""))
	require.Len(t, f.Attempts, 1)
	require.Regexp(t, `attempt 1 to http://127\.0\.0\.1:\d+: status: status 503 is no success \(status 503\)$`, f.Attempts[0], "somebody answered, so there is nothing to examine")

	f = fails(t, undelivered(url, "- {rule: {attempt: '*', do: [{fail: the line was cut}]}}"))
	require.Len(t, f.Attempts, 1)
	require.Regexp(t, `: fault: not sent: the line was cut$`, f.Attempts[0], "it was never sent, so there is nothing to examine")
}

func TestWhatIsNotMissedIsNotExplained(t *testing.T) {
	t.Parallel()
	two := "- {emit: {sim: hsrcpay, type: payment.succeeded}}"
	f := fails(t, undelivered(closedPort(t), two+"\n- expect: {deliveries: [{match: {state: pending}, count: 0}]}"))
	require.Empty(t, f.Attempts, "there are too many, and none is missed")
	f = fails(t, undelivered(closedPort(t), two+"\n- expect: {deliveries: [{match: {state: pending}, count: 2}]}"))
	require.Empty(t, f.Attempts, "it is one of those that are wanted")
	f = fails(t, undelivered(closedPort(t), strings.Repeat(two+"\n", 7)))
	require.Len(t, f.Attempts, 6)
	require.Equal(t, "and 3 more that failed", f.Attempts[5])
}

// interrupting ends a run once deliveries were looked at so often: at once, or when the answer is there.
type interrupting struct {
	end    context.CancelFunc
	looks  atomic.Int64
	before bool
}

func (i *interrupting) RoundTrip(req *http.Request) (*http.Response, error) {
	last := strings.HasSuffix(req.URL.Path, "/deliveries") && i.looks.Add(1) == 3
	if last && i.before {
		i.end()
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || !last {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	i.end()
	return resp, err
}

func TestAnInterruptedCaseSaysSo(t *testing.T) {
	t.Parallel()
	waits := steps(t, "steps: [{name: waits, expect: {within: 30s, deliveries: [{match: {state: delivered}}]}}]")
	after := waits
	waits.Name, after.Name = "waits", "after"
	for before, says := range map[bool]string{false: "interrupted; until then deliveries: 0 matched ", true: "interrupted"} {
		ctx, cancel := context.WithCancel(t.Context())
		srv := mocksrv.RunT(t)
		server := srv.Scenarios()
		server.Control = client.New(srv.URL(), client.WithHTTPClient(&http.Client{Transport: &interrupting{end: cancel, before: before}}))
		got := run.Suite{Cases: []run.Case{waits, after}, Parallel: 1}.Run(ctx, server)
		require.Equal(t, []int{0, 1, 1}, []int{got.Passed(), got.Failed(), got.Skipped})
		require.Equal(t, "after", got.Cut[0].Name)
		failed := got.Results[0].Failure
		require.True(t, strings.HasPrefix(failed.Message, says), failed.Message)
		require.NotContains(t, failed.Text(), "waited")
		require.Equal(t, "step 1 (waits)", failed.Step)
	}
}

func TestACaseThatIsInterruptedBeforeItBeginsSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := target(t).Run(ctx, steps(t, "steps: [{call: hsrcpay.listWebhooks}]"), run.Options{})
	require.Equal(t, "interrupted", r.Failure.Message)
}

func TestReportsNameTheCasesThatWereNotRun(t *testing.T) {
	t.Parallel()
	all := summary()
	all.Cut = []run.Case{{File: "a.yaml", Name: "huge"}, {File: "c.yaml", Scenario: script.Scenario{Title: "Another"}}}
	var text, xml, json bytes.Buffer
	(&run.Text{W: &text}).End(all)
	require.Contains(t, text.String(), "not run  a.yaml/huge\nnot run  c.yaml\n1 passed, 2 failed, 4 not run in ")
	require.NoError(t, run.JUnit(&xml, all))
	require.Contains(t, xml.String(), `<testsuites name="mocksrv" tests="5"`)
	require.Contains(t, xml.String(), `<testsuite name="a.yaml" tests="3" failures="1" errors="0" skipped="1"`)
	require.Contains(t, xml.String(), `<testsuite name="c.yaml" tests="1" failures="0" errors="0" skipped="1" time="0.000">`)
	require.Contains(t, xml.String(), `<skipped message="interrupted before it was run"></skipped>`)
	require.NoError(t, run.JSON(&json, all))
	require.Contains(t, json.String(), `"a.yaml/huge",`)
}
