package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// examined runs "doctor" in this process.
func examined(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"doctor"}, args...), func(string) (string, bool) { return "", false }, &out, &errs)
	return code, out.String(), errs.String()
}

// answering is an app that always answers one status.
func answering(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheDoctorExits0WhenTheURLIsReachable(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := examined(t, answering(t, 200)+"/hook")
	require.Equal(t, exitOK, code)
	require.True(t, strings.HasSuffix(stdout, "\nreachable\n"), stdout)
	require.Empty(t, stderr)
}

func TestTheDoctorExits1WithCauseAndAdvice(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := examined(t, answering(t, 405)+"/hook")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "\n  answer   failed   status 405 Method Not Allowed\n\ncause: method_not_allowed\ndo:    The path exists")
	require.Equal(t, "mocksrv: not reachable: method_not_allowed\n", stderr)
	code, stdout, _ = examined(t, "--no-request", answering(t, 405)+"/hook")
	require.Equal(t, exitOK, code, stdout)
}

func TestTheDoctorsReportAsJSON(t *testing.T) {
	t.Parallel()
	code, stdout, _ := examined(t, "--json", "http://8.8.8.8/")
	require.Equal(t, exitFailed, code)
	var report client.DoctorReport
	require.NoError(t, strictjson.UnmarshalKnown([]byte(stdout), &report))
	require.Equal(t, "public_address", report.Cause)
	require.Len(t, report.Steps, 7)
}

func TestTheDoctorNotesWhatIsOddBesideTheCause(t *testing.T) {
	t.Parallel()
	_, stdout, _ := examined(t, strings.Replace(answering(t, 204), "://", "://me:secret@", 1))
	require.Contains(t, stdout, "\nnote:  User and password in the URL are not sent")
	require.Contains(t, stdout, "\nnote:  Some providers take only 200")
	require.NotContains(t, stdout, "secret")
}

func TestTheDoctorTrustsTheCAOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, err := authority.Open(dir)
	require.NoError(t, err)
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{TLS: receiver.Trusted}, CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	code, stdout, _ := examined(t, r.URL())
	require.Equal(t, exitFailed, code, stdout)
	code, stdout, _ = examined(t, "--tls-dir", dir, r.URL())
	require.Equal(t, exitOK, code, stdout)
	code, _, stderr := examined(t, "--tls-dir", t.TempDir(), r.URL())
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "there is no CA in ")
}

func TestBadUsageOfTheDoctorExits2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--timeout", "soon", "http://127.0.0.1"}, {"--timeout", "1ns", "http://127.0.0.1"}, {"--timeout", "2h", "http://127.0.0.1"}, {"--nonsense", "x"}} {
		code, stdout, stderr := examined(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, stdout)
		require.NotEmpty(t, stderr)
	}
}

// TestTheDoctorsGuide runs the guide's blocks in one shell against a fresh server, and holds what they print against what the
// guide shows; … stands for anything.
func TestTheDoctorsGuide(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/guide-doctor.md")
	require.NoError(t, err)
	binary, err := built()
	require.NoError(t, err)
	base := started(t)
	var script strings.Builder
	var want []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```\n\n```text\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		script.WriteString(block[1])
		want = append(want, strings.ReplaceAll(regexp.QuoteMeta(block[2]), "…", ".*"))
	}
	require.Len(t, want, strings.Count(string(data), "```sh\n"))
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", "exec 2>&1\n"+strings.ReplaceAll(script.String(), "http://127.0.0.1:8080", base))
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, "^"+strings.Join(want, "")+"$", string(out))
}
