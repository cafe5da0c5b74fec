package bitpay

import (
	"crypto"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// tokenData is a new token as the provider answers it (token-format).
type tokenData struct {
	Token      string `json:"token"`
	ExpireTime string `json:"expireTime"`
}

func generateToken(c *sims.Call) (sims.Reply, error) {
	key, _ := c.Principal.(apiKey)
	timestamp := c.Query.Get("timestamp")
	if err := checkWindow(c, timestamp); err != nil {
		return sims.Reply{}, err
	}
	if err := checkSignature(key, timestamp, c.Query.Get("signature")); err != nil {
		return sims.Reply{}, err
	}
	end := c.Now.Add(c.Policies.Duration("token_ttl")).Truncate(time.Millisecond)
	t := token{Token: c.NewID("token").UUID(), Account: key.Account, ExpiresAt: end}
	issue(c.Env, t)
	return success(tokenData{Token: t.Token, ExpireTime: millis(end)}), nil
}

// expire lets every issued token expire now.
func expire(e *sims.Env) int {
	return sims.Change(e.Tx, tokensTable, expiringKey, tokens(e.Tx), func(t token) (token, bool) {
		if t.expired(e.Now) {
			return t, false
		}
		t.ExpiresAt = e.Now
		return t, true
	})
}

// checkWindow obeys window and window-future.
func checkWindow(c *sims.Call, timestamp string) error {
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("the schema let a timestamp pass that is no number: %w", err)
	}
	now, allowed := c.Edge.UnixMilli(), c.Policies.Duration("recv_window")
	switch {
	case now-sent > allowed.Milliseconds():
		return outsideWindow("window", textOutside,
			c.SawTimestamp(float64(sent), allowed), fmt.Sprintf("at most %v behind %s", allowed, c.EdgeClock()))
	case sent-now >= aheadLimit.Milliseconds():
		return outsideWindow("window-future", textAhead,
			c.SawTimestamp(float64(sent), allowed), fmt.Sprintf("less than %v ahead of %s", aheadLimit, c.EdgeClock()))
	}
	return nil
}

// aheadLimit is how far ahead of the edge clock a timestamp is refused (window-future).
const aheadLimit = time.Second

// checkSignature takes upper and lower case (token-signature).
func checkSignature(key apiKey, timestamp, sent string) error {
	want := tokenSignature(key.Secret, timestamp)
	got, err := hex.DecodeString(sent)
	if err != nil || !hmac.Equal(got, want) {
		return wrongSignature(sent, mistake(key, timestamp, sent), hex.EncodeToString(want), timestamp)
	}
	return nil
}

// mistake is what went wrong with a signature, where it is one of the usual things.
func mistake(by apiKey, timestamp, sent string) string {
	h := sims.HMAC{
		Hash: crypto.SHA256, Key: by.Key, Secret: by.Secret, Text: []byte("timestamp=" + timestamp),
		Instead: []sims.WrongText{{Name: "the timestamp alone", Text: []byte(timestamp)}},
	}
	return h.Mistake(sent)
}
