package bitpay_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// handler serves an engine without the server around it.
type handler struct{ *engine.Engine }

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.Serve(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
	}
}

// TestTokenSignatureVector is the computed vector of create-api-token.md.
func TestTokenSignatureVector(t *testing.T) {
	r := &sims.ClientRequest{
		Operation: "generateToken", Method: http.MethodGet, Header: http.Header{}, Now: time.UnixMilli(1740568725231),
		URL:         &url.URL{Path: "/v2/token/generate", RawQuery: "timestamp=1&other=kept"},
		Credentials: sims.Credentials{"api_key": "the key", "api_secret": "xxxx", "token": "the token"},
	}
	require.NoError(t, bitpay.New().Authorize(r))
	require.Equal(t, url.Values{
		"timestamp": {"1740568725231"}, "other": {"kept"},
		"signature": {"7fdd71b6dfed9a746d2698e980a2cb5dc15ca9fab9e4339676dea3c282a862c6"},
	}, r.URL.Query())
	require.Equal(t, http.Header{"X-Bh-Apikey": {"the key"}}, r.Header)
}

// TestOpenSSLVerifiesDeliveries: what a receiver gets passes openssl with the publicKey of the API.
func TestOpenSSLVerifiesDeliveries(t *testing.T) {
	w := simtest.New(t, bitpay.New())
	for _, eventType := range w.Provider.Contract.Catalogue {
		r := w.Receive(nil)
		reply := post(w, object{"eventType": eventType.Type, "url": r.URL}).OK()
		w.Emit(simtest.Event{Type: eventType.Type})
		got := r.Requests()[0]
		key := fmt.Sprint(reply.Get("data.publicKey"))
		require.Equal(t, "Verified OK", openssl(t, key, got.RawHeader["signature"], got.Body), eventType.Type)
		require.Equal(t, "Verification failure", openssl(t, key, got.RawHeader["signature"], append(got.Body, ' ')))
	}
}

// openssl runs: openssl dgst -sha256 -verify key.pem -signature signature body.
func openssl(t *testing.T, publicKey, signature string, body []byte) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	der, err := base64.StdEncoding.DecodeString(publicKey)
	require.NoError(t, err)
	raw, err := hex.DecodeString(signature)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	key := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	out, _ := exec.Command("openssl", "dgst", "-sha256", "-verify", key, "-signature", write("signature", raw), write("body", body)).Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// documentedMessages are the messages of the *-message-push.md pages as they stand there, with long texts shortened.
// ORDER_WEBHOOK has the fields of the parameter list, not those of the example below it.
func documentedMessages() map[string]string {
	return map[string]string{
		"ORDER_WEBHOOK": `{"webhookId":"ebab","eventType":"ORDER_WEBHOOK","orderId":"473130522693193728","clientId":"W658784738723",` +
			`"userId":"455472","merchantId":4,"orderType":"SELL","fiat":"MXN","fiatAmount":"99","fiatFee":"0","crypto":"USDT",` +
			`"cryptoAmount":"5.00","orderPrice":"19.8158","orderStatus":"60","failCode":"","failReason":"",` +
			`"createTime":"1735279907000","updateTime":"1735280582000"}`,
		"GLOBAL_PAYMENT_WEBHOOK": `{"webhookId":"ebab","eventType":"GLOBAL_PAYMENT_WEBHOOK","orderId":"473130522693193728",` +
			`"clientId":"W658784738723","userId":"455472","onRampCountry":"Mexico","onRampMerchantId":3,"onRampFiat":"MXN",` +
			`"onRampFiatAmount":"100.00","onRampFiatFee":"0","offRampCountry":"Hong Kong","offRampMerchantId":4,` +
			`"offRampFiat":"USD","offRampFiatAmount":"18.00","offRampFiatFee":"2.00","orderPrice":"20.00","orderStatus":"41",` +
			`"createTime":"1735279907000","updateTime":"1735280582000"}`,
		"FUNDING_WEBHOOK": `{"webhookId":"ebab","eventType":"FUNDING_WEBHOOK","txId":"1123123123","clientId":"cleint123456",` +
			`"merchantId":"3","merchantName":"Rrturo Tellez","fiat":"ARS","totalAmount":"22.00","amount":"20.00","fee":"2.00",` +
			`"paymentId":"63","userPaymentId":"91","type":"DEPOSIT","status":"1","createTime":"1737452292000",` +
			`"updateTime":"1737452344000","cardNo":"3067212321","taxId":"5269328432","payerName":"Matias Alva",` +
			`"payerAccount":"CH8508843132556121020","depositAlias":"alias","bankWebhookInfo":"{}","failCode":"","failReason":""}`,
		"STABLE_COIN_PAYMENT_WEBHOOK": `{"webhookId":"ebab","eventType":"STABLE_COIN_PAYMENT_WEBHOOK","orderId":1234567890,` +
			`"userId":9876543210,"merchantId":42,"linkId":56789,"walletId":10001,"walletName":"Main USDT Wallet",` +
			`"referenceId":"REF-2024-05-03-001","currency":"USDT","network":"ethereum","networkName":"Ethereum Mainnet",` +
			`"depositAmount":1000.00,"feeAmount":2.50,"receivedAmount":997.50,"status":"CONFIRMED","fromAddress":"0x12",` +
			`"toAddress":"0x98","txHash":"0xab","paymentLink":"https://payment.example.com/pay/123456","createTime":1714671600000,` +
			`"cancelTime":null,"processTime":1714672200000,"confirmTime":1714672800000}`,
		"ON_RAMP_WITHDRAW_WEBHOOK": `{"webhookId":"5a34","eventType":"ON_RAMP_WITHDRAW_WEBHOOK","orderId":"617090742820761600",` +
			`"clientId":"20260128018","crypto":"USDT","amount":"0.73","network":"POL","address":"0xe5","txHash":"0xa7",` +
			`"status":"succeeded","reason":"","timestamp":"1769609100165"}`,
	}
}

// shape is the sequence of members of a flat message, each with the kind of its value.
func shape(message string) []string {
	var members []string
	for _, m := range regexp.MustCompile(`"([A-Za-z]+)":("|[0-9]|null)`).FindAllStringSubmatch(message, -1) {
		kind := "text"
		switch {
		case m[2] == "null":
			kind = "null"
		case m[2] != `"`:
			kind = "number"
		}
		members = append(members, m[1]+" "+kind)
	}
	return members
}

func TestMessagesHaveTheDocumentedShape(t *testing.T) {
	w := simtest.New(t, bitpay.New())
	for eventType, message := range documentedMessages() {
		r := w.Receive(nil)
		create(w, eventType, r.URL)
		w.Emit(simtest.Event{Type: eventType})
		require.Equal(t, shape(message), shape(string(r.Requests()[0].Body)), eventType)
	}
}

// TestAmountsAddUp: the parts of a message agree with each other.
func TestAmountsAddUp(t *testing.T) {
	w := simtest.New(t, bitpay.New())
	number := func(v any) float64 {
		var f float64
		_, err := fmt.Sscan(fmt.Sprint(v), &f)
		require.NoError(t, err)
		return f
	}
	for range 20 {
		w.Advance(time.Minute)
		funding := receive(w, simtest.Event{Type: "FUNDING_WEBHOOK"})
		require.InDelta(t, number(funding["totalAmount"]), number(funding["amount"])+number(funding["fee"]), 1e-6)
		order := receive(w, simtest.Event{Type: "ORDER_WEBHOOK"})
		require.InDelta(t, number(order["fiatAmount"]),
			number(order["cryptoAmount"])*number(order["orderPrice"])+number(order["fiatFee"]), 1e-6)
		payment := receive(w, simtest.Event{Type: "GLOBAL_PAYMENT_WEBHOOK"})
		require.InDelta(t, number(payment["onRampFiatAmount"]),
			(number(payment["offRampFiatAmount"])+number(payment["offRampFiatFee"]))*number(payment["orderPrice"]), 1e-6)
		stable := receive(w, simtest.Event{Type: "STABLE_COIN_PAYMENT_WEBHOOK"})
		require.InDelta(t, number(stable["depositAmount"]), number(stable["receivedAmount"])+number(stable["feeAmount"]), 1e-6)
	}
}
