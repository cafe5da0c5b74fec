package bankly_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func deliveryTests() ledgerTests {
	return ledgerTests{
		"delivery-request":         deliveryRequest,
		"delivery-headers":         deliveryHeaders,
		"delivery-signature":       deliverySignature,
		"delivery-idempotency-key": deliveryIdempotencyKey,
		"delivery-matching":        deliveryMatching,
		"delivery-disabled":        deliveryDisabled,
		"delivery-disabled-events": deliveryDisabledEvents,
		"delivery-order":           deliveryOrder,
		"delivery-bind":            deliveryBind,
		"delivery-resign":          deliveryResign,
	}
}

func deliveryRequest(w *simtest.World) {
	receiver := w.Receive(nil)
	made(w, "uri", receiver.URL+"?tenant=1")
	w.Emit(simtest.Event{Type: tedIn})
	request := receiver.Requests()[0]
	require.Equal(w.T, http.MethodPost, request.Method)
	require.Equal(w.T, "application/json", request.Header.Get("Content-Type"))
	require.Equal(w.T, receiver.URL+"?tenant=1", w.Deliveries()[0].URL)
}

func deliveryHeaders(w *simtest.World) {
	receiver := w.Receive(failing(1))
	made(w, "uri", receiver.URL, "publicKey", "a public key")
	w.Emit(simtest.Event{Type: tedIn})
	setting := w.Sandbox.Clock.Setting()
	setting.Skew = time.Hour
	w.Sandbox.Clock.Set(setting)
	w.Advance(time.Minute)
	for i, request := range receiver.Requests() {
		for _, name := range []string{"authorization", "publicKey", "nonce", "requestTimestamp", "idempotency-Key"} {
			require.Contains(w.T, request.RawHeader, name)
		}
		require.Regexp(w.T, `^hmac [A-Za-z0-9+/]{43}=$`, request.RawHeader["authorization"])
		require.Equal(w.T, "a public key", request.RawHeader["publicKey"])
		nonce, err := hex.DecodeString(request.RawHeader["nonce"])
		require.NoError(w.T, err)
		require.Len(w.T, nonce, 16)
		edge := simtest.Start().Add([]time.Duration{0, time.Hour + time.Minute}[i])
		require.Equal(w.T, strconv.FormatInt(edge.Unix(), 10), request.RawHeader["requestTimestamp"])
	}
	require.NotEqual(w.T, receiver.Requests()[0].RawHeader["nonce"], receiver.Requests()[1].RawHeader["nonce"])
	require.Equal(w.T, clock.WorldEdge, setting.Edge)
}

func deliverySignature(w *simtest.World) {
	receiver := w.Receive(failing(3))
	uri := receiver.URL + "/Caminho/~user/a%20b?x=1&Y=á(*)!'"
	id := made(w, "uri", uri, "privateKey", "V2ViaG9vayBBY2Vzc29CYW5rbHk=", "publicKey", "A&B")
	w.Emit(simtest.Event{Type: tedIn})
	requireSigned(w, receiver.Requests()[0], uri, "V2ViaG9vayBBY2Vzc29CYW5rbHk=")
	change(w, id, object{"privateKey": "çhave", "publicKey": "C"}).OK()
	w.Advance(time.Minute)
	requireSigned(w, receiver.Requests()[1], uri, "çhave")
	signature := w.Deliveries()[0].Attempts[1].Signature
	require.Equal(w.T, receiver.Requests()[1].RawHeader["authorization"], signature.Value)
	require.Equal(w.T, "hmac "+hmacSHA256("çhave", signature.StringToSign), signature.Value)
	w.SetPolicy("signature_string", "plain_hash")
	w.Advance(5 * time.Minute)
	h := receiver.Requests()[2].RawHeader
	plain := strings.Join([]string{"C", uri, h["requestTimestamp"], h["nonce"], base64.StdEncoding.EncodeToString(receiver.Requests()[2].Body)}, "#")
	require.Equal(w.T, "hmac "+hmacSHA256("çhave", plain), h["authorization"])
}

func deliveryIdempotencyKey(w *simtest.World) {
	w.SetPolicy("unique_by", "none")
	receiver := w.Receive(failing(2))
	made(w, "uri", receiver.URL)
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	w.Idle()
	w.Emit(simtest.Event{Type: tedIn})
	seen := map[string]int{}
	for _, request := range receiver.Requests() {
		key := request.RawHeader["idempotency-Key"]
		require.Contains(w.T, string(request.Body), `"idempotencyKey":"`+key+`"`)
		seen[key]++
	}
	require.Len(w.T, seen, 4, "two events, two configurations: %v", seen)
	keys := members(listed(w, search, days()), "idempotencyKey")
	for _, key := range texts(keys) {
		require.Contains(w.T, seen, key)
	}
	again(w, fmt.Sprint(keys[0])).OK()
	w.Advance(0)
	requests := receiver.Requests()
	require.Equal(w.T, keys[0], requests[len(requests)-1].RawHeader["idempotency-Key"])
}

func deliveryMatching(w *simtest.World) {
	w.SetPolicy("unique_by", "none")
	first, second, others := w.Receive(nil), w.Receive(nil), w.Receive(nil)
	made(w, "uri", first.URL)
	made(w, "uri", others.URL, "eventName", "TED_CASH_IN_WAS_RECEIVED")
	made(w, "uri", others.URL, "context", "Pix")
	made(w, "uri", second.URL)
	require.Len(w.T, w.Emit(simtest.Event{Type: tedIn}), 2)
	require.Len(w.T, first.Requests(), 1)
	require.Len(w.T, second.Requests(), 1)
	require.Empty(w.T, others.Requests())
	require.Equal(w.T, []any{first.URL, second.URL}, members(listed(w, search, days()), "destination"))
}

func deliveryDisabled(w *simtest.World) {
	receiver := w.Receive(nil)
	id := made(w, "uri", receiver.URL)
	for _, policy := range []string{"drop", "hold"} {
		w.SetPolicy("disabled_events", policy)
		on(w, disable, id).OK()
		w.Emit(simtest.Event{Type: tedIn})
		w.Idle()
		require.Empty(w.T, receiver.Requests())
	}
	require.Equal(w.T, "disabled", neutral(w, id).State)
}

func deliveryDisabledEvents(w *simtest.World) {
	receiver := w.Receive(failing(1))
	id := made(w, "uri", receiver.URL)
	on(w, disable, id).OK()
	require.Empty(w.T, w.Emit(simtest.Event{Type: tedIn}))
	on(w, enable, id).OK()
	require.Empty(w.T, w.Idle())
	require.Empty(w.T, members(listed(w, search, days()), "state"))

	w.Emit(simtest.Event{Type: tedIn}) // fails once, and waits
	on(w, disable, id).OK()
	on(w, enable, id).OK()
	require.Empty(w.T, w.Idle(), "the new attempts are dropped")
	require.Equal(w.T, "Failed", found(w)["state"])
	again(w, keyOf(found(w))).OK()
	w.Idle()
	require.Equal(w.T, "Success", found(w)["state"])

	w.SetPolicy("disabled_events", "hold")
	later(w, time.Hour)
	on(w, disable, id).OK()
	w.Emit(simtest.Event{Type: tedIn})
	held := listed(w, search, days("state", "Hold"))
	require.EqualValues(w.T, 1, held.Get("meta.total"))
	require.NotContains(w.T, string(held.Body), "sentDate")
	for member, want := range map[string]any{"retryCount": 0.0, "elapsedEventCapture": "00:00:00", "elapsedHttpCall": "00:00:00", "destination": receiver.URL} {
		require.Equal(w.T, want, held.Get("data.0."+member))
	}
	require.Empty(w.T, w.Idle())
	again(w, fmt.Sprint(held.Get("data.0.idempotencyKey"))).Refused(422, "reprocess-refused")
	later(w, time.Hour)
	on(w, enable, id).OK()
	require.Len(w.T, w.Idle(), 1)
	sent := listed(w, search, days("state", "Success"))
	require.EqualValues(w.T, 2, sent.Get("meta.total"))
	require.Equal(w.T, "01:00:00", sent.Get("data.1.elapsedEventCapture"))
	require.Equal(w.T, "2026-01-08T12:30:00.25", sent.Get("data.1.sentDate"))

	failing := made(w, "uri", w.Receive(answering(500)).URL, "eventName", pixIn, "context", "Pix")
	w.Emit(simtest.Event{Type: pixIn})
	for _, change := range []string{disable, remove} { // one that was attempted is held alike, for good when it is deleted
		on(w, change, failing).OK()
		held = listed(w, search, days("eventName", pixIn))
		require.Equal(w.T, []any{"Hold"}, members(held, "state"))
		require.NotContains(w.T, string(held.Body), "sentDate")
	}
}

func deliveryOrder(w *simtest.World) {
	received, cleared := w.Receive(failing(1)), w.Receive(nil)
	made(w, "eventName", "TED_CASH_IN_WAS_RECEIVED", "uri", received.URL)
	made(w, "uri", cleared.URL)
	w.Emit(simtest.Event{Type: "TED_CASH_IN_WAS_RECEIVED"})
	require.Empty(w.T, cleared.Requests(), "no event fires by itself")
	w.Advance(time.Second)
	w.Emit(simtest.Event{Type: tedIn})
	require.Len(w.T, cleared.Requests(), 1, "another's retries do not hold it back")
	require.True(w.T, received.Requests()[0].At.Before(cleared.Requests()[0].At))
	w.Idle()
	require.Len(w.T, received.Requests(), 2)
}

func deliveryBind(w *simtest.World) {
	for policy, want := range map[string][2]int{"attempt": {1, 1}, "event": {2, 0}} {
		w.SetPolicy("bind", policy)
		old, fresh := w.Receive(failing(1)), w.Receive(nil)
		id := made(w, "uri", old.URL)
		w.Emit(simtest.Event{Type: tedIn})
		change(w, id, object{"uri": fresh.URL, "publicKey": "new"}).OK()
		w.Idle()
		require.Equal(w.T, want, [2]int{len(old.Requests()), len(fresh.Requests())}, policy)
		last := append(old.Requests(), fresh.Requests()...)[1]
		require.Equal(w.T, map[string]string{"attempt": "new", "event": "public"}[policy], last.RawHeader["publicKey"])
		on(w, remove, id).OK()
	}
}

func deliveryResign(w *simtest.World) {
	for _, resign := range []bool{true, false} {
		w.SetPolicy("resign", resign)
		receiver := w.Receive(failing(1))
		id := made(w, "uri", receiver.URL)
		w.Emit(simtest.Event{Type: tedIn})
		w.Idle()
		requests := receiver.Requests()
		require.Len(w.T, requests, 2)
		for _, name := range []string{"authorization", "nonce", "requestTimestamp"} {
			require.Equal(w.T, resign, requests[0].RawHeader[name] != requests[1].RawHeader[name], name)
		}
		require.Equal(w.T, requests[0].RawHeader["idempotency-Key"], requests[1].RawHeader["idempotency-Key"])
		on(w, remove, id).OK()
	}
}
