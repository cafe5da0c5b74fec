package doctor

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
)

func TestTracesOfContainers(t *testing.T) {
	t.Parallel()
	const hostsOfPod = "512 500 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw\n"
	const disksOfHost = "29 1 8:1 / / rw - ext4 /dev/sda1 rw\n60 29 0:50 / /var/lib/docker/containers/1/mounts/shm rw - tmpfs shm rw\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"Docker":               {map[string]string{".dockerenv": ""}, true},
		"Podman":               {map[string]string{"run/.containerenv": ""}, true},
		"cgroup v1":            {map[string]string{"proc/1/cgroup": "12:pids:/docker/0123abc\n"}, true},
		"Kubernetes, cgroup 1": {map[string]string{"proc/1/cgroup": "1:name=systemd:/kubepods/besteffort/pod1/2\n"}, true},
		"Kubernetes, cgroup 2": {map[string]string{"proc/1/cgroup": "0::/\n", "proc/self/mountinfo": hostsOfPod}, true},
		"a host":               {map[string]string{"proc/1/cgroup": "0::/init.scope\n"}, false},
		"a host with Docker":   {map[string]string{"proc/1/cgroup": "0::/init.scope\n", "proc/self/mountinfo": disksOfHost}, false},
		"a system without":     {map[string]string{}, false},
	} {
		root := fstest.MapFS{}
		for path, text := range c.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		require.Equal(t, c.want, inContainer(root), name)
	}
}

// TestNetworksThatAreNotThere: what the kernel says, since loopback always is.
func TestNetworksThatAreNotThere(t *testing.T) {
	t.Parallel()
	for number, want := range map[syscall.Errno]Cause{
		syscall.EHOSTUNREACH: Unreachable, syscall.ENETUNREACH: Unreachable, syscall.EADDRNOTAVAIL: ConnectFailed,
	} {
		err := &delivery.ProbeError{
			AttemptError: delivery.AttemptError{Class: delivery.ClassProtocol, Detail: "x"},
			Cause:        fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Err: number}),
		}
		f := unconnected(err, reason(err))
		require.Equal(t, want, f.cause)
		require.NotEmpty(t, f.advice)
		require.NotEmpty(t, f.detail)
	}
}
