package bankly

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The states of a message (message-state). One that was never attempted nor held has none and is not found.
const (
	success = "Success"
	failed  = "Failed"
	held    = "Hold"
)

// message is an event on its way to a configuration, as the search knows it. It outlives both.
type message struct {
	ID             string    `json:"id"`
	Company        string    `json:"company"` // companyKey
	IdempotencyKey string    `json:"idempotency_key"`
	DeliveryID     string    `json:"delivery_id"`
	Configuration  string    `json:"configuration"`
	EventName      string    `json:"event_name"`
	Context        string    `json:"context"`
	State          string    `json:"state"`
	Destination    string    `json:"destination"`
	FoundAt        time.Time `json:"found_at,omitzero"` // of the latest attempt, or when it was held
	Earlier        int       `json:"earlier"`           // attempts before the latest sending
	RetryCount     int       `json:"retry_count"`
	EventCapture   int64     `json:"event_capture"` // nanoseconds
	HTTPCall       int64     `json:"http_call"`     // nanoseconds
	Sending        bool      `json:"sending"`       // attempts are to come
}

// messages holds them by delivery id, in the order of their events (list-order). They are found by idempotencyKey, and
// once they show by state, event and context, those of a company.
func messages(tx sims.Tx) sims.Table[message] {
	return sims.TableOf(tx, "messages", func(m message) []string {
		keys := []string{"key/" + m.IdempotencyKey}
		if m.State != "" {
			for _, key := range []string{shownKey, "state/" + m.State, "event/" + m.EventName, "context/" + m.Context} {
				keys = append(keys, m.Company+"/"+key)
			}
		}
		return keys
	})
}

const shownKey = "shown"

// messageID derives the ids of a message: one per event and configuration (delivery-idempotency-key).
func messageID(event sims.Event, webhookID, kind string) string {
	return sims.Derived(sha256.Sum256(slices.Concat(event.Seed[:], []byte(webhookID+"/"+kind)))).UUID()
}

func idempotencyKey(event sims.Event, webhookID string) string {
	return messageID(event, webhookID, "idempotencyKey")
}

// record keeps the message of a delivery up to date. One whose delivery is not kept any more is no longer known.
func record(e *sims.Env, r sims.DeliveryRecord) {
	if r.State == sims.DeliveryForgotten {
		messages(e.Tx).Delete(r.ID)
		return
	}
	m, known := messages(e.Tx).Get(r.ID)
	if !known {
		m = message{
			ID: messageID(r.Event, r.Endpoint.WebhookID, "id"), Company: cmp.Or(r.Endpoint.Account, r.Event.Account, companyKey),
			IdempotencyKey: idempotencyKey(r.Event, r.Endpoint.WebhookID),
			DeliveryID:     r.ID, Configuration: r.Endpoint.WebhookID, EventName: r.Event.Type, Context: r.Event.Group,
			Destination: r.Endpoint.URL,
		}
	}
	m = m.after(e, r)
	if m.State == "" && !m.Sending { // dropped without trace (delivery-disabled-events)
		messages(e.Tx).Delete(r.ID)
		return
	}
	messages(e.Tx).Put(r.ID, m)
}

// after returns the message as a change of its delivery leaves it.
func (m message) after(e *sims.Env, r sims.DeliveryRecord) message {
	sending := r.State == "pending"
	if sending && !m.Sending {
		m.Earlier = r.Attempts // a sending begins: its attempts are counted from here (message-times)
	}
	m.Sending = sending
	switch {
	case r.State == "held":
		m.State, m.FoundAt, m.Earlier = held, e.Now, r.Attempts
		m.RetryCount, m.EventCapture, m.HTTPCall = 0, 0, 0
	case r.Attempts > m.Earlier:
		m = m.attempted(r)
	}
	return m
}

// attempted returns the message after an attempt of its latest sending (message-state, retry-count, message-times).
func (m message) attempted(r sims.DeliveryRecord) message {
	if m.State == "" || m.State == held {
		m.EventCapture = max(r.LastAt.Sub(r.FirstAt).Nanoseconds(), 0)
	}
	m.State = failed
	if r.State == "delivered" {
		m.State = success
	}
	m.FoundAt, m.HTTPCall, m.RetryCount = r.LastAt, r.LastTook.Nanoseconds(), r.Attempts-m.Earlier-1
	if r.Endpoint.URL != "" { // it has none when the configuration is gone
		m.Destination = r.Endpoint.URL
	}
	return m
}

// shownMessage is a message as the search shows it (message-shape).
type shownMessage struct {
	ID                  string `json:"id"`
	IdempotencyKey      string `json:"idempotencyKey"`
	State               string `json:"state"`
	Destination         string `json:"destination"`
	SentDate            string `json:"sentDate,omitzero"`
	EventName           string `json:"eventName"`
	RetryCount          int    `json:"retryCount"`
	ElapsedEventCapture string `json:"elapsedEventCapture"`
	ElapsedHTTPCall     string `json:"elapsedHttpCall"`
	Context             string `json:"context"`
}

func wireMessage(m message) shownMessage {
	shown := shownMessage{
		ID: m.ID, IdempotencyKey: m.IdempotencyKey, State: m.State, Destination: m.Destination, EventName: m.EventName,
		RetryCount: m.RetryCount, ElapsedEventCapture: elapsed(time.Duration(m.EventCapture)), ElapsedHTTPCall: elapsed(time.Duration(m.HTTPCall)),
		Context: m.Context,
	}
	if m.State != held {
		shown.SentDate = localTime(m.FoundAt)
	}
	return shown
}

func listProcessedMessages(c *sims.Call) (sims.Reply, error) {
	days, err := searchPeriod(c, c.Query.Get("startDate"), c.Query.Get("endDate"))
	if err != nil {
		return sims.Reply{}, err
	}
	search := filter{company: caller(c), days: days, state: c.Query.Get("state"), context: c.Query.Get("context")}
	if name := c.Query.Get("eventName"); name != "" {
		search.eventNames = []string{name}
	}
	found, p := search.find(c.Tx), pageOf(c)
	shown := []shownMessage{}
	for _, m := range within(p, found) {
		shown = append(shown, wireMessage(m))
	}
	return p.reply(c, shown, len(found), "/webhooks/processed-messages", "search_processed_messages"), nil
}

// reprocessMessage obeys reprocess, reprocess-in-progress and reprocess-refused.
func reprocessMessage(c *sims.Call) (sims.Reply, error) {
	key := c.Params["idempotencyKey"]
	m, ok := messages(c.Tx).First("key/" + key)
	switch {
	case !ok || m.Company != caller(c):
		return sims.Reply{}, notFound("idempotencyKey", key, "the idempotencyKey of a message of this company")
	case m.Sending:
		return sims.Reply{}, stillSending(key)
	case !reachable(c.Tx, m):
		return sims.Reply{}, unreachable(m)
	}
	c.Effects.Redeliver = append(c.Effects.Redeliver, m.DeliveryID)
	return sims.Reply{Status: statusOf(c, "reprocess_status")}, nil
}

// reachable says whether the configuration of a message is there and enabled.
func reachable(tx sims.Tx, m message) bool {
	w, ok := configurations(tx).Get(m.Configuration)
	return ok && w.Status == enabled
}

// filter selects messages; what is empty does not filter (message-filters, batch-request).
type filter struct {
	company    string
	days       period
	state      string
	context    string
	eventNames []string
}

// find returns the selected messages in the order of their events. It looks only at those under the rarest index key.
func (f filter) find(tx sims.Tx) []message {
	all := messages(tx)
	rarest := slices.MinFunc(f.keys(), func(a, b string) int { return all.Count(a) - all.Count(b) })
	return slices.DeleteFunc(all.All(rarest), func(m message) bool { return !f.matches(m) })
}

func (f filter) keys() []string {
	keys := []string{shownKey}
	if f.state != "" {
		keys = append(keys, "state/"+f.state)
	}
	if f.context != "" {
		keys = append(keys, "context/"+f.context)
	}
	if len(f.eventNames) == 1 {
		keys = append(keys, "event/"+f.eventNames[0])
	}
	for i := range keys {
		keys[i] = f.company + "/" + keys[i]
	}
	return keys
}

func (f filter) matches(m message) bool {
	return f.days.contains(m.FoundAt) &&
		(f.state == "" || f.state == m.State) &&
		(f.context == "" || f.context == m.Context) &&
		(len(f.eventNames) == 0 || slices.Contains(f.eventNames, m.EventName))
}
