package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
)

// MaxWait is the longest wait a call may ask for, in real time.
const MaxWait = 5 * time.Minute

// awaiting reads ?wait= and ?count=: until when to wait for how many. Without a wait there is no context.
func awaiting(c *call) (ctx context.Context, cancel context.CancelFunc, count int, err error) {
	q := c.URL.Query()
	if count, err = number(q, "count", 1); err != nil || !q.Has("wait") {
		return nil, nil, 0, err
	}
	ctx, cancel, err = deadline(c, "wait", q.Get("wait"))
	return ctx, cancel, count, err
}

// deadline reads a wait such as "5s" from a field.
func deadline(c *call, field, word string) (context.Context, context.CancelFunc, error) {
	wait, err := time.ParseDuration(word)
	if err != nil || wait < 0 || wait > MaxWait {
		return nil, nil, invalid(field, fmt.Sprintf("%q is no duration such as \"5s\", from 0 to %s", shorten(word), MaxWait))
	}
	patient(c)
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	return ctx, cancel, nil
}

// AnswerTime is how long writing the answer of a patient call may take.
const AnswerTime = 10 * time.Second

// patient lets a call take as long as its own bound allows, where the server's limits for ordinary requests would end it:
// the one for reading, which would end its context although the request has been read whole, and the one for the answer.
func patient(c *call) {
	limits := http.NewResponseController(c.writer)
	_ = limits.SetReadDeadline(time.Time{}) // there is none without a connection
	_ = limits.SetWriteDeadline(time.Time{})
	c.patient = true
}

// limitAnswer gives a patient call the time to write its answer that others have from the start.
func (c *call) limitAnswer() {
	if c.patient {
		_ = http.NewResponseController(c.writer).SetWriteDeadline(clock.WallNow().Add(AnswerTime))
	}
}

// journalQuery is what GET …/journal selects.
type journalQuery struct {
	sim, operation, direction, rule string
	status                          int
	sinceID, afterID                uint64
	sinceAt                         time.Time
	page                            page
}

func (a *API) journalQuery(q url.Values) (journalQuery, error) {
	j := journalQuery{sim: q.Get("sim"), operation: q.Get("operation"), direction: q.Get("direction"), rule: q.Get("rule")}
	if _, err := a.simFilter(q); err != nil {
		return j, err
	}
	directions := []string{"in", "out", "all"}
	if j.direction == "" {
		j.direction = "in"
	}
	if !slices.Contains(directions, j.direction) {
		return j, invalid("direction", fmt.Sprintf("%q is no direction", shorten(j.direction)), directions...)
	}
	if err := a.checkJournalNames(j); err != nil {
		return j, err
	}
	var err error
	if j.status, err = number(q, "status", 0); err != nil {
		return j, err
	}
	p, err := readPage(q)
	if err != nil {
		return j, err
	}
	if j.page, j.afterID, err = p.number(); err != nil {
		return j, err
	}
	return j.since(q.Get("since"))
}

// checkJournalNames refuses an operation and a rule that no provider has, or not the one that is asked for.
func (a *API) checkJournalNames(j journalQuery) error {
	operations, rules := []string{}, []string{engine.RuleLimit, engine.RuleInternal}
	for _, p := range a.engine.Providers() {
		if j.sim != "" && j.sim != p.Name {
			continue
		}
		operations = append(operations, p.Contract.OperationIDs()...)
		for _, entry := range p.Contract.Ledger {
			rules = append(rules, entry.ID)
		}
	}
	if err := namesNothing("operation", j.operation, "operation", operations); err != nil {
		return err
	}
	return namesNothing("rule", j.rule, "rule", rules)
}

// since is an exchange id, or an instant of the world clock.
func (j journalQuery) since(word string) (journalQuery, error) {
	if word == "" {
		return j, nil
	}
	var err error
	if j.sinceID, err = strconv.ParseUint(word, 10, 64); err == nil {
		return j, nil
	}
	if j.sinceAt, err = time.Parse(time.RFC3339Nano, word); err != nil {
		return j, invalid("since", fmt.Sprintf("%q is neither the id of an exchange nor an RFC 3339 instant", shorten(word)))
	}
	return j, nil
}

func (j journalQuery) wants(x *engine.Exchange) bool {
	return (j.sim == "" || x.Sim == j.sim) && (j.operation == "" || x.Operation == j.operation) &&
		(j.direction == "all" || x.Direction == engine.Direction(j.direction)) && (j.status == 0 || x.Status == j.status) &&
		(j.rule == "" || x.Refusal != nil && x.Refusal.Rule == j.rule) && !x.At.Before(j.sinceAt)
}

// listJournal answers the exchanges that pass the filter, oldest first.
func (a *API) listJournal(c *call) (int, any, error) {
	query, err := a.journalQuery(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	entries, dropped, _ := c.sandbox.Journal.Read(max(query.sinceID, query.afterID))
	entries, next, err := paged(query.page, entries, func(x *engine.Exchange) string { return strconv.FormatUint(x.ID, 10) }, query.wants)
	journal := journalOf(entries, dropped)
	journal.Next = next
	return http.StatusOK, journal, err
}

// JournalOf returns the whole journal of a sandbox in the types of the control API.
func JournalOf(s *engine.Sandbox) client.Journal {
	entries, dropped, _ := s.Journal.Read(0)
	return journalOf(entries, dropped)
}

func journalOf(entries []*engine.Exchange, dropped uint64) client.Journal {
	out := client.Journal{Exchanges: make([]client.Exchange, len(entries)), Dropped: dropped}
	for i, x := range entries {
		out.Exchanges[i] = exchangeOf(x)
	}
	return out
}

func (a *API) clearJournal(c *call) (int, any, error) {
	c.sandbox.Journal.Clear()
	return http.StatusNoContent, nil, nil
}

func exchangeOf(x *engine.Exchange) client.Exchange {
	out := client.Exchange{
		ID: x.ID, At: x.At, Direction: string(x.Direction), Sim: x.Sim, Operation: x.Operation, DeliveryID: x.DeliveryID,
		Method: x.Method, Path: valid(x.Path), Status: x.Status, Request: messageOf(x.Request.Header, x.Request.Body),
		Response: messageOf(x.Response.Header, x.Response.Body), Rules: x.Rules, Fault: x.Fault, Took: x.Took.String(),
	}
	if x.Refusal != nil {
		out.Refusal = &client.Refusal{
			Rule: x.Refusal.Rule, Saw: valid(x.Refusal.Saw), Want: valid(x.Refusal.Want), Basis: string(x.Refusal.Basis), Source: x.Refusal.Source,
			Policy: x.Refusal.Policy,
		}
	}
	return out
}
