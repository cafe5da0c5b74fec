package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// scenarioFile is a file with these steps.
func scenarioFile(t *testing.T, steps string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.yaml")
	require.NoError(t, os.WriteFile(file, []byte("title: A shop\ncases: {one: {}, two: {}}\nsteps:\n"+steps), 0o600))
	return file
}

const listing = "- {call: hsrcpay.listWebhooks, expect: {status: 200}}\n"

func TestTestExits0WhenAllPass(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := commanded(t, "test", scenarioFile(t, listing), "hsrcpay-payment")
	require.Equal(t, exitOK, code, stdout)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "3 passed, 0 failed in ")
	require.Contains(t, stdout, "/shop.yaml/one  (1 step, ")
}

func TestTestExits1WhenOneFails(t *testing.T) {
	t.Parallel()
	file := scenarioFile(t, "- {call: hsrcpay.listWebhooks, expect: {status: 404}}\n")
	junit := filepath.Join(t.TempDir(), "junit.xml")
	code, stdout, stderr := commanded(t, "test", file, "--run", "/two$", "--junit", junit, "--seed", "5")
	require.Equal(t, exitFailed, code)
	require.Equal(t, "mocksrv: 1 of 1 failed\n", stderr)
	require.Contains(t, stdout, file+":4: step 1 (call): not as expected\n        status  want 404\n                got  200\n")
	require.Contains(t, stdout, "mocksrv test "+file+" --run '/two$' --seed 5\n")
	report, err := os.ReadFile(junit)
	require.NoError(t, err)
	require.Contains(t, string(report), `<testsuite name="`+file+`" tests="1" failures="1"`)
}

func TestTestExits1WhenAFileIsWrongOrNothingIsChosen(t *testing.T) {
	t.Parallel()
	code, stdout, _ := commanded(t, "test", scenarioFile(t, "- {cal: x}\n"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "shop.yaml:4:4: steps[0].cal: ")
	code, _, stderr := commanded(t, "test", scenarioFile(t, listing), "--run", "three")
	require.Equal(t, exitFailed, code)
	require.Equal(t, "mocksrv: no case was run: --run matches none\n", stderr)
}

func TestTestExits2ForBadUsage(t *testing.T) {
	t.Parallel()
	file := scenarioFile(t, listing)
	for _, args := range [][]string{
		{},
		{"no-such-file.yaml"},
		{t.TempDir()},
		{file, "--run", "("},
		{file, "--parallel", "0"},
		{file, "--control-token", "x"},
		{file, "--sed", "1"},
		{file, "--target", "127.0.0.1:8080"},
		{file, "--target", "localhost:8080"},
		{file, "--junit", filepath.Join(t.TempDir(), "none", "report.xml")},
		{file, "--junit", t.TempDir()},
		{file, "--sandbox", "default"},
		{file, "--sandbox", "default", "--target", "http://127.0.0.1:1", "--parallel", "2"},
		{file, "--sandbox", "default", "--target", "http://127.0.0.1:1", "--seed", "2"},
		{file, "--sandbox", "default", "--target", "http://127.0.0.1:1", "--keep"},
	} {
		code, _, stderr := commanded(t, append([]string{"test"}, args...)...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		require.True(t, strings.HasPrefix(stderr, "mocksrv: "), stderr)
	}
}

func TestWhatIsWrittenInTheEndIsTriedBefore(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "none", "x")
	for flag, args := range map[string][]string{
		"--out":    {"record", "--url", "http://127.0.0.1:1", "--out", nowhere},
		"--record": {"serve", "--record", nowhere},
		"--junit":  {"test", "bts-outage", "--junit", nowhere},
	} {
		code, _, stderr := commanded(t, args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, flag+": no file can be written there: ")
	}
	code, _, stderr := commanded(t, "test", "bts-outage", "--target", "127.0.0.1:8080")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `--target: want http://host:port, got "127.0.0.1:8080"`)
}

func TestAFileWithoutStepsSaysThatNothingWasTested(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.yaml")
	require.NoError(t, os.WriteFile(path, []byte("title: A world\n"), 0o600))
	code, stdout, _ := commanded(t, "test", path)
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "world.yaml  (0 steps: nothing was tested, ")
}

func TestTestAsJSON(t *testing.T) {
	t.Parallel()
	code, stdout, _ := commanded(t, "test", "--json", scenarioFile(t, listing))
	require.Equal(t, exitOK, code)
	doc, err := strictjson.Decode([]byte(stdout))
	require.NoError(t, err)
	object, _ := doc.(map[string]any)
	require.InDelta(t, 2, object["passed"], 0)
}

func TestTestAgainstARunningServer(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.ControlToken = "for tests" })
	file := scenarioFile(t, "- {call: hsrcpay.listWebhooks, expect: {status: 201}}\n")
	code, _, stderr := commanded(t, "test", file, "--target", srv.URL())
	require.Equal(t, exitFailed, code, stderr)
	code, stdout, stderr := commanded(t, "test", file, "--target", srv.URL(), "--control-token", "for tests", "--keep", "--run", "one")
	require.Equal(t, exitFailed, code, stderr)
	kept := regexp.MustCompile(`kept: sandbox (\S+)`).FindStringSubmatch(stdout)
	require.Len(t, kept, 2, stdout)
	_, err := srv.Control().In(kept[1]).Get(t.Context())
	require.NoError(t, err)
	require.Contains(t, stdout, "curl -si -X GET "+srv.URL()+"/sandboxes/"+kept[1]+"/hsrcpay/v1/webhooks/ ")
	code, _, stderr = commanded(t, "test", file, "--target", "http://127.0.0.1:1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "--target http://127.0.0.1:1: ")
}

func TestTestInASandboxThatIsThere(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	file := scenarioFile(t, listing+"- {expect: {journal: [{match: {operation: listWebhooks}, count: {min: 1}}]}}\n")
	code, stdout, stderr := commanded(t, "test", file, "--target", srv.URL(), "--sandbox", "default", "--parallel", "1")
	require.Equal(t, exitOK, code, stdout+stderr)
	require.Contains(t, stdout, "2 passed, 0 failed in ")
	journal, err := srv.Control().In("default").Journal(t.Context(), client.JournalFilter{})
	require.NoError(t, err)
	require.Len(t, journal.Exchanges, 2, "both cases were run there")
	code, _, stderr = commanded(t, "test", file, "--target", srv.URL(), "--sandbox", "another")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "mocksrv: --sandbox another: no such sandbox")
	code, stdout, _ = commanded(t, "test", scenarioFile(t, "- {call: hsrcpay.listWebhooks, expect: {status: 404}}\n"), "--target", srv.URL(), "--sandbox", "default", "--run", "one")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "--run '/one$' --target "+srv.URL()+" --sandbox default\n")
}

func TestTestKeepsItsServerForALook(t *testing.T) {
	t.Parallel()
	file := scenarioFile(t, "- {call: hsrcpay.listWebhooks, expect: {status: 201}}\n")
	ctx, stop := context.WithCancel(t.Context())
	stderr, w := io.Pipe()
	var stdout bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"test", file, "--keep", "--run", "one"}, func(string) (string, bool) { return "", false }, &stdout, w)
		_ = w.Close()
	}()
	said := make([]byte, 1000)
	n, err := stderr.Read(said)
	require.NoError(t, err)
	require.Contains(t, string(said[:n]), "the sandbox of 1 case was kept; the server stays until")
	url := regexp.MustCompile(`curl -si -X GET (\S+)`).FindStringSubmatch(stdout.String())[1]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	stop()
	_, _ = io.Copy(io.Discard, stderr)
	require.Equal(t, exitFailed, <-ended)
}

func TestARecordingOfARunningServerPasses(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	emit(t, srv.Control())
	file := filepath.Join(t.TempDir(), "recorded.yaml")
	code, stdout, stderr := commanded(t, "record", "--url", srv.URL())
	require.Equal(t, exitOK, code, stderr)
	code, _, stderr = commanded(t, "record", "--url", srv.URL(), "--out", file)
	require.Equal(t, exitOK, code, stderr)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, stdout, string(written))
	code, stdout, _ = commanded(t, "test", file)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, written)
	code, _, stderr = commanded(t, "record", "--url", srv.URL(), "--sandbox", "nobody")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "no such sandbox")
}

func emit(t *testing.T, control *client.Client) {
	t.Helper()
	s := control.In(mocksrv.DefaultSandbox)
	opened, err := s.OpenReceiver(t.Context(), client.ReceiverSpec{Name: "another", Script: client.ReceiverScript{Replies: []client.ReceiverReply{{Status: 503}, {}}}})
	require.NoError(t, err)
	require.NotEmpty(t, opened.URL)
	_, err = s.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
	require.NoError(t, err)
	_, err = s.Advance(t.Context(), client.Advance{By: "2h"})
	require.NoError(t, err)
}

//nolint:tparallel // the server has stopped when the subtest is over
func TestServeWritesARecordingWhenItStops(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "recorded.yaml")
	t.Run("serve", func(t *testing.T) {
		base := started(t, "--record", file, "--clock", "2026-01-08T09:00:00Z", "--scenario", "hsrcpay-receiver-recovers")
		emit(t, client.New(base))
	})
	code, stdout, _ := commanded(t, "test", file)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, written)
	require.Contains(t, string(written), "event_type: payment.succeeded")
}
