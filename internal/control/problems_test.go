package control_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// wrong is a request that is refused because of one field.
type wrong struct {
	name, route, query, body string
	field                    string
	says                     string   // part of the detail
	valid                    []string // some of the valid values
}

func wrongBodies() []wrong {
	const events, clock, advance = "POST " + sandboxPath + "/events", "PUT " + sandboxPath + "/clock", "POST " + sandboxPath + "/clock/advance"
	const create, patch, receivers = "POST /_mocksrv/v1/sandboxes", "PATCH " + sandboxPath, "POST " + sandboxPath + "/receivers"
	return []wrong{
		{name: "unknown member", route: create, body: `{"sede":1}`, field: "sede", says: `did you mean "seed"?`, valid: []string{"seed", "name"}},
		{name: "unknown member, nothing similar", route: create, body: `{"x":1}`, field: "x", says: `there is no member "x"`, valid: []string{"seed"}},
		{name: "unknown member within", route: receivers, body: `{"name":"r","script":{"replies":[{},{"stauts":1}]}}`, field: "script.replies[1].stauts", says: `did you mean "status"?`},
		{name: "unknown member of a clock", route: create, body: `{"clock":{"mod":"real"}}`, field: "clock.mod", says: `did you mean "mode"?`},
		{name: "wrong type", route: create, body: `{"seed":"1"}`, field: "seed", says: `"1" is not a whole number`},
		{name: "fraction", route: create, body: `{"seed":1.5}`, field: "seed", says: `1.5 is not a whole number`},
		{name: "number over the range", route: create, body: `{"seed":1e300}`, field: "seed", says: `is not a whole number`},
		{name: "no object", route: create, body: `[]`, field: "body", says: `[] is not an object`},
		{name: "sandbox name", route: create, body: `{"name":"../x"}`, field: "name", says: "a sandbox name has 1 to 63 characters"},
		{name: "clock word", route: create, body: `{"clock":"frozen"}`, field: "clock", says: `"frozen" is neither "real" nor an RFC 3339 instant`},
		{name: "clock of a wrong type", route: create, body: `{"clock":5}`, field: "clock", says: `5 is not "real", an RFC 3339 instant or an object`},
		{name: "clock mode within", route: create, body: `{"clock":{"mode":"stopped"}}`, field: "clock.mode", says: `"stopped" is no mode`, valid: []string{"real", "frozen"}},
		{name: "clock mode", route: clock, body: `{"mode":"stopped"}`, field: "mode", says: `"stopped" is no mode`, valid: []string{"real", "frozen"}},
		{name: "edge", route: clock, body: `{"edge":"real"}`, field: "edge", says: `"real" is no edge clock`, valid: []string{"wall", "world"}},
		{name: "skew", route: clock, body: `{"skew":"fast"}`, field: "skew", says: `"fast" is no duration`},
		{name: "skew over the range", route: clock, body: `{"skew":"-2000000h"}`, field: "skew", says: "at most 100 years"},
		{name: "instant", route: clock, body: `{"now":"2026-02-30T00:00:00Z"}`, field: "now", says: "is not an RFC 3339 instant"},
		{name: "instant of the far future", route: clock, body: `{"now":"9999-12-31T23:59:59Z"}`, field: "now", says: "the years 1970 to 2199"},
		{name: "instant of the far past", route: clock, body: `{"now":"0001-01-01T00:00:00Z"}`, field: "now", says: "the years 1970 to 2199"},
		{name: "frozen in the far future", route: create, body: `{"clock":"9999-12-31T23:59:59Z"}`, field: "clock", says: "the years 1970 to 2199"},
		{name: "nothing", route: advance, body: `{}`, field: "body", says: "exactly one of by, to, until is needed, got 0"},
		{name: "both by and to", route: advance, body: `{"by":"1s","to":"2026-01-08T10:30:00Z"}`, field: "body", says: "got 2"},
		{name: "negative duration", route: advance, body: `{"by":"-1s"}`, field: "by", says: `"-1s" is no duration`},
		{name: "no duration", route: advance, body: `{"by":"1 day"}`, field: "by", says: `"1 day" is no duration`},
		{name: "duration over the range", route: advance, body: `{"by":"9999999h"}`, field: "by", says: `"9999999h" is no duration`},
		{name: "duration beyond the calendar", route: advance, body: `{"by":"2562047h"}`, field: "by", says: "the years 1970 to 2199"},
		{name: "to the far future", route: advance, body: `{"to":"9999-12-31T23:59:59Z"}`, field: "to", says: "the years 1970 to 2199"},
		{name: "to the past", route: advance, body: `{"to":"2020-01-01T00:00:00Z"}`, field: "to", says: "lies in the past"},
		{name: "until", route: advance, body: `{"until":"busy"}`, field: "until", says: `"busy" is not understood`, valid: []string{"idle"}},
		{name: "unknown sim", route: events, body: `{"sim":"signdsub","type":"INVOICE_PAID"}`, field: "sim", says: `there is no sim "signdsub"; did you mean "signedsub"?`, valid: []string{"signedsub"}},
		{name: "no sim", route: events, field: "sim", says: `there is no sim ""`, valid: []string{"signedsub"}},
		{name: "unknown event type", route: events, body: `{"sim":"signedsub","type":"INVOICE_PAIDD"}`, field: "type", says: `did you mean "INVOICE_PAID"?`, valid: []string{"INVOICE_PAID", "PAYOUT_CONFIRMED"}},
		{name: "unknown policy", route: patch, body: `{"policies":{"signedsub.blok_limit":1}}`, field: "policies.signedsub.blok_limit", says: `did you mean "signedsub.block_limit"?`, valid: []string{"signedsub.block_limit"}},
		{name: "policy of an unknown sim", route: patch, body: `{"policies":{"block_limit":1}}`, field: "policies.block_limit", says: `there is no policy "block_limit"`, valid: []string{"signedsub.block_limit"}},
		{name: "policy value", route: create, body: `{"policies":{"signedsub.while_blocked":"wait"}}`, field: "policies.signedsub.while_blocked", says: `"wait" is not one of drop, hold, fail`, valid: []string{"hold"}},
		{name: "policy of a wrong type", route: patch, body: `{"policies":{"signedsub.block_limit":"many"}}`, field: "policies.signedsub.block_limit", says: `"many" is not a whole number from 0`},
		{name: "negative policy duration", route: patch, body: `{"policies":{"signedsub.attempt_timeout":"-1s"}}`, field: "policies.signedsub.attempt_timeout", says: `"-1s" is not a duration`},
		{name: "receiver name", route: receivers, body: `{"name":""}`, field: "name", says: `saw ""`},
		{name: "receiver fault", route: receivers, body: `{"name":"r","script":{"replies":[{"fault":"explode"}]}}`, field: "script.replies[0].fault", says: `saw "explode"`},
	}
}

func wrongQueries() []wrong {
	const webhooks, deliveries, journal = "GET " + sandboxPath + "/webhooks", "GET " + sandboxPath + "/deliveries", "GET " + sandboxPath + "/journal"
	return []wrong{
		{name: "unknown sim", route: webhooks, query: "sim=nobody", field: "sim", says: `there is no sim "nobody"`, valid: []string{"signedsub"}},
		{name: "unknown sim of deliveries", route: deliveries, query: "sim=nobody", field: "sim", says: `there is no sim "nobody"`},
		{name: "unknown sim of the journal", route: journal, query: "sim=nobody", field: "sim", says: `there is no sim "nobody"`},
		{name: "state", route: deliveries, query: "state=done", field: "state", says: `"done" is no state`, valid: []string{"delivered", "dropped"}},
		{name: "wait", route: deliveries, query: "wait=long", field: "wait", says: `"long" is no duration`},
		{name: "negative wait", route: deliveries, query: "wait=-1s", field: "wait", says: `"-1s" is no duration`},
		{name: "wait over the limit", route: deliveries, query: "wait=1h", field: "wait", says: "from 0 to 5m0s"},
		{name: "count", route: deliveries, query: "count=-1", field: "count", says: `"-1" is no whole number`},
		{name: "count over the range", route: deliveries, query: "count=99999999999999999999", field: "count", says: "is no whole number"},
		{name: "direction", route: journal, query: "direction=up", field: "direction", says: `"up" is no direction`, valid: []string{"in", "out", "all"}},
		{name: "status", route: journal, query: "status=4xx", field: "status", says: `"4xx" is no whole number`},
		{name: "limit", route: journal, query: "limit=all", field: "limit", says: `"all" is no whole number`},
		{name: "since", route: journal, query: "since=yesterday", field: "since", says: `"yesterday" is neither the id of an exchange nor`},
		{name: "typing error", route: deliveries, query: "sate=held", field: "sate", says: `did you mean "state"?`, valid: []string{"state", "sim"}},
		{name: "filter that the route does not have", route: "DELETE " + sandboxPath + "/journal", query: "sim=signedsub", field: "sim", says: "there is no query parameter"},
		{name: "twice", route: journal, query: "sim=signedsub&sim=signedsub", field: "sim", says: "more than once"},
		{name: "escape", route: journal, query: "sim=%zz", field: "query", says: "invalid URL escape"},
	}
}

func TestProblemsNameTheWrongFieldAndTheValidValues(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	for _, c := range slices.Concat(wrongBodies(), wrongQueries()) {
		t.Run(c.route+" "+c.name, func(t *testing.T) {
			t.Parallel()
			a := a.with(t)
			p := a.call(c.route, request{query: c.query, body: c.body, wrong: true}).is(http.StatusUnprocessableEntity).problem()
			require.Len(t, p.Errors, 1)
			require.Equal(t, c.field, p.Errors[0].Field)
			require.Contains(t, p.Errors[0].Detail, c.says)
			require.Contains(t, p.Detail, p.Errors[0].Detail)
			for _, value := range c.valid {
				require.Contains(t, p.Errors[0].Valid, value)
			}
		})
	}
}

func TestAProblemNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	p := newAPI(t).call("POST /_mocksrv/v1/sandboxes", request{body: `{"nam":"x","policies":7,"seed":true}`, wrong: true}).is(422).problem()
	require.Equal(t, []string{"nam", "policies", "seed"}, []string{p.Errors[0].Field, p.Errors[1].Field, p.Errors[2].Field})
}

// TestABodyOfWrongMembersIsRefusedInFewWords: the answer used to be hundreds of times larger than the body.
func TestABodyOfWrongMembersIsRefusedInFewWords(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	var members, items strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&members, `,"x%d":1`, i)
		items.WriteString(",1")
	}
	object, list := "{"+members.String()[1:]+"}", "["+items.String()[1:]+"]"
	for route, body := range map[string]string{
		"PUT " + sandboxPath + "/clock":      object,
		"PATCH " + sandboxPath:               `{"policies":` + object + `}`,
		"POST " + sandboxPath + "/receivers": `{"name":"r","script":{"replies":` + list + `}}`,
		"PUT " + sandboxPath + "/snapshot":   `{"` + strings.Repeat("x", 1<<20) + `":1}`,
	} {
		answer := a.call(route, request{wrong: true, body: body}).is(422)
		require.Less(t, len(answer.body), 1<<19, route)
	}
	problem := decode[client.Problem](a.call("PUT "+sandboxPath+"/clock", request{wrong: true, body: object}).is(422))
	require.Len(t, problem.Errors, 100)
	require.True(t, strings.HasSuffix(problem.Detail, "; and so on"), "it says that there are more")
}

func TestBodiesThatAreNotJSONAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for body, says := range map[string]string{
		`{`: "not valid JSON", `{} {}`: "not valid JSON", `{"name":"a","name":"b"}`: "duplicate key", "{\"name\":\"\xff\"}": "invalid UTF-8",
		`{"name":"a",}`: "at byte 11", `'`: "at byte 0", strings.Repeat("[", 20_000): "not valid JSON",
	} {
		p := a.call("POST /_mocksrv/v1/sandboxes", request{body: body, wrong: true}).is(http.StatusBadRequest).problem()
		require.Contains(t, p.Detail, says, "%.40s", body)
	}
}

func TestNullIsTheSameAsLeavingOut(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	made := decode[client.Sandbox](a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":null,"seed":null,"clock":null,"policies":null}`, wrong: true}).is(201))
	require.Equal(t, "sandbox-1", made.Name)
	require.Equal(t, "real", made.Clock.Mode)
}

func TestARefusedChangeOfPoliciesChangesNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.call("PATCH "+sandboxPath, request{body: `{"policies":{"signedsub.block_limit":3,"signedsub.while_blocked":"wait"}}`}).is(422)
	require.Empty(t, a.sandbox("default").Policies)
}

// TestAnUnnamedSandboxFindsAFreeName: the next number may have been taken by name.
func TestAnUnnamedSandboxFindsAFreeName(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"sandbox-1"}`}).is(201)
	require.Equal(t, "sandbox-2", decode[client.Sandbox](a.call("POST /_mocksrv/v1/sandboxes", request{}).is(201)).Name)
}

// TestAttemptsThatWereNotMadeCannotBeCompared: -1 used to be "no such delivery".
func TestAttemptsThatWereNotMadeCannotBeCompared(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	subscribe(t, a.srv, a.sandbox("default").Sims["signedsub"], customer(t, 200))
	emitted := decode[client.Emitted](a.call("POST "+sandboxPath+"/events", request{body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202))
	a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"by":"0s"}`}).is(200)
	for body, says := range map[string]string{`{"attempt":-1}`: "there is no attempt -1; the delivery has 1", `{"attempt":2}`: "there is no attempt 2"} {
		params := in("default", "id", emitted.Deliveries[0].ID)
		p := a.call("POST "+sandboxPath+"/deliveries/{id}/compare", request{params: params, body: body, wrong: true}).is(422).problem()
		require.Contains(t, p.Detail, says)
	}
}

// TestTheJournalShowsBytesThatAreNotUTF8: one header with a Latin-1 byte used to make the journal unreadable.
func TestTheJournalShowsBytesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	send(t, a.srv, "POST /signedsub/api/v1/subscription/webhook?q=\xff HTTP/1.1\r\nHost: mocksrv\r\nKey: caf\xe9\r\nContent-Length: 2\r\n\r\n\xff\xfe").is(401)
	x := decode[client.Journal](a.call("GET "+sandboxPath+"/journal", request{}).is(200)).Exchanges[0]
	require.Equal(t, []string{"caf\uFFFD"}, x.Request.Headers["Key"])
	require.Equal(t, "/api/v1/subscription/webhook?q=\uFFFD", x.Path)
	require.Equal(t, []byte("\xff\xfe"), x.Request.BodyBase64)
}

// TestWaitingOutlivesTheReadTimeout: net/http ends the context of a request at its ReadTimeout, even when it has been
// read whole.
func TestWaitingOutlivesTheReadTimeout(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, func(o *mocksrv.Options) { o.NoListener = true })
	server := httptest.NewUnstartedServer(srv)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	resp, err := http.Get(server.URL + "/_mocksrv/v1/sandboxes/default/deliveries?wait=250ms")
	require.NoError(t, err)
	require.Equal(t, "not within the deadline", received(t, resp).is(http.StatusRequestTimeout).problem().Title)
}

// send writes bytes to a server as they are and reads one answer.
func send(t *testing.T, srv *mocksrv.Server, raw string) answer {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(srv.URL(), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte(raw))
	require.NoError(t, err)
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(newReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	return received(t, resp)
}

func TestEveryInstantOfTheAllowedRangeWorks(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, mode := range []string{"real", "frozen"} {
		for _, now := range []string{"1970-01-01T00:00:00Z", "2199-12-31T00:00:00Z"} {
			body, err := strictjson.Encode(map[string]string{"mode": mode, "now": now})
			require.NoError(t, err)
			set := decode[client.Clock](a.call("PUT "+sandboxPath+"/clock", request{body: string(body)}).is(200))
			require.Equal(t, now[:10], set.Now.Format(time.DateOnly))
			a.call("POST "+sandboxPath+"/events", request{body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
			a.call("GET "+sandboxPath, request{}).is(200)
		}
	}
}
