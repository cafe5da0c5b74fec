package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// Failure is why a case did not pass.
type Failure struct {
	Step        string       `json:"step,omitzero"` // number and name; "": no step was reached
	At          string       `json:"at"`            // file:line
	Message     string       `json:"message,omitzero"`
	Differences []Difference `json:"differences,omitempty"`
	Attempts    []string     `json:"attempts,omitempty"` // the last ones of deliveries that an expectation missed: why they failed
	Exchange    *Exchange    `json:"exchange,omitzero"`  // the last call, when the step made one
	Again       string       `json:"again"`              // the command that runs the case once more
}

// Difference is one place where something is not as expected.
type Difference struct {
	Path string `json:"path"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Exchange is a call as it can be repeated, and what came of it.
type Exchange struct {
	Curl    string            `json:"curl"`
	Status  int               `json:"status,omitzero"` // 0: no answer
	Error   string            `json:"error,omitzero"`  // why there is none
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitzero"`
	Refusal *client.Refusal   `json:"refusal,omitzero"` // the provider's rule that refused it, as the journal explains it
	Rules   []string          `json:"rules,omitempty"`  // the scripted rules that fired
}

// maxShown is how much of a body a report shows.
const maxShown = 4000

// failure is a step that failed, with all that helps to see why.
func (t *trial) failure(ctx context.Context, i int, s script.Step, err error) *Failure {
	f := &Failure{Step: stepName(i, s), At: t.at(fmt.Sprintf("steps[%d]", i))}
	if script.Times(s.Repeat) > 1 {
		f.Step += fmt.Sprintf(", index %d", t.repeated)
	}
	f.Message = explain(err)
	if m, ok := errors.AsType[mismatch](err); ok {
		f.At, f.Message, f.Differences, f.Attempts = t.at(m.path), m.message, m.differences, m.attempts
	}
	if ctx.Err() != nil {
		f.Message = interrupted(err)
		return f // what came of a call that was cut says nothing
	}
	if (s.Call != "" || s.Raw != nil) && t.last != nil {
		f.Exchange = t.exchange(ctx)
	}
	return f
}

// interrupted is the message of a step during which the run was told to end.
func interrupted(err error) string {
	if m, ok := errors.AsType[mismatch](err); ok && m.waited && m.message != "" {
		return "interrupted; until then " + m.message
	}
	return "interrupted"
}

// exchange is the last call for a report.
func (t *trial) exchange(ctx context.Context) *Exchange {
	x := t.last
	out := &Exchange{Curl: t.curl(), Status: x.status, Body: clip(pretty(x.body))}
	if x.err != "" {
		out.Error = x.err + ": " + x.detail
	}
	if len(x.header) > 0 {
		out.Headers = map[string]string{}
		for name, values := range x.header {
			out.Headers[name] = strings.Join(values, ", ")
		}
	}
	if entry, err := t.entry(ctx); err == nil { // without it the report says less
		out.Refusal, out.Rules = entry.Refusal, entry.Rules
	}
	return out
}

// pretty is a body for people: JSON is indented.
func pretty(body []byte) string {
	if indented, err := strictjson.Indent(body); err == nil {
		return string(indented)
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}

func clip(text string) string {
	if len(text) <= maxShown {
		return text
	}
	cut := maxShown
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes in all)", text[:cut], len(text))
}

// curl is the last call as a line for a shell.
func (t *trial) curl() string {
	x := t.last
	words := []string{"curl", "-si", "-X", x.request.Method, quoted(x.request.URL.String())}
	if x.request.Host != "" && x.request.Host != x.request.URL.Host {
		words = append(words, "-H", quoted("Host: "+x.request.Host))
	}
	for _, name := range slices.Sorted(maps.Keys(x.request.Header)) {
		for _, value := range x.request.Header[name] {
			words = append(words, "-H", quoted(name+": "+value))
		}
	}
	if len(x.sent) > 0 {
		if x.request.Header.Get("Content-Type") == "" {
			words = append(words, "-H", "Content-Type:") // curl would make it a form
		}
		words = append(words, "--data-binary", quoted(string(x.sent)))
	}
	return strings.Join(words, " ")
}
