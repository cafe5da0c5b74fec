// Package hsrcpay simulates the webhooks of HSRCPAY: bearer keys whose text selects the test or the live data set,
// creates that can be repeated safely with an idempotency key, and Stripe-like signed events.
//
// # Sources
//
// The postWebhooks page the project was founded on, its neighbours in the reference of hsrcpay.com, and the provider's
// guides on webhook delivery and the SDK. The document specs/hsrcpay.yaml names the page of every behaviour.
//
// # Behaviour
//
// Every rule has an entry in the ledger of the document; code that obeys one names its id.
//
// # Assumptions
//
// Everything the ledger labels assumed: among it the signature, the event body and the retry times, which the provider
// does not publish. What a team may need the other way is a policy.
package hsrcpay

import (
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/specs"
)

// New returns the provider.
func New() *sims.Sim {
	return &sims.Sim{
		Name:  "hsrcpay",
		Title: "HSRCPAY (payment orchestration webhooks)",
		Spec:  specs.Document("hsrcpay"),
		Hosts: []string{"api.hsrcpay.com"},

		Seed:       seed,
		Given:      given(),
		Owner:      func(_ *sims.Env, c sims.Credentials) string { return c["account_id"] },
		Credential: credential,
		Auth:       map[string]sims.AuthFunc{"bearerAuth": checkBearer},
		Ops: map[string]sims.Handler{
			"createWebhook": createWebhook,
			"listWebhooks":  listWebhooks,
		},
		Fail:         fail,
		Rule:         rule,
		Account:      func(c *sims.Call) string { return caller(c).Account },
		Refusals:     refusals(),
		NumericCodes: true,

		Webhooks: webhooks,
		Plant:    plant(),
		Delivery: &sims.Delivery{
			Environments: []string{"test", "live"},
			Payload:      payload,
			Targets:      targets,
			Endpoint:     endpoint,
			Sign:         sign,
		},

		Authorize:    authorize,
		Curl:         curl,
		Placeholders: map[string]string{"acct_6hJ3kW8zX1vB5nM2qT9rY4eU": "account_id"},
	}
}
