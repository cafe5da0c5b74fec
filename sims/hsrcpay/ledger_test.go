package hsrcpay_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

type ledgerTests = map[string]func(w *simtest.World)

func TestLedger(t *testing.T) {
	tests := ledgerTests{}
	for _, topic := range []ledgerTests{
		requestTests(), schemaTests(), credentialTests(), accountTests(), webhookTests(), idempotencyTests(), errorTests(),
		eventTests(), deliveryTests(), retryTests(), blockingTests(),
	} {
		for id := range topic {
			require.NotContains(t, tests, id)
		}
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, hsrcpay.New(), tests)
}

// The plainest body that is accepted in both data sets.
const plainBody = `{"endpoint":"https://shop.example.com/hooks","enabled_events":["payment.succeeded"]}`

const (
	create = "createWebhook"
	list   = "listWebhooks"
)

func live(w *simtest.World) sims.Credentials {
	return sims.Credentials{"secret_key": w.Credentials["live_secret_key"]}
}

// created makes a webhook for these entries in the test data set and returns its id.
func created(w *simtest.World, entries ...string) string {
	w.T.Helper()
	return createdBy(w, nil, entries...)
}

func createdBy(w *simtest.World, credentials sims.Credentials, entries ...string) string {
	w.T.Helper()
	body := map[string]any{"endpoint": "https://shop.example.com/hooks", "enabled_events": entries}
	reply := w.Call(create, simtest.Request{Body: body, Credentials: credentials}).OK()
	id, _ := reply.Get("data.id").(string)
	return id
}

// listed returns the ids in a list.
func listed(w *simtest.World, credentials sims.Credentials) []string {
	w.T.Helper()
	ids := []string{}
	rows, _ := w.Call(list, simtest.Request{Credentials: credentials}).OK().Get("data").([]any)
	for _, row := range rows {
		object, _ := row.(map[string]any)
		id, _ := object["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// raw is a request as it is written, with these headers and no others.
func raw(w *simtest.World, method, path, body string, header map[string]string) *simtest.Reply {
	w.T.Helper()
	req := w.Request(method, path, "", []byte(body))
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return w.Send(req)
}

// as calls an operation with a token, in the words of the Authorization header.
func as(w *simtest.World, operation, authorization string) *simtest.Reply {
	w.T.Helper()
	r := simtest.Request{Anonymous: true, Header: map[string]string{"Authorization": authorization}}
	if operation == create {
		r.Body = plainBody
	}
	return w.Call(operation, r)
}

// jwt is an access token with these claims.
func jwt(claims, signature string) string {
	return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + signature
}

// refusal is a whole error body.
func refusal(status int, message, reason, details string) string {
	return fmt.Sprintf(`{"message":%q,"success":false,"error":{"code":%d,"message":%q,"details":%s}}`, message, status, reason, details)
}

// invalid is the whole body of a validation error.
func invalid(details string) string {
	return refusal(http.StatusUnprocessableEntity, "Validation failed", "Request validation failed", details)
}

// inside runs a function on the state of the provider.
func inside(w *simtest.World, fn func(e *sims.Env)) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		fn(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
}

// encoded is a value as it is sent.
func encoded(w *simtest.World, v any) string {
	w.T.Helper()
	data, err := strictjson.Encode(v)
	require.NoError(w.T, err)
	return string(data)
}
