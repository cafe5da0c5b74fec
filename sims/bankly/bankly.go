// Package bankly simulates the webhook configuration of Bankly (Acesso Soluções de Pagamento): OAuth2 bearer tokens with
// scopes, configurations that subscribe to one event each, the search of the messages sent, and sending them again.
//
// # Sources
//
// The page "Consulta de todas as configurações de webhooks" the project was founded on, docs.bankly.com.br (stable and
// v2) and public client code. The document specs/bankly.yaml names the page of every behaviour.
//
// # Behaviour
//
// Every rule has an entry in the ledger of the document; code that obeys one names its id.
//
// # Assumptions
//
// Everything the ledger labels assumed. What a team may need the other way is a policy.
package bankly

import (
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/specs"
)

// New returns the provider.
func New() *sims.Sim {
	return &sims.Sim{
		Name:  "bankly",
		Title: "Bankly (Acesso Soluções de Pagamento)",
		Spec:  specs.Document("bankly"),
		Hosts: []string{hostSandboxAPI, hostSandboxToken, hostSandboxBeforehand, hostAPI, hostToken},

		Seed:       seed,
		Given:      given(),
		Owner:      owner,
		Credential: credential,
		Admit:      admit,
		Auth:       map[string]sims.AuthFunc{"oauth2": checkToken},
		Headers:    checkVersion,
		Ops: map[string]sims.Handler{
			"issueToken":            issueToken,
			"listConfigurations":    listConfigurations,
			"createConfiguration":   createConfiguration,
			"getConfiguration":      getConfiguration,
			"updateConfiguration":   updateConfiguration,
			"deleteConfiguration":   deleteConfiguration,
			"enableConfiguration":   enableConfiguration,
			"disableConfiguration":  disableConfiguration,
			"listProcessedMessages": listProcessedMessages,
			"reprocessMessage":      reprocessMessage,
			"listBatches":           listBatches,
			"reprocessBatch":        reprocessBatch,
		},
		Fail:     fail,
		Rule:     rule,
		Finish:   finish,
		Account:  caller,
		Refusals: refusals(),
		Expire:   expire,

		Webhooks: webhooks,
		Plant:    plant(),
		Delivery: &sims.Delivery{
			Ordered:  true,
			Payload:  payload,
			Document: document,
			Targets:  targets,
			Endpoint: endpoint,
			Sign:     sign,
			Record:   record,
		},

		Authorize:    authorize,
		Curl:         curl,
		Placeholders: map[string]string{"8a5c1f0e-2b7d-4c39-9e61-0d4f7b3a6c52": "client_id"},
	}
}
