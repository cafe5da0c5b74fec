package signedsub_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func authTests() ledgerTests {
	return ledgerTests{
		"credentials":          credentials,
		"signature":            signature,
		"signature-status":     signatureStatus,
		"signature-case":       signatureCase,
		"no-replay-protection": noReplayProtection,
		"timestamp-window":     timestampWindow,
		"timestamp-format":     timestampFormat,
	}
}

// validList is a body of listSubscriptions at an offset from the provider's clock.
func validList(w *simtest.World, offset int64) string {
	return fmt.Sprintf(`{"account":%q,"timestamp":%s}`, w.Credentials["account"], stamp(w, offset))
}

func credentials(w *simtest.World) {
	body := validList(w, 0)
	unknown := sims.Credentials{"key": strings.Repeat("0", 32), "secret": w.Credentials["secret"]}
	send := func(header map[string]string) *simtest.Reply {
		return w.Call(list, simtest.Request{Body: body, Anonymous: true, Header: header})
	}
	missing := map[string]string{"Sign": signed(w.Credentials, body)["Sign"]}
	upper := signed(w.Credentials, body)
	upper["Key"] = strings.ToUpper(upper["Key"])
	for _, header := range []map[string]string{nil, missing, upper, signed(unknown, body)} {
		send(header).Refused(401, "credentials").Is(401, invalidKey)
	}
	send(signed(w.Credentials, body)).Is(200, `{"subscriptions":[]}`)
	w.SetPolicy("error_status_002", "400")
	send(missing).Refused(400, "credentials").Is(400, invalidKey)
}

func signature(w *simtest.World) {
	body := validList(w, 0)
	secret, err := hex.DecodeString(w.Credentials["secret"])
	require.NoError(w.T, err)
	right := hmacSHA512(w.Credentials["secret"], body)
	for _, wrong := range []string{
		"", right[:127], right + "0", hmacSHA512(w.Credentials["secret"], body+" "), hmacSHA512(string(secret), body),
		hmacSHA512(w.Credentials["key"], body), "0x" + right,
	} {
		header := map[string]string{"Key": w.Credentials["key"], "Sign": wrong}
		w.Call(list, simtest.Request{Body: body, Anonymous: true, Header: header}).Refused(401, "signature").Is(401, wrongSign)
	}
	exactly(w, list, body).OK()
	exactly(w, list, strings.ReplaceAll(body, ":", " :\n\t")).OK()
	made(w)
	deletion := fmt.Sprintf(`{"account":%q,"timestamp":%s,"payload":{"requestId":"%s"}}`, w.Credentials["account"], stamp(w, 0), id)
	header := signed(w.Credentials, "")
	w.Call(remove, simtest.Request{Body: deletion, Anonymous: true, Header: header}).Refused(401, "signature").Is(401, wrongSign)
	w.Call(regenerate, simtest.Request{Body: deletion, Anonymous: true, Header: header}).Refused(401, "signature").Is(401, wrongSign)
	exactly(w, remove, deletion).Is(200, "")
}

func signatureStatus(w *simtest.World) {
	wrong := simtest.Request{Body: "{}", Tamper: tamper("Sign", "wrong")}
	w.Call(list, wrong).Is(401, wrongSign)
	w.SetPolicy("error_status_003", "400")
	w.Call(list, wrong).Is(400, wrongSign)
	w.Call(list, simtest.Request{Anonymous: true}).Is(401, invalidKey)
}

func signatureCase(w *simtest.World) {
	body := validList(w, 0)
	header := signed(w.Credentials, body)
	header["Sign"] = strings.ToUpper(header["Sign"])
	w.Call(list, simtest.Request{Body: body, Anonymous: true, Header: header}).Refused(401, "signature-case").Is(401, wrongSign)
}

func noReplayProtection(w *simtest.World) {
	body := validList(w, 0)
	for range 3 {
		exactly(w, list, body).OK()
	}
	w.SetNow(simtest.Start().Add(3 * time.Minute))
	exactly(w, list, body).OK()
	exactly(w, list, validList(w, -1000)).OK() // older than the one before
}

func timestampWindow(w *simtest.World) {
	for _, offset := range []int64{0, -180_000, 180_000} {
		exactly(w, list, validList(w, offset)).Is(200, `{"subscriptions":[]}`)
	}
	for _, offset := range []int64{-180_001, 180_001, -simtest.Start().UnixMilli(), 1 << 62} {
		exactly(w, list, validList(w, offset)).Refused(400, "timestamp-window").Is(400, badTimestamp)
	}
	early := validList(w, 0)
	w.SetNow(simtest.Start().Add(3*time.Minute + time.Millisecond))
	exactly(w, list, early).Is(400, badTimestamp)
	setting := w.Sandbox.Clock.Setting()
	setting.Skew = -time.Millisecond // it is the edge clock that counts
	w.Sandbox.Clock.Set(setting)
	exactly(w, list, early).OK()
}

func timestampFormat(w *simtest.World) {
	now := stamp(w, 0)
	for _, value := range []string{"null", `"` + now + `"`, now + ".5", "1.5", "true", "{}", "[" + now + "]", `""`} {
		exactly(w, list, `{"timestamp":`+value+`}`).Refused(400, "timestamp-format").Is(400, badTimestamp)
	}
	for _, operation := range withPayload() {
		exactly(w, operation, `{"account":7,"payload":7}`).Refused(400, "timestamp-format").Is(400, badTimestamp)
	}
	exactly(w, list, `{"timestamp":1e300}`).Is(400, badTimestamp)
}
