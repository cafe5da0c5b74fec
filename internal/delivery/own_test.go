package delivery

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheControlAPIOfThisServerIsNotCalled at whatever address and whoever asks.
func TestTheControlAPIOfThisServerIsNotCalled(t *testing.T) {
	t.Parallel()
	mine := ""
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() && prefix.Addr().IsPrivate() {
			mine = netip.AddrPortFrom(prefix.Addr(), 8080).String()
		}
	}
	for name, c := range map[string]struct {
		own     []string
		refused []string
		called  []string
	}{
		"one address": {
			own: []string{"127.0.0.1:8080"}, refused: []string{"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"},
			called: []string{"127.0.0.1:8081", "127.0.0.2:8080", "[::1]:8080", "10.1.2.3:8080"},
		},
		"every IPv4 address": {
			own: []string{"0.0.0.0:8080"}, refused: []string{"127.0.0.1:8080", "127.9.9.9:8080", "[::1]:8080", mine}, called: []string{"127.0.0.1:80"},
		},
		"every address":  {own: []string{"[::]:8080"}, refused: []string{"127.0.0.1:8080", "[::1]:8080", mine}, called: []string{"[::1]:8081"}},
		"several":        {own: []string{"127.0.0.1:1", "[::1]:2"}, refused: []string{"127.0.0.1:1", "[::1]:2"}, called: []string{"127.0.0.1:2"}},
		"no listener":    {called: []string{"127.0.0.1:8080"}},
		"a private one":  {own: []string{"10.1.2.3:8080"}, refused: []string{"10.1.2.3:8080"}, called: []string{"127.0.0.1:8080"}},
		"a link's zones": {own: []string{"[fd00::1%eth0]:8080"}, refused: []string{"[fd00::1]:8080"}},
	} {
		var own []netip.AddrPort
		for _, address := range c.own {
			own = append(own, netip.MustParseAddrPort(address))
		}
		g := guard{own: func() []netip.AddrPort { return own }}
		for _, address := range c.refused {
			if address != "" {
				require.ErrorContains(t, g.control("tcp", address, nil), "--control-listen", "%s: %s", name, address)
			}
		}
		for _, address := range c.called {
			require.NoError(t, g.control("tcp", address, nil), "%s: %s", name, address)
		}
	}
}
