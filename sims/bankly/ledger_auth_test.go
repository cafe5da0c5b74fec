package bankly_test

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func authTests() ledgerTests {
	return ledgerTests{
		"credentials":    credentials,
		"permission":     permission,
		"api-version":    apiVersion,
		"correlation-id": correlationID,
		"company-scope":  companyScope,
	}
}

func tokenTests() ledgerTests {
	return ledgerTests{
		"token-request":       tokenRequest,
		"token-scope":         tokenScope,
		"token-scope-granted": tokenScopeGranted,
		"token-response":      tokenResponse,
		"token-errors":        tokenErrors,
		"token-client":        tokenClient,
	}
}

// form is a valid token request with fields changed; "" takes one out.
func form(w *simtest.World, changes ...string) url.Values {
	f := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.Credentials["client_id"]}, "scope": {"webhook.read webhook.write"}}
	for i := 0; i < len(changes); i += 2 {
		f.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			f.Del(changes[i])
		}
	}
	return f
}

// issued asks for a token with a scope.
func issued(w *simtest.World, scope string) string {
	w.T.Helper()
	token, _ := post(w, issue, form(w, "scope", scope)).OK().Get("access_token").(string)
	require.NotEmpty(w.T, token)
	return token
}

func credentials(w *simtest.World) {
	for operation := range apiOperations() {
		for _, header := range []string{
			"", "Bearer", "Bearer ", "Bearer unknown", w.Credentials["token"], "Basic " + w.Credentials["token"],
			"Bearer " + w.Credentials["token"] + "x", "Bearer " + strings.ToLower(w.Credentials["token"]), "Bearer " + w.Credentials["client_id"],
		} {
			r := valid(operation)
			r.Tamper = tamper("Authorization", header)
			w.Call(operation, r).Refused(401, "credentials").Is(401, unauthorized)
		}
	}
	token := issued(w, "webhook.read")
	later(w, time.Hour-time.Millisecond)
	w.Call(list, simtest.Request{Credentials: as(token)}).OK()
	w.Call(list, simtest.Request{Tamper: tamper("Authorization", "bearer "+token)}).OK()
	later(w, time.Millisecond)
	w.Call(list, simtest.Request{Credentials: as(token)}).Refused(401, "credentials").Is(401, unauthorized)
	later(w, 10*365*24*time.Hour)
	w.Call(list, simtest.Request{}).OK()
	w.Call(list, simtest.Request{Credentials: as(w.Credentials["read_token"])}).OK()
}

func permission(w *simtest.World) {
	tokens := map[string]string{"webhook.read": issued(w, "webhook.read"), "webhook.write": issued(w, "webhook.write")}
	other := map[string]string{"webhook.read": "webhook.write", "webhook.write": "webhook.read"}
	for operation, scope := range apiOperations() {
		r := valid(operation)
		r.Credentials = as(tokens[other[scope]])
		w.Call(operation, r).Refused(403, "permission").Is(403, forbidden)
		r.Credentials = as(tokens[scope])
		require.NotEqual(w.T, 403, w.Call(operation, r).Status, operation)
	}
	w.Call(create, simtest.Request{Body: ted("eventName", "X"), Credentials: as(w.Credentials["read_token"])}).Refused(403, "permission")
	w.Call(list, simtest.Request{Credentials: as(w.Credentials["read_token"])}).OK()
	w.Call(list, simtest.Request{Credentials: as(issued(w, "pix.read"))}).Refused(403, "permission").Is(403, forbidden)
}

func apiVersion(w *simtest.World) {
	for operation := range apiOperations() {
		for _, version := range []string{"", "1", "2.0", "1.0.0", "1.0, 1.0"} {
			r := valid(operation)
			r.Tamper = tamper("api-version", version)
			w.Call(operation, r).Refused(400, "api-version").Is(400, badVersion)
		}
	}
	for _, version := range []string{"", "2.0"} {
		w.Call(issue, simtest.Request{Body: form(w), Tamper: tamper("api-version", version)}).OK()
	}
}

func correlationID(w *simtest.World) {
	const sent = "0b4f6e0a-9c0d-4d0b-8a55-0a2f1c3f7e11"
	mine := []string{"x-correlation-id", sent}
	seen := map[string]bool{}
	for _, reply := range []*simtest.Reply{
		raw(w, "GET", configurationsPath, "", mine...),
		raw(w, "POST", configurationsPath, "{", mine...),
		raw(w, "GET", configurationsPath, "", "Authorization", ""),
		raw(w, "GET", "/no/such/path", "", mine...),
		raw(w, "PUT", configurationsPath, "", mine...),
		raw(w, "POST", tokenPath, form(w).Encode(), "Content-Type", "application/x-www-form-urlencoded"),
		raw(w, "POST", tokenPath, "", "Content-Type", "application/x-www-form-urlencoded"),
		raw(w, "GET", configurationsPath, "", mine...),
		on(w, remove, made(w)),
	} {
		id := reply.Header.Get("x-bkly-correlation-id")
		require.Regexp(w.T, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
		require.NotEqual(w.T, sent, id)
		require.False(w.T, seen[id], "%s came twice", id)
		seen[id] = true
	}
}

// companyScope also shows that token and client_id alone lead a request to their sandbox.
func companyScope(w *simtest.World) {
	id := made(w)
	other, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: 1, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(w.T, err)
	theirs := other.Credentials("bankly")
	require.NotEqual(w.T, w.Credentials["token"], theirs["token"])
	w.Call(list, simtest.Request{Credentials: theirs}).Is(200, `{"data":[],"links":[],"meta":{"page":1,"pageSize":10,"total":0}}`)
	for _, operation := range []string{get, enable, disable, remove} {
		w.Call(operation, simtest.Request{Params: map[string]string{"id": id}, Credentials: theirs}).Is(404, notFound)
	}
	token, _ := post(w, issue, form(w, "client_id", theirs["client_id"])).OK().Get("access_token").(string)
	w.Call(create, simtest.Request{Body: ted(), Credentials: as(token)}).OK()
	require.EqualValues(w.T, 1, listed(w, list, nil).Get("meta.total"))
	require.Equal(w.T, id, listed(w, list, nil).Get("data.0.id"))

	w.Emit(simtest.Event{Type: tedIn, Account: "ANOTHER"})
	require.Empty(w.T, w.Deliveries())
	secondCompany(w)
}

// secondCompany: the messages and batches of another company in the same sandbox are not found either.
func secondCompany(w *simtest.World) {
	require.NoError(w.T, w.Sandbox.AddAccounts(engine.Accounts{"shop": nil}))
	credentials := w.Sandbox.AccountCredentials("shop", "bankly")
	theirs := w.Call(create, simtest.Request{Body: ted(), Credentials: credentials}).OK().Get("data.id")
	w.Call(get, simtest.Request{Params: map[string]string{"id": fmt.Sprint(theirs)}}).Is(404, notFound)
	deliveries := w.Emit(simtest.Event{Type: tedIn, Account: "SHOP"})
	require.Len(w.T, deliveries, 1)
	require.Equal(w.T, theirs, deliveries[0].WebhookID)

	found := w.Call(search, simtest.Request{Query: days(), Credentials: credentials}).OK()
	require.EqualValues(w.T, 1, found.Get("meta.total"))
	require.EqualValues(w.T, 0, listed(w, search, days()).OK().Get("meta.total"))
	key := map[string]string{"idempotencyKey": fmt.Sprint(found.Get("data.0.idempotencyKey"))}
	w.Call(reprocess, simtest.Request{Params: key}).Is(404, notFound)
	require.EqualValues(w.T, 0, post(w, batch, week()).OK().Get("data.total"))
	require.EqualValues(w.T, 0, w.Call(searchBatches, simtest.Request{Query: days(), Credentials: credentials}).OK().Get("meta.total"))
}

func tokenRequest(w *simtest.World) {
	for _, f := range []url.Values{form(w), form(w, "client_secret", "whatever")} {
		post(w, issue, f).OK()
	}
	for _, field := range []string{"grant_type", "client_id", "scope"} {
		post(w, issue, form(w, field, "")).Refused(400, "token-request")
	}
	w.Call(issue, simtest.Request{Body: `{"grant_type":"client_credentials"}`, Header: map[string]string{"Content-Type": "application/json"}}).
		Refused(415, "content-type")
}

func tokenScope(w *simtest.World) {
	ten := "a b c d e f g h i webhook.read"
	require.Equal(w.T, ten, post(w, issue, form(w, "scope", ten)).OK().Get("scope"))
	for _, bad := range []string{ten + " k", "a  b", " a", "a ", "ação", "a\tb", strings.Repeat("x", 2049)} {
		post(w, issue, form(w, "scope", bad)).Refused(400, "token-scope").Is(400, `{"error":"invalid_scope"}`)
	}
}

func tokenScopeGranted(w *simtest.World) {
	require.Equal(w.T, "no.such.scope webhook.read", post(w, issue, form(w, "scope", "no.such.scope webhook.read")).OK().Get("scope"))
	w.Call(list, simtest.Request{Credentials: as(issued(w, "no.such.scope webhook.read"))}).OK()
}

func tokenResponse(w *simtest.World) {
	reply := post(w, issue, form(w, "scope", "webhook.write webhook.read")).OK()
	first, _ := reply.Get("access_token").(string)
	reply.Is(200, `{"access_token":"`+first+`","expires_in":3600,"token_type":"bearer","scope":"webhook.write webhook.read","claims":"company_key"}`)
	later(w, 30*time.Minute)
	second := issued(w, "webhook.read")
	require.NotEqual(w.T, first, second)
	w.Call(list, simtest.Request{Credentials: as(first)}).OK()
	later(w, 45*time.Minute)
	w.Call(list, simtest.Request{Credentials: as(first)}).Refused(401, "credentials")
	w.Call(list, simtest.Request{Credentials: as(second)}).OK()
	tokensForgotten(w)
}

// tokensForgotten: tokens that have expired do not stay for ever, nor do their claims.
func tokensForgotten(w *simtest.World) {
	later(w, time.Hour)
	for range 4 {
		issued(w, "webhook.read")
	}
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	require.Len(w.T, state.Tables["bankly/tokens"], 2+4, "the ready-made ones and the new ones")
	require.Len(w.T, state.Claims, 3+4)
	for _, name := range []string{"token", "read_token"} {
		w.Call(list, simtest.Request{Credentials: as(w.Credentials[name])}).OK()
	}
}

func tokenErrors(w *simtest.World) {
	for _, c := range []struct {
		field, value, want, rule string
	}{
		{"grant_type", "password", "unsupported_grant_type", "token-errors"},
		{"grant_type", "", "invalid_request", "token-request"},
		{"scope", "", "invalid_scope", "token-request"},
		{"scope", "a  b", "invalid_scope", "token-scope"},
		{"client_id", "", "invalid_request", "token-request"},
		{"client_id", strings.Repeat("x", 257), "invalid_request", "token-errors"},
		{"client_secret", strings.Repeat("x", 257), "invalid_request", "token-errors"},
	} {
		post(w, issue, form(w, c.field, c.value)).Refused(400, c.rule).Is(400, `{"error":"`+c.want+`"}`)
	}
	for _, body := range []string{"", "%zz", "client_id=a&client_id=b"} {
		w.Call(issue, simtest.Request{Body: body}).Refused(400, "token-errors").Is(400, `{"error":"invalid_request"}`)
	}
	several := simtest.Request{Body: "grant_type=password&scope=a"}
	w.Call(issue, several).Refused(400, "token-errors").Is(400, `{"error":"unsupported_grant_type"}`)
}

func tokenClient(w *simtest.World) {
	post(w, issue, form(w, "client_id", unknownID)).Refused(400, "token-client").Is(400, `{"error":"invalid_client"}`)
	post(w, issue, form(w, "client_id", w.Credentials["token"])).Refused(400, "token-client")
}
