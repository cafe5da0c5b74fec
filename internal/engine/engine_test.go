package engine_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

const document = `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things/{id}:
    put:
      operationId: putThing
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {do: {type: string}}}}}}
      responses: {"200": {description: ok}}
x-mocksrv-ledger:
`

// fake is a provider whose one operation writes, and then does what the body says.
func fake(t *testing.T) *engine.Provider {
	t.Helper()
	var ledger strings.Builder
	for _, id := range []string{"unknown-path", "wrong-method", "content-type", "malformed-json", "too-large", "schema", "credentials", "scripted-errors", "full"} {
		fmt.Fprintf(&ledger, "  - {id: %s, behaviour: b, basis: assumed, source: somewhere}\n", id)
	}
	p, err := engine.Compile(&sims.Sim{
		Name: "fake", Spec: []byte(document + ledger.String()), Hosts: []string{"api.fake.example:8443"},
		Seed:       func(*sims.Env) sims.Credentials { return sims.Credentials{} },
		Credential: func(*http.Request) string { return "" },
		Ops:        map[string]sims.Handler{"putThing": putThing},
		Fail: func(_ *sims.Call, f sims.Failure) sims.Reply {
			return sims.Reply{Status: 400 + int(f.Kind), Body: sims.Object{{Name: "failed", Value: f.Rule}}}
		},
		Webhooks: func(*sims.Env) []sims.Webhook { return nil },
	})
	require.NoError(t, err)
	return p
}

func putThing(c *sims.Call) (sims.Reply, error) {
	things := sims.TableOf[string](c.Tx, "things", nil)
	things.Put(c.Params["id"], c.NewID("thing").Hex(8))
	c.Tx.Claim(c.Params["id"])
	switch c.Object()["do"] {
	case "panic":
		panic("on purpose")
	case "defect":
		return sims.Reply{}, errors.New("on purpose")
	case "refuse":
		return sims.Reply{}, sims.Failure{Kind: sims.Refused, Rule: "full", Saw: "one more", Want: "fewer"}
	}
	return sims.Reply{Status: http.StatusOK, Body: sims.Object{{Name: "id", Value: c.Params["id"]}}}, nil
}

func started(t *testing.T, o engine.Options) (*engine.Engine, *engine.Sandbox) {
	t.Helper()
	o.Providers = []*engine.Provider{fake(t)}
	e, err := engine.New(o)
	require.NoError(t, err)
	sandbox, ok := e.Sandbox(engine.DefaultSandbox)
	require.True(t, ok)
	return e, sandbox
}

func put(t *testing.T, e *engine.Engine, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPut, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	require.NoError(t, e.Serve(rec, r))
	return rec
}

// Invariants 1 and 2: whatever goes wrong leaves in the provider's envelope, and leaves no trace in the state.
func TestInvariant2CheckThenChange(t *testing.T) {
	t.Parallel()
	e, sandbox := started(t, engine.Options{})
	require.Equal(t, http.StatusOK, put(t, e, "/fake/things/1", `{}`).Code)
	before, err := sandbox.Export()
	require.NoError(t, err)
	for do, want := range map[string]string{"panic": `{"failed":""}`, "defect": `{"failed":""}`, "refuse": `{"failed":"full"}`} {
		rec := put(t, e, "/fake/things/2", `{"do":"`+do+`"}`)
		require.Equal(t, want, rec.Body.String(), do)
		after, err := sandbox.Export()
		require.NoError(t, err)
		require.Equal(t, before, after, do)
	}
	refusal := sandbox.Journal.Last().Refusal
	require.NotNil(t, refusal)
	require.Contains(t, put(t, e, "/fake/things/3", `{}`).Body.String(), `"3"`, "the sandbox goes on")
}

// Invariant 7: the journal is bounded, in number and in bytes, and says how much it dropped.
func TestInvariant7JournalIsBounded(t *testing.T) {
	t.Parallel()
	e, sandbox := started(t, engine.Options{Journal: engine.JournalLimits{Entries: 10, Bytes: 1 << 20}})
	for i := range 25 {
		put(t, e, fmt.Sprintf("/fake/things/%d", i), `{}`)
	}
	kept, dropped, _ := sandbox.Journal.Read(0)
	require.Len(t, kept, 10)
	require.Equal(t, uint64(15), dropped)
	require.Equal(t, uint64(16), kept[0].ID)
	last, _, _ := sandbox.Journal.Read(kept[8].ID)
	require.Equal(t, kept[9:], last)

	e, sandbox = started(t, engine.Options{Journal: engine.JournalLimits{Entries: 1000, Bytes: 200_000}})
	for range 20 {
		put(t, e, "/fake/things/1", `{"do":"`+strings.Repeat("x", 50_000)+`"}`)
	}
	kept, dropped, _ = sandbox.Journal.Read(0)
	require.Less(t, len(kept), 4)
	require.Equal(t, uint64(20), uint64(len(kept))+dropped)
}

// A waiting reader of the journal is woken by the next exchange.
func TestJournalWakesReaders(t *testing.T) {
	t.Parallel()
	e, sandbox := started(t, engine.Options{})
	_, _, changed := sandbox.Journal.Read(0)
	put(t, e, "/fake/things/1", `{}`)
	<-changed
}

// Paths, hosts and headers lead to a provider and a sandbox; what leads nowhere is an error, not an answer.
func TestAddresses(t *testing.T) {
	t.Parallel()
	e, _ := started(t, engine.Options{})
	_, err := e.CreateSandbox(engine.SandboxConfig{Name: "other"})
	require.NoError(t, err)
	for name, tc := range map[string]struct{ target, host, header, want string }{
		"prefix":              {target: "/fake/things/a", want: "a"},
		"escaped slash":       {target: "/fake/things/a%2Fb", want: "a/b"},
		"real host":           {target: "/things/a", host: "api.fake.example:8443", want: "a"},
		"real host, any port": {target: "/things/a", host: "API.fake.example", want: "a"},
		"sandbox by path":     {target: "/sandboxes/other/fake/things/a", want: "a"},
		"sandbox by header":   {target: "/fake/things/a", header: "other", want: "a"},
	} {
		r := httptest.NewRequest(http.MethodPut, tc.target, strings.NewReader(`{}`))
		r.Header.Set("Content-Type", "application/json")
		if tc.host != "" {
			r.Host = tc.host
		}
		if tc.header != "" {
			r.Header.Set(engine.SandboxHeader, tc.header)
		}
		rec := httptest.NewRecorder()
		require.NoError(t, e.Serve(rec, r), name)
		require.Equal(t, `{"id":"`+tc.want+`"}`, rec.Body.String(), name)
	}
	other, _ := e.Sandbox("other")
	kept, _, _ := other.Journal.Read(0)
	require.Len(t, kept, 2)
	require.ErrorIs(t, e.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/nobody/things", nil)), engine.ErrNoProvider)
	require.ErrorIs(t, e.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/sandboxes/none/fake/things/1", nil)), engine.ErrNoSandbox)
}

// A document and a provider that disagree do not start.
func TestDisagreementsAreRefused(t *testing.T) {
	t.Parallel()
	good := fake(t)
	for name, change := range map[string]func(*sims.Sim){
		`"putThing" is missing in the code`:   func(s *sims.Sim) { s.Ops = nil },
		`"extra" is missing in the document`:  func(s *sims.Sim) { s.Auth = map[string]sims.AuthFunc{"extra": nil} },
		`the ledger lacks the entry "schema"`: func(s *sims.Sim) { s.Spec = []byte(strings.Replace(string(s.Spec), "id: schema", "id: other", 1)) },
		`catalogue of events go together`:     func(s *sims.Sim) { s.Delivery = &sims.Delivery{} },
		`contract: load document`:             func(s *sims.Sim) { s.Spec = []byte("{") },
	} {
		sim := *good.Sim
		change(&sim)
		_, err := engine.Compile(&sim)
		require.ErrorContains(t, err, name)
	}
}

// slowBody is a request body that arrives when it is told to.
type slowBody struct {
	reading chan struct{}
	rest    chan struct{}
	body    *strings.Reader
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.reading != nil {
		close(b.reading)
		b.reading = nil
		<-b.rest
	}
	return b.body.Read(p)
}

// A request that is under way when its sandbox is deleted does not reach another sandbox of the same name.
func TestASuccessorInheritsNoRequests(t *testing.T) {
	t.Parallel()
	e, _ := started(t, engine.Options{})
	_, err := e.CreateSandbox(engine.SandboxConfig{Name: "twice"})
	require.NoError(t, err)
	reading := make(chan struct{})
	body := &slowBody{reading: reading, rest: make(chan struct{}), body: strings.NewReader(`{}`)}
	r := httptest.NewRequest(http.MethodPut, "/sandboxes/twice/fake/things/1", body)
	r.Header.Set("Content-Type", "application/json")
	served := make(chan error, 1)
	go func() { served <- e.Serve(httptest.NewRecorder(), r) }()
	<-reading
	_, err = e.DeleteSandbox("twice")
	require.NoError(t, err)
	successor, err := e.CreateSandbox(engine.SandboxConfig{Name: "twice"})
	require.NoError(t, err)
	close(body.rest)
	require.NoError(t, <-served)
	state, err := successor.Export()
	require.NoError(t, err)
	require.Empty(t, state.Tables)
}
