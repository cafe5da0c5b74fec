package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

func (c *checker) checkAccounts() {
	for _, account := range slices.Sorted(maps.Keys(c.s.Accounts)) {
		if account == "nobody" {
			c.refuseName("accounts.nobody", fmt.Errorf("nobody is a call without credentials: choose another name"))
		}
		for _, sim := range slices.Sorted(maps.Keys(c.s.Accounts[account])) {
			c.refuseName(join(join("accounts", account), sim), c.sim(sim))
		}
	}
}

func (c *checker) checkReceivers() {
	for _, name := range slices.Sorted(maps.Keys(c.s.Receivers)) {
		path := join("receivers", name)
		if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name) {
			c.refuseName(path, fmt.Errorf("want a name of letters, digits, '.', '_' and '-', at most 64"))
		}
		c.checkReceiverScript(join(path, "script"), c.s.Receivers[name].Script)
	}
}

// checkReceiverScript reads the script of a receiver as the receiver will.
func (c *checker) checkReceiverScript(path string, plain any) {
	if plain == nil || holed(plain) {
		return
	}
	shape := &shaper{params: c.params, early: strings.HasPrefix(path, "receivers")}
	shaped, _ := shape.value(c.root.find(path), reflect.TypeFor[receiver.Script](), path, "")
	if c.problems = append(c.problems, shape.problems...); len(shape.problems) > 0 {
		return
	}
	data, err := strictjson.Encode(shaped)
	var s receiver.Script
	if err == nil {
		err = strictjson.UnmarshalKnown(data, &s)
	}
	if err == nil {
		err = s.Validate()
	}
	invalid, ok := errors.AsType[*receiver.InvalidError](err)
	if !ok {
		c.refuse(path, err)
		return
	}
	for _, f := range invalid.Fields {
		c.wrong(join(path, f.Field), "want %s, got %s", f.Want, f.Saw)
	}
}

// worldNames are the variables of what stands in the world.
func worldNames() []string {
	return []string{"params", "receivers", "webhooks", "accounts", "state", "start", "sandbox", "index"}
}

func (c *checker) checkWebhooks() {
	var seen []string
	for i, w := range c.s.Webhooks {
		path := fmt.Sprintf("webhooks[%d]", i)
		c.noHole(path+".name", w.Name)
		if slices.Contains(seen, w.Name) {
			c.wrong(path+".name", "there is a webhook %q already", w.Name)
		}
		c.refuse(path+".sim", c.sim(w.Sim))
		for at, event := range w.Events {
			c.refuse(fmt.Sprintf("%s.events[%d]", path, at), c.events(w.Sim, event))
		}
		c.refuse(path+".account", c.account(w.Account))
		c.refuse(path+".created_at", before(w.CreatedAt))
		c.refuse(path+".count", within(script.Times(w.Count), maxEntries))
		c.holes(path, worldNames(), map[string][]string{"webhooks": seen})
		seen = append(seen, namesOfWebhook(w)...)
	}
}

func (c *checker) noHole(path, text string) {
	if hasHole(text) {
		c.wrong(path, "no hole can stand in a name")
	}
}

// within: a number that may be left out is at most so large.
func within(n, largest int) error {
	if n > largest {
		return fmt.Errorf("want at most %d, got %d", largest, n)
	}
	return nil
}

// events checks an event type of a webhook, or a pattern such as payment.* where the provider takes such.
func (c *checker) events(simName, event string) error {
	prefix, pattern := strings.CutSuffix(event, "*")
	sim, ok := c.names.Sim(simName)
	if !pattern || !ok {
		return c.event(simName, event)
	}
	if !slices.ContainsFunc(sim.Events, func(e string) bool { return strings.HasPrefix(e, prefix) }) {
		return fmt.Errorf("%s has no event types that begin with %q", simName, prefix)
	}
	return nil
}

func (c *checker) event(simName, event string) error {
	sim, ok := c.names.Sim(simName)
	if !ok || hasHole(event) || slices.Contains(sim.Events, event) {
		return nil
	}
	return fmt.Errorf("%s has no event type %q%s", simName, event, onlyNear(event, sim.Events))
}

func (c *checker) checkDeliveries() {
	sims := map[string]string{}
	for _, w := range c.s.Webhooks {
		for _, name := range namesOfWebhook(w) {
			sims[name] = w.Sim
		}
	}
	for i, d := range c.s.Deliveries {
		path := fmt.Sprintf("deliveries[%d]", i)
		if sim, ok := sims[d.Webhook]; !ok && !hasHole(d.Webhook) {
			c.wrong(path+".webhook", "there is no webhook %q%s", d.Webhook, suggest(d.Webhook, c.names.Webhooks))
		} else {
			c.refuse(path+".type", c.event(sim, d.Type))
		}
		c.refuse(path+".at", before(d.At))
		c.refuse(path+".count", within(script.Times(d.Count), maxEntries))
		c.refuse(path+".attempts", within(d.Attempts, 1000))
		if d.Status != 0 && (d.Status < 100 || d.Status > 599) {
			c.wrong(path+".status", "want 100 to 599, got %d", d.Status)
		}
		c.holes(path, worldNames(), nil)
	}
}
