package bitpay

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The states of a webhook (status-values), and the documented alias of the first (status-alias).
const (
	statusActive   = 10
	statusDisabled = 20
	statusDeleted  = 30
	statusOne      = 1
)

// webhook is a stored webhook.
type webhook struct {
	ID        string    `json:"id"`
	Account   string    `json:"account"`
	EventType string    `json:"event_type"`
	URL       string    `json:"url"`
	Status    int       `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// hooks holds them by id; they are found by account, with or without status, and by what they listen to.
func hooks(tx sims.Tx) sims.Table[webhook] {
	return sims.TableOf(tx, "webhooks", func(w webhook) []string {
		keys := []string{allKey(w.Account), statusKey(w.Status, w.Account)}
		if w.Status != statusDeleted {
			keys = append(keys, keptKey(w.Account))
		}
		if w.Status == statusActive {
			keys = append(keys, listenerKey(w.EventType, w.Account))
		}
		return keys
	})
}

func allKey(account string) string  { return "all/" + account }
func keptKey(account string) string { return "kept/" + account }
func statusKey(status int, account string) string {
	return "status/" + strconv.Itoa(status) + "/" + account
}

func listenerKey(eventType, account string) string { return "listener/" + eventType + "/" + account }

// webhookData is a webhook as the provider answers it (webhook-format).
type webhookData struct {
	WebhookID string `json:"webhookId"`
	EventType string `json:"eventType"`
	URL       string `json:"url"`
	Status    int    `json:"status"`
	PublicKey string `json:"publicKey"`
}

func wire(w webhook) webhookData {
	return webhookData{WebhookID: w.ID, EventType: w.EventType, URL: w.URL, Status: w.Status, PublicKey: environmentKey().public}
}

// checkEventType obeys event-type-stable-coin. It runs before the schema, because eventType is the first parameter.
func checkEventType(c *sims.Call) error {
	if eventType := text(c, "eventType"); c.Operation == "createWebhook" && !offered(c.Env, eventType) {
		return invalid("event-type-stable-coin", "eventType", eventType, "another event type, or policy stable_coin_event_type on")
	}
	return nil
}

func offered(e *sims.Env, eventType string) bool {
	return eventType != "STABLE_COIN_PAYMENT_WEBHOOK" || e.Policies.Bool("stable_coin_event_type")
}

func text(c *sims.Call, name string) string {
	value, _ := c.Object()[name].(string)
	return value
}

func createWebhook(c *sims.Call) (sims.Reply, error) {
	w := webhook{
		Account: caller(c), EventType: text(c, "eventType"), URL: text(c, "url"), Status: statusActive, CreatedAt: c.Now,
	}
	if err := checkRepeated(c, w); err != nil {
		return sims.Reply{}, err
	}
	w.ID = c.NewID("webhook").UUIDHex()
	hooks(c.Tx).Put(w.ID, w)
	submitted(c, w)
	return success(wire(w)), nil
}

// submits remembers when each request to create was last granted. The webhook itself does not tell: updateWebhook
// may have changed its url since (duplicate-window).
func submits(tx sims.Tx) sims.Table[time.Time] { return sims.TableOf[time.Time](tx, submitsTable, nil) }

const submitsTable = "submits"

func (w webhook) submit() string { return w.Account + " " + w.EventType + " " + w.URL }

// submitted remembers a granted request, as the newest.
func submitted(c *sims.Call, w webhook) {
	submits(c.Tx).Delete(w.submit())
	sims.DropOver(c.Tx, submitsTable, "", func(id string) bool {
		oldest, _ := submits(c.Tx).Get(id)
		return c.Now.Sub(oldest) >= c.Policies.Duration("duplicate_window")
	})
	submits(c.Tx).Put(w.submit(), c.Now)
}

// checkRepeated obeys duplicate and duplicate-window.
func checkRepeated(c *sims.Call, w webhook) error {
	before, ok := submits(c.Tx).Get(w.submit())
	if !ok || !c.Policies.Bool("duplicate_check") {
		return nil
	}
	age, window := c.Now.Sub(before), c.Policies.Duration("duplicate_window")
	if age >= 0 && age < window { // below 0 the clock was set back
		return repeated(fmt.Sprintf("the same eventType and url as %v ago", age),
			fmt.Sprintf("another request, or this one %v later on the world clock (advance it), or policy bitpay.duplicate_check off", window-age))
	}
	return nil
}

// listWebhooks obeys list-array, list-status and list-without-status.
func listWebhooks(c *sims.Call) (sims.Reply, error) {
	key := allKey(caller(c))
	if c.Query.Has("status") {
		status, err := strconv.Atoi(c.Query.Get("status"))
		if err != nil {
			return sims.Reply{}, fmt.Errorf("the schema let a status pass that is no number: %w", err)
		}
		key = statusKey(status, caller(c))
	} else if c.Policies.Enum("list_without_status") == "not_deleted" {
		key = keptKey(caller(c))
	}
	list := []webhookData{}
	for _, w := range hooks(c.Tx).All(key) {
		list = append(list, wire(w))
	}
	return success(list), nil
}

// updateWebhook obeys status-put, status-alias, status-optional and update-effect.
func updateWebhook(c *sims.Call) (sims.Reply, error) {
	w, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	w.URL, w.UpdatedAt = text(c, "url"), c.Now
	sent, given := c.Object()["status"].(float64)
	if given {
		w.Status = int(sent)
	}
	if w.Status == statusOne {
		w.Status = statusActive
	}
	save(c, w)
	shown := wire(w)
	if given && c.Policies.Enum("status_echo") == "literal" {
		shown.Status = int(sent)
	}
	return success(shown), nil
}

type deleteData struct {
	Result bool `json:"result"`
}

// deleteWebhook obeys delete-result: the webhook stays listed.
func deleteWebhook(c *sims.Call) (sims.Reply, error) {
	w, err := find(c)
	if err != nil {
		return sims.Reply{}, err
	}
	w.Status, w.UpdatedAt = statusDeleted, c.Now
	save(c, w)
	return success(deleteData{Result: true}), nil
}

// save stores a changed webhook. What waits is looked at again: one that is not active loses it (delivery-pending-disabled).
func save(c *sims.Call, w webhook) {
	hooks(c.Tx).Put(w.ID, w)
	c.Effects.Release = append(c.Effects.Release, w.ID)
}

// find obeys unknown-webhook and deleted-webhook.
func find(c *sims.Call) (webhook, error) {
	id := c.Params["webhookId"]
	w, ok := hooks(c.Tx).Get(id)
	if !ok || w.Account != caller(c) {
		return webhook{}, invalid("unknown-webhook", "webhookId", id, "the id of a webhook of this account")
	}
	if w.Status == statusDeleted {
		return webhook{}, invalid("deleted-webhook", "webhookId", id+", which was deleted", "the id of a webhook that is not deleted")
	}
	return w, nil
}

func webhooks(e *sims.Env) []sims.Webhook {
	var all []sims.Webhook
	for _, w := range hooks(e.Tx).All("") {
		health, _ := sims.HealthTable(e.Tx).Get(w.ID)
		all = append(all, sims.Webhook{
			ID: w.ID, Account: w.Account, URL: w.URL, State: state(w, health), Events: []string{w.EventType},
			ErrorCount: health.ErrorCount, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt, Provider: wire(w),
		})
	}
	return all
}

func state(w webhook, health sims.Health) string {
	switch {
	case w.Status == statusDeleted:
		return sims.Deleted
	case w.Status == statusDisabled:
		return sims.Disabled
	case health.Blocked:
		return sims.Blocked
	}
	return sims.Active
}
