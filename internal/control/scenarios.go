package control

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/scenarios"
	"github.com/mocksrv/mocksrv/script"
)

// maxScenario is how many bytes of a scenario are read.
const maxScenario = 1 << 20

// applyScenario puts a scenario, in YAML or JSON, into the sandbox: all of it or nothing.
func (a *API) applyScenario(c *call) (int, any, error) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxScenario+1))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge || len(data) > maxScenario {
		return 0, nil, client.Problem{
			Title: "body too large", Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("a scenario has at most %d bytes", maxScenario),
		}
	}
	if err != nil {
		return 0, nil, client.Problem{Title: "invalid body", Status: http.StatusBadRequest, Detail: "the body ended early: " + err.Error()}
	}
	sc, err := scenario.Parse(data, a.engine.Names())
	if err != nil {
		return 0, nil, wrongBody(err)
	}
	applied, err := a.stage.Apply(c.sandbox, sc)
	return http.StatusOK, applied, notApplied("", err)
}

// wrongBody is wrongScenario where the whole body is the scenario: one that cannot be read at all is no scenario.
func wrongBody(err error) error {
	problems, ok := errors.AsType[scenario.Problems](err)
	if !ok || !problems[0].NotYAML {
		return wrongScenario("", err)
	}
	problem := invalidFields([]client.ProblemField{placed("body", problems[0])})
	problem.Title, problem.Status = "invalid body", http.StatusBadRequest
	return problem
}

// notApplied is a problem that says why a scenario cannot be put into this sandbox, whatever the reason.
func notApplied(prefix string, err error) error {
	if !errors.Is(err, stage.ErrScenario) || errors.Is(err, store.ErrNoSandbox) || errors.Is(err, engine.ErrSandboxFull) {
		return err
	}
	problem := client.Problem{Title: "scenario not applied", Status: http.StatusUnprocessableEntity, Detail: err.Error()}
	if faults, ok := errors.AsType[rule.Faults](err); ok {
		problem.Errors = faultFields(faults)
	} else if part, ok := errors.AsType[*stage.PartError](err); ok {
		problem.Errors = []client.ProblemField{{Field: part.Path, Detail: part.Err.Error()}}
	}
	for i := range problem.Errors {
		problem.Errors[i].Field = prefix + problem.Errors[i].Field
	}
	return problem
}

// wrongScenario is a problem that says every place where a scenario is wrong.
func wrongScenario(prefix string, err error) error {
	problems, ok := errors.AsType[scenario.Problems](err)
	if !ok {
		return err
	}
	var wrong []client.ProblemField
	for _, p := range problems {
		wrong = append(wrong, placed(cmp.Or(strings.Trim(prefix+"."+p.Path, "."), "body"), p))
	}
	problem := invalidFields(wrong)
	problem.Title = "invalid scenario"
	return problem
}

// placed is a field that says where in the text of a scenario it is wrong.
func placed(field string, p scenario.Problem) client.ProblemField {
	return client.ProblemField{Field: field, Detail: fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message)}
}

// scenarioOf reads the scenario a sandbox is to be made with: the name of a built-in one, YAML text, or an object. Nil: none.
func (a *API) scenarioOf(raw []byte) (*script.Scenario, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	names := a.engine.Names()
	var text string
	if err := strictjson.Unmarshal(raw, &text); err != nil { // an object: JSON is YAML
		sc, err := scenario.Parse(raw, names)
		return &sc, wrongScenario("scenario", err)
	}
	if strings.Contains(text, "\n") {
		sc, err := scenario.Parse([]byte(text), names)
		return &sc, wrongScenario("scenario", err)
	}
	if !slices.Contains(scenarios.Names(), text) {
		return nil, invalidFields([]client.ProblemField{unknown("scenario", text, "built-in scenario", scenarios.Names())})
	}
	loaded, err := scenario.Load(text, scenarios.Read, names)
	if err != nil {
		return nil, wrongScenario("scenario", err)
	}
	return &loaded.Scenario, nil
}

// put puts the scenario a sandbox was made with into it; a reset does so again.
func (a *API) put(s *engine.Sandbox, sc *script.Scenario) error {
	if sc == nil {
		return nil
	}
	if _, err := a.stage.Put(s, *sc); err != nil {
		_, gone := a.engine.DeleteSandbox(s.Name)
		a.end(s)
		return cmp.Or(gone, notApplied("scenario.", err))
	}
	return nil
}

// schema answers the JSON Schema of scenario files.
func (a *API) schema(*call) (int, any, error) {
	return http.StatusOK, text{contentType: "application/schema+json", data: scenarios.Schema()}, nil
}
