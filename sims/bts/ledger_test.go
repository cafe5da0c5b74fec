package bts_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

type (
	ledgerTests = map[string]func(w *world)
	object      = map[string]any
	world       = simtest.World
	request     = simtest.Request
)

func TestLedger(t *testing.T) {
	tests := ledgerTests{}
	for _, topic := range []ledgerTests{requestTests(), authTests(), configTests(), eventTests(), deliveryTests()} {
		for id := range topic {
			require.NotContains(t, tests, id)
		}
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, bts.New(), tests)
}

const (
	configPath      = "/v1/webhook/webhook-config"
	badRequest      = `{"name":"Bad Request","message":"Invalid JSON data in request body: Syntax error.","code":0,"status":400,"type":"yii\\web\\BadRequestHttpException"}`
	unauthorized    = `{"name":"Unauthorized","message":"Your request was made with invalid credentials.","code":0,"status":401,"type":"yii\\web\\UnauthorizedHttpException"}`
	loginRefused    = `{"name":"Unauthorized","message":"Incorrect login or password.","code":0,"status":401,"type":"yii\\web\\UnauthorizedHttpException"}`
	notFound        = `{"name":"Not Found","message":"Sahifa topilmadi.","code":0,"status":404,"type":"yii\\web\\NotFoundHttpException"}`
	onlyGetAndPost  = `{"name":"Method Not Allowed","message":"Method Not Allowed. This URL can only handle the following request methods: GET, POST.","code":0,"status":405,"type":"yii\\web\\MethodNotAllowedHttpException"}`
	notAcceptable   = `{"name":"Not Acceptable","message":"None of your requested content types is supported.","code":0,"status":406,"type":"yii\\web\\NotAcceptableHttpException"}`
	tooLarge        = `{"name":"Request Entity Too Large","message":"Request Entity Too Large","code":0,"status":413,"type":"yii\\web\\HttpException"}`
	unsupportedType = `{"name":"Unsupported Media Type","message":"The requested content type is not supported.","code":0,"status":415,"type":"yii\\web\\UnsupportedMediaTypeHttpException"}`
	documented422   = `{"status":false,"message":"Tekshiruv xatosi.","status_code":422,"errors":{"webhook_url":["URL notog‘ri"],"environment":["Notog‘ri environment"]}}`
)

// invalid is the body of a failed validation; errors is the JSON of its messages.
func invalid(errors string) string {
	return `{"status":false,"message":"Tekshiruv xatosi.","status_code":422,"errors":{` + errors + `}}`
}

// configured is the body of a stored configuration.
func configured(url, date string, hasToken bool, environment, key string) string {
	return fmt.Sprintf(`{"status":true,"message":"Muvaffaqiyatli yaratildi.","status_code":200,"data":{"webhook_url":%q,"method":"POST",`+
		`"date":%q,"has_token":%t,"environment":%q,"itx-apiKey":%q}}`, url, date, hasToken, environment, key)
}

func operations() []string {
	return []string{"configureWebhook", "configureWebhookByPost", "login", "refresh"}
}

func configOperations() []string { return operations()[:2] }

func pathOf(operation string) string {
	switch operation {
	case "login", "refresh":
		return "/auth/" + operation
	default:
		return configPath
	}
}

// good returns a body that the operation accepts.
func good(w *world, operation string) object {
	switch operation {
	case "login":
		return object{"login": "username", "password": "password"}
	case "refresh":
		_, refresh := login(w)
		return object{"refresh_token": refresh}
	default:
		return object{"webhook_url": "https://test.uz", "environment": "production"}
	}
}

// nothing is the reply to an operation that was sent no field.
func nothing(operation string) string {
	switch operation {
	case "login":
		return invalid("\"login\":[\"«Login» to`ldirish shart.\"],\"password\":[\"«Password» to`ldirish shart.\"]")
	case "refresh":
		return invalid("\"refresh_token\":[\"«Refresh Token» to`ldirish shart.\"]")
	default:
		return documented422
	}
}

// login returns both tokens of a new login.
func login(w *world) (access, refresh string) {
	w.T.Helper()
	return pair(w.Call("login", request{Body: object{"login": "username", "password": "password"}}).OK())
}

func pair(reply *simtest.Reply) (access, refresh string) {
	access, _ = reply.Get("data.access_token").(string)
	refresh, _ = reply.Get("data.refresh_token").(string)
	return access, refresh
}

// configure stores a configuration with some fields changed; nil leaves a field out.
func configure(w *world, changes object) *simtest.Reply {
	w.T.Helper()
	body := object{"webhook_url": "https://test.uz", "environment": "production"}
	maps.Copy(body, changes)
	return w.Call("configureWebhookByPost", request{Body: body})
}

// as sends a configuration with a token.
func as(w *world, token string) *simtest.Reply {
	w.T.Helper()
	return w.Call("configureWebhook", request{Body: good(w, "configureWebhook"), Credentials: sims.Credentials{"token": token}})
}

// withHeader sends a good request whose header is replaced ("" removes it) after everything else.
func withHeader(w *world, operation, name, value string) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, request{Body: good(w, operation), Tamper: func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}})
}

// hooks returns the stored webhooks in the neutral shape.
func hooks(w *world) (all []sims.Webhook) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		all = w.Provider.Webhooks(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
	return all
}

// rendered is a failure of a kind that no request causes, in the provider's envelope.
func rendered(w *world, kind sims.Kind) (reply sims.Reply, body string) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		c := &sims.Call{Env: w.Sandbox.Env(w.Provider, tx), Operation: "configureWebhook"}
		reply = w.Provider.Fail(c, sims.Failure{Kind: kind})
		w.Provider.Finish(c, &reply)
		return nil
	}))
	data, err := strictjson.Encode(reply.Body)
	require.NoError(w.T, err)
	return reply, string(data)
}

// claimsOf decodes the payload of a token.
func claimsOf(t testing.TB, token string) object {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	decoded, err := strictjson.Decode(data)
	require.NoError(t, err)
	claims, ok := decoded.(object)
	require.True(t, ok)
	return claims
}

// keysInOrder returns the top-level member names of a JSON object as they are written.
func keysInOrder(t testing.TB, body string) (names []string) {
	t.Helper()
	dec := jsontext.NewDecoder(strings.NewReader(body))
	_, err := dec.ReadToken()
	require.NoError(t, err)
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		require.NoError(t, err)
		names = append(names, name.String())
		require.NoError(t, dec.SkipValue())
	}
	return names
}
