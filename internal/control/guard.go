package control

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/client"
)

// guard keeps strangers out: pages of other origins, names that were rebound to this machine, callers without the token.
func guard(next http.Handler, o Options) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !allowedHost(r.Host, o.AllowHosts):
			writeProblem(w, client.Problem{
				Title: "host not allowed", Status: http.StatusForbidden,
				Detail: fmt.Sprintf("the control API does not answer to the Host %q; use an address, localhost or a name without dots, or start with --allow-host", r.Host),
			})
		case origins.Check(r) != nil:
			writeProblem(w, client.Problem{
				Title: "cross-origin request", Status: http.StatusForbidden, Detail: "pages of another origin may not change anything here",
			})
		case o.Token != "" && !public(r) && !bearer(r, o.Token):
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, client.Problem{
				Title: "control token required", Status: http.StatusUnauthorized,
				Detail: "send Authorization: Bearer with the token that the server was started with (--control-token)",
			})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// public calls need no token: whether the server is ready, and which CA to trust.
func public(r *http.Request) bool {
	return r.URL.Path == Prefix+"health" || r.URL.Path == Prefix+"ca.pem" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

func bearer(r *http.Request, token string) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1
}

// allowedHost accepts addresses, localhost, names without a dot (a container's), and the names it is told of. A public
// name that somebody made to resolve to this machine is none of these.
func allowedHost(host string, allowed []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Zone() == "" // which may be any text
	}
	if slices.ContainsFunc(allowed, func(known string) bool { return strings.EqualFold(known, name) }) {
		return true
	}
	return plainName(name) && (!strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost"))
}

// plainName keeps out what net/http lets pass in a Host and a shell would not: base URLs and curl lines are made of it.
func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}
