package delivery_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// compared is a delivery whose receiver tells what it computed.
type compared struct {
	*simtest.World
	sent delivery.Delivery
	last delivery.Attempt
}

func delivered(t *testing.T, name string) *compared {
	t.Helper()
	p := providers()[name]
	w := simtest.New(t, p.sim())
	p.hook(w, played(w).URL()+"/hook?a=1")
	sent := w.Emit(simtest.Event{Type: p.event, Data: object{"zzz": "é <&> 7", "aaa": []any{1.5, true}}})[0]
	require.Equal(t, delivery.Delivered, sent.State)
	return &compared{World: w, sent: sent, last: sent.Attempts[0]}
}

// says requires one finding with this cause, whose detail contains a text.
func (c *compared) says(claim delivery.Claim, cause, detail string) {
	c.T.Helper()
	findings, err := c.Dispatcher.Compare(c.Sandbox, c.sent.ID, 0, claim)
	require.NoError(c.T, err)
	require.Len(c.T, findings, 1, "%+v", findings)
	require.Equal(c.T, cause, findings[0].Cause, findings[0].Detail)
	require.Contains(c.T, findings[0].Detail, detail)
}

func sum(newHash func() hash.Hash, key, text string) []byte {
	h := hmac.New(newHash, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// receivers compute what a provider's receiver would, from a body, a key, and a clock that is off.
func receivers(c *compared) map[string]func(body, key string, off time.Duration) string {
	stamp := func(off time.Duration) string { return strconv.FormatInt(c.last.Signed.EdgeAt.Add(off).Unix(), 10) }
	return map[string]func(string, string, time.Duration) string{
		"signedsub": func(body, key string, _ time.Duration) string { return hex.EncodeToString(sum(sha512.New, key, body)) },
		"hsrcpay": func(body, key string, off time.Duration) string {
			return hex.EncodeToString(sum(sha256.New, key, stamp(off)+"."+body))
		},
		"bankly": func(body, key string, off time.Duration) string {
			parts := strings.Split(c.last.Signature.StringToSign, "&")
			parts[2], parts[4] = stamp(off), base64.StdEncoding.EncodeToString([]byte(body))
			return base64.StdEncoding.EncodeToString(sum(sha256.New, key, strings.Join(parts, "&")))
		},
	}
}

func (c *compared) keys() map[string]string { return c.last.Signed.Endpoint.Keys }

// secret is the key the provider signs with.
func (c *compared) secret(name string) string {
	return c.keys()[map[string]string{"signedsub": "secretKey", "hsrcpay": "secret", "bankly": "privateKey"}[name]]
}

func TestCompareExplainsEachMistake(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"signedsub", "bankly", "hsrcpay"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := delivered(t, name)
			compute, body, secret := receivers(c)[name], string(c.last.Request.Body), c.secret(name)
			c.says(delivery.Claim{Signature: compute(body, secret, 0)}, "match", "the one that was sent")
			c.says(delivery.Claim{Signature: " " + c.last.Signature.Value + "\n"}, "match", "the one that was sent")
			c.says(delivery.Claim{Signature: compute(body, "something else", 0)}, "unexplained", c.last.Signature.Key)
			for form, written := range rewritten(t, body) {
				c.says(delivery.Claim{Signature: compute(written, secret, 0)}, "body", form)
				c.says(delivery.Claim{Body: written}, "body", form)
			}
			c.says(delivery.Claim{Body: "x" + body}, "body", "differs from byte 0 on")
			c.says(delivery.Claim{StringToSign: c.last.Signature.StringToSign + "!"}, "string_to_sign",
				"differs from byte "+strconv.Itoa(len(c.last.Signature.StringToSign))+" on")
			c.says(delivery.Claim{Key: secret, Body: body, StringToSign: c.last.Signature.StringToSign}, "match", "nothing differs")
			c.says(delivery.Claim{Key: "something else"}, "key", "none of this webhook's")
			c.Advance(time.Hour) // what was sent does not depend on the present clock
			c.says(delivery.Claim{Signature: compute(rewritten(t, body)["keys sorted, indented"], secret, 0)}, "body", "keys sorted, indented")
		})
	}
}

// rewritten is a body as other languages write it again.
func rewritten(t *testing.T, body string) map[string]string {
	t.Helper()
	v, err := strictjson.Decode([]byte(body))
	require.NoError(t, err)
	sorted, err := strictjson.Encode(v)
	require.NoError(t, err)
	indented, err := strictjson.Indent(sorted)
	require.NoError(t, err)
	return map[string]string{
		"keys sorted":           string(sorted),
		"keys sorted, indented": string(indented),
		"keys in order, spaces after , and :, beyond ASCII as \\u": pythonStyle(body),
		"with a line end": body + "\n",
	}
}

// pythonStyle is json.dumps(json.loads(body)); the bodies of these tests have no , or : inside of strings but in times.
func pythonStyle(body string) string {
	var out strings.Builder
	quoted := false
	for i, r := range body {
		if r == '"' && body[i-1] != '\\' {
			quoted = !quoted
		}
		if r == 'é' || r > 0x7f {
			out.WriteString(strings.Trim(strconv.QuoteToASCII(string(r)), `"`))
		} else {
			out.WriteRune(r)
		}
		if !quoted && (r == ',' || r == ':') {
			out.WriteByte(' ')
		}
	}
	return strings.NewReplacer(`\xe9`, `\u00e9`, `\xe3`, `\u00e3`, `\xe7`, `\u00e7`, `\xf5`, `\u00f5`).Replace(out.String())
}

func TestCompareFindsTheKey(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]map[string]func(c *compared) string{
		"signedsub": {
			"the webhook's publicKey":              func(c *compared) string { return c.keys()["publicKey"] },
			"the webhook's secretKey, hex-decoded": func(c *compared) string { return decodedHex(c.T, c.keys()["secretKey"]) },
		},
		"bankly": {
			"the webhook's publicKey":                  func(c *compared) string { return c.keys()["publicKey"] },
			"the webhook's privateKey, base64-decoded": func(*compared) string { return "secret key" },
		},
		"hsrcpay": {
			"the webhook's secret without its prefix, base64-decoded": func(*compared) string { return "secret key" },
			"the webhook's secret without its prefix":                 func(*compared) string { return strings.TrimPrefix(hsrcpaySecret, "whsec_") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := delivered(t, name)
			for detail, key := range wrong {
				c.says(delivery.Claim{Signature: receivers(c)[name](string(c.last.Request.Body), key(c), 0)}, "key", detail)
				c.says(delivery.Claim{Key: key(c)}, "key", detail)
			}
		})
	}
}

func decodedHex(t testing.TB, text string) string {
	t.Helper()
	data, err := hex.DecodeString(text)
	require.NoError(t, err)
	return string(data)
}

// TestCompareKnowsTheKeysOfTheAttempt: the keys were changed since, and the receiver has the new ones already.
func TestCompareKnowsTheKeysOfTheAttempt(t *testing.T) {
	t.Parallel()
	c := delivered(t, "signedsub")
	old := c.secret("signedsub")
	fresh, _ := newKeys(c.World, hookID).Get("secretKey").(string)
	compute, body := receivers(c)["signedsub"], string(c.last.Request.Body)
	c.says(delivery.Claim{Signature: compute(body, old, 0)}, "match", "")
	c.says(delivery.Claim{Signature: compute(body+"\n", old, 0)}, "body", "with a line end")
	c.says(delivery.Claim{Signature: compute(body, fresh, 0)}, "key", "the webhook's present secretKey")
	unsubscribe(c.World, hookID)
	c.says(delivery.Claim{Signature: compute(body+"\n", old, 0)}, "body", "with a line end")
}

func TestCompareFindsTheClock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bankly", "hsrcpay"} {
		c := delivered(t, name)
		for _, off := range []time.Duration{time.Second, -time.Second, 17 * time.Second, -5 * time.Minute, -3 * time.Hour, 9 * time.Hour} {
			c.says(delivery.Claim{Signature: receivers(c)[name](string(c.last.Request.Body), c.secret(name), off)}, "clock", "off by "+off.String())
		}
	}
}

func TestCompareFindsTheEncoding(t *testing.T) {
	t.Parallel()
	for name, inHex := range map[string]bool{"signedsub": true, "hsrcpay": true, "bankly": false, "bitpay": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := delivered(t, name)
			value := c.last.Signature.Value
			if !inHex {
				raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "hmac "))
				require.NoError(t, err)
				c.says(delivery.Claim{Signature: hex.EncodeToString(raw)}, "encoding", "writes them in base64, not in hex")
				c.says(delivery.Claim{Signature: base64.RawStdEncoding.EncodeToString(raw)}, "encoding", "not in unpadded base64")
				return
			}
			digest := value[strings.LastIndex(value, "=")+1:]
			raw, err := hex.DecodeString(digest)
			require.NoError(t, err)
			c.says(delivery.Claim{Signature: strings.ToUpper(digest)}, "encoding", "only upper and lower case differ")
			c.says(delivery.Claim{Signature: base64.StdEncoding.EncodeToString(raw)}, "encoding", "writes them in hex, not in base64")
			c.says(delivery.Claim{Signature: base64.RawURLEncoding.EncodeToString(raw)}, "encoding", "writes them in hex, not in")
		})
	}
}

// TestCompareOfRSA: bitpay signs with a private key nobody else has; what a receiver can get wrong is the body.
func TestCompareOfRSA(t *testing.T) {
	t.Parallel()
	c := delivered(t, "bitpay")
	c.says(delivery.Claim{Signature: c.last.Signature.Value}, "match", "")
	for form, written := range rewritten(t, string(c.last.Request.Body)) {
		c.says(delivery.Claim{Body: written}, "body", form)
		c.says(delivery.Claim{StringToSign: written}, "string_to_sign", "differs from byte")
	}
	c.says(delivery.Claim{Signature: "00ff"}, "unexplained", "rsa-sha256-hex")
}

func TestCompareAsksForAnAttemptThatWasMade(t *testing.T) {
	t.Parallel()
	c := delivered(t, "signedsub")
	for _, n := range []int{-1, 2} {
		_, err := c.Dispatcher.Compare(c.Sandbox, c.sent.ID, n, delivery.Claim{})
		require.ErrorIs(t, err, delivery.ErrUnknownDelivery)
	}
	_, err := c.Dispatcher.Compare(c.Sandbox, "dlv_none", 0, delivery.Claim{})
	require.ErrorIs(t, err, delivery.ErrUnknownDelivery)
}

func TestWhatWasSentIsValidUntilTheKeyChanges(t *testing.T) {
	t.Parallel()
	for name, signs := range map[string]bool{"bts": false, "bitpay": true, "bankly": true, "signedsub": true, "hsrcpay": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := delivered(t, name)
			valid, err := c.Dispatcher.Valid(c.Sandbox, c.sent.ID, 1)
			require.NoError(t, err)
			require.Equal(t, signs, valid)
			_, err = c.Dispatcher.Valid(c.Sandbox, c.sent.ID, 2)
			require.ErrorIs(t, err, delivery.ErrUnknownDelivery)
		})
	}
	c := delivered(t, "signedsub")
	c.Call("regenerateApiKeys", simtest.Request{Body: object{"account": c.Credentials["account"], "payload": object{"requestId": c.sent.WebhookID}}}).OK()
	valid, err := c.Dispatcher.Valid(c.Sandbox, c.sent.ID, 0)
	require.NoError(t, err)
	require.False(t, valid, "the present key is another one")
}
