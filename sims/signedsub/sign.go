package signedsub

import (
	"github.com/mocksrv/mocksrv/sims"
)

// sign obeys delivery-request and delivery-signature: the subscription's own keys, over the exact body.
func sign(a *sims.Attempt) (sims.Signature, error) {
	value := signature(a.Endpoint.Keys["secretKey"], a.Body)
	a.SetHeader("Key", a.Endpoint.Keys["publicKey"])
	a.SetHeader("Sign", value)
	return sims.Signature{
		Scheme: "hmac-sha512-hex", Header: "Sign", Key: "the subscription's secretKey, as text",
		StringToSign: string(a.Body), Value: value,
	}, nil
}
