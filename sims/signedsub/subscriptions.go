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
	Client    string    `json:"client"`  // the public key of the client that made it
	Account   string    `json:"account"` // lower case
	URL       string    `json:"url"`
	Types     []string  `json:"types"`
	Services  []string  `json:"services"`
	PublicKey string    `json:"public_key"`
	SecretKey string    `json:"secret_key"`
	CreatedAt time.Time `json:"created_at"`
}

// subscriptions holds them by client and requestId; they are found by account.
func subscriptions(tx sims.Tx) sims.Table[subscription] {
	return sims.TableOf(tx, "subscriptions", func(s subscription) []string { return []string{"account/" + s.Account} })
}

func (s subscription) id() string { return s.Client + "/" + s.RequestID }

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
	ErrorFirstDate      *string  `json:"errorFirstDate"`
	ErrorLastDate       *string  `json:"errorLastDate"`
}

// channelWithoutDates is what error-dates allows with the policy on absent.
type channelWithoutDates struct {
	RequestID           string   `json:"requestId"`
	NotificationTypes   []string `json:"notificationEventTypes"`
	URL                 string   `json:"url"`
	PublicKey           string   `json:"publicKey"`
	SecretKey           string   `json:"secretKey"`
	CreatedDate         string   `json:"createdDate"`
	Enabled             bool     `json:"enabled"`
	BlockedByErrorCount bool     `json:"blockedByErrorCount"`
	ErrorCount          int      `json:"errorCount"`
	ErrorFirstDate      *string  `json:"errorFirstDate,omitzero"`
	ErrorLastDate       *string  `json:"errorLastDate,omitzero"`
}

type channelList struct {
	Subscriptions []any `json:"subscriptions"`
}

// wire renders a subscription with the state of its deliveries.
func wire(e *sims.Env, s subscription) any {
	health, _ := sims.HealthTable(e.Tx).Get(s.id())
	dates := e.Policies.Enum("error_dates")
	c := channel{
		RequestID: s.RequestID, NotificationTypes: shownTypes(e, s), URL: s.URL, PublicKey: s.PublicKey, SecretKey: s.SecretKey,
		CreatedDate: date(s.CreatedAt), Enabled: true, BlockedByErrorCount: health.Blocked, ErrorCount: health.ErrorCount,
		ErrorFirstDate: errorDate(health.ErrorFirstAt, dates), ErrorLastDate: errorDate(health.ErrorLastAt, dates),
	}
	if dates == "absent" {
		return channelWithoutDates(c)
	}
	return c
}

func errorDate(at time.Time, policy string) *string {
	if at.IsZero() && policy != "epoch" {
		return nil
	}
	if at.IsZero() {
		at = time.UnixMilli(0)
	}
	shown := date(at)
	return &shown
}

// shownTypes obeys service-types-echo.
func shownTypes(e *sims.Env, s subscription) []string {
	shown := slices.Clone(s.Types)
	if e.Policies.Enum("service_types_echo") == "omit" {
		return shown
	}
	for _, t := range e.Catalogue {
		if slices.Contains(s.Services, t.Group) && !slices.Contains(shown, t.Type) {
			shown = append(shown, t.Type)
		}
	}
	return shown
}

func listSubscriptions(c *sims.Call) (sims.Reply, error) {
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	list := channelList{Subscriptions: []any{}}
	for _, s := range subscriptions(c.Tx).All("account/" + account) {
		list.Subscriptions = append(list.Subscriptions, wire(c.Env, s))
	}
	return sims.Reply{Status: http.StatusOK, Body: list}, nil
}

func createSubscription(c *sims.Call) (sims.Reply, error) {
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	s := subscription{Client: caller(c).Key, Account: account, RequestID: requestID(c), CreatedAt: c.Now}
	if err := fill(c, &s); err != nil {
		return sims.Reply{}, err
	}
	if err := checkUnused(c, s); err != nil {
		return sims.Reply{}, err
	}
	newKeys(c, &s)
	subscriptions(c.Tx).Put(s.id(), s)
	return sims.Reply{Status: http.StatusOK, Body: wire(c.Env, s)}, nil
}

func changeSubscription(c *sims.Call) (sims.Reply, error) {
	account, err := checkAccount(c)
	if err != nil {
		return sims.Reply{}, err
	}
	s, err := find(c, account)
	if err != nil {
		return sims.Reply{}, err
	}
	if err := fill(c, &s); err != nil {
		return sims.Reply{}, err
	}
	subscriptions(c.Tx).Put(s.id(), s)
	return sims.Reply{Status: http.StatusOK, Body: wire(c.Env, s)}, nil
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
	subscriptions(c.Tx).Delete(s.id())
	sims.HealthTable(c.Tx).Delete(s.id())
	if !c.Policies.Bool("reuse_deleted_request_id") {
		usedIDs(c.Tx).Put(s.id(), true)
	}
	return sims.Reply{Status: http.StatusOK}, nil
}

// regenerateAPIKeys has no account to check: the subscription may belong to any of the client's (regenerate-immediate).
func regenerateAPIKeys(c *sims.Call) (sims.Reply, error) {
	s, err := find(c, "")
	if err != nil {
		return sims.Reply{}, err
	}
	newKeys(c, &s)
	subscriptions(c.Tx).Put(s.id(), s)
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

// find obeys unknown-object. account "" accepts any account of the caller.
func find(c *sims.Call, account string) (subscription, error) {
	id := caller(c).Key + "/" + requestID(c)
	s, ok := subscriptions(c.Tx).Get(id)
	if !ok || account != "" && s.Account != account {
		return subscription{}, notFound(c, "unknown-object", "requestId "+requestID(c), "the requestId of a subscription of this client and account")
	}
	return s, nil
}

func payloadOf(c *sims.Call) map[string]any {
	p, _ := c.Object()["payload"].(map[string]any)
	return p
}

// requestID is in lower case, as it is stored and answered (request-id-format).
func requestID(c *sims.Call) string {
	id, _ := payloadOf(c)["requestId"].(string)
	return strings.ToLower(id)
}

// fill takes url and both lists from the payload; what it leaves out is cleared (change-replaces).
func fill(c *sims.Call, s *subscription) error {
	p := payloadOf(c)
	s.URL, _ = p["url"].(string)
	s.Types, s.Services = texts(p["notificationEventTypes"]), texts(p["notificationServiceTypes"])
	if len(s.Types)+len(s.Services) == 0 && !c.Policies.Bool("allow_no_event_types") {
		return badRequest("event-types-required", "neither event types nor service types", "at least one of either")
	}
	for _, t := range s.Types {
		if !slices.ContainsFunc(c.Catalogue, func(known sims.EventType) bool { return known.Type == t }) &&
			c.Policies.Enum("unknown_event_types") == "reject" {
			return badRequest("unknown-event-type", t, "a type of the event catalogue")
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

func checkUnused(c *sims.Call, s subscription) error {
	_, exists := subscriptions(c.Tx).Get(s.id())
	_, used := usedIDs(c.Tx).Get(s.id())
	if exists || used {
		return duplicate(s.RequestID)
	}
	return nil
}

// newKeys obeys key-format.
func newKeys(c *sims.Call, s *subscription) {
	pair := c.NewID("channel keys")
	s.PublicKey, s.SecretKey = pair.Hex(32), pair.Hex(64)[32:]
}

func webhooks(e *sims.Env) []sims.Webhook {
	var all []sims.Webhook
	for _, s := range subscriptions(e.Tx).All("") {
		health, _ := sims.HealthTable(e.Tx).Get(s.id())
		w := sims.Webhook{
			ID: s.id(), Account: s.Account, URL: s.URL, State: sims.Active, Events: shownTypes(e, s),
			ErrorCount: health.ErrorCount, CreatedAt: s.CreatedAt, Provider: wire(e, s),
		}
		if health.Blocked {
			w.State = sims.Blocked
		}
		all = append(all, w)
	}
	return all
}
