package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mocksrv/mocksrv/internal/delivery"
)

// connect tries the addresses in turn, as a delivery does, and keeps the first connection.
func (e *examination) connect(ctx context.Context) finding {
	each := e.check.Timeout / time.Duration(len(e.callable))
	var failed []string
	var first *delivery.ProbeError
	for _, address := range e.callable {
		conn, err := e.prober.Connect(ctx, address, each)
		if err == nil {
			e.conn, e.reached = conn, address
			return e.connected(failed)
		}
		failed = append(failed, fmt.Sprintf("%s: %s", address, reason(err)))
		if first == nil || err.Class == delivery.ClassRefused { // which says the most
			first = err
		}
	}
	why := strings.Join(failed, "; ")
	if first.Class == delivery.ClassRefused {
		return e.refused(ctx, why)
	}
	return e.unconnected(first, why)
}

// unconnected says why nothing came back from an address.
func (e *examination) unconnected(first *delivery.ProbeError, why string) finding {
	switch {
	case first.Class == delivery.ClassTimeout:
		return wrong(ConnectTimeout, why, append(e.networkAdvice(), "Nobody answers at all: check the address, that its machine runs, and that no firewall or security group drops the packets.",
			"An app that is too busy to accept connections looks the same.")...)
	case errors.Is(first, syscall.EHOSTUNREACH), errors.Is(first, syscall.ENETUNREACH):
		return wrong(Unreachable, why, append(e.networkAdvice(), "There is no way from here to this network: check the address, the VPN, and that both containers are in one network.")...)
	}
	return wrong(ConnectFailed, why, "Check the address and the port.")
}

// networkAdvice is what to do in a container that cannot get to a private address: in most cases the networks are to blame.
func (e *examination) networkAdvice() []string {
	private := func(address netip.AddrPort) bool { return address.Addr().IsPrivate() }
	if !e.options.Container() || !slices.ContainsFunc(e.callable, private) {
		return nil
	}
	return []string{
		"Containers of different Docker networks do not reach each other: give the app and mocksrv a network in common, and use the name of the app's service.",
		"From a network with internal: true there is no way out, not to the host either: take that away, or give mocksrv another network beside it.",
	}
}

// reason is why one address was not connected to.
func reason(err *delivery.ProbeError) string {
	switch {
	case err.Class == delivery.ClassRefused:
		return "refused, nobody listens there"
	case err.Class == delivery.ClassTimeout:
		return "no connection in time"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to the host"
	case errors.Is(err, syscall.ENETUNREACH):
		return "no route to the network"
	}
	return err.Detail
}

func (e *examination) connected(failed []string) finding {
	if len(failed) == 0 {
		return fine("connected to " + e.reached.String())
	}
	return fine(fmt.Sprintf("connected to %s (%s)", e.reached, strings.Join(failed, "; ")),
		"The app does not listen on every address of its name. Deliveries go on to the next one; other programs may not.")
}

// refused says why nobody listens where the app is thought to.
func (e *examination) refused(ctx context.Context, why string) finding {
	name := strings.ToLower(e.target.Hostname())
	loopback := e.callable[0].Addr().IsLoopback()
	if other, ok := e.otherLoopback(ctx); ok {
		return wrong(OtherLoopback, fmt.Sprintf("%s; but %s answers", why, other),
			fmt.Sprintf("The app listens on %s only: register %s://%s, or let the app listen on %s, too.", other.Addr(), e.target.Scheme, other, e.callable[0].Addr()))
	}
	switch {
	case loopback && e.options.Container():
		return wrong(ContainerLocalhost, why+". "+name+" is this container itself (in Kubernetes: this pod), not your host",
			"An app in a container of its own: use the name of its service, http://<service>:<port>, in the same network.",
			`An app on the host: use http://`+dockerHost+`:<port>, with extra_hosts: ["`+dockerHost+`:host-gateway"] at the service of mocksrv, and let the app listen on 0.0.0.0.`,
			"An app in this very container: start it, and check that this is its port.")
	case name == dockerHost || name == podmanHost:
		return wrong(HostRefused, why, "Start the app on the host and check the port.",
			"Let it listen on 0.0.0.0: what listens on 127.0.0.1 of the host does not answer to containers.")
	case serviceName(name):
		return wrong(ServiceRefused, why+". The name resolves, so the container is there",
			"Let the app listen on 0.0.0.0: what listens on 127.0.0.1 inside its container answers there only.",
			"Use the port inside the container, not the published one, and wait until the app has started (depends_on with condition: service_healthy).")
	}
	return wrong(Refused, why, e.refusedAdvice(loopback)...)
}

func (e *examination) refusedAdvice(loopback bool) []string {
	advice := []string{"Start the app, and check that this is its port."}
	if e.target.Port() == "" {
		advice = []string{fmt.Sprintf("The URL names no port, so it is %d: add the port that the app listens on.", e.port)}
	}
	if !loopback {
		advice = append(advice, "Let it listen on 0.0.0.0 or on this address: what listens on 127.0.0.1 of its machine answers there only.")
	}
	return advice
}

// otherLoopback finds an app that listens on the loopback address of the other IP version.
func (e *examination) otherLoopback(ctx context.Context) (netip.AddrPort, bool) {
	var four, six bool
	for _, address := range e.callable {
		if !address.Addr().IsLoopback() {
			return netip.AddrPort{}, false
		}
		four, six = four || address.Addr().Is4(), six || address.Addr().Is6()
	}
	if four && six {
		return netip.AddrPort{}, false
	}
	other := netip.AddrPortFrom(netip.IPv6Loopback(), e.port)
	if six {
		other = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), e.port)
	}
	conn, err := e.prober.Connect(ctx, other, e.check.Timeout)
	if err != nil {
		return netip.AddrPort{}, false
	}
	_ = conn.Close()
	return other, true
}
