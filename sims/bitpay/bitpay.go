// Package bitpay simulates the webhook configuration of VelaFi, known in this project by its nickname: tokens in the
// header X-BH-TOKEN, one event type for each webhook, and messages signed with RSA-SHA256. It has nothing to do with
// the company BitPay.
//
// # Sources
//
// The Update a Webhook page the project was founded on, and docs.velafi.com. Where they are silent: the API of the
// BlueHelix/BHEX broker cloud, whose X-BH headers VelaFi shares. The document specs/bitpay.yaml names the page of every
// behaviour.
//
// # Behaviour
//
// Every rule has an entry in the ledger of the document; code that obeys one names its id.
//
// # Assumptions
//
// Everything the ledger labels assumed. What a team may need the other way is a policy.
package bitpay

import (
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/specs"
)

// New returns the provider.
func New() *sims.Sim {
	return &sims.Sim{
		Name:  "bitpay",
		Title: "VelaFi (X-BH-TOKEN)",
		Spec:  specs.Document("bitpay"),
		Hosts: []string{"api.velafi.com", "api-test.velafi.com"},

		Seed:       seed,
		Given:      given(),
		Owner:      owner,
		Credential: credential,
		Auth:       map[string]sims.AuthFunc{"bhApiKey": checkAPIKey, "bhToken": checkToken},
		Check:      checkEventType,
		Ops: map[string]sims.Handler{
			"generateToken": generateToken,
			"createWebhook": createWebhook,
			"listWebhooks":  listWebhooks,
			"updateWebhook": updateWebhook,
			"deleteWebhook": deleteWebhook,
		},
		Fail:         fail,
		Rule:         rule,
		Account:      caller,
		Refusals:     refusals(),
		NumericCodes: true,
		Expire:       expire,

		Webhooks: webhooks,
		Plant:    plant(),
		Delivery: &sims.Delivery{
			Payload:  payload,
			Targets:  targets,
			Endpoint: endpoint,
			Sign:     sign,
			Accept:   accept,
		},

		Authorize: authorize,
		Curl:      curl,
	}
}
