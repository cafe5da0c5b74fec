package control

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/client"
)

// parameters are the query parameters of the routes that have some. Any other is refused: a filter with a typing error
// would otherwise select everything.
func parameters() map[string][]string {
	const sandbox = Prefix + "v1/sandboxes/{sandbox}"
	return map[string][]string{
		"GET " + Prefix + "v1/sandboxes":             paging(),
		"GET " + sandbox + "/webhooks":               paging("sim"),
		"POST " + sandbox + "/webhooks/{id}/unblock": {"sim"},
		"DELETE " + sandbox + "/rules":               {"name"},
		"GET " + sandbox + "/deliveries":             recent("sim", "state", "webhook", "event", "type", "wait", "count"),
		"GET " + sandbox + "/journal":                recent("sim", "operation", "direction", "rule", "status", "since"),
		"GET " + sandbox + "/receivers":              paging(),
		"GET " + sandbox + "/receivers/{receiver}":   recent("wait", "count"),
	}
}

// checked refuses query parameters that a route does not have.
func checked(known []string, next route) route {
	return func(c *call) (int, any, error) {
		q, err := url.ParseQuery(c.URL.RawQuery)
		if err != nil {
			return 0, nil, invalid("query", err.Error())
		}
		for _, name := range sortedNames(q) {
			switch {
			case !slices.Contains(known, name):
				return 0, nil, invalidFields([]client.ProblemField{unknown(name, name, "query parameter", known)})
			case len(q[name]) > 1:
				return 0, nil, invalid(name, "is given more than once")
			}
		}
		return next(c)
	}
}

// routed answers what no route takes with a problem: 405 when the path has other methods, else 404. The mux itself would
// answer in plain text, and redirect paths such as //v1/../v1.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		if path.Clean(escaped) != escaped {
			notFound(w, r)
			return
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		if allow := methodsAt(mux, r); len(allow) > 0 {
			wrongMethod(w, r, allow)
			return
		}
		notFound(w, r)
	})
}

// methodsAt returns the methods that a path has.
func methodsAt(mux *http.ServeMux, r *http.Request) []string {
	var allow []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "" {
			allow = append(allow, method)
		}
	}
	return allow
}

func wrongMethod(w http.ResponseWriter, r *http.Request, allow []string) {
	methods := strings.Join(allow, ", ")
	w.Header().Set("Allow", methods)
	writeProblem(w, client.Problem{
		Title: "no such method", Status: http.StatusMethodNotAllowed,
		Detail: r.Method + " is no method of " + shorten(r.URL.Path) + "; it has " + methods,
	})
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
