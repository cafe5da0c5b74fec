package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// PlantedCall is a webhook that is to exist already.
type PlantedCall struct {
	URL      string         // "": an address where nobody listens
	Events   []string       // none: the provider's first, or one that is free
	Body     map[string]any // merged into the request: null takes a member away
	Disabled bool           // in the provider's disabled state
}

// ErrPlant refuses a webhook that the provider would not have.
var ErrPlant = errors.New("the webhook cannot exist")

// nowhere is an address where nobody listens.
const nowhere = "http://127.0.0.1:1/"

// Plant makes a webhook as a client of an account would have done at an instant: by the provider's own request, on the
// same path as any other, but unseen by journal, rules and metrics. An error says which rule of the provider is against it.
func (e *Engine) Plant(s *Sandbox, p *Provider, account string, planted PlantedCall, now time.Time) (sims.Webhook, error) {
	fail := func(err error) (sims.Webhook, error) {
		return sims.Webhook{}, fmt.Errorf("%s, account %s: %w", p.Name, account, err)
	}
	owner, ok := s.AccountOwner(account, p.Name)
	if !ok || p.Plant == nil {
		return fail(fmt.Errorf("%w: no such account; there are %s", ErrAccount, strings.Join(s.Accounts(), ", ")))
	}
	before, err := s.webhooksOf(p, owner)
	if err != nil {
		return fail(err)
	}
	if err := checkPlanted(p, planted, len(before)); err != nil {
		return fail(err)
	}
	planted.URL = cmp.Or(planted.URL, fmt.Sprintf("%s%s/%s/%d", nowhere, p.Name, account, len(before)+1))
	client, err := e.plantRequest(s, p, account, owner, planted, len(before), now)
	if err != nil {
		return fail(err)
	}
	if err := e.plant(s, p, client); err != nil {
		return fail(err)
	}
	made, err := s.plantedOf(p, owner, before, planted.URL)
	if err != nil || !planted.Disabled {
		return made, err
	}
	return s.disable(p, owner, made, now)
}

// checkPlanted refuses what the provider has no place for.
func checkPlanted(p *Provider, planted PlantedCall, existing int) error {
	switch n := len(planted.Events); {
	case p.Plant.Webhooks > 0 && existing >= p.Plant.Webhooks:
		return fmt.Errorf("%w: the account has %d already, and can have no more", ErrPlant, existing)
	case p.Plant.Events == 0 && n > 0:
		return fmt.Errorf("%w: it gets all events; leave out events", ErrPlant)
	case p.Plant.Events > 0 && n > p.Plant.Events:
		return fmt.Errorf("%w: %d event types; it can have %d: make several webhooks", ErrPlant, n, p.Plant.Events)
	case planted.Disabled && p.Plant.Disable == nil:
		return fmt.Errorf("%w: the provider disables none", ErrPlant)
	}
	return nil
}

// plantRequest is the request of a client that wants the webhook.
func (e *Engine) plantRequest(
	s *Sandbox, p *Provider, account, owner string, planted PlantedCall, n int, now time.Time,
) (*sims.ClientRequest, error) {
	var params map[string]string
	var query url.Values
	var body map[string]any
	err := s.View(func(tx store.Tx) error {
		seed := s.identity.Load().keys[p.Name].Value("planted/"+account, uint64(n))
		source := sims.PlantSource{
			Env: s.env(p, tx, now, now), N: n, URL: planted.URL, Events: planted.Events, Account: owner, Fake: sims.Fake(seed),
		}
		params, query, body = p.Plant.Body(source)
		return nil
	})
	if err != nil {
		return nil, err
	}
	data, err := strictjson.Encode(merged(body, planted.Body))
	if err != nil {
		return nil, err
	}
	op := p.Contract.Operations[p.Plant.Operation]
	client := &sims.ClientRequest{
		Operation: op.ID, Method: op.Method, URL: targetOf(op, params, query), Header: clientHeader(op), Body: data,
		Credentials: s.AccountCredentials(account, p.Name), Now: now,
	}
	return client, p.Authorize(client)
}

// merged is a JSON merge patch (RFC 7396).
func merged(object, patch map[string]any) map[string]any {
	object = maps.Clone(object)
	if object == nil {
		object = map[string]any{}
	}
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(object, name)
		case isObject:
			old, _ := object[name].(map[string]any)
			object[name] = merged(old, inner)
		default:
			object[name] = value
		}
	}
	return object
}

func targetOf(op *contract.Operation, params map[string]string, query url.Values) *url.URL {
	path := op.Path
	for name, value := range params {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	return &url.URL{Path: unescape(path), RawPath: path, RawQuery: query.Encode()}
}

// clientHeader has what the document asks for: a media type, and required headers with their first value.
func clientHeader(op *contract.Operation) http.Header {
	header := http.Header{"Accept": {"application/json"}}
	if types := keys(op.Body); len(types) > 0 {
		header.Set("Content-Type", types[0])
	}
	for _, param := range op.Params {
		if param.In == "header" && param.Required && len(param.Schema.Enum) > 0 {
			header.Set(param.Name, fmt.Sprint(param.Schema.Enum[0]))
		}
	}
	return header
}

// plant sends a request down the request path, as far as the handler.
func (e *Engine) plant(s *Sandbox, p *Provider, client *sims.ClientRequest) error {
	req := &request{
		http:     &http.Request{Method: client.Method, URL: client.URL, Header: client.Header},
		provider: p, sandbox: s,
		call: &sims.Call{
			Env: s.env(p, noTx{}, client.Now, client.Now), Method: client.Method, Path: client.URL.EscapedPath(),
			Header: client.Header, Query: client.URL.Query(),
		},
	}
	req.http.Body, req.http.ContentLength = http.NoBody, int64(len(client.Body))
	if len(client.Body) > 0 {
		req.http.Body = readCloser{bytes.NewReader(client.Body)}
	}
	return e.plantingError(req, e.perform(req))
}

// readCloser is a body that is in memory.
type readCloser struct{ *bytes.Reader }

// Close does nothing.
func (readCloser) Close() error { return nil }

func (e *Engine) perform(req *request) error {
	if err := req.readBody(nil); err != nil {
		return err
	}
	if err := req.route(); err != nil {
		return err
	}
	if err := e.authenticate(req); err != nil {
		return err
	}
	if err := req.validate(); err != nil {
		return err
	}
	_, err := e.handle(req)
	return err
}

// plantingError says which rule of the provider refused.
func (e *Engine) plantingError(req *request, err error) error {
	if _, refused := sims.AsFailure(err); !refused {
		return err
	}
	refusal := e.explain(req, err)
	return fmt.Errorf("%w: refused by %s.%s: saw %s, want %s", ErrPlant, req.provider.Name, refusal.Rule, refusal.Saw, refusal.Want)
}

// webhooksOf lists the webhooks of one account, by the sim's word for it.
func (s *Sandbox) webhooksOf(p *Provider, owner string) (all []sims.Webhook, err error) {
	err = s.View(func(tx store.Tx) error {
		all = p.Webhooks(s.Env(p, tx))
		return nil
	})
	other := func(w sims.Webhook) bool { return w.Account != owner || w.State == sims.Deleted }
	return slices.DeleteFunc(all, other), err
}

// plantedOf finds the webhook that was not there before, or was another; or else the one that points to the URL.
func (s *Sandbox) plantedOf(p *Provider, owner string, before []sims.Webhook, to string) (sims.Webhook, error) {
	after, err := s.webhooksOf(p, owner)
	if err != nil {
		return sims.Webhook{}, err
	}
	old := make(map[string]sims.Webhook, len(before))
	for _, w := range before {
		old[w.ID] = w
	}
	for _, w := range slices.Backward(after) {
		if !reflect.DeepEqual(old[w.ID], w) {
			return w, nil
		}
	}
	for _, w := range slices.Backward(after) {
		if w.URL == to {
			return w, nil
		}
	}
	return sims.Webhook{}, fmt.Errorf("%w: the provider accepted it and does not list it", ErrPlant)
}

// disable puts a webhook into the provider's disabled state.
func (s *Sandbox) disable(p *Provider, owner string, w sims.Webhook, now time.Time) (sims.Webhook, error) {
	err := s.Update(func(tx store.Tx) error { return p.Plant.Disable(s.env(p, tx, now, now), w.ID) })
	if err != nil {
		return sims.Webhook{}, err
	}
	all, err := s.webhooksOf(p, owner)
	if at := slices.IndexFunc(all, func(now sims.Webhook) bool { return now.ID == w.ID }); at >= 0 {
		w = all[at]
	}
	return w, err
}
