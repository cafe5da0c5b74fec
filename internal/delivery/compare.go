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
	"unicode/utf16"
	"unicode/utf8"

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
	cmp, err := d.comparison(s, id, n, c)
	if err != nil {
		return nil, err
	}
	return cmp.findings(), nil
}

// Valid reports whether what an attempt sent (the last one when n is 0) verifies now: the signature in its header fits its
// body under the webhook's present key. What is not signed does not.
func (d *Dispatcher) Valid(s *engine.Sandbox, id string, n int) (bool, error) {
	cmp, err := d.comparison(s, id, n, Claim{})
	if err != nil {
		return false, err
	}
	return cmp.valid(), nil
}

func (d *Dispatcher) comparison(s *engine.Sandbox, id string, n int, c Claim) (*comparison, error) {
	delivery, err := d.Get(s, id)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = delivery.Made()
	}
	sent, ok := delivery.Attempt(n)
	if !ok {
		return nil, fmt.Errorf("%w: delivery %s has %d attempts, of which %d are kept; attempt %d was asked for",
			ErrUnknownDelivery, id, delivery.Made(), len(delivery.Attempts), n)
	}
	p, ok := d.engine.Provider(delivery.Sim)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownSim, delivery.Sim)
	}
	cmp := &comparison{p: p, sent: sent, claim: c}
	err = s.View(func(tx store.Tx) error {
		w := &writer{tx: tx, env: s.Env(p, tx), p: p}
		signed := cmp.sent.Signed
		cmp.base = sims.Attempt{
			DeliveryID: id, Event: delivery.Event, Endpoint: signed.Endpoint, N: n, Now: cmp.sent.At, Edge: signed.EdgeAt,
			Policies: w.env.Policies, Nonce: w.env.Derived("nonce", nonceOf(delivery.Seq, signed.Turn)), Body: cmp.sent.Request.Body,
		}
		if now, ok := p.Delivery.Endpoint(w.env, delivery.WebhookID); ok {
			if cmp.present = now.Keys; cmp.present == nil { // a provider that signs with one key for all has none here
				cmp.present = map[string]string{}
			}
		}
		return nil
	})
	return cmp, err
}

type comparison struct {
	p     *engine.Provider
	sent  Attempt
	claim Claim
	base  sims.Attempt

	present map[string]string // the webhook's keys as they are now
}

// valid signs again with the present key, and looks for the result in the header that was sent.
func (c *comparison) valid() bool {
	a := c.base
	a.Endpoint.Keys, a.Header = c.present, http.Header{}
	again, err := c.p.Delivery.Sign(&a)
	if err != nil || again.Value == "" || c.present == nil {
		return false
	}
	for name, values := range c.sent.Request.Header {
		if strings.EqualFold(name, again.Header) {
			return slices.Equal(values, a.Header[again.Header]) || slices.Equal(values, a.Header.Values(again.Header))
		}
	}
	return false
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
	if why := c.keyDifference(); why != "" {
		add("key", "%s; the provider signs with %s", why, sent.Key)
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
	value, sent := digest(c.claim.Signature), digest(c.sent.Signature.Value)
	if hmac.Equal([]byte(value), []byte(sent)) {
		return []Finding{{Cause: "match", Detail: "the value is the one that was sent"}}
	}
	if what := encodingDifference(sent, value); what != "" {
		return []Finding{{Cause: "encoding", Detail: what}}
	}
	for _, variant := range c.variants() {
		if again := digest(c.resign(variant.attempt).Value); again != "" && (again == value || encodingDifference(again, value) != "") {
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
	all := c.keyVariants()
	for _, form := range reserialised(c.sent.Request.Body) {
		a := c.base
		a.Body = form.body
		all = append(all, variant{cause: "body", detail: "it was computed over a body that was parsed and written again (" + form.name + "); use the raw bytes", attempt: a})
	}
	for _, off := range offClocks() {
		a := c.base
		a.Now, a.Edge = a.Now.Add(off), a.Edge.Add(off)
		later := c.resign(a)
		if later.StringToSign == c.sent.Signature.StringToSign {
			break // the provider signs no time
		}
		all = append(all, variant{cause: "clock", detail: fmt.Sprintf("it was computed with a clock that is off by %s; use the timestamp that was sent", off), attempt: a})
	}
	return all
}

// offClocks are how far a receiver's clock is usually off: up to five minutes, or a time zone.
func offClocks() []time.Duration {
	var all []time.Duration
	for s := 1; s <= 300; s++ {
		all = append(all, time.Duration(s)*time.Second, -time.Duration(s)*time.Second)
	}
	for h := 1; h <= 14; h++ {
		all = append(all, time.Duration(h)*time.Hour, -time.Duration(h)*time.Hour)
	}
	return all
}

// keyVariants replace each key by one of the others, or by another form of itself.
func (c *comparison) keyVariants() []variant {
	var all []variant
	for _, role := range slices.Sorted(maps.Keys(c.base.Endpoint.Keys)) {
		for _, form := range c.keyForms() {
			a := c.base
			a.Endpoint.Keys = maps.Clone(a.Endpoint.Keys)
			a.Endpoint.Keys[role] = form.key
			all = append(all, variant{cause: "key", detail: "it was computed with " + form.name + "; the provider uses " + c.sent.Signature.Key, attempt: a})
		}
	}
	return all
}

type keyForm struct{ name, key string }

// keyForms are the keys a receiver may have taken: those of the attempt and the present ones, as text, decoded, and
// without a prefix.
func (c *comparison) keyForms() []keyForm {
	var all []keyForm
	add := func(name, key string) {
		all = append(all, keyForm{name, key})
		if raw, err := hex.DecodeString(key); err == nil {
			all = append(all, keyForm{name + ", hex-decoded", string(raw)})
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			if raw, err := encoding.DecodeString(key); err == nil {
				all = append(all, keyForm{name + ", base64-decoded", string(raw)})
			}
		}
	}
	each := func(keys map[string]string, whose string) {
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			add(whose+name, keys[name])
			if at := strings.LastIndexByte(keys[name], '_'); at >= 0 {
				add(whose+name+" without its prefix", keys[name][at+1:])
			}
		}
	}
	each(c.base.Endpoint.Keys, "the webhook's ")
	if !maps.Equal(c.present, c.base.Endpoint.Keys) {
		each(c.present, "the webhook's present ")
	}
	return all
}

// keyDifference says what is wrong with the key a receiver used, or "".
func (c *comparison) keyDifference() string {
	if c.claim.Key == "" {
		return ""
	}
	for _, role := range slices.Sorted(maps.Keys(c.base.Endpoint.Keys)) {
		if c.base.Endpoint.Keys[role] == c.claim.Key && c.signs(role) {
			return ""
		}
	}
	for _, form := range c.keyForms() {
		if form.key == c.claim.Key {
			return "the key is " + form.name
		}
	}
	return "the key is none of this webhook's"
}

// signs says whether a key makes the signature, rather than being part of what is signed or sent.
func (c *comparison) signs(role string) bool {
	a := c.base
	a.Endpoint.Keys = maps.Clone(a.Endpoint.Keys)
	a.Endpoint.Keys[role] += "?"
	again, signed := c.resign(a), c.resign(c.base)
	return again.Value != signed.Value && again.StringToSign == signed.StringToSign
}

func (c *comparison) resign(a sims.Attempt) sims.Signature {
	a.Header = http.Header{}
	signature, err := c.p.Delivery.Sign(&a)
	if err != nil {
		return sims.Signature{}
	}
	return signature
}

type bodyForm struct {
	name string
	body []byte
}

// reserialised are the usual ways in which a parsed JSON body is written again.
func reserialised(body []byte) []bodyForm {
	var all []bodyForm
	add := func(name string, form []byte) {
		if !bytes.Equal(form, body) {
			all = append(all, bodyForm{name, form})
		}
		if escaped := escaped(form); !bytes.Equal(escaped, form) {
			all = append(all, bodyForm{name + ", beyond ASCII as \\u", escaped})
		}
	}
	styles := func(name string, compact []byte) {
		add(name, compact)
		add(name+", spaces after , and :", spaced(compact))
		for _, indent := range []string{"  ", "    ", "\t"} {
			if indented, err := strictjson.IndentWith(compact, indent); err == nil {
				add(name+", indented", indented)
			}
		}
	}
	v, err := strictjson.Decode(body)
	if err != nil {
		return nil
	}
	if compact, err := strictjson.Compact(body); err == nil {
		styles("keys in order", compact)
	}
	if sorted, err := strictjson.Encode(v); err == nil {
		styles("keys sorted", sorted)
	}
	add("with a line end", append(bytes.Clone(body), '\n'))
	return all
}

// escaped writes everything beyond ASCII as \u escapes, as Python's json.dumps does by default.
func escaped(body []byte) []byte {
	var out []byte
	for _, r := range string(body) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, "\\u%04x", unit)
		}
	}
	return out
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

// digest is a signature without what stands around it: the last part of "hmac …" or "t=…,v1=…".
func digest(value string) string {
	value = strings.TrimSpace(value)
	value = value[strings.LastIndexAny(value, " ,")+1:]
	if _, rest, ok := strings.Cut(value, "="); ok && strings.Trim(rest, "=") != "" {
		return rest
	}
	return value
}

func encodingDifference(sent, got string) string {
	if strings.EqualFold(sent, got) {
		return "only upper and lower case differ"
	}
	decoders := map[string]func(string) ([]byte, error){
		"hex": hex.DecodeString, "base64": base64.StdEncoding.DecodeString, "unpadded base64": base64.RawStdEncoding.DecodeString,
		"URL-safe base64": base64.URLEncoding.DecodeString, "unpadded URL-safe base64": base64.RawURLEncoding.DecodeString,
	}
	for _, sentAs := range []string{"hex", "base64"} {
		a, err := decoders[sentAs](sent)
		if err != nil {
			continue
		}
		for _, gotAs := range []string{"hex", "base64", "unpadded base64", "URL-safe base64", "unpadded URL-safe base64"} {
			if b, err := decoders[gotAs](got); err == nil && gotAs != sentAs && bytes.Equal(a, b) {
				return "the bytes are the same, but the provider writes them in " + sentAs + ", not in " + gotAs
			}
		}
	}
	return ""
}

func bodyDifference(sent, got []byte) string {
	for _, form := range reserialised(sent) {
		if bytes.Equal(form.body, got) {
			return "the body was parsed and written again (" + form.name + "); use the raw bytes"
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
