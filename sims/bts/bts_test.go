package bts_test

import (
	"fmt"
	"testing"

	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, bts.New()) }

// TestRefusalsSayWhatWasSeenAndWhatIsWanted: the journal tells a newcomer what to do next.
func TestRefusalsSayWhatWasSeenAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bts.New())
	const want = "Authorization: Bearer with the ready-made token (GET /_mocksrv/v1/sandboxes/<name>) or an access_token issued by login or refresh that has not expired"
	access, refresh := login(w)
	withHeader(w, "configureWebhook", "Authorization", "").Explained("no Authorization header", want)
	withHeader(w, "configureWebhook", "Authorization", "Basic eDp5").
		Explained(`Authorization: "Basic eDp5", which has no token after the word "Bearer"`, want)
	as(w, "not-a-token-of-this").Explained(`the token "not-a-token-…", which is none of this provider`, want)
	uid := fmt.Sprint(claimsOf(t, access)["uid"])
	as(w, access+"x").Explained(`the token of uid "`+uid+`" with use "access" and iat 1767868200, which this sandbox does not know: `+
		`issued elsewhere, changed, or expired`, want)
	as(w, refresh).Explained("a refresh token in the place of an access token", want)
	w.SetNow(simtest.Start().Add(day))
	as(w, access).Explained("an access token that expired at 2026-01-09T10:30:00.25Z; the world clock says 2026-01-09T10:30:00.25Z", want)
	refreshed(w, access).Explained("an access token in the place of a refresh token", "a refresh_token issued by login or refresh that has not expired")
	w.Call("login", request{Body: object{"login": "me", "password": "x"}}).
		Explained(`the login "me", which does not exist`, "the ready-made login and password (GET /_mocksrv/v1/sandboxes/<name>)")
	w.Call("login", request{Body: object{"login": "username", "password": "x"}}).
		Explained(`a wrong password for the login "username"`, "the ready-made login and password (GET /_mocksrv/v1/sandboxes/<name>)")
}
