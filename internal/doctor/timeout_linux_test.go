package doctor_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/doctor"
)

// TestAConnectionThatIsNotAccepted: the kernel drops what a full queue has no room for, as a firewall does.
func TestAConnectionThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	report := practice{timeout: 100 * time.Millisecond}.examine(t, "http://"+fullQueue(t))
	requireCause(t, report, "connect", doctor.ConnectTimeout, "no connection in time", "firewall")
}

// fullQueue is a port that accepts nothing and whose queue has no place left.
func fullQueue(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	four, ok := bound.(*syscall.SockaddrInet4)
	require.True(t, ok)
	address := fmt.Sprintf("127.0.0.1:%d", four.Port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue has room for ever")
	return ""
}
