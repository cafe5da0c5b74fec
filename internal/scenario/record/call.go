package record

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// call adds a step that makes a call once more: as a client of the provider makes it, or as it was, where a client would
// not make it so.
func (r *recorder) call(x client.Exchange) error {
	s, ok := r.operationCall(x)
	if !ok {
		s = r.rawCall(x)
	}
	s.Expect = r.answer(x)
	r.add(s)
	return nil
}

// operationCall is the step of a call that a client would make. False: it has to be sent as it was.
func (r *recorder) operationCall(x client.Exchange) (s script.Step, ok bool) {
	p := r.provider(x.Sim)
	if p == nil || x.Operation == "" || refusedAtTheDoor(x) || len(x.Request.BodyBase64) > 0 {
		return s, false
	}
	op := p.Contract.Operations[x.Operation]
	at, err := url.Parse(x.Path)
	if err != nil {
		return s, false
	}
	params, ok := pathParams(op, at.EscapedPath())
	if !ok {
		return s, false
	}
	s.Call = x.Sim + "." + x.Operation
	if len(params) > 0 {
		s.Params, _ = r.refer(params).(map[string]any)
	}
	added := r.authentication(p, op, x, at)
	s.Query = r.query(at.Query(), added)
	s.Headers = r.headers(op, x)
	s.Token = r.token(p, x, added)
	s.Body = r.body(op, x)
	r.unstamp(p, op, x, at, s.Body)
	return s, true
}

func (r *recorder) refer(v any) any { return r.values.referAll(v, r.out.Steps) }

// refusedAtTheDoor: the provider did not accept who was calling, so that authenticating anew would change what happens.
func refusedAtTheDoor(x client.Exchange) bool {
	if x.Refusal == nil {
		return false
	}
	if x.Status == http.StatusUnauthorized || x.Status == http.StatusForbidden {
		return true
	}
	words := []string{"credential", "signature", "timestamp", "window", "token", "api-key", "expired", "scope", "recv"}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(x.Refusal.Rule, w) })
}

// pathParams reads the parameters out of a path. False: it is not the operation's.
func pathParams(op *contract.Operation, path string) (map[string]any, bool) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	want := strings.Split(strings.TrimSuffix(op.Path, "/"), "/")
	if len(parts) != len(want) {
		return nil, false
	}
	params := map[string]any{}
	for i, part := range want {
		name, isParam := strings.CutPrefix(part, "{")
		if !isParam {
			if part != parts[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(parts[i])
		if err != nil || !strings.HasSuffix(name, "}") {
			return nil, false
		}
		params[strings.TrimSuffix(name, "}")] = value
	}
	return params, true
}

// authentication is what authenticating adds to the request: headers and query parameters, by name.
func (r *recorder) authentication(p *engine.Provider, op *contract.Operation, x client.Exchange, at *url.URL) http.Header {
	c, err := r.authorized(p, op, x, at, x.At)
	if err != nil {
		return http.Header{}
	}
	added := c.Header
	for name, values := range c.URL.Query() {
		added["?"+name] = values
	}
	return added
}

// authorized is the request without its query, authenticated anew at an instant.
func (r *recorder) authorized(p *engine.Provider, op *contract.Operation, x client.Exchange, at *url.URL, now time.Time) (sims.ClientRequest, error) {
	bare := *at
	bare.RawQuery = ""
	c := sims.ClientRequest{
		Operation: op.ID, Method: op.Method, URL: &bare, Header: http.Header{}, Body: []byte(x.Request.Body),
		Credentials: r.sandbox.Sims[p.Name].Credentials, Now: now,
	}
	return c, p.Authorize(&c)
}

// unstamp takes the members away that tell when a request was made: authentication sets them anew.
func (r *recorder) unstamp(p *engine.Provider, op *contract.Operation, x client.Exchange, at *url.URL, body any) {
	object, _ := body.(map[string]any)
	var members [2]map[string]any
	for i := range members {
		c, err := r.authorized(p, op, x, at, x.At.Add(time.Duration(i)*time.Hour))
		if err != nil {
			return
		}
		plain, _ := strictjson.Decode(c.Body) // no object has no members
		members[i], _ = plain.(map[string]any)
	}
	for name := range members[0] {
		if !reflect.DeepEqual(members[0][name], members[1][name]) {
			delete(object, name)
		}
	}
}

// query are the parameters that authentication does not add.
func (r *recorder) query(sent url.Values, added http.Header) map[string]any {
	out := map[string]any{}
	for name, values := range sent {
		if _, again := added["?"+name]; again {
			continue
		}
		if len(values) == 1 {
			out[name] = r.refer(values[0])
			continue
		}
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = r.refer(v)
		}
		out[name] = list
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// headers are those that the operation reads, and a media type that is not its own.
func (r *recorder) headers(op *contract.Operation, x client.Exchange) map[string]string {
	out := map[string]string{}
	for _, p := range op.Params {
		if value := first(x.Request.Headers, p.Name); p.In == "header" && (value != "" || p.Required) {
			out[p.Name] = r.values.refer(value, r.out.Steps)
		}
	}
	sent := first(x.Request.Headers, "Content-Type")
	if declared := slices.Sorted(maps.Keys(op.Body)); x.Request.Body != "" && !slices.Contains(declared, sent) || sent != "" && len(declared) > 1 {
		out["Content-Type"] = sent
	}
	if accept := first(x.Request.Headers, "Accept"); accept != "application/json" && x.Status >= http.StatusBadRequest {
		out["Accept"] = accept
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func first(headers map[string][]string, name string) string {
	for have, values := range headers {
		if strings.EqualFold(have, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// token names the credential that was sent, when it is another than the one that is sent by itself.
func (r *recorder) token(p *engine.Provider, x client.Exchange, added http.Header) string {
	ready := r.sandbox.Sims[p.Name].Credentials
	for name, values := range added {
		sent := first(x.Request.Headers, name)
		if sent == values[0] || sent == "" {
			continue
		}
		for _, credential := range slices.Sorted(maps.Keys(ready)) {
			if strings.HasSuffix(sent, ready[credential]) {
				return credential
			}
		}
		scheme, token, two := strings.Cut(sent, " ")
		if !two {
			token = scheme
		}
		if referred, _ := r.refer(token).(string); referred != token {
			return referred
		}
	}
	return ""
}

// body is what was sent: JSON and forms as data, anything else as text.
func (r *recorder) body(op *contract.Operation, x client.Exchange) any {
	if x.Request.Body == "" {
		if len(op.Body) > 0 {
			return "" // without it the example would be sent
		}
		return nil
	}
	if strings.HasPrefix(first(x.Request.Headers, "Content-Type"), "application/x-www-form-urlencoded") {
		return r.refer(x.Request.Body)
	}
	v, err := strictjson.Decode([]byte(x.Request.Body))
	if _, isText := v.(string); err != nil || isText {
		return r.refer(x.Request.Body)
	}
	return r.refer(v)
}

// rawCall sends what was sent, with the credentials of the sandbox where they stood.
func (r *recorder) rawCall(x client.Exchange) script.Step {
	raw := &script.Raw{Sim: x.Sim, Method: x.Method, Headers: map[string]string{}}
	raw.Path, _ = r.refer(x.Path).(string)
	raw.Body, _ = r.refer(x.Request.Body).(string)
	for name, values := range x.Request.Headers {
		if len(values) > 0 && !slices.Contains(ofConnection(), strings.ToLower(name)) {
			raw.Headers[name], _ = r.refer(values[0]).(string)
		}
	}
	return script.Step{Raw: raw}
}

// ofConnection are the headers that an HTTP client sets by itself, or that lead to the sandbox.
func ofConnection() []string {
	return []string{"accept-encoding", "connection", "content-length", "host", "mocksrv-sandbox", "traceparent", "tracestate", "user-agent"}
}

// answer is what is expected of a call.
func (r *recorder) answer(x client.Exchange) *script.Expect {
	e := &script.Expect{Status: x.Status, Rules: x.Rules}
	if x.Refusal != nil {
		e.Refusal = x.Refusal.Rule
	}
	if x.Fault != "" {
		return &script.Expect{Error: "broken", Rules: x.Rules}
	}
	name := x.Operation
	if name == "" {
		name = x.Sim
	}
	got, err := strictjson.Decode([]byte(x.Response.Body))
	if _, isText := got.(string); err == nil && got != nil && !isText {
		e.Body = r.values.expect(got, source{step: len(r.out.Steps), name: name, expression: "response.json"}, "", r.out.Steps)
	}
	return e
}
