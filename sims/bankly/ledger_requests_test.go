package bankly_test

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func requestTests() ledgerTests {
	return ledgerTests{
		"check-order":         checkOrder,
		"error-shape":         errorShape,
		"schema":              schema,
		"validation-messages": validationMessages,
		"unknown-fields":      unknownFields,
		"unknown-path":        unknownPath,
		"wrong-method":        wrongMethods,
		"content-type":        contentType,
		"malformed-json":      malformedJSON,
		"too-large":           tooLargeBody,
		"unused-errors":       unusedErrors,
		"rate-limit":          rateLimit,
		"scripted-errors":     scriptedErrors(),
		"server-error":        serverError,
		"trailing-slash":      trailingSlash,
	}
}

// checkOrder sends requests that fail ever fewer checks: the first that is left decides.
func checkOrder(w *simtest.World) {
	big, bad := strings.Repeat("x", 1<<20+1), []string{"Authorization", "", "Content-Type", "text/plain", "api-version", ""}
	raw(w, "PUT", "/no/such/path", big, bad...).Refused(413, "too-large")
	w.Send(over("api-mtls.bankly.com.br", nil)(w.Request("PUT", "/no/such/path", "", []byte(big)))).Refused(413, "too-large")
	w.Send(over("api-mtls.bankly.com.br", nil)(w.Request("PUT", "/no/such/path", "", []byte("{")))).Refused(403, "client-certificate")
	raw(w, "PUT", "/no/such/path", "{", bad...).Refused(404, "unknown-path")
	raw(w, "PUT", configurationsPath, "{", bad...).Refused(405, "wrong-method")
	raw(w, "POST", configurationsPath, "{", bad...).Refused(401, "credentials")
	bad[1] = "Bearer " + w.Credentials["read_token"]
	raw(w, "POST", configurationsPath, "{", bad...).Refused(403, "permission")
	raw(w, "POST", configurationsPath, "{", bad[2:]...).Refused(400, "api-version")
	raw(w, "POST", configurationsPath, "{", bad[2:4]...).Refused(415, "content-type")
	raw(w, "POST", configurationsPath, "{").Refused(400, "malformed-json")
	raw(w, "POST", configurationsPath, "[]").Refused(400, "schema")

	w.SetPolicy("unique_by", "event_context_uri")
	made(w)
	id := made(w, "uri", otherHook)
	change(w, unknownID, object{"uri": "nowhere"}).Refused(400, "uri-format")
	change(w, unknownID, object{"uri": hook}).Refused(404, "unknown-object")
	change(w, id, object{"uri": hook}).Refused(409, "duplicate")
	listed(w, search, days("startDate", "2020-02-30", "page", "0")).Refused(400, "paging-limits")
}

func errorShape(w *simtest.World) {
	post(w, create, ted("name", nil)).Is(400, `{"errors":[{"code":"INVALID_PARAMETER","propertyName":"name",`+
		`"messages":["O campo name é obrigatório."]}],"code":"INVALID_PARAMETER",`+
		`"message":"O conteúdo da requisição não está de acordo com o esperado."}`)
	reply := on(w, get, unknownID).Is(404, notFound)
	require.Equal(w.T, "application/json", reply.Header.Get("Content-Type"))
}

func schema(w *simtest.World) {
	before := w.Dump()
	post(w, create, ted("privateKey", strings.Repeat("x", 65), "uri", nil, "context", "")).Refused(400, "create-fields").
		Is(400, invalid("context", "O campo context não pode ser vazio.", "privateKey", "O campo privateKey deve ter no máximo 64 caracteres.",
			"uri", "O campo uri é obrigatório."))
	listed(w, search, map[string]string{"startDate": "soon", "page": "0", "pageSize": "101"}).Refused(400, "schema").
		Is(400, invalid("startDate", "O campo startDate possui um formato inválido.", "endDate", "O campo endDate é obrigatório.",
			"page", "O campo page deve ser maior ou igual a 1.", "pageSize", "O campo pageSize deve ser menor ou igual a 100."))
	// A text that is too long and in no form of a day has one entry with two messages.
	post(w, batch, week("startDate", "2026-01-011")).Is(400, strings.Replace(
		invalid("startDate", "O campo startDate deve ter no máximo 10 caracteres."), `."]`,
		`.","O campo startDate possui um formato inválido."]`, 1))
	post(w, create, ted("name", 1)).Refused(400, "schema")
	listed(w, search, days("eventName", "")).Refused(400, "schema")
	require.Equal(w.T, before, w.Dump())
}

func validationMessages(w *simtest.World) {
	for _, c := range []struct {
		body           object
		property, text string
	}{
		{ted("uri", nil), "uri", "O campo uri é obrigatório."},
		{ted("uri", 1), "uri", "O campo uri possui um tipo inválido."},
		{ted("uri", ""), "uri", "O campo uri possui um formato inválido."},
		{ted("name", ""), "name", "O campo name não pode ser vazio."},
		{ted("name", strings.Repeat("x", 101)), "name", "O campo name deve ter no máximo 100 caracteres."},
		{ted("publicKey", "ç"), "publicKey", "O campo publicKey possui um formato inválido."},
	} {
		post(w, create, c.body).Is(400, invalid(c.property, c.text))
	}
	post(w, create, `{"name":null,"eventName":"a","context":"b","uri":"http://a.b","privateKey":"c","publicKey":"d"}`).
		Is(400, invalid("name", "O campo name não pode ser nulo."))
	post(w, create, `[]`).Is(400, invalid("$", "O campo $ possui um tipo inválido."))
	post(w, create, ``).Is(400, invalid("$", "O corpo da requisição é obrigatório."))
	post(w, create, `{`).Is(400, invalid("$", "O corpo da requisição não é um JSON válido."))
	change(w, made(w), object{}).Is(400, invalid("$", "Informe ao menos um dos campos privateKey, publicKey ou uri."))
	for property, c := range map[string][2]string{
		"page":     {"0", "O campo page deve ser maior ou igual a 1."},
		"pageSize": {"101", "O campo pageSize deve ser menor ou igual a 100."},
		"status":   {"enabled", "O campo status deve ser um dos seguintes valores: Enabled, Disabled."},
	} {
		listed(w, list, map[string]string{property: c[0]}).Is(400, invalid(property, c[1]))
	}
	names := make([]any, 201)
	for i := range names {
		names[i] = "X"
	}
	for _, c := range []struct {
		body           object
		property, text string
	}{
		{week("eventNames", names), "eventNames", "O campo eventNames deve ter no máximo 200 itens."},
		{week("eventNames", []any{"X", 1}), "eventNames[1]", "O campo eventNames[1] possui um tipo inválido."},
		{week("eventState", "Hold"), "eventState", "O campo eventState deve ser um dos seguintes valores: Failed, Success."},
		{week("endDate", "2026-01-04"), "endDate", "O campo endDate deve ser maior ou igual a startDate."},
		{week("startDate", "2025-07-07"), "startDate", "O campo startDate deve ser no máximo seis meses anterior à data atual."},
		{week("endDate", "2026-03-05"), "context", "O campo context é obrigatório quando o período é maior que 30 dias."},
	} {
		post(w, batch, c.body).Is(400, invalid(c.property, c.text))
	}
}

func unknownFields(w *simtest.World) {
	id := made(w, "extra", object{"a": 1}, "status", "Disabled")
	require.Equal(w.T, "Enabled", shown(w, id, "status"))
	change(w, id, object{"name": "x", "eventName": "x", "context": "x", "status": "Disabled", "publicKey": "new"}).Is(204, "")
	for member, want := range map[string]string{"name": "ted", "eventName": tedIn, "context": "Ted", "status": "Enabled", "publicKey": "new"} {
		require.Equal(w.T, want, shown(w, id, member))
	}
	require.EqualValues(w.T, 1, listed(w, list, map[string]string{"sort": "desc", "eventName": "X"}).OK().Get("meta.total"))
}

func unknownPath(w *simtest.World) {
	for _, path := range []string{"/", "/webhooks", "/oauth2", "/webhooks/configuration", configurationsPath + "/a/b", configurationsPath + "/a/enabled", "//webhooks/configurations"} {
		raw(w, "GET", path, "", "Authorization", "").Refused(404, "unknown-path").Is(404, notFound)
	}
}

func wrongMethods(w *simtest.World) {
	for path, method := range map[string]string{
		configurationsPath: "PATCH", configurationsPath + "/x": "POST", configurationsPath + "/x/enable": "POST",
		messagesPath: "POST", messagesPath + "/x": "GET", batchPath: "PUT", tokenPath: "GET",
	} {
		raw(w, method, path, "", "Authorization", "").Refused(405, "wrong-method").Is(405, wrongMethod)
	}
}

func contentType(w *simtest.World) {
	id := made(w)
	for _, operation := range []string{create, update, batch, issue} {
		for _, sent := range []string{"", "text/plain", "application/xml", "application/json5", ";"} {
			r := valid(operation)
			if operation == issue {
				r.Body = form(w)
			}
			r.Tamper = tamper("Content-Type", sent)
			w.Call(operation, r).Refused(415, "content-type").Is(415, mediaType)
		}
	}
	tamperJSON := tamper("Content-Type", "application/json; charset=utf-8")
	w.Call(batch, simtest.Request{Body: week(), Tamper: tamperJSON}).OK()
	w.Call(issue, simtest.Request{Body: form(w), Tamper: tamper("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")}).OK()
	for _, operation := range []string{get, disable, enable, remove} {
		w.Call(operation, simtest.Request{Params: map[string]string{"id": id}, Tamper: tamper("Content-Type", "text/plain")}).OK()
	}
	w.Call(list, simtest.Request{Tamper: tamperJSON}).OK()
}

func malformedJSON(w *simtest.World) {
	malformed := invalid("$", "O corpo da requisição não é um JSON válido.")
	for _, operation := range []string{create, update, batch} {
		for _, body := range []string{`{`, `{} {}`, `{"a":1,"a":1}`, "{\"a\":\"\xff\"}", `x`, ` `} {
			r := valid(operation)
			r.Body = body
			w.Call(operation, r).Refused(400, "malformed-json").Is(400, malformed)
		}
		r := valid(operation)
		r.Body = ""
		w.Call(operation, r).Refused(400, "malformed-json").Is(400, invalid("$", "O corpo da requisição é obrigatório."))
	}
}

func tooLargeBody(w *simtest.World) {
	padded := func(n int) string {
		head := `{"name":"ted","eventName":"A","context":"B","uri":"http://a.b","privateKey":"c","publicKey":"d","x":"`
		return head + strings.Repeat("x", n-len(head)-2) + `"}`
	}
	w.Call(create, simtest.Request{Body: padded(1<<20 + 1)}).Refused(413, "too-large").Is(413, tooLarge)
	w.Call(create, simtest.Request{Body: padded(1 << 20)}).OK()
	w.Call(issue, simtest.Request{Body: strings.Repeat("x", 1<<20+1)}).Refused(413, "too-large").Is(413, tooLarge)
}

func unusedErrors(w *simtest.World) {
	for _, accept := range []string{"text/xml", "application/json; charset=iso-8859-1", "image/*", "nonsense"} {
		w.Call(list, simtest.Request{Header: map[string]string{"Accept": accept, "Accept-Charset": "iso-8859-1"}}).OK()
	}
	id := made(w)
	on(w, remove, id).OK()
	on(w, get, id).Is(404, notFound)
}

func rateLimit(w *simtest.World) {
	for range 1000 {
		w.Call(list, simtest.Request{}).OK()
	}
	require.Equal(w.T, rateLimited, failed(w, sims.RateLimited, http.StatusTooManyRequests))
}

func serverError(w *simtest.World) {
	require.Equal(w.T, internalError, failed(w, sims.Internal, http.StatusInternalServerError))
}

// failed is the body of a failure that no request causes.
func failed(w *simtest.World, kind sims.Kind, status int) string {
	reply := bankly.New().Fail(&sims.Call{Operation: list}, sims.Failure{Kind: kind})
	require.Equal(w.T, status, reply.Status)
	return string(encoded(w, reply.Body))
}

func trailingSlash(w *simtest.World) {
	reply := raw(w, "POST", configurationsPath+"/", string(encoded(w, ted()))).OK()
	id, _ := reply.Get("data.id").(string)
	for _, path := range []string{configurationsPath, configurationsPath + "/"} {
		require.Equal(w.T, id, raw(w, "GET", path, "").OK().Get("data.0.id"))
	}
	for path, method := range map[string]string{
		configurationsPath + "/" + id + "/": "GET", configurationsPath + "/" + id + "/enable/": "PATCH",
		messagesPath + "/": "GET", batchPath + "/": "POST", tokenPath + "/": "POST",
	} {
		raw(w, method, path, "").Refused(404, "unknown-path").Is(404, notFound)
	}
}
