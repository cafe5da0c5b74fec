// Package simtest is the conformance suite that every provider passes with one line, and the small world in which a
// provider's own tests are written.
//
//	func TestConformance(t *testing.T) { simtest.Run(t, bts.New()) }
//
// Every reply that passes through a World is held against the provider's document: an undocumented status, a wrong
// content type or a body that does not fit its schema fails the test that caused it.
package simtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// Start is the instant at which the frozen clock of a World stands.
func Start() time.Time { return time.Date(2026, 1, 8, 10, 30, 0, 250_000_000, time.UTC) }

// World is one provider in one sandbox on a frozen clock, whose edge clock is the world clock, without a listener.
type World struct {
	T           testing.TB
	Provider    *engine.Provider
	Engine      *engine.Engine
	Sandbox     *engine.Sandbox
	Credentials sims.Credentials
	Dispatcher  *delivery.Dispatcher
	CA          *authority.CA // whose client certificates are good
}

// New returns a world for a provider.
func New(t testing.TB, sim *sims.Sim) *World {
	t.Helper()
	p := compiled(t, sim)
	ca, err := authority.New()
	require.NoError(t, err)
	e, err := engine.New(engine.Options{
		Providers: []*engine.Provider{p}, ClientRoots: ca.Pool(),
		Default: engine.SandboxConfig{Seed: 1, Clock: clock.Setting{Mode: clock.Frozen, Now: Start(), Edge: clock.WorldEdge}},
	})
	require.NoError(t, err)
	sandbox, _ := e.Sandbox(engine.DefaultSandbox)
	w := &World{T: t, Provider: p, Engine: e, Sandbox: sandbox, Credentials: sandbox.Credentials(p.Name), CA: ca}
	w.Dispatcher = delivery.New(e, delivery.Options{UserAgent: "mocksrv"})
	t.Cleanup(func() { w.Dispatcher.Stop(context.Background()) })
	return w
}

//nolint:gochecknoglobals // documents compile once per test binary, not once per world
var compileCache sync.Map

func compiled(t testing.TB, sim *sims.Sim) *engine.Provider {
	t.Helper()
	if p, ok := compileCache.Load(sim.Name); ok {
		cached, _ := p.(*engine.Provider)
		return cached
	}
	p, err := engine.Compile(sim)
	require.NoError(t, err)
	compileCache.Store(sim.Name, p)
	return p
}

// With returns the same world for a subtest.
func (w *World) With(t testing.TB) *World {
	clone := *w
	clone.T = t
	return &clone
}

// Request is a request to an operation. The zero value of every field means: as a well-behaved client would.
type Request struct {
	Params      map[string]string // path parameters
	Query       map[string]string
	Header      map[string]string   // set before the request is authorized; "" removes the header afterwards
	Body        any                 // encoded as JSON; []byte and string are sent as they are
	Credentials sims.Credentials    // instead of the ready-made ones
	Anonymous   bool                // no authentication
	Tamper      func(*http.Request) // last change, after authentication; the body must stay as it is or be replaced whole
}

// Reply is what came back, and what the journal says about it.
type Reply struct {
	t       testing.TB
	Status  int
	Header  http.Header
	Body    []byte
	Refusal *engine.Refusal
}

// Call sends a request to an operation and holds the reply against the document.
func (w *World) Call(operation string, r Request) *Reply {
	w.T.Helper()
	op, ok := w.Provider.Contract.Operations[operation]
	require.True(w.T, ok, "the document has no operation %s", operation)
	req := w.build(op, r)
	reply := w.Send(req)
	w.checkReply(op, req, reply)
	return reply
}

func (w *World) build(op *contract.Operation, r Request) *http.Request {
	w.T.Helper()
	path := op.Path
	for name, value := range r.Params {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	query := url.Values{}
	for name, value := range r.Query {
		query.Set(name, value)
	}
	target := &url.URL{Scheme: "http", Host: "mocksrv.test", Path: unescape(path), RawPath: path, RawQuery: query.Encode()}
	c := &sims.ClientRequest{
		Operation: op.ID, Method: op.Method, URL: target, Header: http.Header{}, Body: w.bytes(r.Body),
		Credentials: w.Credentials, Now: w.Sandbox.Clock.EdgeNow(),
	}
	if r.Credentials != nil {
		c.Credentials = r.Credentials
	}
	setHeaders(c.Header, op, r)
	if !r.Anonymous {
		require.NoError(w.T, w.Provider.Authorize(c))
	}
	c.URL.Path = "/" + w.Provider.Name + c.URL.Path
	c.URL.RawPath = "/" + w.Provider.Name + c.URL.RawPath
	req := httptest.NewRequest(c.Method, c.URL.String(), bytes.NewReader(c.Body))
	maps.Copy(req.Header, c.Header)
	for name, value := range r.Header {
		if value == "" {
			req.Header.Del(name)
		}
	}
	if r.Tamper != nil {
		r.Tamper(req)
	}
	return req
}

// setHeaders sets what the document asks for, and then what the test does.
func setHeaders(header http.Header, op *contract.Operation, r Request) {
	header.Set("Accept", "application/json")
	for name, schema := range op.Body {
		if _, isForm := r.Body.(url.Values); schema != nil && (len(op.Body) == 1 || isForm == strings.Contains(name, "form")) {
			header.Set("Content-Type", name)
		}
	}
	for _, p := range op.Params {
		if p.In == "header" && p.Required && len(p.Schema.Enum) > 0 {
			value, _ := p.Schema.Enum[0].(string)
			header.Set(p.Name, value)
		}
	}
	for name, value := range r.Header {
		header.Set(name, value)
	}
}

func unescape(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

func (w *World) bytes(body any) []byte {
	w.T.Helper()
	switch body := body.(type) {
	case nil:
		return nil
	case []byte:
		return body
	case string:
		return []byte(body)
	case url.Values:
		return []byte(body.Encode())
	default:
		data, err := strictjson.Encode(body)
		require.NoError(w.T, err)
		return data
	}
}

// Send sends any request. Its URL path starts with the sim's name.
func (w *World) Send(req *http.Request) *Reply {
	w.T.Helper()
	rec := httptest.NewRecorder()
	require.NoError(w.T, w.Engine.Serve(rec, req))
	body, err := io.ReadAll(rec.Result().Body)
	require.NoError(w.T, err)
	reply := &Reply{t: w.T, Status: rec.Code, Header: rec.Header(), Body: body}
	if last := w.Sandbox.Journal.Last(); last != nil {
		reply.Refusal = last.Refusal
	}
	return reply
}

// Request builds a raw request to a path of the provider, without authentication.
func (w *World) Request(method, path, contentType string, body []byte) *http.Request {
	req := httptest.NewRequest(method, "/"+w.Provider.Name+path, bytes.NewReader(body))
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// JSON returns the decoded body.
func (r *Reply) JSON() any {
	r.t.Helper()
	v, err := strictjson.Decode(r.Body)
	require.NoError(r.t, err, "body: %s", r.Body)
	return v
}

// Get returns a value of the decoded body by a path such as "data.0.id", or nil.
func (r *Reply) Get(path string) any {
	r.t.Helper()
	return lookup(r.JSON(), strings.Split(path, "."))
}

// OK fails the test unless the status is a success.
func (r *Reply) OK() *Reply {
	r.t.Helper()
	require.Less(r.t, r.Status, 300, "body: %s, refusal: %+v", r.Body, r.Refusal)
	return r
}

// Is fails the test unless the reply has this status and exactly this body.
func (r *Reply) Is(status int, body string) *Reply {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "body: %s, refusal: %+v", r.Body, r.Refusal)
	require.Equal(r.t, body, string(r.Body))
	return r
}

// Refused fails the test unless the reply has this status and the journal names this rule.
func (r *Reply) Refused(status int, rule string) *Reply {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "body: %s, refusal: %+v", r.Body, r.Refusal)
	require.NotNil(r.t, r.Refusal, "the journal explains no refusal")
	require.Equal(r.t, rule, r.Refusal.Rule)
	return r
}

// Explained fails the test unless the journal explains the refusal in exactly these words.
func (r *Reply) Explained(saw, want string) *Reply {
	r.t.Helper()
	require.NotNil(r.t, r.Refusal, "the journal explains no refusal")
	require.Equal(r.t, saw, r.Refusal.Saw)
	require.Equal(r.t, want, r.Refusal.Want)
	return r
}

func lookup(v any, path []string) any {
	for _, name := range path {
		switch typed := v.(type) {
		case map[string]any:
			v = typed[name]
		case []any:
			v = item(typed, name)
		default:
			return nil
		}
	}
	return v
}

func item(list []any, index string) any {
	for i := range list {
		if index == itoa(i) {
			return list[i]
		}
	}
	return nil
}

// SetPolicy sets a policy of the provider in this world.
func (w *World) SetPolicy(name string, value any) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.SetPolicies(map[string]any{w.Provider.Name + "." + name: value}))
}

// SetNow moves the frozen clock to an instant, without performing what is due on the way.
func (w *World) SetNow(now time.Time) {
	setting := w.Sandbox.Clock.Setting()
	setting.Now = now
	w.Sandbox.Clock.Set(setting)
}

// Dump returns the whole state as bytes, to compare.
func (w *World) Dump() string {
	w.T.Helper()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	data, err := strictjson.Encode(state)
	require.NoError(w.T, err)
	return string(data)
}
