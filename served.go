package mocksrv

import (
	"fmt"
	"slices"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/script"
)

// Serving puts scenarios into the default sandbox from the start: files, or built-in ones by their names. Their seed and clock
// count, too.
func Serving(paths ...string) func(*Options) {
	return func(o *Options) { o.Scenarios = append(o.Scenarios, paths...) }
}

// readScenarios reads what is to be served, ready to be applied. Steps and cases do not count.
func readScenarios(paths []string, providers []*engine.Provider) ([]script.Scenario, error) {
	var list []script.Scenario
	for _, path := range paths {
		loaded, err := scenario.Load(path, run.Read, scenario.NamesOf(providers))
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", path, err)
		}
		sc := loaded.Scenario
		sc.Steps, sc.Cases, sc.Include = nil, nil, nil
		list = append(list, sc)
	}
	return list, nil
}

// prepared is the configuration of the default sandbox.
func (o Options) prepared(scenarios []script.Scenario) (engine.SandboxConfig, error) {
	config := engine.SandboxConfig{Seed: o.Seed, Clock: o.clock()}
	for i := range scenarios {
		if err := stage.Prepare(&config, &scenarios[i], o.KeepSeed, o.KeepClock); err != nil {
			return config, fmt.Errorf("scenario %s: %w", o.Scenarios[i], err)
		}
	}
	return config, nil
}

// serveScenarios applies what is served from the start.
func (s *Server) serveScenarios(scenarios []script.Scenario) error {
	for i, sc := range scenarios {
		if _, err := s.stage.Put(s.sandbox, sc); err != nil {
			return fmt.Errorf("%s: %w", s.options.Scenarios[i], err)
		}
	}
	return nil
}

// Reload reads the scenarios that are served again and makes the default sandbox what they say now, from its start. When one of
// them is wrong everything stays as it was, and the error says where. A seed or clock that has changed counts from the next
// start on, and so do the credentials of accounts that there are.
func (s *Server) Reload() error {
	scenarios, err := readScenarios(s.options.Scenarios, s.engine.Providers())
	if err != nil {
		return err
	}
	for i := range scenarios {
		scenarios[i].Clock = nil // the sandbox's own, to which a reset returns
	}
	s.defaultPolicies(scenarios)
	return s.stage.Replace(s.sandbox, scenarios)
}

// defaultPolicies lets the first scenario return policies to their defaults that were served from the start, to which a reset
// returns, and that no scenario has any more.
func (s *Server) defaultPolicies(scenarios []script.Scenario) {
	for name := range s.served {
		if slices.ContainsFunc(scenarios, func(sc script.Scenario) bool { _, has := sc.Policies[name]; return has }) {
			continue
		}
		if scenarios[0].Policies == nil {
			scenarios[0].Policies = map[string]any{}
		}
		scenarios[0].Policies[name] = nil
	}
}
