package simtest

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

// Run is the conformance suite.
func Run(t *testing.T, sim *sims.Sim) {
	t.Helper()
	w := New(t, sim)
	t.Run("the document is valid with all its examples", func(t *testing.T) {
		require.NoError(t, w.Provider.Contract.Doc.Validate(context.Background()))
	})
	t.Run("every request example is accepted", func(t *testing.T) {
		eachExample(t, sim, func(w *World, id, name string) {
			t.Run(id+"/"+name, func(t *testing.T) { w.With(t).example(id, name).OK() })
		})
	})
	t.Run("a request that reaches no operation is answered in the envelope", func(t *testing.T) { unroutable(t, sim) })
	t.Run("a hostile body is refused and changes nothing", func(t *testing.T) { hostileBodies(t, sim) })
	t.Run("missing or unknown credentials are refused and change nothing", func(t *testing.T) { noCredentials(t, sim) })
	t.Run("the same seed and requests give the same bytes", func(t *testing.T) {
		require.Equal(t, history(t, sim, 1), history(t, sim, 1))
		require.NotEqual(t, history(t, sim, 1), history(t, sim, 2))
	})
	t.Run("the state is plain data", func(t *testing.T) { plainState(t, sim) })
	t.Run("every event type has a valid payload", func(t *testing.T) { eventPayloads(t, sim) })
	t.Run("every error that a script can ask for fits the document", func(t *testing.T) { scriptedErrors(t, sim) })
	t.Run("webhooks can exist already", func(t *testing.T) { plantedWebhooks(t, sim) })
	t.Run("a second account is a world of its own", func(t *testing.T) { secondAccount(t, sim) })
	t.Run("credentials can be given", func(t *testing.T) { givenCredentials(t, sim) })
}

// Ledger runs one test for each entry of the provider's ledger, and fails when an entry has none, or a test no entry.
func Ledger(t *testing.T, sim *sims.Sim, tests map[string]func(w *World)) {
	t.Helper()
	c := New(t, sim).Provider.Contract
	for id := range tests {
		_, ok := c.Entry(id)
		require.True(t, ok, "test %q has no ledger entry", id)
	}
	for _, entry := range c.Ledger {
		test, ok := tests[entry.ID]
		require.True(t, ok, "ledger entry %q has no test", entry.ID)
		t.Run(entry.ID, func(t *testing.T) {
			t.Parallel()
			test(New(t, sim))
		})
	}
}

// exampleNames are in alphabetical order; x-mocksrv-first-example of an operation names the one that links build on.
func exampleNames(op *contract.Operation) []string {
	names := []string{}
	if op.Spec.RequestBody != nil {
		for _, mediaType := range op.Spec.RequestBody.Value.Content {
			for name := range mediaType.Examples {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return []string{"parameters"}
	}
	first, _ := op.Spec.Extensions["x-mocksrv-first-example"].(string)
	slices.SortFunc(names, func(a, b string) int {
		if (a == first) != (b == first) {
			return map[bool]int{true: -1, false: 1}[a == first]
		}
		return strings.Compare(a, b)
	})
	return names
}

// Example sends an example of the document, after those of the operations that link to it. "" is the first example.
func (w *World) Example(operation, name string) *Reply {
	w.T.Helper()
	return w.example(operation, name)
}

func (w *World) example(operation, name string) *Reply {
	w.T.Helper()
	op := w.Provider.Contract.Operations[operation]
	request := w.exampleRequest(op, name)
	w.happen(op)
	if source, link := w.linkTo(operation); source != "" {
		reply := w.example(source, "").OK()
		for param, expression := range link.Parameters {
			request.Params[strings.TrimPrefix(param, "path.")] = fmt.Sprint(resolve(reply, fmt.Sprint(expression)))
		}
		fillBody(request.Body, link.RequestBody, reply)
	}
	return w.Call(operation, request)
}

// happen makes the event that an operation needs, which no request can cause: x-mocksrv-needs-event names the operation
// that makes the webhook, and the event.
func (w *World) happen(op *contract.Operation) {
	w.T.Helper()
	needs, ok := op.Spec.Extensions["x-mocksrv-needs-event"].(map[string]any)
	if !ok {
		return
	}
	w.example(fmt.Sprint(needs["after"]), "").OK()
	w.Emit(Event{Type: fmt.Sprint(needs["event"])})
	w.Idle()
}

// linkTo finds the operation whose reply provides what this one needs.
func (w *World) linkTo(operation string) (string, *openapi3.Link) {
	for _, id := range w.Provider.Contract.OperationIDs() {
		for _, response := range w.Provider.Contract.Operations[id].Spec.Responses.Map() {
			for _, link := range response.Value.Links {
				if link.Value.OperationID == operation && id != operation {
					return id, link.Value
				}
			}
		}
	}
	return "", nil
}

// resolve evaluates a runtime expression of a link: $response.body#/pointer.
func resolve(reply *Reply, expression string) any {
	pointer, ok := strings.CutPrefix(expression, "$response.body#/")
	if !ok {
		return expression
	}
	return reply.Get(strings.ReplaceAll(pointer, "/", "."))
}

func fillBody(body, expressions any, reply *Reply) {
	object, _ := body.(map[string]any)
	members, _ := expressions.(map[string]any)
	for name, expression := range members {
		object[name] = resolve(reply, fmt.Sprint(expression))
	}
}

func (w *World) exampleRequest(op *contract.Operation, name string) Request {
	r := Request{Params: map[string]string{}, Query: map[string]string{}, Header: map[string]string{}}
	for _, ref := range slices.Concat(op.Spec.Parameters, w.Provider.Contract.Doc.Paths.Value(op.Path).Parameters) {
		if p := ref.Value; p.Example != nil && (p.Required || p.In == "path") {
			value, _ := w.place(fmt.Sprint(p.Example)).(string)
			switch p.In {
			case "path":
				r.Params[p.Name] = value
			case "query":
				r.Query[p.Name] = value
			case "header":
				r.Header[p.Name] = value
			}
		}
	}
	if op.Spec.RequestBody == nil {
		return r
	}
	if name == "" {
		name = exampleNames(op)[0]
	}
	for mediaType, content := range op.Spec.RequestBody.Value.Content {
		example, ok := content.Examples[name]
		if !ok {
			continue
		}
		r.Body = w.place(clone(example.Value.Value))
		if strings.Contains(mediaType, "form") {
			r.Body = formOf(r.Body)
		}
	}
	return r
}

func formOf(body any) url.Values {
	form := url.Values{}
	object, _ := body.(map[string]any)
	for name, value := range object {
		form.Set(name, fmt.Sprint(value))
	}
	return form
}

// place replaces the placeholders of the document's examples by credentials of this world.
func (w *World) place(v any) any {
	switch v := v.(type) {
	case string:
		if name, ok := w.Provider.Placeholders[v]; ok {
			return w.Credentials[name]
		}
	case map[string]any:
		for name := range v {
			v[name] = w.place(v[name])
		}
	case []any:
		for i := range v {
			v[i] = w.place(v[i])
		}
	}
	return v
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, value := range v {
			object[name] = clone(value)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	default:
		return v
	}
}

// checkReply holds a reply against the document.
func (w *World) checkReply(op *contract.Operation, req *http.Request, reply *Reply) {
	w.T.Helper()
	if reply.Refusal != nil {
		_, ok := w.Provider.Contract.Entry(reply.Refusal.Rule)
		require.True(w.T, ok, "refusal by a rule that the ledger does not have: %+v", reply.Refusal)
	}
	ref := op.Spec.Responses.Value(strconv.Itoa(reply.Status))
	require.NotNil(w.T, ref, "%s %s answered %d, which %s does not document; body: %s, refusal: %+v",
		req.Method, req.URL, reply.Status, op.ID, reply.Body, reply.Refusal)
	w.checkResponse(ref.Value, reply)
}

func (w *World) checkResponse(response *openapi3.Response, reply *Reply) {
	w.T.Helper()
	if len(response.Content) == 0 {
		require.Empty(w.T, reply.Body)
		return
	}
	mediaType, _, err := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	require.NoError(w.T, err)
	content := response.Content.Get(mediaType)
	require.NotNil(w.T, content, "content type %q is not documented", mediaType)
	fields := contract.ValidateBody(content.Schema.Value, reply.JSON())
	require.Empty(w.T, fields, "status %d, body: %s", reply.Status, reply.Body)
}

// Named checks a reply against a response of the document's components: UnknownPath, WrongMethod, ….
func (w *World) Named(name string, reply *Reply) {
	w.T.Helper()
	ref, ok := w.Provider.Contract.Doc.Components.Responses[name]
	require.True(w.T, ok, "components.responses has no %s", name)
	require.NotNil(w.T, reply.Refusal)
	w.checkResponse(ref.Value, reply)
}

func unroutable(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	before := w.Dump()
	for _, path := range []string{"/", "/no/such/path", "//", "/%2e%2e/%2e%2e", "/..", "/%00", "/%zz", strings.Repeat("/x", 2000)} {
		req := w.Request(http.MethodGet, "/", "", nil)
		req.URL = &url.URL{Path: "/" + sim.Name + path, RawPath: "/" + sim.Name + path}
		reply := w.Send(req)
		w.Named("UnknownPath", reply)
		require.Equal(t, "unknown-path", reply.Refusal.Rule)
		require.Less(t, reply.Status, 500)
	}
	for _, op := range w.Provider.Contract.Operations {
		reply := w.Send(w.Request("TRACE", strings.NewReplacer("{", "", "}", "").Replace(op.Path), "", nil))
		w.Named("WrongMethod", reply)
		require.Equal(t, "wrong-method", reply.Refusal.Rule)
		require.Contains(t, reply.Header.Get("Allow"), op.Method)
	}
	require.Equal(t, before, w.Dump())
}

// withBody lists the operations that take a body.
func withBody(w *World) []*contract.Operation {
	var ops []*contract.Operation
	for _, id := range w.Provider.Contract.OperationIDs() {
		if op := w.Provider.Contract.Operations[id]; len(op.Body) > 0 {
			ops = append(ops, op)
		}
	}
	return ops
}

func hostileBodies(t *testing.T, sim *sims.Sim) {
	bodies := map[string]string{
		"syntax": `{"a":`, "empty object": `{}`, "null": `null`, "array": `[]`, "number": `1`, "string": `"x"`,
		"trailing data": `{} {}`, "duplicate keys": `{"a":1,"a":2}`, "not UTF-8": "{\"a\":\"\xff\xfe\"}",
		"deep": strings.Repeat(`[`, 20_000), "2 MB": `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, "null byte": "{\"a\":\"\x00\"}",
	}
	w := New(t, sim)
	for _, op := range withBody(w) {
		for name, body := range bodies {
			t.Run(op.ID+"/"+name, func(t *testing.T) {
				w := New(t, sim)
				before := w.Dump()
				request := Request{Params: w.exampleRequest(op, "").Params, Tamper: func(r *http.Request) { replaceBody(w, r, []byte(body)) }}
				reply := w.Call(op.ID, request)
				require.GreaterOrEqual(t, reply.Status, 400)
				require.Less(t, reply.Status, 500)
				require.NotNil(t, reply.Refusal)
				require.Equal(t, before, w.Dump())
			})
		}
		t.Run(op.ID+"/wrong content type", func(t *testing.T) {
			w := New(t, sim)
			reply := w.Call(op.ID, Request{Params: w.exampleRequest(op, "").Params, Body: `{"a":1}`, Tamper: func(r *http.Request) {
				r.Header.Set("Content-Type", "text/plain")
			}})
			require.Equal(t, "content-type", reply.Refusal.Rule)
		})
	}
}

// replaceBody puts another body under a request and authorizes it again, so that a signature is not what fails.
func replaceBody(w *World, r *http.Request, body []byte) {
	c := &sims.ClientRequest{
		Method: r.Method, URL: r.URL, Header: r.Header, Body: body, Credentials: w.Credentials, Now: w.Sandbox.Clock.EdgeNow(),
	}
	if w.Provider.Authorize(c) == nil { // it fails where the body has to be an object: then it goes out as it is
		body = c.Body
	}
	setBody(r, body)
}

func noCredentials(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	before := w.Dump()
	for _, id := range w.Provider.Contract.OperationIDs() {
		if len(w.Provider.Contract.Operations[id].Security) == 0 {
			continue
		}
		request := w.exampleRequest(w.Provider.Contract.Operations[id], exampleNames(w.Provider.Contract.Operations[id])[0])
		request.Anonymous = true
		reply := w.Call(id, request)
		require.GreaterOrEqual(t, reply.Status, 400, id)
		require.Less(t, reply.Status, 500, id)
		require.NotNil(t, reply.Refusal, id)
		if entry, _ := w.Provider.Contract.Entry("credentials"); len(entry.Operations) == 0 || slices.Contains(entry.Operations, id) {
			require.Equal(t, "credentials", reply.Refusal.Rule, id)
		}
	}
	require.Equal(t, before, w.Dump())
}

// history sends every example and returns all answers and states.
func history(t *testing.T, sim *sims.Sim, seed int64) string {
	t.Helper()
	var all strings.Builder
	eachExample(t, sim, func(w *World, id, name string) {
		if seed != 1 {
			sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: seed, Clock: w.Sandbox.Clock.Setting()})
			require.NoError(t, err)
			w.Sandbox, w.Credentials = sandbox, sandbox.Credentials(sim.Name)
		}
		reply := w.example(id, name)
		fmt.Fprintf(&all, "%s %s %d %v %s %s\n", id, name, reply.Status, reply.Header, reply.Body, w.Dump())
	})
	return all.String()
}

// eachExample visits every request example in a world of its own.
func eachExample(t *testing.T, sim *sims.Sim, visit func(w *World, operation, name string)) {
	t.Helper()
	c := New(t, sim).Provider.Contract
	for _, id := range c.OperationIDs() {
		for _, name := range exampleNames(c.Operations[id]) {
			visit(New(t, sim), id, name)
		}
	}
}

func plainState(t *testing.T, sim *sims.Sim) {
	eachExample(t, sim, func(w *World, id, name string) {
		w.example(id, name)
		for _, event := range w.Provider.Contract.Catalogue {
			w.Emit(Event{Type: event.Type}) // deliveries are state, too
		}
		state, err := w.Sandbox.Export()
		require.NoError(t, err)
		before := w.Dump()
		require.NoError(t, w.Sandbox.Import(state))
		require.Equal(t, before, w.Dump())
		for _, other := range w.Provider.Contract.OperationIDs() {
			require.Less(t, w.Call(other, w.exampleRequest(w.Provider.Contract.Operations[other], "")).Status, 500,
				"handlers work on imported rows too")
		}
	})
}

func eventPayloads(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	for _, event := range w.Provider.Contract.Catalogue {
		for n := range 5 {
			document := w.payload(event, uint64(n))
			fields := contract.ValidateBody(w.Provider.Contract.Events[event.Type], document)
			require.Empty(t, fields, "%s: %v", event.Type, document)
		}
	}
}
