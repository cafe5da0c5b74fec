package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/script"
)

// join puts the world of the scenario into a sandbox that is there already, beside what it has, unless it was made with it. What counts only where a sandbox
// is made must be there as the scenario wants it.
func (t *trial) join(ctx context.Context, world script.Scenario) error {
	sandbox := t.target.Control.In(t.shared)
	before, err := sandbox.Get(ctx)
	if err != nil {
		return err
	}
	t.seed = before.Seed
	if world.Seed != nil && *world.Seed != before.Seed {
		return fmt.Errorf("seed: %d is wanted, and sandbox %s was made with %d; start the server with that seed, or leave it out of the file", *world.Seed, t.shared, before.Seed)
	}
	if world.Origin != "" {
		return fmt.Errorf("origin: it counts only where a sandbox is made, and %s is there already; leave it out, or run the file without --sandbox", t.shared)
	}
	t.world = before
	if err := t.sameAccounts(world.Accounts); err != nil {
		return err
	}
	if madeWith(before, world) {
		_, err = sandbox.SetPolicies(ctx, world.Policies)
	} else if _, err = sandbox.ApplyScenario(ctx, world); err != nil {
		err = t.again(before, world, err)
	}
	if err != nil {
		return err
	}
	if t.world, err = sandbox.Get(ctx); err != nil {
		return err
	}
	t.enter()
	return t.sameAccounts(world.Accounts)
}

// madeWith: the sandbox was made with this scenario, so that its world is there.
func madeWith(sandbox client.Sandbox, world script.Scenario) bool {
	return slices.ContainsFunc(sandbox.Scenarios, func(a client.AppliedScenario) bool {
		return a.Kept && a.Title == world.Title && a.Digest == world.Digest()
	})
}

// again is an error that says when the scenario may be in its own way: receivers and rules can be put in once.
func (t *trial) again(before client.Sandbox, world script.Scenario, err error) error {
	titled := func(a client.AppliedScenario) bool { return a.Title == world.Title }
	made := func(a client.AppliedScenario) bool { return titled(a) && a.Kept }
	switch {
	case !slices.ContainsFunc(before.Scenarios, titled):
		return err
	case slices.ContainsFunc(before.Scenarios, made):
		return fmt.Errorf("%s\nsandbox %s was made with a scenario of this title, whose world is not that of this file and case; serve it as it is now, or serve without it", explain(err), t.shared)
	}
	return fmt.Errorf("%s\nsandbox %s has had this scenario already, by a run or a case before; reset it in between", explain(err), t.shared)
}

// sameAccounts fails when an account that the sandbox has is not the one the scenario describes. The credentials of an account
// are given once: where it is made.
func (t *trial) sameAccounts(wanted map[string]map[string]map[string]string) error {
	known := t.accounts()
	for _, account := range slices.Sorted(maps.Keys(wanted)) {
		for _, sim := range slices.Sorted(maps.Keys(wanted[account])) {
			for _, name := range slices.Sorted(maps.Keys(wanted[account][sim])) {
				want := wanted[account][sim][name]
				if got, there := known[account][sim][name]; there && got != want {
					return fmt.Errorf("accounts.%s.%s.%s: %q is wanted, and in sandbox %s it is %q already; make the sandbox with it, or leave it out of the file", account, sim, name, want, t.shared, got)
				}
			}
		}
	}
	return nil
}

// accounts are those that the sandbox is known to have: account → sim → credentials.
func (t *trial) accounts() map[string]map[string]map[string]string {
	all := map[string]map[string]map[string]string{}
	for _, applied := range t.world.Scenarios {
		maps.Copy(all, applied.Accounts)
	}
	all[defaultAccount] = map[string]map[string]string{}
	for sim, s := range t.world.Sims {
		all[defaultAccount][sim] = s.Credentials
	}
	return all
}
