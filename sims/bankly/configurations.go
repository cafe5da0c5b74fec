package bankly

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The two states of a configuration.
const (
	enabled  = "Enabled"
	disabled = "Disabled"
)

// companyKey is the company of the ready-made credentials (company-scope).
const companyKey = "ACESSO"

// configuration is a stored webhook: one event to one address.
type configuration struct {
	ID         string    `json:"id"`
	Company    string    `json:"company"` // companyKey
	Name       string    `json:"name"`
	EventName  string    `json:"event_name"`
	Context    string    `json:"context"`
	URI        string    `json:"uri"`
	PrivateKey string    `json:"private_key"`
	PublicKey  string    `json:"public_key"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at,omitzero"`
	Status     string    `json:"status"`
}

// configurations holds them by id; of a company they are found by status, by event, and by event and address.
func configurations(tx sims.Tx) sims.Table[configuration] {
	return sims.TableOf(tx, "configurations", func(w configuration) []string {
		return []string{allKey(w.Company), statusKey(w.Company, w.Status), eventKey(w.Company, w.Context, w.EventName), addressKey(w)}
	})
}

func allKey(company string) string { return "all/" + company }

func statusKey(company, status string) string { return "status/" + company + "/" + status }

// eventKey quotes its parts: both are the client's free text.
func eventKey(company, context, eventName string) string {
	return "event/" + company + "/" + strconv.Quote(context) + strconv.Quote(eventName)
}

func addressKey(w configuration) string {
	return eventKey(w.Company, w.Context, w.EventName) + strconv.Quote(w.URI)
}

// shownConfiguration is what list and read show (private-key-hidden, updated-at).
type shownConfiguration struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	EventName string `json:"eventName"`
	Context   string `json:"context"`
	URI       string `json:"uri"`
	PublicKey string `json:"publicKey"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt,omitzero"`
	Status    string `json:"status"`
}

func wire(w configuration) shownConfiguration {
	shown := shownConfiguration{
		ID: w.ID, Name: w.Name, EventName: w.EventName, Context: w.Context, URI: w.URI, PublicKey: w.PublicKey,
		CreatedAt: localTime(w.CreatedAt), Status: w.Status,
	}
	if !w.UpdatedAt.IsZero() {
		shown.UpdatedAt = localTime(w.UpdatedAt)
	}
	return shown
}

// createdConfiguration is what a registration shows (create-response).
type createdConfiguration struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Context   string `json:"context"`
	EventName string `json:"eventName"`
	URI       string `json:"uri"`
	PublicKey string `json:"publicKey"`
}

func listConfigurations(c *sims.Call) (sims.Reply, error) {
	key := allKey(caller(c))
	if status := c.Query.Get("status"); status != "" {
		key = statusKey(caller(c), status)
	}
	p := pageOf(c)
	shown := []shownConfiguration{}
	for _, w := range configurations(c.Tx).Page(key, p.offset(), p.size) {
		shown = append(shown, wire(w))
	}
	// next-link: the address is /webhooks, which nothing serves.
	return p.reply(c, shown, configurations(c.Tx).Count(key), "/webhooks", "search_webhook"), nil
}

func createConfiguration(c *sims.Call) (sims.Reply, error) {
	w := configuration{Company: caller(c), Status: enabled, CreatedAt: c.Now}
	w.Name, w.EventName, w.Context = text(c, "name"), text(c, "eventName"), text(c, "context")
	w.URI, w.PrivateKey, w.PublicKey = text(c, "uri"), text(c, "privateKey"), text(c, "publicKey")
	if err := checkUnique(c, w); err != nil {
		return sims.Reply{}, err
	}
	w.ID = c.NewID("configuration").UUID()
	configurations(c.Tx).Put(w.ID, w)
	return sims.Reply{Status: statusOf(c, "created_status"), Body: single{
		Data: createdConfiguration{
			ID: w.ID, Name: w.Name, Context: w.Context, EventName: w.EventName, URI: w.URI, PublicKey: w.PublicKey,
		},
		Links: []link{{URL: linkBase + "/webhooks/configurations/" + w.ID, Rel: "get_webhook", Method: http.MethodGet}},
	}}, nil
}

func getConfiguration(c *sims.Call) (sims.Reply, error) {
	w, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	return sims.Reply{Status: http.StatusOK, Body: singleConfiguration(c, w)}, nil
}

// updateConfiguration replaces what was sent and keeps the rest (partial-update, unknown-fields).
func updateConfiguration(c *sims.Call) (sims.Reply, error) {
	if err := checkSent(c); err != nil {
		return sims.Reply{}, err
	}
	old, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	w := old
	for name, field := range map[string]*string{"privateKey": &w.PrivateKey, "publicKey": &w.PublicKey, "uri": &w.URI} {
		if sent, ok := c.Object()[name].(string); ok {
			*field = sent
		}
	}
	if w.URI != old.URI && c.Policies.Enum("unique_by") == uniqueByAddress {
		if err := checkUnique(c, w); err != nil {
			return sims.Reply{}, err
		}
	}
	return written(c, change(c, old, w)), nil
}

func enableConfiguration(c *sims.Call) (sims.Reply, error) { return toggle(c, enabled) }

func disableConfiguration(c *sims.Call) (sims.Reply, error) { return toggle(c, disabled) }

// toggle obeys toggle. What waits is looked at again: disabling drops or holds it, enabling lets it go
// (delivery-disabled-events).
func toggle(c *sims.Call, status string) (sims.Reply, error) {
	old, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	w := old
	w.Status = status
	if w != old {
		c.Effects.Release = append(c.Effects.Release, w.ID)
	}
	return written(c, change(c, old, w)), nil
}

// deleteConfiguration drops what waits and leaves the messages in the search (delete).
func deleteConfiguration(c *sims.Call) (sims.Reply, error) {
	w, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	configurations(c.Tx).Delete(w.ID)
	sims.HealthTable(c.Tx).Delete(w.ID)
	c.Effects.Release = append(c.Effects.Release, w.ID)
	return written(c, w), nil
}

// change stores what differs, with the time of it (updated-at).
func change(c *sims.Call, old, w configuration) configuration {
	if w == old {
		return old
	}
	w.UpdatedAt = c.Now
	configurations(c.Tx).Put(w.ID, w)
	return w
}

// find obeys unknown-object.
func find(c *sims.Call) (configuration, error) {
	w, ok := configurations(c.Tx).Get(c.Params["id"])
	if !ok || w.Company != caller(c) {
		return configuration{}, notFound("configuration", c.Params["id"], "the id of a configuration of this company")
	}
	return w, nil
}

// checkSent obeys partial-update: at least one of the fields, or all of them; others do not count (unknown-fields).
func checkSent(c *sims.Call) error {
	names := []string{"privateKey", "publicKey", "uri"}
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, sent := c.Object()[name]
		return sent
	})
	switch {
	case len(missing) == len(names):
		return nothingSent()
	case len(missing) > 0 && c.Policies.Enum("update_requires") == "all":
		return notAllSent(missing)
	default:
		return nil
	}
}

// uniqueByAddress is the value of policy unique_by under which the address belongs to the key.
const uniqueByAddress = "event_context_uri"

// checkUnique obeys duplicate and duplicate-key.
func checkUnique(c *sims.Call, w configuration) error {
	var key string
	switch c.Policies.Enum("unique_by") {
	case "event_context":
		key = eventKey(w.Company, w.Context, w.EventName)
	case uniqueByAddress:
		key = addressKey(w)
	default:
		return nil
	}
	if taken, ok := configurations(c.Tx).First(key); ok {
		return duplicate(taken)
	}
	return nil
}

func text(c *sims.Call, name string) string {
	s, _ := c.Object()[name].(string)
	return s
}

func webhooks(e *sims.Env) []sims.Webhook {
	var all []sims.Webhook
	for _, w := range configurations(e.Tx).All("") {
		health, _ := sims.HealthTable(e.Tx).Get(w.ID)
		state := sims.Active
		switch {
		case w.Status == disabled:
			state = sims.Disabled
		case health.Blocked:
			state = sims.Blocked
		}
		all = append(all, sims.Webhook{
			ID: w.ID, Account: w.Company, URL: w.URI, State: state, Events: []string{w.EventName},
			ErrorCount: health.ErrorCount, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt, Provider: wire(w),
		})
	}
	return all
}
