package delivery

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWhichAddressesAreCalled asks the dialer's last check: after DNS, at the moment of connecting.
func TestWhichAddressesAreCalled(t *testing.T) {
	t.Parallel()
	const private, public, never = "private", "public", "never"
	for address, kind := range map[string]string{
		"127.0.0.1:80": private, "127.255.255.254:80": private, "[::1]:80": private, "10.0.0.1:80": private, "172.16.0.1:80": private,
		"172.31.255.255:443": private, "192.168.1.1:80": private, "[fd12::1]:80": private, "[::ffff:10.0.0.1]:80": private,
		"8.8.8.8:80": public, "172.32.0.1:80": public, "100.64.0.1:80": public, "[2001:4860:4860::8888]:80": public,
		"[::ffff:8.8.8.8]:80": public, "192.0.2.1:80": public,
		"169.254.169.254:80": never, "169.254.0.1:80": never, "[fe80::1]:80": never, "[fe80::1%eth0]:80": never, "[::ffff:169.254.169.254]:80": never,
		"[fd00:ec2::254]:80": never, "[fd20:ce::254]:80": never, "100.100.100.200:80": never, "192.0.0.192:80": never, "168.63.129.16:80": never,
		"[fd00:c1::a9fe:a9fe]:80": never, "[fd00:42::42]:80": never, "[fd00:a9fe:a9fe::1]:80": never, "[fd00:100::100:200]:80": never,
		"[fd00:ec2::254%1]:80": never, "[fd20:ce::254%eth0]:80": never, "[64:ff9b::a9fe:a9fe%1]:80": never, "[::%1]:80": never, "[fd12::1%1]:80": private,
		"224.0.0.1:80": never, "239.1.2.3:80": never, "[ff02::1]:80": never, "[ff01::1]:80": never, "[ff0e::1]:80": never,
		"0.0.0.0:80": never, "[::]:80": never,
	} {
		closed := guard{}.control("tcp", address, nil)
		require.Equal(t, kind == private, closed == nil, "%s: %v", address, closed)
		open := guard{allowPublic: true}.control("tcp", address, nil)
		require.Equal(t, kind != never, open == nil, "%s: %v", address, open)
		if kind == public {
			require.ErrorContains(t, closed, "--allow-public-delivery")
		}
		if kind == never {
			require.ErrorContains(t, open, "never called")
		}
	}
	require.Error(t, guard{allowPublic: true}.control("tcp", "name:80", nil), "what is no address is not called")
}

// TestTheCheckIsMadeWhenConnecting: what a name resolves to is checked, not the name.
func TestTheCheckIsMadeWhenConnecting(t *testing.T) {
	t.Parallel()
	s := newSender(Options{})
	t.Cleanup(s.stop)
	for _, url := range []string{
		"http://169.254.169.254/latest/meta-data", "https://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://8.8.8.8/", "https://8.8.8.8/",
		"http://224.0.0.1/", "http://0.0.0.0:1/",
	} {
		a := s.send(t.Context(), Request{Method: http.MethodPost, URL: url, Header: http.Header{}}, time.Minute)
		require.NotNil(t, a.err, url)
		require.Equal(t, ClassForbidden, a.err.Class, "%s: %s", url, a.err.Detail)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	a := s.send(t.Context(), Request{Method: http.MethodPost, URL: "http://localhost:" + port, Header: http.Header{}}, time.Minute)
	require.Equal(t, ClassRefused, a.err.Class, "a name that resolves to loopback is called")
}
