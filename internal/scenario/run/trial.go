package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/expression"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// trial is one case under way.
type trial struct {
	target Target
	c      Case
	seed   int64
	shared string // the sandbox that was there before; "": it has its own

	world   client.Sandbox
	sandbox *client.SandboxClient // nil: not made
	start   time.Time
	names   map[string]any // what expressions see beside what steps change
	saved   map[string]any // what steps saved
	steps   int            // performed so far
	frozen  bool           // the clock stands still

	last     *exchange // the last call and its answer
	emitted  any       // the last emit: id of the event, ids of its deliveries
	repeated int       // the index of the step under way
}

// Start is where the clock of a case stands that says nothing else.
func Start() time.Time { return time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC) }

func (t *trial) run(ctx context.Context) *Failure {
	if err := t.open(ctx); err != nil {
		if ctx.Err() != nil {
			return &Failure{At: t.at(""), Message: "interrupted"}
		}
		return &Failure{At: t.at(partOf(err)), Message: "the scenario was not applied: " + explain(err)}
	}
	for i, step := range t.c.Scenario.Steps {
		for index := range script.Times(step.Repeat) {
			t.repeated = index
			if err := t.perform(ctx, i, step); err != nil {
				return t.failure(ctx, i, step, err)
			}
		}
		t.steps++
	}
	return nil
}

// partOf is the part of the scenario that an error names; "": none.
func partOf(err error) string {
	p, ok := errors.AsType[client.Problem](err)
	if !ok || len(p.Errors) == 0 {
		return ""
	}
	part, _ := strings.CutPrefix(p.Errors[0].Field, "scenario.")
	return part
}

// open makes the sandbox and puts the world of the scenario into it.
func (t *trial) open(ctx context.Context) error {
	world := t.c.Scenario
	world.Steps, world.Cases, world.Include = nil, nil, nil
	if t.shared != "" {
		return t.join(ctx, world)
	}
	setting, err := t.clock(world.Clock)
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	world.Clock = nil // it is given beside
	source, err := strictjson.Encode(world)
	if err != nil {
		return err
	}
	t.world, err = t.target.Control.CreateSandbox(ctx, client.NewSandbox{
		Name: t.c.sandboxName(), Origin: t.c.origin(), Seed: &t.seed, Clock: setting, Scenario: source,
	})
	if err != nil {
		return err
	}
	t.enter()
	return nil
}

// enter makes the sandbox that world describes the one of this case.
func (t *trial) enter() {
	t.sandbox, t.start = t.target.Control.In(t.world.Name), t.world.Clock.Now
	t.frozen = t.world.Clock.Mode == "frozen"
	t.names = t.worldNames()
}

// clock is the clock of the case: frozen, and with the world's edge clock, unless the file says otherwise.
func (t *trial) clock(given any) ([]byte, error) {
	template, err := expression.ParseTemplate(given, nil)
	if err != nil {
		return nil, err
	}
	if given, err = template.Render(expression.Vars{Names: map[string]any{"params": t.params()}}); err != nil {
		return nil, err
	}
	setting := map[string]any{}
	switch given := given.(type) {
	case nil:
	case string:
		if setting["mode"] = "real"; given != "real" {
			setting["mode"], setting["now"] = "frozen", given
		}
	case map[string]any:
		maps.Copy(setting, given)
	default:
		return nil, fmt.Errorf("want real, an instant or an object, got %s", shown(given))
	}
	if setting["mode"] == nil {
		setting["mode"] = "frozen"
	}
	if setting["mode"] == "frozen" && setting["now"] == nil {
		setting["now"] = Start().Format(time.RFC3339)
	}
	if setting["edge"] == nil {
		setting["edge"] = "world"
	}
	return strictjson.Encode(setting)
}

func (t *trial) params() map[string]any {
	if t.c.Scenario.Params == nil {
		return map[string]any{}
	}
	return t.c.Scenario.Params
}

// worldNames are the names that stay the same during the case.
func (t *trial) worldNames() map[string]any {
	receivers, webhooks, accounts := map[string]any{}, map[string]any{}, map[string]any{}
	own := map[string]any{}
	for sim, s := range t.world.Sims {
		own[sim] = plainTexts(s.Credentials)
	}
	accounts[defaultAccount] = own
	for _, applied := range t.world.Scenarios {
		for name, url := range applied.Receivers {
			receivers[name] = map[string]any{"url": url}
		}
		for name, w := range applied.Webhooks {
			webhooks[name] = map[string]any{"sim": w.Sim, "id": w.ID}
		}
		for account, bySim := range applied.Accounts {
			credentials := map[string]any{}
			for sim, values := range bySim {
				credentials[sim] = plainTexts(values)
			}
			accounts[account] = credentials
		}
	}
	return map[string]any{
		"params": t.params(), "receivers": receivers, "webhooks": webhooks, "accounts": accounts,
		"sandbox": t.world.Name, "start": t.start,
	}
}

// defaultAccount has the ready-made credentials.
const defaultAccount = "default"

func plainTexts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for name, text := range m {
		out[name] = text
	}
	return out
}

// credentials are those of an account at a sim.
func (t *trial) credentials(account, sim string) (sims.Credentials, error) {
	all, ok := t.names["accounts"].(map[string]any)[account].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there is no account %q; the accounts are %s", account, listed(t.names["accounts"]))
	}
	own, ok := all[sim].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the account %q has no credentials at %s", account, sim)
	}
	out := sims.Credentials{}
	for name, value := range own {
		out[name], _ = value.(string)
	}
	return out, nil
}

func listed(object any) string {
	names, _ := object.(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

func (t *trial) provider(sim string) (*engine.Provider, error) {
	var known []string
	for _, p := range t.target.Providers {
		if p.Name == sim {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return nil, fmt.Errorf("there is no sim %q; the sims are %s", sim, strings.Join(known, ", "))
}

// vars is what an expression sees now. texts are the expressions, to fetch only what they use.
func (t *trial) vars(ctx context.Context, texts string) (expression.Vars, error) {
	v := expression.Vars{Names: maps.Clone(t.names), Now: t.start}
	v.Names["index"] = t.repeated
	v.Names["request"], v.Names["response"] = t.last.names()
	v.Names["emitted"], v.Names["state"] = t.emitted, map[string]any{}
	maps.Copy(v.Names, t.saved)
	if strings.Contains(texts, "state") {
		states, err := t.sandbox.State(ctx)
		if err != nil {
			return v, err
		}
		v.Names["state"] = plainTexts(states.State)
	}
	if strings.Contains(texts, "now") {
		now, err := t.sandbox.Clock(ctx)
		if err != nil {
			return v, err
		}
		v.Now = now.Now
	}
	if strings.Contains(texts, "fake") {
		turn := uint64(t.steps)<<32 + uint64(t.repeated)
		v.Fake = sims.Fake(derive.Root(t.seed, t.c.origin()).Child("steps").Value("fake", turn))
	}
	return v, nil
}

// evaluate evaluates one expression.
func (t *trial) evaluate(ctx context.Context, text string) (*expression.Expression, expression.Vars, error) {
	v, err := t.vars(ctx, text)
	if err != nil {
		return nil, v, err
	}
	e, err := expression.Compile(text, nil)
	return e, v, err
}

// rendered fills the holes of a value: a part of a step.
func rendered[T any](ctx context.Context, t *trial, value T) (out T, err error) {
	data, err := strictjson.Encode(value)
	if err != nil || !strings.Contains(string(data), "${{") {
		return value, err
	}
	plain, err := strictjson.Decode(data)
	if err != nil {
		return out, err
	}
	template, err := expression.ParseTemplate(plain, nil)
	if err != nil {
		return out, err
	}
	v, err := t.vars(ctx, string(data))
	if err != nil {
		return out, err
	}
	if plain, err = template.Render(v); err != nil {
		return out, err
	}
	if data, err = strictjson.Encode(plain); err != nil {
		return out, err
	}
	return out, strictjson.Unmarshal(data, &out)
}

// virtual is how far the world clock went.
func (t *trial) virtual(ctx context.Context) time.Duration {
	if t.sandbox == nil {
		return 0
	}
	now, err := t.sandbox.Clock(ctx)
	if err != nil {
		return 0
	}
	return now.Now.Sub(t.start)
}

// close frees the sandbox, unless it is to stay. It returns the name of one that stays.
func (t *trial) close(ctx context.Context, keep bool) string {
	switch {
	case t.sandbox == nil, t.shared != "":
		return ""
	case keep:
		return t.world.Name
	}
	over, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = t.sandbox.Delete(over) // a server that is gone has no sandbox either
	return ""
}

// at is where a part of the scenario stands.
func (t *trial) at(path string) string {
	if t.c.At == nil {
		return t.c.File
	}
	return t.c.At(path)
}

// explain is an error with every field that the control API complains of.
func explain(err error) string {
	p, ok := errors.AsType[client.Problem](err)
	if !ok || len(p.Errors) == 0 {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(p.Title)
	for _, f := range p.Errors {
		b.WriteString("\n" + f.Field + ": " + f.Detail)
		if len(f.Valid) > 0 && len(f.Valid) <= 12 {
			b.WriteString(" (" + strings.Join(f.Valid, ", ") + ")")
		}
	}
	return b.String()
}

// stepName is how a step is called in reports.
func stepName(i int, s script.Step) string {
	name := s.Name
	if name == "" {
		name = verbOf(s)
	}
	return fmt.Sprintf("step %d (%s)", i+1, name)
}
