package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/scenarios"
)

// scenariosCommand shows the built-in scenarios.
type scenariosCommand struct {
	List listScenarios `cmd:"" default:"withargs" help:"List the built-in scenarios, each with what it shows."`
	Show showScenario  `cmd:"" help:"Print the file of a built-in scenario."`
}

// listScenarios lists them.
type listScenarios struct {
	JSON bool `help:"Print the list as JSON." name:"json"`
}

// shownScenario is a built-in scenario in the list.
type shownScenario struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	About string   `json:"about,omitzero"`
	Cases []string `json:"cases,omitempty"`
}

// Run prints the list.
func (l *listScenarios) Run(p *program) error {
	list, err := shownScenarios()
	if err != nil {
		return err
	}
	if l.JSON {
		return printJSON(p.stdout, map[string]any{"scenarios": list})
	}
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	for _, one := range list {
		fmt.Fprintf(table, "%s\t%s\n", one.Name, one.Title)
	}
	return table.Flush()
}

func shownScenarios() ([]shownScenario, error) {
	providers, err := mocksrv.Providers()
	if err != nil {
		return nil, err
	}
	names := scenario.NamesOf(providers)
	list := []shownScenario{}
	for _, name := range scenarios.Names() {
		loaded, err := scenario.Load(name, scenarios.Read, names)
		if err != nil {
			return nil, err
		}
		one := shownScenario{Name: name, Title: loaded.Scenario.Title, About: loaded.Scenario.About}
		for _, c := range loaded.Cases() {
			if c.Name != "" {
				one.Cases = append(one.Cases, c.Name)
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// showScenario prints a file.
type showScenario struct {
	Name string `arg:"" help:"Its name in the list."`
}

// Validate implements kong.Validatable.
func (s *showScenario) Validate() error {
	_, err := scenarios.Read(s.Name)
	return err
}

// Run prints the file.
func (s *showScenario) Run(p *program) error {
	data, err := scenarios.Read(s.Name)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(data)
	return err
}
