package hsrcpay

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// webhook is a stored webhook.
type webhook struct {
	ID        string    `json:"id"`
	N         uint64    `json:"n"` // order of creation
	Account   string    `json:"account"`
	Mode      string    `json:"mode"` // test or live
	Endpoint  string    `json:"endpoint"`
	Events    []string  `json:"events"` // as sent
	Secret    string    `json:"secret"`
	CreatedAt time.Time `json:"created_at"`
}

// hooks holds them by id; they are found by data set and account, and by these and an entry of their events.
func hooks(tx sims.Tx) sims.Table[webhook] {
	return sims.TableOf(tx, "webhooks", func(w webhook) []string {
		keys := []string{hookKey(w.Mode, w.Account)}
		for _, entry := range w.Events {
			if key := entryKey(w.Mode, w.Account, entry); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		return keys
	})
}

func hookKey(mode, account string) string { return mode + "/" + account }

func entryKey(mode, account, entry string) string { return hookKey(mode, account) + "/" + entry }

// hook is a webhook as the provider answers it (webhook-object, secret-shown).
type hook struct {
	Object    string   `json:"object"`
	ID        string   `json:"id"`
	AccountID string   `json:"account_id"`
	Endpoint  string   `json:"endpoint"`
	Events    []string `json:"enabled_events"`
	Secret    string   `json:"secret"`
	CreatedAt *string  `json:"created_at"`
	UpdatedAt *string  `json:"updated_at"`
}

func wire(e *sims.Env, w webhook) hook {
	at := timestamp(e, w.CreatedAt)
	return hook{
		Object: "webhook", ID: w.ID, AccountID: w.Account, Endpoint: w.Endpoint, Events: w.Events, Secret: w.Secret,
		CreatedAt: at, UpdatedAt: at,
	}
}

// timestamp obeys timestamps.
func timestamp(e *sims.Env, at time.Time) *string {
	if e.Policies.Enum("timestamps") == "null" {
		return nil
	}
	text := date(at)
	return &text
}

func createWebhook(c *sims.Call) (sims.Reply, error) {
	w := requested(c)
	if err := checkEvents(c, w.Events); err != nil {
		return sims.Reply{}, err
	}
	if err := checkHTTPS(c, w.Endpoint); err != nil {
		return sims.Reply{}, err
	}
	if err := checkAccount(c); err != nil {
		return sims.Reply{}, err
	}
	first, err := findReply(c)
	if first != nil || err != nil {
		return replay(first), err
	}
	w.ID, w.N, w.CreatedAt = "wh_"+c.NewID("webhook").Alphanumeric(24), c.Tx.Next("webhook order"), c.Now
	if w.Secret == "" {
		w.Secret = "whsec_" + c.NewID("webhook secret").Alphanumeric(32) // secret-generated
	}
	hooks(c.Tx).Put(w.ID, w)
	return keepReply(c, sims.Reply{Status: createdStatus(c), Body: success(wire(c.Env, w))})
}

func listWebhooks(c *sims.Call) (sims.Reply, error) {
	if err := checkAccount(c); err != nil {
		return sims.Reply{}, err
	}
	list := []hook{}
	for _, w := range hooks(c.Tx).All(hookKey(caller(c).Mode, caller(c).Account)) {
		list = append(list, wire(c.Env, w))
	}
	return sims.Reply{Status: http.StatusOK, Body: success(list)}, nil
}

// requested is the webhook a valid body asks for; other properties are left where they are (extra-properties).
func requested(c *sims.Call) webhook {
	w := webhook{Account: caller(c).Account, Mode: caller(c).Mode, Events: []string{}}
	w.Endpoint, _ = c.Object()["endpoint"].(string)
	w.Secret, _ = c.Object()["secret"].(string)
	events, _ := c.Object()["enabled_events"].([]any)
	for _, event := range events {
		name, _ := event.(string)
		w.Events = append(w.Events, name)
	}
	return w
}

// checkEvents obeys unknown-event.
func checkEvents(c *sims.Call, names []string) error {
	if c.Policies.Enum("unknown_events") == "accept" {
		return nil
	}
	var unknown []int
	for i, name := range names {
		known := func(t sims.EventType) bool { return slices.Contains(entriesFor(c.Env, t.Type), name) }
		if !slices.ContainsFunc(c.Catalogue, known) {
			unknown = append(unknown, i)
		}
	}
	if len(unknown) > 0 {
		return unknownEvents(c.Env, names, unknown)
	}
	return nil
}

// entriesFor lists the entries that ask for an event type (delivery-matching, delivery-wildcards).
func entriesFor(e *sims.Env, eventType string) []string {
	entries := []string{eventType}
	if !e.Policies.Bool("event_wildcards") {
		return entries
	}
	for at, r := range eventType {
		if r == '.' {
			entries = append(entries, eventType[:at]+".*")
		}
	}
	return append(entries, "*")
}

// checkHTTPS obeys https-in-live.
func checkHTTPS(c *sims.Call, endpoint string) error {
	secure := strings.HasPrefix(strings.ToLower(endpoint), "https:")
	if secure || caller(c).Mode == test || !c.Policies.Bool("live_requires_https") {
		return nil
	}
	return httpsRequired(endpoint)
}

// checkAccount obeys account-default and unknown-account.
func checkAccount(c *sims.Call) error {
	account := c.Query.Get("account_id")
	if account == "" || account == caller(c).Account {
		return nil
	}
	return wrongAccount(c, account)
}

// createdStatus obeys created-status.
func createdStatus(c *sims.Call) int {
	status, _ := strconv.Atoi(c.Policies.Enum("created_status"))
	return status
}

func webhooks(e *sims.Env) []sims.Webhook {
	var all []sims.Webhook
	for _, w := range hooks(e.Tx).All("") {
		health, _ := sims.HealthTable(e.Tx).Get(w.ID)
		neutral := sims.Webhook{
			ID: w.ID, Account: w.Account, URL: w.Endpoint, State: sims.Active, Events: w.Events,
			ErrorCount: health.ErrorCount, CreatedAt: w.CreatedAt, UpdatedAt: w.CreatedAt, Provider: wire(e, w),
		}
		if health.Blocked {
			neutral.State = sims.Blocked
		}
		all = append(all, neutral)
	}
	return all
}
