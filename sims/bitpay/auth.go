package bitpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The headers that carry credentials.
const (
	headerAPIKey = "X-BH-APIKEY"
	headerToken  = "X-BH-TOKEN"
)

// apiKey is a key with which tokens are generated.
type apiKey struct {
	Key     string `json:"key"`
	Secret  string `json:"secret"`
	Account string `json:"account"`
}

// token admits to the webhook operations. Without an end it is the ready-made one (token-ttl).
type token struct {
	Token     string    `json:"token"`
	Account   string    `json:"account"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func apiKeys(tx sims.Tx) sims.Table[apiKey] { return sims.TableOf[apiKey](tx, "api keys", nil) }

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

// expired obeys token-ttl: at its last instant a token is expired.
func (t token) expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

func seed(e *sims.Env) sims.Credentials {
	key := apiKey{
		Key: e.Ready("api_key", e.Fixed("api key").Hex(64)), Secret: e.Ready("api_secret", e.Fixed("api secret").Hex(64)),
		Account: readyAccount(e),
	}
	apiKeys(e.Tx).Put(key.Key, key)
	e.Tx.Claim(key.Key)
	ready := token{Token: e.Ready("token", e.Fixed("token").UUID()), Account: key.Account}
	issue(e, ready)
	return sims.Credentials{"api_key": key.Key, "api_secret": key.Secret, "token": ready.Token}
}

// given obeys api-key-format.
func given() map[string]func(*sims.Env, string) error {
	return map[string]func(*sims.Env, string) error{
		"api_key": func(e *sims.Env, value string) error {
			if _, taken := apiKeys(e.Tx).Get(value); taken {
				return errors.New("another account has it; want one that is free")
			}
			if !wellFormed(value) {
				return errors.New("want 16 to 128 letters, digits, hyphens and underscores")
			}
			return nil
		},
		"api_secret": sims.HeaderSafe,
		"token": func(e *sims.Env, value string) error {
			if _, taken := tokens(e.Tx).Get(value); taken {
				return errors.New("another account has it; want one that is free")
			}
			return sims.HeaderSafe(e, value)
		},
	}
}

// owner is the account of an API key.
func owner(e *sims.Env, credentials sims.Credentials) string {
	key, _ := apiKeys(e.Tx).Get(credentials["api_key"])
	return key.Account
}

// readyAccount is the account of the ready-made credentials.
func readyAccount(e *sims.Env) string {
	return strconv.FormatUint(100_000+e.Fixed("account").Uint64()%900_000, 10)
}

func issue(e *sims.Env, t token) {
	sims.DropOver(e.Tx, tokensTable, expiringKey, func(id string) bool {
		oldest, _ := tokens(e.Tx).Get(id)
		if oldest.expired(e.Now) {
			e.Tx.Release(id)
		}
		return oldest.expired(e.Now)
	})
	tokens(e.Tx).Put(t.Token, t)
	e.Tx.Claim(t.Token)
}

func credential(r *http.Request) string {
	if t := r.Header.Get(headerToken); t != "" {
		return t
	}
	return r.Header.Get(headerAPIKey)
}

// checkAPIKey obeys api-key-format and api-key-unknown.
func checkAPIKey(c *sims.Call, _ []string) error {
	key := c.Header.Get(headerAPIKey)
	if !wellFormed(key) {
		return malformedKey(c.Header)
	}
	known, ok := apiKeys(c.Tx).Get(key)
	if !ok {
		return unknownKey(c.Header)
	}
	c.Principal = known
	return nil
}

func wellFormed(key string) bool {
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}
	return len(key) >= 16 && len(key) <= 128 && !strings.ContainsFunc(key, odd)
}

// checkToken obeys credentials and token-ttl.
func checkToken(c *sims.Call, _ []string) error {
	text := c.Header.Get(headerToken)
	known, ok := tokens(c.Tx).Get(text)
	switch {
	case text == "":
		return unauthorized(sims.SawHeader(c.Header, headerToken))
	case !ok:
		return unauthorized(sims.SawHeader(c.Header, headerToken) + ", which this sandbox does not know: issued elsewhere, or expired")
	case known.expired(c.Now):
		return unauthorized(c.SawExpired("a token", known.ExpiresAt))
	}
	c.Principal = known
	return nil
}

// caller is the account of the token or the API key.
func caller(c *sims.Call) string {
	if key, ok := c.Principal.(apiKey); ok {
		return key.Account
	}
	known, _ := c.Principal.(token)
	return known.Account
}

// tokenSignature obeys token-signature: it signs the timestamp as it was sent.
func tokenSignature(secret, timestamp string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("timestamp=" + timestamp))
	return mac.Sum(nil)
}

// authorize makes a request as a client does: with a fresh timestamp and its signature where a token is asked for, and
// with the token everywhere else.
func authorize(r *sims.ClientRequest) error {
	if strings.HasSuffix(r.URL.Path, "/v2/token/generate") {
		query := r.URL.Query()
		timestamp := strconv.FormatInt(r.Now.UnixMilli(), 10)
		if r.Stamps("timestamp") {
			query.Set("timestamp", timestamp)
		}
		timestamp = query.Get("timestamp")
		query.Set("signature", hex.EncodeToString(tokenSignature(r.Credentials["api_secret"], timestamp)))
		r.URL.RawQuery = query.Encode()
		r.Header.Set(headerAPIKey, r.Credentials["api_key"])
		return nil
	}
	if len(r.Body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set(headerToken, r.Credentials["token"])
	return nil
}

func curl(base string, credentials sims.Credentials) string {
	return fmt.Sprintf(`curl -s %s/v2/webhook -H 'Content-Type: application/json' -H '%s: %s' `+
		`-d '{"eventType":"ORDER_WEBHOOK","url":"https://localhost/callback"}'`, base, headerToken, credentials["token"])
}
