package hsrcpay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// The vector of the ledger entry delivery-signature.
const (
	vectorSecret = "whsec_test"
	vectorTime   = 1735689600
	vectorBody   = `{"object":"event"}`
	vectorV1     = "e0d08b3bb92a4bcd8ca2f8d0b029c588b61c0c0065024a042e1a48787a95db2d"
	vectorHex    = "aadf4424b8c9b5a7e8e9db9ca152267a7a7593cbb6042e2fabc7cd11a62d7c72"
)

// sum is HMAC-SHA256 as the ledger describes it, apart from the provider's code.
func sum(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexMAC(secret, text string) string { return hex.EncodeToString(sum(secret, text)) }

func base64MAC(secret, text string) string {
	return base64.StdEncoding.EncodeToString(sum(secret, text))
}

// signed is what the provider puts into its header for the vector under a scheme.
func signed(w *simtest.World, scheme string) string {
	w.T.Helper()
	w.SetPolicy("signature_scheme", scheme)
	a := &sims.Attempt{
		Endpoint: sims.Endpoint{Keys: map[string]string{"secret": vectorSecret}},
		Now:      time.Unix(1, 0), Edge: time.Unix(vectorTime, 999_000_000), Policies: w.Sandbox.Policies(w.Provider),
		Header: http.Header{}, Body: []byte(vectorBody),
	}
	s, err := w.Provider.Delivery.Sign(a)
	require.NoError(w.T, err)
	if scheme == "none" {
		require.NotContains(w.T, a.Header, "HSRCPAY-Signature")
		return ""
	}
	require.Equal(w.T, "HSRCPAY-Signature", s.Header)
	require.Equal(w.T, []string{s.Value}, map[string][]string(a.Header)["HSRCPAY-Signature"], "in the provider's spelling")
	return s.Value
}

// checkVectors holds every scheme against the published values.
func checkVectors(w *simtest.World) {
	w.T.Helper()
	raw, err := hex.DecodeString(vectorHex)
	require.NoError(w.T, err)
	require.Equal(w.T, "t=1735689600,v1="+vectorV1, signed(w, "stripe"))
	require.Equal(w.T, vectorHex, signed(w, "hex"))
	require.Equal(w.T, base64.StdEncoding.EncodeToString(raw), signed(w, "base64"))
	require.Empty(w.T, signed(w, "none"))
	w.SetPolicy("signature_scheme", nil)
}

func TestVectors(t *testing.T) {
	t.Run("the simulator signs the vector", func(t *testing.T) { checkVectors(simtest.New(t, hsrcpay.New())) })
	t.Run("the standard library agrees with the vector", func(t *testing.T) {
		require.Equal(t, vectorV1, hexMAC(vectorSecret, "1735689600."+vectorBody))
		require.Equal(t, vectorHex, hexMAC(vectorSecret, vectorBody))
	})
	t.Run("openssl agrees with the vector", func(t *testing.T) {
		require.Equal(t, vectorV1, opensslMAC(t, "1735689600."+vectorBody))
		require.Equal(t, vectorHex, opensslMAC(t, vectorBody))
	})
}

// opensslMAC is: printf %s text | openssl dgst -sha256 -hmac whsec_test.
func opensslMAC(t *testing.T, text string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl on this machine")
	}
	cmd := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-hmac", vectorSecret)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	require.NoError(t, err)
	fields := strings.Fields(string(out))
	return fields[len(fields)-1]
}
