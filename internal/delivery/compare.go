package delivery

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// Claim is what a receiver says about a delivery whose signature it could not verify. Everything is optional.
type Claim struct {
	Signature    string `json:"signature,omitempty"`      // what it computed
	Body         string `json:"body,omitempty"`           // the body it computed over
	StringToSign string `json:"string_to_sign,omitempty"` // the string it signed
	Key          string `json:"key,omitempty"`            // the key it used
}

// Finding is one difference between what was sent and what the receiver did.
type Finding struct {
	Cause  string `json:"cause"` // match, body, key, string_to_sign, encoding, clock, unexplained
	Detail string `json:"detail"`
}

// Compare says why a receiver's signature differs from the one that was sent with an attempt (the last one when n is
// 0): it signs again with one thing changed at a time, until the receiver's value comes out.
func (d *Dispatcher) Compare(s *engine.Sandbox, id string, n int, c Claim) ([]Finding, error) {
	delivery, err := d.Get(s, id)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = len(delivery.Attempts)
	}
	if n < 1 || n > len(delivery.Attempts) {
		return nil, fmt.Errorf("%w: delivery %s has %d attempts, attempt %d was asked for", ErrUnknownDelivery, id, len(delivery.Attempts), n)
	}
	p, ok := d.engine.Provider(delivery.Sim)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownSim, delivery.Sim)
	}
	cmp := &comparison{p: p, sent: delivery.Attempts[n-1], claim: c}
	err = s.View(func(tx store.Tx) error {
		w := &writer{tx: tx, env: s.Env(p, tx), p: p}
		endpoint, _ := w.endpoint(delivery)
		cmp.base = sims.Attempt{
			DeliveryID: id, Event: delivery.Event, Endpoint: endpoint, N: n, Now: cmp.sent.At, Edge: w.env.Edge,
			Policies: w.env.Policies, Nonce: w.env.Derived("nonce", delivery.Seq<<16+uint64(n-1)), Body: cmp.sent.Request.Body,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cmp.findings(), nil
}

type comparison struct {
	p     *engine.Provider
	sent  Attempt
	claim Claim
	base  sims.Attempt
}

func (c *comparison) findings() []Finding {
	var found []Finding
	add := func(cause, format string, args ...any) {
		found = append(found, Finding{Cause: cause, Detail: fmt.Sprintf(format, args...)})
	}
	sent := c.sent.Signature
	if c.claim.Body != "" && c.claim.Body != string(c.sent.Request.Body) {
		add("body", "%s", bodyDifference(c.sent.Request.Body, []byte(c.claim.Body)))
	}
	if c.claim.StringToSign != "" && c.claim.StringToSign != sent.StringToSign {
		add("string_to_sign", "%s", textDifference(sent.StringToSign, c.claim.StringToSign))
	}
	if c.claim.Key != "" && !slices.Contains(slices.Collect(maps.Values(c.base.Endpoint.Keys)), c.claim.Key) {
		add("key", "the key is none of this webhook's; the provider signs with %s", sent.Key)
	}
	if c.claim.Signature != "" {
		found = append(found, c.explain()...)
	}
	if len(found) == 0 {
		add("match", "nothing differs from what was sent: %s over %d bytes", sent.Scheme, len(sent.StringToSign))
	}
	return found
}

// explain finds the change under which the provider's own scheme gives the receiver's value.
func (c *comparison) explain() []Finding {
	value := strings.TrimSpace(c.claim.Signature)
	if hmac.Equal([]byte(value), []byte(c.sent.Signature.Value)) {
		return []Finding{{Cause: "match", Detail: "the value is the one that was sent"}}
	}
	if what := encodingDifference(c.sent.Signature.Value, value); what != "" {
		return []Finding{{Cause: "encoding", Detail: what}}
	}
	for _, variant := range c.variants() {
		if again := c.resign(variant.attempt).Value; again != "" && again == value {
			return []Finding{{Cause: variant.cause, Detail: variant.detail}}
		}
	}
	return []Finding{{Cause: "unexplained", Detail: fmt.Sprintf(
		"no single change explains the value; the provider sends %s in %s, made with %s over exactly these bytes: %q",
		c.sent.Signature.Scheme, c.sent.Signature.Header, c.sent.Signature.Key, clip(c.sent.Signature.StringToSign))}}
}

type variant struct {
	cause, detail string
	attempt       sims.Attempt
}

// variants are the usual mistakes, one at a time.
func (c *comparison) variants() []variant {
	var all []variant
	for name, body := range reserialised(c.sent.Request.Body) {
		a := c.base
		a.Body = body
		all = append(all, variant{cause: "body", detail: "it was computed over a body that was parsed and written again (" + name + "); use the raw bytes", attempt: a})
	}
	for name, key := range c.base.Endpoint.Keys {
		all = append(all, c.keyVariants(name, key)...)
	}
	for _, off := range []time.Duration{-time.Second, time.Second, -time.Hour, time.Hour} {
		a := c.base
		a.Now, a.Edge = a.Now.Add(off), a.Edge.Add(off)
		all = append(all, variant{cause: "clock", detail: fmt.Sprintf("it was computed with a clock that is off by %s; use the timestamp that was sent", off), attempt: a})
	}
	slices.SortStableFunc(all, func(a, b variant) int { return strings.Compare(a.cause+a.detail, b.cause+b.detail) })
	return all
}

// keyVariants replace every key by one of the others, decoded and as text.
func (c *comparison) keyVariants(name, key string) []variant {
	var all []variant
	forms := map[string]string{"the webhook's " + name: key}
	if raw, err := hex.DecodeString(key); err == nil {
		forms["the webhook's "+name+", hex-decoded"] = string(raw)
	}
	if raw, err := base64.StdEncoding.DecodeString(key); err == nil {
		forms["the webhook's "+name+", base64-decoded"] = string(raw)
	}
	for form, value := range forms {
		a := c.base
		a.Endpoint.Keys = map[string]string{}
		for other := range c.base.Endpoint.Keys {
			a.Endpoint.Keys[other] = value
		}
		all = append(all, variant{cause: "key", detail: "it was computed with " + form + "; the provider uses " + c.sent.Signature.Key, attempt: a})
	}
	return all
}

func (c *comparison) resign(a sims.Attempt) sims.Signature {
	a.Header = http.Header{}
	signature, err := c.p.Delivery.Sign(&a)
	if err != nil {
		return sims.Signature{}
	}
	return signature
}

// reserialised are the usual ways in which a parsed JSON body is written again.
func reserialised(body []byte) map[string][]byte {
	forms := map[string][]byte{}
	v, err := strictjson.Decode(body)
	if err != nil {
		return forms
	}
	if sorted, err := strictjson.Encode(v); err == nil {
		forms["keys sorted, no spaces"] = sorted
		if indented, err := strictjson.Indent(sorted); err == nil {
			forms["keys sorted, indented"] = indented
		}
	}
	if indented, err := strictjson.Indent(body); err == nil {
		forms["indented"] = indented
	}
	forms["with a line end"] = append(bytes.Clone(body), '\n')
	forms["with spaces after , and :"] = spaced(body)
	return forms
}

// spaced writes ", " and ": " as Python's json.dumps does by default.
func spaced(body []byte) []byte {
	var out []byte
	inString, escaped := false, false
	for _, b := range body {
		out = append(out, b)
		switch {
		case escaped:
			escaped = false
		case inString && b == '\\':
			escaped = true
		case b == '"':
			inString = !inString
		case !inString && (b == ',' || b == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

func encodingDifference(sent, got string) string {
	if strings.EqualFold(sent, got) {
		return "only upper and lower case differ"
	}
	decoders := map[string]func(string) ([]byte, error){
		"hex": hex.DecodeString, "base64": base64.StdEncoding.DecodeString, "URL-safe base64": base64.RawURLEncoding.DecodeString,
	}
	for _, sentAs := range []string{"hex", "base64"} {
		a, err := decoders[sentAs](sent)
		if err != nil {
			continue
		}
		for _, gotAs := range []string{"hex", "base64", "URL-safe base64"} {
			if b, err := decoders[gotAs](got); err == nil && gotAs != sentAs && bytes.Equal(a, b) {
				return "the bytes are the same, but the provider writes them in " + sentAs + ", not in " + gotAs
			}
		}
	}
	return ""
}

func bodyDifference(sent, got []byte) string {
	for name, form := range reserialised(sent) {
		if bytes.Equal(form, got) {
			return "the body was parsed and written again (" + name + "); use the raw bytes"
		}
	}
	return textDifference(string(sent), string(got))
}

func textDifference(sent, got string) string {
	at := 0
	for at < len(sent) && at < len(got) && sent[at] == got[at] {
		at++
	}
	return fmt.Sprintf("differs from byte %d on: sent %q, the receiver has %q (%d and %d bytes)",
		at, clip(sent[at:]), clip(got[at:]), len(sent), len(got))
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
