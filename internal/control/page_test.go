package control_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// list is a list of the control API with at least three elements.
type list struct {
	route    string
	params   map[string]string
	filter   string
	member   string // of the answer
	id       string // of an element
	numbered bool
	grows    bool // at its end
}

func lists() []list {
	return []list{
		{route: "GET /_mocksrv/v1/sandboxes", member: "sandboxes", id: "name"},
		{route: "GET " + sandboxPath + "/webhooks", member: "webhooks", id: "id"},
		{route: "GET " + sandboxPath + "/webhooks", filter: "sim=signedsub", member: "webhooks", id: "id"},
		{route: "GET " + sandboxPath + "/deliveries", member: "deliveries", id: "id", grows: true},
		{route: "GET " + sandboxPath + "/deliveries", filter: "sim=signedsub&state=delivered", member: "deliveries", id: "id", grows: true},
		{route: "GET " + sandboxPath + "/journal", member: "exchanges", id: "id", numbered: true, grows: true},
		{route: "GET " + sandboxPath + "/journal", filter: "sim=signedsub&direction=out", member: "exchanges", id: "id", numbered: true, grows: true},
		{route: "GET " + sandboxPath + "/receivers", member: "receivers", id: "name"},
		{
			route: "GET " + sandboxPath + "/receivers/{receiver}", params: in("lists", "receiver", "a"),
			filter: "wait=1m&count=6", member: "received", id: "number", numbered: true, grows: true,
		},
	}
}

// lived makes a sandbox in which every list has some elements, and a few sandboxes.
func lived(a *api) {
	a.Helper()
	for _, name := range []string{"lists", "more", "many"} {
		a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"` + name + `","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	}
	open := func(name string) string {
		body := `{"name":"` + name + `"}`
		return decode[client.Receiver](a.call("POST "+sandboxPath+"/receivers", request{params: in("lists"), body: body}).is(201)).URL
	}
	to := open("a")
	open("b")
	open("c")
	sim := a.sandbox("lists").Sims["signedsub"]
	for i := range 3 {
		subscribeAs(a.T, a.srv, sim, fmt.Sprintf("123e4567-e89b-12d3-a456-42661417400%d", i), to)
	}
	for range 2 {
		a.call("POST "+sandboxPath+"/events", request{params: in("lists"), body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
	}
	a.call("POST "+sandboxPath+"/clock/advance", request{params: in("lists"), body: `{"by":"0s"}`}).is(200)
}

// get returns the ids of a page, and what its answer calls next.
func (l list) get(a *api, query ...string) (ids []string, next string) {
	a.Helper()
	params := l.params
	if params == nil {
		params = in("lists")
	}
	if l.filter != "" {
		query = append(query, l.filter)
	}
	body := a.call(l.route, request{params: params, query: strings.Join(query, "&")}).is(http.StatusOK).body
	var answer map[string]any
	require.NoError(a, strictjson.Unmarshal(body, &answer))
	elements, ok := answer[l.member].([]any)
	require.True(a, ok, "%s", body)
	for _, element := range elements {
		object, ok := element.(map[string]any)
		require.True(a, ok)
		ids = append(ids, fmt.Sprint(object[l.id]))
	}
	if answer["next"] != nil {
		next = fmt.Sprint(answer["next"])
		require.NotEmpty(a, next)
	}
	return ids, next
}

func TestEveryListIsPagedTheSameWay(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	lived(a)
	for _, l := range lists() {
		t.Run(l.route+" "+l.filter, func(t *testing.T) {
			t.Parallel()
			a := a.with(t)
			whole, next := l.get(a)
			require.Empty(t, next)
			require.Greater(t, len(whole), 2)
			for _, limit := range []int{1, 2, len(whole) - 1} {
				requirePages(a, l, whole, limit)
			}
			for _, limit := range []int{len(whole), 1000} {
				got, next := l.get(a, "limit="+strconv.Itoa(limit))
				require.Equal(t, whole, got)
				require.Empty(t, next, "there is no more")
			}
			rest, _ := l.get(a, "after="+whole[len(whole)-1])
			require.Empty(t, rest)
			requireRefusals(a, l)
			requireNewest(a, l, whole)
		})
	}
}

// requirePages goes through a list by next.
func requirePages(a *api, l list, whole []string, limit int) {
	a.Helper()
	var got []string
	query := []string{"limit=" + strconv.Itoa(limit)}
	for {
		page, next := l.get(a, query...)
		got = append(got, page...)
		if next == "" {
			break
		}
		require.Len(a, page, limit)
		require.Equal(a, page[limit-1], next)
		query = []string{"limit=" + strconv.Itoa(limit), "after=" + next}
	}
	require.Equal(a, whole, got)
}

func requireNewest(a *api, l list, whole []string) {
	a.Helper()
	if !l.grows {
		p := a.call(l.route, request{params: in("lists"), query: "newest=2", wrong: true}).is(422).problem()
		require.Contains(a, p.Detail, `there is no query parameter "newest"`)
		return
	}
	got, next := l.get(a, "newest=2")
	require.Equal(a, whole[len(whole)-2:], got)
	require.Empty(a, next)
	got, _ = l.get(a, "newest=1000")
	require.Equal(a, whole, got)
}

func requireRefusals(a *api, l list) {
	a.Helper()
	params := l.params
	if params == nil {
		params = in("lists")
	}
	refused := map[string]string{
		"limit=0": `"0" is no whole number from 1 to 1000`, "limit=1001": `"1001" is no whole number from 1 to 1000`, "limit=x": `"x" is no whole number`,
	}
	if l.numbered {
		refused["after=x"] = `"x" is no number`
		refused["after=-1"] = `"-1" is no number`
		rest, next := l.get(a, "after=9223372036854775807")
		require.Empty(a, rest, "any number is fine")
		require.Empty(a, next)
	} else {
		refused["after=nobody"] = `there is no "nobody" in this list, or no more; begin again without after`
	}
	if l.grows {
		refused["newest=0"] = `"0" is no whole number from 1 to 1000`
		refused["newest=1&limit=1"] = "newest: stands alone"
		refused["newest=1&after=1"] = "newest: stands alone"
	}
	for query, says := range refused {
		p := a.call(l.route, request{params: params, query: query, wrong: true}).is(http.StatusUnprocessableEntity).problem()
		require.Contains(a, p.Detail, says, query)
	}
}

// TestPagesGoOnAfterWhatTheFilterPassesNoMore: the last one seen may have come to another state meanwhile.
func TestPagesGoOnAfterWhatTheFilterPassesNoMore(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	subscribe(t, a.srv, a.sandbox("default").Sims["signedsub"], customer(t, 500))
	for range 3 {
		a.call("POST "+sandboxPath+"/events", request{body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
	}
	pending := list{route: "GET " + sandboxPath + "/deliveries", params: in("default"), filter: "state=pending", member: "deliveries", id: "id", grows: true}
	whole, _ := pending.get(a)
	require.Len(t, whole, 3)
	_, next := pending.get(a, "limit=1")
	a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"until":"idle"}`}).is(200)
	left, _ := pending.get(a, "after="+next)
	require.Empty(t, left)
	failed := pending
	failed.filter = "state=failed"
	left, _ = failed.get(a, "after="+next)
	require.Equal(t, whole[1:], left)
}

// TestSinceAndAfterOfTheJournal: since is where the list begins, after how far a reader has come in it.
func TestSinceAndAfterOfTheJournal(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	lived(a)
	journal := list{route: "GET " + sandboxPath + "/journal", params: in("lists"), filter: "since=2", member: "exchanges", id: "id"}
	whole, _ := journal.get(a, "direction=all")
	require.Equal(t, "3", whole[0])
	for after, want := range map[string]int{"1": 0, "2": 0, "3": 1, "4": 2} {
		got, _ := journal.get(a, "direction=all", "after="+after)
		require.Equal(t, whole[want:], got, after)
	}
}

// TestSimSelectsOnEveryListOfAProvider: two providers, and each list shows the one that is asked for.
func TestSimSelectsOnEveryListOfAProvider(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	lived(a)
	for _, l := range lists() {
		if !strings.Contains(l.filter, "sim=") {
			continue
		}
		mine, _ := l.get(a)
		require.NotEmpty(t, mine)
		l.filter = strings.Replace(l.filter, "signedsub", "hsrcpay", 1)
		others, _ := l.get(a)
		require.Empty(t, others, l.route)
	}
}
