package bankly

import (
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// batch is a request to send many messages again.
type batch struct {
	ID         string    `json:"id"`
	Company    string    `json:"company"` // companyKey
	StartDate  string    `json:"start_date"`
	EndDate    string    `json:"end_date"`
	Context    string    `json:"context"`
	EventNames []string  `json:"event_names"`
	EventState string    `json:"event_state"`
	Total      int       `json:"total"`
	CreatedAt  time.Time `json:"created_at"`
}

// batches holds them by id; they are found by company.
func batches(tx sims.Tx) sims.Table[batch] {
	return sims.TableOf(tx, "batches", func(b batch) []string { return []string{allKey(b.Company)} })
}

// shownBatch leaves out what was not asked for (batch-reply).
type shownBatch struct {
	ID         string   `json:"id"`
	StartDate  string   `json:"startDate"`
	EndDate    string   `json:"endDate"`
	Context    string   `json:"context,omitzero"`
	EventNames []string `json:"eventNames,omitempty"`
	EventState string   `json:"eventState,omitzero"`
	Total      int      `json:"total"`
	CreatedAt  string   `json:"createdAt"`
}

func wireBatch(b batch) shownBatch {
	return shownBatch{
		ID: b.ID, StartDate: b.StartDate, EndDate: b.EndDate, Context: b.Context, EventNames: b.EventNames,
		EventState: b.EventState, Total: b.Total, CreatedAt: localTime(b.CreatedAt),
	}
}

func listBatches(c *sims.Call) (sims.Reply, error) {
	days, err := searchPeriod(c, c.Query.Get("startDate"), c.Query.Get("endDate"))
	if err != nil {
		return sims.Reply{}, err
	}
	found := []shownBatch{}
	for _, b := range batches(c.Tx).All(allKey(caller(c))) {
		if days.contains(b.CreatedAt) {
			found = append(found, wireBatch(b))
		}
	}
	p := pageOf(c)
	return p.reply(c, within(p, found), len(found), "/webhooks/processed-messages/batch", "search_batches"), nil
}

// reprocessBatch passes over what cannot be sent now (batch-reply).
func reprocessBatch(c *sims.Call) (sims.Reply, error) {
	days, err := searchPeriod(c, text(c, "startDate"), text(c, "endDate"))
	if err != nil {
		return sims.Reply{}, err
	}
	search := filter{company: caller(c), days: days, context: text(c, "context"), state: text(c, "eventState"), eventNames: names(c)}
	if search.context == "" && days.longerThan(30) { // batch-context
		return sims.Reply{}, contextRequired(days)
	}
	for _, m := range search.find(c.Tx) {
		if !m.Sending && m.State != held && reachable(c.Tx, m) {
			c.Effects.Redeliver = append(c.Effects.Redeliver, m.DeliveryID)
		}
	}
	b := batch{
		ID: c.NewID("batch").UUID(), Company: caller(c), StartDate: days.start.Format(time.DateOnly), EndDate: days.end.Format(time.DateOnly),
		Context: search.context, EventNames: search.eventNames, EventState: search.state,
		Total: len(c.Effects.Redeliver), CreatedAt: c.Now,
	}
	batches(c.Tx).Put(b.ID, b)
	return sims.Reply{Status: statusOf(c, "reprocess_status"), Body: single{Data: wireBatch(b), Links: []link{}}}, nil
}

func names(c *sims.Call) []string {
	items, _ := c.Object()["eventNames"].([]any)
	var all []string
	for _, item := range items {
		if name, ok := item.(string); ok {
			all = append(all, name)
		}
	}
	return all
}
