package mocksrv

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/record"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
)

// TestScenario tests scenarios: a file, a folder of files, or a built-in one by its name. Each case is a subtest with a
// sandbox of its own, in a server that ends with the test. What fails names its file and line.
//
//	func TestOutage(t *testing.T) { mocksrv.TestScenario(t, "testdata/outage.yaml") }
func TestScenario[T TB](t T, path string, options ...func(*Options)) {
	t.Helper()
	s := RunT(t, options...)
	parent, nests := any(t).(interface {
		Run(name string, f func(T)) bool
	})
	for _, c := range s.scenarioCases(t, path) {
		if !nests {
			s.runCase(t, c)
			continue
		}
		parent.Run(c.ID(), func(t T) {
			t.Helper()
			s.runCase(t, c)
		})
	}
}

// RunScenario runs scenarios on this server: a file, a folder of files, or a built-in one by its name. Each case has a
// sandbox of its own; the test fails at the first that does.
func (s *Server) RunScenario(t TB, path string) {
	t.Helper()
	for _, c := range s.scenarioCases(t, path) {
		s.runCase(t, c)
	}
}

// ApplyScenario puts the world of a scenario into the default sandbox: its webhooks, receivers, rules and timeline, for
// tests that make the calls themselves. Its steps and cases do not count. All of it is applied, or nothing.
func (s *Server) ApplyScenario(path string) (client.AppliedScenario, error) {
	loaded, err := scenario.Load(path, run.Read, scenario.NamesOf(s.engine.Providers()))
	if err != nil {
		return client.AppliedScenario{}, err
	}
	world := loaded.Scenario
	world.Steps, world.Cases, world.Include = nil, nil, nil
	return s.direct().ApplyScenario(context.Background(), world)
}

// scenarioCases reads the cases of a path. A file that is wrong ends the test.
func (s *Server) scenarioCases(t TB, path string) []run.Case {
	t.Helper()
	files, err := run.Files(path)
	if err != nil {
		t.Fatalf("mocksrv: %v", err)
	}
	cases, broken := run.Cases(files, scenario.NamesOf(s.engine.Providers()))
	if err := brokenFiles(broken); err != nil {
		t.Fatalf("mocksrv: %v", err)
	}
	return cases
}

func brokenFiles(broken []run.Broken) error {
	var all []string
	for _, b := range broken {
		all = append(all, b.Error)
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New("scenarios that cannot be read:\n" + strings.Join(all, "\n"))
}

// runCase runs one case. How it fails is for people.
func (s *Server) runCase(t TB, c run.Case) {
	t.Helper()
	r := s.Scenarios().Run(context.Background(), c, run.Options{})
	if r.Failure != nil {
		t.Fatalf("%s\n%s", c.ID(), r.Failure.Text())
	}
}

// Record makes a scenario of what happened in the default sandbox: a file that mocksrv test runs.
func (s *Server) Record() ([]byte, error) {
	here := client.New("http://mocksrv", client.WithHTTPClient(&http.Client{Transport: inProcess{handler: s.control}}), client.WithToken(s.options.ControlToken))
	recorded, err := record.Of(context.Background(), here, DefaultSandbox, s.engine.Providers())
	if err != nil {
		return nil, err
	}
	return record.YAML(recorded)
}

// Scenarios is what runs scenarios against this server, for commands.
func (s *Server) Scenarios() run.Target {
	calls := run.NewHTTP()
	if len(s.providerEnds) == 0 {
		calls = s.Client()
	}
	return run.Target{Control: s.Control(), HTTP: calls, Providers: s.engine.Providers()}
}
