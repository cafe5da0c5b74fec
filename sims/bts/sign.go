package bts

import (
	"github.com/mocksrv/mocksrv/sims"
)

// sign obeys delivery-token, delivery-itx-api-key and delivery-signature: headers that show who calls, no signature.
func sign(a *sims.Attempt) (sims.Signature, error) {
	if token := a.Endpoint.Keys["token"]; token != "" {
		switch header := a.Policies.Enum("token_header"); header {
		case "bearer":
			a.SetHeader("Authorization", "Bearer "+token)
		default: // x-bts-token, x-api-key
			a.SetHeader(header, token)
		}
	}
	if key := a.Endpoint.Keys["itx-apiKey"]; key != "" {
		a.SetHeader("itx-apiKey", key)
	}
	return sims.Signature{Scheme: "none"}, nil
}
