package bts

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// What a token is for.
const (
	useAccess  = "access"
	useRefresh = "refresh"
)

// How long issued tokens live (token-lifetime).
const (
	accessLifetime  = 24 * time.Hour
	refreshLifetime = 30 * 24 * time.Hour
)

// readyIssuedAt is the claim iat of the ready-made token: 2026-01-08T00:00:00Z.
const readyIssuedAt = 1_767_830_400

// token is what the provider remembers of a token it issued.
type token struct {
	Account   string    `json:"account"` // login
	Use       string    `json:"use"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: never
}

// tokens holds them by digest: a look-up costs far less than an RSA verification, and its timing tells nothing about
// the tokens. They are found by use: tokens of one use expire in the order in which they were issued.
func tokens(tx sims.Tx) sims.Table[token] {
	return sims.TableOf(tx, tokensTable, func(t token) []string { return []string{useKey(t.Use)} })
}

const tokensTable = "tokens"

func useKey(use string) string { return "use/" + use }

func digest(jwt string) string {
	sum := sha256.Sum256([]byte(jwt))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// issued finds what is known of a token: one that was issued here, or the ready-made one, which no row remembers and
// whose signature proves it.
func issued(tx sims.Tx, jwt string) (token, bool) {
	if t, ok := tokens(tx).Get(digest(jwt)); ok {
		return t, true
	}
	ready := unverified(jwt)
	a, ok := accounts(tx).First("uid/" + ready.UID)
	if !ok || ready != readyClaims(a) || !verified(jwt) {
		return token{}, false
	}
	return token{Account: a.Login, Use: useAccess}, true
}

// expired obeys token-lifetime: at its last instant a token is expired.
func (t token) expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

// claims are the payload of a token.
type claims struct {
	UID       string `json:"uid"`
	Use       string `json:"use"`
	ID        string `json:"jti,omitzero"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp,omitzero"`
}

type tokenReply struct {
	Status     bool      `json:"status"`
	Message    string    `json:"message"`
	StatusCode int       `json:"status_code"`
	Data       tokenPair `json:"data"`
}

type tokenPair struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// login obeys login and login-refused.
func login(c *sims.Call) (sims.Reply, error) {
	name, _ := c.Object()["login"].(string)
	password, _ := c.Object()["password"].(string)
	a, known := accounts(c.Tx).Get(name)
	if !hmac.Equal([]byte(password), []byte(a.Password)) || !known {
		return sims.Reply{}, loginRefused(name, known)
	}
	return issue(c, a), nil
}

// refresh obeys refresh, refresh-invalid and refresh-reuse.
func refresh(c *sims.Call) (sims.Reply, error) {
	jwt, _ := c.Object()["refresh_token"].(string)
	t, ok := tokens(c.Tx).Get(digest(jwt))
	switch {
	case !ok:
		return sims.Reply{}, refreshInvalid(unknownToken(jwt))
	case t.Use != useRefresh:
		return sims.Reply{}, refreshInvalid("an access token in the place of a refresh token")
	case t.expired(c.Now):
		return sims.Reply{}, refreshInvalid(c.SawExpired("a refresh token", t.ExpiresAt))
	}
	a, _ := accounts(c.Tx).Get(t.Account)
	return issue(c, a), nil
}

func issue(c *sims.Call, a account) sims.Reply {
	return sims.Reply{Status: http.StatusOK, Body: tokenReply{
		Status: true, Message: textSignedIn, StatusCode: http.StatusOK,
		Data: tokenPair{
			AccessToken:  newToken(c, a, useAccess, accessLifetime),
			RefreshToken: newToken(c, a, useRefresh, refreshLifetime),
		},
	}}
}

func newToken(c *sims.Call, a account, use string, lifetime time.Duration) string {
	expiresAt := c.Now.Add(lifetime)
	jwt := signed(claims{
		UID: a.ID, Use: use, ID: c.NewID("token").UUID(), IssuedAt: c.Now.Unix(), ExpiresAt: expiresAt.Unix(),
	})
	sims.DropOver(c.Tx, tokensTable, useKey(use), func(id string) bool {
		oldest, _ := tokens(c.Tx).Get(id)
		return oldest.expired(c.Now)
	})
	tokens(c.Tx).Put(digest(jwt), token{Account: a.Login, Use: use, ExpiresAt: expiresAt})
	return jwt
}

// expire lets every issued token expire now.
func expire(e *sims.Env) int {
	return sims.Change(e.Tx, tokensTable, "", tokens(e.Tx), func(t token) (token, bool) {
		if t.expired(e.Now) {
			return t, false
		}
		t.ExpiresAt = e.Now
		return t, true
	})
}

//go:embed jwt_test_key.pem
var jwtTestKey []byte

//nolint:gochecknoglobals // the committed test key is parsed once per process, when the first token is made
var signingKey = sync.OnceValue(parseKey)

// parseKey panics when the committed key is broken: nothing but a changed file can cause that.
func parseKey() *rsa.PrivateKey {
	block, _ := pem.Decode(jwtTestKey)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		panic(fmt.Errorf("bts: jwt_test_key.pem is no RSA key: %w", err))
	}
	return key
}

// signed makes a JWT (token-format). The signature is RSASSA-PKCS1-v1_5, so the same claims give the same token.
func signed(c claims) string {
	payload, err := strictjson.Encode(c)
	if err != nil {
		panic(fmt.Errorf("bts: claims: %w", err))
	}
	text := segment([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + segment(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, signingKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Errorf("bts: sign a token: %w", err))
	}
	return text + "." + segment(signature)
}

// unverified reads the claims of a token without asking whether they are true.
func unverified(jwt string) claims {
	_, rest, _ := strings.Cut(jwt, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var c claims
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || strictjson.Unmarshal(data, &c) != nil {
		return claims{}
	}
	return c
}

// proven has the digests of tokens whose signature was found good. It stays good: checking costs more than all else
// that a request does. There are no more of them than ready-made tokens that were handed out.
//
//nolint:gochecknoglobals // facts about signatures, the same in every sandbox
var proven sync.Map

// verified checks the signature of a token.
func verified(jwt string) bool {
	at := strings.LastIndex(jwt, ".")
	if at < 0 {
		return false
	}
	if _, ok := proven.Load(digest(jwt)); ok {
		return true
	}
	signature, err := base64.RawURLEncoding.DecodeString(jwt[at+1:])
	sum := sha256.Sum256([]byte(jwt[:at]))
	if err != nil || rsa.VerifyPKCS1v15(&signingKey().PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return false
	}
	proven.Store(digest(jwt), true)
	return true
}

func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
