package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/internal/delivery"
)

// The names under which a container reaches its host.
const (
	dockerHost = "host.docker.internal"
	podmanHost = "host.containers.internal"
)

// readURL takes the URL apart.
func (e *examination) readURL(context.Context) finding {
	u, err := url.Parse(e.check.URL)
	switch {
	case err != nil:
		return wrong(InvalidURL, "it does not parse: "+parseError(err), "Write it as http://host:port/path.")
	case u.Scheme == "" || u.Host == "" && u.Opaque == "":
		return wrong(InvalidURL, "it has no scheme or no host", "Write it whole, as http://host:port/path.")
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong(UnsupportedScheme, fmt.Sprintf("the scheme is %q; deliveries are made by http and https", u.Scheme), "Begin it with http:// or https://; host:port without a scheme is no URL.")
	case u.Hostname() == "":
		return wrong(InvalidURL, "it has no host", "Write it whole, as http://host:port/path.")
	}
	if e.port, err = portOf(u); err != nil {
		return wrong(InvalidURL, err.Error(), "Use the port that the app listens on, from 1 to 65535.")
	}
	e.target = u
	if u.User != nil {
		return fine(fmt.Sprintf("%s to %s, port %d", u.Scheme, u.Hostname(), e.port),
			"User and password in the URL are not sent by deliveries: what the app wants to see must be in the path, the query or a header that the provider sends.")
	}
	return fine(fmt.Sprintf("%s to %s, port %d", u.Scheme, u.Hostname(), e.port))
}

// parseError is what is wrong with a URL, without the URL, which may hold a password.
func parseError(err error) string {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		return parse.Err.Error()
	}
	return err.Error()
}

func portOf(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		return map[string]uint16{"http": 80, "https": 443}[u.Scheme], nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("the port %q is none", u.Port())
	}
	return uint16(port), nil
}

// resolve looks the host up.
func (e *examination) resolve(ctx context.Context) finding {
	host := e.target.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		e.found = []netip.Addr{ip}
		return skipped("the host is an address")
	}
	ctx, cancel := context.WithTimeout(ctx, e.check.Timeout)
	defer cancel()
	found, err := e.options.Lookup(ctx, host)
	if err != nil {
		return e.unresolved(host, err)
	}
	var words []string
	for _, ip := range found {
		e.found = append(e.found, ip.Unmap())
		words = append(words, ip.Unmap().String())
	}
	return fine(host + " is " + strings.Join(words, ", "))
}

// unresolved says why a name has no address, by what kind of name it is.
func (e *examination) unresolved(host string, err error) finding {
	missing, ok := errors.AsType[*net.DNSError](err)
	if !ok || !missing.IsNotFound {
		return wrong(DNSFailed, fmt.Sprintf("the name %s was not looked up: %s", host, dnsError(err)),
			"Check the name servers of this machine (/etc/resolv.conf), or use an address.")
	}
	why := "the name " + host + " does not resolve"
	switch name := strings.ToLower(strings.TrimSuffix(host, ".")); {
	case (name == dockerHost || name == podmanHost) && e.options.Container():
		return wrong(DockerHostName, why+" in this container",
			`Add extra_hosts: ["`+dockerHost+`:host-gateway"] to the service of mocksrv in compose.yaml (docker run --add-host `+dockerHost+`:host-gateway).`)
	case name == dockerHost || name == podmanHost:
		return wrong(DockerHostName, why+": it is the name of the host in a container, and this is none", "Use localhost.")
	case serviceName(name) && e.options.Container():
		return wrong(ServiceName, why+" in this container",
			"Check the spelling: in compose it is the key below services, and in Kubernetes <service>.<namespace>.svc.",
			"Put both services into the same network, and see that the app's container runs (docker compose ps): the name of one that has ended does not resolve.")
	case serviceName(name):
		return wrong(ServiceName, why+" here: names of services resolve only among the containers of their network, and this is none of them",
			"Publish the app's port (ports: in compose.yaml) and use http://localhost:<port>, or run mocksrv as a service beside it.")
	}
	return wrong(DNSNotFound, why, "Check the spelling. A name of your own goes into /etc/hosts, or use an address.")
}

func dnsError(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return "no name server answered in time"
		}
		return dns.Err
	}
	return err.Error()
}

// serviceName knows names that only an orchestrator defines.
func serviceName(name string) bool {
	return name != "localhost" && (!strings.Contains(name, ".") || strings.HasSuffix(name, ".svc") || strings.HasSuffix(name, ".svc.cluster.local"))
}

// checkAddresses keeps the addresses that a delivery may call.
func (e *examination) checkAddresses(context.Context) finding {
	var words []string
	var first finding
	for _, ip := range e.found {
		address := netip.AddrPortFrom(ip, e.port)
		ban, why := e.prober.Banned(address)
		if ban == "" {
			e.callable = append(e.callable, address)
			words = append(words, ip.String()+" is "+kindOf(ip))
			continue
		}
		words = append(words, strings.TrimPrefix(why, "the address "))
		if first.cause == noCause {
			first = banned(ban, why)
		}
	}
	if len(e.callable) == 0 {
		return first
	}
	if first.cause != noCause {
		return fine(strings.Join(words, "; "), "Deliveries pass over the addresses that they may not call.")
	}
	return fine(strings.Join(words, "; "))
}

func kindOf(ip netip.Addr) string {
	switch {
	case ip.IsLoopback():
		return "loopback"
	case ip.IsPrivate():
		return "private"
	}
	return "public, and allowed"
}

// banned says what to do about an address that is not called.
func banned(ban delivery.Ban, why string) finding {
	switch ban {
	case delivery.BanMetadata:
		return wrong(MetadataAddress, why, "This is where a cloud hands out credentials; no setting allows it. Use the address of your app.")
	case delivery.BanLinkLocal:
		return wrong(LinkLocalAddress, why, "No setting allows it. Use a loopback or private address of the app's machine, or its name.")
	case delivery.BanUnspecified:
		return wrong(UnspecifiedAddress, why, "An app may listen there, but nobody can call it there: use 127.0.0.1 on the same machine, or the machine's address.")
	case delivery.BanPublic:
		return wrong(PublicAddress, why, "Use an address on this machine or in a private network: a test should not post to somebody's production.",
			"If it is yours, start mocksrv serve with --allow-public-delivery (mocksrv doctor has the same flag).")
	}
	return wrong(MocksrvItself, why, itselfAdvice)
}
