package control_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

func start() time.Time { return time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC) }

func frozen(o *mocksrv.Options) { o.FrozenAt = start() }

const sandboxPath = "/_mocksrv/v1/sandboxes/{sandbox}"

// api calls the control API of a server and holds every request and answer against the document.
type api struct {
	*testing.T
	doc  *openapi3.T
	ops  map[string]*openapi3.Operation
	srv  *mocksrv.Server
	seen *coverage
}

// coverage is which statuses each route has answered with.
type coverage struct {
	mu   sync.Mutex
	seen map[string]map[int]bool
}

func (c *coverage) add(pattern string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[pattern] == nil {
		c.seen[pattern] = map[int]bool{}
	}
	c.seen[pattern][status] = true
}

func newAPI(t *testing.T, options ...func(*mocksrv.Options)) *api {
	t.Helper()
	doc := document(t)
	return &api{
		T: t, doc: doc, ops: operations(doc), srv: mocksrv.RunT(t, options...), seen: &coverage{seen: map[string]map[int]bool{}},
	}
}

// with is the same server for a subtest.
func (a *api) with(t *testing.T) *api {
	clone := *a
	clone.T = t
	return &clone
}

// request is a call of the control API.
type request struct {
	params  map[string]string // default for {sandbox}: default
	query   string
	body    string
	stream  io.Reader // instead of body
	header  map[string]string
	host    string
	wrong   bool            // the request breaks the document on purpose
	context context.Context //nolint:containedctx // of the one call that it describes
}

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// in names a sandbox and, in pairs, other path parameters.
func in(sandbox string, pairs ...string) map[string]string {
	params := map[string]string{"sandbox": sandbox}
	for i := 0; i < len(pairs); i += 2 {
		params[pairs[i]] = pairs[i+1]
	}
	return params
}

// call makes a call of a route such as "GET /_mocksrv/v1/sims".
func (a *api) call(pattern string, r request) answer {
	a.Helper()
	if r.params == nil {
		r.params = in("default")
	}
	req := a.build(pattern, r)
	input := a.input(pattern, r, req)
	if !r.wrong {
		require.NoError(a, openapi3filter.ValidateRequest(req.Context(), input), "the request does not fit the document")
		req.Body = io.NopCloser(strings.NewReader(r.body))
	}
	resp, err := a.srv.Client().Do(req)
	require.NoError(a, err)
	got := received(a.T, resp)
	a.seen.add(pattern, got.status)
	a.check(pattern, input, got)
	return got
}

func received(t *testing.T, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return answer{t: t, status: resp.StatusCode, header: resp.Header, body: body}
}

func (a *api) build(pattern string, r request) *http.Request {
	a.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	for name, value := range r.params {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if r.query != "" {
		path += "?" + r.query
	}
	body := r.stream
	if body == nil {
		body = strings.NewReader(r.body)
	}
	ctx := r.context
	if ctx == nil {
		ctx = a.Context()
	}
	req, err := http.NewRequestWithContext(ctx, method, a.srv.URL()+path, body)
	require.NoError(a, err)
	if r.body != "" || r.stream != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Host = r.host
	return req
}

func (a *api) input(pattern string, r request, req *http.Request) *openapi3filter.RequestValidationInput {
	a.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	op := a.ops[pattern]
	require.NotNil(a, op, "the document has no operation %s", pattern)
	params := map[string]string{}
	for name, value := range r.params {
		if strings.Contains(path, "{"+name+"}") {
			params[name] = value
		}
	}
	return &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params,
		Route: &routers.Route{Spec: a.doc, Path: path, PathItem: a.doc.Paths.Value(path), Method: method, Operation: op},
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			SkipSettingDefaults: true, // it would write them into the request
		},
	}
}

// check holds an answer against the document: its status is documented, its type and body fit, and the title of a
// problem is one of the examples.
func (a *api) check(pattern string, input *openapi3filter.RequestValidationInput, got answer) {
	a.Helper()
	ref := a.ops[pattern].Responses.Status(got.status)
	require.NotNil(a, ref, "%s answers the undocumented status %d: %s", pattern, got.status, got.body)
	require.NoError(a, openapi3filter.ValidateResponse(a.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader(got.body)), Options: input.Options,
	}), "%s %d: %s", pattern, got.status, got.body)
	if got.status >= 400 {
		a.checkProblem(ref.Value, got)
	}
}

func (a *api) checkProblem(documented *openapi3.Response, got answer) {
	a.Helper()
	p := got.problem()
	var titles []string
	for _, example := range documented.Content["application/problem+json"].Examples {
		value, ok := example.Value.Value.(map[string]any)
		require.True(a, ok)
		titles = append(titles, value["title"].(string)) //nolint:forcetypeassert,errcheck // the example was validated
	}
	require.Contains(a, titles, p.Title)
}

func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	return a
}

// problem checks the form that every error has.
func (a answer) problem() client.Problem {
	a.t.Helper()
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"), "%s", a.body)
	var p client.Problem
	require.NoError(a.t, strictjson.UnmarshalKnown(a.body, &p))
	require.Equal(a.t, a.status, p.Status)
	require.Equal(a.t, "about:blank", p.Type)
	require.NotEmpty(a.t, p.Title)
	require.NotEmpty(a.t, p.Detail)
	return p
}

func decode[T any](a answer) T {
	a.t.Helper()
	var v T
	require.NoError(a.t, strictjson.UnmarshalKnown(a.body, &v), "%s", a.body)
	return v
}

// subscribe stores a signedsub subscription to INVOICE events and returns its id.
func subscribe(t *testing.T, srv *mocksrv.Server, sandbox client.SandboxSim, to string) string {
	t.Helper()
	const id = "123e4567-e89b-12d3-a456-426614174000"
	subscribeAs(t, srv, sandbox, id, to)
	return id
}

func subscribeAs(t *testing.T, srv *mocksrv.Server, sandbox client.SandboxSim, id, to string) {
	t.Helper()
	provider := provider(t, "signedsub")
	body := `{"account":"` + sandbox.Credentials["account"] + `","timestamp":0,"payload":{"requestId":"` + id +
		`","notificationServiceTypes":["INVOICE"],"url":"` + to + `"}}`
	req := authorized(t, provider, http.MethodPost, sandbox.BaseURL+"/api/v1/subscription/webhook/create", body, sandbox.Credentials)
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	received(t, resp).is(http.StatusOK)
}

// customer is a receiver of webhooks that always answers with a status.
func customer(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	return server.URL
}

func (a *api) sandbox(name string) client.Sandbox {
	a.Helper()
	return decode[client.Sandbox](a.call("GET "+sandboxPath, request{params: in(name)}).is(http.StatusOK))
}

func documentedStatuses(op *openapi3.Operation) []string {
	var all []string
	for status := range op.Responses.Map() {
		all = append(all, status)
	}
	slices.Sort(all)
	return all
}

// staged is the control API of an engine, with a stage of its own.
func staged(e *engine.Engine, d *delivery.Dispatcher, o control.Options) *control.API {
	st := stage.New(e, d, stage.NewReceivers(o.CA), slog.New(slog.DiscardHandler))
	return control.New(e, d, st, o)
}
