package hsrcpay_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func accountTests() ledgerTests {
	return ledgerTests{"account-default": accountDefault, "unknown-account": unknownAccount}
}

func webhookTests() ledgerTests {
	return ledgerTests{
		"secret":           secretAsSent,
		"secret-generated": secretGenerated,
		"secret-shown":     secretShown,
		"duplicates":       duplicates,
		"created-status":   createdStatus,
		"success-envelope": successEnvelope,
		"webhook-object":   webhookObject,
		"timestamps":       timestamps,
		"list":             listAll,
		"list-order":       listOrder,
	}
}

func accountDefault(w *simtest.World) {
	own := w.Credentials["account_id"]
	named := map[string]string{"account_id": own}
	require.Equal(w.T, own, w.Call(create, simtest.Request{Body: plainBody}).OK().Get("data.account_id"))
	require.Equal(w.T, own, w.Call(create, simtest.Request{Body: plainBody, Query: named}).OK().Get("data.account_id"))
	want := w.Call(list, simtest.Request{}).OK()
	require.Len(w.T, want.Get("data"), 2)
	w.Call(list, simtest.Request{Query: named}).Is(http.StatusOK, string(want.Body))
}

func unknownAccount(w *simtest.World) {
	_, _, foreign := another(w)
	for _, account := range []string{foreign, "acct_000000000000000000000000", "x", w.Credentials["account_id"] + "x"} {
		query := map[string]string{"account_id": account}
		want := refusal(404, "Not found", "Account not found", `{"account_id":"Account not found"}`)
		w.Call(create, simtest.Request{Body: plainBody, Query: query}).Is(http.StatusNotFound, want).Refused(http.StatusNotFound, "unknown-account")
		w.Call(list, simtest.Request{Query: query}).Is(http.StatusNotFound, want)

		w.SetPolicy("account_mismatch_status", "403")
		want = refusal(403, "Forbidden", "No access to this account", `{"account_id":"No access to this account"}`)
		w.Call(create, simtest.Request{Body: plainBody, Query: query}).Is(http.StatusForbidden, want).Refused(http.StatusForbidden, "unknown-account")
		w.Call(list, simtest.Request{Query: query}).Is(http.StatusForbidden, want)
		w.SetPolicy("account_mismatch_status", nil)
	}
}

func secretAsSent(w *simtest.World) {
	for _, secret := range []string{"x", "whsec_chosen_by_the_shop", "  blanks and ünïcödé \" ", "12345"} {
		reply := w.Call(create, simtest.Request{Body: bodyWith(map[string]any{"secret": secret})}).OK()
		require.Equal(w.T, secret, reply.Get("data.secret"))
	}
	w.Call(create, simtest.Request{Body: plainBody}).OK()
	for _, wrong := range []any{5, true, []string{"x"}} {
		refusedBy(w, "secret", bodyWith(map[string]any{"secret": wrong}), `{"secret":["Expected string"]}`)
	}
}

func secretGenerated(w *simtest.World) {
	seen := []string{}
	for range 5 {
		secret, _ := w.Call(create, simtest.Request{Body: plainBody}).OK().Get("data.secret").(string)
		require.Regexp(w.T, `^whsec_[0-9A-Za-z]{32}$`, secret)
		require.NotContains(w.T, seen, secret)
		seen = append(seen, secret)
	}
}

func secretShown(w *simtest.World) {
	own := w.Call(create, simtest.Request{Body: bodyWith(map[string]any{"secret": "mine"})}).OK().Get("data.secret")
	generated := w.Call(create, simtest.Request{Body: plainBody}).OK().Get("data.secret")
	for range 2 {
		all := w.Call(list, simtest.Request{}).OK()
		require.Equal(w.T, []any{own, generated}, []any{all.Get("data.0.secret"), all.Get("data.1.secret")})
	}
}

func duplicates(w *simtest.World) {
	ids := []string{created(w, "*"), created(w, "*"), created(w, "*")}
	require.Len(w.T, slices.Compact(slices.Sorted(slices.Values(ids))), 3)
	require.Equal(w.T, ids, listed(w, nil))
	require.Equal(w.T, ids, targets(w, sims.Event{Type: "charge.captured"}))
}

func createdStatus(w *simtest.World) {
	first := w.Call(create, simtest.Request{Body: plainBody})
	require.Equal(w.T, http.StatusCreated, first.Status)
	other := simtest.New(w.T, w.Provider.Sim)
	other.SetPolicy("created_status", "200")
	other.Call(create, simtest.Request{Body: plainBody}).Is(http.StatusOK, string(first.Body))
}

// stored is a webhook as both operations show it.
func stored(w *simtest.World, id, endpoint, events, secret, at string) string {
	return fmt.Sprintf(`{"object":"webhook","id":%q,"account_id":%q,"endpoint":%q,"enabled_events":%s,"secret":%q,"created_at":%s,"updated_at":%s}`,
		id, w.Credentials["account_id"], endpoint, events, secret, at, at)
}

const startText = `"2026-01-08T10:30:00.250Z"`

func successEnvelope(w *simtest.World) {
	w.Call(list, simtest.Request{}).Is(http.StatusOK, `{"message":"success","success":true,"data":[]}`)
	reply := w.Call(create, simtest.Request{Body: `{"endpoint":"http://example.com","enabled_events":["string"],"secret":"s"}`})
	id, _ := reply.Get("data.id").(string)
	one := stored(w, id, "http://example.com", `["string"]`, "s", startText)
	reply.Is(http.StatusCreated, `{"message":"success","success":true,"data":`+one+`}`)
	require.Equal(w.T, "application/json", reply.Header.Get("Content-Type"))
	w.Call(list, simtest.Request{}).Is(http.StatusOK, `{"message":"success","success":true,"data":[`+one+`]}`)
}

func webhookObject(w *simtest.World) {
	body := `{"secret":"<&>","enabled_events":["b","a","b"],"endpoint":"https://shop.example.com/?a=1&b=2"}`
	reply := w.Call(create, simtest.Request{Body: body})
	id, _ := reply.Get("data.id").(string)
	one := stored(w, id, "https://shop.example.com/?a=1&b=2", `["b","a","b"]`, "<&>", startText)
	reply.Is(http.StatusCreated, `{"message":"success","success":true,"data":`+one+`}`)

	inside(w, func(e *sims.Env) {
		neutral := w.Provider.Webhooks(e)
		require.Len(w.T, neutral, 1)
		require.Equal(w.T, one, encoded(w, neutral[0].Provider))
		require.Equal(w.T, []string{"b", "a", "b"}, neutral[0].Events)
		require.Equal(w.T, sims.Active, neutral[0].State)
	})
}

func timestamps(w *simtest.World) {
	w.SetNow(time.Date(2026, 3, 4, 7, 6, 7, 89_999_999, time.FixedZone("", 2*3600)))
	id := created(w, "*")
	require.NotEmpty(w.T, id)
	w.SetNow(simtest.Start().Add(1000 * time.Hour))
	one := w.Call(list, simtest.Request{}).OK()
	require.Equal(w.T, "2026-03-04T05:06:07.089Z", one.Get("data.0.created_at"))
	require.Equal(w.T, "2026-03-04T05:06:07.089Z", one.Get("data.0.updated_at"))

	w.SetPolicy("timestamps", "null")
	require.Contains(w.T, string(w.Call(list, simtest.Request{}).OK().Body), `"created_at":null,"updated_at":null}`)
	require.Contains(w.T, string(w.Call(create, simtest.Request{Body: plainBody}).OK().Body), `"created_at":null,"updated_at":null}`)
}

func listAll(w *simtest.World) {
	ids := make([]string, 0, 250)
	for range cap(ids) {
		ids = append(ids, created(w, "*"))
	}
	require.Equal(w.T, ids, listed(w, nil))
	require.Len(w.T, w.Call(list, simtest.Request{Query: map[string]string{"limit": "10", "page": "3"}}).Get("data"), 250)
	require.Empty(w.T, listed(w, live(w)))
}

func listOrder(w *simtest.World) {
	require.Empty(w.T, listed(w, nil))
	ids := []string{}
	for i := range 12 {
		w.SetNow(simtest.Start().Add(time.Duration(-i) * time.Hour)) // by creation, not by what the clock said
		ids = append(ids, created(w, "*"))
		createdBy(w, live(w), "*")
	}
	require.Equal(w.T, ids, listed(w, nil))
}
