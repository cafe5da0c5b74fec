package signedsub_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, signedsub.New()) }

func TestWebhookInTheNeutralShape(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	require.Empty(t, webhooks(w))
	reply := made(w)
	all := webhooks(w)
	require.Len(t, all, 1)
	require.Equal(t, string(reply.Body), encoded(w, all[0].Provider))
	all[0].Provider = nil
	require.Equal(t, sims.Webhook{
		ID: id, Account: w.Credentials["account"], URL: hook, State: sims.Active, Events: []string{"PAYOUT_CHANGE_STATUS"},
		CreatedAt: simtest.Start(),
	}, all[0])
}

// TestRefusalsSayWhatWasSeenAndWhatIsWanted: the journal tells a newcomer what to do next.
func TestRefusalsSayWhatWasSeenAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	body := validList(w, 0)
	send := func(header map[string]string) *simtest.Reply {
		return w.Call(list, simtest.Request{Body: body, Anonymous: true, Header: header})
	}
	const key = "Key with the ready-made key (GET /_mocksrv/v1/sandboxes/<name>)"
	send(nil).Explained("no Key header", key)
	send(map[string]string{"Key": "me"}).Explained(`Key: "me"`, key)
	send(map[string]string{"Key": w.Credentials["key"]}).Explained("no Sign header", wantSign(w, body))
	const number = "a number without quotes and fraction: milliseconds since 1970"
	exactly(w, list, "{}").Explained("no timestamp", number)
	exactly(w, list, `{"timestamp":null}`).Explained("timestamp null", number)
	exactly(w, list, `{"timestamp":"`+strings.Repeat("é", 200)+`"}`).Explained(`timestamp "`+strings.Repeat("é", 99)+"…", number)
	const window = "at most 3m0s from the edge clock, now 2026-01-08T10:30:00.25Z or 1767868200250 ms"
	exactly(w, list, `{"timestamp":1767868021}`).Explained("timestamp 1767868021, which looks like seconds; milliseconds are wanted", window)
	exactly(w, list, validList(w, -180_001)).Explained("timestamp 1767868020249, which is -180001 ms from the edge clock", window)
	const all = "one of the 23 event types that GET /_mocksrv/v1/sims lists"
	call(w, create, payload("notificationEventTypes", `["X"]`)).Explained(`notificationEventTypes with "X"`, all)
	call(w, create, payload("notificationEventTypes", `["PAYOUT_CHANGED_STATUS"]`)).
		Explained(`notificationEventTypes with "PAYOUT_CHANGED_STATUS"`, "perhaps PAYOUT_CHANGE_STATUS; "+all)
}

func wantSign(w *simtest.World, body string) string {
	return "Sign: " + hmacSHA512(w.Credentials["secret"], body) + ", the lower-case hex HMAC-SHA512 of the raw body under the secret of this Key"
}

func TestWrongSignaturesSayWhichMistakeItWas(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	body := validList(w, 0)
	body = " " + body[:len(body)-1] + `, "A": [1, 2.0]}`
	account, timestamp := w.Credentials["account"], stamp(w, 0)
	under := func(text string) string { return hmacSHA512(w.Credentials["secret"], text) }
	sha256 := hmac.New(sha256.New, []byte(w.Credentials["secret"]))
	sha256.Write([]byte(body))
	const other = "signed over the same JSON in other bytes: "
	for mistake, wrong := range map[string]string{
		"":                                      under("something else"),
		"which is not hexadecimal":              "wrong",
		"in upper case":                         strings.ToUpper(under(body)),
		"with more than the hexadecimal digits": "SHA2-512(stdin)= " + under(body),
		"signed with the key instead of the secret":                    hmacSHA512(w.Credentials["key"], body),
		"signed with SHA-256 instead of SHA-512":                       hex.EncodeToString(sha256.Sum(nil)),
		"signed with a newline at the end of the text":                 under(body + "\n"),
		"signed over no body":                                          under(""),
		"signed over the body without the white space around it":       under(body[1:]),
		other + "without spaces":                                       under(`{"account":"` + account + `","timestamp":` + timestamp + `,"A":[1,2.0]}`),
		other + "with a space after each colon and comma":              under(`{"account": "` + account + `", "timestamp": ` + timestamp + `, "A": [1, 2.0]}`),
		other + "without spaces, keys sorted":                          under(`{"A":[1,2.0],"account":"` + account + `","timestamp":` + timestamp + `}`),
		other + "with a space after each colon and comma, keys sorted": under(`{"A": [1, 2.0], "account": "` + account + `", "timestamp": ` + timestamp + `}`),
		other + "indented by two spaces":                               under("{\n  \"account\": \"" + account + "\",\n  \"timestamp\": " + timestamp + ",\n  \"A\": [\n    1,\n    2.0\n  ]\n}"),
	} {
		saw := `Sign: "` + wrong + `"`
		if mistake != "" {
			saw += ", " + mistake
		}
		header := map[string]string{"Key": w.Credentials["key"], "Sign": wrong}
		w.Call(list, simtest.Request{Body: body, Anonymous: true, Header: header}).Is(401, wrongSign).Explained(saw, wantSign(w, body))
	}
}
