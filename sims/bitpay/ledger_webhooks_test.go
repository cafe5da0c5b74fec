package bitpay_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func webhookTests() ledgerTests {
	return ledgerTests{
		"webhook-format":       webhookFormat,
		"no-webhooks-at-start": noWebhooksAtStart,
		"public-key":           publicKeyOfAll,
		"status-values":        statusValues,
		"status-alias":         statusAlias,
		"status-echo":          statusEcho,
		"status-optional":      statusOptional,
		"update-effect":        updateEffect,
		"duplicate":            duplicate,
		"duplicate-window":     duplicateWindow,
		"several-webhooks":     severalWebhooks,
		"deleted-webhook":      deletedWebhook,
		"delete-result":        deleteResult,
		"list-array":           listArray,
		"list-without-status":  listWithoutStatus,
	}
}

func webhookFormat(w *simtest.World) {
	reply := post(w, object{"url": "https://localhost/callback?a=1&b=<2>", "eventType": "ORDER_WEBHOOK"})
	require.Regexp(w.T, `^[0-9a-f]{32}$`, idOf(reply))
	reply.Is(200, shown(w, idOf(reply), "ORDER_WEBHOOK", "https://localhost/callback?a=1&b=<2>", 10))
	require.Len(w.T, neutral(w), 1)
	require.Equal(w.T, idOf(reply), neutral(w)[0].ID)
}

// neutral lists the webhooks in the shape of the control API.
func neutral(w *simtest.World) []sims.Webhook {
	var all []sims.Webhook
	require.NoError(w.T, w.Sandbox.View(func(tx sims.Tx) error {
		all = w.Provider.Webhooks(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
	return all
}

func noWebhooksAtStart(w *simtest.World) {
	list(w, "").Is(200, emptyList)
	put(w, unknownID, object{"url": "https://localhost/callback", "status": 1}).Is(400, invalid("webhookId"))
	require.Empty(w.T, neutral(w))
}

func publicKeyOfAll(w *simtest.World) {
	create(w, "ORDER_WEBHOOK", "http://a.test")
	create(w, "FUNDING_WEBHOOK", "http://b.test")
	reply := list(w, "")
	shown := fmt.Sprint(reply.Get("data.0.publicKey"))
	require.Equal(w.T, shown, reply.Get("data.1.publicKey"))
	der, err := base64.StdEncoding.DecodeString(shown)
	require.NoError(w.T, err)
	parsed, err := x509.ParsePKIXPublicKey(der)
	require.NoError(w.T, err)
	key, ok := parsed.(*rsa.PublicKey)
	require.True(w.T, ok)
	require.Equal(w.T, 2048, key.N.BitLen())
	require.NotContains(w.T, shown, "p/6GRTIrl+kQb9u27cGzXcqXbx6uA9PHQ3wGFgeBVEq0YpJxOSWp", "the documented key")
}

func statusValues(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	for _, step := range []struct {
		do     func()
		status int
		state  string
	}{
		{func() {}, 10, sims.Active},
		{func() { put(w, id, object{"url": "http://a.test", "status": 20}).OK() }, 20, sims.Disabled},
		{func() { put(w, id, object{"url": "http://a.test", "status": 10}).OK() }, 10, sims.Active},
		{func() { remove(w, id).OK() }, 30, sims.Deleted},
	} {
		step.do()
		list(w, "").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://a.test", step.status)+`]}`)
		require.Equal(w.T, step.state, neutral(w)[0].State)
	}
}

func statusAlias(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	put(w, id, object{"url": "http://a.test", "status": 20}).OK()
	put(w, id, object{"url": "http://a.test", "status": 1}).OK()
	list(w, "10").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://a.test", 10)+`]}`)
}

func statusEcho(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	one := object{"url": "http://a.test", "status": 1}
	put(w, id, one).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", 1))
	require.EqualValues(w.T, 10, list(w, "").Get("data.0.status"))
	put(w, id, object{"url": "http://a.test", "status": 20}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", 20))
	w.SetPolicy("status_echo", "canonical")
	put(w, id, one).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", 10))
	put(w, id, object{"url": "http://a.test", "status": 20}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://a.test", 20))
}

func statusOptional(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	put(w, id, object{"url": "http://b.test"}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://b.test", 10))
	put(w, id, object{"url": "http://b.test", "status": 20}).OK()
	put(w, id, object{"url": "http://c.test"}).Is(200, shown(w, id, "ORDER_WEBHOOK", "http://c.test", 20))
	require.Equal(w.T, []string{id}, ids(w, "20"))
}

func updateEffect(w *simtest.World) {
	id := create(w, "FUNDING_WEBHOOK", "http://a.test")
	w.SetNow(simtest.Start().Add(time.Hour))
	for range 3 {
		for _, status := range []int{20, 20, 10, 10} {
			put(w, id, object{"url": "http://b.test", "status": status}).Is(200, shown(w, id, "FUNDING_WEBHOOK", "http://b.test", status))
		}
	}
	list(w, "").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "FUNDING_WEBHOOK", "http://b.test", 10)+`]}`)
	require.Equal(w.T, simtest.Start(), neutral(w)[0].CreatedAt)
	require.Equal(w.T, simtest.Start().Add(time.Hour), neutral(w)[0].UpdatedAt)
}

func duplicate(w *simtest.World) {
	create(w, "ORDER_WEBHOOK", "http://a.test")
	again := object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}
	before := w.Dump()
	post(w, again).Refused(400, "duplicate").Is(400, repeated)
	require.Equal(w.T, before, w.Dump())
	create(w, "ORDER_WEBHOOK", "http://a.test/")
	create(w, "FUNDING_WEBHOOK", "http://a.test")
	w.SetPolicy("duplicate_check", false)
	post(w, again).OK()
	require.Len(w.T, ids(w, "10"), 4)
	w.SetPolicy("duplicate_check", true)
	post(w, again).Is(400, repeated)
}

func duplicateWindow(w *simtest.World) {
	again := object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	w.SetNow(simtest.Start().Add(3 * time.Second))
	post(w, again).Is(400, repeated)
	put(w, id, object{"url": "http://moved.test"}).OK()
	post(w, again).Is(400, repeated)
	remove(w, id).OK()
	w.SetNow(simtest.Start().Add(5*time.Second - time.Nanosecond))
	post(w, again).Is(400, repeated)
	w.SetNow(simtest.Start().Add(5 * time.Second))
	post(w, again).OK()
	w.SetNow(simtest.Start().Add(9 * time.Second))
	post(w, again).Is(400, repeated)
	w.SetPolicy("duplicate_window", "4s")
	post(w, again).OK()
	w.Sandbox.Clock.Set(clock.Setting{Mode: clock.Frozen, Now: simtest.Start().Add(9 * time.Second), Edge: clock.WorldEdge, Skew: time.Hour})
	post(w, again).Is(400, repeated)
	w.SetNow(simtest.Start())
	post(w, again).OK() // the clock was set back: that request lies ahead
	submitsForgotten(simtest.New(w.T, w.Provider.Sim))
}

// submitsForgotten: requests whose window is over do not stay for ever.
func submitsForgotten(w *simtest.World) {
	for n := range 20 {
		w.SetNow(simtest.Start().Add(time.Duration(n) * 2 * time.Second))
		create(w, "ORDER_WEBHOOK", fmt.Sprintf("http://a.test/%d", n))
		if n > 5 {
			create(w, "FUNDING_WEBHOOK", "http://a.test") // one that comes again moves to the end
			w.SetPolicy("duplicate_window", "1s")
		}
	}
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	require.LessOrEqual(w.T, len(state.Tables["bitpay/submits"]), 2)
}

func severalWebhooks(w *simtest.World) {
	var made []string
	for n := range 30 {
		w.SetNow(simtest.Start().Add(time.Duration(n) * 5 * time.Second))
		made = append(made, create(w, "ORDER_WEBHOOK", "http://a.test"))
	}
	require.Equal(w.T, made, ids(w, "10"))
}

func deletedWebhook(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	remove(w, id).OK()
	before := w.Dump()
	remove(w, id).Refused(400, "deleted-webhook").Is(400, invalid("webhookId"))
	put(w, id, object{"url": "http://b.test", "status": 10}).Refused(400, "deleted-webhook").Is(400, invalid("webhookId"))
	require.Equal(w.T, before, w.Dump())
}

func deleteResult(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	w.Call("deleteWebhook", simtest.Request{Params: map[string]string{"webhookId": id}, Body: "{not json"}).Is(200, deleted)
	list(w, "30").Is(200, `{"code":200,"msg":"SUCCESS","data":[`+item(w, id, "ORDER_WEBHOOK", "http://a.test", 30)+`]}`)
}

func listArray(w *simtest.World) {
	list(w, "").Is(200, emptyList)
	var made []string
	for n := range 120 {
		made = append(made, create(w, "ORDER_WEBHOOK", fmt.Sprintf("http://a.test/%d", n)))
	}
	require.Equal(w.T, made, ids(w, ""))
	put(w, made[3], object{"url": "http://b.test", "status": 20}).OK()
	put(w, made[3], object{"url": "http://b.test", "status": 10}).OK()
	require.Equal(w.T, made, ids(w, "10"), "a webhook that comes back keeps its place")
	list(w, "20").Is(200, emptyList)
}

func listWithoutStatus(w *simtest.World) {
	active, disabled, gone := create(w, "ORDER_WEBHOOK", "http://a.test"), create(w, "ORDER_WEBHOOK", "http://b.test"), create(w, "ORDER_WEBHOOK", "http://c.test")
	put(w, disabled, object{"url": "http://b.test", "status": 20}).OK()
	remove(w, gone).OK()
	require.Equal(w.T, []string{active, disabled, gone}, ids(w, ""))
	w.SetPolicy("list_without_status", "not_deleted")
	require.Equal(w.T, []string{active, disabled}, ids(w, ""))
	require.Equal(w.T, []string{gone}, ids(w, "30"))
}
