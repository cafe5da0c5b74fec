package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/internal/rule"
)

// NamesOf returns what rules and scenarios may refer to that are for these providers.
func NamesOf(providers []*Provider) rule.Names {
	names := rule.Names{Policy: func(name string, value any) error { return checkPolicy(providers, name, value) }}
	for _, p := range providers {
		s := rule.SimNames{
			Name: p.Name, Operations: p.Contract.OperationIDs(), Refusals: keys(p.Refusals), Expires: p.Expire != nil, NumericCodes: p.NumericCodes,
		}
		for _, e := range p.Contract.Ledger {
			s.Rules = append(s.Rules, e.ID)
		}
		for _, t := range p.Contract.Catalogue {
			s.Events = append(s.Events, t.Type)
		}
		if p.Delivery != nil {
			s.Environments = p.Delivery.Environments
		}
		names.Sims = append(names.Sims, s)
	}
	return names
}

// Names returns what rules and scenarios may refer to.
func (e *Engine) Names() rule.Names { return e.names }

func checkPolicy(providers []*Provider, name string, value any) error {
	var known []string
	sim, policyName, _ := strings.Cut(name, ".")
	for _, p := range providers {
		for _, own := range p.Contract.PolicyNames() {
			known = append(known, p.Name+"."+own)
		}
		if policy, ok := p.Contract.Policy(policyName); ok && p.Name == sim && value != nil {
			return checkValue(policy, value)
		}
	}
	if slices.Contains(known, name) {
		return nil
	}
	perhaps := ""
	if like := near.Best(name, known); like != "" {
		perhaps = fmt.Sprintf("; did you mean %s?", like)
	}
	return fmt.Errorf("there is no policy %q%s; mocksrv ledger lists them", name, perhaps)
}

// checkValue says what is wrong with the value of a policy. A number is easily written where the policy's values are texts.
func checkValue(policy *contract.Policy, value any) error {
	_, err := policy.Parse(value)
	if _, isText := value.(string); err != nil && !isText {
		if _, asText := policy.Parse(fmt.Sprint(value)); asText == nil {
			return fmt.Errorf("%w; put it in quotes", err)
		}
	}
	return err
}
