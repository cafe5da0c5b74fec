package script

// Applied is what came of a scenario that was put into a sandbox.
type Applied struct {
	Title     string                                  `json:"title"`
	Webhooks  map[string]WebhookName                  `json:"webhooks"`  // by name in the scenario
	Receivers map[string]string                       `json:"receivers"` // name → URL
	Accounts  map[string]map[string]map[string]string `json:"accounts"`  // account → sim → credentials
	Rules     []string                                `json:"rules"`     // their names
}

// WebhookName is a webhook that a scenario made.
type WebhookName struct {
	Sim string `json:"sim"`
	ID  string `json:"id"`
}
