package hsrcpay_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func credentialTests() ledgerTests {
	return ledgerTests{
		"credentials":       credentials,
		"credentials-kinds": credentialsKinds,
		"credentials-order": credentialsOrder,
		"credentials-jwt":   credentialsJWT,
		"test-and-live":     testAndLive,
		"permission":        permission,
	}
}

// unauthorized expects a 401 on both operations.
func unauthorized(w *simtest.World, authorization, rule, reason string) {
	w.T.Helper()
	for _, operation := range []string{create, list} {
		as(w, operation, authorization).Is(http.StatusUnauthorized, refusal(401, "Unauthorized", reason, "{}")).
			Refused(http.StatusUnauthorized, rule)
	}
}

// another makes a second sandbox and returns its credentials.
func another(w *simtest.World) (name string, secret, account string) {
	w.T.Helper()
	sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "another", Seed: 2, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(w.T, err)
	c := sandbox.Credentials("hsrcpay")
	return sandbox.Name, c["secret_key"], c["account_id"]
}

func credentials(w *simtest.World) {
	secret := w.Credentials["secret_key"]
	for _, authorization := range []string{"", "Basic " + secret, secret, "Bearer", "Bearer ", "Bearer" + secret} {
		unauthorized(w, authorization, "credentials", "Missing bearer token")
	}
	for _, token := range []string{"x", "sk_test_unknown", secret + "x", secret[:len(secret)-1], secret + " x", strings.ToUpper(secret), "pk_test_unknown"} {
		unauthorized(w, "Bearer "+token, "credentials", "Invalid token")
	}
	unauthorized(w, "Bearer "+jwt(`{"exp":1}`, "c2ln"), "credentials-jwt", "Token expired")

	_, foreign, _ := another(w)
	own := raw(w, http.MethodGet, "/v1/webhooks/", "", map[string]string{"Authorization": "Bearer " + foreign})
	require.Equal(w.T, http.StatusOK, own.Status, "a key alone leads to its sandbox")
	header := map[string]string{"Authorization": "Bearer " + foreign, engine.SandboxHeader: engine.DefaultSandbox}
	raw(w, http.MethodGet, "/v1/webhooks/", "", header).Refused(http.StatusUnauthorized, "credentials")
}

func credentialsKinds(w *simtest.World) {
	as(w, list, "Bearer "+w.Credentials["secret_key"]).OK()
	as(w, list, "Bearer "+w.Credentials["live_secret_key"]).OK()
	as(w, list, "Bearer "+jwt(`{}`, "c2ln")).OK()
	as(w, list, "Bearer "+w.Credentials["publishable_key"]).Refused(http.StatusForbidden, "permission")
	for token, kind := range map[string]string{
		"sk_live_x": "secret key", "my_sk_x": "secret key", "pk_live_x": "publishable key", "my_pk_x": "publishable key", "x": "no secret key (sk_), publishable key (pk_) or access token (JWT)",
	} {
		require.Contains(w.T, as(w, list, "Bearer "+token).Refused(http.StatusUnauthorized, "credentials").Refusal.Saw, kind)
	}
}

func credentialsOrder(w *simtest.World) {
	kindOf := func(token string) string {
		kind, _, _ := strings.Cut(as(w, list, "Bearer "+token).Refused(http.StatusUnauthorized, "credentials").Refusal.Saw, ` "`)
		return strings.TrimPrefix(kind, "the ")
	}
	x := strings.Repeat("x", 29)
	require.Equal(w.T, "secret key", kindOf(x+"sk_"), "characters 30 to 32")
	require.Equal(w.T, "token", kindOf(x+"xsk_"), "characters 31 to 33: of no known kind")
	require.Equal(w.T, "publishable key", kindOf(x+"xsk_pk_"))
	require.Equal(w.T, "secret key", kindOf("pk_sk_"), "secret keys come before publishable ones")
	for _, token := range []string{"eyJhbGci.sk_.pk_", "eyJsk_.e30.x", "eyJpk_.e30.x"} {
		as(w, list, "Bearer "+token).OK()
	}
	for _, token := range []string{"eyJhbGci.e30", "eyJhbGci..x", "eyJhbGci.e30.", "eyJhbGci.e30.x.y", "eyJhbGci.e+0.x", "eyJhbGci.e30=.x", "abc.e30.x"} {
		require.Equal(w.T, "token", kindOf(token), token)
	}
	for _, word := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
		as(w, list, word+" "+w.Credentials["secret_key"]).OK()
	}
}

func credentialsJWT(w *simtest.World) {
	now := simtest.Start().Unix() // a quarter of a second later by the clock
	for _, claims := range []string{
		`{}`, `no JSON`, `[]`, `{"exp":"1"}`, `{"exp":null}`, fmt.Sprintf(`{"exp":%d}`, now+1), fmt.Sprintf(`{"exp":%d.3}`, now), `{"exp":1e300}`,
	} {
		reply := as(w, create, "Bearer "+jwt(claims, "any-signature")).OK()
		require.Equal(w.T, w.Credentials["account_id"], reply.Get("data.account_id"), claims)
	}
	for _, claims := range []string{`{"exp":0}`, `{"exp":-1e300}`, fmt.Sprintf(`{"exp":%d}`, now), fmt.Sprintf(`{"exp":%d.25}`, now)} {
		unauthorized(w, "Bearer "+jwt(claims, "c2ln"), "credentials-jwt", "Token expired")
	}
	name, _, account := another(w)
	req := w.Request(http.MethodGet, "/v1/webhooks/?account_id="+account, "", nil)
	req.Header.Set("Authorization", "Bearer "+jwt(`{}`, "c2ln"))
	require.Equal(w.T, http.StatusOK, w.Send(req).Status, "its account leads to sandbox %s", name)

	w.SetPolicy("jwt", "refuse")
	unauthorized(w, "Bearer "+jwt(`{}`, "c2ln"), "credentials-jwt", "Invalid token")
	unauthorized(w, "Bearer "+jwt(`{"exp":1}`, "c2ln"), "credentials-jwt", "Invalid token")
	as(w, list, "Bearer "+w.Credentials["secret_key"]).OK()
}

func testAndLive(w *simtest.World) {
	inTest, inLive := created(w, "*"), createdBy(w, live(w), "*")
	require.Equal(w.T, []string{inTest}, listed(w, nil))
	require.Equal(w.T, []string{inLive}, listed(w, live(w)))
	require.Equal(w.T, inTest, as(w, list, "Bearer "+jwt(`{}`, "sig_test_x")).Get("data.0.id"), "_test_ anywhere, in an access token too")
	require.Equal(w.T, inLive, as(w, list, "Bearer "+jwt(`{}`, "sig_live_x")).Get("data.0.id"))
	for _, almost := range []string{"_TEST_", "test_x", "sig_test", "sig_tests_"} {
		require.Equal(w.T, inLive, as(w, list, "Bearer "+jwt(`{}`, almost)).Get("data.0.id"), almost)
	}
}

func permission(w *simtest.World) {
	for operation, name := range map[string]string{create: "account:webhook:create", list: "account:webhook:read"} {
		want := refusal(403, "Forbidden", "Publishable keys cannot access webhooks", `{"permission":"`+name+`"}`)
		as(w, operation, "Bearer "+w.Credentials["publishable_key"]).Is(http.StatusForbidden, want).Refused(http.StatusForbidden, "permission")
		as(w, operation, "Bearer "+w.Credentials["secret_key"]).OK()
		as(w, operation, "Bearer "+jwt(`{}`, "c2ln")).OK()
	}
}
