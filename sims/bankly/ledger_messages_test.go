package bankly_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func messageTests() ledgerTests {
	return ledgerTests{
		"message-shape":   messageShape,
		"search-dates":    searchDates,
		"history-window":  historyWindow,
		"date-order":      dateOrder,
		"message-filters": messageFilters,
		"message-state":   messageState,
		"retry-count":     retryCount,
		"elapsed-format":  elapsedFormat,
		"message-times":   messageTimes,
	}
}

// failing answers the first n requests with 500.
func failing(n int) func(int) (int, string) {
	return func(i int) (int, string) {
		if i <= n {
			return 500, ""
		}
		return 200, ""
	}
}

// found is the only message of the search.
func found(w *simtest.World) object {
	w.T.Helper()
	reply := listed(w, search, days()).OK()
	require.EqualValues(w.T, 1, reply.Get("meta.total"))
	m, _ := reply.Get("data.0").(object)
	return m
}

func keyOf(m object) string {
	key, _ := m["idempotencyKey"].(string)
	return key
}

func messageShape(w *simtest.World) {
	receiver := w.Receive(nil)
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	m := found(w)
	id, _ := m["id"].(string)
	require.NotEqual(w.T, id, keyOf(m))
	listed(w, search, days()).Is(200, `{"data":[{"id":"`+id+`","idempotencyKey":"`+keyOf(m)+`","state":"Success","destination":"`+receiver.URL+
		`","sentDate":"2026-01-08T10:30:00.25","eventName":"TED_CASH_IN_WAS_CLEARED","retryCount":0,"elapsedEventCapture":"00:00:00",`+
		`"elapsedHttpCall":"00:00:00","context":"Ted"}],"links":[],"meta":{"page":1,"pageSize":10,"total":1}}`)
}

// dated sends dates to each of the operations that take them.
func dated(w *simtest.World, start, end string) map[string]*simtest.Reply {
	w.T.Helper()
	query := map[string]string{"startDate": start, "endDate": end}
	return map[string]*simtest.Reply{
		search: listed(w, search, query), searchBatches: listed(w, searchBatches, query),
		batch: post(w, batch, object{"startDate": start, "endDate": end, "context": "Ted"}),
	}
}

func searchDates(w *simtest.World) {
	for _, name := range []string{"startDate", "endDate"} {
		for _, operation := range []string{search, searchBatches} {
			query := days()
			delete(query, name)
			listed(w, operation, query).Refused(400, "search-dates").Is(400, invalid(name, "O campo "+name+" é obrigatório."))
		}
		post(w, batch, week(name, nil)).Refused(400, "search-dates").Is(400, invalid(name, "O campo "+name+" é obrigatório."))
	}
	for _, bad := range []string{"2026-02-30", "02/29/2026", "04/31/2026"} {
		for _, reply := range dated(w, bad, "2026-06-01") {
			reply.Refused(400, "search-dates").Is(400, invalid("startDate", "O campo startDate possui um formato inválido."))
		}
		for _, reply := range dated(w, "2026-01-01", bad) {
			reply.Refused(400, "search-dates").Is(400, invalid("endDate", "O campo endDate possui um formato inválido."))
		}
	}
	for _, bad := range []string{"2026-13-01", "13/01/2026", "2026/01/01", "01-01-2026", "2026-1-1", ""} {
		for _, reply := range dated(w, bad, "2026-06-01") {
			reply.Refused(400, "search-dates")
		}
	}
	id := made(w, "uri", w.Receive(nil).URL)
	for _, at := range []string{"2026-01-09T23:59:59.999Z", "2026-01-10T00:00:00Z", "2026-01-11T23:59:59.999999999Z", "2026-01-12T00:00:00Z"} {
		instant, err := time.Parse(time.RFC3339, at)
		require.NoError(w.T, err)
		w.SetNow(instant)
		w.Emit(simtest.Event{Type: tedIn})
		post(w, batch, object{"startDate": "2026-02-01", "endDate": "2026-02-01"}).OK()
	}
	for _, dates := range [][2]string{{"2026-01-10", "2026-01-11"}, {"01/10/2026", "01/11/2026"}, {"01/10/2026", "2026-01-11"}} {
		for _, operation := range []string{search, searchBatches} {
			reply := listed(w, operation, map[string]string{"startDate": dates[0], "endDate": dates[1]})
			require.EqualValues(w.T, 2, reply.OK().Get("meta.total"), operation)
		}
	}
	require.EqualValues(w.T, 2, dated(w, "2026-01-10", "01/11/2026")[batch].OK().Get("data.total"))
	w.Advance(0)
	require.Empty(w.T, members(dated(w, "2026-01-10", "01/11/2026")[search], "id"), "they have a new sentDate")
	w.SetPolicy("disabled_events", "hold")
	w.SetNow(time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC))
	on(w, disable, id).OK()
	w.Emit(simtest.Event{Type: tedIn})
	require.Equal(w.T, []any{"Hold"}, members(dated(w, "2026-01-20", "2026-01-20")[search], "state"))
}

func historyWindow(w *simtest.World) {
	for _, c := range []struct{ now, earliest, before string }{
		{"2026-01-08T23:59:59Z", "2025-07-08", "2025-07-07"},
		{"2026-08-31T12:00:00Z", "2026-02-28", "2026-02-27"},
		{"2024-08-30T00:00:00Z", "2024-02-29", "2024-02-28"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(w.T, err)
		w.SetNow(now)
		for _, reply := range dated(w, c.earliest, "2099-12-31") {
			reply.OK()
		}
		for _, reply := range dated(w, c.before, "2099-12-31") {
			reply.Refused(400, "history-window").
				Is(400, invalid("startDate", "O campo startDate deve ser no máximo seis meses anterior à data atual."))
		}
	}
	for _, reply := range dated(w, "9999-12-31", "9999-12-31") {
		reply.OK()
	}
}

func dateOrder(w *simtest.World) {
	for _, reply := range dated(w, "2026-01-08", "2026-01-07") {
		reply.Refused(400, "date-order").Is(400, invalid("endDate", "O campo endDate deve ser maior ou igual a startDate."))
	}
	for _, reply := range dated(w, "2026-01-08", "01/08/2026") {
		reply.OK()
	}
}

func messageFilters(w *simtest.World) {
	good, bad := w.Receive(nil), w.Receive(failing(1000))
	made(w, "uri", good.URL)
	made(w, "eventName", pixIn, "context", "Pix", "uri", bad.URL)
	made(w, "eventName", "TED_CASH_IN_WAS_RECEIVED", "uri", bad.URL)
	for _, event := range []string{tedIn, pixIn, "TED_CASH_IN_WAS_RECEIVED", tedIn} {
		w.Emit(simtest.Event{Type: event})
	}
	for _, c := range []struct {
		query []string
		want  []any
	}{
		{nil, []any{tedIn, pixIn, "TED_CASH_IN_WAS_RECEIVED", tedIn}},
		{[]string{"state", "Success"}, []any{tedIn, tedIn}},
		{[]string{"state", "Failed"}, []any{pixIn, "TED_CASH_IN_WAS_RECEIVED"}},
		{[]string{"state", "Hold"}, []any{}},
		{[]string{"context", "Ted"}, []any{tedIn, "TED_CASH_IN_WAS_RECEIVED", tedIn}},
		{[]string{"context", "ted"}, []any{}},
		{[]string{"eventName", pixIn}, []any{pixIn}},
		{[]string{"eventName", "no such event"}, []any{}},
		{[]string{"state", "Failed", "context", "Ted"}, []any{"TED_CASH_IN_WAS_RECEIVED"}},
		{[]string{"eventName", tedIn, "context", "Pix"}, []any{}},
	} {
		require.Equal(w.T, c.want, members(listed(w, search, days(c.query...)).OK(), "eventName"), "%v", c.query)
	}
	for _, bad := range []string{"failed", "Held", ""} {
		listed(w, search, days("state", bad)).Refused(400, "message-filters").
			Is(400, invalid("state", "O campo state deve ser um dos seguintes valores: Success, Failed, Hold."))
	}
}

func messageState(w *simtest.World) {
	receiver := w.Receive(failing(2))
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	require.Equal(w.T, "Failed", found(w)["state"])
	w.Advance(time.Minute)
	require.Equal(w.T, "Failed", found(w)["state"])
	w.Advance(5 * time.Minute)
	require.Equal(w.T, "Success", found(w)["state"])
}

func retryCount(w *simtest.World) {
	made(w, "uri", w.Receive(failing(1000)).URL)
	w.Emit(simtest.Event{Type: tedIn})
	for want, delay := range []time.Duration{0, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour} {
		w.Advance(delay)
		require.EqualValues(w.T, min(want, 3), found(w)["retryCount"])
	}
}

func elapsedFormat(w *simtest.World) {
	receiver := w.Receive(nil)
	w.SetPolicy("disabled_events", "hold")
	id := made(w, "uri", receiver.URL)
	for wait, want := range map[time.Duration]string{
		0: "00:00:00", 101684100: "00:00:00.1016841", time.Second: "00:00:01", 25*time.Hour + 2*time.Minute + 3*time.Second + 500*time.Millisecond: "1.01:02:03.5000000",
		99: "00:00:00", 100: "00:00:00.0000001",
	} {
		on(w, disable, id).OK()
		w.Emit(simtest.Event{Type: tedIn})
		later(w, wait)
		on(w, enable, id).OK()
		w.Advance(0)
		captured := members(listed(w, search, days()), "elapsedEventCapture")
		require.Equal(w.T, want, captured[len(captured)-1])
	}
	for _, took := range members(listed(w, search, days()), "elapsedHttpCall") {
		require.Regexp(w.T, `^\d{2}:\d{2}:\d{2}(\.\d{7})?$`, took)
	}
}

func messageTimes(w *simtest.World) {
	made(w, "uri", w.Receive(failing(5)).URL)
	w.Emit(simtest.Event{Type: tedIn})
	require.Equal(w.T, "2026-01-08T10:30:00.25", found(w)["sentDate"])
	w.Idle()
	m := found(w)
	require.Equal(w.T, "2026-01-08T10:51:00.25", m["sentDate"])
	require.Equal(w.T, "00:00:00", m["elapsedEventCapture"])
	require.EqualValues(w.T, 3, m["retryCount"])
	later(w, time.Hour)
	again(w, keyOf(m)).OK()
	w.Advance(0)
	m = found(w)
	require.Equal(w.T, "2026-01-08T11:51:00.25", m["sentDate"])
	require.Equal(w.T, "00:00:00", m["elapsedEventCapture"], "it runs to the first attempt of all")
	require.EqualValues(w.T, 0, m["retryCount"])
	w.Idle()
	m = found(w)
	require.Equal(w.T, "2026-01-08T11:52:00.25", m["sentDate"])
	require.EqualValues(w.T, 1, m["retryCount"])
	require.Equal(w.T, "Success", m["state"])
}
