package doctor

import (
	"fmt"
	"net"
	"net/netip"
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
		f := examining(false, "10.0.0.1:80").unconnected(err, reason(err))
		require.Equal(t, want, f.cause)
		require.NotEmpty(t, f.advice)
		require.NotEmpty(t, f.detail)
	}
}

// examining is an examination that has found out about an address, in a container or not.
func examining(container bool, address string) *examination {
	d := New(nil, Options{Container: func() bool { return container }})
	return &examination{Doctor: d, callable: []netip.AddrPort{netip.MustParseAddrPort(address)}}
}

func TestAContainerThatGetsNowhereIsToldOfNetworks(t *testing.T) {
	t.Parallel()
	timeout := &delivery.ProbeError{AttemptError: delivery.AttemptError{Class: delivery.ClassTimeout}}
	nowhere := &delivery.ProbeError{Cause: &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}}
	for err, cause := range map[*delivery.ProbeError]Cause{timeout: ConnectTimeout, nowhere: Unreachable} {
		f := examining(true, "172.20.0.3:80").unconnected(err, "")
		require.Equal(t, cause, f.cause)
		require.Contains(t, f.advice[0], "Containers of different Docker networks do not reach each other")
		require.Contains(t, f.advice[1], "internal: true")
		require.Greater(t, len(f.advice), 2, "the other causes are still there")
		for _, e := range []*examination{examining(false, "172.20.0.3:80"), examining(true, "192.0.2.1:80"), examining(true, "127.0.0.1:80")} {
			require.Equal(t, f.advice[2:], e.unconnected(err, "").advice, "not in a container, or not a private address")
		}
	}
}
