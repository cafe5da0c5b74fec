package bts

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mocksrv/mocksrv/sims"
)

// account is a customer of the provider.
type account struct {
	ID       string `json:"id"` // the claim uid of its tokens
	Login    string `json:"login"`
	Password string `json:"password"`
}

// accounts holds them by login; they are found by uid.
func accounts(tx sims.Tx) sims.Table[account] {
	return sims.TableOf(tx, "accounts", func(a account) []string { return []string{"uid/" + a.ID} })
}

// What the account has that every sandbox starts with (login-account), where nothing else is given. Its login is the same
// in every sandbox; what leads a request to its sandbox is the claim uid of the token.
const (
	readyLogin    = "username"
	readyPassword = "password"
)

func seed(e *sims.Env) sims.Credentials {
	login, password := readyAccount(e), readyPassword
	if e.AccountName != sims.DefaultAccount {
		password = e.Fixed("password").Alphanumeric(16)
	}
	a := account{ID: e.Fixed("account").UUID(), Login: login, Password: e.Ready("password", password)}
	accounts(e.Tx).Put(a.Login, a)
	e.Tx.Claim(a.ID)
	return sims.Credentials{"login": a.Login, "password": a.Password}
}

// readyAccount is the login of the ready-made credentials; that of another account is its name.
func readyAccount(e *sims.Env) string {
	if e.AccountName != sims.DefaultAccount {
		return e.Ready("login", e.AccountName)
	}
	return e.Ready("login", readyLogin)
}

// given obeys auth-fields. A token cannot be given: it is signed.
func given() map[string]func(*sims.Env, string) error {
	return map[string]func(*sims.Env, string) error{
		"login": func(e *sims.Env, value string) error {
			if _, taken := accounts(e.Tx).Get(value); taken {
				return errors.New("another account has it; want one that is free")
			}
			return checkLength(value)
		},
		"password": func(_ *sims.Env, value string) error { return checkLength(value) },
	}
}

func checkLength(value string) error {
	if n := utf8.RuneCountInString(value); n < 1 || n > 255 {
		return fmt.Errorf("it has %d characters; want 1 to 255", n)
	}
	return nil
}

// reveal makes the ready-made token: an RSA signature is too costly for every sandbox. Its instant is fixed, so that it
// is the same whatever the clock says.
func reveal(e *sims.Env, credentials sims.Credentials) {
	a, _ := accounts(e.Tx).Get(credentials["login"])
	credentials["token"] = signed(readyClaims(a))
}

func readyClaims(a account) claims { return claims{UID: a.ID, Use: useAccess, IssuedAt: readyIssuedAt} }

// credential is the claim uid of the bearer token, unverified: it only chooses the sandbox.
func credential(r *http.Request) string { return unverified(bearer(r.Header)).UID }

// bearer returns the token of the Authorization header, or "".
func bearer(h http.Header) string {
	jwt, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(jwt)
}

// checkBearer obeys the ledger entries methods and credentials, in the order of check-order.
func checkBearer(c *sims.Call, _ []string) error {
	if allowed := allowedMethods(c.Policies); !slices.Contains(allowed, c.Method) {
		return methodOff(c.Method, allowed)
	}
	jwt := bearer(c.Header)
	if jwt == "" {
		return invalidCredentials(sims.SawNoBearer(c.Header))
	}
	t, ok := issued(c.Tx, jwt)
	switch {
	case !ok:
		return invalidCredentials(unknownToken(jwt))
	case t.Use != useAccess:
		return invalidCredentials("a refresh token in the place of an access token")
	case t.expired(c.Now):
		return invalidCredentials(c.SawExpired("an access token", t.ExpiresAt))
	}
	c.Principal = t.Account
	return nil
}

func caller(c *sims.Call) string {
	login, _ := c.Principal.(string)
	return login
}

// allowedMethods are those of the webhook configuration (methods).
func allowedMethods(p sims.Policies) []string {
	switch p.Enum("methods") {
	case "get_only":
		return []string{http.MethodGet}
	case "post_only":
		return []string{http.MethodPost}
	default:
		return []string{http.MethodGet, http.MethodPost}
	}
}

// checkAccept obeys accept-header.
func checkAccept(c *sims.Call) error {
	accept := strings.Join(c.Header.Values("Accept"), ", ")
	if strings.TrimSpace(accept) == "" {
		if c.Policies.Enum("accept_header") == "required" {
			return notAcceptable("no Accept header")
		}
		return nil
	}
	for mediaRange := range strings.SplitSeq(accept, ",") {
		if coversJSON(mediaRange) {
			return nil
		}
	}
	return notAcceptable("Accept: " + accept)
}

// coversJSON reports whether one range of an Accept header lets application/json through.
func coversJSON(mediaRange string) bool {
	parts := strings.Split(mediaRange, ";")
	switch strings.ToLower(strings.TrimSpace(parts[0])) {
	case "application/json", "application/*", "*/*":
	default:
		return false
	}
	for _, param := range parts[1:] {
		if q, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			weight, err := strconv.ParseFloat(q, 64)
			return err != nil || weight > 0
		}
	}
	return true
}

// authorize makes a request as a client does: both content headers, and the token where one is needed.
func authorize(r *sims.ClientRequest) error {
	for _, name := range []string{"Accept", "Content-Type"} {
		if r.Header.Get(name) == "" {
			r.Header.Set(name, "application/json")
		}
	}
	if r.Operation != "login" && r.Operation != "refresh" {
		r.Header.Set("Authorization", "Bearer "+r.Credentials["token"])
	}
	return nil
}

func curl(base string, credentials sims.Credentials) string {
	return fmt.Sprintf(`curl -s -X GET %s/v1/webhook/webhook-config -H 'Authorization: Bearer %s' `+
		`-H 'Content-Type: application/json' -H 'Accept: application/json' `+
		`-d '{"webhook_url":"http://127.0.0.1:9000/bts","environment":"production","has_token":true,"itx-apiKey":""}'`,
		base, credentials["token"])
}
