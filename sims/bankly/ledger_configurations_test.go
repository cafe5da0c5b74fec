package bankly_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func configurationTests() ledgerTests {
	return ledgerTests{
		"create-fields":        createFields,
		"field-limits":         fieldLimits,
		"uri-format":           uriFormat,
		"open-event-names":     openEventNames,
		"create-status":        createStatus,
		"create-response":      createResponse,
		"configuration-id":     configurationID,
		"duplicate":            duplicate,
		"duplicate-key":        duplicateKey,
		"initial-status":       initialStatus,
		"private-key-hidden":   privateKeyHidden,
		"created-at":           createdAt,
		"updated-at":           updatedAt,
		"single-configuration": singleConfiguration,
		"unknown-object":       unknownObject,
		"malformed-id":         malformedID,
		"partial-update":       partialUpdate,
		"write-success":        writeSuccess,
		"toggle":               toggle,
		"delete":               deletion,
	}
}

func createFields(w *simtest.World) {
	for _, name := range []string{"name", "eventName", "context", "uri", "privateKey", "publicKey"} {
		post(w, create, ted(name, nil)).Refused(400, "create-fields").Is(400, invalid(name, "O campo "+name+" é obrigatório."))
		post(w, create, ted(name, "")).Refused(400, "create-fields")
	}
	for _, name := range []string{"privateKey", "publicKey"} {
		post(w, create, ted(name, strings.Repeat("x", 65))).Refused(400, "create-fields")
	}
	id := made(w, "privateKey", strings.Repeat("ç", 64), "publicKey", strings.Repeat("~", 64))
	for _, name := range []string{"privateKey", "publicKey"} {
		change(w, id, object{name: ""}).Refused(400, "create-fields")
		change(w, id, object{name: strings.Repeat("x", 65)}).Refused(400, "create-fields")
	}
	change(w, id, object{"privateKey": "not base64: !"}).Is(204, "")
}

func fieldLimits(w *simtest.World) {
	for _, name := range []string{"name", "eventName", "context"} {
		post(w, create, ted(name, strings.Repeat("x", 101))).Refused(400, "field-limits")
		made(w, name, strings.Repeat("x", 100), "uri", hook)
	}
	long := hook + strings.Repeat("x", 2048-len(hook))
	id := made(w, "eventName", "long", "uri", long)
	post(w, create, ted("uri", long+"x")).Refused(400, "field-limits")
	change(w, id, object{"uri": long + "x"}).Refused(400, "field-limits")
	for _, key := range []string{"ç", "a\nb", "a\u007f", "\u0000"} {
		post(w, create, ted("publicKey", key)).Refused(400, "field-limits")
		change(w, id, object{"publicKey": key}).Refused(400, "field-limits")
	}
}

func uriFormat(w *simtest.World) {
	id := made(w, "eventName", "base")
	for _, bad := range []string{"merchant.example", "/hook", "ftp://merchant.example", "http://", "https:///hook", "http://a b/", "http://a.b:99999/", "mailto:a@b.c"} {
		post(w, create, ted("uri", bad)).Refused(400, "uri-format").Is(400, invalid("uri", "O campo uri possui um formato inválido."))
		change(w, id, object{"uri": bad}).Refused(400, "uri-format")
	}
	for _, good := range []string{"http://merchant.example/a", "https://merchant.example", "http://127.0.0.1:8080/a?b=c", "HTTPS://merchant.example/"} {
		made(w, "eventName", good, "uri", good)
	}
}

func openEventNames(w *simtest.World) {
	receiver := w.Receive(nil)
	for _, pair := range [][2]string{{"TED_CASH_IN_WAS_CLEARD", "Ted"}, {tedIn, "ted"}, {tedIn, "Pix"}, {"ted_cash_in_was_cleared", "Ted"}} {
		made(w, "eventName", pair[0], "context", pair[1], "uri", receiver.URL)
	}
	require.Empty(w.T, w.Emit(simtest.Event{Type: tedIn}))
	made(w, "uri", receiver.URL)
	require.Len(w.T, w.Emit(simtest.Event{Type: tedIn}), 1)
	require.Len(w.T, receiver.Requests(), 1)
}

func createStatus(w *simtest.World) {
	require.Equal(w.T, 201, post(w, create, ted()).Status)
	w.SetPolicy("created_status", "200")
	require.Equal(w.T, 200, post(w, create, ted("eventName", pixIn)).Status)
}

func createResponse(w *simtest.World) {
	reply := post(w, create, ted())
	id, _ := reply.Get("data.id").(string)
	reply.Is(201, `{"data":{"id":"`+id+`","name":"ted","context":"Ted","eventName":"TED_CASH_IN_WAS_CLEARED","uri":"`+hook+`","publicKey":"public"},`+
		`"links":[{"url":"https://api-mtls.sandbox.bankly.com.br/webhooks/configurations/`+id+`","rel":"get_webhook","method":"GET"}]}`)
}

func configurationID(w *simtest.World) {
	one, other := made(w), made(w, "eventName", pixIn)
	for _, id := range []string{one, other} {
		require.Regexp(w.T, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	}
	require.NotEqual(w.T, one, other)
}

func duplicate(w *simtest.World) {
	made(w)
	before := w.Dump()
	post(w, create, ted("name", "another", "privateKey", "x", "publicKey", "y")).Refused(409, "duplicate").Is(409, conflict)
	require.Equal(w.T, before, w.Dump())
	made(w, "eventName", pixIn)
}

func duplicateKey(w *simtest.World) {
	id := made(w)
	post(w, create, ted("uri", otherHook)).Refused(409, "duplicate")
	made(w, "context", "Pix")
	on(w, disable, id).OK()
	post(w, create, ted()).Refused(409, "duplicate")
	on(w, remove, id).OK()
	id = made(w)

	w.SetPolicy("unique_by", "event_context_uri")
	post(w, create, ted()).Refused(409, "duplicate")
	other := made(w, "uri", otherHook)
	change(w, other, object{"uri": hook}).Refused(409, "duplicate").Is(409, conflict)
	change(w, other, object{"uri": otherHook, "publicKey": "new"}).Is(204, "")

	w.SetPolicy("unique_by", "event_context")
	change(w, other, object{"uri": hook}).Is(204, "")
	w.SetPolicy("unique_by", "none")
	require.NotEqual(w.T, id, made(w))
}

func initialStatus(w *simtest.World) { require.Equal(w.T, "Enabled", shown(w, made(w), "status")) }

func privateKeyHidden(w *simtest.World) {
	const key = "this is never to be seen"
	receiver := w.Receive(nil)
	w.SetPolicy("write_success_status", "200")
	created := post(w, create, ted("privateKey", "before "+key, "uri", receiver.URL))
	id, _ := created.Get("data.id").(string)
	replies := []*simtest.Reply{created, change(w, id, object{"privateKey": key}), on(w, disable, id), on(w, enable, id), on(w, get, id), listed(w, list, nil)}
	w.Emit(simtest.Event{Type: tedIn})
	replies = append(replies, listed(w, search, days()), on(w, remove, id))
	for _, reply := range replies {
		require.NotContains(w.T, string(reply.OK().Body), key)
		require.NotContains(w.T, string(reply.Body), "privateKey")
	}
	request := receiver.Requests()[0]
	require.NotContains(w.T, string(request.Body), key)
	for _, value := range request.RawHeader {
		require.NotContains(w.T, value, key)
	}
}

func createdAt(w *simtest.World) {
	for fraction, want := range map[time.Duration]string{
		0: "2026-01-08T10:30:00", 180 * time.Millisecond: "2026-01-08T10:30:00.18", 273 * time.Millisecond: "2026-01-08T10:30:00.273",
		700 * time.Millisecond: "2026-01-08T10:30:00.7", 999_999_999: "2026-01-08T10:30:00.999", 1: "2026-01-08T10:30:00",
	} {
		w.SetNow(simtest.Start().Truncate(time.Second).Add(fraction).In(time.FixedZone("BRT", -3*3600)))
		id := made(w, "eventName", want+fraction.String())
		require.Equal(w.T, want, shown(w, id, "createdAt"))
	}
}

func updatedAt(w *simtest.World) {
	id := made(w)
	absent := func() { w.T.Helper(); require.NotContains(w.T, string(on(w, get, id).Body), "updatedAt") }
	absent()
	on(w, enable, id).OK()
	change(w, id, object{"uri": hook, "publicKey": "public"}).OK()
	absent()
	for i, step := range []func(){
		func() { change(w, id, object{"privateKey": "new"}).OK() }, func() { on(w, disable, id).OK() }, func() { on(w, enable, id).OK() },
	} {
		later(w, time.Second)
		step()
		want := []string{"2026-01-08T10:30:01.25", "2026-01-08T10:30:02.25", "2026-01-08T10:30:03.25"}[i]
		require.Equal(w.T, want, shown(w, id, "updatedAt"))
		require.Equal(w.T, want, listed(w, list, nil).Get("data.0.updatedAt"))
		require.Equal(w.T, "2026-01-08T10:30:00.25", shown(w, id, "createdAt"))
	}
}

func singleConfiguration(w *simtest.World) {
	id := made(w)
	data := `{"id":"` + id + `","name":"ted","eventName":"TED_CASH_IN_WAS_CLEARED","context":"Ted","uri":"` + hook +
		`","publicKey":"public","createdAt":"2026-01-08T10:30:00.25","status":"Enabled"}`
	on(w, get, id).Is(200, `{"data":[`+data+`],"links":[]}`)
	w.SetPolicy("single_data", "object")
	on(w, get, id).Is(200, `{"data":`+data+`,"links":[]}`)
}

func unknownObject(w *simtest.World) {
	deleted := made(w)
	on(w, remove, deleted).OK()
	for _, id := range []string{unknownID, deleted} {
		for _, operation := range []string{get, enable, disable, remove} {
			on(w, operation, id).Refused(404, "unknown-object").Is(404, notFound)
		}
		change(w, id, object{"uri": hook}).Refused(404, "unknown-object").Is(404, notFound)
		again(w, id).Refused(404, "unknown-object").Is(404, notFound)
	}
}

func malformedID(w *simtest.World) {
	id := made(w)
	for _, bad := range []string{"x", id[:35], id + "0", strings.ReplaceAll(id, "-", ""), "{" + id + "}", "a/b", "%", "ção", " ", "x" + id[1:]} {
		for _, operation := range []string{get, enable, disable, remove} {
			on(w, operation, bad).Refused(404, "malformed-id").Is(404, notFound)
		}
		again(w, bad).Refused(404, "malformed-id").Is(404, notFound)
	}
	on(w, get, strings.ToUpper(id)).Refused(404, "unknown-object").Is(404, notFound)
}

func partialUpdate(w *simtest.World) {
	receiver := w.Receive(nil)
	id := made(w)
	for _, empty := range []object{{}, {"name": "x"}} {
		change(w, id, empty).Refused(400, "partial-update").Is(400, invalid("$", "Informe ao menos um dos campos privateKey, publicKey ou uri."))
	}
	change(w, id, object{"publicKey": "new"}).Is(204, "")
	require.Equal(w.T, hook, shown(w, id, "uri"))
	change(w, id, object{"uri": receiver.URL}).Is(204, "")
	require.Equal(w.T, "new", shown(w, id, "publicKey"))
	w.Emit(simtest.Event{Type: tedIn})
	requireSigned(w, receiver.Requests()[0], receiver.URL, "secret") // the private key is kept as well

	w.SetPolicy("update_requires", "all")
	change(w, id, object{"uri": hook}).Refused(400, "partial-update").
		Is(400, invalid("privateKey", "O campo privateKey é obrigatório.", "publicKey", "O campo publicKey é obrigatório."))
	require.Equal(w.T, receiver.URL, shown(w, id, "uri"))
	change(w, id, object{"uri": hook, "privateKey": "a", "publicKey": "b"}).Is(204, "")
	require.Equal(w.T, hook, shown(w, id, "uri"))
}

func writeSuccess(w *simtest.World) {
	id := made(w)
	change(w, id, object{"uri": otherHook}).Is(204, "")
	on(w, disable, id).Is(204, "")
	on(w, enable, id).Is(204, "")
	w.SetPolicy("write_success_status", "200")
	for _, form := range []string{"array", "object"} {
		w.SetPolicy("single_data", form)
		for _, write := range []func() *simtest.Reply{
			func() *simtest.Reply { return change(w, id, object{"publicKey": form}) },
			func() *simtest.Reply { return on(w, disable, id) },
			func() *simtest.Reply { return on(w, enable, id) },
		} {
			body := string(write().Body)
			on(w, get, id).Is(200, body)
		}
	}
	before := string(on(w, get, id).Body)
	on(w, remove, id).Is(200, before)
	w.SetPolicy("write_success_status", "204")
	on(w, remove, made(w)).Is(204, "")
}

func toggle(w *simtest.World) {
	id := made(w)
	later(w, time.Minute)
	on(w, enable, id).Is(204, "")
	require.NotContains(w.T, string(on(w, get, id).Body), "updatedAt")
	w.Call(disable, simtest.Request{Params: map[string]string{"id": id}, Body: "{ not json"}).Is(204, "")
	require.Equal(w.T, "Disabled", shown(w, id, "status"))
	first := shown(w, id, "updatedAt")
	later(w, time.Minute)
	on(w, disable, id).Is(204, "")
	require.Equal(w.T, first, shown(w, id, "updatedAt"))
	on(w, enable, id).Is(204, "")
	require.Equal(w.T, "Enabled", shown(w, id, "status"))
	require.NotEqual(w.T, first, shown(w, id, "updatedAt"))
}

func deletion(w *simtest.World) {
	receiver := w.Receive(func(int) (int, string) { return 500, "" })
	id := made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	on(w, remove, id).OK()
	on(w, get, id).Is(404, notFound)
	require.Equal(w.T, "dropped", string(w.Deliveries()[0].State))
	require.Empty(w.T, w.Idle())
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		require.Zero(w.T, sims.HealthTable(w.Sandbox.Env(w.Provider, tx).Tx).Count(""))
		return nil
	}))
	require.Equal(w.T, []any{"Failed"}, members(listed(w, search, days()), "state"))
	require.NotEqual(w.T, id, made(w, "uri", receiver.URL))
}
