package bitpay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

type ledgerTests = map[string]func(w *simtest.World)

func TestLedger(t *testing.T) {
	tests := ledgerTests{}
	for _, topic := range []ledgerTests{requestTests(), parameterTests(), tokenTests(), webhookTests(), deliveryTests(), retryTests()} {
		for id := range topic {
			require.NotContains(t, tests, id)
		}
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, bitpay.New(), tests)
}

// The replies whose text is fixed.
const (
	unsupported  = `{"code":-1020,"msg":"This operation is not supported."}`
	malformed    = `{"code":-1102,"msg":"A mandatory parameter was not sent, was empty/null, or malformed."}`
	unauthorized = `{"code":-1002,"msg":"You are not authorized to execute this request."}`
	keyFormat    = `{"code":-2014,"msg":"API-key format invalid."}`
	keyUnknown   = `{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}`
	outside      = `{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}`
	ahead        = `{"code":-1021,"msg":"Timestamp for this request was 1000ms ahead of the server's time."}`
	signature    = `{"code":-1022,"msg":"Signature for this request is not valid."}`
	repeated     = `{"code":-1174,"msg":"Repeated submit request"}`
	notNumeric   = `{"code":-4021,"msg":"Parameter status is not numeric type"}`
	urlTooLong   = `{"code":-4011,"msg":"Parameter url exceeds the limit length of 2048"}`
	deleted      = `{"code":200,"msg":"SUCCESS","data":{"result":true}}`
	emptyList    = `{"code":200,"msg":"SUCCESS","data":[]}`
)

// unknownID is the documented id, which no sandbox has.
const unknownID = "ebab8a9663704e7cbbebe672c7c67912"

func invalid(name string) string {
	return fmt.Sprintf(`{"code":-4010,"msg":"Parameter %s is invalid"}`, name)
}

func mandatory(name string) string {
	return fmt.Sprintf(`{"code":-1102,"msg":"Mandatory parameter '%s' was not sent, was empty/null, or malformed."}`, name)
}

type object = map[string]any

func post(w *simtest.World, body any) *simtest.Reply {
	w.T.Helper()
	return w.Call("createWebhook", simtest.Request{Body: body})
}

func create(w *simtest.World, eventType, target string) string {
	w.T.Helper()
	return idOf(post(w, object{"eventType": eventType, "url": target}).OK())
}

func idOf(reply *simtest.Reply) string { return fmt.Sprint(reply.Get("data.webhookId")) }

func put(w *simtest.World, id string, body any) *simtest.Reply {
	w.T.Helper()
	return w.Call("updateWebhook", simtest.Request{Params: map[string]string{"webhookId": id}, Body: body})
}

func remove(w *simtest.World, id string) *simtest.Reply {
	w.T.Helper()
	return w.Call("deleteWebhook", simtest.Request{Params: map[string]string{"webhookId": id}})
}

func list(w *simtest.World, status string) *simtest.Reply {
	w.T.Helper()
	query := map[string]string{"status": status}
	if status == "" {
		query = nil
	}
	return w.Call("listWebhooks", simtest.Request{Query: query})
}

// ids are those of a list, in its order.
func ids(w *simtest.World, status string) []string {
	w.T.Helper()
	items, ok := list(w, status).OK().Get("data").([]any)
	require.True(w.T, ok, "data is an array")
	found := []string{}
	for _, item := range items {
		webhook, _ := item.(map[string]any)
		found = append(found, fmt.Sprint(webhook["webhookId"]))
	}
	return found
}

// shown is the success envelope of one webhook.
func shown(w *simtest.World, id, eventType, target string, status int) string {
	return `{"code":200,"msg":"SUCCESS","data":` + item(w, id, eventType, target, status) + `}`
}

func item(w *simtest.World, id, eventType, target string, status int) string {
	return fmt.Sprintf(`{"webhookId":"%s","eventType":"%s","url":"%s","status":%d,"publicKey":"%s"}`,
		id, eventType, target, status, publicKey(w))
}

// publicKey is what any webhook of a fresh world of the same sandbox shows.
func publicKey(w *simtest.World) string {
	w.T.Helper()
	other := simtest.New(w.T, bitpay.New())
	return fmt.Sprint(post(other, object{"eventType": "ORDER_WEBHOOK", "url": "http://key.test"}).OK().Get("data.publicKey"))
}

// generate asks for a token with exactly these parameters, timestamp and signature as text; "-" leaves one out.
func generate(w *simtest.World, timestamp, signed string) *simtest.Reply {
	w.T.Helper()
	return w.Call("generateToken", simtest.Request{Tamper: func(r *http.Request) {
		query := url.Values{}
		for name, value := range map[string]string{"timestamp": timestamp, "signature": signed} {
			if value != "-" {
				query.Set(name, value)
			}
		}
		r.URL.RawQuery = query.Encode()
	}})
}

// generateAt asks with a good signature for an instant.
func generateAt(w *simtest.World, at time.Time) *simtest.Reply {
	w.T.Helper()
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	return generate(w, timestamp, signed(w, timestamp))
}

// signed follows create-api-token.md, 'Signature Generation Process'.
func signed(w *simtest.World, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(w.Credentials["api_secret"]))
	mac.Write([]byte("timestamp=" + timestamp))
	return hex.EncodeToString(mac.Sum(nil))
}

// listWith lists with another token than the ready-made one.
func listWith(w *simtest.World, token string) *simtest.Reply {
	w.T.Helper()
	return w.Call("listWebhooks", simtest.Request{Credentials: sims.Credentials{"token": token}})
}
