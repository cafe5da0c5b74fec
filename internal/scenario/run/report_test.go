package run_test

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// summary has one case that passed, one that failed, and a file that could not be read.
func summary() run.Summary {
	scenario := script.Scenario{Title: "A <shop>"}
	return run.Summary{
		Results: []run.Result{
			{Case: run.Case{File: "a.yaml", Name: "small", Scenario: scenario}, Seed: 1, Steps: 3, Real: 1500 * time.Microsecond, Virtual: time.Hour},
			{
				Case: run.Case{File: "a.yaml", Name: "large", Scenario: scenario}, Seed: 1, Steps: 1, Real: 2 * time.Millisecond, Sandbox: "test-a-1",
				Failure: &run.Failure{
					Step: "step 2 (call)", At: "a.yaml:7", Again: "mocksrv test a.yaml",
					Differences: []run.Difference{{Path: "status", Want: "200", Got: "401"}, {Path: "body.id", Want: `"x"`, Got: "nothing"}},
					Exchange: &run.Exchange{
						Curl: "curl -si -X GET http://127.0.0.1:1/x", Status: 401, Body: "{\n  \"a\": 1\n}", Rules: []string{"outage"},
						Refusal: &client.Refusal{Rule: "credentials", Saw: "nothing", Want: "a token"},
					},
				},
			},
		},
		Broken: []run.Broken{{File: "b.yaml", Error: "b.yaml:1:1: title: is missing\nb.yaml:2:3: step: unknown member"}},
		Real:   20 * time.Millisecond, Virtual: time.Hour, Skipped: 4,
	}
}

func TestTheTextReportShowsWantAndGotBesideEachOther(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report := &run.Text{W: &out, Verbose: true}
	report.Begin(2)
	for _, r := range summary().Results {
		report.Done(r)
	}
	report.End(summary())
	require.Equal(t, `ok    a.yaml/small  (3 steps, 1.5ms, 1h0m0s of world time)
FAIL  a.yaml/large
      a.yaml:7: step 2 (call): not as expected
        status   want 200
                 got  401
        body.id  want "x"
                 got  nothing
      request:  curl -si -X GET http://127.0.0.1:1/x
      answer:  status 401
        {
          "a": 1
        }
      refused by credentials: saw nothing; want a token
      scripted rules that fired:  outage
      again:  mocksrv test a.yaml
      kept: sandbox test-a-1
FAIL  b.yaml
      b.yaml:1:1: title: is missing
      b.yaml:2:3: step: unknown member
1 passed, 2 failed, 4 not run in 20ms (1h0m0s of world time)
`, out.String())
}

func TestATerminalSeesHowFarItIs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report := &run.Text{W: &out, Progress: true}
	report.Begin(2)
	report.Done(summary().Results[0])
	require.Equal(t, "\r\x1b[K1 of 2", out.String())
}

func TestJUnitHasASuiteForEachFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run.JUnit(&out, summary()))
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Failure string `xml:"failure"`
				Error   string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(out.Bytes(), &doc))
	require.Equal(t, []int{3, 1, 1}, []int{doc.Tests, doc.Failures, doc.Errors})
	require.Equal(t, "large", doc.Suites[0].Cases[1].Name)
	require.Contains(t, doc.Suites[0].Cases[1].Failure, "status   want 200")
	require.Contains(t, doc.Suites[1].Cases[0].Error, "b.yaml:2:3")
}

func TestJSONHasEverythingInOneDocument(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run.JSON(&out, summary()))
	doc, err := strictjson.Decode(out.Bytes())
	require.NoError(t, err)
	object, _ := doc.(map[string]any)
	require.Equal(t, []any{1.0, 2.0, 4.0, "1h0m0s"}, []any{object["passed"], object["failed"], object["skipped"], object["virtual"]})
	require.Contains(t, out.String(), `"curl": "curl -si -X GET http://127.0.0.1:1/x"`)
	require.Contains(t, out.String(), `"sandbox": "test-a-1"`)
}

func TestASuiteRunsWhatIsChosen(t *testing.T) {
	t.Parallel()
	one, two := steps(t, "steps: [{expect: {that: 'true'}}]"), steps(t, "steps: [{expect: {that: 'false'}}]")
	one.Name, two.Name = "one", "two"
	suite := run.Suite{Cases: []run.Case{one, two}, Only: regexp.MustCompile("/one$"), Parallel: 2}
	require.Equal(t, 1, suite.Chosen())
	got := suite.Run(t.Context(), target(t))
	require.Equal(t, []int{1, 0, 1}, []int{got.Passed(), got.Failed(), got.Skipped})
	suite.Only = nil
	var seen []string
	suite.Done = func(r run.Result) { seen = append(seen, r.Name) }
	got = suite.Run(t.Context(), target(t))
	require.Equal(t, 1, got.Failed())
	require.ElementsMatch(t, []string{"one", "two"}, seen)
}

func TestFilesAreFoundInFoldersAndByName(t *testing.T) {
	t.Parallel()
	found, err := run.Files("../../../scenarios")
	require.NoError(t, err)
	require.Contains(t, found, "../../../scenarios/hsrcpay-payment.yaml")
	found, err = run.Files("hsrcpay-payment")
	require.NoError(t, err)
	require.Equal(t, []string{"hsrcpay-payment"}, found)
	for path, says := range map[string]string{
		"hsrcpay-paymnt": "did you mean hsrcpay-payment?", t.TempDir(): "has no file *.yaml or *.yml", "no/such.yaml": "is no file, no folder, and no built-in scenario",
	} {
		_, err := run.Files(path)
		require.ErrorIs(t, err, run.ErrNoScenario)
		require.ErrorContains(t, err, says)
	}
}
