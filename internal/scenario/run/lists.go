package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// entry is one element of a list of the world, as decoded JSON, with the bodies in it decoded, too.
type entry struct {
	id       string
	value    map[string]any
	delivery *client.Delivery // of a list of deliveries
}

// expectList holds a list against what is expected of its elements.
func (t *trial) expectList(ctx context.Context, path, name string, wanted []script.Expected, read func(context.Context) ([]entry, error)) error {
	if len(wanted) == 0 {
		return nil
	}
	all, err := read(ctx)
	if err != nil {
		return within(path+"."+name, err)
	}
	for i, want := range wanted {
		at := fmt.Sprintf("%s.%s[%d]", path, name, i)
		if want, err = rendered(ctx, t, want); err != nil {
			return within(at, err)
		}
		if err := t.expectEntries(ctx, at, name, want, all); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) expectEntries(ctx context.Context, path, name string, want script.Expected, all []entry) error {
	low, high, err := countOf(want.Count)
	if err != nil {
		return within(path+".count", err)
	}
	matched, misses := matching(want.Match, inScope(name, want.Match, all))
	if n := len(matched); n < low || high >= 0 && n > high {
		found := fmt.Sprintf("%d matched %s", n, shown(want.Match))
		if len(want.Match) == 0 {
			found = fmt.Sprintf("%d there", n)
		}
		m := mismatch{path: path, message: fmt.Sprintf("%s: %s, %s wanted%s", name, found, countText(low, high), inventory(name, all)), differences: misses}
		if n < low {
			m.attempts = failedAttempts(matched, all)
		}
		return m
	}
	if want.Signature != "" {
		if err := t.expectSignature(ctx, path+".signature", want.Signature, matched); err != nil {
			return err
		}
	}
	if len(want.At) > 0 {
		return expectInstants(path+".at", want.At, matched)
	}
	return nil
}

// inventory says what a list has, by the words that are mostly expected of its entries.
func inventory(name string, all []entry) string {
	const most = 8
	about := map[string][]string{"deliveries": {"state", "event_type"}, "webhooks": {"state", "sim"}, "journal": {"direction", "operation", "status"}}[name]
	if len(about) == 0 || len(all) == 0 {
		return ""
	}
	count := map[string]int{}
	for _, e := range all {
		var words []string
		for _, member := range about {
			words = append(words, textOf(e.value[member]))
		}
		count[strings.Join(words, " ")]++
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", count[kind], kind))
	}
	if len(kinds) > most {
		kinds = append(kinds[:most], "…")
	}
	return "; there: " + strings.Join(kinds, ", ")
}

// inScope are the entries that an expectation is about: of the journal what came in, unless it asks for a direction.
func inScope(name string, want map[string]any, all []entry) []entry {
	if _, asked := want["direction"]; asked || name != "journal" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.value["direction"] != "in" })
}

// matching are the entries that match; misses are the differences of the one that comes closest.
func matching(want map[string]any, all []entry) (matched []entry, misses []Difference) {
	for _, e := range slices.Backward(all) {
		found := match.Compare(want, e.value)
		if want == nil || len(found) == 0 {
			matched = append(matched, e)
			continue
		}
		if misses == nil || len(found) < len(misses) {
			misses = []Difference{}
			for _, d := range found {
				misses = append(misses, Difference{Path: e.id + " " + d.Path, Want: d.Want, Got: d.Got})
			}
		}
	}
	slices.Reverse(matched)
	return matched, misses
}

// countOf reads a count: a number, {min, max}, or nothing, which is at least one. high -1 is without bound.
func countOf(count any) (low, high int, err error) {
	bound := func(v any) (int, error) {
		n, ok := v.(float64)
		if !ok || n != float64(int(n)) || n < 0 {
			return 0, fmt.Errorf("want a whole number or {min, max}, got %s", shown(v))
		}
		return int(n), nil
	}
	switch count := count.(type) {
	case nil:
		return 1, -1, nil
	case map[string]any:
		high = -1
		if v, ok := count["min"]; ok {
			if low, err = bound(v); err != nil {
				return 0, 0, err
			}
		}
		if v, ok := count["max"]; ok {
			high, err = bound(v)
		}
		return low, high, err
	default:
		low, err = bound(count)
		return low, low, err
	}
}

func countText(low, high int) string {
	switch {
	case high < 0:
		return fmt.Sprintf("at least %d", low)
	case low == high:
		return strconv.Itoa(low)
	case low == 0:
		return fmt.Sprintf("at most %d", high)
	default:
		return fmt.Sprintf("%d to %d", low, high)
	}
}

// unsent is the error of an attempt that a rule failed before it was sent.
const unsent = "fault"

// expectSignature checks the signatures of every attempt under the webhook's present key.
func (t *trial) expectSignature(ctx context.Context, path, want string, matched []entry) error {
	for _, e := range matched {
		if e.delivery == nil {
			return mismatch{path: path, message: "only deliveries have signatures"}
		}
		sent := slices.DeleteFunc(slices.Clone(e.delivery.Attempts), func(a client.Attempt) bool { return a.Error == unsent })
		if len(sent) == 0 {
			return mismatch{path: path, message: "nothing was sent of delivery " + e.id + ", so no signature"}
		}
		got, why := "valid", ""
		for _, a := range sent {
			if a.Signature.Scheme == "none" {
				return mismatch{path: path, message: fmt.Sprintf("attempt %d of delivery %s is not signed: this provider signs none of these", a.N, e.id)}
			}
			c, err := t.sandbox.Compare(ctx, e.id, client.SignatureClaim{Attempt: a.N, Body: a.Request.Body, Signature: a.Signature.Value})
			if err != nil {
				return within(path, err)
			}
			if !c.Valid {
				got, why = "invalid", fmt.Sprintf("attempt %d of delivery %s: what was sent does not fit under the webhook's present key", a.N, e.id)
			}
		}
		if got != want {
			return mismatch{path: path, message: why, differences: []Difference{{Path: e.id + " signature", Want: want, Got: got}}}
		}
	}
	return nil
}

// expectInstants compares the instants of the attempts of the first delivery, or how long after the first each came.
func expectInstants(path string, want []string, matched []entry) error {
	if len(matched) == 0 || matched[0].delivery == nil {
		return mismatch{path: path, message: "no delivery matches, so there are no instants"}
	}
	attempts := matched[0].delivery.Attempts
	got := make([]string, len(attempts))
	for i, a := range attempts {
		got[i] = a.At.Format(time.RFC3339Nano)
		if i < len(want) {
			if _, err := time.ParseDuration(want[i]); err == nil {
				got[i] = a.At.Sub(attempts[0].At).String()
			}
		}
	}
	if !slices.EqualFunc(want, got, sameInstant) {
		return mismatch{path: path, differences: different(matched[0].id+" attempts at", want, got)}
	}
	return nil
}

// sameInstant: 90s is 1m30s, and an instant may be written with any offset.
func sameInstant(want, got string) bool {
	if a, err := time.ParseDuration(want); err == nil {
		b, err := time.ParseDuration(got)
		return err == nil && a == b
	}
	a, err := time.Parse(time.RFC3339Nano, want)
	if err != nil {
		return false
	}
	b, err := time.Parse(time.RFC3339Nano, got)
	return err == nil && a.Equal(b)
}

func (t *trial) deliveries(ctx context.Context) ([]entry, error) {
	var all []entry
	for d, err := range t.sandbox.AllDeliveries(ctx, client.DeliveryFilter{Page: client.Page{Limit: pageSize}}) {
		if err != nil {
			return nil, err
		}
		value, err := plain(d)
		if err != nil {
			return nil, err
		}
		attempts, _ := value["attempts"].([]any)
		for _, a := range attempts {
			decodeBodies(a)
		}
		all = append(all, entry{id: d.ID, value: value, delivery: &d})
	}
	return all, nil
}

// pageSize is how many elements of a list are fetched at a time.
const pageSize = 1000

func (t *trial) webhooks(ctx context.Context) (all []entry, err error) {
	for w, err := range t.sandbox.AllWebhooks(ctx, "") {
		if err != nil {
			return nil, err
		}
		value, err := plain(w)
		if err != nil {
			return nil, err
		}
		all = append(all, entry{id: w.ID, value: value})
	}
	return all, nil
}

func (t *trial) journal(ctx context.Context) ([]entry, error) {
	var all []entry
	for x, err := range t.sandbox.AllExchanges(ctx, client.JournalFilter{Direction: "all", Page: client.Page{Limit: pageSize}}) {
		if err != nil {
			return nil, err
		}
		value, err := plain(x)
		if err != nil {
			return nil, err
		}
		decodeBodies(value)
		all = append(all, entry{id: strconv.FormatUint(x.ID, 10), value: value})
	}
	return all, nil
}

// received is what arrived at a receiver.
func (t *trial) received(ctx context.Context, name string) ([]entry, error) {
	var all []entry
	for r, err := range t.sandbox.AllReceived(ctx, name, client.ReceivedFilter{Page: client.Page{Limit: pageSize}}) {
		if err != nil {
			return nil, err
		}
		value, err := plain(r)
		if err != nil {
			return nil, err
		}
		decodeBodies(value)
		all = append(all, entry{id: fmt.Sprintf("request %d", r.Number), value: value})
	}
	return all, nil
}

// plain is a value of the control API as decoded JSON.
func plain(v any) (map[string]any, error) {
	data, err := strictjson.Encode(v)
	if err != nil {
		return nil, err
	}
	decoded, err := strictjson.Decode(data)
	object, _ := decoded.(map[string]any)
	return object, err
}

// decodeBodies adds to request and response what their bodies say, as "json", where they are JSON.
func decodeBodies(v any) {
	exchange, _ := v.(map[string]any)
	for _, side := range []string{"request", "response"} {
		message, ok := exchange[side].(map[string]any)
		if !ok {
			continue
		}
		text, _ := message["body"].(string)
		if v := decoded([]byte(text)); v != nil {
			message["json"] = v
		}
	}
}
