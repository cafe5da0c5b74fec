package run

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Text writes results for people: a line for each case as it ends, what failed at length, and a summary.
type Text struct {
	W       io.Writer
	Verbose bool // also a line for each case that passed
	// Progress draws how far it is on one line that is written over: for terminals.
	Progress bool

	total, ended int
}

// Begin says how many cases there are.
func (t *Text) Begin(cases int) { t.total = cases }

// Done writes the result of a case.
func (t *Text) Done(r Result) {
	t.ended++
	if r.Failure != nil {
		t.clear()
		fmt.Fprintf(t.W, "FAIL  %s\n%s", r.ID(), indented(r.Failure.Text()))
		if r.Sandbox != "" {
			fmt.Fprintf(t.W, "      kept: sandbox %s\n", r.Sandbox)
		}
	} else if t.Verbose {
		t.clear()
		steps := counted(r.Steps, "step")
		if r.Steps == 0 {
			steps = "0 steps: nothing was tested"
		}
		fmt.Fprintf(t.W, "ok    %s  (%s, %s, %s of world time)\n", r.ID(), steps, rounded(r.Real), r.Virtual)
	}
	if t.Progress && t.ended < t.total {
		fmt.Fprintf(t.W, "\r\x1b[K%d of %d", t.ended, t.total)
	}
}

func (t *Text) clear() {
	if t.Progress {
		fmt.Fprint(t.W, "\r\x1b[K")
	}
}

// End writes the summary.
func (t *Text) End(s Summary) {
	t.clear()
	for _, b := range s.Broken {
		fmt.Fprintf(t.W, "FAIL  %s\n%s", b.File, indented(b.Error))
	}
	for _, c := range s.Cut {
		fmt.Fprintf(t.W, "not run  %s\n", c.ID())
	}
	fmt.Fprintf(t.W, "%d passed, %d failed", s.Passed(), s.Failed())
	if s.Skipped > 0 {
		fmt.Fprintf(t.W, ", %d not run", s.Skipped)
	}
	fmt.Fprintf(t.W, " in %s (%s of world time)\n", rounded(s.Real), s.Virtual)
}

// Text is a failure for people.
func (f *Failure) Text() string {
	var b strings.Builder
	b.WriteString(f.At + ": ")
	if f.Step != "" {
		b.WriteString(f.Step + ": ")
	}
	switch {
	case f.Message != "":
		b.WriteString(f.Message + "\n")
	default:
		b.WriteString("not as expected\n")
	}
	width := 0
	for _, d := range f.Differences {
		width = max(width, len(d.Path))
	}
	for _, d := range f.Differences {
		fmt.Fprintf(&b, "  %-*s  want %s\n  %*s  got  %s\n", width, d.Path, d.Want, width, "", d.Got)
	}
	for _, a := range f.Attempts {
		b.WriteString("  " + a + "\n")
	}
	if f.Exchange != nil {
		b.WriteString(f.Exchange.text())
	}
	if f.Again != "" {
		b.WriteString("again:  " + f.Again + "\n")
	}
	return b.String()
}

func (x *Exchange) text() string {
	var b strings.Builder
	b.WriteString("request:  " + x.Curl + "\n")
	switch {
	case x.Error != "":
		b.WriteString("no answer:  " + x.Error + "\n")
	default:
		fmt.Fprintf(&b, "answer:  status %d\n", x.Status)
	}
	if x.Body != "" {
		b.WriteString(indentedBy("  ", x.Body))
	}
	if x.Refusal != nil {
		fmt.Fprintf(&b, "refused by %s: saw %s; want %s\n", x.Refusal.Rule, x.Refusal.Saw, x.Refusal.Want)
	}
	if len(x.Rules) > 0 {
		b.WriteString("scripted rules that fired:  " + strings.Join(x.Rules, ", ") + "\n")
	}
	return b.String()
}

func indented(text string) string { return indentedBy("      ", text) }

func indentedBy(space, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(space + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		what = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}

// jsonReport is the document of JSON.
type jsonReport struct {
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`  // cases, and files that could not be read
	Skipped int          `json:"skipped"` // cases that were not run: not chosen, or interrupted before
	Real    string       `json:"real"`
	Virtual string       `json:"virtual"`       // world time of all cases together
	Cut     []string     `json:"cut,omitempty"` // of those, the cases that an interruption kept from being run
	Cases   []jsonCase   `json:"cases"`
	Broken  []jsonBroken `json:"broken"` // files that could not be read
}

type jsonCase struct {
	File    string   `json:"file"`
	Case    string   `json:"case,omitzero"`
	Title   string   `json:"title"`
	Passed  bool     `json:"passed"`
	Seed    int64    `json:"seed"`
	Steps   int      `json:"steps"`
	Real    string   `json:"real"`
	Virtual string   `json:"virtual"`
	Sandbox string   `json:"sandbox,omitzero"` // kept for a look at it
	Failure *Failure `json:"failure,omitzero"`
}

type jsonBroken struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// JSON writes everything as one document.
func JSON(w io.Writer, s Summary) error {
	doc := jsonReport{
		Passed: s.Passed(), Failed: s.Failed(), Skipped: s.Skipped, Real: s.Real.String(), Virtual: s.Virtual.String(),
		Cases: []jsonCase{}, Broken: []jsonBroken{},
	}
	for _, r := range s.Results {
		doc.Cases = append(doc.Cases, jsonCase{
			File: r.File, Case: r.Name, Title: r.Scenario.Title, Passed: r.Failure == nil, Seed: r.Seed, Steps: r.Steps,
			Real: r.Real.String(), Virtual: r.Virtual.String(), Sandbox: r.Sandbox, Failure: r.Failure,
		})
	}
	for _, c := range s.Cut {
		doc.Cut = append(doc.Cut, c.ID())
	}
	for _, b := range s.Broken {
		doc.Broken = append(doc.Broken, jsonBroken(b))
	}
	data, err := strictjson.Encode(doc)
	if err != nil {
		return err
	}
	if data, err = strictjson.Indent(data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}
