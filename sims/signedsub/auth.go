package signedsub

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// client is a gateway client of the provider: a key pair and the accounts it may act for.
type client struct {
	Key      string   `json:"key"`
	Secret   string   `json:"secret"`
	Accounts []string `json:"accounts"` // lower case
}

// clients holds them by public key.
func clients(tx sims.Tx) sims.Table[client] { return sims.TableOf[client](tx, "clients", nil) }

func seed(e *sims.Env) sims.Credentials {
	c := client{
		Key: e.Fixed("client key").Hex(32), Secret: e.Fixed("client secret").Hex(32),
		Accounts: []string{"0x" + e.Fixed("account").Hex(40)},
	}
	clients(e.Tx).Put(c.Key, c)
	e.Tx.Claim(c.Key)
	return sims.Credentials{"key": c.Key, "secret": c.Secret, "account": c.Accounts[0]}
}

func credential(r *http.Request) string { return r.Header.Get("Key") }

// checkKey obeys the ledger entry credentials.
func checkKey(c *sims.Call, _ []string) error {
	key := c.Header.Get("Key")
	known, ok := clients(c.Tx).Get(key)
	if !ok {
		return invalidKey(c, key)
	}
	c.Principal = known
	return nil
}

// checkSign obeys the ledger entries signature and signature-case.
func checkSign(c *sims.Call, _ []string) error {
	want := signature(caller(c).Secret, c.Raw)
	if got := c.Header.Get("Sign"); !hmac.Equal([]byte(got), []byte(want)) {
		return wrongSign(c, got, want)
	}
	return nil
}

func caller(c *sims.Call) client {
	known, _ := c.Principal.(client)
	return known
}

// signature is the scheme of requests and deliveries alike: the secret is used as text, not hex-decoded.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// window is how far a timestamp may be from the provider's clock, either way and inclusive (timestamp-window).
const window = 3 * time.Minute

// checkTimestamp runs before the other fields are looked at (timestamp-format, check-order).
func checkTimestamp(c *sims.Call) error {
	number, ok := c.Object()["timestamp"].(float64)
	if len(c.Raw) == 0 || c.Object() == nil {
		return nil // not an object at all: that is a bad request, found by the schema
	}
	if !ok || number != float64(int64(number)) {
		return invalidTimestamp("timestamp-format", fmt.Sprint(c.Object()["timestamp"]), "an integer of milliseconds since 1970")
	}
	off := int64(number) - c.Edge.UnixMilli()
	if off > window.Milliseconds() || off < -window.Milliseconds() {
		return invalidTimestamp("timestamp-window", fmt.Sprintf("%d, which is %+d ms from the provider's clock", int64(number), off),
			fmt.Sprintf("%d ± %d ms", c.Edge.UnixMilli(), window.Milliseconds()))
	}
	return nil
}

// authorize makes a request as a client does: current timestamp where the body is an object, then Key and Sign over
// the exact body.
func authorize(r *sims.ClientRequest) error {
	if body, err := strictjson.SetMember(r.Body, "timestamp", strconv.FormatInt(r.Now.UnixMilli(), 10)); err == nil {
		r.Body = body
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Key", r.Credentials["key"])
	r.Header.Set("Sign", signature(r.Credentials["secret"], r.Body))
	return nil
}

func curl(base string, credentials sims.Credentials) string {
	return fmt.Sprintf(`BODY='{"account":"%s","timestamp":'$(date +%%s000)'}'; `+
		`curl -s %s/api/v1/subscription/webhook -H 'Content-Type: application/json' -H 'Key: %s' `+
		`-H "Sign: $(printf %%s "$BODY" | openssl dgst -sha512 -hmac %s | sed 's/.* //')" -d "$BODY"`,
		credentials["account"], base, credentials["key"], credentials["secret"])
}
