package signedsub_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

type ledgerTests = map[string]func(w *simtest.World)

func TestLedger(t *testing.T) {
	tests := ledgerTests{}
	for _, topic := range []ledgerTests{requestTests(), authTests(), subscriptionTests(), channelTests(), deliveryTests(), retryTests(), blockTests()} {
		for id := range topic {
			require.NotContains(t, tests, id)
		}
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, signedsub.New(), tests)
}

// The whole bodies of the provider's refusals.
const (
	internalError = `{"errorCode":"000","message":"Internal server error"}`
	badRequest    = `{"errorCode":"001","message":"Bad request"}`
	invalidKey    = `{"errorCode":"002","message":"Invalid api key"}`
	wrongSign     = `{"errorCode":"003","message":"Wrong sign"}`
	notFound      = `{"errorCode":"004","message":"Requested object is not found"}`
	badTimestamp  = `{"errorCode":"011","message":"Invalid timestamp parameter"}`
	exists        = `{"errorCode":"016","message":"IdempotencyKey ` + id + ` already exists"}`
)

const (
	listPath   = "/api/v1/subscription/webhook"
	createPath = listPath + "/create"

	id           = "123e4567-e89b-12d3-a456-426614174000"
	otherID      = "9c2b7a54-3f0d-4e1b-8a66-0d5f7c1e2b90"
	hook         = "https://merchant.example/calypso/webhooks"
	otherAccount = "0x52908400098527886e0f7030069857d2e4169ee7"

	create, list, change, remove, regenerate = "createSubscription", "listSubscriptions", "changeSubscription", "deleteSubscription", "regenerateApiKeys"
)

// withAccount are the operations whose body has an account; withPayload those whose body has a payload.
func withAccount() []string { return []string{list, create, change, remove} }
func withPayload() []string { return []string{create, change, remove, regenerate} }

// payload is a valid payload with the given members instead of or beside its own; "" takes one out.
func payload(members ...string) string {
	all := [][2]string{{"requestId", `"` + id + `"`}, {"notificationEventTypes", `["PAYOUT_CHANGE_STATUS"]`}, {"url", `"` + hook + `"`}}
	for i := 0; i < len(members); i += 2 {
		all = append(all, [2]string{members[i], members[i+1]})
	}
	last := map[string]string{}
	for _, member := range all {
		last[member[0]] = member[1]
	}
	var parts []string
	for _, member := range all {
		if value := last[member[0]]; value != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", member[0], value))
			last[member[0]] = ""
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// call sends an operation for the ready-made account, as a client does.
func call(w *simtest.World, operation, payload string) *simtest.Reply {
	w.T.Helper()
	return callFor(w, w.Credentials["account"], operation, payload)
}

func callFor(w *simtest.World, account, operation, payload string) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Body: fmt.Sprintf(`{"account":%q,"payload":%s}`, account, payload)})
}

// made creates a subscription with payload(members...).
func made(w *simtest.World, members ...string) *simtest.Reply {
	w.T.Helper()
	return call(w, create, payload(members...)).OK()
}

// exactly sends these bytes, signed, without touching the timestamp.
func exactly(w *simtest.World, operation, body string) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Body: body, Anonymous: true, Header: signed(w.Credentials, body)})
}

// signed are the headers that belong to a body.
func signed(credentials sims.Credentials, body string) map[string]string {
	return map[string]string{"Key": credentials["key"], "Sign": hmacSHA512(credentials["secret"], body)}
}

// raw sends a signed request to any path.
func raw(w *simtest.World, method, path, body string) *simtest.Reply {
	w.T.Helper()
	req := w.Request(method, path, "application/json", []byte(body))
	for name, value := range signed(w.Credentials, body) {
		req.Header.Set(name, value)
	}
	return w.Send(req)
}

// stamp is the provider's clock plus an offset, in milliseconds.
func stamp(w *simtest.World, offset int64) string {
	return fmt.Sprint(w.Sandbox.Clock.EdgeNow().UnixMilli() + offset)
}

// tamper sets a header after the request was authorized.
func tamper(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// addClient stores a client with its accounts, beside the ready-made one.
func addClient(w *simtest.World, key, secret string, accounts ...string) sims.Credentials {
	w.T.Helper()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	value, err := strictjson.Encode(map[string]any{"key": key, "secret": secret, "accounts": accounts})
	require.NoError(w.T, err)
	rows := state.Tables["signedsub/clients"]
	state.Tables["signedsub/clients"] = append(rows, store.Row{ID: key, Value: value})
	require.NoError(w.T, w.Sandbox.Import(state))
	return sims.Credentials{"key": key, "secret": secret, "account": accounts[0]}
}

// addAccount gives the ready-made client a second account.
func addAccount(w *simtest.World) {
	w.T.Helper()
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	row := &state.Tables["signedsub/clients"][0]
	row.Value = []byte(strings.Replace(string(row.Value), `"accounts":[`, `"accounts":["`+otherAccount+`",`, 1))
	require.NoError(w.T, w.Sandbox.Import(state))
}

// setHealth records how the deliveries of a subscription have been doing.
func setHealth(w *simtest.World, health sims.Health) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.Update(func(tx store.Tx) error {
		sims.HealthTable(store.Scoped(tx, "signedsub")).Put(id, health)
		return nil
	}))
}

// webhooks is the neutral view.
func webhooks(w *simtest.World) []sims.Webhook {
	w.T.Helper()
	var all []sims.Webhook
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		all = w.Provider.Webhooks(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
	return all
}

func encoded(w *simtest.World, v any) string {
	w.T.Helper()
	data, err := strictjson.Encode(v)
	require.NoError(w.T, err)
	return string(data)
}

// targets are the ids of the subscriptions that receive an event.
func targets(w *simtest.World, account, eventType string) []string {
	w.T.Helper()
	known, ok := w.Provider.Contract.EventType(eventType)
	require.True(w.T, ok)
	var ids []string
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		event := sims.Event{Type: known.Type, Group: known.Group, Account: account}
		ids = w.Provider.Delivery.Targets(w.Sandbox.Env(w.Provider, tx), event)
		return nil
	}))
	return ids
}

// channelText is the whole answer about a healthy subscription made at the start.
func channelText(reply *simtest.Reply, types, url string) string {
	return fmt.Sprintf(`{"requestId":"%s","notificationEventTypes":%s,"url":"%s","publicKey":"%s","secretKey":"%s",`+
		`"createdDate":"2026-01-08T10:30:00.250Z","enabled":true,"blockedByErrorCount":false,"errorCount":0,`+
		`"errorFirstDate":null,"errorLastDate":null}`, id, types, url, reply.Get("publicKey"), reply.Get("secretKey"))
}
