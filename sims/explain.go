package sims

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA512
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/near"
)

// This file has the words of Failure.Saw and Failure.Want that providers share. They are for the journal: none of them
// reaches a client, and they are made only when a request is refused.

// ReadyMade names a ready-made credential and says where it is shown.
func ReadyMade(name string) string {
	return "the ready-made " + name + " (GET /_mocksrv/v1/sandboxes/<name>)"
}

// Excerpt is the start of a text, in quotes. One that was cut ends in "…".
func Excerpt(text string, length int) string {
	letters := 0
	for at := range text {
		if letters == length {
			return strconv.Quote(text[:at] + "…")
		}
		letters++
	}
	return strconv.Quote(text)
}

// SawHeader is a header field as it was sent, or that it was not.
func SawHeader(h http.Header, name string) string {
	switch values := h.Values(name); {
	case len(values) == 0:
		return "no " + name + " header"
	case values[0] == "":
		return "an empty " + name + " header"
	default:
		return name + ": " + Excerpt(values[0], 200)
	}
}

// SawNoBearer is an Authorization header without a bearer token.
func SawNoBearer(h http.Header) string {
	saw := SawHeader(h, "Authorization")
	if h.Get("Authorization") != "" {
		saw += `, which has no token after the word "Bearer"`
	}
	return saw
}

// SawExpired says by which clock something expired.
func (e *Env) SawExpired(what string, at time.Time) string {
	return what + " that expired at " + shownInstant(at) + "; the world clock says " + shownInstant(e.Now)
}

// SawTimestamp says how far a timestamp, which should be in milliseconds since 1970, is from the edge clock.
func (e *Env) SawTimestamp(sent float64, window time.Duration) string {
	now := float64(e.Edge.UnixMilli())
	text := fmt.Sprintf("timestamp %.16g", sent)
	if math.Abs(sent*1000-now) <= float64((window + time.Second).Milliseconds()) {
		return text + ", which looks like seconds; milliseconds are wanted"
	}
	return text + fmt.Sprintf(", which is %+.16g ms from the edge clock", sent-now)
}

// EdgeClock is what the edge clock says, and the world clock where that says something else.
func (e *Env) EdgeClock() string {
	text := fmt.Sprintf("the edge clock, now %s or %d ms", shownInstant(e.Edge), e.Edge.UnixMilli())
	if e.Edge.Sub(e.Now).Abs() >= time.Second {
		text += "; it is not the world clock, which says " + shownInstant(e.Now)
	}
	return text
}

func shownInstant(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

// WantEvent is what a name that is no event type could have been, and where all of them are listed.
func (e *Env) WantEvent(wrong string) string {
	all := fmt.Sprintf("one of the %d event types that GET /_mocksrv/v1/sims lists", len(e.Catalogue))
	if alike := e.eventsLike(wrong); len(alike) > 0 {
		return "perhaps " + strings.Join(alike, " or ") + "; " + all
	}
	return all
}

// eventsLike are at most three event types, the most similar first.
func (e *Env) eventsLike(wrong string) []string {
	const enough, longest = 0.7, 100
	if len(wrong) > longest {
		return nil
	}
	var alike []string
	for _, t := range e.Catalogue {
		if near.Likeness(t.Type, wrong) >= enough {
			alike = append(alike, t.Type)
		}
	}
	slices.SortStableFunc(alike, func(a, b string) int { return cmp.Compare(near.Likeness(b, wrong), near.Likeness(a, wrong)) })
	return alike[:min(len(alike), 3)]
}

// HMAC is a signature as the provider wants it: of a text, under a secret, in hexadecimal digits.
type HMAC struct {
	Hash   crypto.Hash // SHA256 or SHA512
	Key    string      // the public half of the pair
	Secret string      // used as text
	Text   []byte
	// Instead are other texts that clients sign by mistake.
	Instead []WrongText
}

// WrongText is a text that a client may have signed by mistake. Name says what it is: "the timestamp alone".
type WrongText struct {
	Name string
	Text []byte
}

// Mistake tries the usual mistakes on a signature that is not the one wanted, and says which it was. "" is none of them.
func (h HMAC) Mistake(sent string) string {
	got, form := decodeSignature(sent)
	other := crypto.SHA256
	if h.Hash == other {
		other = crypto.SHA512
	}
	decoded, _ := hex.DecodeString(h.Secret)
	switch {
	case got == nil:
		return "which is not hexadecimal"
	case form != "" && isHMAC(got, h.Hash, h.Secret, h.Text):
		return form
	case isHMAC(got, h.Hash, h.Key, h.Text):
		return "signed with the key instead of the secret"
	case isHMAC(got, h.Hash, string(decoded), h.Text):
		return "signed with the bytes that the secret spells in hexadecimal; the secret itself is the key, as text"
	case isHMAC(got, other, h.Secret, h.Text):
		return fmt.Sprintf("signed with %s instead of %s", other, h.Hash)
	case isHMAC(got, h.Hash, h.Secret, slices.Concat(h.Text, []byte("\n"))):
		return "signed with a newline at the end of the text"
	}
	for _, wrong := range h.Instead {
		if isHMAC(got, h.Hash, h.Secret, wrong.Text) {
			return "signed over " + wrong.Name
		}
	}
	return ""
}

// decodeSignature reads a signature also where it is not in the form wanted, and says in which it is.
func decodeSignature(sent string) (signature []byte, form string) {
	if got, err := hex.DecodeString(sent); err == nil {
		return got, ""
	}
	digits := strings.TrimPrefix(sent[strings.LastIndexAny(sent, "= ")+1:], "0x")
	if got, err := hex.DecodeString(digits); err == nil && len(got) > 0 {
		return got, "with more than the hexadecimal digits"
	}
	if got, err := base64.StdEncoding.DecodeString(sent); err == nil {
		return got, "in base64 instead of hexadecimal digits"
	}
	return nil, ""
}

func isHMAC(got []byte, hash crypto.Hash, secret string, text []byte) bool {
	if len(got) != hash.Size() {
		return false
	}
	mac := hmac.New(hash.New, []byte(secret))
	mac.Write(text)
	return hmac.Equal(got, mac.Sum(nil))
}

// SawScript is what a refusal saw that a script asked for.
const SawScript = "a rule that asks for this refusal"
