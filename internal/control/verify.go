package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// maxMisses is how many of the closest misses an answer shows.
const maxMisses = 3

// candidate is one thing that may have been expected: an exchange or a delivery.
type candidate struct {
	id      string
	version string                // candidates of one id and version are the same
	value   func() map[string]any // as decoded JSON
	rule    string                // of the provider, when it refused
}

// compared remembers, for one verification that waits, what has been compared already: at each wake-up only what is new
// is decoded.
type compared map[comparison][]match.Difference

// comparison is one expectation (its place in the order, else 0) against one candidate.
type comparison struct {
	want        int
	id, version string
}

func (seen compared) compare(n int, want map[string]any, c candidate) []match.Difference {
	key := comparison{want: n, id: c.id, version: c.version}
	differences, known := seen[key]
	if !known {
		differences = match.Compare(want, c.value())
		seen[key] = differences
	}
	return differences
}

// view is all candidates at one moment.
type view struct {
	all     []candidate
	dropped uint64          // candidates that are not kept any more
	changed <-chan struct{} // closed when there may be a new view
	busy    bool            // more candidates are on their way
}

func (a *API) verifyJournal(c *call) (int, any, error) {
	var body client.Verification
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if err := a.checkOperation(body.Sim, body.Operation); err != nil {
		return 0, nil, err
	}
	return a.verify(c, body, func() (view, error) {
		busy := c.sandbox.InFlight() > 0 // asked first: what ends after this is in the journal
		entries, dropped, changed := c.sandbox.Journal.Read(0)
		return view{all: exchangeCandidates(entries, body), dropped: dropped, changed: changed, busy: busy}, nil
	})
}

func (a *API) checkOperation(sim, operation string) error {
	if _, err := a.simFilter(url.Values{"sim": {sim}}); err != nil {
		return err
	}
	if operation == "" {
		return nil
	}
	if sim == "" {
		return invalid("operation", "needs sim beside it")
	}
	p, _ := a.engine.Provider(sim)
	if _, ok := p.Contract.Operations[operation]; !ok {
		return invalid("operation", fmt.Sprintf("%s has no operation %q", sim, operation), p.Contract.OperationIDs()...)
	}
	return nil
}

func exchangeCandidates(entries []*engine.Exchange, v client.Verification) []candidate {
	var all []candidate
	for _, x := range entries {
		if x.Direction == engine.Inbound && (v.Sim == "" || x.Sim == v.Sim) && (v.Operation == "" || x.Operation == v.Operation) {
			all = append(all, exchangeCandidate(x))
		}
	}
	return all
}

func exchangeCandidate(x *engine.Exchange) candidate {
	out := candidate{id: fmt.Sprint(x.ID), value: func() map[string]any {
		value := plain(exchangeOf(x))
		decodeBodies(value)
		return value
	}}
	if x.Refusal != nil {
		out.rule = x.Refusal.Rule
	}
	return out
}

func (a *API) verifyDeliveries(c *call) (int, any, error) {
	var body client.Verification
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if body.Operation != "" {
		return 0, nil, invalid("operation", "a delivery has none; match event_type instead")
	}
	if err := a.checkOperation(body.Sim, ""); err != nil {
		return 0, nil, err
	}
	return a.verify(c, body, func() (view, error) {
		deliveries, forgotten, changed, err := a.deliveries.List(c.sandbox)
		busy := slices.ContainsFunc(deliveries, func(d delivery.Delivery) bool { return d.DueBy(c.sandbox.Clock.Now()) })
		return view{all: deliveryCandidates(deliveries, body), dropped: forgotten, changed: changed, busy: busy}, err
	})
}

func deliveryCandidates(deliveries []delivery.Delivery, v client.Verification) []candidate {
	var all []candidate
	for _, d := range deliveries {
		if v.Sim != "" && d.Sim != v.Sim {
			continue
		}
		all = append(all, candidate{id: d.ID, version: versionOf(d), value: func() map[string]any { return deliveryValue(d) }})
	}
	return all
}

func deliveryValue(d delivery.Delivery) map[string]any {
	value := plain(deliveryOf(d))
	attempts, _ := value["attempts"].([]any)
	for _, attempt := range attempts {
		object, _ := attempt.(map[string]any)
		decodeBodies(object)
	}
	return value
}

// versionOf tells the values of a delivery apart: whatever else changes, one of these does.
func versionOf(d delivery.Delivery) string {
	return fmt.Sprint(d.State, " ", d.Made(), " ", len(d.Attempts), " ", d.Turn, " ", d.NextAttemptAt.UnixNano(), " ", d.FinishedAt.UnixNano(), " ", d.URL, " ", d.Reason)
}

// plain is a value of the control API as decoded JSON.
func plain(v any) map[string]any {
	data, err := strictjson.Encode(v)
	if err != nil {
		return nil
	}
	decoded, err := strictjson.Decode(data)
	if err != nil {
		return nil
	}
	object, _ := decoded.(map[string]any)
	return object
}

// decodeBodies adds to request and response what their bodies say, as "json", where they are JSON.
func decodeBodies(exchange map[string]any) {
	for _, side := range []string{"request", "response"} {
		message, ok := exchange[side].(map[string]any)
		if !ok {
			continue
		}
		text, _ := message["body"].(string)
		if decoded, err := strictjson.Decode([]byte(text)); err == nil {
			message["json"] = decoded
		}
	}
}

// verify evaluates until it passes, can pass no more, or the deadline is over.
func (a *API) verify(c *call, v client.Verification, look func() (view, error)) (int, any, error) {
	ctx, cancel, err := checkVerification(c, v)
	if err != nil {
		return 0, nil, err
	}
	defer cancel()
	seen := compared{}
	for {
		now, err := look()
		if err != nil {
			return 0, nil, err
		}
		result := evaluate(v, now, seen)
		settled := v.Count == nil || v.Count.Max == nil || !now.busy // what is on its way may be one too many
		if result.Final || result.Pass && settled {
			return http.StatusOK, result, nil
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			if result.Pass { // but not settled
				result.Pass, result.Reason = false, result.Reason+", but more are still in flight: wait longer"
			}
			return http.StatusOK, result, nil
		}
	}
}

func checkVerification(c *call, v client.Verification) (context.Context, context.CancelFunc, error) {
	if v.Count != nil && v.Count.Max != nil && v.Count.Min > *v.Count.Max {
		return nil, nil, invalid("count", fmt.Sprintf("min %d is more than max %d", v.Count.Min, *v.Count.Max))
	}
	if len(v.Order) > 0 && (v.Count != nil || v.Match != nil) {
		return nil, nil, invalid("order", "stands alone: it has the matches, and each is wanted once")
	}
	for i, want := range append([]map[string]any{v.Match}, v.Order...) {
		if err := match.Check(want); err != nil {
			field := "match"
			if i > 0 {
				field = fmt.Sprintf("order[%d]", i-1)
			}
			return nil, nil, invalid(field, err.Error())
		}
	}
	within := v.Within
	if within == "" {
		within = "0s"
	}
	return deadline(c, "within", within)
}

// evaluate says whether a view passes. It never takes "none" for an answer when something was dropped.
func evaluate(v client.Verification, now view, seen compared) client.Verified {
	if len(v.Order) > 0 {
		return evaluateOrder(v, now, seen)
	}
	low, high := bounds(v)
	result := client.Verified{Dropped: now.dropped, Matched: []string{}, Misses: []client.Miss{}}
	for _, c := range now.all {
		var differences []match.Difference
		if v.Match != nil {
			differences = seen.compare(0, v.Match, c)
		}
		if len(differences) == 0 {
			result.Matched = append(result.Matched, c.id)
			continue
		}
		result.Misses = append(result.Misses, missOf(c, differences))
	}
	result.Count = len(result.Matched)
	result.Misses = closest(result.Misses)
	result.Pass = result.Count >= low && (high < 0 || result.Count <= high)
	result.Final = high >= 0 && result.Count > high
	result.Reason = reason(result, low, high)
	if now.dropped > 0 && (result.Count < low || result.Pass && high >= 0) {
		result.Pass, result.Final = false, true
		result.Reason = fmt.Sprintf("%d entries were dropped, so %d matches may not be all: reset the sandbox before the part that is verified", now.dropped, result.Count)
	}
	if result.Pass {
		result.Misses = []client.Miss{}
	}
	return result
}

// bounds are how many matches pass: one or more when nothing is said.
func bounds(v client.Verification) (low, high int) {
	if v.Count == nil {
		return 1, -1
	}
	if v.Count.Max == nil {
		return v.Count.Min, -1
	}
	return v.Count.Min, *v.Count.Max
}

func reason(r client.Verified, low, high int) string {
	switch {
	case r.Pass:
		return fmt.Sprintf("%d matched", r.Count)
	case r.Count < low:
		return fmt.Sprintf("%d matched, at least %d were wanted", r.Count, low)
	default:
		return fmt.Sprintf("%d matched, at most %d were wanted", r.Count, high)
	}
}

// evaluateOrder wants one match for each expectation, in this order; others may stand between them.
func evaluateOrder(v client.Verification, now view, seen compared) client.Verified {
	result := client.Verified{Dropped: now.dropped, Matched: []string{}, Misses: []client.Miss{}}
	for _, c := range now.all {
		if len(result.Matched) == len(v.Order) {
			break
		}
		next := len(result.Matched)
		differences := seen.compare(next, v.Order[next], c)
		if len(differences) == 0 {
			result.Matched = append(result.Matched, c.id)
			result.Misses = nil
			continue
		}
		result.Misses = append(result.Misses, missOf(c, differences))
	}
	result.Count = len(result.Matched)
	if result.Pass = result.Count == len(v.Order); result.Pass {
		result.Misses = []client.Miss{}
		result.Reason = fmt.Sprintf("all %d matched, in order", result.Count)
		return result
	}
	result.Misses = closest(result.Misses)
	result.Reason = fmt.Sprintf("%d of %d matched in order; order[%d] was not met", result.Count, len(v.Order), result.Count)
	if now.dropped > 0 {
		result.Final = true
		result.Reason += fmt.Sprintf(", and %d entries were dropped: reset the sandbox before the part that is verified", now.dropped)
	}
	return result
}

func missOf(c candidate, differences []match.Difference) client.Miss {
	miss := client.Miss{ID: c.id, Rule: c.rule}
	for _, d := range differences {
		miss.Differences = append(miss.Differences, client.Difference(d))
	}
	return miss
}

// closest keeps the misses with the fewest differences, newest first among equals.
func closest(misses []client.Miss) []client.Miss {
	slices.Reverse(misses)
	slices.SortStableFunc(misses, func(a, b client.Miss) int { return len(a.Differences) - len(b.Differences) })
	if misses == nil {
		return []client.Miss{}
	}
	return misses[:min(len(misses), maxMisses)]
}
