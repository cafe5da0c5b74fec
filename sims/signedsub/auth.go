package signedsub

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

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
		Key: e.Ready("key", e.Fixed("client key").Hex(32)), Secret: e.Ready("secret", e.Fixed("client secret").Hex(32)),
		Accounts: []string{readyAccount(e)},
	}
	clients(e.Tx).Put(c.Key, c)
	e.Tx.Claim(c.Key)
	return sims.Credentials{"key": c.Key, "secret": c.Secret, "account": c.Accounts[0]}
}

// readyAccount is the account of the ready-made credentials, in lower case (unknown-account).
func readyAccount(e *sims.Env) string {
	return strings.ToLower(e.Ready("account", "0x"+e.Fixed("account").Hex(40)))
}

// given obeys account-format.
func given() map[string]func(*sims.Env, string) error {
	taken := errors.New("another account has it; want one that is free")
	return map[string]func(*sims.Env, string) error{
		"key": func(e *sims.Env, value string) error {
			if _, exists := clients(e.Tx).Get(value); exists {
				return taken
			}
			return sims.HeaderSafe(e, value)
		},
		"secret": sims.HeaderSafe,
		"account": func(e *sims.Env, value string) error {
			if digits, err := hex.DecodeString(strings.TrimPrefix(value, "0x")); err != nil || len(digits) != 20 || len(value) != 42 {
				return errors.New("want 0x and 40 hexadecimal digits")
			}
			has := func(c client) bool { return slices.Contains(c.Accounts, strings.ToLower(value)) }
			if slices.ContainsFunc(clients(e.Tx).All(""), has) {
				return taken
			}
			return nil
		},
	}
}

func credential(r *http.Request) string { return r.Header.Get("Key") }

// checkKey obeys the ledger entry credentials.
func checkKey(c *sims.Call, _ []string) error {
	known, ok := clients(c.Tx).Get(c.Header.Get("Key"))
	if !ok {
		return invalidKey(c)
	}
	c.Principal = known
	return nil
}

// checkSign obeys the ledger entries signature and signature-case.
func checkSign(c *sims.Call, _ []string) error {
	want := signature(caller(c).Secret, c.Raw)
	got := c.Header.Get("Sign")
	switch {
	case hmac.Equal([]byte(got), []byte(want)):
		return nil
	case hmac.Equal([]byte(strings.ToLower(got)), []byte(want)):
		return wrongSign(c, "signature-case", want, "in upper case")
	default:
		return wrongSign(c, "signature", want, mistake(caller(c), c.Raw, got))
	}
}

func caller(c *sims.Call) client {
	known, _ := c.Principal.(client)
	return known
}

// callerAccount is the account that a call names, or the first of its client.
func callerAccount(c *sims.Call) string {
	accounts := caller(c).Accounts
	named, _ := c.Object()["account"].(string)
	if named = strings.ToLower(named); slices.Contains(accounts, named) {
		return named
	}
	if len(accounts) == 0 {
		return ""
	}
	return accounts[0]
}

// signature is the scheme of requests and deliveries alike: the secret is used as text, not hex-decoded.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// mistake is what went wrong with a signature, where it is one of the usual things.
func mistake(by client, body []byte, sent string) string {
	if sent == "" {
		return ""
	}
	h := sims.HMAC{Hash: crypto.SHA512, Key: by.Key, Secret: by.Secret, Text: body, Instead: rewritten(body)}
	return h.Mistake(sent)
}

// rewritten are texts that say the same as a body in other bytes: what a JSON library writes, and not what was sent.
func rewritten(body []byte) []sims.WrongText {
	const largest = 64 << 10
	texts := []sims.WrongText{
		{Name: "no body"},
		{Name: "the body without the white space around it", Text: bytes.TrimSpace(body)},
	}
	if len(body) > largest {
		return texts
	}
	add := func(name string, options ...jsontext.Options) {
		v := jsontext.Value(bytes.Clone(body))
		if v.Format(append(options, jsontext.PreserveRawStrings(true))...) == nil {
			texts = append(texts, sims.WrongText{Name: "the same JSON in other bytes: " + name, Text: v})
		}
	}
	colon, comma, sorted := jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true), jsontext.ReorderRawObjects(true)
	add("without spaces")
	add("with a space after each colon and comma", colon, comma)
	add("without spaces, keys sorted", sorted)
	add("with a space after each colon and comma, keys sorted", colon, comma, sorted)
	add("indented by two spaces", jsontext.WithIndent("  "))
	return texts
}

// window is how far a timestamp may be from the provider's clock, either way and inclusive (timestamp-window).
const window = 3 * time.Minute

// checkTimestamp runs before the other fields are looked at (timestamp-format, check-order).
func checkTimestamp(c *sims.Call) error {
	if c.Object() == nil {
		return nil // not an object at all: that is a bad request, found by the schema
	}
	value, given := c.Object()["timestamp"]
	sent, ok := value.(float64)
	switch {
	case !given:
		return invalidTimestamp("timestamp-format", "no timestamp", wantTimestamp)
	case !ok || sent != math.Trunc(sent):
		return invalidTimestamp("timestamp-format", "timestamp "+shown(value), wantTimestamp)
	case math.Abs(sent-float64(c.Edge.UnixMilli())) > float64(window.Milliseconds()):
		return invalidTimestamp("timestamp-window", c.SawTimestamp(sent, window), fmt.Sprintf("at most %v from %s", window, c.EdgeClock()))
	}
	return nil
}

const wantTimestamp = "a number without quotes and fraction: milliseconds since 1970"

// shown is a value as it was sent, or the start of it.
func shown(value any) string {
	text, _ := strictjson.Encode(value) // it was decoded from JSON
	if start := []rune(string(text)); len(start) > 100 {
		return string(start[:100]) + "…"
	}
	return string(text)
}

// authorize makes a request as a client does: current timestamp where the body is an object and none is given, then Key
// and Sign over the exact body.
func authorize(r *sims.ClientRequest) error {
	if body, err := strictjson.SetMember(r.Body, "timestamp", strconv.FormatInt(r.Now.UnixMilli(), 10)); err == nil && r.Stamps("timestamp") {
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
