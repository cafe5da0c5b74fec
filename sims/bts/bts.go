// Package bts simulates the webhook configuration of BTS Express: signing in with login and password for RS256 tokens,
// one stored webhook per environment, and form-data deliveries of shipment status changes.
//
// # Sources
//
// The pages docs.bts.uz/page/webhook and docs2.bts.uz, public integration code, and the public sources of Yii2, which
// the provider runs on. The document specs/bts.yaml names the source of every behaviour.
//
// # Behaviour
//
// Every rule has an entry in the ledger of the document; code that obeys one names its id.
//
// # Assumptions
//
// Everything the ledger labels assumed. What a team may need the other way is a policy.
package bts

import (
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/specs"
)

// New returns the provider.
func New() *sims.Sim {
	return &sims.Sim{
		Name:  "bts",
		Title: "BTS Express (shipment status webhooks)",
		Spec:  specs.Document("bts"),
		Hosts: []string{"apitest.bts.uz:28345", "api.bts.uz:28345"},

		Seed:       seed,
		Reveal:     reveal,
		Given:      given(),
		Owner:      func(_ *sims.Env, c sims.Credentials) string { return c["login"] },
		Credential: credential,
		Auth:       map[string]sims.AuthFunc{"bearerAuth": checkBearer},
		Headers:    checkAccept,
		Ops: map[string]sims.Handler{
			"configureWebhook":       configureWebhook,
			"configureWebhookByPost": configureWebhook,
			"login":                  login,
			"refresh":                refresh,
		},
		Fail:         fail,
		Rule:         rule,
		Finish:       finish,
		Account:      caller,
		Refusals:     refusals(),
		NumericCodes: true,
		Expire:       expire,

		Webhooks: webhooks,
		Plant:    plant(),
		Delivery: &sims.Delivery{
			Environments: []string{"production", "test"},
			Payload:      payload,
			Encode:       encode,
			Targets:      targets,
			Endpoint:     endpoint,
			Sign:         sign,
		},

		Authorize: authorize,
		Curl:      curl,
	}
}
