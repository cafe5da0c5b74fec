package hsrcpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// The kinds of token (credentials-kinds).
const (
	accessToken    = "access token"
	secretKey      = "secret key"
	publishableKey = "publishable key"
)

// The data sets (test-and-live).
const (
	test = "test"
	live = "live"
)

// apiKey is an issued secret or publishable key.
type apiKey struct {
	Token   string `json:"token"`
	Account string `json:"account"`
}

// apiKeys holds them by the hash of the token, so that looking one up takes no longer for a token that is nearly right.
func apiKeys(tx sims.Tx) sims.Table[apiKey] { return sims.TableOf[apiKey](tx, "api keys", nil) }

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// principal is who a token acts for, and in which data set.
type principal struct {
	Account string
	Mode    string
}

func seed(e *sims.Env) sims.Credentials {
	credentials := sims.Credentials{
		"secret_key":      e.Ready("secret_key", "sk_test_"+e.Fixed("secret key").Alphanumeric(32)),
		"live_secret_key": e.Ready("live_secret_key", "sk_live_"+e.Fixed("live secret key").Alphanumeric(32)),
		"publishable_key": e.Ready("publishable_key", "pk_test_"+e.Fixed("publishable key").Alphanumeric(32)),
		"account_id":      readyAccount(e),
	}
	for _, name := range []string{"secret_key", "live_secret_key", "publishable_key"} {
		apiKeys(e.Tx).Put(hashed(credentials[name]), apiKey{Token: credentials[name], Account: readyAccount(e)})
		e.Tx.Claim(credentials[name])
	}
	e.Tx.Claim(readyAccount(e))
	return credentials
}

// readyAccount is the account of the ready-made credentials.
func readyAccount(e *sims.Env) string {
	return e.Ready("account_id", "acct_"+e.Fixed("account").Alphanumeric(24))
}

// given obeys credentials-kinds, credentials-order, test-and-live and ids.
func given() map[string]func(*sims.Env, string) error {
	key := func(prefix, wantKind, wantMode string) func(*sims.Env, string) error {
		return func(e *sims.Env, value string) error {
			if !strings.HasPrefix(value, prefix) || kind(value) != wantKind || mode(value) != wantMode {
				return fmt.Errorf("want %s and more, as a %s for %s data", prefix, wantKind, wantMode)
			}
			if _, taken := apiKeys(e.Tx).Get(hashed(value)); taken {
				return errTaken()
			}
			return sims.HeaderSafe(e, value)
		}
	}
	return map[string]func(*sims.Env, string) error{
		"secret_key":      key("sk_test_", secretKey, test),
		"live_secret_key": key("sk_live_", secretKey, live),
		"publishable_key": key("pk_test_", publishableKey, test),
		"account_id":      checkGivenAccount,
	}
}

func checkGivenAccount(e *sims.Env, value string) error {
	if !strings.HasPrefix(value, "acct_") {
		return errors.New("want acct_ and more")
	}
	if slices.ContainsFunc(apiKeys(e.Tx).All(""), func(k apiKey) bool { return k.Account == value }) {
		return errTaken()
	}
	return sims.HeaderSafe(e, value)
}

func errTaken() error { return errors.New("another account has it; want one that is free") }

// credential is the token; access tokens are not issued here, so with one it is the account that leads to a sandbox.
func credential(r *http.Request) string {
	token := bearer(r.Header)
	if kind(token) == accessToken {
		return r.URL.Query().Get("account_id")
	}
	return token
}

// bearer returns the token of the Authorization header, or "".
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// kind obeys credentials-kinds and credentials-order. "" is a token of no kind.
func kind(token string) string {
	switch {
	case isJWT(token):
		return accessToken
	case strings.Contains(token[:min(len(token), 32)], "sk_"):
		return secretKey
	case strings.Contains(token, "pk_"):
		return publishableKey
	}
	return ""
}

// mode obeys test-and-live.
func mode(token string) string {
	if strings.Contains(token, "_test_") {
		return test
	}
	return live
}

// checkBearer obeys credentials and permission.
func checkBearer(c *sims.Call, _ []string) error {
	token := bearer(c.Header)
	if token == "" {
		return missingToken(c.Header)
	}
	if kind(token) == accessToken {
		return checkJWT(c, token)
	}
	known, ok := apiKeys(c.Tx).Get(hashed(token))
	if !ok || !hmac.Equal([]byte(known.Token), []byte(token)) {
		return invalidToken("credentials", token, "Authorization: Bearer with "+sims.ReadyMade("secret_key"))
	}
	if kind(token) == publishableKey {
		return noPermission(c.Operation)
	}
	c.Principal = principal{Account: known.Account, Mode: mode(token)}
	return nil
}

// checkJWT obeys credentials-jwt.
func checkJWT(c *sims.Call, token string) error {
	if c.Policies.Enum("jwt") == "refuse" {
		return invalidToken("credentials-jwt", token, sims.ReadyMade("secret_key")+", as policy hsrcpay.jwt is refuse")
	}
	if exp, ok := expiry(token); ok && float64(c.Edge.UnixMilli())/1000 >= exp {
		return expiredToken(fmt.Sprintf("exp %.0f", exp), fmt.Sprintf("an exp after %d, by %s", c.Edge.Unix(), c.EdgeClock()))
	}
	c.Principal = principal{Account: readyAccount(c.Env), Mode: mode(token)}
	return nil
}

// isJWT obeys credentials-order: the shape decides.
func isJWT(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !strings.HasPrefix(token, "eyJ") {
		return false
	}
	for _, part := range parts {
		if part == "" || strings.ContainsFunc(part, notBase64URL) {
			return false
		}
	}
	return true
}

func notBase64URL(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// expiry returns the claim exp, in seconds since 1970. False: the token has none that can be read.
func expiry(token string) (float64, bool) {
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return 0, false
	}
	claims, err := strictjson.Decode(data)
	if err != nil {
		return 0, false
	}
	object, _ := claims.(map[string]any)
	exp, ok := object["exp"].(float64)
	return exp, ok
}

func caller(c *sims.Call) principal {
	known, _ := c.Principal.(principal)
	return known
}

// authorize makes a request as a client does: the secret key, and the type of the body.
func authorize(r *sims.ClientRequest) error {
	r.Header.Set("Authorization", "Bearer "+r.Credentials["secret_key"])
	if len(r.Body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return nil
}

func curl(base string, credentials sims.Credentials) string {
	return fmt.Sprintf(`curl -s %s/v1/webhooks/ -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' `+
		`-d '{"endpoint":"http://127.0.0.1:9000/hooks","enabled_events":["payment.*"]}'`, base, credentials["secret_key"])
}
