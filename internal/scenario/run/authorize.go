package run

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

// long is how far in the past a stale request says it was made: outside of every provider's window.
const long = 30 * 24 * time.Hour

func wallNow() time.Time { return clock.WallNow() }

// authorize authenticates a request as its account: rightly, or wrong in one of the ways that clients are wrong.
func authorize(p *engine.Provider, c *sims.ClientRequest, token, sign string) error {
	if token != "" {
		if err := replaceToken(p, c, token); err != nil {
			return err
		}
	}
	switch sign {
	case "", "right":
		return p.Authorize(c)
	case "wrong":
		return authorizeWrongly(p, c)
	case "stale":
		return authorizeLate(p, c)
	default:
		return fmt.Errorf("sign: want right, wrong, stale or none, got %q", sign)
	}
}

// replaceToken puts another value in the place of the credential that is sent as it is: the name of another credential of
// the account, or the value itself.
func replaceToken(p *engine.Provider, c *sims.ClientRequest, token string) error {
	sent, err := authorized(p, *c, c.Now)
	if err != nil {
		return err
	}
	bearer := ""
	for name, value := range c.Credentials {
		// Of several that are sent the token is meant: the one that is called so.
		if value != "" && slices.ContainsFunc(sent.added(c), func(f field) bool { return strings.HasSuffix(f.value, value) }) &&
			(bearer == "" || name == "token" || bearer != "token" && name < bearer) {
			bearer = name
		}
	}
	if bearer == "" {
		return errors.New("token: no credential is sent as it is with this operation, so there is none to replace")
	}
	if other, ok := c.Credentials[token]; ok {
		token = other
	}
	c.Credentials = maps.Clone(c.Credentials)
	c.Credentials[bearer] = token
	return nil
}

// authorizeWrongly authenticates with a signature that does not fit, or where nothing is signed, with a token nobody has.
func authorizeWrongly(p *engine.Provider, c *sims.ClientRequest) error {
	right, err := authorized(p, *c, c.Now)
	if err != nil {
		return err
	}
	other := *c
	other.Credentials = maps.Clone(c.Credentials)
	for name, value := range other.Credentials {
		other.Credentials[name] = altered(value)
	}
	elsewhere, err := authorized(p, other, c.Now)
	if err != nil {
		return err
	}
	var signatures, tokens []field
	for _, f := range right.added(c) {
		switch {
		case right.get(f) == elsewhere.get(f): // depends on no credential
		case slices.ContainsFunc(slices.Collect(maps.Values(c.Credentials)), func(v string) bool { return v != "" && strings.Contains(f.value, v) }):
			tokens = append(tokens, f)
		default:
			signatures = append(signatures, f)
		}
	}
	wrong := signatures
	if len(wrong) == 0 {
		wrong = tokens
	}
	if len(wrong) == 0 {
		return errors.New("sign: this operation is called without credentials, so they cannot be wrong")
	}
	*c = right.ClientRequest
	for _, f := range wrong {
		right.set(f, altered(f.value))
	}
	return nil
}

// authorizeLate authenticates with the timestamp of long ago.
func authorizeLate(p *engine.Provider, c *sims.ClientRequest) error {
	now, err := authorized(p, *c, c.Now)
	if err != nil {
		return err
	}
	late, err := authorized(p, *c, c.Now.Add(-long))
	if err != nil {
		return err
	}
	if string(now.Body) == string(late.Body) && slices.Equal(now.added(c), late.added(c)) {
		return errors.New("sign: requests of this operation carry no timestamp, so they cannot be stale")
	}
	*c = late.ClientRequest
	return nil
}

// attempt is an authenticated copy of a request.
type attempt struct{ sims.ClientRequest }

func authorized(p *engine.Provider, c sims.ClientRequest, now time.Time) (*attempt, error) {
	at := *c.URL
	c.URL, c.Header, c.Now = &at, c.Header.Clone(), now
	c.Body = slices.Clone(c.Body)
	err := p.Authorize(&c)
	return &attempt{c}, err
}

// field is a header or a query parameter.
type field struct {
	inQuery     bool
	name, value string
}

// added are the fields that authentication has added or changed, in order.
func (a *attempt) added(before *sims.ClientRequest) []field {
	var all []field
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if value := a.Header[name][0]; !slices.Contains(before.Header[name], value) {
			all = append(all, field{name: name, value: value})
		}
	}
	was := before.URL.Query()
	query := a.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(was[name], query[name][0]) {
			all = append(all, field{inQuery: true, name: name, value: query[name][0]})
		}
	}
	return all
}

func (a *attempt) get(f field) string {
	if f.inQuery {
		return a.URL.Query().Get(f.name)
	}
	return strings.Join(a.Header[f.name], "")
}

// set changes a field in place.
func (a *attempt) set(f field, value string) {
	if !f.inQuery {
		a.Header[f.name] = []string{value}
		return
	}
	query, _ := url.ParseQuery(a.URL.RawQuery)
	query.Set(f.name, value)
	a.URL.RawQuery = query.Encode()
}

// altered is a text of the same form with another letter or digit near its end.
func altered(text string) string {
	isLetter := func(b byte) bool { return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
	out := []byte(text)
	for i := len(out) - 1; i >= 0; i-- {
		if !isLetter(out[i]) || i > len(out)-4 && len(out) > 8 { // the last letters of base64 may say nothing
			continue
		}
		switch out[i] {
		case '9', 'z', 'Z':
			out[i]--
		case 'f', 'F':
			out[i]-- // a hexadecimal digit stays one
		default:
			out[i]++
		}
		break
	}
	return string(out)
}
