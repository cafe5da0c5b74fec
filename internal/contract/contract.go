// Package contract compiles a provider's OpenAPI document into what the engine needs on the request path: operations,
// parameters and body schemas to validate with, security requirements, and the fidelity ledger with its policies.
//
// The document is the provider's routing table and the only place where its schemas stand. Validation walks the schemas
// of kin-openapi directly over a value that was decoded once. The package knows no provider.
package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Contract is a compiled document. It is read-only and shared by all sandboxes.
type Contract struct {
	Doc        *openapi3.T
	Operations map[string]*Operation // by operationId
	Ledger     []Entry
	Catalogue  []EventType                 // event types in documented order
	Events     map[string]*openapi3.Schema // schema of the delivered body by event type

	entryByID    map[string]int
	policyByName map[string]*Policy
}

// EventType is one entry of a provider's event catalogue.
type EventType struct {
	Type  string `json:"type"`
	Group string `json:"group,omitempty"` // the provider's own grouping: context, service, …
	// Fields are the required members of the event's object in documented order, for payload builders.
	Fields []string `json:"-"`
}

// Operation is one operation of the document.
type Operation struct {
	ID           string
	Method       string
	Path         string
	Paths        []string // Path, and its other slash form where the provider accepts both
	Params       []Param
	Body         map[string]*openapi3.Schema // by media type
	BodyRequired bool
	Security     [][]Requirement // alternatives of requirements that must all hold; none: open
	Spec         *openapi3.Operation
}

// Param is a query, path or header parameter.
type Param struct {
	Name     string
	In       string
	Required bool
	Schema   *openapi3.Schema
}

// Requirement is one security scheme with the scopes an operation asks for.
type Requirement struct {
	Scheme string
	Scopes []string
}

// Extension names in the documents.
const (
	ledgerExtension        = "x-mocksrv-ledger"
	trailingSlashExtension = "x-mocksrv-trailing-slash"
	eventsExtension        = "x-mocksrv-events"
	eventSchemaPrefix      = "event."
)

// Compile reads a document. That it is valid OpenAPI, examples included, is checked once and for all by the conformance
// suite; here it would only cost start-up time.
func Compile(data []byte) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("contract: load document: %w", err)
	}
	if doc.Components == nil {
		doc.Components = &openapi3.Components{}
	}
	c := &Contract{
		Doc:          doc,
		Operations:   map[string]*Operation{},
		Events:       map[string]*openapi3.Schema{},
		entryByID:    map[string]int{},
		policyByName: map[string]*Policy{},
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if err := c.addOperation(path, method, item, op); err != nil {
				return nil, err
			}
		}
	}
	for name, ref := range doc.Components.Schemas {
		if event, ok := strings.CutPrefix(name, eventSchemaPrefix); ok {
			c.Events[event] = ref.Value
		}
	}
	if err := c.readCatalogue(doc.Extensions[eventsExtension]); err != nil {
		return nil, err
	}
	if err := c.readLedger(doc.Extensions[ledgerExtension]); err != nil {
		return nil, err
	}
	return c, nil
}

// readCatalogue reads the list of event types and checks that each has a schema and each schema is listed.
func (c *Contract) readCatalogue(raw any) error {
	if raw == nil {
		return nil
	}
	if err := reencode(raw, &c.Catalogue); err != nil {
		return fmt.Errorf("contract: %s: %w", eventsExtension, err)
	}
	listed := map[string]bool{}
	for i, t := range c.Catalogue {
		c.Catalogue[i].Fields = requiredFields(c.Events[t.Type])
		if _, ok := c.Events[t.Type]; !ok || listed[t.Type] {
			return fmt.Errorf("contract: %s: %q has no schema %s%s, or stands twice", eventsExtension, t.Type, eventSchemaPrefix, t.Type)
		}
		listed[t.Type] = true
	}
	if len(listed) != len(c.Events) {
		return fmt.Errorf("contract: %d event schemas, but %s lists %d types", len(c.Events), eventsExtension, len(listed))
	}
	return nil
}

// requiredFields reads the required members of an object schema, of its parts, or of the items of an array, in order.
func requiredFields(schema *openapi3.Schema) []string {
	if schema == nil {
		return nil
	}
	if schema.Items != nil {
		return requiredFields(schema.Items.Value)
	}
	var fields []string
	for _, part := range schema.AllOf {
		fields = append(fields, requiredFields(part.Value)...)
	}
	for _, name := range schema.Required {
		if !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	return fields
}

func (c *Contract) addOperation(path, method string, item *openapi3.PathItem, op *openapi3.Operation) error {
	if op.OperationID == "" {
		return fmt.Errorf("contract: %s %s has no operationId", method, path)
	}
	if _, dup := c.Operations[op.OperationID]; dup {
		return fmt.Errorf("contract: operationId %s is used twice", op.OperationID)
	}
	o := &Operation{ID: op.OperationID, Method: method, Path: path, Paths: []string{path}, Spec: op}
	if both, _ := item.Extensions[trailingSlashExtension].(bool); both {
		o.Paths = append(o.Paths, otherSlash(path))
	}
	for _, params := range []openapi3.Parameters{item.Parameters, op.Parameters} {
		for _, ref := range params {
			p := ref.Value
			o.Params = append(o.Params, Param{Name: p.Name, In: p.In, Required: p.Required, Schema: p.Schema.Value})
		}
	}
	if op.RequestBody != nil {
		o.BodyRequired = op.RequestBody.Value.Required
		o.Body = map[string]*openapi3.Schema{}
		for mediaType, content := range op.RequestBody.Value.Content {
			o.Body[mediaType] = content.Schema.Value
		}
	}
	o.Security = requirements(op.Security, c.Doc.Security)
	c.Operations[o.ID] = o
	return nil
}

func otherSlash(path string) string {
	if trimmed, had := strings.CutSuffix(path, "/"); had {
		return trimmed
	}
	return path + "/"
}

// requirements orders the schemes of each alternative by name, so that checks run in the same order every time.
func requirements(own *openapi3.SecurityRequirements, inherited openapi3.SecurityRequirements) [][]Requirement {
	source := inherited
	if own != nil {
		source = *own
	}
	var alternatives [][]Requirement
	for _, alternative := range source {
		var all []Requirement
		for _, scheme := range slices.Sorted(maps.Keys(alternative)) {
			all = append(all, Requirement{Scheme: scheme, Scopes: alternative[scheme]})
		}
		alternatives = append(alternatives, all)
	}
	return alternatives
}

// SecuritySchemes returns the names of the document's security schemes, sorted.
func (c *Contract) SecuritySchemes() []string {
	return slices.Sorted(maps.Keys(c.Doc.Components.SecuritySchemes))
}

// OperationIDs returns the operationIds, sorted.
func (c *Contract) OperationIDs() []string { return slices.Sorted(maps.Keys(c.Operations)) }

// EventType returns the catalogue entry of an event type.
func (c *Contract) EventType(name string) (EventType, bool) {
	for _, t := range c.Catalogue {
		if t.Type == name {
			return t, true
		}
	}
	return EventType{}, false
}
