package signedsub_test

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func subscriptionTests() ledgerTests {
	return ledgerTests{
		"account-format":        accountFormat,
		"unknown-account":       unknownAccount,
		"unknown-object":        unknownObject,
		"not-found-status":      notFoundStatus,
		"duplicate-request-id":  duplicateRequestID,
		"request-id-reuse":      requestIDReuse,
		"request-id-format":     requestIDFormat,
		"payload-required":      payloadRequired,
		"event-types-required":  eventTypesRequired,
		"unknown-event-type":    unknownEventType,
		"service-types":         serviceTypes,
		"service-types-echo":    serviceTypesEcho,
		"url":                   urls,
		"several-subscriptions": severalSubscriptions,
		"list-scope":            listScope,
	}
}

func accountFormat(w *simtest.World) {
	hex := strings.Repeat("a", 40)
	for _, operation := range withAccount() {
		for _, account := range []string{"null", "7", `""`, `"` + hex + `"`, `"0X` + hex + `"`, `"0x` + hex[1:] + `"`, `"0x` + hex + `a"`, `"0x` + hex[1:] + `g"`} {
			w.Call(operation, simtest.Request{Body: `{"account":` + account + `,"payload":` + payload() + `}`}).
				Refused(400, "account-format").Is(400, badRequest)
		}
		w.Call(operation, simtest.Request{Body: `{"payload":` + payload() + `}`}).Refused(400, "account-format").Is(400, badRequest)
	}
	made(w)
	w.Call(regenerate, simtest.Request{Body: `{"payload":{"requestId":"` + id + `"}}`}).OK()
}

func unknownAccount(w *simtest.World) {
	made(w)
	addClient(w, "another", "secret", "0x"+strings.Repeat("b", 40))
	for _, operation := range withAccount() {
		for _, account := range []string{otherAccount, "0x" + strings.Repeat("b", 40)} {
			callFor(w, account, operation, payload()).Refused(400, "unknown-account").Is(400, notFound)
		}
	}
	upper := "0x" + strings.ToUpper(w.Credentials["account"][2:])
	require.Equal(w.T, id, callFor(w, upper, list, "{}").OK().Get("subscriptions.0.requestId"))
	callFor(w, upper, remove, payload()).OK()
}

func unknownObject(w *simtest.World) {
	made(w)
	addAccount(w)
	other := addClient(w, "another", "secret", "0x"+strings.Repeat("b", 40))
	for _, operation := range []string{change, remove, regenerate} {
		call(w, operation, payload("requestId", `"`+otherID+`"`)).Refused(400, "unknown-object").Is(400, notFound)
		body := fmt.Sprintf(`{"account":%q,"payload":%s}`, other["account"], payload())
		w.Call(operation, simtest.Request{Credentials: other, Body: body}).Refused(400, "unknown-object").Is(400, notFound)
	}
	for _, operation := range []string{change, remove} {
		callFor(w, otherAccount, operation, payload()).Refused(400, "unknown-object").Is(400, notFound)
	}
	call(w, remove, payload()).OK()
	call(w, remove, payload()).Is(400, notFound)
}

func notFoundStatus(w *simtest.World) {
	call(w, remove, payload()).Is(400, notFound)
	w.SetPolicy("error_status_004", "404")
	call(w, remove, payload()).Refused(404, "unknown-object").Is(404, notFound)
	callFor(w, otherAccount, list, "{}").Refused(404, "unknown-account").Is(404, notFound)
}

func duplicateRequestID(w *simtest.World) {
	first := made(w)
	addAccount(w)
	for _, again := range []string{payload(), payload("url", `"https://other.example/"`), payload("requestId", `"`+strings.ToUpper(id)+`"`)} {
		call(w, create, again).Refused(400, "duplicate-request-id").Is(400, exists)
	}
	callFor(w, otherAccount, create, payload()).Refused(400, "duplicate-request-id").Is(400, exists)
	call(w, list, "{}").Is(200, `{"subscriptions":[`+string(first.Body)+`]}`)
}

func requestIDReuse(w *simtest.World) {
	first := made(w)
	setHealth(w, damaged())
	call(w, remove, payload()).OK()
	second := made(w)
	second.Is(200, channelText(second, `["PAYOUT_CHANGE_STATUS"]`, hook))
	require.NotEqual(w.T, first.Get("secretKey"), second.Get("secretKey"))
	w.SetPolicy("reuse_deleted_request_id", false)
	call(w, remove, payload()).OK()
	call(w, create, payload()).Refused(400, "request-id-reuse").Is(400, exists)
	call(w, create, payload("requestId", `"`+otherID+`"`)).OK()
}

func requestIDFormat(w *simtest.World) {
	for _, wrong := range []string{
		"", "x", strings.ReplaceAll(id, "-", ""), "{" + id + "}", id + "0", id[:35], strings.Replace(id, "1", "g", 1), "urn:uuid:" + id, id + " ",
	} {
		for _, operation := range withPayload() {
			call(w, operation, payload("requestId", `"`+wrong+`"`)).Refused(400, "request-id-format").Is(400, badRequest)
		}
	}
	upper := `"` + strings.ToUpper(id) + `"`
	reply := made(w, "requestId", upper)
	reply.Is(200, channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook))
	call(w, change, payload()).OK()
	require.Equal(w.T, id, call(w, regenerate, payload("requestId", upper)).OK().Get("requestId"))
	call(w, remove, payload("requestId", upper)).OK()
}

func payloadRequired(w *simtest.World) {
	made(w)
	for _, operation := range withPayload() {
		w.Call(operation, simtest.Request{Body: fmt.Sprintf(`{"account":%q}`, w.Credentials["account"])}).
			Refused(400, "payload-required").Is(400, badRequest)
		for _, wrong := range []string{"null", "[]", `"x"`, "7"} {
			call(w, operation, wrong).Refused(400, "payload-required").Is(400, badRequest)
		}
		call(w, operation, "{}").Refused(400, "schema").Is(400, badRequest)
	}
	call(w, list, "null").OK()
}

func eventTypesRequired(w *simtest.World) {
	made(w)
	for _, types := range []string{"", "null", "[]"} {
		for _, services := range []string{"", "null", "[]"} {
			nothing := payload("notificationEventTypes", types, "notificationServiceTypes", services)
			call(w, create, nothing).Refused(400, "event-types-required").Is(400, badRequest)
			call(w, change, nothing).Refused(400, "event-types-required").Is(400, badRequest)
		}
	}
	w.SetPolicy("allow_no_event_types", true)
	reply := call(w, change, payload("notificationEventTypes", ""))
	reply.Is(200, channelText(reply, "[]", hook))
}

func unknownEventType(w *simtest.World) {
	made(w)
	for _, name := range []string{"PAYOUT_EXPLODED", "payout_change_status", "PAYOUT", "PAYOUT_CHANGE_STATUS "} {
		unknown := payload("notificationEventTypes", `["INVOICE_PAID","`+name+`"]`)
		call(w, create, unknown).Refused(400, "unknown-event-type").Is(400, badRequest)
		call(w, change, unknown).Refused(400, "unknown-event-type").Is(400, badRequest)
	}
	w.SetPolicy("unknown_event_types", "accept")
	reply := call(w, change, payload("notificationEventTypes", `["PAYOUT_EXPLODED"]`))
	reply.Is(200, channelText(reply, `["PAYOUT_EXPLODED"]`, hook))
	for _, known := range w.Provider.Contract.Catalogue {
		require.Empty(w.T, targets(w, "", known.Type))
	}
}

func serviceTypes(w *simtest.World) {
	for i, service := range []string{"INVOICE", "PAYOUT", "RECURRENT", "FIAT_DEPOSIT", "ACCOUNT"} {
		unique := fmt.Sprintf(`"%08d%s"`, i, id[8:])
		reply := made(w, "requestId", unique, "notificationEventTypes", "", "notificationServiceTypes", `["`+service+`"]`)
		types, _ := reply.Get("notificationEventTypes").([]any)
		for _, known := range w.Provider.Contract.Catalogue {
			require.Equal(w.T, known.Group == service, contains(types, known.Type), known.Type)
		}
		require.Equal(w.T, service == "RECURRENT", len(types) == 0)
	}
	for _, service := range []string{"TOP_UP", "invoice", "", "INVOICE_PAID"} {
		call(w, create, payload("notificationServiceTypes", `["`+service+`"]`)).Refused(400, "service-types").Is(400, badRequest)
	}
}

func contains(list []any, value string) bool {
	for _, item := range list {
		if item == value {
			return true
		}
	}
	return false
}

func serviceTypesEcho(w *simtest.World) {
	both := payload("notificationEventTypes", `["PAYOUT_CONFIRMED","INVOICE_PAID","PAYOUT_CONFIRMED"]`, "notificationServiceTypes", `["PAYOUT"]`)
	reply := call(w, create, both)
	reply.Is(200, channelText(reply, `["PAYOUT_CONFIRMED","INVOICE_PAID","PAYOUT_CHANGE_STATUS","PAYOUT_HASH_RECEIVED",`+
		`"PAYOUT_VALIDATION_ERROR","PAYOUT_SPEEDED_UP"]`, hook))
	w.SetPolicy("service_types_echo", "omit")
	reply = call(w, change, both)
	reply.Is(200, channelText(reply, `["PAYOUT_CONFIRMED","INVOICE_PAID"]`, hook))
	require.Equal(w.T, []string{id}, targets(w, "", "PAYOUT_CHANGE_STATUS"))
	require.Contains(w.T, webhooks(w)[0].Events, "PAYOUT_CHANGE_STATUS")
	reply = call(w, change, payload("notificationEventTypes", "", "notificationServiceTypes", `["PAYOUT"]`))
	reply.Is(200, channelText(reply, "[]", hook))
}

func urls(w *simtest.World) {
	for _, wrong := range []string{
		"", "merchant.example", "/webhooks", "//merchant.example/x", "ftp://merchant.example/", "https://", "https:///x", "http://:80/",
		"javascript:alert(1)", "https://merchant.example:99999/", "https://merchant example/",
	} {
		call(w, create, payload("url", `"`+wrong+`"`)).Refused(400, "url").Is(400, badRequest)
	}
	made(w)
	longest := "https://merchant.example/" + strings.Repeat("x", 2048-len("https://merchant.example/"))
	call(w, change, payload("url", `"`+longest+`x"`)).Refused(400, "url").Is(400, badRequest)
	for _, right := range []string{
		longest, "http://merchant.example", "http://localhost:8080/hook?a=b&c=<d>#e", "http://10.0.0.1/", "http://[::1]:9/x", "HTTPS://Merchant.Example/%7Ex/../y",
	} {
		reply := call(w, change, payload("url", `"`+right+`"`))
		reply.Is(200, channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, right))
	}
}

func severalSubscriptions(w *simtest.World) {
	for i := range 25 {
		made(w, "requestId", fmt.Sprintf(`"%08d%s"`, i, id[8:]))
	}
	found, _ := call(w, list, "{}").OK().Get("subscriptions").([]any)
	require.Len(w.T, found, 25)
	require.Len(w.T, targets(w, "", "PAYOUT_CHANGE_STATUS"), 25)
}

func listScope(w *simtest.World) {
	call(w, list, "{}").Is(200, `{"subscriptions":[]}`)
	addAccount(w)
	first := made(w)
	callFor(w, otherAccount, create, payload("requestId", `"`+otherID+`"`)).OK()
	last := made(w, "requestId", `"00000000-0000-0000-0000-000000000000"`)
	call(w, change, payload()).OK() // a changed one keeps its place
	call(w, list, "{}").Is(200, `{"subscriptions":[`+string(first.Body)+`,`+string(last.Body)+`]}`)
	require.Equal(w.T, otherID, callFor(w, otherAccount, list, "{}").OK().Get("subscriptions.0.requestId"))
	call(w, remove, payload()).OK()
	call(w, list, "{}").Is(200, `{"subscriptions":[`+string(last.Body)+`]}`)
}
