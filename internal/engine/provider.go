package engine

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/sims"
)

// Provider is a sim with its compiled document and router: read-only, shared by every engine of the process.
type Provider struct {
	*sims.Sim
	Contract *contract.Contract

	router *mux.Router
}

// wellKnownRules are the ledger entries the engine itself refuses with; every document must explain them.
func wellKnownRules() []string {
	return []string{
		"unknown-path", "wrong-method", "content-type", "malformed-json", "too-large", "schema", "credentials",
		sims.ScriptedRule,
	}
}

// Compile checks that a sim and its document agree, and prepares both for the request path.
func Compile(sim *sims.Sim) (*Provider, error) {
	c, err := contract.Compile(sim.Spec)
	if err != nil {
		return nil, fmt.Errorf("sim %s: %w", sim.Name, err)
	}
	p := &Provider{Sim: sim, Contract: c, router: newRouter(c)}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("sim %s: %w", sim.Name, err)
	}
	return p, nil
}

func (p *Provider) check() error {
	if err := same("handlers and operationIds", keys(p.Ops), p.Contract.OperationIDs()); err != nil {
		return err
	}
	if err := same("auth functions and security schemes", keys(p.Auth), p.Contract.SecuritySchemes()); err != nil {
		return err
	}
	for _, id := range wellKnownRules() {
		if _, ok := p.Contract.Entry(id); !ok {
			return fmt.Errorf("the ledger lacks the entry %q", id)
		}
	}
	if (p.Delivery != nil) != (len(p.Contract.Catalogue) > 0) {
		return fmt.Errorf("deliveries and the catalogue of events go together: one of them is missing")
	}
	return p.checkScripting()
}

// checkScripting checks what scenarios need of a sim.
func (p *Provider) checkScripting() error {
	for _, name := range keys(p.Refusals) {
		if _, general := sims.KindNames()[name]; general {
			return fmt.Errorf("the refusal %q has the name of one that every sim has", name)
		}
	}
	if p.Delivery == nil {
		return nil
	}
	if p.Plant == nil || p.Owner == nil || p.Account == nil {
		return fmt.Errorf("a sim with deliveries needs Plant, Owner and Account")
	}
	if _, ok := p.Ops[p.Plant.Operation]; !ok {
		return fmt.Errorf("webhooks are planted by %q, which is no operation; the operations are %s",
			p.Plant.Operation, strings.Join(keys(p.Ops), ", "))
	}
	return nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func same(what string, code, document []string) error {
	for _, name := range code {
		if !slices.Contains(document, name) {
			return fmt.Errorf("%s differ: %q is missing in the document", what, name)
		}
	}
	for _, name := range document {
		if !slices.Contains(code, name) {
			return fmt.Errorf("%s differ: %q is missing in the code", what, name)
		}
	}
	return nil
}

// newRouter has one route for each operation and path form, with full paths: mux answers 404 for 405 behind
// subrouters. Literal paths come before those with parameters.
func newRouter(c *contract.Contract) *mux.Router {
	type entry struct{ path, method, id string }
	var entries []entry
	for id, op := range c.Operations {
		for _, path := range op.Paths {
			entries = append(entries, entry{path: path, method: op.Method, id: id})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if d := strings.Count(a.path, "{") - strings.Count(b.path, "{"); d != 0 {
			return d
		}
		return strings.Compare(a.path+a.method, b.path+b.method)
	})
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, e := range entries {
		router.Handle(e.path, http.NotFoundHandler()).Methods(e.method).Name(e.id)
	}
	return router
}

// route finds the operation of a request. The failure is of kind UnknownPath or WrongMethod.
func (p *Provider) route(method string, path *url.URL) (*contract.Operation, map[string]string, error) {
	var match mux.RouteMatch
	if p.router.Match(&http.Request{Method: method, URL: path}, &match) && match.MatchErr == nil {
		params := make(map[string]string, len(match.Vars))
		for name, value := range match.Vars {
			params[name] = unescape(value)
		}
		return p.Contract.Operations[match.Route.GetName()], params, nil
	}
	allow := p.methodsAt(path)
	if len(allow) == 0 {
		return nil, nil, sims.Failure{
			Kind: sims.UnknownPath, Rule: "unknown-path", Saw: method + " " + path.EscapedPath(),
			Want: "one of " + strings.Join(p.paths(), ", "),
		}
	}
	return nil, nil, sims.Failure{
		Kind: sims.WrongMethod, Rule: "wrong-method", Saw: method, Want: strings.Join(allow, ", "), Allow: allow,
	}
}

func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

// methodsAt is asked only on the way to a 404 or 405.
func (p *Provider) methodsAt(path *url.URL) []string {
	var allow []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		var match mux.RouteMatch
		if p.router.Match(&http.Request{Method: method, URL: path}, &match) && match.MatchErr == nil {
			allow = append(allow, method)
		}
	}
	return allow
}

func (p *Provider) paths() []string {
	seen := map[string]struct{}{}
	for _, op := range p.Contract.Operations {
		seen[op.Path] = struct{}{}
	}
	return slices.Sorted(maps.Keys(seen))
}
