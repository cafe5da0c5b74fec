package mocksrv

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// controlAddresses are where the control API listens: where the providers do, or at an address of its own.
func (s *Server) controlAddresses() *[]netip.AddrPort {
	ends := s.providerEnds
	if s.controlEnd != nil {
		ends = []*endpoint{s.controlEnd}
	}
	var own []netip.AddrPort
	for _, e := range ends {
		if tcp, ok := e.listener.Addr().(*net.TCPAddr); ok {
			own = append(own, tcp.AddrPort())
		}
	}
	return &own
}

// listenAdvice says what to do when an address cannot be had.
func listenAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another program listens there, perhaps another mocksrv: end it, or choose another address (port 0 picks a free one)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; this machine has no such address: 127.0.0.1 is always there, 0.0.0.0 is all of them"
	case errors.Is(err, syscall.EACCES):
		return "; the system does not allow it: choose a port from 1024 on"
	}
	return ""
}

// ownAddresses are the addresses to which nothing is delivered: whoever sets a webhook at a provider could drive the control
// API with it. There are none before Start.
func (s *Server) ownAddresses() []netip.AddrPort {
	if own := s.own.Load(); own != nil {
		return *own
	}
	return nil
}
