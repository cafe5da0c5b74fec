package simtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
	"github.com/mocksrv/mocksrv/sims"
)

// Scripted is the test of a provider's ledger entry scripted-errors: what each of sims.KindNames looks like, as status and
// body, when a script asks an operation for it.
func Scripted(operation string, want map[string]string) func(w *World) {
	return func(w *World) {
		got := map[string]string{}
		for name, kind := range sims.KindNames() {
			reply := w.refuse(operation, sims.Failure{Kind: kind, Rule: sims.ScriptedRule})
			got[name] = fmt.Sprintf("%d %s", reply.Status, reply.Body)
		}
		require.Equal(w.T, want, got)
	}
}

// refuse lets the provider render a failure of a call that got no further than its operation.
func (w *World) refuse(operation string, f sims.Failure) *Reply {
	w.T.Helper()
	return w.refusal(operation, func(*sims.Call) error { return f })
}

func (w *World) refusal(operation string, refuse func(*sims.Call) error) (reply *Reply) {
	w.T.Helper()
	op := w.Provider.Contract.Operations[operation]
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		call := &sims.Call{Env: w.Sandbox.Env(w.Provider, tx), N: 1, Operation: op.ID, Method: op.Method, Path: op.Path, Header: http.Header{}}
		failure, ok := sims.AsFailure(refuse(call))
		require.True(w.T, ok, "a refusal is a Failure")
		_, known := w.Provider.Contract.Entry(failure.Rule)
		require.True(w.T, known, "refusal by a rule that the ledger does not have: %+v", failure)
		rendered := w.Provider.Fail(call, failure)
		if w.Provider.Finish != nil {
			w.Provider.Finish(call, &rendered)
		}
		body, err := strictjson.Encode(rendered.Body)
		require.NoError(w.T, err)
		reply = &Reply{t: w.T, Status: rendered.Status, Header: rendered.Header, Body: body}
		return nil
	}))
	return reply
}

func scriptedErrors(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	for name, refuse := range w.Provider.Refusals {
		documented := 0
		for _, id := range w.Provider.Contract.OperationIDs() {
			if w.fits(id, w.refusal(id, refuse)) {
				documented++
				refusedByRule(t, sim, id, name)
			}
		}
		require.NotZero(t, documented, "no operation documents the refusal %s", name)
	}
	for name, kind := range sims.KindNames() {
		for _, id := range w.Provider.Contract.OperationIDs() {
			w.refuse(id, sims.Failure{Kind: kind, Rule: sims.ScriptedRule})
			chosen := sims.Failure{Kind: kind, Rule: sims.ScriptedRule, Status: 409, Code: "77", Message: "other words"}
			reply := w.refuse(id, chosen)
			require.Equal(t, 409, reply.Status, "%s %s", id, name)
			if hasText(w.refuse(id, sims.Failure{Kind: kind, Rule: sims.ScriptedRule})) {
				require.Contains(t, string(reply.Body), "other words", "%s %s", id, name)
			}
		}
	}
}

// refusedByRule: a rule that asks for a refusal gets it instead of the operation's answer, as the provider gives it.
func refusedByRule(t *testing.T, sim *sims.Sim, operation, name string) {
	t.Helper()
	w := New(t, sim)
	refuse := script.Rule{Call: script.Targets{sim.Name + "." + operation}, Do: []script.Action{{Refuse: &script.Refuse{Error: name}}}}
	require.NoError(t, w.Sandbox.AddRules(rule.Part{Rules: []script.Rule{refuse}}))
	reply := w.Call(operation, w.exampleRequest(w.Provider.Contract.Operations[operation], ""))
	require.GreaterOrEqual(t, reply.Status, 400)
	require.NotNil(t, reply.Refusal)
	_, known := w.Provider.Contract.Entry(reply.Refusal.Rule)
	require.True(t, known, reply.Refusal.Rule)
	require.Contains(t, reply.Refusal.Saw, name)
	require.Empty(t, w.Webhooks())
}

// hasText says whether an envelope has a place for a text: that of an OAuth2 token endpoint has none.
func hasText(reply *Reply) bool { return reply.Get("error") == nil || reply.Get("message") != nil }

// fits says whether an operation documents a reply: its status, and the form of its body.
func (w *World) fits(operation string, reply *Reply) bool {
	w.T.Helper()
	require.GreaterOrEqual(w.T, reply.Status, 400, operation)
	ref := w.Provider.Contract.Operations[operation].Spec.Responses.Value(itoa(reply.Status))
	return ref != nil && len(contract.ValidateBody(ref.Value.Content.Get("application/json").Schema.Value, reply.JSON())) == 0
}

// ExpireTokens lets all issued tokens expire now, and returns how many.
func (w *World) ExpireTokens() int {
	w.T.Helper()
	expired, err := w.Sandbox.ExpireTokens(w.Provider)
	require.NoError(w.T, err)
	return expired
}

// Plant makes a webhook that exists already.
func (w *World) Plant(account string, planted engine.PlantedCall) sims.Webhook {
	w.T.Helper()
	made, err := w.Engine.Plant(w.Sandbox, w.Provider, account, planted, Start().AddDate(0, -1, 0))
	require.NoError(w.T, err)
	return made
}

// Webhooks lists the webhooks in the neutral shape.
func (w *World) Webhooks() (all []sims.Webhook) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		all = w.Provider.Webhooks(w.Sandbox.Env(w.Provider, tx))
		return nil
	}))
	return all
}

func plantedWebhooks(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	count := 13
	if sim.Plant.Webhooks > 0 {
		count = sim.Plant.Webhooks
	}
	var planted []sims.Webhook
	for range count {
		planted = append(planted, w.Plant(sims.DefaultAccount, engine.PlantedCall{}))
	}
	require.Equal(t, planted, w.Webhooks())
	for _, made := range planted {
		require.Equal(t, sims.Active, made.State)
		require.NotEmpty(t, made.Events)
		require.Equal(t, Start().AddDate(0, -1, 0), made.CreatedAt)
	}
	require.Nil(t, w.Sandbox.Journal.Last(), "it was so before anybody looked")
	if sim.Plant.Webhooks > 0 {
		_, err := w.Engine.Plant(w.Sandbox, w.Provider, sims.DefaultAccount, engine.PlantedCall{}, Start())
		require.ErrorIs(t, err, engine.ErrPlant)
	}
	t.Run("as the test wants them", func(t *testing.T) { plantedAsAsked(t, sim) })
	t.Run("unless the provider would not have them", func(t *testing.T) { plantedWrongly(t, sim) })
}

func plantedAsAsked(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	last := w.Provider.Contract.Catalogue[len(w.Provider.Contract.Catalogue)-1].Type
	asked := engine.PlantedCall{URL: "http://127.0.0.1:1/asked", Disabled: sim.Plant.Disable != nil}
	if sim.Plant.Events != 0 {
		asked.Events = []string{last}
	}
	made := w.Plant(sims.DefaultAccount, asked)
	require.Equal(t, asked.URL, made.URL)
	if asked.Events != nil {
		require.Equal(t, asked.Events, made.Events)
	}
	if asked.Disabled {
		require.Equal(t, sims.Disabled, made.State)
		require.Equal(t, []sims.Webhook{made}, w.Webhooks())
	}
}

func plantedWrongly(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	before := w.Dump()
	wrong := func(account string, planted engine.PlantedCall) error {
		_, err := w.Engine.Plant(w.Sandbox, w.Provider, account, planted, Start())
		require.Error(t, err)
		require.Equal(t, before, w.Dump())
		return err
	}
	require.ErrorContains(t, wrong("nobody-knows", engine.PlantedCall{}), "no such account; there are default")
	err := wrong(sims.DefaultAccount, engine.PlantedCall{URL: "nowhere at all"})
	require.ErrorContains(t, err, "refused by "+sim.Name+".")
	require.ErrorContains(t, err, "nowhere at all")
	if sim.Plant.Disable == nil {
		require.ErrorContains(t, wrong(sims.DefaultAccount, engine.PlantedCall{Disabled: true}), "the provider disables none")
	}
	many := []string{w.Provider.Contract.Catalogue[0].Type, w.Provider.Contract.Catalogue[1].Type}
	if sim.Plant.Events == 0 || sim.Plant.Events == 1 {
		require.ErrorIs(t, wrong(sims.DefaultAccount, engine.PlantedCall{Events: many}), engine.ErrPlant)
	}
}

// otherAccount is the name of the second account in these tests.
const otherAccount = "shop"

func secondAccount(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	require.NoError(t, w.Sandbox.AddAccounts(engine.Accounts{otherAccount: nil}))
	other := w.as(otherAccount)
	for name, value := range w.Credentials {
		require.NotEqual(t, value, other.Credentials[name], name)
	}
	owner, _ := w.Sandbox.AccountOwner(otherAccount, sim.Name)
	mine := w.Plant(sims.DefaultAccount, engine.PlantedCall{URL: "http://127.0.0.1:1/mine"})
	theirs := w.Plant(otherAccount, engine.PlantedCall{URL: "http://127.0.0.1:1/theirs"})
	require.Equal(t, owner, theirs.Account)
	require.NotEqual(t, owner, mine.Account)

	w.seesOnly("/mine", "/theirs")
	other.seesOnly("/theirs", "/mine")
	types := []string{w.Provider.Contract.Catalogue[0].Type}
	require.Equal(t, []string{mine.ID}, targetsOf(w, types[0], ""))
	require.Equal(t, []string{theirs.ID}, targetsOf(w, types[0], owner))
	require.Equal(t, []string{theirs.ID}, targetsOf(w, types[0], otherAccount), "it is known by its name, too")
	t.Run("and survives a snapshot", func(t *testing.T) {
		snap, err := w.Sandbox.Snapshot()
		require.NoError(t, err)
		fresh := New(t, sim)
		require.NoError(t, fresh.Sandbox.Restore(snap))
		require.Equal(t, other.Credentials, fresh.Sandbox.AccountCredentials(otherAccount, sim.Name))
		fresh.as(otherAccount).seesOnly("/theirs", "/mine")
	})
}

// as is the world of another account.
func (w *World) as(account string) *World {
	clone := *w
	clone.Credentials = w.Sandbox.AccountCredentials(account, w.Provider.Name)
	return &clone
}

// seesOnly sends every request that lists.
func (w *World) seesOnly(mine, theirs string) {
	w.T.Helper()
	for _, id := range w.Provider.Contract.OperationIDs() {
		if !slices.Contains([]string{"listConfigurations", "listSubscriptions", "listWebhooks"}, id) {
			continue
		}
		reply := w.Call(id, w.exampleRequest(w.Provider.Contract.Operations[id], "")).OK()
		require.NotContains(w.T, string(reply.Body), theirs)
		if len(reply.Body) > 0 && id != "listConfigurations" { // whose example asks for a state
			require.Contains(w.T, string(reply.Body), mine)
		}
	}
}

func targetsOf(w *World, eventType, owner string) []string {
	var ids []string
	for _, d := range w.Emit(Event{Type: eventType, Account: owner}) {
		ids = append(ids, d.WebhookID)
	}
	return ids
}

func givenCredentials(t *testing.T, sim *sims.Sim) {
	w := New(t, sim)
	other, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: 2})
	require.NoError(t, err)
	given := sims.Credentials{}
	for name := range sim.Given {
		given[name] = other.Credentials(sim.Name)[name]
		require.NotEmpty(t, given[name], "%s can be given, and is no credential", name)
	}
	accounts := engine.Accounts{sims.DefaultAccount: {sim.Name: given}}
	sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "given", Seed: 1, Accounts: accounts, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	w.Sandbox, w.Credentials = sandbox, sandbox.Credentials(sim.Name)
	for name, value := range given {
		require.Equal(t, value, w.Credentials[name])
	}
	made := w.Plant(sims.DefaultAccount, engine.PlantedCall{})
	require.Equal(t, []string{made.ID}, targetsOf(w, w.Provider.Contract.Catalogue[0].Type, ""))
	require.NoError(t, sandbox.Reset())
	require.Equal(t, w.Credentials, sandbox.Credentials(sim.Name), "a reset keeps what was given")
	t.Run("unless the provider would not issue them", func(t *testing.T) { wronglyGiven(t, w, given) })
}

func wronglyGiven(t *testing.T, w *World, given sims.Credentials) {
	before, sim := w.Dump(), w.Provider.Name
	wrong := func(account string, credentials sims.Credentials, want string) {
		err := w.Sandbox.AddAccounts(engine.Accounts{account: {sim: credentials}})
		require.ErrorIs(t, err, engine.ErrAccount)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, w.Dump())
	}
	for name := range given {
		wrong(otherAccount, sims.Credentials{name: ""}, name)
		wrong(otherAccount, sims.Credentials{name: strings.Repeat("é", 600)}, name)
	}
	identifying := 0
	for name, value := range given {
		if w.Sandbox.AddAccounts(engine.Accounts{"taken-" + name: {sim: {name: value}}}) != nil {
			identifying++
		} else {
			require.NoError(t, w.Sandbox.Reset())
		}
	}
	require.NotZero(t, identifying, "two accounts cannot have the same")
	wrong(otherAccount, sims.Credentials{"no_such": "x"}, `"no_such" cannot be given; want one of `+strings.Join(slices.Sorted(maps.Keys(given)), ", "))
	wrong("no name", nil, "want a letter")
	wrong("nobody", nil, "not nobody")
	require.ErrorIs(t, w.Sandbox.AddAccounts(engine.Accounts{"x": {"nosuch": nil}}), engine.ErrAccount)
	require.ErrorIs(t, w.Sandbox.AddAccounts(engine.Accounts{sims.DefaultAccount: nil}), engine.ErrAccountExists)
}
