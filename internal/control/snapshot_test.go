package control_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
)

const hookID = "123e4567-e89b-12d3-a456-426614174000"

// original makes a sandbox with a webhook and a delivery that waits for its retry, and returns its snapshot.
func original(a *api) string {
	a.Helper()
	params := in("original")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"original","seed":7,"clock":"2026-01-08T10:30:00Z"}`}).is(201)
	subscribe(a.T, a.srv, a.sandbox("original").Sims["signedsub"], customer(a.T, 500))
	a.call("POST "+sandboxPath+"/events", request{params: params, body: `{"sim":"signedsub","type":"INVOICE_PAID"}`}).is(202)
	a.call("POST "+sandboxPath+"/clock/advance", request{params: params, body: `{"by":"0s"}`}).is(200)
	return a.snapshot("original")
}

func (a *api) snapshot(sandbox string) string {
	a.Helper()
	return string(a.call("GET "+sandboxPath+"/snapshot", request{params: in(sandbox)}).is(200).body)
}

// whose calls a provider without a word about the sandbox, and says which sandbox that led to.
func whose(a *api, credentials map[string]string, sandboxes ...string) string {
	a.Helper()
	count := func(sandbox string) int {
		journal := a.call("GET "+sandboxPath+"/journal", request{params: in(sandbox)}).is(200)
		return len(decode[client.Journal](journal).Exchanges)
	}
	before := map[string]int{}
	for _, name := range sandboxes {
		before[name] = count(name)
	}
	req := authorized(a.T, provider(a.T, "hsrcpay"), http.MethodGet, a.srv.URL()+"/hsrcpay/v1/webhooks/", "", credentials)
	resp, err := a.srv.Client().Do(req)
	require.NoError(a, err)
	received(a.T, resp)
	for _, name := range sandboxes {
		if count(name) > before[name] {
			return name
		}
	}
	return ""
}

func TestASnapshotRestoredElsewhereTakesTheCredentialsAlong(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	snapshot := original(a)
	first := a.sandbox("original")
	a.call("POST /_mocksrv/v1/sandboxes", request{body: `{"name":"copy","seed":8}`}).is(201)
	own := a.sandbox("copy").Sims["hsrcpay"].Credentials
	sandboxes := []string{"original", "copy", "default"}
	require.Equal(t, "original", whose(a, first.Sims["hsrcpay"].Credentials, sandboxes...))
	require.Equal(t, "copy", whose(a, own, sandboxes...))

	restored := decode[client.Sandbox](a.call("PUT "+sandboxPath+"/snapshot", request{params: in("copy"), body: snapshot}).is(200))
	require.Equal(t, "copy", restored.Name)
	require.Equal(t, []any{first.Seed, first.Clock}, []any{restored.Seed, restored.Clock})
	for name, sim := range first.Sims {
		require.Equal(t, sim.Credentials, restored.Sims[name].Credentials)
	}
	require.Equal(t, snapshot, a.snapshot("copy"))
	require.Equal(t, "copy", whose(a, restored.Sims["hsrcpay"].Credentials, sandboxes...), "the restored one has claimed them")
	require.NotEqual(t, "copy", whose(a, own, sandboxes...), "what it had before is no credential of it any more")

	fired := decode[client.Advanced](a.call("POST "+sandboxPath+"/clock/advance", request{params: in("copy"), body: `{"by":"1m"}`}).is(200)).Fired
	require.NotEmpty(t, fired, "what waited is taken up")
	a.call("DELETE "+sandboxPath, request{params: in("original")}).is(204)
	require.Equal(t, "copy", whose(a, restored.Sims["hsrcpay"].Credentials, "copy", "default"), "they outlive the original")
}

func TestADiffSaysWhatChangedByReadablePaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	original(a)
	sim := a.sandbox("original").Sims["signedsub"]
	diff := func(before string) []client.Change {
		got := a.call("POST "+sandboxPath+"/snapshot/diff", request{params: in("original"), body: before}).is(200)
		return decode[client.SnapshotDiff](got).Changes
	}
	paths := func(changes []client.Change) []string {
		out := make([]string, len(changes))
		for i, c := range changes {
			out[i] = c.Path
		}
		return out
	}

	before := a.snapshot("original")
	const another = "123e4567-e89b-12d3-a456-426614174001"
	subscribeAs(t, a.srv, sim, another, customer(t, 200))
	added := diff(before)
	i := slices.Index(paths(added), "/state/tables/signedsub/subscriptions/"+another)
	require.GreaterOrEqual(t, i, 0, "%v", paths(added))
	require.Nil(t, added[i].Before)
	row, ok := added[i].After.(map[string]any)
	require.True(t, ok)
	require.Equal(t, another, row["request_id"])

	before = a.snapshot("original")
	a.call("PATCH "+sandboxPath, request{params: in("original"), body: `{"policies":{"signedsub.block_limit":5}}`}).is(200)
	require.Equal(t, []client.Change{{Path: "/policies/signedsub.block_limit", After: 5.0}}, diff(before))

	before = a.snapshot("original")
	a.call("POST "+sandboxPath+"/clock/advance", request{params: in("original"), body: `{"by":"1m"}`}).is(200)
	changed := diff(before)
	require.Equal(t, client.Change{Path: "/clock/now", Before: "2026-01-08T10:30:00Z", After: "2026-01-08T10:31:00Z"}, changed[0])
	require.True(t, slices.IsSorted(paths(changed)))
	require.True(t, slices.ContainsFunc(changed, func(c client.Change) bool {
		return strings.HasPrefix(c.Path, "/state/tables/deliveries/dlv_") && strings.HasSuffix(c.Path, "/attempts")
	}), "%v", paths(changed))
	require.True(t, slices.ContainsFunc(changed, func(c client.Change) bool {
		return strings.HasPrefix(c.Path, "/state/tables/signedsub/") && strings.Contains(c.Path, "/"+hookID+"/")
	}), "%v", paths(changed))
	require.Equal(t, changed, diff(before), "asking changes nothing")
}

//nolint:tparallel // each looks whether it has changed anything
func TestBrokenSnapshotsChangeNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	good := original(a)
	change := func(from, to string) string {
		t.Helper()
		require.Contains(t, good, from)
		return strings.Replace(good, from, to, 1)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"cut off":                  {good[:len(good)/2], 400, "not valid JSON"},
		"empty":                    {"", 422, "a snapshot is needed"},
		"an object":                {"{}", 422, "a snapshot is needed"},
		"another version":          {change(`"version":1`, `"version":2`), 422, "it has version 2, this server reads version 1"},
		"an unknown member":        {change(`"version":1`, `"version":1,"extra":1`), 422, `there is no member "extra"`},
		"an instant that is none":  {change(`"now":"2026-01-08T10:30:00Z"`, `"now":"yesterday"`), 422, `clock.now "yesterday" is no RFC 3339 instant`},
		"a mode that is none":      {change(`"mode":"frozen"`, `"mode":"melted"`), 422, `clock.mode "melted"`},
		"a skew that is none":      {change(`"skew":"0s"`, `"skew":"much"`), 422, `clock.skew "much" is no duration`},
		"an unknown policy":        {change(`"policies":{}`, `"policies":{"signedsub.nothing":1}`), 422, "unknown policy"},
		"a policy's wrong value":   {change(`"policies":{}`, `"policies":{"signedsub.block_limit":"many"}`), 422, "signedsub.block_limit"},
		"tables that are none":     {change(`"tables":{`, `"tables":7,"x":{`), 422, "state.tables"},
		"a row that cannot be one": {change(`"signedsub/subscriptions":[`, `"signedsub/subscriptions":[{"id":"x","value":"text"},`), 422, "the snapshot cannot be restored"},
		"a row that is there twice": {
			change(`"signedsub/subscriptions":[`, `"signedsub/subscriptions":[{"id":"`+hookID+`","value":{}},`), 422, `has the row "` + hookID + `" twice`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := a.with(t)
			p := a.call("PUT "+sandboxPath+"/snapshot", request{params: in("original"), body: c.body, wrong: true}).is(c.status).problem()
			require.Contains(t, p.Detail, c.says)
			require.Equal(t, good, a.snapshot("original"))
			fired := a.call("GET "+sandboxPath+"/deliveries", request{params: in("original"), query: "state=pending"}).is(200)
			require.Len(t, decode[client.Deliveries](fired).Deliveries, 1, "what waited still waits")
		})
	}
}

func TestSnapshotsThatAreTooLargeAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(o *mocksrv.Options) { o.MaxSandboxBytes = 1 << 20 })
	good := original(a)
	large := func() io.Reader { // a good one, but for its size
		return io.MultiReader(strings.NewReader(good), io.LimitReader(spaces{}, control.MaxBody))
	}
	for _, route := range []string{"PUT " + sandboxPath + "/snapshot", "POST " + sandboxPath + "/snapshot/diff"} {
		p := a.call(route, request{params: in("original"), stream: large(), wrong: true}).is(http.StatusRequestEntityTooLarge).problem()
		require.Equal(t, "a body has at most 33554432 bytes", p.Detail)
	}
	require.Equal(t, good, a.snapshot("original"))
}
