package engine

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// MaxBody is how many bytes of a request body are read.
const MaxBody = 1 << 20

// ErrNoProvider and ErrNoSandbox mean that a request is not for a provider at all; Serve leaves the answer to the caller.
var (
	ErrNoProvider = errors.New("no provider at this path")
	ErrNoSandbox  = errors.New("no such sandbox")
)

// request is one request on its way through answer.
type request struct {
	http     *http.Request
	provider *Provider
	sandbox  *Sandbox
	call     *sims.Call
	op       *contract.Operation
	script   scripted
}

// Serve answers a request to a provider: from raw bytes to journal, whatever happens on the way, in the provider's own
// envelope. A request that is for no provider or no sandbox gets an error and no answer.
func (e *Engine) Serve(w http.ResponseWriter, r *http.Request) error {
	t, ok := e.locate(r)
	if !ok {
		return fmt.Errorf("%w: %s; the providers are at /%s/", ErrNoProvider, r.URL.Path, strings.Join(keys(e.byName), "/, /"))
	}
	sandbox, ok := e.choose(t, r)
	if !ok {
		return fmt.Errorf("%w: %q; create it with POST /_mocksrv/v1/sandboxes", ErrNoSandbox, t.sandbox)
	}
	defer sandbox.Leave()
	req := newRequest(r, t, sandbox)
	req.send(w, e.exchange(req, w))
	return nil
}

// exchange answers a request and writes both down. What it returns is in the journal already.
func (e *Engine) exchange(req *request, w http.ResponseWriter) rendered {
	req.sandbox.enter()
	defer req.sandbox.leave()
	started := clock.WallNow()
	reply, err := e.answer(req, w)
	out, defect := e.render(req, reply, err)
	req.act(&out)
	e.Perform(req.sandbox, req.script.effects)
	req.linger(w)
	x := &Exchange{
		At: req.call.Now, Direction: Inbound, Sim: req.provider.Name, Operation: req.call.Operation,
		Method: req.call.Method, Path: pathWithQuery(req.call.Path, req.http.URL),
		Request: Message{Header: req.call.Header, Body: req.call.Raw}, Status: out.status,
		Response: Message{Header: out.header, Body: out.body}, Refusal: out.refusal, Rules: req.script.fired,
		Fault: string(req.script.fault), Took: clock.WallNow().Sub(started),
	}
	req.sandbox.Journal.Append(x)
	e.options.Observe(req.sandbox, x)
	e.report(req, x, err)
	e.report(req, x, defect)
	req.sandbox.Feed.Publish(NoteExchange, x.ID)
	return out
}

func newRequest(r *http.Request, t target, sandbox *Sandbox) *request {
	now, edge := sandbox.Clock.Read()
	call := &sims.Call{
		Env:    sandbox.env(t.provider, noTx{}, now, edge),
		N:      sandbox.calls.Add(1),
		Method: r.Method, Path: t.path, Header: r.Header, Query: r.URL.Query(),
	}
	return &request{http: r, provider: t.provider, sandbox: sandbox, call: call}
}

// answer is the request path, top to bottom. Every error leaves in the provider's envelope.
func (e *Engine) answer(req *request, w http.ResponseWriter) (reply sims.Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError{value: p, stack: string(debug.Stack())}
		}
	}()
	if err := req.readBody(w); err != nil {
		return sims.Reply{}, err
	}
	if err := e.admit(req); err != nil {
		return sims.Reply{}, err
	}
	unrouted := req.route()
	if reply, answered, err := e.consult(req); answered || err != nil {
		return reply, err
	}
	if unrouted != nil {
		return sims.Reply{}, unrouted
	}
	if err := e.authenticate(req); err != nil {
		return sims.Reply{}, err
	}
	if err := req.validate(); err != nil {
		return sims.Reply{}, err
	}
	return e.handle(req)
}

// readBody reads the raw body once, bounded.
func (req *request) readBody(w http.ResponseWriter) error {
	if req.http.Body == nil || req.http.ContentLength == 0 {
		return nil
	}
	limited := http.MaxBytesReader(w, req.http.Body, MaxBody)
	var raw []byte
	var err error
	switch n := req.http.ContentLength; {
	case n > MaxBody:
		return tooLarge() // nothing of it is read
	case n > 0:
		raw = make([]byte, n)
		_, err = io.ReadFull(limited, raw)
	default:
		raw, err = io.ReadAll(limited)
	}
	req.call.Raw = raw
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge()
	case err != nil:
		return sims.Failure{Kind: sims.Malformed, Rule: "malformed-json", Saw: "body ended early: " + err.Error(), Want: "a complete body"}
	}
	return nil
}

func tooLarge() sims.Failure {
	limit := strconv.Itoa(MaxBody) + " bytes"
	return sims.Failure{Kind: sims.TooLarge, Rule: "too-large", Saw: "more than " + limit, Want: "at most " + limit}
}

// route finds the operation.
func (req *request) route() error {
	path := &url.URL{Path: unescape(req.call.Path), RawPath: req.call.Path}
	op, params, err := req.provider.route(req.call.Method, path)
	if err != nil {
		return err
	}
	req.op = op
	req.call.Operation, req.call.Params = op.ID, params
	req.call.SetDecoder(req.decode)
	return nil
}

// authenticate checks the security requirements of the operation: all of one alternative.
func (e *Engine) authenticate(req *request) error {
	if len(req.op.Security) == 0 {
		return nil
	}
	return req.sandbox.View(func(tx store.Tx) error {
		req.call.Tx = store.Scoped(tx, req.provider.Name)
		var first error
		for _, alternative := range req.op.Security {
			err := req.authenticateAll(alternative)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
		return first
	})
}

func (req *request) authenticateAll(requirements []contract.Requirement) error {
	for _, requirement := range requirements {
		if err := req.provider.Auth[requirement.Scheme](req.call, requirement.Scopes); err != nil {
			return err
		}
	}
	return nil
}

// validate decodes the body once and holds parameters and body against the document.
func (req *request) validate() error {
	req.call.Tx = noTx{}
	if req.provider.Headers != nil {
		if err := req.provider.Headers(req.call); err != nil {
			return err
		}
	}
	if _, err := req.call.Decoded(); err != nil {
		return err
	}
	if req.provider.Check != nil {
		if err := req.provider.Check(req.call); err != nil {
			return err
		}
	}
	fields := req.paramErrors()
	missing := len(req.op.Body) > 0 && len(req.call.Raw) == 0 && req.op.BodyRequired
	if schema := req.schema(); schema != nil && (missing || len(req.call.Raw) > 0) {
		body := req.call.Body
		if missing {
			body = map[string]any{}
		}
		fields = append(fields, contract.ValidateBody(schema, body)...)
	}
	switch {
	case missing:
		return sims.Failure{Kind: sims.MissingBody, Rule: "schema", Saw: "no body", Want: "a body; " + describe(fields, want), Fields: fields}
	case len(fields) > 0:
		return sims.Failure{Kind: sims.Invalid, Rule: "schema", Saw: describe(fields, saw), Want: describe(fields, want), Fields: fields}
	}
	return nil
}

func saw(f sims.FieldError) string {
	if f.Value == nil && f.Keyword == "required" {
		return "nothing"
	}
	text, err := strictjson.Encode(f.Value)
	if err != nil {
		return fmt.Sprint(f.Value)
	}
	if len(text) > 200 {
		return string(text[:200]) + "…"
	}
	return string(text)
}

func want(f sims.FieldError) string { return f.Want }

func describe(fields []sims.FieldError, part func(sims.FieldError) string) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = strings.TrimSpace(f.In+" "+f.Field) + ": " + part(f)
	}
	return strings.Join(parts, "; ")
}

func (req *request) paramErrors() []sims.FieldError {
	var fields []sims.FieldError
	for _, p := range req.op.Params {
		text, present := req.param(p)
		switch {
		case present:
			fields = append(fields, contract.ValidateValue(p.Schema, contract.ParseParam(p.Schema, text), p.In, p.Name)...)
		case p.Required:
			fields = append(fields, sims.FieldError{In: p.In, Field: p.Name, Keyword: "required", Want: "a value"})
		}
	}
	return fields
}

func (req *request) param(p contract.Param) (string, bool) {
	switch p.In {
	case "query":
		values, ok := req.call.Query[p.Name]
		if !ok {
			return "", false
		}
		return values[0], true
	case "path":
		v, ok := req.call.Params[p.Name]
		return v, ok
	default:
		v := req.call.Header.Get(p.Name)
		return v, v != ""
	}
}

// decode turns the raw body into plain data, by its media type.
func (req *request) decode() (any, error) {
	if len(req.op.Body) == 0 || len(req.call.Raw) == 0 {
		return nil, nil
	}
	mediaType := req.mediaType()
	if _, declared := req.op.Body[mediaType]; !declared {
		sent := req.call.Header.Get("Content-Type")
		if sent == "" {
			sent = "no Content-Type"
		}
		return nil, sims.Failure{
			Kind: sims.WrongContentType, Rule: "content-type", Saw: sent, Want: strings.Join(keys(req.op.Body), " or "),
		}
	}
	if mediaType == "application/x-www-form-urlencoded" {
		return decodeForm(req.call.Raw)
	}
	v, err := strictjson.Decode(req.call.Raw)
	if err != nil {
		return nil, sims.Failure{Kind: sims.Malformed, Rule: "malformed-json", Saw: err.Error(), Want: "one JSON value in UTF-8"}
	}
	return v, nil
}

func (req *request) mediaType() string {
	header := req.call.Header.Get("Content-Type")
	if _, plain := req.op.Body[header]; plain {
		return header
	}
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return mediaType
}

// schema is that of the sent media type; of the only or first declared one when nothing was sent.
func (req *request) schema() (s schema) {
	if s, ok := req.op.Body[req.mediaType()]; ok {
		return s
	}
	if all := slices.Sorted(maps.Keys(req.op.Body)); len(all) > 0 {
		return req.op.Body[all[0]]
	}
	return nil
}

func decodeForm(raw []byte) (any, error) {
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, sims.Failure{Kind: sims.Malformed, Rule: "malformed-json", Saw: err.Error(), Want: "name=value pairs, URL-encoded"}
	}
	object := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) > 1 {
			return nil, sims.Failure{Kind: sims.Malformed, Rule: "malformed-json", Saw: "field " + name + " twice", Want: "each field once"}
		}
		object[name] = values[0]
	}
	return object, nil
}

// handle runs the provider's handler in one transaction: an error undoes whatever it did.
func (e *Engine) handle(req *request) (reply sims.Reply, err error) {
	handler := req.provider.Ops[req.op.ID]
	after, changed := func() {}, false
	err = req.sandbox.Update(func(tx store.Tx) error {
		before := tx.Usage("")
		req.call.Tx = store.Scoped(tx, req.provider.Name)
		if reply, err = handler(req.call); err != nil {
			return err
		}
		after, err = e.outbox.Apply(req.sandbox, req.provider, tx, req.call.Effects)
		if changed = tx.Changed(); changed && err == nil {
			err = req.sandbox.Room(tx, before)
		}
		return err
	})
	req.call.Tx = noTx{}
	if err != nil {
		return sims.Reply{}, err
	}
	after()
	if changed {
		req.sandbox.Feed.Publish(NoteWebhooks, req.provider.Name)
	}
	return reply, nil
}

// fail renders an error in the provider's envelope.
func (e *Engine) fail(req *request, err error) sims.Reply {
	failure, ok := sims.AsFailure(err)
	if !ok {
		failure = sims.Failure{Kind: sims.Internal}
	}
	reply := req.provider.Fail(req.call, failure)
	if len(failure.Allow) > 0 {
		if reply.Header == nil {
			reply.Header = http.Header{}
		}
		reply.Header.Set("Allow", strings.Join(failure.Allow, ", "))
	}
	return reply
}

// report tells the operator of a defect of the simulator: an error that is none of the provider's.
func (e *Engine) report(req *request, x *Exchange, err error) {
	if _, ok := sims.AsFailure(err); ok || err == nil || errors.Is(err, ErrSandboxFull) {
		return
	}
	about := []any{"request", req.sandbox.RequestID(x), "sim", x.Sim, "operation", x.Operation, "error", err}
	if panicked, ok := errors.AsType[panicError](err); ok {
		about = append(about, "stack", panicked.stack)
	}
	e.log.Error("defect on the request path", about...)
}

// panicError is a panic that was caught.
type panicError struct {
	value any
	stack string
}

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// explain is the journal's account of a refusal.
func (e *Engine) explain(req *request, err error) *Refusal {
	if err == nil {
		return nil
	}
	if full, ok := errors.AsType[fullError](err); ok {
		return &Refusal{Rule: RuleLimit, Saw: full.saw, Want: full.want}
	}
	failure, ok := sims.AsFailure(err)
	if !ok {
		return ownFault(err)
	}
	if req.provider.Rule != nil {
		if closer := req.provider.Rule(req.call, failure); closer != "" {
			failure.Rule = closer
		}
	}
	entry, _ := req.provider.Contract.Entry(failure.Rule)
	refusal := &Refusal{Rule: failure.Rule, Saw: failure.Saw, Want: failure.Want, Basis: entry.Basis, Source: entry.Source}
	if entry.Policy != nil {
		refusal.Policy = req.provider.Name + "." + entry.Policy.Name
	}
	return refusal
}

// encode turns a reply into bytes and headers.
func encode(reply sims.Reply) (body []byte, header http.Header, err error) {
	header = reply.Header
	if header == nil {
		header = make(http.Header, 2)
	}
	body = reply.Raw
	contentType := reply.ContentType
	if reply.Body != nil {
		if body, err = strictjson.Encode(reply.Body); err != nil {
			return nil, nil, fmt.Errorf("the reply does not encode: %w", err)
		}
		if contentType == "" {
			contentType = "application/json"
		}
	}
	if contentType != "" {
		header["Content-Type"] = []string{contentType}
	}
	return body, header, err
}

func write(w http.ResponseWriter, r *http.Request, status int, header http.Header, body []byte) {
	h := w.Header()
	maps.Copy(h, header)
	if status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && len(body) > 0 {
		_, _ = w.Write(body) // a client that is gone: the journal has the answer
	}
}

func pathWithQuery(path string, u *url.URL) string {
	if u.RawQuery == "" {
		return path
	}
	return path + "?" + u.RawQuery
}
