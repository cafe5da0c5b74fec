package rule_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/script"
)

func TestARefusalIsOneThatEverySimOfTheRuleHas(t *testing.T) {
	t.Parallel()
	names := rule.Names{Sims: []rule.SimNames{
		{Name: "bank", Operations: []string{"pay"}, Refusals: []string{"no_money"}},
		{Name: "shop", Operations: []string{"buy"}, NumericCodes: true},
	}}
	for name, test := range map[string]struct {
		call   script.Targets
		refuse script.Refuse
		want   string // "": nothing is wrong
	}{
		"its own":                       {call: script.Targets{"bank.pay"}, refuse: script.Refuse{Error: "no_money"}},
		"one that every sim has":        {call: script.Targets{"*"}, refuse: script.Refuse{Error: "conflict"}},
		"one of another sim":            {call: script.Targets{"shop.buy"}, refuse: script.Refuse{Error: "no_money"}, want: `do[0].refuse.error: "no_money" is an error that shop does not have`},
		"one that not all have":         {call: script.Targets{"*"}, refuse: script.Refuse{Error: "no_money"}, want: `do[0].refuse.error: "no_money" is an error that shop does not have`},
		"one that is named later":       {call: script.Targets{"*"}, refuse: script.Refuse{Error: "${{ params.error }}"}},
		"a code in words":               {call: script.Targets{"bank.pay"}, refuse: script.Refuse{Error: "conflict", Code: "E_TWICE"}},
		"a number for a code":           {call: script.Targets{"shop.*"}, refuse: script.Refuse{Error: "conflict", Code: "-77"}},
		"a code in words for a number":  {call: script.Targets{"shop.*"}, refuse: script.Refuse{Error: "conflict", Code: "E_TWICE"}, want: `do[0].refuse.code: the codes of shop are numbers, got "E_TWICE"`},
		"a code in words for all":       {call: script.Targets{"*"}, refuse: script.Refuse{Error: "conflict", Code: "E_TWICE"}, want: `do[0].refuse.code: the codes of shop are numbers`},
		"a code that is filled in late": {call: script.Targets{"shop.*"}, refuse: script.Refuse{Error: "conflict", Code: "${{ params.code }}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := rule.Check(script.Rule{Call: test.call, Do: []script.Action{{Refuse: &test.refuse}}}, names)
			if test.want == "" {
				require.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			require.ErrorContains(t, faults, test.want)
		})
	}
}
