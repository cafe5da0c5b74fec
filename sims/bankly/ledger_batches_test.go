package bankly_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func batchTests() ledgerTests {
	return ledgerTests{
		"batch-request": batchRequest,
		"batch-context": batchContext,
		"batch-reply":   batchReply,
	}
}

func batchRequest(w *simtest.World) {
	good, bad := w.Receive(nil), w.Receive(failing(1000))
	made(w, "uri", good.URL)
	made(w, "eventName", pixIn, "context", "Pix", "uri", bad.URL)
	made(w, "eventName", "TED_CASH_IN_WAS_RECEIVED", "uri", bad.URL)
	for _, event := range []string{tedIn, tedIn, pixIn, "TED_CASH_IN_WAS_RECEIVED"} {
		w.Emit(simtest.Event{Type: event})
	}
	w.Idle()
	for _, c := range []struct {
		changes []any
		want    int
	}{
		{nil, 4},
		{[]any{"eventNames", []any{}}, 4},
		{[]any{"context", "Ted"}, 3},
		{[]any{"context", "ted"}, 0},
		{[]any{"eventNames", []any{tedIn}}, 2},
		{[]any{"eventNames", []any{tedIn, pixIn, "X"}}, 3},
		{[]any{"eventNames", []any{"X"}}, 0},
		{[]any{"eventState", "Failed"}, 2},
		{[]any{"eventState", "Success"}, 2},
		{[]any{"eventState", "Failed", "context", "Ted", "eventNames", []any{"TED_CASH_IN_WAS_RECEIVED"}}, 1},
		{[]any{"endDate", "2026-01-07"}, 0},
	} {
		before := len(good.Requests()) + len(bad.Requests())
		require.EqualValues(w.T, c.want, post(w, batch, week(c.changes...)).OK().Get("data.total"), "%v", c.changes)
		w.Advance(0)
		require.Equal(w.T, c.want, len(good.Requests())+len(bad.Requests())-before, "%v", c.changes)
		w.Idle()
	}
	for _, bad := range []string{"Hold", "failed", ""} {
		post(w, batch, week("eventState", bad)).Refused(400, "batch-request")
	}
}

func batchContext(w *simtest.World) {
	post(w, batch, object{"startDate": "2026-01-01", "endDate": "2026-01-31"}).OK()
	post(w, batch, object{"startDate": "2026-01-01", "endDate": "2026-02-01"}).Refused(400, "batch-context").
		Is(400, invalid("context", "O campo context é obrigatório quando o período é maior que 30 dias."))
	post(w, batch, object{"startDate": "2026-01-01", "endDate": "2026-02-01", "context": "anything"}).OK()
	require.EqualValues(w.T, 2, listed(w, searchBatches, days()).Get("meta.total"))
}

func batchReply(w *simtest.World) {
	requireHeldIsPassedOver(w)
	w.SetPolicy("disabled_events", "hold")
	w.SetPolicy("unique_by", "none")
	good, slow := w.Receive(nil), w.Receive(failing(1000))
	made(w, "uri", good.URL)                      // one to be sent again
	made(w, "uri", slow.URL)                      // one being sent
	offID := made(w, "uri", good.URL)             // one of a disabled configuration
	goneID := made(w, "uri", good.URL)            // one of a deleted configuration
	on(w, disable, made(w, "uri", good.URL)).OK() // one held
	w.Emit(simtest.Event{Type: tedIn})
	on(w, disable, offID).OK()
	on(w, remove, goneID).OK()
	require.EqualValues(w.T, 5, listed(w, search, days()).Get("meta.total"))

	first := post(w, batch, object{"startDate": "01/05/2026", "endDate": "2026-01-11", "context": "Ted", "eventNames": []any{tedIn}, "eventState": "Success"})
	id, _ := first.Get("data.id").(string)
	shown := `{"id":"` + id + `","startDate":"2026-01-05","endDate":"2026-01-11","context":"Ted","eventNames":["TED_CASH_IN_WAS_CLEARED"],` +
		`"eventState":"Success","total":1,"createdAt":"2026-01-08T10:30:00.25"}`
	first.Is(202, `{"data":`+shown+`,"links":[]}`)
	w.Advance(0)
	require.Len(w.T, good.Requests(), 4)
	later(w, time.Second)
	second := post(w, batch, week())
	other, _ := second.Get("data.id").(string)
	bare := `{"id":"` + other + `","startDate":"2026-01-05","endDate":"2026-01-11","total":1,"createdAt":"2026-01-08T10:30:01.25"}`
	second.Is(202, `{"data":`+bare+`,"links":[]}`)
	listed(w, searchBatches, days()).Is(200, `{"data":[`+shown+`,`+bare+`],"links":[],"meta":{"page":1,"pageSize":10,"total":2}}`)
}

// requireHeldIsPassedOver has a message held although its configuration is enabled: by a block.
func requireHeldIsPassedOver(w *simtest.World) {
	w.T.Helper()
	for name, value := range map[string]any{"block_limit": 1, "while_blocked": "hold", "retry_schedule": []any{}} {
		w.SetPolicy(name, value)
		defer w.SetPolicy(name, nil)
	}
	w.SetNow(simtest.Start().AddDate(0, 0, -20))
	made(w, "eventName", pixIn, "context", "Pix", "uri", w.Receive(answering(500)).URL)
	for range 3 {
		w.Emit(simtest.Event{Type: pixIn})
	}
	in := object{"startDate": "2025-12-19", "endDate": "2025-12-19", "context": "Pix"}
	held := listed(w, search, map[string]string{"startDate": "2025-12-19", "endDate": "2025-12-19", "state": "Hold"})
	require.EqualValues(w.T, 1, held.Get("meta.total"))
	require.EqualValues(w.T, 2, post(w, batch, in).OK().Get("data.total"))
	w.SetNow(simtest.Start())
}
