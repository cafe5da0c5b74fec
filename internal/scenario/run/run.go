// Package run performs the steps of scenarios as a client: of the providers, and of the control API of any server. Each
// case has a sandbox of its own, or joins the one that an app uses. What came of it is a Result, which the reports of this package show to people and tools.
//
// It drives a server from outside only, so that a scenario says the same in process, against a binary and in a container.
package run

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/script"
)

// Target is the server that a scenario is run against.
type Target struct {
	Control   *client.Client
	HTTP      *http.Client       // for calls of the providers
	Providers []*engine.Provider // what their operations look like
}

// NewHTTP returns a client for calls of providers: each has a connection of its own, because Go sends a request a second time
// when a connection breaks that was used before. Nothing is added, no proxy is used, and any certificate will do: a scenario
// says itself who is called.
func NewHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: -1, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // a simulator is called
	}}
}

// Case is one test: a case of a scenario file, or the file where it has none.
type Case struct {
	File     string // as it was given
	Name     string // of the case; "": the file has no table
	Scenario script.Scenario
	At       func(path string) string // where a part of the scenario stands: file:line
}

// ID names a case: the file, and the case after a slash.
func (c Case) ID() string {
	if c.Name == "" {
		return c.File
	}
	return c.File + "/" + c.Name
}

// Options say how a case is run.
type Options struct {
	Seed *int64 // instead of the scenario's
	Keep bool   // the sandbox of a case that failed stays
	// Sandbox is one that is there already, and stays: the case is run in it instead of one of its own.
	Sandbox string
	URL     string // of the server, for the command that runs the case once more; "": none is needed
}

// Result is what came of a case.
type Result struct {
	Case
	Seed    int64
	Sandbox string        // "" when it was not made, or is gone
	Steps   int           // how many were performed
	Failure *Failure      // nil: it passed
	Real    time.Duration // how long it took
	Virtual time.Duration // how far its world clock went
}

// DefaultSeed is the seed of a scenario that has none.
const DefaultSeed = 1

// Run runs one case, in a sandbox of its own unless the options name one.
func (t Target) Run(ctx context.Context, c Case, o Options) Result {
	started := clock.WallNow()
	r := Result{Case: c, Seed: DefaultSeed}
	if c.Scenario.Seed != nil {
		r.Seed = *c.Scenario.Seed
	}
	if o.Seed != nil {
		r.Seed = *o.Seed
	}
	trial := &trial{target: t, c: c, seed: r.Seed, shared: o.Sandbox, saved: map[string]any{}}
	r.Failure = trial.run(ctx)
	r.Seed, r.Steps, r.Virtual = trial.seed, trial.steps, trial.virtual(ctx)
	r.Sandbox = trial.close(ctx, o.Keep && r.Failure != nil)
	r.Real = clock.WallNow().Sub(started)
	if r.Failure != nil {
		r.Failure.Again = again(r, o)
	}
	return r
}

// again is the command that runs a case once more.
func again(r Result, o Options) string {
	line := "mocksrv test " + quoted(r.File)
	if r.Name != "" {
		line += " --run " + quoted("/"+regexp.QuoteMeta(r.Name)+"$")
	}
	if o.URL != "" {
		line += " --target " + quoted(o.URL)
	}
	if o.Sandbox != "" {
		return line + " --sandbox " + quoted(o.Sandbox)
	}
	return fmt.Sprintf("%s --seed %d", line, r.Seed)
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// origin is what the ids and secrets of a case derive from beside its seed: the same wherever the file lies.
func (c Case) origin() string {
	if c.Scenario.Origin != "" {
		return c.Scenario.Origin
	}
	stem := strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
	if c.Name == "" {
		return stem
	}
	return stem + "/" + c.Name
}

//nolint:gochecknoglobals // sandboxes of one process need different names, whoever runs their scenarios
var runs atomic.Uint64

// sandboxName is a name that no other run uses, readable in lists.
func (c Case) sandboxName() string {
	const longest = 24
	slug := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(c.origin()), "-"), "-.")
	if len(slug) > longest {
		slug = strings.Trim(slug[:longest], "-.")
	}
	return fmt.Sprintf("test-%s-%x-%d", slug, clock.WallNow().UnixNano(), runs.Add(1))
}

var notInNames = regexp.MustCompile(`[^a-z0-9._-]+`)
