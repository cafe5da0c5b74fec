package signedsub_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func channelTests() ledgerTests {
	return ledgerTests{
		"change-replaces":      changeReplaces,
		"delete-empty":         deleteEmpty,
		"regenerate-keys":      regenerateKeys,
		"regenerate-immediate": regenerateImmediate,
		"key-format":           keyFormat,
		"channel-object":       channelObject,
		"dates":                dates,
		"error-dates":          errorDates,
		"enabled-flag":         enabledFlag,
	}
}

// damaged is the health of a subscription that was blocked.
func damaged() sims.Health {
	return sims.Health{
		ErrorCount: 101, ErrorFirstAt: simtest.Start().Add(time.Second), ErrorLastAt: simtest.Start().Add(time.Minute), Blocked: true,
	}
}

const damagedText = `"blockedByErrorCount":true,"errorCount":101,` +
	`"errorFirstDate":"2026-01-08T10:30:01.250Z","errorLastDate":"2026-01-08T10:31:00.250Z"}`

const healthyText = `"blockedByErrorCount":false,"errorCount":0,"errorFirstDate":null,"errorLastDate":null}`

func changeReplaces(w *simtest.World) {
	before := made(w, "notificationServiceTypes", `["ACCOUNT"]`)
	w.SetNow(simtest.Start().Add(time.Hour))
	reply := call(w, change, payload("notificationEventTypes", `["INVOICE_PAID"]`, "url", `"https://other.example/"`))
	reply.Is(200, channelText(before, `["INVOICE_PAID"]`, "https://other.example/"))
	reply = call(w, change, payload("notificationEventTypes", "", "notificationServiceTypes", `["ACCOUNT"]`))
	reply.Is(200, channelText(before, `["TOP_UP_PENDING_COMPLIANCE","TOP_UP_COMPLIANCE_DECLINED","WALLET_FUNDS_DELIVERED_ACCOUNT"]`, hook))
	setHealth(w, damaged())
	reply = call(w, change, payload())
	reply.Is(200, strings.Replace(channelText(before, `["PAYOUT_CHANGE_STATUS"]`, hook), healthyText, damagedText, 1))
	call(w, change, payload("url", "")).Is(400, badRequest)
}

func deleteEmpty(w *simtest.World) {
	made(w)
	reply := call(w, remove, `{"requestId":"`+id+`"}`).Is(200, "")
	require.Equal(w.T, "0", reply.Header.Get("Content-Length"))
	call(w, list, "{}").Is(200, `{"subscriptions":[]}`)
	require.Empty(w.T, webhooks(w))
}

func regenerateKeys(w *simtest.World) {
	before := made(w)
	reply := w.Call(regenerate, simtest.Request{Body: `{"payload":{"requestId":"` + id + `"}}`})
	reply.Is(200, channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook))
	for _, name := range []string{"publicKey", "secretKey"} {
		require.NotEqual(w.T, before.Get(name), reply.Get(name))
	}
	call(w, list, "{}").Is(200, `{"subscriptions":[`+string(reply.Body)+`]}`) // the caller's own key still works
}

func keyFormat(w *simtest.World) {
	form := `^[0-9a-f]{32}$`
	seen := map[any]bool{}
	for _, reply := range []*simtest.Reply{made(w), call(w, regenerate, payload()).OK(), made(w, "requestId", `"`+otherID+`"`)} {
		for _, name := range []string{"publicKey", "secretKey"} {
			require.Regexp(w.T, form, reply.Get(name))
			require.False(w.T, seen[reply.Get(name)])
			seen[reply.Get(name)] = true
		}
	}
	require.Regexp(w.T, form, call(w, change, payload()).Get("secretKey"))
	require.Regexp(w.T, form, call(w, list, "{}").Get("subscriptions.1.secretKey"))
}

func channelObject(w *simtest.World) {
	reply := made(w)
	whole := channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook)
	reply.Is(200, whole)
	call(w, change, payload()).Is(200, whole)
	call(w, list, "{}").Is(200, `{"subscriptions":[`+whole+`]}`)
}

func dates(w *simtest.World) {
	for now, text := range map[string]string{
		"2026-01-08T10:30:00Z":           "2026-01-08T10:30:00.000Z",
		"2026-01-08T10:30:00.12-03:00":   "2026-01-08T13:30:00.120Z",
		"2026-02-28T23:59:59.1239Z":      "2026-02-28T23:59:59.123Z",
		"2026-03-01T01:00:00.5+05:00":    "2026-02-28T20:00:00.500Z",
		"2026-12-31T23:59:59.999999999Z": "2026-12-31T23:59:59.999Z",
		"2028-02-29T00:00:00.000000001Z": "2028-02-29T00:00:00.000Z",
	} {
		at, err := time.Parse(time.RFC3339Nano, now)
		require.NoError(w.T, err)
		w.SetNow(at)
		require.Equal(w.T, text, made(w).Get("createdDate"))
		call(w, remove, payload()).OK()
	}
}

func errorDates(w *simtest.World) {
	reply := made(w)
	healthy := channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook)
	failing := strings.Replace(healthy, healthyText, damagedText, 1)
	for value, text := range map[string]string{
		"null":   healthy,
		"absent": strings.Replace(healthy, `,"errorFirstDate":null,"errorLastDate":null`, "", 1),
		"epoch":  strings.ReplaceAll(healthy, "null", `"1970-01-01T00:00:00.000Z"`),
	} {
		w.SetPolicy("error_dates", value)
		setHealth(w, sims.Health{})
		if value == "absent" { // against the document on purpose: it calls both dates required
			body := `{"account":"` + w.Credentials["account"] + `","timestamp":` + stamp(w, 0) + `}`
			raw(w, "POST", listPath, body).Is(200, `{"subscriptions":[`+text+`]}`)
		} else {
			call(w, list, "{}").Is(200, `{"subscriptions":[`+text+`]}`)
		}
		setHealth(w, damaged())
		call(w, list, "{}").Is(200, `{"subscriptions":[`+failing+`]}`)
	}
}

func enabledFlag(w *simtest.World) {
	made(w)
	setHealth(w, damaged())
	reply := call(w, list, "{}").OK()
	require.Equal(w.T, true, reply.Get("subscriptions.0.enabled"))
	require.Equal(w.T, true, reply.Get("subscriptions.0.blockedByErrorCount"))
	require.Equal(w.T, sims.Blocked, webhooks(w)[0].State)
	require.Equal(w.T, 101, webhooks(w)[0].ErrorCount)
}

// regenerateImmediate is about the account here; that the next attempt has the new keys is checked by delivery-bind.
func regenerateImmediate(w *simtest.World) {
	addAccount(w)
	before := callFor(w, otherAccount, create, payload()).OK()
	reply := w.Call(regenerate, simtest.Request{Body: `{"payload":{"requestId":"` + id + `"}}`})
	reply.Is(200, channelText(reply, `["PAYOUT_CHANGE_STATUS"]`, hook))
	require.NotEqual(w.T, before.Get("secretKey"), reply.Get("secretKey"))
}
