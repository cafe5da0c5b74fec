package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// ran runs a command line in an environment and returns its exit code and what it printed.
func ran(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	code = run(context.Background(), args, getenv, &out, &errs)
	return code, out.String(), errs.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mocksrv.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestFlagsWinOverEnvironmentOverFileOverDefaults(t *testing.T) {
	t.Parallel()
	config := file(t, "seed: 1000\ngrace: 7s\nallow-host: [a.example, b.example]\nquiet: true\nedge: world\n")
	env := map[string]string{"MOCKSRV_SEED": "2000", "MOCKSRV_GRACE": "8s", "MOCKSRV_CONTROL_TOKEN": "hunter2", "MOCKSRV_CONFIG": config}
	code, out, errs := ran(t, env, "serve", "--seed", "3000", "--print-config")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, `listen: ["127.0.0.1:8080"] # default
control-listen: "" # default
tls-dir: "" # default
tls-cert: "" # default
tls-key: "" # default
scenario: [] # default
watch: false # default
record: "" # default
seed: 3000 # flag --seed
clock: real # default
edge: world # file `+config+`
allow-public-delivery: false # default
control-token: '[redacted]' # environment MOCKSRV_CONTROL_TOKEN
allow-host: ["a.example", "b.example"] # file `+config+`
max-sandboxes: 20000 # default
max-sandbox-rows: 500000 # default
max-sandbox-bytes: 536870912 # default
sandbox-idle: 0s # default
max-connections: 16384 # default
grace: 8s # environment MOCKSRV_GRACE
log-format: text # default
log-level: info # default
quiet: true # file `+config+`
`, out)
	require.NotContains(t, out+errs, "hunter2")
}

// TestPrintedConfigIsAConfigFile: printed and read again it says the same.
func TestPrintedConfigIsAConfigFile(t *testing.T) {
	t.Parallel()
	values := func(text string) (v map[string]any) {
		require.NoError(t, yaml.Unmarshal([]byte(text), &v))
		return v
	}
	_, first, errs := ran(t, nil, "serve", "--print-config", "--clock", "2026-01-08T10:30:00Z", "--allow-host", "x,y", "--grace", "90s", "--log-format", "json")
	require.Empty(t, errs)
	code, second, errs := ran(t, nil, "serve", "--print-config", "--config", file(t, first))
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, values(first), values(second))
	require.NotContains(t, second, "# default")
}

func TestWrongSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		file string
		args []string
		env  map[string]string
	}{
		`unknown key "max-sandbox", did you mean "max-sandboxes"?`: {file: "max-sandbox: 3\n"},
		`unknown key "print-config", did you mean`:                 {file: "print-config: true\n"},
		"already defined":                                         {file: "seed: 1\nseed: 2\n"},
		"seed: expected a valid 64 bit int":                       {file: "seed: many\n"},
		"unknown flag --sed, did you mean":                        {args: []string{"--sed", "1"}},
		"--edge must be one of":                                   {env: map[string]string{"MOCKSRV_EDGE": "both"}},
		"--clock: invalid request: clock:":                        {args: []string{"--clock", "noon"}},
		"--max-connections: want at least 1, got 0":               {args: []string{"--max-connections", "0"}},
		"--max-sandboxes: want at least 1, got -1":                {args: []string{"--max-sandboxes=-1"}},
		"--sandbox-idle: want 0s (never) or at least 1s, got 1ms": {args: []string{"--sandbox-idle", "1ms"}},
		"--grace: want no negative duration, got -1s":             {args: []string{"--grace=-1s"}},
		`got the scheme "ftp"`:                                    {args: []string{"--listen", "127.0.0.1:1", "--listen", "ftp://127.0.0.1:21"}},
		`listen on "https://x/y": want scheme, host and port`:     {file: "control-listen: https://x/y\n"},
		"--listen: want at least one address":                     {file: "listen: []\n"},
		"--tls-cert and --tls-key: want both or none":             {args: []string{"--tls-cert", "x"}},
		"--tls-cert: want an address to show it at, such as":      {args: []string{"--tls-cert", "x", "--tls-key", "y"}},
		"no such file": {args: []string{"--config", "/no/such/file"}},
	} {
		args := append([]string{"serve", "--print-config"}, c.args...)
		if c.file != "" {
			args = append(args, "--config", file(t, c.file))
		}
		code, _, errs := ran(t, c.env, args...)
		require.Equal(t, exitUsage, code, "%s: %s", says, errs)
		require.Contains(t, errs, says)
	}
}

func TestUnknownVariablesAreRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkEnvironment([]string{
		"MOCKSRV_LISTEN=127.0.0.1:0", "MOCKSRV_ALLOW_HOST=x", "MOCKSRV_CONFIG=", "MOCKSRV_FORMAT=json", "HOME=/", "MOCKSRVX=1", "XMOCKSRV_SED=1",
		"MOCKSRV_URL=http://127.0.0.1:8080", "MOCKSRV_BIN=bin/mocksrv", // for programs that use the server
		"MOCKSRV_SERVICE_HOST=10.0.0.1", "MOCKSRV_SERVICE_PORT=8080", "MOCKSRV_SERVICE_PORT_HTTP=8080", // from Kubernetes
		"MOCKSRV_PORT=tcp://10.0.0.1:8080", "MOCKSRV_PORT_8080_TCP=tcp://10.0.0.1:8080", "MOCKSRV_PORT_8080_TCP_ADDR=10.0.0.1",
	}, nil))
	for entry, nearest := range map[string]string{
		"MOCKSRV_LISTN=1": "MOCKSRV_LISTEN", "MOCKSRV_PORT=8080": "MOCKSRV_", "MOCKSRV_CONTROLTOKEN=x": "MOCKSRV_CONTROL_TOKEN",
		"MOCKSRV_PRINT_CONFIG=1": "MOCKSRV_", "MOCKSRV_=1": "MOCKSRV_", "MOCKSRV_HELP=1": "MOCKSRV_",
	} {
		name, _, _ := strings.Cut(entry, "=")
		require.ErrorContains(t, checkEnvironment([]string{entry}, nil), "unknown variable "+name+", did you mean "+nearest, entry)
	}
	binary, err := built()
	require.NoError(t, err)
	code, out := executed(t, []string{"MOCKSRV_SEEDS=1"}, binary, "version")
	require.Equal(t, exitUsage, code)
	require.Contains(t, out, "unknown variable MOCKSRV_SEEDS, did you mean MOCKSRV_SEED?")
}

func TestAnUnknownVariableIsToldThoseOfTheCommand(t *testing.T) {
	t.Parallel()
	for command, c := range map[string]struct {
		args     []string
		has, not string
	}{
		"serve":       {nil, "MOCKSRV_GRACE", "MOCKSRV_JUNIT"},
		"test":        {[]string{"test", "lint"}, "MOCKSRV_JUNIT", "MOCKSRV_GRACE"},
		"cert":        {[]string{"--config", "x", "cert", "client"}, "MOCKSRV_OUT_KEY", "MOCKSRV_GRACE"},
		"healthcheck": {[]string{"healthcheck"}, "MOCKSRV_CONFIG", "MOCKSRV_JUNIT"},
	} {
		err := checkEnvironment([]string{"MOCKSRV_JUNITS=x"}, c.args)
		require.ErrorContains(t, err, "did you mean MOCKSRV_JUNIT? Those of mocksrv "+command+" are MOCKSRV_")
		_, listed, _ := strings.Cut(err.Error(), " are ")
		require.Contains(t, strings.Split(listed, ", "), c.has)
		require.NotContains(t, strings.Split(listed, ", "), c.not)
	}
}

// The table of settings in docs/operations.md is what the code says. It is rewritten by
// go test ./cmd/mocksrv -update.
func TestOperationsSettingsTable(t *testing.T) {
	const path, start, end = "../../docs/operations.md", "held by TestOperationsSettingsTable -->\n", "<!-- end of settings -->"
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), start)
	require.True(t, ok)
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	want := "\n" + settingsTable() + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+start+want+end+after), 0o600))
		return
	}
	require.Equal(t, want, table)
}

// settingsTable is every setting of "serve" as a row of Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| flag and key of the file | environment | default | meaning |\n|---|---|---|---|\n")
	for _, f := range settingFields() {
		name, byDefault := settingName(f), f.Tag.Get("default")
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		b.WriteString("| `--" + name + "` | `" + envName(name) + "` | " + byDefault + " | " + f.Tag.Get("help") + " |\n")
	}
	return b.String()
}
