package control_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/all"
)

// TestFourWaysLeadToASandbox proves each of them for every provider: by path, by header, by the provider's real host
// name, and by a credential alone.
func TestFourWaysLeadToASandbox(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	made, err := srv.Control().CreateSandbox(t.Context(), client.NewSandbox{Name: "mine"})
	require.NoError(t, err)
	for _, sim := range all.Sims() {
		t.Run(sim.Name, func(t *testing.T) {
			t.Parallel()
			p := provider(t, sim.Name)
			credentials := made.Sims[sim.Name].Credentials
			ways := map[string]struct{ base, header, host string }{
				"path":                  {base: srv.URL() + "/sandboxes/mine/" + sim.Name},
				"header":                {base: srv.URL() + "/" + sim.Name, header: "mine"},
				"host":                  {base: srv.URL(), host: sim.Hosts[0]},
				"credential":            {base: srv.URL() + "/" + sim.Name},
				"path beats header":     {base: srv.URL() + "/sandboxes/mine/" + sim.Name, header: "default"},
				"host and path":         {base: srv.URL() + "/sandboxes/mine", host: sim.Hosts[0]},
				"host in capitals, dot": {base: srv.URL(), host: dotted(sim.Hosts[0])},
			}
			for name, way := range ways {
				before := len(exchanges(t, srv, "default", sim.Name))
				at := len(exchanges(t, srv, "mine", sim.Name))
				status := try(t, srv, p, way.base, way.host, way.header, credentials)
				require.Less(t, status, 500, name)
				require.NotContains(t, []int{401, 403}, status, name)
				require.Len(t, exchanges(t, srv, "mine", sim.Name), at+1, name)
				require.Len(t, exchanges(t, srv, "default", sim.Name), before, name)
			}
			requireStrangers(t, srv, p, credentials)
		})
	}
}

// requireStrangers: a sandbox that is named does not know the credentials of another, and one that does not exist is
// nobody's.
func requireStrangers(t *testing.T, srv *mocksrv.Server, p *engine.Provider, credentials map[string]string) {
	t.Helper()
	at := len(exchanges(t, srv, "default", p.Name))
	require.Contains(t, []int{400, 401, 403}, try(t, srv, p, srv.URL()+"/"+p.Name, "", "default", credentials))
	journal := exchanges(t, srv, "default", p.Name)
	require.Len(t, journal, at+1)
	require.NotNil(t, journal[at].Refusal)
	require.NotEqual(t, "schema", journal[at].Refusal.Rule)
	require.Equal(t, http.StatusNotFound, try(t, srv, p, srv.URL()+"/"+p.Name, "", "no-such", credentials))
	require.Equal(t, http.StatusNotFound, try(t, srv, p, srv.URL()+"/sandboxes/no-such/"+p.Name, "", "", credentials))
	require.NotContains(t, []int{401, 403, 404, 500}, try(t, srv, p, srv.URL()+"/"+p.Name, "", "", srv.Credentials(p.Name)))
}

func dotted(host string) string {
	name, port, found := strings.Cut(strings.ToUpper(host), ":")
	if found {
		return name + ".:" + port
	}
	return name + "."
}

func exchanges(t *testing.T, srv *mocksrv.Server, sandbox, sim string) []client.Exchange {
	t.Helper()
	journal, err := srv.Control().In(sandbox).Journal(t.Context(), client.JournalFilter{Sim: sim})
	require.NoError(t, err)
	return journal.Exchanges
}

// try sends the first request that a client of a provider can send, and returns the status of the answer.
func try(t *testing.T, srv *mocksrv.Server, p *engine.Provider, base, host, sandbox string, credentials map[string]string) int {
	t.Helper()
	op := firstOperation(t, p)
	req := authorized(t, p, op.Method, base+op.Path, exampleOf(t, p, op, credentials), credentials)
	for _, param := range op.Params {
		if param.In == "header" && param.Required && len(param.Schema.Enum) > 0 {
			req.Header.Set(param.Name, param.Schema.Enum[0].(string)) //nolint:forcetypeassert,errcheck // it goes into a header
		}
	}
	if sandbox != "" {
		req.Header.Set(engine.SandboxHeader, sandbox)
	}
	req.Host = host
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	return received(t, resp).status
}

// firstOperation is one that is authenticated and needs nothing that exists already.
func firstOperation(t *testing.T, p *engine.Provider) *contract.Operation {
	t.Helper()
	for _, prefix := range []string{"list", "get", "create", ""} {
		for _, id := range p.Contract.OperationIDs() {
			op := p.Contract.Operations[id]
			if len(op.Security) > 0 && !strings.Contains(op.Path, "{") && strings.HasPrefix(id, prefix) {
				return op
			}
		}
	}
	require.FailNow(t, "no operation of "+p.Name+" can come first")
	return nil
}

// exampleOf is the first example of an operation's JSON body, with the sandbox's credentials in it.
func exampleOf(t *testing.T, p *engine.Provider, op *contract.Operation, credentials map[string]string) string {
	t.Helper()
	if op.Spec.RequestBody == nil {
		return ""
	}
	examples := op.Spec.RequestBody.Value.Content["application/json"].Examples
	var names []string
	for name := range examples {
		names = append(names, name)
	}
	body, err := strictjson.Encode(examples[slices.Min(names)].Value.Value)
	require.NoError(t, err)
	text := string(body)
	for literal, credential := range p.Placeholders {
		text = strings.ReplaceAll(text, literal, credentials[credential])
	}
	return text
}
