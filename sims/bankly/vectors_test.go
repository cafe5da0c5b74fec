package bankly_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// The test vector of the provider facts: headers from the provider's page, signature computed independently.
const (
	vectorPublicKey  = "NWUyNjgwZDMtNmE2Ni00YWYzLWJkNjUtMGM2ODMzYzczYzI1"
	vectorPrivateKey = "V2ViaG9vayBBY2Vzc29CYW5rbHk="
	vectorURI        = "https://meuwebhook/123456"
	vectorNonce      = "972004b06b6b443d8ed71630c9430048"
	vectorTimestamp  = 1615331979
	vectorBody       = `[{"name":"PIX_CASH_IN_WAS_CLEARED"}]`
	vectorSignature  = "3I/NjFcsiB9NPqiCxPc1t2P+qPRQUIVbLjVrCL2hfI4="
)

// sentAs signs the vector under a policy and returns the signature with the headers it set.
func sentAs(t *testing.T, signatureString string) (sims.Signature, map[string][]string) {
	t.Helper()
	w := simtest.New(t, bankly.New())
	w.SetPolicy("signature_string", signatureString)
	a := &sims.Attempt{
		Endpoint: sims.Endpoint{URL: vectorURI, Keys: map[string]string{"publicKey": vectorPublicKey, "privateKey": vectorPrivateKey}},
		Edge:     time.Unix(vectorTimestamp, 999_999_999), Header: http.Header{}, Body: []byte(vectorBody),
	}
	_, err := hex.Decode(a.Nonce[:], []byte(vectorNonce))
	require.NoError(t, err)
	require.NoError(t, w.Sandbox.View(func(tx store.Tx) error {
		a.Policies = w.Sandbox.Env(w.Provider, tx).Policies
		return nil
	}))
	signature, err := bankly.New().Delivery.Sign(a)
	require.NoError(t, err)
	return signature, a.Header
}

func TestVectorOfTheSignature(t *testing.T) {
	t.Parallel()
	signature, sent := sentAs(t, "encoded_ampersand")
	require.Equal(t, "hmac "+vectorSignature, signature.Value)
	require.Equal(t, vectorPublicKey+"&https%3a%2f%2fmeuwebhook%2f123456&1615331979&"+vectorNonce+"&"+base64.StdEncoding.EncodeToString([]byte(vectorBody)),
		signature.StringToSign)
	require.Equal(t, map[string][]string{
		"authorization": {"hmac " + vectorSignature}, "publicKey": {vectorPublicKey}, "nonce": {vectorNonce},
		"requestTimestamp": {"1615331979"}, "idempotency-Key": sent["idempotency-Key"],
	}, sent)
	require.Len(t, sent["idempotency-Key"], 1)
	require.Equal(t, vectorSignature, opensslHMAC(t, vectorPrivateKey, signature.StringToSign))
}

// The other way to join the parts is that of the stored HmacSigned.php: implode('#') over the plain address.
func TestVectorOfTheSignatureJoinedByHash(t *testing.T) {
	t.Parallel()
	signature, sent := sentAs(t, "plain_hash")
	require.Equal(t, vectorPublicKey+"#"+vectorURI+"#1615331979#"+vectorNonce+"#"+base64.StdEncoding.EncodeToString([]byte(vectorBody)),
		signature.StringToSign)
	require.Equal(t, []string{"hmac " + opensslHMAC(t, vectorPrivateKey, signature.StringToSign)}, sent["authorization"])
}

// opensslHMAC recomputes a signature with another implementation.
func opensslHMAC(t *testing.T, key, text string) string {
	t.Helper()
	command := exec.Command("openssl", "dgst", "-sha256", "-hmac", key, "-binary")
	command.Stdin = strings.NewReader(text)
	digest, err := command.Output()
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(digest)
}

// requireSigned checks a delivery as a receiver does, from its headers and its raw body.
func requireSigned(w *simtest.World, r simtest.Received, uri, privateKey string) {
	w.T.Helper()
	h := r.RawHeader
	signed := h["publicKey"] + "&" + urlencode(uri) + "&" + h["requestTimestamp"] + "&" + h["nonce"] + "&" + base64.StdEncoding.EncodeToString(r.Body)
	require.Equal(w.T, "hmac "+hmacSHA256(privateKey, signed), h["authorization"])
}

func hmacSHA256(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// urlencode is PHP's strtolower(urlencode(…)), from its manual: all but letters, digits and -_. is encoded.
func urlencode(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		switch {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9', b == '-', b == '_', b == '.':
			out.WriteByte(b)
		case b >= 'A' && b <= 'Z':
			out.WriteByte(b + 'a' - 'A')
		case b == ' ':
			out.WriteByte('+')
		default:
			fmt.Fprintf(&out, "%%%02x", b)
		}
	}
	return out.String()
}
