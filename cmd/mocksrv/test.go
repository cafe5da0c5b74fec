package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/scenario"
	runner "github.com/mocksrv/mocksrv/internal/scenario/run"
)

// testCommand runs scenarios.
type testCommand struct {
	Paths    []string `arg:"" name:"path" help:"Scenario files, folders of them, or names of built-in scenarios (mocksrv scenarios lists those)."`
	Only     string   `name:"run" help:"Only cases whose name matches: the file, and after a slash the case." placeholder:"REGEXP"`
	JUnit    string   `name:"junit" help:"Also write the results to this file, as JUnit XML." placeholder:"FILE"`
	JSON     bool     `name:"json" help:"Print the results as one JSON document: counts, and for each case its failure with step, place, differences, the call as a curl line and its answer."`
	Seed     *int64   `help:"Run with this seed instead of the ones in the files."`
	Parallel *int     `help:"How many cases run at the same time, each in a sandbox of its own: 8 where nothing is said." placeholder:"N"`
	Target   string   `help:"Run against the server at this URL. By default there is one in this process, for this run." placeholder:"URL"`
	Sandbox  string   `help:"Run in this sandbox of the target, the one that your app uses, instead of new ones. It stays as the run leaves it." placeholder:"NAME"`
	Token    string   `name:"control-token" aliases:"token" help:"Send this bearer token to the target." placeholder:"TOKEN"`
	Keep     bool     `help:"Keep the sandboxes of cases that fail. Without --target the server goes on until it is interrupted."`
	Verbose  bool     `help:"Also print a line for each case that passed, which is the default where the output is no terminal." short:"v"`

	files []string
	only  *regexp.Regexp
}

// Help implements kong.HelpProvider.
func (*testCommand) Help() string {
	return `A scenario is a file with a world, its behaviour, and steps: calls of the providers, events, time that passes, and what is expected of each. ` +
		`A case of a file's table is a test of its own. Time in scenarios is virtual, so weeks take milliseconds. ` +
		`The same file and seed give the same ids, payloads and instants every time.` + "\n\n" +
		`--sandbox tests an app: the world of the file (webhooks, receivers, rules, …) is added to a sandbox that is there already, and the steps make ` +
		`things happen in it and look at what the app did. A sandbox that was made with the file (serve --scenario) has its world already, which is then used as it is. Cases run one after the other, in what those before have left; nothing is deleted or reset, ` +
		`neither before nor after, so that a file with receivers or named rules, unless the sandbox was made with it, needs a reset before it is run again. The sandbox keeps its seed and the credentials of its accounts: a file that gives others is refused, and so is one with an ` +
		`origin. Its clock stays as it is unless the file has one. Expectations see everything that is in the sandbox; with within they wait for the app.` + "\n\n" +
		`Exits 0 when all cases pass, 1 when one fails or a file is wrong, and 2 for bad usage.`
}

// Validate implements kong.Validatable.
func (c *testCommand) Validate() (err error) {
	if c.Parallel != nil && *c.Parallel < 1 {
		return fmt.Errorf("--parallel: want at least 1, got %d", *c.Parallel)
	}
	if err := errors.Join(c.validateSandbox(), validURL("--target", c.Target), writable("--junit", c.JUnit)); err != nil {
		return err
	}
	if c.Only != "" {
		if c.only, err = regexp.Compile(c.Only); err != nil {
			return fmt.Errorf("--run: %w", err)
		}
	}
	if c.files, err = scenarioFiles(c.Paths); err != nil {
		return err
	}
	if c.Token != "" && c.Target == "" {
		return errors.New("--control-token is for a --target; the server of this run asks for none")
	}
	return nil
}

// validateSandbox refuses what makes no sense in a sandbox that is there already.
func (c *testCommand) validateSandbox() error {
	switch {
	case c.Sandbox == "":
		return nil
	case c.Target == "":
		return errors.New("--sandbox is one of a --target; the server of this run has none yet")
	case c.Parallel != nil && *c.Parallel > 1:
		return fmt.Errorf("--parallel %d: with --sandbox cases run one after the other, as they share it", *c.Parallel)
	case c.Seed != nil:
		return errors.New("--seed: with --sandbox the sandbox's own seed counts")
	case c.Keep:
		return errors.New("--keep: with --sandbox the sandbox always stays")
	}
	return nil
}

// validURL refuses what is no URL of a server; "" is none.
func validURL(flag, text string) error {
	if at, err := url.Parse(text); text == "" || err == nil && (at.Scheme == "http" || at.Scheme == "https") && at.Host != "" {
		return nil
	}
	return fmt.Errorf("%s: want http://host:port, got %q", flag, text)
}

// parallel is how many cases run at the same time.
func (c *testCommand) parallel() int {
	switch {
	case c.Sandbox != "":
		return 1
	case c.Parallel != nil:
		return *c.Parallel
	}
	return 8
}

// scenarioFiles are the files of several paths.
func scenarioFiles(paths []string) (files []string, err error) {
	for _, path := range paths {
		found, err := runner.Files(path)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// Run runs the cases and reports.
func (c *testCommand) Run(p *program) error {
	providers, err := mocksrv.Providers()
	if err != nil {
		return err
	}
	suite := runner.Suite{Only: c.only, Parallel: c.parallel(), Options: runner.Options{Seed: c.Seed, Keep: c.Keep, Sandbox: c.Sandbox, URL: c.Target}}
	suite.Cases, suite.Broken = runner.Cases(c.files, scenario.NamesOf(providers))
	target, stop, err := c.target(p.ctx, providers)
	if err != nil {
		return err
	}
	defer stop()
	report := c.report(p.stdout)
	report.Begin(suite.Chosen())
	suite.Done = report.Done
	summary := suite.Run(p.ctx, target)
	report.End(summary)
	if err := c.write(p.stdout, summary); err != nil {
		return err
	}
	if p.ctx.Err() != nil {
		return fmt.Errorf("interrupted: %d passed, %d failed or were cut, %d not run", summary.Passed(), summary.Failed(), len(summary.Cut))
	}
	c.hold(p, summary)
	switch {
	case summary.Failed() > 0:
		return fmt.Errorf("%d of %d failed", summary.Failed(), summary.Failed()+summary.Passed())
	case len(summary.Results) == 0:
		return errors.New("no case was run: --run matches none")
	}
	return nil
}

// report writes for people, or nothing where a program reads.
func (c *testCommand) report(stdout io.Writer) *runner.Text {
	if c.JSON {
		return &runner.Text{W: io.Discard}
	}
	terminal := isTerminal(stdout)
	return &runner.Text{W: stdout, Progress: terminal, Verbose: c.Verbose || !terminal}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// target is the server that was named, or one of this process.
func (c *testCommand) target(ctx context.Context, providers []*engine.Provider) (runner.Target, func(), error) {
	if c.Target != "" {
		control := newClient(c.Target, c.Token, client.WithStartupWait(0))
		if err := control.Health(ctx); err != nil {
			return runner.Target{}, nil, fmt.Errorf("--target %s: %w", c.Target, err)
		}
		if c.Sandbox != "" {
			if _, err := control.In(c.Sandbox).Get(ctx); err != nil {
				return runner.Target{}, nil, fmt.Errorf("--sandbox %s: %w", c.Sandbox, err)
			}
		}
		return runner.Target{Control: control, HTTP: runner.NewHTTP(), Providers: providers}, func() {}, nil
	}
	server, err := mocksrv.New(mocksrv.Options{Seed: runner.DefaultSeed, Version: version()})
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return runner.Target{}, nil, err
	}
	stop := func() {
		over, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = server.Stop(over) // the run is over: what was left is of no interest
	}
	return server.Scenarios(), stop, nil
}

// write writes the reports for programs.
func (c *testCommand) write(stdout io.Writer, s runner.Summary) error {
	if c.JUnit != "" {
		var report bytes.Buffer
		if err := runner.JUnit(&report, s); err != nil {
			return err
		}
		if err := writeFile(c.JUnit, report.Bytes(), 0o644); err != nil {
			return fmt.Errorf("--junit: %w", err)
		}
	}
	if c.JSON {
		return runner.JSON(stdout, s)
	}
	return nil
}

// hold leaves the server of this process there while somebody looks at what failed.
func (c *testCommand) hold(p *program, s runner.Summary) {
	kept := 0
	for _, r := range s.Results {
		if r.Sandbox != "" {
			kept++
		}
	}
	if kept == 0 || c.Target != "" {
		return
	}
	fmt.Fprintf(p.stderr, "mocksrv: the sandbox of %s was kept; the server stays until it is interrupted (Ctrl-C), and the curl lines above work\n", counted(kept, "case"))
	<-p.ctx.Done()
}
