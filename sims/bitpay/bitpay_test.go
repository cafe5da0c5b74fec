package bitpay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, bitpay.New()) }

func TestCredentialsLeadToTheirSandbox(t *testing.T) {
	w := simtest.New(t, bitpay.New())
	sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: 1, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	other := w.With(t)
	other.Sandbox, other.Credentials = sandbox, sandbox.Credentials("bitpay")
	require.NotEqual(t, w.Credentials, other.Credentials)
	id := create(other, "ORDER_WEBHOOK", "http://a.test")
	require.Equal(t, []string{id}, ids(other, ""))
	require.Empty(t, ids(w, ""))
	token := fmt.Sprint(other.Call("generateToken", simtest.Request{}).OK().Get("data.token"))
	require.Equal(t, id, listWith(w, token).Get("data.0.webhookId"), "a token that was issued later leads there, too")
}

func TestCurlLineWorksWhenPasted(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	t.Setenv("no_proxy", "*")
	w := simtest.New(t, bitpay.New())
	server := httptest.NewServer(handler{w.Engine})
	t.Cleanup(server.Close)
	line := w.Provider.Curl(server.URL+"/bitpay", w.Credentials)
	require.NotContains(t, line, "\n")
	cmd := exec.Command("sh", "-c", line)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.True(t, strings.HasPrefix(string(out), `{"code":200,"msg":"SUCCESS","data":{"webhookId":"`), "%s", out)
}

// TestRefusalsSayWhatWasSeenAndWhatIsWanted: the journal tells a newcomer what to do next.
func TestRefusalsSayWhatWasSeenAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bitpay.New())
	const want = "X-BH-TOKEN with the ready-made token (GET /_mocksrv/v1/sandboxes/<name>) or one issued by generateToken that has not expired"
	w.Call("listWebhooks", simtest.Request{Anonymous: true}).Explained("no X-BH-TOKEN header", want)
	listWith(w, "x").Explained(`X-BH-TOKEN: "x", which this sandbox does not know: issued elsewhere, or expired`, want)
	wanted := "X-BH-APIKEY with 16 to 128 letters, digits, hyphens and underscores: the ready-made api_key (GET /_mocksrv/v1/sandboxes/<name>)"
	withKey(w, "").Explained("no X-BH-APIKEY header", wanted)
	withKey(w, "short").Explained(`X-BH-APIKEY: "short"`, wanted)
	withKey(w, "0123456789abcdef").Explained(`X-BH-APIKEY: "0123456789abcdef"`, "X-BH-APIKEY with the ready-made api_key (GET /_mocksrv/v1/sandboxes/<name>)")
	const clock = "the edge clock, now 2026-01-08T10:30:00.25Z or 1767868200250 ms"
	generate(w, "1767868200", "00").
		Explained("timestamp 1767868200, which looks like seconds; milliseconds are wanted", "at most 5s behind "+clock)
	generateAt(w, simtest.Start().Add(-time.Minute)).Explained("timestamp 1767868140250, which is -60000 ms from the edge clock", "at most 5s behind "+clock)
	generateAt(w, simtest.Start().Add(time.Minute)).Explained("timestamp 1767868260250, which is +60000 ms from the edge clock", "less than 1s ahead of "+clock)
	create(w, "ORDER_WEBHOOK", "http://a.test")
	w.SetNow(simtest.Start().Add(2 * time.Second))
	post(w, object{"eventType": "ORDER_WEBHOOK", "url": "http://a.test"}).Explained("the same eventType and url as 2s ago",
		"another request, or this one 3s later on the world clock (advance it), or policy bitpay.duplicate_check off")
	token := fmt.Sprint(w.Call("generateToken", simtest.Request{}).OK().Get("data.token"))
	w.SetNow(simtest.Start().Add(48 * time.Hour))
	listWith(w, token).Explained("a token that expired at 2026-01-09T10:30:02.25Z; the world clock says 2026-01-10T10:30:00.25Z", want)
}

func TestWrongSignaturesSayWhichMistakeItWas(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bitpay.New())
	const timestamp = "1767868200250"
	key, secret := w.Credentials["api_key"], w.Credentials["api_secret"]
	right := signed(w, timestamp)
	want := right + ", the hex HMAC-SHA256 of timestamp=" + timestamp + " under the api_secret of this api_key"
	text := "timestamp=" + timestamp
	for mistake, wrong := range map[string]string{
		"":                           strings.Repeat("0", 64),
		", which is not hexadecimal": "x",
		", signed with the key instead of the secret":    macOf(sha256.New, key, text),
		", signed with SHA-512 instead of SHA-256":       macOf(sha512.New, secret, text),
		", signed with a newline at the end of the text": macOf(sha256.New, secret, text+"\n"),
		", signed over the timestamp alone":              macOf(sha256.New, secret, timestamp),
	} {
		generate(w, timestamp, wrong).Refused(400, "token-signature").Explained(`signature "`+wrong+`"`+mistake, want)
	}
}

func macOf(hash func() hash.Hash, secret, text string) string {
	mac := hmac.New(hash, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
