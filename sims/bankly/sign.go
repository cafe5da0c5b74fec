package bankly

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/sims"
)

// sign obeys delivery-headers, delivery-signature and delivery-idempotency-key.
func sign(a *sims.Attempt) (sims.Signature, error) {
	nonce, timestamp := a.Nonce.UUIDHex(), strconv.FormatInt(a.Edge.Unix(), 10)
	uri, joint := signedURI(a.Endpoint.URL), "&"
	if a.Policies.Enum("signature_string") == "plain_hash" {
		uri, joint = a.Endpoint.URL, "#"
	}
	signed := strings.Join([]string{
		a.Endpoint.Keys["publicKey"], uri, timestamp, nonce, base64.StdEncoding.EncodeToString(a.Body),
	}, joint)
	value := "hmac " + signature(a.Endpoint.Keys["privateKey"], signed)
	a.SetHeader("authorization", value)
	a.SetHeader("publicKey", a.Endpoint.Keys["publicKey"])
	a.SetHeader("nonce", nonce)
	a.SetHeader("requestTimestamp", timestamp)
	a.SetHeader("idempotency-Key", idempotencyKey(a.Event, a.Endpoint.WebhookID))
	return sims.Signature{
		Scheme: "hmac-sha256-base64", Header: "authorization", Key: "the configuration's privateKey, as text",
		StringToSign: signed, Value: value,
	}, nil
}

// signedURI is the address in lower case, encoded as PHP's urlencode and .NET's UrlEncode do: ~ too.
func signedURI(uri string) string {
	return strings.ToLower(strings.ReplaceAll(url.QueryEscape(uri), "~", "%7e"))
}

func signature(privateKey, signed string) string {
	mac := hmac.New(sha256.New, []byte(privateKey))
	mac.Write([]byte(signed))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
