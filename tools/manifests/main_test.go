package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	workflow = "examples/github-actions/workflow.yml"
	pod      = "examples/kubernetes/pod.yaml"
)

// changed is a copy of the files that are checked, with one text replaced by another.
func changed(t *testing.T, file, from, to string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{".github/workflows/ci.yml", workflow, pod} {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if name == file {
			if !strings.Contains(text, from) {
				t.Fatalf("%s has no %q", name, from)
			}
			text = strings.ReplaceAll(text, from, to)
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWhatIsHereIsAccepted(t *testing.T) {
	t.Parallel()
	if err := run("../..", io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct{ file, from, to string }{
		`undefined function "failed"`:                         {workflow, "failure()", "failed()"},
		`unexpected key "runs_on"`:                            {workflow, "runs-on", "runs_on"},
		`unknown field "periodSecond"`:                        {pod, "periodSeconds: 1\n", "periodSecond: 1\n"},
		`cannot unmarshal string`:                             {pod, "failureThreshold: 30", `failureThreshold: "30"`},
		`want a v1 Pod, got v1 Pot`:                           {pod, "kind: Pod", "kind: Pot"},
		`mounts volume "trusted", which the pod has not`:      {pod, "{name: trust, mountPath: /trust, readOnly: true}", "{name: trusted, mountPath: /trust}"},
		`want a read-only root and no capabilities`:           {pod, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
		`want restartPolicy Always, or it is no sidecar`:      {pod, "restartPolicy: Always", "# no policy"},
		`want a startup and a liveness probe`:                 {pod, "startupProbe:", "lifecycle: {}\n      readinessProbe:"},
		`want an init container mocksrv, got none`:            {pod, "name: mocksrv\n", "name: sidecar\n"},
		`nobody mounts volume "spare"`:                        {pod, "  volumes:\n", "  volumes:\n    - {name: spare, emptyDir: {}}\n"},
		`want files .github/workflows/*.yml, got none`:        {},
		`label "ubuntu-newest" is unknown`:                    {workflow, "ubuntu-latest", "ubuntu-newest"},
		`input "persist-credential" is not defined in action`: {workflow, "persist-credentials", "persist-credential"},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if c.file != "" {
				root = changed(t, c.file, c.from, c.to)
			}
			err := run(root, io.Discard)
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want %s, got %v", says, err)
			}
		})
	}
}
