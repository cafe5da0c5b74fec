package hsrcpay_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func deliveryTests() ledgerTests {
	return ledgerTests{
		"delivery-request":   deliveryRequest,
		"delivery-signature": deliverySignature,
		"delivery-resign":    deliveryResign,
		"delivery-bind":      deliveryBind,
	}
}

// hookAt makes a webhook for every event, signed with whsec_test, in the test data set.
func hookAt(w *simtest.World, url string) string {
	w.T.Helper()
	body := map[string]any{"endpoint": url, "enabled_events": []string{"*"}, "secret": "whsec_test"}
	id, _ := w.Call(create, simtest.Request{Body: body}).OK().Get("data.id").(string)
	return id
}

// always answers every attempt with one status.
func always(status int) func(int) (int, string) {
	return func(int) (int, string) { return status, "" }
}

// emitted makes one event happen for the one webhook there is.
func emitted(w *simtest.World) delivery.Delivery {
	w.T.Helper()
	all := w.Emit(simtest.Event{Type: "payment.succeeded"})
	require.Len(w.T, all, 1)
	return all[0]
}

func deliveryRequest(w *simtest.World) {
	r := w.Receive(nil)
	hookAt(w, r.URL)
	name := map[string]any{"data": map[string]any{"object": map[string]any{"metadata": map[string]any{"note": "<Ü & é>"}}}}
	sent := w.Emit(simtest.Event{Type: "payment.succeeded", Data: name})
	require.Len(w.T, r.Requests(), 1)
	got := r.Requests()[0]
	require.Equal(w.T, http.MethodPost, got.Method)
	require.Equal(w.T, "application/json", got.RawHeader["Content-Type"])
	require.Equal(w.T, "HSRCPAY-Webhooks/1.0", got.RawHeader["User-Agent"])
	require.Equal(w.T, string(sent[0].Body), string(got.Body))
	require.Contains(w.T, string(got.Body), `"note":"<Ü & é>"`)
	require.NotContains(w.T, string(got.Body), "\n")
	require.NotContains(w.T, string(got.Body), `": `)
	require.True(w.T, bytes.HasPrefix(got.Body, []byte(`{"object":"event","id":"`+sent[0].Event.ID+`","type":"payment.succeeded","account_id":"`)))
}

func deliverySignature(w *simtest.World) {
	r := w.Receive(nil)
	hookAt(w, r.URL)
	signed := func(scheme string) (simtest.Received, sims.Signature) {
		w.SetPolicy("signature_scheme", scheme)
		d := emitted(w)
		return r.Requests()[len(r.Requests())-1], d.Attempts[0].Signature
	}
	got, s := signed("stripe")
	t := strconv.FormatInt(simtest.Start().Unix(), 10)
	require.Equal(w.T, "t="+t+",v1="+hexMAC("whsec_test", t+"."+string(got.Body)), got.RawHeader["HSRCPAY-Signature"])
	require.Equal(w.T, t+"."+string(got.Body), s.StringToSign)
	got, s = signed("hex")
	require.Equal(w.T, hexMAC("whsec_test", string(got.Body)), got.RawHeader["HSRCPAY-Signature"])
	require.Equal(w.T, string(got.Body), s.StringToSign)
	got, s = signed("base64")
	require.Equal(w.T, base64MAC("whsec_test", string(got.Body)), got.RawHeader["HSRCPAY-Signature"])
	require.Equal(w.T, got.RawHeader["HSRCPAY-Signature"], s.Value)
	got, s = signed("none")
	require.NotContains(w.T, got.RawHeader, "HSRCPAY-Signature")
	require.Equal(w.T, sims.Signature{Scheme: "none"}, s)
	checkVectors(w)
}

func deliveryResign(w *simtest.World) {
	r := w.Receive(always(500))
	hookAt(w, r.URL)
	emitted(w)
	w.Advance(time.Minute)
	signatures := func() (all []string) {
		for _, got := range r.Requests() {
			all = append(all, got.RawHeader["HSRCPAY-Signature"])
		}
		return all
	}
	first, second := signatures()[0], signatures()[1]
	require.True(w.T, strings.HasPrefix(first, "t="+strconv.FormatInt(simtest.Start().Unix(), 10)+","))
	require.True(w.T, strings.HasPrefix(second, "t="+strconv.FormatInt(simtest.Start().Unix()+60, 10)+","))
	w.SetPolicy("resign", false)
	w.Advance(5 * time.Minute)
	require.Equal(w.T, second, signatures()[2])

	w = simtest.New(w.T, w.Provider.Sim)
	w.SetPolicy("resign", false)
	r = w.Receive(always(500))
	hookAt(w, r.URL)
	emitted(w)
	w.Idle()
	require.Len(w.T, signatures(), 7)
	for _, signature := range signatures() {
		require.Equal(w.T, signatures()[0], signature)
	}
}

// redirectTo changes a stored webhook as a restored snapshot would.
func redirectTo(w *simtest.World, id, url, secret string) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.Update(func(tx store.Tx) error {
		tx = store.Scoped(tx, "hsrcpay")
		stored, ok := tx.Get("webhooks", id)
		require.True(w.T, ok)
		row, err := strictjson.SetMember([]byte(encoded(w, stored)), "endpoint", strconv.Quote(url))
		require.NoError(w.T, err)
		row, err = strictjson.SetMember(row, "secret", strconv.Quote(secret))
		require.NoError(w.T, err)
		account := w.Credentials["account_id"]
		tx.Put("webhooks", id, store.Raw(row), "test/"+account, "both/"+account)
		return nil
	}))
}

func deliveryBind(w *simtest.World) {
	for bind, want := range map[string][2]int{"attempt": {1, 1}, "event": {2, 0}} {
		w := simtest.New(w.T, w.Provider.Sim)
		w.SetPolicy("bind", bind)
		w.SetPolicy("signature_scheme", "hex")
		before, after := w.Receive(always(500)), w.Receive(nil)
		id := hookAt(w, before.URL)
		emitted(w)
		redirectTo(w, id, after.URL, "whsec_changed")
		w.Advance(time.Minute)
		require.Equal(w.T, want, [2]int{len(before.Requests()), len(after.Requests())}, bind)
		last, secret := after, "whsec_changed"
		if bind == "event" {
			last, secret = before, "whsec_test"
		}
		got := last.Requests()[len(last.Requests())-1]
		require.Equal(w.T, hexMAC(secret, string(got.Body)), got.RawHeader["HSRCPAY-Signature"])
	}
}
