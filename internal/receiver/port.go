package receiver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// port is an address that stays the receiver's own whether something listens on it or not.
type port struct {
	address netip.AddrPort
	release func() error
}

// holdPort takes an address; port 0 takes a free port.
func holdPort(address netip.AddrPort) (*port, error) {
	address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	held, release, err := hold(address)
	if err != nil {
		return nil, fmt.Errorf("receiver: take %s: %w", address, err)
	}
	return &port{address: held, release: release}, nil
}

// listen opens the port to clients.
func (p *port) listen() (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), network(p.address), p.address.String())
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	return listener, nil
}

// dial is the address under which a client on this machine reaches the port.
func (p *port) dial() netip.AddrPort {
	host := p.address.Addr()
	switch {
	case !host.IsUnspecified():
		return p.address
	case host.Is4():
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		host = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(host, p.address.Port())
}

func network(address netip.AddrPort) string {
	if address.Addr().Is4() {
		return "tcp4"
	}
	return "tcp6"
}
