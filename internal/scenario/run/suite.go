package run

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// Suite is a list of cases that are run beside each other.
type Suite struct {
	Cases    []Case
	Broken   []Broken       // files that could not be read: each counts as failed
	Only     *regexp.Regexp // of the ids of cases; nil: all
	Parallel int            // how many run at the same time
	Options  Options
	Done     func(Result) // told of each result as it comes, one at a time; may be nil
}

// Broken is a file that could not be read.
type Broken struct {
	File  string
	Error string // with file:line:column, for each problem
}

// Summary is what came of a suite.
type Summary struct {
	Results []Result // in the order of the cases
	Broken  []Broken
	Real    time.Duration
	Virtual time.Duration // of all cases together
	Skipped int           // cases that were not run: not chosen, or the run was interrupted before
	Cut     []Case        // of those, the ones that an interruption kept from being run
}

// Passed is how many cases passed.
func (s Summary) Passed() int {
	n := 0
	for _, r := range s.Results {
		if r.Failure == nil {
			n++
		}
	}
	return n
}

// Failed is how many cases failed, and files that could not be read.
func (s Summary) Failed() int { return len(s.Results) - s.Passed() + len(s.Broken) }

// Chosen is how many cases will be run.
func (s Suite) Chosen() int { return len(s.chosen()) }

func (s Suite) chosen() []Case {
	var chosen []Case
	for _, c := range s.Cases {
		if s.Only == nil || s.Only.MatchString(c.ID()) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// Run runs the cases.
func (s Suite) Run(ctx context.Context, t Target) Summary {
	started := clock.WallNow()
	chosen := s.chosen()
	out := Summary{Results: make([]Result, len(chosen)), Broken: s.Broken}
	var running sync.WaitGroup
	var telling sync.Mutex
	places := make(chan struct{}, max(1, s.Parallel))
	begun := 0
	for i, c := range chosen {
		if places <- struct{}{}; ctx.Err() != nil {
			break // interrupted: those under way end, and no other begins
		}
		begun++
		running.Go(func() {
			defer func() { <-places }()
			result := t.Run(ctx, c, s.Options)
			telling.Lock()
			defer telling.Unlock()
			out.Results[i] = result
			if s.Done != nil {
				s.Done(result)
			}
		})
	}
	running.Wait()
	out.Results = out.Results[:begun]
	out.Skipped, out.Cut = len(s.Cases)-begun, chosen[begun:]
	for _, r := range out.Results {
		out.Virtual += r.Virtual
	}
	out.Real = clock.WallNow().Sub(started)
	return out
}
