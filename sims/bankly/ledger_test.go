package bankly_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

type ledgerTests = map[string]func(w *simtest.World)

func TestLedger(t *testing.T) {
	tests := ledgerTests{}
	for _, topic := range []ledgerTests{
		authTests(), certificateTests(), tokenTests(), requestTests(), configurationTests(), listTests(), messageTests(), reprocessTests(), batchTests(),
		eventTests(), deliveryTests(), retryTests(), blockTests(),
	} {
		for id := range topic {
			require.NotContains(t, tests, id)
		}
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, bankly.New(), tests)
}

// The whole bodies of the provider's common errors.
const (
	unauthorized  = `{"code":"UNAUTHORIZED","message":"Solicitação não autorizada."}`
	forbidden     = `{"code":"FORBIDDEN","message":"O acesso ao recurso foi negado pelo servidor."}`
	notFound      = `{"code":"NOT_FOUND","message":"Recurso não encontrado."}`
	wrongMethod   = `{"code":"METHOD_NOT_ALLOWED","message":"Recurso acessado com método não suportado."}`
	conflict      = `{"code":"CONFLICT","message":"A sintaxe da requisição é válida, mas o recurso acessado está em um estado que não pode ser alterado ou já houve um processamento semelhante em andamento."}`
	tooLarge      = `{"code":"PAYLOAD_TOO_LARGE","message":"O conteúdo da requisição excede o tamanho máximo permitido."}`
	mediaType     = `{"code":"UNSUPPORTED_MEDIA_TYPE","message":"Formato de payload não suportado."}`
	unprocessable = `{"code":"UNPROCESSABLE","message":"Sintaxe válida, mas a requisição não pode ser processada, devido a uma regra de negócio."}`
	rateLimited   = `{"code":"TOO_MANY_REQUESTS","message":"A operação foi recusada, pois muitas solicitações foram feitas dentro de um determinado período."}`
	internalError = `{"code":"INTERNAL_SERVER_ERROR","message":"Ocorreu um erro interno no servidor."}`
	badVersion    = `{"code":"INVALID_API_VERSION","message":"A versão da API informada não é válida."}`
)

// invalid is the whole body of a 400: pairs of property and text.
func invalid(pairs ...string) string {
	var entries []string
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, fmt.Sprintf(`{"code":"INVALID_PARAMETER","propertyName":%q,"messages":[%q]}`, pairs[i], pairs[i+1]))
	}
	return `{"errors":[` + strings.Join(entries, ",") +
		`],"code":"INVALID_PARAMETER","message":"O conteúdo da requisição não está de acordo com o esperado."}`
}

const (
	configurationsPath = "/webhooks/configurations"
	messagesPath       = "/webhooks/processed-messages"
	batchPath          = messagesPath + "/batch"
	tokenPath          = "/oauth2/token"

	hook      = "https://merchant.example/bankly?a=1"
	otherHook = "https://merchant.example/other"
	unknownID = "00000000-0000-4000-8000-000000000000"
	tedIn     = "TED_CASH_IN_WAS_CLEARED"
	pixIn     = "PIX_CASH_IN_WAS_CLEARED"

	issue, list, create, get = "issueToken", "listConfigurations", "createConfiguration", "getConfiguration"
	update, remove           = "updateConfiguration", "deleteConfiguration"
	enable, disable          = "enableConfiguration", "disableConfiguration"
	search, reprocess        = "listProcessedMessages", "reprocessMessage"
	searchBatches, batch     = "listBatches", "reprocessBatch"
)

// apiOperations are all but the token endpoint, with the scope they need.
func apiOperations() map[string]string {
	return map[string]string{
		list: "webhook.read", create: "webhook.write", get: "webhook.read", update: "webhook.write", remove: "webhook.write",
		enable: "webhook.write", disable: "webhook.write", search: "webhook.read", reprocess: "webhook.read",
		searchBatches: "webhook.read", batch: "webhook.read",
	}
}

type object = map[string]any

// ted is a valid registration with members changed; nil takes one out.
func ted(changes ...any) object {
	return changed(object{
		"name": "ted", "eventName": tedIn, "context": "Ted", "uri": hook, "privateKey": "secret", "publicKey": "public",
	}, changes...)
}

// week is a valid batch request with members changed.
func week(changes ...any) object {
	return changed(object{"startDate": "2026-01-05", "endDate": "2026-01-11"}, changes...)
}

func changed(o object, changes ...any) object {
	for i := 0; i < len(changes); i += 2 {
		name, _ := changes[i].(string)
		o[name] = changes[i+1]
		if changes[i+1] == nil {
			delete(o, name)
		}
	}
	return o
}

// valid is a request to an operation that passes its schema. Ids in it name nothing.
func valid(operation string) simtest.Request {
	r := simtest.Request{Params: map[string]string{"id": unknownID, "idempotencyKey": unknownID}}
	switch operation {
	case create:
		r.Body = ted()
	case update:
		r.Body = object{"uri": otherHook}
	case batch:
		r.Body = week()
	case search, searchBatches:
		r.Query = days()
	case issue:
		r.Body = url.Values{}
	}
	return r
}

// days are the dates around the clock of a world, and what else a query has.
func days(more ...string) map[string]string {
	query := map[string]string{"startDate": "2026-01-01", "endDate": "2026-01-31"}
	for i := 0; i < len(more); i += 2 {
		query[more[i]] = more[i+1]
	}
	return query
}

// post sends a body to an operation.
func post(w *simtest.World, operation string, body any) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Body: body})
}

// made registers a configuration and returns its id.
func made(w *simtest.World, changes ...any) string {
	w.T.Helper()
	id, _ := post(w, create, ted(changes...)).OK().Get("data.id").(string)
	require.NotEmpty(w.T, id)
	return id
}

// on sends an operation on one configuration.
func on(w *simtest.World, operation, id string) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Params: map[string]string{"id": id}})
}

// change updates a configuration.
func change(w *simtest.World, id string, body any) *simtest.Reply {
	w.T.Helper()
	return w.Call(update, simtest.Request{Params: map[string]string{"id": id}, Body: body})
}

// shown is a member of a configuration as reading shows it.
func shown(w *simtest.World, id, member string) any {
	w.T.Helper()
	return on(w, get, id).OK().Get("data.0." + member)
}

// listed queries a list.
func listed(w *simtest.World, operation string, query map[string]string) *simtest.Reply {
	w.T.Helper()
	return w.Call(operation, simtest.Request{Query: query})
}

// members are a member of every item of a list.
func members(r *simtest.Reply, name string) []any {
	values := []any{}
	items, _ := r.Get("data").([]any)
	for i := range items {
		values = append(values, r.Get(fmt.Sprintf("data.%d.%s", i, name)))
	}
	return values
}

// raw sends an authorized request to any path; "" as a header's value removes it.
func raw(w *simtest.World, method, path, body string, header ...string) *simtest.Reply {
	w.T.Helper()
	req := w.Request(method, path, "application/json", []byte(body))
	req.Header.Set("Authorization", "Bearer "+w.Credentials["token"])
	req.Header.Set("api-version", "1.0")
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return w.Send(req)
}

// tamper changes a header after the request was authorized.
func tamper(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

// as are the credentials of a token.
func as(token string) sims.Credentials { return sims.Credentials{"token": token} }

// later moves the clock without performing what is due on the way.
func later(w *simtest.World, by time.Duration) { w.SetNow(w.Sandbox.Clock.Now().Add(by)) }

func encoded(w *simtest.World, v any) []byte {
	w.T.Helper()
	data, err := strictjson.Encode(v)
	require.NoError(w.T, err)
	return data
}
