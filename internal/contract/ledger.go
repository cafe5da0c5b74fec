package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Basis says what a behaviour rests on.
type Basis string

// The four labels of the ledger.
const (
	Documented Basis = "documented" // the provider's own page
	Observed   Basis = "observed"   // third-party code written against the provider
	Inferred   Basis = "inferred"   // the same software family does it
	Assumed    Basis = "assumed"    // nothing found; our choice, switchable where it matters
)

// Entry is one behaviour of a provider, with what it rests on.
type Entry struct {
	ID         string   `json:"id"`
	Behaviour  string   `json:"behaviour"`
	Basis      Basis    `json:"basis"`
	Source     string   `json:"source"`
	Operations []string `json:"operations,omitempty"`
	Policy     *Policy  `json:"policy,omitempty"`
}

// Policy is a switch for a behaviour that is not certain.
type Policy struct {
	Name    string     `json:"name"`
	Type    PolicyType `json:"type"`
	Values  []string   `json:"values,omitempty"` // enum
	Min     *int       `json:"min,omitempty"`    // int
	Max     *int       `json:"max,omitempty"`    // int
	Default any        `json:"default"`
}

// PolicyType is the type of a policy's value.
type PolicyType string

// The policy types and how their values are written in JSON.
const (
	Enum      PolicyType = "enum"      // one of Values
	Bool      PolicyType = "bool"      // true or false
	Int       PolicyType = "int"       // a whole number between Min and Max
	Duration  PolicyType = "duration"  // "10s", "1m30s"
	Durations PolicyType = "durations" // ["30s", "1m"]
)

// Entry returns a ledger entry by id.
func (c *Contract) Entry(id string) (Entry, bool) {
	i, ok := c.entryByID[id]
	if !ok {
		return Entry{}, false
	}
	return c.Ledger[i], true
}

// Policy returns a policy by name.
func (c *Contract) Policy(name string) (*Policy, bool) {
	p, ok := c.policyByName[name]
	return p, ok
}

// PolicyNames returns the names of all policies in ledger order.
func (c *Contract) PolicyNames() []string {
	var names []string
	for _, e := range c.Ledger {
		if e.Policy != nil {
			names = append(names, e.Policy.Name)
		}
	}
	return names
}

func (c *Contract) readLedger(raw any) error {
	if err := reencode(raw, &c.Ledger); err != nil {
		return fmt.Errorf("contract: %s: %w", ledgerExtension, err)
	}
	for i, e := range c.Ledger {
		if err := c.checkEntry(e); err != nil {
			return fmt.Errorf("contract: ledger entry %q: %w", e.ID, err)
		}
		c.entryByID[e.ID] = i
		if e.Policy != nil {
			c.policyByName[e.Policy.Name] = e.Policy
		}
	}
	return nil
}

func (c *Contract) checkEntry(e Entry) error {
	if e.ID == "" || e.Behaviour == "" || e.Source == "" {
		return fmt.Errorf("id, behaviour and source are required")
	}
	if _, dup := c.entryByID[e.ID]; dup {
		return fmt.Errorf("stands twice")
	}
	if !slices.Contains([]Basis{Documented, Observed, Inferred, Assumed}, e.Basis) {
		return fmt.Errorf("basis %q is none of documented, observed, inferred, assumed", e.Basis)
	}
	for _, op := range e.Operations {
		if _, ok := c.Operations[op]; !ok {
			return fmt.Errorf("operation %q does not exist", op)
		}
	}
	if e.Policy == nil {
		return nil
	}
	if _, dup := c.policyByName[e.Policy.Name]; dup {
		return fmt.Errorf("policy %q stands twice", e.Policy.Name)
	}
	value, err := e.Policy.Parse(e.Policy.Default)
	if err != nil {
		return fmt.Errorf("default: %w", err)
	}
	e.Policy.Default = value
	return nil
}

// Parse checks a value given as plain JSON data and returns it in its Go type: string, bool, int, time.Duration or
// []time.Duration. It also accepts values that are of that type already.
func (p *Policy) Parse(v any) (any, error) {
	switch p.Type {
	case Enum:
		if s, ok := v.(string); ok && slices.Contains(p.Values, s) {
			return s, nil
		}
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case Int:
		return p.parseInt(v)
	case Duration:
		return p.parseDuration(v)
	case Durations:
		return p.parseDurations(v)
	default:
		return nil, fmt.Errorf("policy %s has an unknown type %q", p.Name, p.Type)
	}
	return nil, p.refuse(v)
}

func (p *Policy) parseInt(v any) (any, error) {
	n, ok := v.(int)
	if f, isFloat := v.(float64); isFloat && f == float64(int(f)) {
		n, ok = int(f), true
	}
	if !ok || p.Min != nil && n < *p.Min || p.Max != nil && n > *p.Max {
		return nil, p.refuse(v)
	}
	return n, nil
}

func (p *Policy) parseDuration(v any) (any, error) {
	if d, ok := v.(time.Duration); ok {
		return d, nil
	}
	s, _ := v.(string)
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxDuration {
		return nil, p.refuse(v)
	}
	return d, nil
}

// maxDuration keeps instants within the years that dates can be written for.
const maxDuration = 10 * 365 * 24 * time.Hour

func (p *Policy) parseDurations(v any) (any, error) {
	if list, ok := v.([]time.Duration); ok {
		return list, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, p.refuse(v)
	}
	list := make([]time.Duration, 0, len(items))
	for _, item := range items {
		d, err := p.parseDuration(item)
		if err != nil {
			return nil, p.refuse(v)
		}
		parsed, _ := d.(time.Duration)
		list = append(list, parsed)
	}
	return list, nil
}

func (p *Policy) refuse(v any) error {
	return fmt.Errorf("policy %s: %s expected, got %s", p.Name, p.Accepts(), show(v))
}

// Accepts describes the valid values in words.
func (p *Policy) Accepts() string {
	switch p.Type {
	case Enum:
		return "one of " + strings.Join(p.Values, ", ")
	case Bool:
		return "true or false"
	case Int:
		s := "a whole number"
		if p.Min != nil {
			s += " from " + strconv.Itoa(*p.Min)
		}
		if p.Max != nil {
			s += " up to " + strconv.Itoa(*p.Max)
		}
		return s
	case Duration:
		return `a duration such as "10s" or "1m30s", at most ten years`
	case Durations:
		return `a list of durations such as ["30s", "1m"], each at most ten years`
	}
	return string(p.Type)
}

// Plain returns a policy value as it is written in JSON.
func Plain(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v.String()
	case []time.Duration:
		list := make([]string, len(v))
		for i, d := range v {
			list[i] = d.String()
		}
		return list
	default:
		return v
	}
}

func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// reencode turns decoded plain data into a typed value; unknown fields are refused.
func reencode(raw, v any) error {
	data, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}
