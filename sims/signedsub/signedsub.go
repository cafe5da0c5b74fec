// Package signedsub simulates the webhook subscriptions of Calypso: requests signed with HMAC-SHA512 in the headers Key
// and Sign, subscriptions with a key pair each, and blocking after too many failed deliveries.
//
// # Sources
//
// The Webhook API page the project was founded on, docs.calypso.finance and docs.calypso.money. The document
// specs/signedsub.yaml names the page of every behaviour.
//
// # Behaviour
//
// Every rule has an entry in the ledger of the document; code that obeys one names its id.
//
// # Assumptions
//
// Everything the ledger labels assumed. What a team may need the other way is a policy.
package signedsub

import (
	"strings"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/specs"
)

// New returns the provider.
func New() *sims.Sim {
	return &sims.Sim{
		Name:  "signedsub",
		Title: "Calypso (Key/Sign webhook subscriptions)",
		Spec:  specs.Document("signedsub"),
		Hosts: []string{"api.calypso.finance", "api.calypso.money"},

		Seed:       seed,
		Given:      given(),
		Owner:      func(_ *sims.Env, c sims.Credentials) string { return strings.ToLower(c["account"]) },
		Credential: credential,
		Auth:       map[string]sims.AuthFunc{"key": checkKey, "sign": checkSign},
		Check:      checkTimestamp,
		Ops: map[string]sims.Handler{
			"listSubscriptions":  listSubscriptions,
			"createSubscription": createSubscription,
			"changeSubscription": changeSubscription,
			"deleteSubscription": deleteSubscription,
			"regenerateApiKeys":  regenerateAPIKeys,
		},
		Fail:     fail,
		Rule:     rule,
		Account:  callerAccount,
		Refusals: refusals(),

		Webhooks: webhooks,
		Plant:    plant(),
		Delivery: &sims.Delivery{
			Payload:  payload,
			Encode:   encode,
			Targets:  targets,
			Endpoint: endpoint,
			Sign:     sign,
		},

		Authorize:    authorize,
		Curl:         curl,
		Placeholders: map[string]string{"0xc195df92dd9db2a8f28e597981f113d6e7582f8b": "account"},
	}
}
