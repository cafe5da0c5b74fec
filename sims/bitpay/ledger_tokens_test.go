package bitpay_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func tokenTests() ledgerTests {
	return ledgerTests{
		"credentials":         credentials,
		"api-key-format":      apiKeyFormat,
		"api-key-unknown":     apiKeyUnknown,
		"ip-whitelist":        ipWhitelist,
		"api-access":          apiAccess,
		"token-signature":     tokenSignature,
		"mandatory-parameter": mandatoryParameter,
		"window":              window,
		"window-future":       windowFuture,
		"token-check-order":   tokenCheckOrder,
		"token-replay":        tokenReplay,
		"token-format":        tokenFormat,
		"token-ttl":           tokenTTL,
		"token-several":       tokenSeveral,
	}
}

func credentials(w *simtest.World) {
	id := create(w, "ORDER_WEBHOOK", "http://a.test")
	before := w.Dump()
	good := w.Credentials["token"]
	for _, bad := range []string{"", "x", strings.ToUpper(good), good + " x", w.Credentials["api_key"]} {
		for _, operation := range []string{"createWebhook", "listWebhooks", "updateWebhook", "deleteWebhook"} {
			w.Call(operation, simtest.Request{
				Params: map[string]string{"webhookId": id}, Body: object{"eventType": "ORDER_WEBHOOK", "url": "http://b.test"},
				Tamper: func(r *http.Request) { setOrDelete(r.Header, "X-Bh-Token", bad) },
			}).Refused(401, "credentials").Is(401, unauthorized)
		}
	}
	w.Call("listWebhooks", simtest.Request{Anonymous: true, Header: map[string]string{"Authorization": "Bearer " + good}}).Is(401, unauthorized)
	require.Equal(w.T, before, w.Dump())
}

func withKey(w *simtest.World, key string) *simtest.Reply {
	w.T.Helper()
	return w.Call("generateToken", simtest.Request{Tamper: func(r *http.Request) { setOrDelete(r.Header, "X-Bh-Apikey", key) }})
}

func apiKeyFormat(w *simtest.World) {
	for _, bad := range []string{"", "short", strings.Repeat("a", 15), strings.Repeat("a", 129), strings.Repeat("a", 16) + ".", "ümlaut-ümlaut-ümlaut"} {
		withKey(w, bad).Refused(401, "api-key-format").Is(401, keyFormat)
	}
	for _, formed := range []string{strings.Repeat("a", 16), strings.Repeat("Z", 128), "abc-DEF_0123456789"} {
		withKey(w, formed).Refused(401, "api-key-unknown")
	}
}

func apiKeyUnknown(w *simtest.World) {
	for _, bad := range []string{strings.Repeat("0", 64), strings.ToUpper(w.Credentials["api_key"]), w.Credentials["token"]} {
		withKey(w, bad).Refused(401, "api-key-unknown").Is(401, keyUnknown)
	}
	withKey(w, w.Credentials["api_key"]).OK()
}

func ipWhitelist(w *simtest.World) {
	for _, address := range []string{"127.0.0.1:1", "203.0.113.9:4711", "[2001:db8::1]:80"} {
		from := func(r *http.Request) { r.RemoteAddr = address; r.Header.Set("X-Forwarded-For", address) }
		w.Call("generateToken", simtest.Request{Tamper: from}).OK()
		w.Call("listWebhooks", simtest.Request{Tamper: from}).OK()
	}
	rendered := w.Provider.Fail(&sims.Call{}, sims.Failure{Code: "-2015", Status: 401, Message: "Invalid API-key, IP, or permissions for action."})
	require.Equal(w.T, keyUnknown, encode(w, rendered.Body))
}

func apiAccess(w *simtest.World) {
	token := fmt.Sprint(w.Call("generateToken", simtest.Request{}).OK().Get("data.token"))
	listWith(w, token).Is(200, emptyList)
	rendered := w.Provider.Fail(&sims.Call{}, sims.Failure{Code: "-5033", Status: 401, Message: "Not an API user; contact customer service"})
	require.Equal(w.T, `{"code":-5033,"msg":"Not an API user; contact customer service"}`, encode(w, rendered.Body))
}

func tokenSignature(w *simtest.World) {
	now := strconv.FormatInt(simtest.Start().UnixMilli(), 10)
	good := signed(w, now)
	generate(w, now, good).OK()
	generate(w, now, strings.ToUpper(good)).OK()
	generate(w, "0"+now, signed(w, "0"+now)).OK()
	for _, bad := range []string{good[:63], good + "0", strings.Repeat("0", 64), "x", "+" + good, signed(w, "0"+now), " " + good} {
		generate(w, now, bad).Refused(400, "token-signature").Is(400, signature)
	}
	generate(w, "0"+now, good).Is(400, signature)
}

func mandatoryParameter(w *simtest.World) {
	now := strconv.FormatInt(simtest.Start().UnixMilli(), 10)
	for _, bad := range []string{"-", "", "x", "0", "-1", "1.5", now + "x", "99999999999999999999"} {
		timestamp := bad
		generate(w, timestamp, signed(w, timestamp)).Refused(400, "mandatory-parameter").Is(400, mandatory("timestamp"))
	}
	for _, bad := range []string{"-", "", strings.Repeat("a", 257)} {
		generate(w, now, bad).Refused(400, "mandatory-parameter").Is(400, mandatory("signature"))
	}
	generate(w, "-", "-").Refused(400, "mandatory-parameter").Is(400, mandatory("timestamp"))
	generate(w, "", "").Refused(400, "mandatory-parameter").Is(400, mandatory("timestamp"))
}

func window(w *simtest.World) {
	generateAt(w, simtest.Start().Add(-5*time.Second)).OK()
	generateAt(w, simtest.Start().Add(-5*time.Second-time.Millisecond)).Refused(400, "window").Is(400, outside)
	w.SetPolicy("recv_window", "1m")
	generateAt(w, simtest.Start().Add(-time.Minute)).OK()
	generateAt(w, simtest.Start().Add(-time.Minute-time.Millisecond)).Is(400, outside)
	w.SetPolicy("recv_window", "0s")
	generateAt(w, simtest.Start()).OK()
	generateAt(w, simtest.Start().Add(-time.Millisecond)).Is(400, outside)
	edge := simtest.Start().Add(24 * time.Hour)
	w.Sandbox.Clock.Set(clock.Setting{Mode: clock.Frozen, Now: simtest.Start(), Edge: clock.WorldEdge, Skew: 24 * time.Hour})
	generateAt(w, simtest.Start()).Is(400, outside)
	generateAt(w, edge).OK()
}

func windowFuture(w *simtest.World) {
	generateAt(w, simtest.Start().Add(999*time.Millisecond)).OK()
	generateAt(w, simtest.Start().Add(time.Second)).Refused(400, "window-future").Is(400, ahead)
	generate(w, "9223372036854775807", signed(w, "9223372036854775807")).Is(400, ahead)
}

func tokenCheckOrder(w *simtest.World) {
	bad := func(query, key string) *simtest.Reply {
		return w.Call("generateToken", simtest.Request{Tamper: func(r *http.Request) {
			r.URL.RawQuery = query
			setOrDelete(r.Header, "X-Bh-Apikey", key)
		}})
	}
	key := w.Credentials["api_key"]
	bad("", "").Is(401, keyFormat)
	bad("", strings.Repeat("0", 64)).Is(401, keyUnknown)
	bad("timestamp=1", key).Refused(400, "mandatory-parameter").Is(400, mandatory("signature"))
	bad("timestamp=1&signature=x", key).Is(400, outside)
	bad(fmt.Sprintf("timestamp=%d&signature=x", simtest.Start().UnixMilli()), key).Is(400, signature)
}

func tokenReplay(w *simtest.World) {
	first, second := generateAt(w, simtest.Start()).OK(), generateAt(w, simtest.Start()).OK()
	require.NotEqual(w.T, first.Get("data.token"), second.Get("data.token"))
	w.SetNow(simtest.Start().Add(5 * time.Second))
	generateAt(w, simtest.Start()).OK()
	w.SetNow(simtest.Start().Add(5*time.Second + time.Millisecond))
	generateAt(w, simtest.Start()).Is(400, outside)
}

func tokenFormat(w *simtest.World) {
	reply := generateAt(w, simtest.Start()).OK()
	token := fmt.Sprint(reply.Get("data.token"))
	require.Regexp(w.T, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, token)
	end := simtest.Start().Add(24 * time.Hour).UnixMilli()
	reply.Is(200, fmt.Sprintf(`{"code":200,"msg":"SUCCESS","data":{"token":"%s","expireTime":"%d"}}`, token, end))
}

func tokenTTL(w *simtest.World) {
	for _, ttl := range []time.Duration{24 * time.Hour, time.Minute} {
		w.SetNow(simtest.Start())
		w.SetPolicy("token_ttl", ttl.String())
		token := fmt.Sprint(generateAt(w, simtest.Start()).OK().Get("data.token"))
		listWith(w, token).Is(200, emptyList)
		w.SetNow(simtest.Start().Add(ttl - time.Millisecond))
		listWith(w, token).Is(200, emptyList)
		w.SetNow(simtest.Start().Add(ttl))
		listWith(w, token).Refused(401, "credentials").Is(401, unauthorized)
	}
	w.SetNow(simtest.Start().AddDate(50, 0, 0))
	listWith(w, w.Credentials["token"]).Is(200, emptyList)
}

func tokenSeveral(w *simtest.World) {
	first := fmt.Sprint(generateAt(w, simtest.Start()).OK().Get("data.token"))
	w.SetNow(simtest.Start().Add(time.Hour))
	second := fmt.Sprint(generateAt(w, simtest.Start().Add(time.Hour)).OK().Get("data.token"))
	listWith(w, first).Is(200, emptyList)
	w.SetNow(simtest.Start().Add(24 * time.Hour))
	listWith(w, first).Is(401, unauthorized)
	listWith(w, second).Is(200, emptyList)
	listWith(w, w.Credentials["token"]).Is(200, emptyList)
	tokensForgotten(w)
}

// tokensForgotten: tokens that have expired do not stay for ever, nor do their claims.
func tokensForgotten(w *simtest.World) {
	w.SetNow(simtest.Start().Add(72 * time.Hour))
	for range 3 {
		generateAt(w, simtest.Start().Add(72*time.Hour)).OK()
	}
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	require.Len(w.T, state.Tables["bitpay/tokens"], 1+3, "the ready-made one and the new ones")
	require.Len(w.T, state.Claims, 2+3)
	listWith(w, w.Credentials["token"]).Is(200, emptyList)
}
