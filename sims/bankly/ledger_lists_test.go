package bankly_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func listTests() ledgerTests {
	return ledgerTests{
		"list-filter":     listFilter,
		"list-order":      listOrder,
		"paging-defaults": pagingDefaults,
		"paging-limits":   pagingLimits,
		"next-link":       nextLink,
		"last-page":       lastPage,
		"link-base":       linkBase,
		"meta":            metaOfLists,
		"message-list":    messageList,
	}
}

// many makes n things that a list shows.
func many(w *simtest.World, operation string, n int) {
	w.T.Helper()
	if operation == search {
		made(w, "uri", w.Receive(nil).URL)
	}
	for i := range n {
		switch operation {
		case list:
			made(w, "eventName", fmt.Sprintf("EVENT_%03d", i))
		case search:
			w.Emit(simtest.Event{Type: tedIn})
		case searchBatches:
			post(w, batch, week()).OK()
		}
		later(w, time.Second)
	}
}

// queryOf is a valid query of a list.
func queryOf(operation string, more ...string) map[string]string {
	query := days(more...)
	if operation == list {
		delete(query, "startDate")
		delete(query, "endDate")
	}
	return query
}

func lists() []string { return []string{list, search, searchBatches} }

func listFilter(w *simtest.World) {
	many(w, list, 3)
	ids := members(listed(w, list, nil), "id")
	second, _ := ids[1].(string)
	on(w, disable, second).OK()
	require.Equal(w.T, ids, members(listed(w, list, nil), "id"))
	require.Equal(w.T, []any{ids[0], ids[2]}, members(listed(w, list, map[string]string{"status": "Enabled"}), "id"))
	require.Equal(w.T, []any{ids[1]}, members(listed(w, list, map[string]string{"status": "Disabled"}), "id"))
	on(w, enable, second).OK()
	require.Equal(w.T, ids, members(listed(w, list, map[string]string{"status": "Enabled"}), "id"))
	for _, bad := range []string{"enabled", "ENABLED", "Enabled ", "", "Blocked"} {
		listed(w, list, map[string]string{"status": bad}).Refused(400, "list-filter").
			Is(400, invalid("status", "O campo status deve ser um dos seguintes valores: Enabled, Disabled."))
	}
}

func listOrder(w *simtest.World) {
	for operation, member := range map[string]string{list: "createdAt", search: "sentDate", searchBatches: "createdAt"} {
		many(w, operation, 4)
		at := members(listed(w, operation, queryOf(operation)), member)
		require.GreaterOrEqual(w.T, len(at), 4)
		require.IsNonDecreasing(w.T, texts(at))
	}
	w.Advance(0)
	// A message keeps the place of its event when it is sent again.
	keys := members(listed(w, search, days()), "idempotencyKey")
	first, _ := keys[0].(string)
	again(w, first).OK()
	w.Advance(0)
	require.Equal(w.T, keys, members(listed(w, search, days()), "idempotencyKey"))
}

func texts(values []any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = fmt.Sprint(v)
	}
	return all
}

func pagingDefaults(w *simtest.World) {
	for _, operation := range lists() {
		many(w, operation, 12)
		reply := listed(w, operation, queryOf(operation)).OK()
		require.Len(w.T, members(reply, "id"), 10)
		require.Equal(w.T, reply.Body, listed(w, operation, queryOf(operation, "page", "1", "pageSize", "10")).Body)
	}
}

func pagingLimits(w *simtest.World) {
	for _, operation := range lists() {
		many(w, operation, 3)
		for _, bad := range []string{"0", "-1", "x", "", "1.5", "99999999999", "1e1"} {
			listed(w, operation, queryOf(operation, "page", bad)).Refused(400, "paging-limits")
			listed(w, operation, queryOf(operation, "pageSize", bad)).Refused(400, "paging-limits")
		}
		listed(w, operation, queryOf(operation, "pageSize", "101")).Refused(400, "paging-limits").
			Is(400, invalid("pageSize", "O campo pageSize deve ser menor ou igual a 100."))
		require.NotEmpty(w.T, members(listed(w, operation, queryOf(operation, "pageSize", "100")).OK(), "id"))
		require.Len(w.T, members(listed(w, operation, queryOf(operation, "pageSize", "1", "page", "2")).OK(), "id"), 1)
		past := listed(w, operation, queryOf(operation, "page", "2147483647", "pageSize", "100")).OK()
		require.Empty(w.T, members(past, "id"))
		require.Equal(w.T, listed(w, operation, queryOf(operation)).Get("meta.total"), past.Get("meta.total"))
	}
}

func nextLink(w *simtest.World) {
	many(w, list, 13)
	link := func(query ...string) any { return listed(w, list, queryOf(list, query...)).OK().Get("links") }
	next := func(page, size int) any {
		return []any{object{
			"url": fmt.Sprintf("https://api-mtls.sandbox.bankly.com.br/webhooks?page=%d&pageSize=%d", page, size), "rel": "search_webhook", "method": "GET",
		}}
	}
	require.Equal(w.T, next(2, 10), link())
	require.Equal(w.T, next(2, 10), link("status", "Enabled"))
	require.Equal(w.T, next(3, 6), link("page", "2", "pageSize", "6"))
	require.Equal(w.T, []any{}, link("page", "3", "pageSize", "6"))
	require.Equal(w.T, []any{}, link("pageSize", "13"))
	raw(w, "GET", "/webhooks?page=2&pageSize=10", "").Refused(404, "unknown-path")
}

func lastPage(w *simtest.World) {
	for _, operation := range lists() {
		many(w, operation, 2)
		require.Equal(w.T, []any{}, listed(w, operation, queryOf(operation)).Get("links"))
		w.SetPolicy("last_page_links", "self")
		reply := listed(w, operation, queryOf(operation, "page", "1", "pageSize", "20")).OK()
		require.Contains(w.T, reply.Get("links.0.url"), "?page=1&pageSize=20")
		require.Nil(w.T, reply.Get("links.1"))
		require.Contains(w.T, listed(w, operation, queryOf(operation, "pageSize", "1")).Get("links.0.url"), "?page=2&pageSize=1")
		w.SetPolicy("last_page_links", "empty")
	}
}

func linkBase(w *simtest.World) {
	for _, host := range []string{"api-mtls.bankly.com.br", "127.0.0.1:8080", "localhost"} {
		req := w.Request("GET", configurationsPath, "", nil)
		req.Host = host
		if host == "api-mtls.bankly.com.br" {
			req.URL.Path = configurationsPath
		}
		req.Header.Set("Authorization", "Bearer "+w.Credentials["token"])
		req.Header.Set("api-version", "1.0")
		w.SetPolicy("last_page_links", "self")
		require.Equal(w.T, "https://api-mtls.sandbox.bankly.com.br/webhooks?page=1&pageSize=10", w.Send(req).OK().Get("links.0.url"))
	}
}

func metaOfLists(w *simtest.World) {
	for _, operation := range lists() {
		many(w, operation, 5)
	}
	id := made(w, "eventName", "disabled")
	on(w, disable, id).OK()
	for _, c := range []struct {
		operation string
		query     []string
		total     int
	}{
		{list, nil, 7}, {list, []string{"status", "Disabled"}, 1}, {search, nil, 5}, {search, []string{"state", "Failed"}, 0}, {searchBatches, nil, 5},
	} {
		query := queryOf(c.operation, append(c.query, "page", "2", "pageSize", "3")...)
		require.Equal(w.T, object{"page": 2.0, "pageSize": 3.0, "total": float64(c.total)}, listed(w, c.operation, query).OK().Get("meta"))
	}
}

func messageList(w *simtest.World) {
	for operation, next := range map[string][2]string{
		search: {messagesPath, "search_processed_messages"}, searchBatches: {batchPath, "search_batches"},
	} {
		listed(w, operation, days()).Is(200, `{"data":[],"links":[],"meta":{"page":1,"pageSize":10,"total":0}}`)
		many(w, operation, 5)
		reply := listed(w, operation, days("page", "2", "pageSize", "2")).OK()
		require.Equal(w.T, []any{object{
			"url": "https://api-mtls.sandbox.bankly.com.br" + next[0] + "?page=3&pageSize=2", "rel": next[1], "method": "GET",
		}}, reply.Get("links"))
		require.Equal(w.T, []any{}, listed(w, operation, days("page", "3", "pageSize", "2")).Get("links"))
		require.Len(w.T, members(listed(w, operation, days("page", "3", "pageSize", "2")), "id"), 1)
	}
}
