package control_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
)

// TestEveryRouteAnswersEveryDocumentedStatus exercises the whole document: each part of it is a journey through some
// routes, every request and answer is validated, and in the end every documented status must have been seen.
//
//nolint:tparallel // the journeys run beside each other, and what they have seen is checked after the last one
func TestEveryRouteAnswersEveryDocumentedStatus(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen, func(o *mocksrv.Options) { o.MaxSandboxBytes = 5 << 20 }) // a snapshot has the limit of other bodies
	t.Run("journeys", func(t *testing.T) {
		t.Run("server and sandboxes", func(t *testing.T) { t.Parallel(); sandboxJourney(a.with(t)) })
		t.Run("certificates", func(t *testing.T) { t.Parallel(); certificateJourney(a.with(t)) })
		t.Run("clock", func(t *testing.T) { t.Parallel(); clockJourney(a.with(t)) })
		t.Run("webhooks and deliveries", func(t *testing.T) { t.Parallel(); deliveryJourney(a.with(t)) })
		t.Run("backlog", func(t *testing.T) { t.Parallel(); backlogJourney(a.with(t)) })
		t.Run("journal", func(t *testing.T) { t.Parallel(); journalJourney(a.with(t)) })
		t.Run("verification", func(t *testing.T) { t.Parallel(); verifyJourney(a.with(t)) })
		t.Run("stream", func(t *testing.T) { t.Parallel(); streamJourney(a.with(t)) })
		t.Run("scripts", func(t *testing.T) { t.Parallel(); scriptJourney(a.with(t)) })
		t.Run("scenarios", func(t *testing.T) { t.Parallel(); scenarioJourney(a.with(t)) })
		t.Run("snapshots", func(t *testing.T) { t.Parallel(); snapshotJourney(a.with(t)) })
		t.Run("receivers", func(t *testing.T) { t.Parallel(); receiverJourney(a.with(t)) })
		t.Run("receiver closed while waiting", func(t *testing.T) { t.Parallel(); closedWhileWaiting(a.with(t)) })
		t.Run("doctor", func(t *testing.T) { t.Parallel(); doctorJourney(a.with(t)) })
		t.Run("limits", func(t *testing.T) { t.Parallel(); limitJourney(a.with(t)) })
		t.Run("refusals that all routes share", func(t *testing.T) { t.Parallel(); sharedRefusals(a.with(t)) })
	})
	for pattern, op := range a.ops {
		for _, status := range documentedStatuses(op) {
			n, err := strconv.Atoi(status)
			require.NoError(t, err)
			require.True(t, a.seen.seen[pattern][n], "%s never answered the documented status %d", pattern, n)
		}
	}
}

func sandboxJourney(a *api) {
	a.call("GET /_mocksrv/health", request{}).is(200)
	yaml := a.call("GET /_mocksrv/openapi.yaml", request{}).is(200)
	require.Equal(a, string(control.Document()), string(yaml.body))
	metrics := a.call("GET /_mocksrv/metrics", request{}).is(200)
	require.Contains(a, string(metrics.body), "\nmocksrv_sandboxes ") // how many is open: the other journeys make some
	sims := decode[client.Sims](a.call("GET /_mocksrv/v1/sims", request{}).is(200))
	require.NotEmpty(a, sims.Sims)
	for _, body := range []string{
		"", `{}`, `{"name":"a","seed":7,"clock":"real"}`, `{"name":"b","clock":"2026-01-08T10:30:00Z"}`,
		`{"name":"c","clock":{"mode":"frozen","now":"2026-01-08T10:30:00Z","edge":"world","skew":"-5s"},"policies":{"signedsub.block_limit":3}}`,
		`{"name":"d","idle":"10m"}`, `{"name":"e","origin":"a"}`,
	} {
		made := decode[client.Sandbox](a.call("POST /_mocksrv/v1/sandboxes", request{body: body}).is(201))
		again := a.sandbox(made.Name)
		require.Equal(a, made.Clock.Mode, again.Clock.Mode)
		if made.Clock.Mode == "real" {
			again.Clock.Now = made.Clock.Now
		}
		require.Equal(a, made, again)
	}
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"a"}`}).is(409)
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"A"}`, wrong: true}).is(422)
	a.call("GET /_mocksrv/v1/sandboxes", request{}).is(200)
	changed := decode[client.Sandbox](a.call("PATCH "+sandboxPath, request{params: in("a"), body: `{"policies":{"signedsub.retry_schedule":["1s"]}}`}).is(200))
	require.Equal(a, map[string]any{"signedsub.retry_schedule": []any{"1s"}}, changed.Policies)
	reset := decode[client.Sandbox](a.call("POST "+sandboxPath+"/reset", request{params: in("a")}).is(200))
	require.Empty(a, reset.Policies)
	a.call("DELETE "+sandboxPath, request{params: in("a")}).is(204)
	a.call("DELETE "+sandboxPath, request{params: in("a")}).is(404)
	a.call("DELETE "+sandboxPath, request{}).is(409)
}

func certificateJourney(a *api) {
	ca := a.call("GET /_mocksrv/ca.pem", request{}).is(200)
	for _, body := range []string{"", `{}`, `{"name":"checkout","expired":true}`} {
		made := decode[client.Certificate](a.call("POST /_mocksrv/v1/certificates/client", request{body: body}).is(201))
		_, err := tls.X509KeyPair([]byte(made.Certificate), []byte(made.Key))
		require.NoError(a, err)
		require.Equal(a, string(ca.body), made.CA)
	}
	long := a.call("POST /_mocksrv/v1/certificates/client", request{body: `{"name":"` + strings.Repeat("x", 65) + `"}`, wrong: true}).is(422)
	require.Equal(a, "name: a name has at most 64 characters, this one has 65", long.problem().Detail)
	a.call("POST /_mocksrv/v1/certificates/client", request{body: `{"name":"a\nb"}`}).is(422)
}

func clockJourney(a *api) {
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"clock"}`}).is(201)
	put := func(body string) client.Clock {
		return decode[client.Clock](a.call("PUT "+sandboxPath+"/clock", request{params: in("clock"), body: body}).is(200))
	}
	require.Equal(a, client.Clock{Mode: "frozen", Now: start(), Edge: "world", Skew: "-3m0s"},
		put(`{"mode":"frozen","now":"2026-01-08T10:30:00Z","edge":"world","skew":"-3m"}`))
	require.Equal(a, "wall", put(`{"edge":"wall","skew":"0"}`).Edge)
	advance := func(body string) client.Advanced {
		return decode[client.Advanced](a.call("POST "+sandboxPath+"/clock/advance", request{params: in("clock"), body: body}).is(200))
	}
	require.Equal(a, "2026-01-08T10:31:30Z", advance(`{"by":"1m30s"}`).Now.Format("2006-01-02T15:04:05Z07:00"))
	require.Equal(a, "2026-01-09T00:00:00Z", advance(`{"to":"2026-01-09T01:00:00+01:00"}`).Now.Format("2006-01-02T15:04:05Z07:00"))
	require.Empty(a, advance(`{"until":"idle"}`).Fired)
	back := put(`{"now":"1999-12-31T23:59:59Z"}`)
	require.Equal(a, back, decode[client.Clock](a.call("GET "+sandboxPath+"/clock", request{params: in("clock")}).is(200)))
	require.Equal(a, 1999, back.Now.Year())
	a.call("POST "+sandboxPath+"/clock/advance", request{params: in("clock"), body: `{"by":"1s","until":"idle"}`, wrong: true}).is(422)
}

func deliveryJourney(a *api) {
	params := in("deliveries")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"deliveries","clock":"2026-01-08T10:30:00Z","policies":{"signedsub.block_limit":1}}`}).is(201)
	webhook := subscribe(a.T, a.srv, a.sandbox("deliveries").Sims["signedsub"], customer(a.T, 500)+"/hook")
	emit := request{params: params, body: `{"sim":"signedsub","type":"INVOICE_PAID","data":{"amount":12.5}}`}
	emitted := decode[client.Emitted](a.call("POST "+sandboxPath+"/events", emit).is(202))
	require.Len(a, emitted.Deliveries, 1)
	id := emitted.Deliveries[0].ID
	advanced := decode[client.Advanced](a.call("POST "+sandboxPath+"/clock/advance", request{params: params, body: `{"by":"1m"}`}).is(200))
	require.NotEmpty(a, advanced.Fired)
	for _, query := range []string{"", "sim=signedsub&state=failed&webhook=" + webhook + "&event=" + emitted.ID + "&type=INVOICE_PAID&wait=1m&count=1"} {
		list := decode[client.Deliveries](a.call("GET "+sandboxPath+"/deliveries", request{params: params, query: query}).is(200))
		require.Len(a, list.Deliveries, 1)
	}
	a.call("GET "+sandboxPath+"/deliveries", request{params: params, query: "state=delivered&wait=1ms"}).is(408)
	one := in("deliveries", "id", id)
	got := decode[client.Delivery](a.call("GET "+sandboxPath+"/deliveries/{id}", request{params: one}).is(200))
	compare := func(body string) []client.Finding {
		c := a.call("POST "+sandboxPath+"/deliveries/{id}/compare", request{params: one, body: body}).is(200)
		return decode[client.Comparison](c).Findings
	}
	require.Equal(a, "match", compare(`{"signature":"` + got.Attempts[0].Signature.Value + `"}`)[0].Cause)
	require.Equal(a, "key", compare(`{"attempt":1,"key":"x"}`)[0].Cause)
	webhooks := decode[client.Webhooks](a.call("GET "+sandboxPath+"/webhooks", request{params: params, query: "sim=signedsub"}).is(200))
	require.Equal(a, []string{webhook, "blocked"}, []string{webhooks.Webhooks[0].ID, webhooks.Webhooks[0].State})
	decode[client.Unblocked](a.call("POST "+sandboxPath+"/webhooks/{id}/unblock", request{params: in("deliveries", "id", webhook)}).is(200))
	a.call("POST "+sandboxPath+"/deliveries/{id}/redeliver", request{params: one}).is(202)
	recording := decode[client.Recording](a.call("GET "+sandboxPath+"/recording", request{params: params}).is(200))
	does := []string{}
	for _, o := range recording.Operations {
		does = append(does, o.Does)
	}
	require.Equal(a, []string{"emit", "advance", "unblock", "redeliver"}, does)
	require.JSONEq(a, emit.body, string(recording.Operations[0].Body))
	for _, route := range []string{"GET /deliveries/{id}", "POST /deliveries/{id}/redeliver", "POST /deliveries/{id}/compare", "POST /webhooks/{id}/unblock"} {
		method, path, _ := strings.Cut(route, " ")
		a.call(method+" "+sandboxPath+path, request{params: in("deliveries", "id", "no/such")}).is(404)
	}
}

// backlogJourney fills the backlog with deliveries that are held, because their webhook is blocked.
func backlogJourney(a *api) {
	own := *a
	own.srv, a = mocksrv.RunT(a, frozen), &own
	const policies = `{"signedsub.block_limit":1,"signedsub.retry_schedule":[],"signedsub.while_blocked":"hold"}`
	a.call("PATCH "+sandboxPath, request{body: `{"policies":` + policies + `}`}).is(200)
	subscribe(a.T, a.srv, a.sandbox("default").Sims["signedsub"], customer(a.T, 500))
	emit := request{body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}
	for range 2 {
		a.call("POST "+sandboxPath+"/events", emit).is(202)
		a.call("POST "+sandboxPath+"/clock/advance", request{body: `{"by":"0s"}`}).is(200)
	}
	held := decode[client.Emitted](a.call("POST "+sandboxPath+"/events", emit).is(202)).Deliveries[0]
	require.Equal(a, "held", held.State)
	a.call("POST "+sandboxPath+"/deliveries/{id}/compare", request{params: in("default", "id", held.ID), body: "{}"}).is(409)
	for range delivery.MaxWaitingOfHook - 1 {
		_, err := a.srv.Emit(client.Event{Sim: "signedsub", Type: "INVOICE_PAID"})
		require.NoError(a, err)
	}
	a.call("POST "+sandboxPath+"/events", emit).is(429)
}

func journalJourney(a *api) {
	params := in("journal")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"journal","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	resp, err := a.srv.Client().Post(a.sandbox("journal").Sims["signedsub"].BaseURL+"/api/v1/subscription/webhook?x=1", "application/json", strings.NewReader("{}"))
	require.NoError(a, err)
	received(a.T, resp).is(401)
	for _, query := range []string{
		"", "sim=signedsub&operation=listSubscriptions&direction=in&rule=credentials&status=401&since=0&limit=1",
		"direction=all&since=2026-01-08T10:30:00Z",
	} {
		journal := decode[client.Journal](a.call("GET "+sandboxPath+"/journal", request{params: params, query: query}).is(200))
		require.Len(a, journal.Exchanges, 1, query)
		require.Equal(a, "credentials", journal.Exchanges[0].Refusal.Rule)
	}
	for _, query := range []string{"direction=out", "status=200", "since=1", "since=2026-01-08T10:30:01Z", "after=1", "rule=signature"} {
		journal := decode[client.Journal](a.call("GET "+sandboxPath+"/journal", request{params: params, query: query}).is(200))
		require.Empty(a, journal.Exchanges, query)
	}
	a.call("DELETE "+sandboxPath+"/journal", request{params: params}).is(204)
	require.Empty(a, decode[client.Journal](a.call("GET "+sandboxPath+"/journal", request{params: params}).is(200)).Exchanges)
}

func verifyJourney(a *api) {
	params := in("verify")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"verify","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	subscribe(a.T, a.srv, a.sandbox("verify").Sims["signedsub"], customer(a.T, 200))
	a.call("POST "+sandboxPath+"/events", request{params: params, body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
	verify := func(what, body string) client.Verified {
		return decode[client.Verified](a.call("POST "+sandboxPath+"/"+what+"/verify", request{params: params, body: body}).is(200))
	}
	require.True(a, verify("journal", `{"sim":"signedsub","operation":"createSubscription","match":{"status":200},"count":{"min":1,"max":1}}`).Pass)
	missed := verify("journal", `{"match":{"status":401},"within":"1ms"}`)
	require.False(a, missed.Pass)
	require.Equal(a, []client.Difference{{Path: "status", Want: "401", Got: "200"}}, missed.Misses[0].Differences)
	require.True(a, verify("deliveries", `{"match":{"state":"delivered","event_type":{"$regex":"^INVOICE_"}},"within":"1m"}`).Pass)
	require.True(a, verify("deliveries", `{"order":[{"event_type":"INVOICE_PAID"}]}`).Pass)
	a.call("POST "+sandboxPath+"/deliveries/verify", request{params: params, body: `{"operation":"x"}`}).is(422)
}

// streamJourney reads the beginning of the stream, which has no end.
func streamJourney(a *api) {
	const pattern = "GET " + sandboxPath + "/stream"
	a.call(pattern, request{header: map[string]string{"Last-Event-ID": "x"}, wrong: true}).is(422)
	ctx, cancel := context.WithCancel(a.Context())
	defer cancel()
	resp, err := a.srv.Client().Do(a.build(pattern, request{params: in("default"), context: ctx}))
	require.NoError(a, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(a, http.StatusOK, resp.StatusCode)
	require.Contains(a, a.ops[pattern].Responses.Status(http.StatusOK).Value.Content, resp.Header.Get("Content-Type"))
	line, err := newReader(resp.Body).ReadString('\n')
	require.NoError(a, err)
	require.Equal(a, ": ready\n", line)
	a.seen.add(pattern, resp.StatusCode)
}

func snapshotJourney(a *api) {
	params := in("snapshot")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"snapshot","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	subscribe(a.T, a.srv, a.sandbox("snapshot").Sims["signedsub"], customer(a.T, 200))
	snapshot := a.call("GET "+sandboxPath+"/snapshot", request{params: params}).is(200)
	diff := func() []client.Change {
		got := a.call("POST "+sandboxPath+"/snapshot/diff", request{params: params, body: string(snapshot.body)}).is(200)
		return decode[client.SnapshotDiff](got).Changes
	}
	require.Empty(a, diff())
	a.call("POST "+sandboxPath+"/clock/advance", request{params: params, body: `{"by":"1m"}`}).is(200)
	require.Equal(a, []client.Change{{Path: "/clock/now", Before: "2026-01-08T10:30:00Z", After: "2026-01-08T10:31:00Z"}}, diff())
	a.call("POST "+sandboxPath+"/reset", request{params: params}).is(200)
	a.call("PUT "+sandboxPath+"/snapshot", request{params: params, body: string(snapshot.body)}).is(200)
	require.Empty(a, diff())
	wrongClock := strings.Replace(string(snapshot.body), "2026-01-08T10:30:00Z", "yesterday", 1)
	a.call("PUT "+sandboxPath+"/snapshot", request{params: params, body: wrongClock}).is(422)
	a.call("PUT "+sandboxPath+"/snapshot", request{params: params, wrong: true}).is(422)
}

func receiverJourney(a *api) {
	params := in("receivers")
	one := in("receivers", "receiver", "shop")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"receivers","clock":"2026-01-08T10:30:00Z"}`}).is(201)
	open := func(body string) answer {
		return a.call("POST "+sandboxPath+"/receivers", request{params: params, body: body})
	}
	shop := decode[client.Receiver](open(`{"name":"shop","script":{"replies":[{"status":500,"times":2,"header":{"X-A":"b"},"delay":"1ms"}],"then":"ok"}}`).is(201))
	require.Equal(a, "https", strings.SplitN(decode[client.Receiver](open(`{"name":"tls","tls":"self_signed"}`).is(201)).URL, ":", 2)[0])
	open(`{"name":"shop"}`).is(409)
	open(`{"name":"same-port","address":"` + strings.TrimPrefix(shop.URL, "http://") + `"}`).is(409)
	a.call("GET "+sandboxPath+"/receivers", request{params: params}).is(200)
	a.call("GET "+sandboxPath+"/receivers/{receiver}", request{params: one, query: "wait=1ms"}).is(408)
	for _, status := range []int{500, 500, 200} {
		resp, err := http.Post(shop.URL+"/hook?a=b", "application/json", strings.NewReader(`{"a":1}`))
		require.NoError(a, err)
		received(a.T, resp).is(status)
	}
	got := decode[client.Receiver](a.call("GET "+sandboxPath+"/receivers/{receiver}", request{params: one, query: "wait=1m&count=3"}).is(200))
	require.Len(a, got.Received, 3)
	require.Equal(a, "/hook?a=b", got.Received[0].Request.URL)
	a.call("PUT "+sandboxPath+"/receivers/{receiver}/script", request{params: one, body: `{"down":true}`}).is(200)
	a.call("DELETE "+sandboxPath+"/receivers/{receiver}", request{params: one}).is(204)
	for _, method := range []string{"GET", "DELETE"} {
		a.call(method+" "+sandboxPath+"/receivers/{receiver}", request{params: one}).is(404)
	}
	a.call("PUT "+sandboxPath+"/receivers/{receiver}/script", request{params: one, body: `{}`}).is(404)
}

// closedWhileWaiting closes a receiver that somebody waits for. Which call the server sees first is open, so it is
// tried until the waiting one was.
func closedWhileWaiting(a *api) {
	params := in("closing", "receiver", "shop")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"closing"}`}).is(201)
	for range 200 {
		a.call("POST "+sandboxPath+"/receivers", request{params: params, body: `{"name":"shop"}`}).is(201)
		sent, done := make(chan struct{}), make(chan answer)
		ctx := httptrace.WithClientTrace(a.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
		go func() {
			done <- a.call("GET "+sandboxPath+"/receivers/{receiver}", request{params: params, query: "wait=1m", context: ctx})
		}()
		<-sent
		a.call("GET "+sandboxPath+"/receivers", request{params: params}).is(200)
		a.call("DELETE "+sandboxPath+"/receivers/{receiver}", request{params: params}).is(204)
		if got := <-done; got.status == http.StatusConflict {
			return
		}
	}
	a.Fatal("the waiting call was never there first")
}

func doctorJourney(a *api) {
	const pattern = "POST /_mocksrv/v1/doctor"
	examine := func(body string) client.DoctorReport {
		return decode[client.DoctorReport](a.call(pattern, request{body: body}).is(200))
	}
	require.True(a, examine(`{"url":"`+customer(a.T, 200)+`"}`).Reachable)
	require.True(a, examine(`{"url":"`+customer(a.T, 500)+`","no_request":true,"timeout":"1s"}`).Reachable)
	require.Equal(a, "server_error", examine(`{"url":"`+customer(a.T, 500)+`"}`).Cause)
	require.Equal(a, "mocksrv_itself", examine(`{"url":"`+a.srv.URL()+`/hsrcpay/v1/webhooks/"}`).Cause)
	require.Equal(a, "metadata_address", examine(`{"url":"http://169.254.169.254/"}`).Cause)
	for field, body := range map[string]string{
		"url": `{"timeout":"1s"}`, "timeout": `{"url":"http://127.0.0.1","timeout":"soon"}`, "target": `{"target":"http://127.0.0.1"}`,
	} {
		require.Equal(a, field, a.call(pattern, request{body: body, wrong: true}).is(422).problem().Errors[0].Field)
	}
}

func limitJourney(a *api) {
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"many"}`}).is(201)
	for i := range receiver.DefaultLimit {
		a.call("POST "+sandboxPath+"/receivers", request{params: in("many"), body: fmt.Sprintf(`{"name":"r%d"}`, i)}).is(201)
	}
	a.call("POST "+sandboxPath+"/receivers", request{params: in("many"), body: `{"name":"one-more"}`}).is(429)
	small := *a
	small.srv = mocksrv.RunT(a, func(o *mocksrv.Options) { o.MaxSandboxes = 1 })
	small.call("POST /_mocksrv/v1/sandboxes", request{}).is(429)
	full := *a
	full.srv = mocksrv.RunT(a, func(o *mocksrv.Options) { o.MaxSandboxRows = 120 })
	hooks := request{body: `{"title":"too many","webhooks":[{"sim":"hsrcpay","count":150}]}`}
	full.call("POST "+sandboxPath+"/scenarios", hooks).is(429)
	require.Empty(a, decode[client.Webhooks](full.call("GET "+sandboxPath+"/webhooks", request{}).is(200)).Webhooks)
}

// sharedRefusals provokes what is refused before the route itself is asked, and bodies that no route takes.
func sharedRefusals(a *api) {
	guarded := *a
	guarded.srv = mocksrv.RunT(a, func(o *mocksrv.Options) { o.ControlToken = "secret" })
	for pattern, op := range a.ops {
		statuses := documentedStatuses(op)
		params := in("default", "id", "x", "receiver", "shared")
		a.call(pattern, request{params: params, host: "evil.example", wrong: true}).is(403)
		a.call(pattern, request{params: params, query: "nonsense=1", wrong: true}).is(422)
		require.Equal(a, slices.Contains(statuses, "401"), op.Security == nil, "%s", pattern)
		if slices.Contains(statuses, "401") {
			guarded.call(pattern, request{params: params, wrong: true}).is(401)
		}
		if strings.Contains(pattern, "{sandbox}") {
			elsewhere := in("no-such", "id", "x", "receiver", "shared")
			require.Equal(a, "no such sandbox", a.call(pattern, request{params: elsewhere, wrong: true}).is(404).problem().Title)
		}
		require.Equal(a, op.RequestBody != nil, slices.Contains(statuses, "400"), "%s", pattern)
		require.Equal(a, op.RequestBody != nil, slices.Contains(statuses, "413"), "%s", pattern)
	}
	a.call("POST "+sandboxPath+"/receivers", request{body: `{"name":"shared"}`}).is(201)
	for pattern, op := range a.ops {
		params := in("default", "id", "x", "receiver", "shared")
		if op.RequestBody != nil {
			a.call(pattern, request{params: params, body: "{", wrong: true}).is(400)
			a.call(pattern, request{params: params, stream: io.LimitReader(spaces{}, control.MaxBody+1), wrong: true}).is(413)
		}
	}
}

// spaces never end.
type spaces struct{}

var manySpaces = strings.Repeat(" ", 1<<20) //nolint:gochecknoglobals // a constant

func (spaces) Read(p []byte) (int, error) {
	return copy(p, manySpaces), nil
}
