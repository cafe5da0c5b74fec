package bankly

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The scopes the operations ask for.
const (
	scopeRead  = "webhook.read"
	scopeWrite = "webhook.write"
)

// token is a bearer token. One whose ExpiresAt is zero never expires.
type token struct {
	ClientID  string    `json:"client_id"`
	Company   string    `json:"company"`
	Scopes    []string  `json:"scopes"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// tokens holds them by value; those that expire are found by expiring, in the order in which they were issued.
func tokens(tx sims.Tx) sims.Table[token] {
	return sims.TableOf(tx, tokensTable, func(t token) []string {
		if t.ExpiresAt.IsZero() {
			return nil
		}
		return []string{expiringKey}
	})
}

const (
	tokensTable = "tokens"
	expiringKey = "expiring"
)

// expired obeys token-response: at its last instant a token is expired.
func (t token) expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

// client is a known client.
type client struct {
	Company string `json:"company"` // companyKey
}

// clients holds them by client id.
func clients(tx sims.Tx) sims.Table[client] { return sims.TableOf[client](tx, "clients", nil) }

func seed(e *sims.Env) sims.Credentials {
	clientID := e.Ready("client_id", e.Fixed("client id").UUID())
	full := e.Ready("token", e.Fixed("token").Base64URL(32))
	read := e.Ready("read_token", e.Fixed("read token").Base64URL(32))
	clients(e.Tx).Put(clientID, client{Company: readyCompany(e)})
	tokens(e.Tx).Put(full, token{ClientID: clientID, Company: readyCompany(e), Scopes: []string{scopeRead, scopeWrite}})
	tokens(e.Tx).Put(read, token{ClientID: clientID, Company: readyCompany(e), Scopes: []string{scopeRead}})
	for _, name := range []string{clientID, full, read} {
		e.Tx.Claim(name)
	}
	return sims.Credentials{"client_id": clientID, "token": full, "read_token": read}
}

// readyCompany is that of the ready-made credentials; that of another account has its name (company-scope).
func readyCompany(e *sims.Env) string {
	if e.AccountName != sims.DefaultAccount {
		return strings.ToUpper(e.AccountName)
	}
	return companyKey
}

// given wants values that can be sent and that nobody else has.
func given() map[string]func(*sims.Env, string) error {
	taken := errors.New("another account has it; want one that is free")
	token := func(e *sims.Env, value string) error {
		if _, exists := tokens(e.Tx).Get(value); exists {
			return taken
		}
		return sims.HeaderSafe(e, value)
	}
	return map[string]func(*sims.Env, string) error{
		"client_id": func(e *sims.Env, value string) error {
			if _, exists := clients(e.Tx).Get(value); exists {
				return taken
			}
			return sims.HeaderSafe(e, value)
		},
		"token": token, "read_token": token,
	}
}

// owner is the company of a client.
func owner(e *sims.Env, credentials sims.Credentials) string {
	known, _ := clients(e.Tx).Get(credentials["client_id"])
	return known.Company
}

// caller is the company that calls (company-scope).
func caller(c *sims.Call) string {
	known, _ := c.Principal.(token)
	return known.Company
}

// credential is the bearer token; a request for a token has only the client_id in its form to tell whose it is.
func credential(r *http.Request) string {
	if value := bearer(r.Header); value != "" {
		return value
	}
	if r.Method == http.MethodPost && r.Body != nil && strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		return peekClientID(r)
	}
	return ""
}

// peekSize is more than the fields before client_id can hold.
const peekSize = 8 << 10

// peekClientID reads the start of the body and puts it back.
func peekClientID(r *http.Request) string {
	start, err := io.ReadAll(io.LimitReader(r.Body, peekSize))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), r.Body), r.Body}
	if err != nil {
		return "" // whoever reads the rest meets the error again
	}
	form, err := url.ParseQuery(string(start))
	if err != nil {
		return ""
	}
	return form.Get("client_id")
}

// bearer returns the token of the Authorization header, or "".
func bearer(h http.Header) string {
	scheme, value, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

// checkToken obeys credentials and permission.
func checkToken(c *sims.Call, scopes []string) error {
	sent := bearer(c.Header)
	known, ok := tokens(c.Tx).Get(sent)
	switch {
	case sent == "":
		return unauthorized(sims.SawNoBearer(c.Header))
	case !ok:
		return unauthorized("the token " + sims.Excerpt(sent, 12) + ", which this sandbox does not know: issued elsewhere, or expired")
	case known.expired(c.Now):
		return unauthorized(c.SawExpired("a token", known.ExpiresAt))
	}
	for _, scope := range scopes {
		if !slices.Contains(known.Scopes, scope) {
			return forbidden(known.Scopes, scope)
		}
	}
	c.Principal = known
	return nil
}

// checkVersion obeys api-version.
func checkVersion(c *sims.Call) error {
	if c.Operation == opIssueToken || c.Header.Get("Api-Version") == "1.0" {
		return nil
	}
	return invalidVersion(c.Header)
}

// finish obeys correlation-id: a new one for every reply, whatever the client sent.
func finish(c *sims.Call, r *sims.Reply) {
	if r.Header == nil {
		r.Header = make(http.Header, 2)
	}
	r.Header.Set("X-Bkly-Correlation-Id", c.Derived("correlation", c.N).UUID())
}

// authorize makes a request as a client does. The token endpoint takes a client_id in its form instead.
func authorize(r *sims.ClientRequest) error {
	if r.Operation == opIssueToken {
		return nil
	}
	r.Header.Set("Authorization", "Bearer "+r.Credentials["token"])
	if _, set := r.Header["Api-Version"]; !set {
		r.Header.Set("Api-Version", "1.0")
	}
	return nil
}

func curl(base string, credentials sims.Credentials) string {
	return fmt.Sprintf(`curl -s '%s/webhooks/configurations?status=Enabled&page=1&pageSize=50' `+
		`-H 'api-version: 1.0' -H 'Authorization: Bearer %s'`, base, credentials["token"])
}
