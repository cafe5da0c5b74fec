package run

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

const (
	answerTime = 10 * time.Second // how long a client waits that says nothing else
	maxAnswer  = 32 << 20         // bytes of an answer that are read
	formType   = "application/x-www-form-urlencoded"
	nobody     = "nobody" // the account without credentials
)

// exchange is a call and its answer.
type exchange struct {
	sim     string
	path    string // the provider's own, with query
	request *http.Request
	sent    []byte
	before  uint64 // the newest exchange of the journal before

	status int // 0: no answer
	header http.Header
	body   []byte
	err    string // timeout, broken; "": there is an answer
	detail string // of err
}

// call calls an operation.
func call(ctx context.Context, t *trial, s script.Step) (done, error) {
	s, err := renderedCall(ctx, t, s)
	if err != nil {
		return done{}, err
	}
	x, err := t.request(ctx, s)
	if err != nil {
		return done{}, err
	}
	return done{called: true}, t.send(ctx, x, s.Timeout)
}

// renderedCall fills the holes of the parts that make a call.
func renderedCall(ctx context.Context, t *trial, s script.Step) (script.Step, error) {
	return rendered(ctx, t, script.Step{
		Call: s.Call, As: s.As, Token: s.Token, Params: s.Params, Query: s.Query, Headers: s.Headers, Body: s.Body,
		Sign: s.Sign, Timeout: s.Timeout,
	})
}

// raw sends a request as it is.
func raw(ctx context.Context, t *trial, s script.Step) (done, error) {
	r, err := rendered(ctx, t, *s.Raw)
	if err != nil {
		return done{}, err
	}
	at, ok := t.world.Sims[r.Sim]
	if !ok {
		_, err := t.provider(r.Sim)
		return done{}, cmp.Or(err, fmt.Errorf("the server has no sim %q", r.Sim))
	}
	req, err := http.NewRequest(r.Method, at.BaseURL+r.Path, strings.NewReader(r.Body)) //nolint:noctx // send gives it one
	if err != nil {
		return done{}, err
	}
	req.Header["User-Agent"] = nil
	setHeaders(req, r.Headers)
	return done{called: true}, t.send(ctx, &exchange{sim: r.Sim, path: r.Path, request: req, sent: []byte(r.Body)}, s.Timeout)
}

// setHeaders sets headers; an empty value takes one away.
func setHeaders(req *http.Request, headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		switch value := headers[name]; {
		case value == "":
			req.Header.Del(name)
		case strings.EqualFold(name, "Host"):
			req.Host = value
		default:
			req.Header.Set(name, value)
		}
	}
}

// request makes the request of a call as a client of the provider does.
func (t *trial) request(ctx context.Context, s script.Step) (*exchange, error) {
	sim, id, _ := strings.Cut(s.Call, ".")
	p, err := t.provider(sim)
	if err != nil {
		return nil, err
	}
	op, ok := p.Contract.Operations[id]
	if !ok {
		return nil, fmt.Errorf("%s has no operation %q; its operations are %s", sim, id, strings.Join(p.Contract.OperationIDs(), ", "))
	}
	account := cmp.Or(s.As, defaultAccount)
	anonymous := account == nobody || s.Sign == "none"
	if account == nobody {
		account = defaultAccount // for what the examples of the document need
	}
	credentials, err := t.credentials(account, sim)
	if err != nil {
		return nil, err
	}
	now, err := t.edge(ctx)
	if err != nil {
		return nil, err
	}
	c, err := t.draft(p, op, s, credentials)
	if err != nil {
		return nil, err
	}
	c.Now = now
	if !anonymous {
		if err := authorize(p, c, s.Token, s.Sign); err != nil {
			return nil, err
		}
	}
	return t.finish(p, c, s.Headers)
}

// draft is the request before authentication.
func (t *trial) draft(p *engine.Provider, op *contract.Operation, s script.Step, credentials sims.Credentials) (*sims.ClientRequest, error) {
	example := exampleOf(p, op, credentials)
	path, err := pathOf(op, s.Params)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for name, value := range example.query {
		query.Set(name, value)
	}
	for name, value := range s.Query {
		setQuery(query, name, value)
	}
	body := s.Body
	if body == nil {
		body = example.body
	}
	mediaType := mediaTypeOf(op, s.Headers)
	data, err := encodeBody(body, mediaType)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	header := http.Header{"Accept": {"application/json"}}
	if mediaType != "" && len(data) > 0 {
		header.Set("Content-Type", mediaType)
	}
	for name, value := range example.header {
		header.Set(name, value)
	}
	at := &url.URL{Scheme: "http", Host: "provider", Path: unescape(path), RawPath: path, RawQuery: query.Encode()}
	return &sims.ClientRequest{
		Operation: op.ID, Method: op.Method, URL: at, Header: header, Body: data, Credentials: credentials, Given: givenBy(s),
	}, nil
}

// givenBy tells what a step says itself of its query and body: it is sent so, and a text as it is. What a stale request says of
// its time is authentication's.
func givenBy(s script.Step) func(name string) bool {
	return func(name string) bool {
		_, inQuery := s.Query[name]
		object, isObject := s.Body.(map[string]any)
		_, inBody := object[name]
		return s.Sign != "stale" && (inQuery || inBody || s.Body != nil && !isObject)
	}
}

// pathOf fills the path parameters in.
func pathOf(op *contract.Operation, params map[string]any) (string, error) {
	path := op.Path
	for _, p := range op.Params {
		if p.In != "path" {
			continue
		}
		value, ok := params[p.Name]
		if !ok {
			return "", fmt.Errorf("params: %s needs %s in its path %s", op.ID, p.Name, op.Path)
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(textOf(value)))
	}
	return path, nil
}

// setQuery sets a query parameter; a list sets it several times, null takes it away.
func setQuery(query url.Values, name string, value any) {
	query.Del(name)
	switch value := value.(type) {
	case nil:
	case []any:
		for _, v := range value {
			query.Add(name, textOf(v))
		}
	default:
		query.Set(name, textOf(value))
	}
}

// textOf is a scalar as text.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return shown(v)
	}
}

// mediaTypeOf is the one that is declared, JSON where there are several, unless the step names one.
func mediaTypeOf(op *contract.Operation, headers map[string]string) string {
	for name, value := range headers {
		if _, declared := op.Body[value]; declared && strings.EqualFold(name, "Content-Type") {
			return value
		}
	}
	declared := slices.Sorted(maps.Keys(op.Body))
	if len(declared) == 0 || slices.Contains(declared, "application/json") {
		return "application/json"
	}
	return declared[0]
}

// encodeBody writes a body: a text as it is, anything else as its media type says.
func encodeBody(body any, mediaType string) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(body), nil
	case map[string]any:
		if mediaType != formType {
			break
		}
		form := url.Values{}
		for name, value := range body {
			setQuery(form, name, value)
		}
		return []byte(form.Encode()), nil
	}
	return strictjson.Encode(body)
}

// finish points the request at the sandbox.
func (t *trial) finish(p *engine.Provider, c *sims.ClientRequest, headers map[string]string) (*exchange, error) {
	path := c.URL.EscapedPath()
	if c.URL.RawQuery != "" {
		path += "?" + c.URL.RawQuery
	}
	req, err := http.NewRequest(c.Method, t.world.Sims[p.Name].BaseURL+path, bytes.NewReader(c.Body)) //nolint:noctx // send gives it one
	if err != nil {
		return nil, err
	}
	req.Header = c.Header
	setHeaders(req, headers)
	return &exchange{sim: p.Name, path: path, request: req, sent: c.Body}, nil
}

// edge is what the client's clock shows: the edge clock's instant.
func (t *trial) edge(ctx context.Context) (time.Time, error) {
	c, err := t.sandbox.Clock(ctx)
	if err != nil {
		return time.Time{}, err
	}
	skew, err := time.ParseDuration(c.Skew)
	if err != nil {
		return time.Time{}, fmt.Errorf("the clock's skew: %w", err)
	}
	if c.Edge == "wall" {
		return wallNow().Add(skew), nil
	}
	return c.Now.Add(skew), nil
}

// send sends a request and waits for the answer. That there is none is an answer, too.
func (t *trial) send(ctx context.Context, x *exchange, timeout string) error {
	patience := answerTime
	if timeout != "" {
		var err error
		if patience, err = time.ParseDuration(timeout); err != nil || patience <= 0 {
			return fmt.Errorf("timeout: want a duration such as 2s, got %q", timeout)
		}
	}
	newest, err := t.sandbox.Journal(ctx, client.JournalFilter{Direction: "all", Page: client.Page{Newest: 1}})
	if err != nil {
		return err
	}
	for _, e := range newest.Exchanges {
		x.before = e.ID
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	x.receive(t.target.HTTP, x.request.WithContext(limited))
	if err := ctx.Err(); err != nil {
		return err
	}
	t.last = x
	return nil
}

// receive sends the request and takes in what comes.
func (x *exchange) receive(c *http.Client, req *http.Request) {
	direct := *c
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		x.failed(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		x.failed(err)
		return
	}
	x.status, x.header, x.body = resp.StatusCode, resp.Header, body
}

func (x *exchange) failed(err error) {
	x.err, x.detail = "broken", err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		x.err = "timeout"
	}
}

// names are request and response as expressions see them.
func (x *exchange) names() (request, response any) {
	if x == nil {
		return nil, nil
	}
	query := map[string]any{}
	for name, values := range x.request.URL.Query() {
		query[name] = values[0]
	}
	path, _, _ := strings.Cut(x.path, "?")
	request = map[string]any{
		"sim": x.sim, "method": x.request.Method, "path": path, "query": query, "headers": lowered(x.request.Header),
		"json": decoded(x.sent), "body": string(x.sent),
	}
	if x.err != "" {
		return request, nil
	}
	return request, map[string]any{
		"status": x.status, "headers": lowered(x.header), "json": decoded(x.body), "body": string(x.body),
	}
}

// lowered is a header with lower-case names and their first values.
func lowered(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		if len(values) > 0 {
			out[strings.ToLower(name)] = values[0]
		}
	}
	return out
}

// decoded is a body as JSON, or nil.
func decoded(body []byte) any {
	v, err := strictjson.Decode(body)
	if err != nil {
		return nil
	}
	return v
}

func unescape(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}
