package bankly

import (
	"net/http"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// opIssueToken is the one operation without token and api-version, and with errors of its own (token-errors).
const opIssueToken = "issueToken"

// tokenLife is how long an issued token is good (token-response).
const tokenLife = time.Hour

type tokenReply struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
	Claims      string `json:"claims"`
}

// issueToken grants whatever is asked for (token-request, token-scope-granted).
func issueToken(c *sims.Call) (sims.Reply, error) {
	clientID, _ := c.Object()["client_id"].(string)
	by, known := clients(c.Tx).Get(clientID)
	if !known {
		return sims.Reply{}, unknownClient(clientID)
	}
	scope, _ := c.Object()["scope"].(string)
	value := c.NewID("issued token").Base64URL(32)
	sims.DropOver(c.Tx, tokensTable, expiringKey, func(id string) bool {
		oldest, _ := tokens(c.Tx).Get(id)
		if oldest.expired(c.Now) {
			c.Tx.Release(id)
		}
		return oldest.expired(c.Now)
	})
	tokens(c.Tx).Put(value, token{
		ClientID: clientID, Company: by.Company, Scopes: strings.Split(scope, " "), ExpiresAt: c.Now.Add(tokenLife),
	})
	c.Tx.Claim(value)
	return sims.Reply{Status: http.StatusOK, Body: tokenReply{
		AccessToken: value, ExpiresIn: int(tokenLife.Seconds()), TokenType: "bearer", Scope: scope, Claims: "company_key",
	}}, nil
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
