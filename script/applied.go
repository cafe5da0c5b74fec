package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
)

// Applied is what came of a scenario that was put into a sandbox.
type Applied struct {
	Title     string                                  `json:"title"`
	Webhooks  map[string]WebhookName                  `json:"webhooks"`      // by name in the scenario
	Receivers map[string]string                       `json:"receivers"`     // name → URL
	Accounts  map[string]map[string]map[string]string `json:"accounts"`      // account → sim → credentials
	Rules     []string                                `json:"rules"`         // their names
	Kept      bool                                    `json:"kept,omitzero"` // the sandbox was made with it: a reset puts it in again
	Digest    string                                  `json:"digest"`        // the same for the same world (see Scenario.Digest)
}

// WebhookName is a webhook that a scenario made.
type WebhookName struct {
	Sim string `json:"sim"`
	ID  string `json:"id"`
}

// Digest tells worlds apart: it is the same for scenarios with the same accounts, states, receivers, webhooks, deliveries, rules,
// timeline and params. Seed, clock and policies do not count, which are the sandbox's, nor steps and cases.
func (s Scenario) Digest() string {
	s.About, s.Include, s.Cases, s.Steps = "", nil, nil, nil
	s.Seed, s.Origin, s.Clock, s.Policies = nil, "", nil, nil
	data, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		data = fmt.Append(nil, s) // what is no JSON came from Go
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
