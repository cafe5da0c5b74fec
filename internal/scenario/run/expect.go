package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// mismatch is an expectation that was not met, or a step that could not be performed.
type mismatch struct {
	path        string // in the scenario
	message     string // "": the differences say it all
	differences []Difference
	attempts    []string // why deliveries failed
	waited      bool     // the world was given time, in vain
	cause       error
}

// Error implements error.
func (m mismatch) Error() string {
	lines := []string{}
	if m.message != "" {
		lines = append(lines, m.message)
	}
	for _, d := range m.differences {
		lines = append(lines, fmt.Sprintf("%s: want %s, got %s", d.Path, d.Want, d.Got))
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns what went wrong underneath.
func (m mismatch) Unwrap() error { return m.cause }

// within says which part of the scenario an error is about.
func within(path string, err error) error {
	return mismatch{path: path, message: explain(err), cause: err}
}

// different is one difference between two values.
func different(path string, want, got any) []Difference {
	return []Difference{{Path: path, Want: shown(want), Got: shown(got)}}
}

// shown is a value as JSON.
func shown(v any) string {
	data, err := strictjson.Encode(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// answered holds the answer of a call against what is expected of it. A call of which nothing is expected
// needs an answer, and one below 400.
func (t *trial) answered(ctx context.Context, path string, e *script.Expect) error {
	x := t.last
	if e == nil || e.Error == "" {
		if x.err != "" {
			return mismatch{path: path, message: fmt.Sprintf("there was no answer (%s): %s", x.err, x.detail)}
		}
	} else if x.err != e.Error {
		got := "an answer with status " + strconv.Itoa(x.status)
		if x.err != "" {
			got = x.err + ": " + x.detail
		}
		return mismatch{path: path + ".expect.error", differences: []Difference{{Path: "error", Want: e.Error, Got: got}}}
	}
	if x.status >= 400 && !foresees(e) {
		return mismatch{path: path, message: fmt.Sprintf("want an answer below 400, as the step expects no status, error, refusal or body; got %d", x.status)}
	}
	if e == nil {
		return nil
	}
	all, first, err := t.answerDifferences(ctx, *e)
	if err != nil {
		return within(path+".expect", err)
	}
	if len(all) > 0 {
		return mismatch{path: path + ".expect." + first, differences: all}
	}
	return t.journaled(ctx, path+".expect", *e)
}

// foresees says that an expectation tells whether a call succeeds.
func foresees(e *script.Expect) bool {
	return e != nil && (e.Status != 0 || e.Error != "" || e.Refusal != "" || e.Body != nil ||
		slices.ContainsFunc(e.That, func(text string) bool { return strings.Contains(text, "response") }))
}

// answerDifferences compares status, headers and body. first is the member that differs first.
func (t *trial) answerDifferences(ctx context.Context, e script.Expect) (all []Difference, first string, err error) {
	part, err := rendered(ctx, t, script.Expect{Headers: e.Headers, Body: e.Body})
	if err != nil {
		return nil, "", err
	}
	add := func(member string, found []Difference) {
		if len(found) > 0 && first == "" {
			first = member
		}
		all = append(all, found...)
	}
	if e.Status != 0 && e.Status != t.last.status {
		add("status", different("status", e.Status, t.last.status))
	}
	if e.Headers != nil {
		want := make(map[string]any, len(part.Headers))
		for name, value := range part.Headers {
			want[strings.ToLower(name)] = value
		}
		add("headers", compared("headers", want, lowered(t.last.header)))
	}
	if part.Body != nil {
		add("body", t.bodyDifferences(part.Body))
	}
	return all, first, nil
}

func (t *trial) bodyDifferences(want any) []Difference {
	if text, isText := want.(string); isText {
		if text != string(t.last.body) {
			return []Difference{{Path: "body", Want: strconv.Quote(text), Got: strconv.Quote(string(t.last.body))}}
		}
		return nil
	}
	got, err := strictjson.Decode(t.last.body)
	if err != nil {
		return []Difference{{Path: "body", Want: shown(want), Got: "no JSON: " + strconv.Quote(string(t.last.body))}}
	}
	return compared("body", want, got)
}

// compared are the differences between a value and its matcher, below a path.
func compared(path string, want, got any) []Difference {
	var all []Difference
	for _, d := range match.Compare(want, got) {
		if d.Path != "" {
			d.Path = "." + d.Path
		}
		all = append(all, Difference{Path: path + d.Path, Want: d.Want, Got: d.Got})
	}
	return all
}

// journaled holds what the journal says of the last call against what is expected: who refused it, and which rules fired.
func (t *trial) journaled(ctx context.Context, path string, e script.Expect) error {
	if e.Refusal == "" && e.Rules == nil {
		return nil
	}
	filled, err := rendered(ctx, t, script.Expect{Refusal: e.Refusal, Rules: e.Rules})
	if err != nil {
		return within(path, err)
	}
	e.Refusal, e.Rules = filled.Refusal, filled.Rules
	entry, err := t.entry(ctx)
	if err != nil {
		return within(path, err)
	}
	refusal := ""
	if entry.Refusal != nil {
		refusal = entry.Refusal.Rule
	}
	if e.Refusal != "" && e.Refusal != refusal {
		return mismatch{path: path + ".refusal", differences: different("refusal", e.Refusal, refusal)}
	}
	if e.Rules != nil && !slices.Equal(e.Rules, entry.Rules) {
		return mismatch{path: path + ".rules", differences: different("rules", e.Rules, slices.Concat([]string{}, entry.Rules))}
	}
	return nil
}

// lateAnswer is how long, in real time, the journal may take to have the end of a call without an answer.
const lateAnswer = "5s"

// entry is the last call as the journal has it: the newest that came in since, of the same method, path and body. Only an
// earlier call that the client gave up could stand there, too, and in a shared sandbox the same call of an app.
func (t *trial) entry(ctx context.Context) (client.Exchange, error) {
	x := t.last
	wanted := map[string]any{
		"id": map[string]any{"$gt": float64(x.before)}, "method": x.request.Method, "sim": x.sim, "path": x.path,
	}
	found, err := t.sandbox.Verify(ctx, client.Verification{Sim: x.sim, Match: wanted, Within: lateAnswer})
	if err != nil {
		return client.Exchange{}, err
	}
	if !found.Pass {
		return client.Exchange{}, fmt.Errorf("the journal does not have the call: %s", found.Reason)
	}
	journal, err := t.sandbox.Journal(ctx, client.JournalFilter{Sim: x.sim, Since: strconv.FormatUint(x.before, 10)})
	if err != nil {
		return client.Exchange{}, err
	}
	for _, e := range slices.Backward(journal.Exchanges) {
		if e.Path == x.path && e.Method == x.request.Method && (e.Request.Body == string(x.sent) || len(e.Request.BodyBase64) > 0) {
			return e, nil
		}
	}
	return client.Exchange{}, fmt.Errorf("the journal has the call without its body")
}

// Pauses between two looks at a world that may still become what is expected of it.
const (
	shortestPause = 10 * time.Millisecond
	longestPause  = 500 * time.Millisecond
)

// expect holds the world against what is expected of it; within the time that it may take, again and again.
func (t *trial) expect(ctx context.Context, path string, e script.Expect) error {
	patience, err := t.patience(ctx, e.Within)
	if err != nil {
		return within(path+".within", err)
	}
	deadline := clock.WallNow().Add(patience)
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := t.expectNow(ctx, path, e)
		m, wrong := errors.AsType[mismatch](err)
		if !wrong || m.cause != nil || patience == 0 {
			return err
		}
		left := deadline.Sub(clock.WallNow())
		if left > 0 && clock.Pause(ctx, min(left, pause)) {
			continue
		}
		if m.waited = true; ctx.Err() == nil {
			m.message = strings.TrimSpace(fmt.Sprintf("%s (waited %s for it)", m.message, patience))
		}
		return m
	}
}

// patience is how long, in real time, an expectation may take to be met.
func (t *trial) patience(ctx context.Context, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	text, err := rendered(ctx, t, text)
	if err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("want a duration above 0 such as 10s, got %q", text)
	}
	return d, nil
}

// expectNow holds the world, as it is, against what is expected of it.
func (t *trial) expectNow(ctx context.Context, path string, e script.Expect) error {
	if len(e.Deliveries)+len(e.Webhooks)+len(e.Journal)+len(e.Receivers) > 0 || e.State != nil {
		if err := t.settle(ctx); err != nil {
			return within(path, err)
		}
	}
	for _, list := range []struct {
		name string
		want []script.Expected
		read func(context.Context) ([]entry, error)
	}{
		{"deliveries", e.Deliveries, t.deliveries},
		{"webhooks", e.Webhooks, t.webhooks},
		{"journal", e.Journal, t.journal},
	} {
		if err := t.expectList(ctx, path, list.name, list.want, list.read); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Receivers)) {
		read := func(ctx context.Context) ([]entry, error) { return t.received(ctx, name) }
		if err := t.expectList(ctx, path, "receivers."+name, e.Receivers[name], read); err != nil {
			return err
		}
	}
	if err := t.expectState(ctx, path+".state", e.State); err != nil {
		return err
	}
	return t.expectThat(ctx, path+".that", e.That)
}

func (t *trial) expectState(ctx context.Context, path string, wanted map[string]string) error {
	if wanted == nil {
		return nil
	}
	want, err := rendered(ctx, t, wanted)
	if err != nil {
		return within(path, err)
	}
	now, err := t.sandbox.State(ctx)
	if err != nil {
		return within(path, err)
	}
	if found := compared("state", anyOf(want), anyOf(now.State)); len(found) > 0 {
		return mismatch{path: path, differences: found}
	}
	return nil
}

func anyOf(m map[string]string) any { return plainTexts(m) }

// expectThat evaluates expressions that must be true.
func (t *trial) expectThat(ctx context.Context, path string, wanted []string) error {
	for i, text := range wanted {
		at := path
		if len(wanted) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		holds, err := t.holds(ctx, text)
		if err != nil {
			return within(at, err)
		}
		if !holds {
			return mismatch{path: at, message: "not true: " + text, differences: t.operands(ctx, text)}
		}
	}
	return nil
}

// operands shows both sides of a comparison that does not hold, where the expression is one.
func (t *trial) operands(ctx context.Context, text string) []Difference {
	for _, operator := range []string{" == ", " != ", " >= ", " <= ", " > ", " < "} {
		left, right, ok := strings.Cut(text, operator)
		if !ok || strings.Contains(right, operator) || strings.ContainsAny(text, "?|") || strings.Contains(text, " and ") || strings.Contains(text, "&&") || strings.Contains(text, " or ") {
			continue
		}
		sides := [2]any{}
		for i, side := range []string{left, right} {
			e, v, err := t.evaluate(ctx, side)
			if err != nil {
				return nil
			}
			if sides[i], err = e.Value(v); err != nil {
				return nil
			}
		}
		return []Difference{{Path: left, Want: strings.TrimSpace(operator) + " " + shown(sides[1]), Got: shown(sides[0])}}
	}
	return nil
}
