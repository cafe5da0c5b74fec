package signedsub

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// subscription is a stored webhook.
type subscription struct {
	RequestID string    `json:"request_id"`
	Account   string    `json:"account"` // lower case
	URL       string    `json:"url"`
	Types     []string  `json:"types"`
	Services  []string  `json:"services"`
	Events    []string  `json:"events"` // the types asked for, then those of the chosen groups, each once
	PublicKey string    `json:"public_key"`
	SecretKey string    `json:"secret_key"`
	CreatedAt time.Time `json:"created_at"`
}

// subscriptions holds them by requestId, which is also the id of the webhook; they are found by account, and by account
// and event type.
func subscriptions(tx sims.Tx) sims.Table[subscription] {
	return sims.TableOf(tx, "subscriptions", func(s subscription) []string {
		keys := []string{accountKey(s.Account)}
		for _, eventType := range s.Events {
			keys = append(keys, eventKey(s.Account, eventType))
		}
		return keys
	})
}

func accountKey(account string) string { return "account/" + account }

func eventKey(account, eventType string) string { return "event/" + account + "/" + eventType }

// channel is a subscription as the provider answers it (channel-object).
type channel struct {
	RequestID           string   `json:"requestId"`
	NotificationTypes   []string `json:"notificationEventTypes"`
	URL                 string   `json:"url"`
	PublicKey           string   `json:"publicKey"`
	SecretKey           string   `json:"secretKey"`
	CreatedDate         string   `json:"createdDate"`
	Enabled             bool     `json:"enabled"`
	BlockedByErrorCount bool     `json:"blockedByErrorCount"`
	ErrorCount          int      `json:"errorCount"`
	ErrorFirstDate      any      `json:"errorFirstDate,omitzero"`
	ErrorLastDate       any      `json:"errorLastDate,omitzero"`
}

type channelList struct {
	Subscriptions []channel `json:"subscriptions"`
}

// wire renders a subscription with the state of its deliveries.
func wire(e *sims.Env, s subscription) channel {
	health, _ := sims.HealthTable(e.Tx).Get(s.RequestID)
	return channel{
		RequestID: s.RequestID, NotificationTypes: shownTypes(e, s), URL: s.URL, PublicKey: s.PublicKey, SecretKey: s.SecretKey,
		CreatedDate: date(s.CreatedAt), Enabled: true, BlockedByErrorCount: health.Blocked, ErrorCount: health.ErrorCount,
		ErrorFirstDate: errorDate(e, health.ErrorFirstAt), ErrorLastDate: errorDate(e, health.ErrorLastAt),
	}
}

// errorDate obeys error-dates: text, a nil pointer for null, or nil for no member at all.
func errorDate(e *sims.Env, at time.Time) any {
	if !at.IsZero() {
		return date(at)
	}
	switch e.Policies.Enum("error_dates") {
	case "absent":
		return nil
	case "epoch":
		return date(time.UnixMilli(0))
	default:
		return (*string)(nil)
	}
}

// shownTypes obeys service-types-echo.
func shownTypes(e *sims.Env, s subscription) []string {
	if e.Policies.Enum("service_types_echo") == "omit" {
		return s.Types
	}
	return s.Events
}

func listSubscriptions(c *sims.Call) (sims.Reply, error) {
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	list := channelList{}
	for _, s := range subscriptions(c.Tx).All(accountKey(account)) {
		list.Subscriptions = append(list.Subscriptions, wire(c.Env, s))
	}
	return sims.Reply{Status: http.StatusOK, Body: list}, nil
}

func createSubscription(c *sims.Call) (sims.Reply, error) {
	if err := checkEventTypes(c); err != nil {
		return sims.Reply{}, err
	}
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	if err := checkUnused(c, requestID(c)); err != nil {
		return sims.Reply{}, err
	}
	s := subscription{RequestID: requestID(c), Account: account, CreatedAt: c.Now}
	fill(c, &s)
	newKeys(c, &s)
	return save(c, s)
}

func changeSubscription(c *sims.Call) (sims.Reply, error) {
	if err := checkEventTypes(c); err != nil {
		return sims.Reply{}, err
	}
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	s, err := find(c, account)
	if err != nil {
		return sims.Reply{}, err
	}
	fill(c, &s)
	return save(c, s)
}

func deleteSubscription(c *sims.Call) (sims.Reply, error) {
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	s, err := find(c, account)
	if err != nil {
		return sims.Reply{}, err
	}
	subscriptions(c.Tx).Delete(s.RequestID)
	sims.HealthTable(c.Tx).Delete(s.RequestID)
	c.Effects.Release = append(c.Effects.Release, s.RequestID) // they find it gone (delivery-after-delete)
	if !c.Policies.Bool("reuse_deleted_request_id") {
		usedIDs(c.Tx).Put(s.RequestID, true)
	}
	return sims.Reply{Status: http.StatusOK}, nil
}

// regenerateAPIKeys has no account to check: the subscription may belong to any of the client's (regenerate-immediate).
func regenerateAPIKeys(c *sims.Call) (sims.Reply, error) {
	s, err := find(c, caller(c).Accounts...)
	if err != nil {
		return sims.Reply{}, err
	}
	newKeys(c, &s)
	return save(c, s)
}

// save stores a subscription and answers with it.
func save(c *sims.Call, s subscription) (sims.Reply, error) {
	subscriptions(c.Tx).Put(s.RequestID, s)
	return sims.Reply{Status: http.StatusOK, Body: wire(c.Env, s)}, nil
}

// checkAccount obeys unknown-account.
func checkAccount(c *sims.Call) (string, error) {
	account, _ := c.Object()["account"].(string)
	account = strings.ToLower(account)
	if !slices.Contains(caller(c).Accounts, account) {
		return "", notFound(c, "unknown-account", "account "+account, "one of "+strings.Join(caller(c).Accounts, ", "))
	}
	return account, nil
}

// find obeys unknown-object: the subscription must belong to one of these accounts.
func find(c *sims.Call, accounts ...string) (subscription, error) {
	s, ok := subscriptions(c.Tx).Get(requestID(c))
	if !ok || !slices.Contains(accounts, s.Account) {
		return subscription{}, notFound(c, "unknown-object", "requestId "+requestID(c),
			"the requestId of a subscription of account "+strings.Join(accounts, " or "))
	}
	return s, nil
}

func payloadOf(c *sims.Call) map[string]any {
	body, _ := c.Decoded() // a script refuses before the body is looked at
	object, _ := body.(map[string]any)
	p, _ := object["payload"].(map[string]any)
	return p
}

// requestID is in lower case, as it is stored and answered (request-id-format).
func requestID(c *sims.Call) string {
	id, _ := payloadOf(c)["requestId"].(string)
	return strings.ToLower(id)
}

// fill takes url and both lists from the payload; what it leaves out is cleared (change-replaces).
func fill(c *sims.Call, s *subscription) {
	p := payloadOf(c)
	s.URL, _ = p["url"].(string)
	s.Types, s.Services = texts(p["notificationEventTypes"]), texts(p["notificationServiceTypes"])
	s.Events = slices.Clone(s.Types)
	for _, t := range c.Catalogue {
		if slices.Contains(s.Services, t.Group) && !slices.Contains(s.Types, t.Type) {
			s.Events = append(s.Events, t.Type)
		}
	}
}

// checkEventTypes obeys event-types-required and unknown-event-type.
func checkEventTypes(c *sims.Call) error {
	var asked subscription
	fill(c, &asked)
	if len(asked.Types)+len(asked.Services) == 0 && !c.Policies.Bool("allow_no_event_types") {
		return badRequest("event-types-required", "neither event types nor service types", "at least one of either")
	}
	if c.Policies.Enum("unknown_event_types") == "accept" {
		return nil
	}
	for _, name := range asked.Types {
		if !slices.ContainsFunc(c.Catalogue, func(known sims.EventType) bool { return known.Type == name }) {
			return badRequest("unknown-event-type", "notificationEventTypes with "+sims.Excerpt(name, 100), c.WantEvent(name))
		}
	}
	return nil
}

// texts returns the strings of a decoded array, each once.
func texts(v any) []string {
	items, _ := v.([]any)
	list := make([]string, 0, len(items))
	for _, item := range items {
		if s, ok := item.(string); ok && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// usedIDs remembers the ids of deleted subscriptions where they may not be used again (request-id-reuse).
func usedIDs(tx sims.Tx) sims.Table[bool] { return sims.TableOf[bool](tx, "used ids", nil) }

func checkUnused(c *sims.Call, requestID string) error {
	_, exists := subscriptions(c.Tx).Get(requestID)
	_, used := usedIDs(c.Tx).Get(requestID)
	switch {
	case exists:
		return duplicate("duplicate-request-id", requestID)
	case used && !c.Policies.Bool("reuse_deleted_request_id"):
		return duplicate("request-id-reuse", requestID)
	}
	return nil
}

// newKeys obeys key-format.
func newKeys(c *sims.Call, s *subscription) {
	pair := c.NewID("channel keys")
	s.PublicKey, s.SecretKey = pair.Hex(32), pair.Hex(64)[32:]
}

func webhooks(e *sims.Env) []sims.Webhook {
	stored := subscriptions(e.Tx).All("")
	all := make([]sims.Webhook, len(stored))
	for i, s := range stored {
		answered := wire(e, s)
		all[i] = sims.Webhook{
			ID: s.RequestID, Account: s.Account, URL: s.URL, State: sims.Active, Events: s.Events,
			ErrorCount: answered.ErrorCount, CreatedAt: s.CreatedAt, Provider: answered,
		}
		if answered.BlockedByErrorCount {
			all[i].State = sims.Blocked
		}
	}
	return all
}
