package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/script"
)

// checkRefusals says which refusals of a rule the sims do not have that it is attached to, and which codes their envelopes
// have no place for. An error that no sim has is found elsewhere.
func checkRefusals(r script.Rule, targets script.Targets, p script.Point, n Names) (faults Faults) {
	about := simsMeant(targets, p, n)
	for i, a := range r.Do {
		if a.Refuse == nil {
			continue
		}
		at := fmt.Sprintf("do[%d].refuse.", i)
		if without := lacking(a.Refuse.Error, about, n); len(without) > 0 {
			faults = append(faults, Fault{Path: at + "error", Message: fmt.Sprintf("%q is an error that %s does not have; every sim has %s",
				a.Refuse.Error, strings.Join(without, " and "), strings.Join(Kinds(), ", "))})
		}
		if _, err := strconv.Atoi(a.Refuse.Code); a.Refuse.Code == "" || hasHole(a.Refuse.Code) || err == nil {
			continue
		}
		for _, s := range about {
			if s.NumericCodes {
				faults = append(faults, Fault{Path: at + "code", Message: fmt.Sprintf("the codes of %s are numbers, got %q", s.Name, a.Refuse.Code)})
			}
		}
	}
	return faults
}

// simsMeant are the sims that targets are about.
func simsMeant(targets script.Targets, p script.Point, n Names) []SimNames {
	return slices.DeleteFunc(slices.Clone(n.Sims), func(s SimNames) bool {
		return !slices.ContainsFunc(targets, func(text string) bool {
			t, err := parseTarget(text, p, n)
			return err == nil && (t.sim == "" || t.sim == s.Name)
		})
	})
}

// lacking are the names of sims that do not have an error, which another has.
func lacking(name string, about []SimNames, n Names) (without []string) {
	has := func(s SimNames) bool { return slices.Contains(s.Refusals, name) }
	if hasHole(name) || slices.Contains(Kinds(), name) || !slices.ContainsFunc(n.Sims, has) {
		return nil
	}
	for _, s := range about {
		if !has(s) {
			without = append(without, s.Name)
		}
	}
	return without
}
