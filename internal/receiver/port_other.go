//go:build !linux

package receiver

import (
	"context"
	"net"
	"net/netip"
)

// hold chooses a port. Elsewhere than on Linux a port cannot be kept without listening on it: while a receiver is down
// somebody else may take it, and the script that brings the receiver back is then refused.
func hold(address netip.AddrPort) (netip.AddrPort, func() error, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), network(address), address.String())
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	held := address
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		held = netip.AddrPortFrom(address.Addr(), tcp.AddrPort().Port())
	}
	return held, func() error { return nil }, listener.Close()
}
