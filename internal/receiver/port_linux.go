package receiver

import (
	"net/netip"
	"os"
	"syscall"
)

// hold binds a socket to an address without listening on it: connections are refused, the system gives the port to
// nobody else, and yet we can listen on it, because both sockets allow SO_REUSEADDR (net.Listen always does).
func hold(address netip.AddrPort) (netip.AddrPort, func() error, error) {
	family := syscall.AF_INET
	if address.Addr().Is6() {
		family = syscall.AF_INET6
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.AddrPort{}, nil, os.NewSyscallError("socket", err)
	}
	held, err := bind(socket, address)
	if err != nil {
		_ = syscall.Close(socket)
		return netip.AddrPort{}, nil, err
	}
	return held, func() error { return os.NewSyscallError("close", syscall.Close(socket)) }, nil
}

// bind returns the address with the port that the system chose.
func bind(socket int, address netip.AddrPort) (netip.AddrPort, error) {
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return netip.AddrPort{}, os.NewSyscallError("setsockopt", err)
	}
	if address.Addr().Is6() {
		if err := syscall.SetsockoptInt(socket, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			return netip.AddrPort{}, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := syscall.Bind(socket, sockaddr(address)); err != nil {
		return netip.AddrPort{}, os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	return netip.AddrPortFrom(address.Addr(), portOf(bound)), nil
}

func sockaddr(address netip.AddrPort) syscall.Sockaddr {
	if address.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
}

func portOf(bound syscall.Sockaddr) uint16 {
	switch bound := bound.(type) {
	case *syscall.SockaddrInet4:
		return uint16(bound.Port)
	case *syscall.SockaddrInet6:
		return uint16(bound.Port)
	default:
		return 0
	}
}
