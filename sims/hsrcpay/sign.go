package hsrcpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"

	"github.com/mocksrv/mocksrv/sims"
)

const signatureHeader = "HSRCPAY-Signature"

// sign obeys delivery-request and delivery-signature.
func sign(a *sims.Attempt) (sims.Signature, error) {
	a.SetHeader("User-Agent", "HSRCPAY-Webhooks/1.0")
	s := sims.Signature{
		Header: signatureHeader, Key: "the webhook's secret as text, prefix included", StringToSign: string(a.Body),
	}
	switch a.Policies.Enum("signature_scheme") {
	case "none":
		return sims.Signature{Scheme: "none"}, nil
	case "hex":
		s.Scheme, s.Value = "hmac-sha256-hex", hex.EncodeToString(mac(a, s.StringToSign))
	case "base64":
		s.Scheme, s.Value = "hmac-sha256-base64", base64.StdEncoding.EncodeToString(mac(a, s.StringToSign))
	default: // stripe: the receiver compares t with its own clock
		t := strconv.FormatInt(a.Edge.Unix(), 10)
		s.StringToSign = t + "." + s.StringToSign
		s.Scheme, s.Value = "hmac-sha256-hex-timestamped", "t="+t+",v1="+hex.EncodeToString(mac(a, s.StringToSign))
	}
	a.SetHeader(signatureHeader, s.Value)
	return s, nil
}

func mac(a *sims.Attempt, text string) []byte {
	h := hmac.New(sha256.New, []byte(a.Endpoint.Keys["secret"]))
	h.Write([]byte(text))
	return h.Sum(nil)
}
