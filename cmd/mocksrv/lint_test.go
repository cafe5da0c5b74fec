package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/scenarios"
)

// commanded runs a command line.
func commanded(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, func(string) (string, bool) { return "", false }, &out, &errs)
	return code, out.String(), errs.String()
}

// scenarioFolder is a folder with files.
func scenarioFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return folder
}

func TestLintShowsEveryProblemWithItsPlaceAndExits1(t *testing.T) {
	t.Parallel()
	folder := scenarioFolder(t, map[string]string{
		"good.yaml":        "title: x\nsteps: [{wait: idle}]\n",
		"sub/bad.yml":      "title: x\nsteps:\n- {cal: bts.login}\n- wait: soon\n",
		".hidden/bad.yaml": "no",
		"note.txt":         "no",
	})
	code, stdout, stderr := commanded(t, "lint", folder)
	require.Equal(t, exitFailed, code)
	bad := filepath.Join(folder, "sub", "bad.yml")
	require.Equal(t, bad+":3:4: steps[0].cal: unknown member; did you mean call?\n  - {cal: bts.login}\n     ^\n"+
		bad+":4:9: steps[1].wait: want idle, got \"soon\"\n  - wait: soon\n          ^\n", stdout)
	require.Equal(t, "mocksrv: 2 problems in 2 files\n", stderr)

	code, stdout, _ = commanded(t, "lint", "--json", folder)
	require.Equal(t, exitFailed, code)
	var report lintReport
	require.NoError(t, strictjson.UnmarshalKnown([]byte(stdout), &report))
	require.Equal(t, 2, report.Files)
	require.Len(t, report.Problems, 2)
	require.Equal(t, "steps[0].cal", report.Problems[0].Path)
}

func TestLintOfGoodFilesExits0(t *testing.T) {
	t.Parallel()
	folder := scenarioFolder(t, map[string]string{
		"a.yaml": "title: x\ninclude: [parts/b.yaml, all-rate-limited]\nrules: [{call: bts.*, first: \"${{ params.n }}\", do: [{fault: hang}]}]\n", "parts/b.yaml": "title: b\nparams: {n: 1}\n",
	})
	code, stdout, stderr := commanded(t, "lint", filepath.Join(folder, "a.yaml"))
	require.Equal(t, exitOK, code, stdout+stderr)
	require.Equal(t, "1 file, no problems\n", stdout)
	code, stdout, stderr = commanded(t, append([]string{"lint", "--json"}, scenarios.Names()...)...)
	require.Equal(t, exitOK, code, stdout+stderr)
	require.Contains(t, stdout, `"problems": []`)
}

func TestLintOfNothingExits2(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for want, args := range map[string][]string{
		"expected \"<paths> ...\"": {"lint"}, "there-is-no-such is no file": {"lint", "there-is-no-such"}, empty: {"lint", empty},
		"unknown flag --jsn": {"lint", "--jsn", "x"},
	} {
		code, stdout, stderr := commanded(t, args...)
		require.Equal(t, exitUsage, code, stdout+stderr)
		require.Contains(t, stderr, want)
	}
}

func TestScenariosAreListedAndPrinted(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := commanded(t, "scenarios")
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, len(scenarios.Names()), strings.Count(stdout, "\n"))
	require.Regexp(t, `(?m)^all-rate-limited +The first calls are refused because of too many requests$`, stdout)

	code, stdout, stderr = commanded(t, "scenarios", "--json")
	require.Equal(t, exitOK, code, stderr)
	var list struct {
		Scenarios []shownScenario `json:"scenarios"`
	}
	require.NoError(t, strictjson.Unmarshal([]byte(stdout), &list))
	require.Len(t, list.Scenarios, len(scenarios.Names()))

	want, err := scenarios.Read("all-rate-limited")
	require.NoError(t, err)
	code, stdout, stderr = commanded(t, "scenarios", "show", "all-rate-limited")
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, string(want), stdout)
	code, _, stderr = commanded(t, "scenarios", "show", "nope")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `there is no built-in scenario "nope"; there are all-`)
}
