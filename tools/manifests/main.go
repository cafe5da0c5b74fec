// Command manifests checks the files for other programs that this repository holds: workflows of GitHub Actions as actionlint
// does, objects of Kubernetes against its own types. It needs no network and no cluster.
//
//	go run ./manifests ..
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rhysd/actionlint"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manifests FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(root string, out io.Writer) error {
	return errors.Join(
		each(root, ".github/workflows/*.yml", checkWorkflow, out), each(root, "examples/github-actions/*.yml", checkWorkflow, out),
		each(root, "examples/kubernetes/*.yaml", checkPod, out),
	)
}

// each checks every file of a pattern. There must be one: a check of nothing would always pass.
func each(root, pattern string, check func(name string, data []byte) error, out io.Writer) error {
	names, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("want files %s, got none: %w", pattern, err)
	}
	for _, name := range names {
		data, readErr := os.ReadFile(name)
		if checkErr := errors.Join(readErr, check(name, data)); checkErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, checkErr))
			continue
		}
		fmt.Fprintln(out, "ok   ", name)
	}
	return err
}

// checkWorkflow asks actionlint, with shellcheck for the scripts where it is installed.
func checkWorkflow(name string, data []byte) error {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "shellcheck"})
	if err != nil {
		return fmt.Errorf("actionlint: %w", err)
	}
	found, err := linter.Lint(name, data, nil)
	for _, f := range found {
		err = errors.Join(err, f)
	}
	return err
}

// checkPod decodes a pod, which may have no member that Kubernetes does not know, and looks at what its types cannot say.
func checkPod(_ string, data []byte) error {
	var pod core.Pod
	if err := yaml.UnmarshalStrict(data, &pod); err != nil {
		return err
	}
	if pod.APIVersion != "v1" || pod.Kind != "Pod" {
		return fmt.Errorf("want a v1 Pod, got %s %s", pod.APIVersion, pod.Kind)
	}
	return errors.Join(append(mounts(pod.Spec), sidecar(pod.Spec)...)...)
}

// mounts finds mounts of volumes that the pod has not, and volumes that nobody mounts.
func mounts(spec core.PodSpec) (errs []error) {
	mounted := map[string]bool{}
	for _, v := range spec.Volumes {
		mounted[v.Name] = false
	}
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		for _, m := range c.VolumeMounts {
			if _, ok := mounted[m.Name]; !ok {
				errs = append(errs, fmt.Errorf("container %s mounts volume %q, which the pod has not", c.Name, m.Name))
			}
			mounted[m.Name] = true
		}
	}
	for name, used := range mounted {
		if !used {
			errs = append(errs, fmt.Errorf("nobody mounts volume %q", name))
		}
	}
	return errs
}

// sidecar looks for the container of mocksrv and how it is started, probed and locked up.
func sidecar(spec core.PodSpec) (errs []error) {
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		lock := c.SecurityContext
		if lock == nil || lock.ReadOnlyRootFilesystem == nil || !*lock.ReadOnlyRootFilesystem || lock.Capabilities == nil || len(lock.Capabilities.Drop) == 0 {
			errs = append(errs, fmt.Errorf("container %s: want a read-only root and no capabilities", c.Name))
		}
	}
	for _, c := range spec.InitContainers {
		if c.Name != "mocksrv" {
			continue
		}
		if c.RestartPolicy == nil || *c.RestartPolicy != core.ContainerRestartPolicyAlways {
			errs = append(errs, errors.New("container mocksrv: want restartPolicy Always, or it is no sidecar"))
		}
		if c.StartupProbe == nil || c.LivenessProbe == nil {
			errs = append(errs, errors.New("container mocksrv: want a startup and a liveness probe"))
		}
		return errs
	}
	return append(errs, errors.New("want an init container mocksrv, got none"))
}
