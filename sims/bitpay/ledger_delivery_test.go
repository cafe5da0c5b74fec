package bitpay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func deliveryTests() ledgerTests {
	return ledgerTests{
		"delivery-matching":           deliveryMatching,
		"delivery-disabled":           deliveryDisabled,
		"delivery-pending-disabled":   deliveryPendingDisabled,
		"delivery-sandbox":            deliverySandbox,
		"delivery-request":            deliveryRequest,
		"delivery-signature":          deliverySignature,
		"delivery-numbers":            deliveryNumbers,
		"delivery-order-fields":       deliveryOrderFields,
		"delivery-order-status":       deliveryOrderStatus,
		"delivery-stable-coin-status": deliveryStableCoinStatus,
		"delivery-withdraw-message":   deliveryWithdrawMessage,
		"delivery-success":            deliverySuccess,
		"delivery-callback-status":    deliveryCallbackStatus,
	}
}

// answering is a receiver that always gives the same answer.
func answering(w *simtest.World, status int, body string) *simtest.Receiver {
	return w.Receive(func(int) (int, string) { return status, body })
}

// receive sends one event of a type to a new webhook and returns its body.
func receive(w *simtest.World, e simtest.Event) object {
	w.T.Helper()
	r := answering(w, 200, `{"callbackStatus":"SUCCESS"}`)
	create(w, e.Type, r.URL)
	made := w.Emit(e)
	require.Equal(w.T, delivery.Delivered, made[len(made)-1].State)
	return decoded(w, r.Requests()[0].Body)
}

func decoded(w *simtest.World, body []byte) object {
	w.T.Helper()
	v, err := strictjson.Decode(body)
	require.NoError(w.T, err)
	message, ok := v.(object)
	require.True(w.T, ok)
	return message
}

func targetsOf(made []delivery.Delivery) []string {
	found := []string{}
	for _, d := range made {
		found = append(found, d.WebhookID)
	}
	return found
}

func deliveryMatching(w *simtest.World) {
	a, b, other := w.Receive(nil), w.Receive(nil), w.Receive(nil)
	first, second := create(w, "ORDER_WEBHOOK", a.URL), create(w, "ORDER_WEBHOOK", b.URL)
	create(w, "FUNDING_WEBHOOK", other.URL)
	require.Equal(w.T, []string{first, second}, targetsOf(w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})))
	require.Len(w.T, a.Requests(), 1)
	require.Len(w.T, b.Requests(), 1)
	require.Empty(w.T, other.Requests())
	require.Empty(w.T, w.Emit(simtest.Event{Type: "ORDER_WEBHOOK", Account: "1"}), "another account")
	require.Len(w.T, w.Emit(simtest.Event{Type: "ORDER_WEBHOOK", Account: neutral(w)[0].Account}), 2)
	require.Empty(w.T, w.Emit(simtest.Event{Type: "GLOBAL_PAYMENT_WEBHOOK"}))
}

func deliveryDisabled(w *simtest.World) {
	r := w.Receive(nil)
	off, gone := create(w, "ORDER_WEBHOOK", r.URL), create(w, "ORDER_WEBHOOK", r.URL+"/2")
	put(w, off, object{"url": r.URL, "status": 20}).OK()
	remove(w, gone).OK()
	require.Empty(w.T, w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"}))
	put(w, off, object{"url": r.URL, "status": 10}).OK()
	w.Idle()
	require.Empty(w.T, r.Requests())
	require.Equal(w.T, []string{off}, targetsOf(w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})))
	require.Len(w.T, r.Requests(), 1)
}

func deliveryPendingDisabled(w *simtest.World) {
	r := answering(w, 500, "")
	off, gone := create(w, "ORDER_WEBHOOK", r.URL), create(w, "FUNDING_WEBHOOK", r.URL)
	w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	w.Emit(simtest.Event{Type: "FUNDING_WEBHOOK"})
	put(w, off, object{"url": r.URL, "status": 20}).OK()
	remove(w, gone).OK()
	for _, d := range w.Deliveries() {
		require.Equal(w.T, delivery.Dropped, d.State, d.Reason)
		require.Len(w.T, d.Attempts, 1)
	}
	put(w, off, object{"url": r.URL, "status": 10}).OK()
	require.Empty(w.T, w.Idle(), "nothing comes back")
	require.Len(w.T, r.Requests(), 2)
	w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	put(w, off, object{"url": r.URL + "/moved"}).OK()
	w.Advance(time.Minute)
	require.Len(w.T, r.Requests(), 4, "an update that leaves it active drops nothing")
}

func deliverySandbox(w *simtest.World) {
	r := w.Receive(nil)
	req := w.Request("POST", "/v2/webhook", "application/json", []byte(`{"eventType":"ORDER_WEBHOOK","url":"`+r.URL+`"}`))
	req.URL.Path, req.Host = "/v2/webhook", "api-test.velafi.com"
	req.Header.Set("X-BH-TOKEN", w.Credentials["token"])
	w.Send(req).OK()
	w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	require.Len(w.T, r.Requests(), 1)
}

func deliveryRequest(w *simtest.World) {
	for _, t := range w.Provider.Contract.Catalogue {
		r := w.Receive(nil)
		id := create(w, t.Type, r.URL)
		w.Emit(simtest.Event{Type: t.Type})
		got := r.Requests()[0]
		require.Equal(w.T, "POST", got.Method)
		require.Equal(w.T, "application/json", got.RawHeader["Content-Type"])
		require.Regexp(w.T, `^[0-9a-f]{512}$`, got.RawHeader["signature"])
		require.True(w.T, strings.HasPrefix(string(got.Body), `{"webhookId":"`+id+`","eventType":"`+t.Type+`","`), "%s", got.Body)
	}
}

func deliverySignature(w *simtest.World) {
	r := w.Receive(nil)
	create(w, "FUNDING_WEBHOOK", r.URL)
	made := w.Emit(simtest.Event{Type: "FUNDING_WEBHOOK", Data: object{"payerName": "Zoë <&> \u2028"}})
	got := r.Requests()[0]
	require.NoError(w.T, verify(w, got.Body, got.RawHeader["signature"]))
	require.Error(w.T, verify(w, append(got.Body, '\n'), got.RawHeader["signature"]))
	signature := made[0].Attempts[0].Signature
	require.Equal(w.T, []string{"rsa-sha256-hex", "signature", string(got.Body), got.RawHeader["signature"]},
		[]string{signature.Scheme, signature.Header, signature.StringToSign, signature.Value})
}

// verify does what webhook-setup.md tells the receiver to do, with the publicKey that the API shows.
func verify(w *simtest.World, body []byte, signature string) error {
	w.T.Helper()
	der, err := base64.StdEncoding.DecodeString(fmt.Sprint(list(w, "").Get("data.0.publicKey")))
	require.NoError(w.T, err)
	parsed, err := x509.ParsePKIXPublicKey(der)
	require.NoError(w.T, err)
	key, ok := parsed.(*rsa.PublicKey)
	require.True(w.T, ok)
	raw, err := hex.DecodeString(signature)
	require.NoError(w.T, err)
	digest := sha256.Sum256(body)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], raw)
}

func deliveryNumbers(w *simtest.World) {
	now := fmt.Sprint(simtest.Start().UnixMilli())
	order := receive(w, simtest.Event{Type: "ORDER_WEBHOOK"})
	for _, name := range []string{"fiatAmount", "fiatFee", "cryptoAmount", "orderPrice"} {
		require.Regexp(w.T, `^[0-9]+(\.[0-9]+)?$`, order[name], name)
	}
	require.Equal(w.T, now, order["updateTime"])
	require.Less(w.T, fmt.Sprint(order["createTime"]), now)
	require.IsType(w.T, 1.0, order["merchantId"])
	payment := receive(w, simtest.Event{Type: "GLOBAL_PAYMENT_WEBHOOK"})
	require.IsType(w.T, 1.0, payment["onRampMerchantId"])
	require.IsType(w.T, 1.0, payment["offRampMerchantId"])
	require.IsType(w.T, "", payment["onRampFiatAmount"])
	funding := receive(w, simtest.Event{Type: "FUNDING_WEBHOOK"})
	require.Regexp(w.T, `^[0-9]+$`, funding["merchantId"])
	require.Regexp(w.T, `^[0-9]+\.[0-9]{2}$`, funding["totalAmount"])
	stable := receive(w, simtest.Event{Type: "STABLE_COIN_PAYMENT_WEBHOOK"})
	for _, name := range []string{"orderId", "userId", "merchantId", "linkId", "walletId", "depositAmount", "feeAmount", "receivedAmount", "createTime"} {
		require.IsType(w.T, 1.0, stable[name], name)
	}
	require.EqualValues(w.T, simtest.Start().UnixMilli(), stable["confirmTime"])
	require.Nil(w.T, stable["cancelTime"])
	require.Equal(w.T, now, receive(w, simtest.Event{Type: "ON_RAMP_WITHDRAW_WEBHOOK"})["timestamp"])
}

func deliveryOrderFields(w *simtest.World) {
	order := receive(w, simtest.Event{Type: "ORDER_WEBHOOK"})
	require.Contains(w.T, order, "fiatAmount")
	require.Contains(w.T, order, "cryptoAmount")
	require.NotContains(w.T, order, "orderAmount")
	require.NotContains(w.T, order, "quantity")
}

func deliveryOrderStatus(w *simtest.World) {
	documented := map[string][]string{
		"ORDER_WEBHOOK":          {"10", "11", "12", "30", "31", "40", "50", "60", "70", "72", "73"},
		"GLOBAL_PAYMENT_WEBHOOK": {"10", "11", "12", "30", "31", "41", "51", "60", "71", "72"},
	}
	for eventType, codes := range documented {
		r := w.Receive(nil)
		create(w, eventType, r.URL)
		for range 150 {
			w.Emit(simtest.Event{Type: eventType})
		}
		seen := map[string]bool{}
		for _, got := range r.Requests() {
			status := fmt.Sprint(decoded(w, got.Body)["orderStatus"])
			require.Contains(w.T, codes, status)
			seen[status] = true
		}
		require.Len(w.T, seen, len(codes), "each of them occurs")
		w.Emit(simtest.Event{Type: eventType, Data: object{"orderStatus": "72"}})
		require.Equal(w.T, "72", decoded(w, r.Requests()[150].Body)["orderStatus"])
	}
}

func deliveryStableCoinStatus(w *simtest.World) {
	require.Equal(w.T, "CONFIRMED", receive(w, simtest.Event{Type: "STABLE_COIN_PAYMENT_WEBHOOK"})["status"])
	told := simtest.Event{Type: "STABLE_COIN_PAYMENT_WEBHOOK", Data: object{"status": "CANCELED"}}
	require.Equal(w.T, "CANCELED", receive(w, told)["status"])
}

func deliveryWithdrawMessage(w *simtest.World) {
	message := receive(w, simtest.Event{Type: "ON_RAMP_WITHDRAW_WEBHOOK"})
	require.Len(w.T, message, 12)
	require.Regexp(w.T, `^USD[CT]$`, message["crypto"])
	require.Equal(w.T, "succeeded", message["status"])
	require.Empty(w.T, message["reason"])
	require.Equal(w.T, fmt.Sprint(simtest.Start().UnixMilli()), message["timestamp"])
}

// stateAfter is the state of a delivery after one attempt that was answered so.
func stateAfter(w *simtest.World, status int, body string) delivery.State {
	w.T.Helper()
	w.Advance(time.Minute) // beyond the duplicate window
	id := create(w, "ORDER_WEBHOOK", answering(w, status, body).URL)
	made := w.Emit(simtest.Event{Type: "ORDER_WEBHOOK"})
	remove(w, id).OK()
	require.Len(w.T, made, 1)
	return made[0].State
}

func deliverySuccess(w *simtest.World) {
	for _, policy := range []string{"2xx", "200"} {
		w.SetPolicy("success_statuses", policy)
		require.Equal(w.T, delivery.Delivered, stateAfter(w, 200, ""))
		for _, status := range []int{201, 202, 204, 299} {
			want := map[string]delivery.State{"2xx": delivery.Delivered, "200": delivery.Pending}[policy]
			require.Equal(w.T, want, stateAfter(w, status, ""), "%s %d", policy, status)
		}
		for _, status := range []int{302, 400, 404, 500, 503} {
			require.Equal(w.T, delivery.Pending, stateAfter(w, status, `{"callbackStatus":"SUCCESS"}`), "%s %d", policy, status)
		}
	}
}

func deliveryCallbackStatus(w *simtest.World) {
	bodies := []string{`{"callbackStatus":"SUCCESS"}`, `{"callbackStatus":"FAIL"}`, ``, `ok`, `{}`, `"FAIL"`, `{"callbackStatus":"fail"}`, `null`}
	accepted := map[string]string{"not_fail": "10111111", "must_succeed": "10000000", "ignored": "11111111"}
	for policy, want := range accepted {
		w.SetPolicy("callback_status", policy)
		for i, body := range bodies {
			state := delivery.Pending
			if want[i] == '1' {
				state = delivery.Delivered
			}
			require.Equal(w.T, state, stateAfter(w, 200, body), "%s %q", policy, body)
		}
	}
}
