package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// ledgerCommand prints the fidelity ledger.
type ledgerCommand struct {
	Format  string `help:"table, json or markdown." enum:"table,json,markdown" default:"table"`
	Sim     string `help:"Only this provider." placeholder:"NAME"`
	Summary bool   `help:"Only how many behaviours rest on what, for each provider."`
}

// ledgerRow is one entry in the JSON output.
type ledgerRow struct {
	Sim string `json:"sim"`
	contract.Entry
}

// Run prints the ledger.
func (l *ledgerCommand) Run(p *program) error {
	providers, err := mocksrv.Providers()
	if err != nil {
		return err
	}
	var chosen []*engine.Provider
	var names []string
	for _, provider := range providers {
		names = append(names, provider.Name)
		if l.Sim == "" || l.Sim == provider.Name {
			chosen = append(chosen, provider)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("there is no sim %q; the sims are %s", l.Sim, strings.Join(names, ", "))
	}
	if l.Summary {
		return summarise(p.stdout, chosen)
	}
	switch l.Format {
	case "json":
		return ledgerJSON(p.stdout, chosen)
	case "markdown":
		return ledgerMarkdown(p.stdout, chosen)
	}
	return ledgerTable(p.stdout, chosen)
}

func ledgerJSON(w io.Writer, providers []*engine.Provider) error {
	rows := []ledgerRow{}
	for _, p := range providers {
		for _, e := range p.Contract.Ledger {
			if e.Policy != nil {
				plain := *e.Policy
				plain.Default = contract.Plain(plain.Default)
				e.Policy = &plain
			}
			rows = append(rows, ledgerRow{Sim: p.Name, Entry: e})
		}
	}
	data, err := strictjson.Encode(rows)
	if err != nil {
		return err
	}
	if data, err = strictjson.Indent(data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}

func ledgerTable(w io.Writer, providers []*engine.Provider) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "SIM\tENTRY\tBASIS\tPOLICY\tSOURCE\tBEHAVIOUR")
	for _, p := range providers {
		for _, e := range p.Contract.Ledger {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, e.ID, e.Basis, policyName(e), clip(e.Source), e.Behaviour)
		}
	}
	return table.Flush()
}

// clip keeps a column narrow; the other formats have the whole text.
func clip(text string) string {
	const width = 48
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

func policyName(e contract.Entry) string {
	if e.Policy == nil {
		return ""
	}
	return e.Policy.Name
}

func ledgerMarkdown(w io.Writer, providers []*engine.Provider) error {
	escape := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	var b strings.Builder
	for _, p := range providers {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n| entry | basis | behaviour | source | policy |\n|---|---|---|---|---|\n", p.Name, p.Title)
		for _, e := range p.Contract.Ledger {
			policy := ""
			if e.Policy != nil {
				policy = fmt.Sprintf("`%s.%s`: %s; default `%v`", p.Name, e.Policy.Name, e.Policy.Accepts(), contract.Plain(e.Policy.Default))
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.ID, e.Basis, escape.Replace(e.Behaviour), escape.Replace(e.Source), escape.Replace(policy))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// summarise prints the support table of the README.
func summarise(w io.Writer, providers []*engine.Provider) error {
	var b strings.Builder
	b.WriteString("| sim | provider | operations | event types | documented | observed | inferred | assumed | policies |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range providers {
		count := map[contract.Basis]int{}
		for _, e := range p.Contract.Ledger {
			count[e.Basis]++
		}
		fmt.Fprintf(&b, "| `%s` | %s | %d | %d | %d | %d | %d | %d | %d |\n", p.Name, p.Title, len(p.Contract.Operations), len(p.Contract.Catalogue),
			count[contract.Documented], count[contract.Observed], count[contract.Inferred], count[contract.Assumed], len(p.Contract.PolicyNames()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
