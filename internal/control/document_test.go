package control_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/control"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/script"
)

//nolint:gochecknoglobals // the document is read once, not once for each test
var loaded = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(control.Document()) })

// document is shared: it is read and never changed.
func document(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := loaded()
	require.NoError(t, err)
	return doc
}

func TestDocumentIsValidWithItsExamples(t *testing.T) {
	t.Parallel()
	doc := document(t)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()))
}

// operations are those of the document, by the pattern of their route.
func operations(doc *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			all[method+" "+path] = op
		}
	}
	return all
}

func TestEveryRouteHasAnOperationAndTheReverse(t *testing.T) {
	t.Parallel()
	require.Equal(t, control.Routes(), slices.Sorted(maps.Keys(operations(document(t)))))
}

func TestRoutesTakeTheQueryParametersOfTheDocument(t *testing.T) {
	t.Parallel()
	documented := map[string][]string{}
	for pattern, op := range operations(document(t)) {
		for _, p := range op.Parameters {
			if p.Value.In == openapi3.ParameterInQuery {
				documented[pattern] = append(documented[pattern], p.Value.Name)
			}
		}
	}
	require.Equal(t, control.Parameters(), documented)
}

func TestEveryErrorIsAProblemWithExamples(t *testing.T) {
	t.Parallel()
	for pattern, op := range operations(document(t)) {
		for status, response := range op.Responses.Map() {
			if status < "400" {
				continue
			}
			media := response.Value.Content["application/problem+json"]
			require.NotNil(t, media, "%s %s", pattern, status)
			require.Len(t, response.Value.Content, 1)
			require.Equal(t, "#/components/schemas/Problem", media.Schema.Ref)
			require.NotEmpty(t, media.Examples, "%s %s", pattern, status)
		}
	}
}

// types are the Go types behind the schemas; the other schemas describe plain values.
func types() map[string]reflect.Type {
	all := map[string]reflect.Type{
		"ReceiverSpec": reflect.TypeFor[receiver.Spec](), "ReceiverScript": reflect.TypeFor[receiver.Script](),
		"ReceiverReply": reflect.TypeFor[receiver.Reply](), "StoredState": reflect.TypeFor[store.State](), "StoredRow": reflect.TypeFor[store.Row](),
	}
	for _, v := range []any{
		client.Sims{},
		client.Sim{},
		client.Operation{},
		client.EventType{},
		client.Policy{},
		client.LedgerEntry{},
		client.Sandboxes{},
		client.Sandbox{},
		client.SandboxSim{},
		client.NewSandbox{},
		client.NewCertificate{},
		client.Certificate{},
		client.SandboxChange{},
		client.Clock{},
		client.ClockChange{},
		client.Advance{},
		client.Advanced{},
		client.Fired{},
		client.Webhooks{},
		client.Webhook{},
		client.Unblocked{},
		client.Event{},
		client.Emitted{},
		client.Deliveries{},
		client.Delivery{},
		client.Attempt{},
		client.Signature{},
		client.Message{},
		client.SignatureClaim{},
		client.Comparison{},
		client.Finding{},
		client.Journal{},
		client.Exchange{},
		client.Refusal{},
		client.Problem{},
		client.ProblemField{},
		client.Receivers{},
		client.Receiver{},
		client.ReceivedRequest{},
		client.Verification{},
		client.Count{},
		client.Verified{},
		client.Miss{},
		client.Difference{},
		client.StreamWebhooks{},
		client.StreamMissed{},
		client.StreamGone{},
		client.DoctorCheck{},
		client.DoctorReport{},
		client.DoctorStep{},
		client.SnapshotDiff{},
		client.Change{},
		client.Rules{},
		client.ActiveRule{},
		client.NewRules{},
		client.Actions{},
		client.Done{},
		client.States{},
		client.Recording{},
		client.Operated{},
		script.Applied{},
		script.WebhookName{},
		script.Rule{},
		script.Rate{},
		script.Action{},
		script.Answer{},
		script.Refuse{},
		script.Delay{},
		script.Emit{},
		script.Release{},
		script.ReceiverChange{},
		rule.Part{},
		engine.Snapshot{},
		engine.SnapshotClock{},
	} {
		all[reflect.TypeOf(v).Name()] = reflect.TypeOf(v)
	}
	return all
}

// TestReceiversAreScriptedWithTheTypesOfTheClient: the server reads types of its own, which have the same members.
func TestReceiversAreScriptedWithTheTypesOfTheClient(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[receiver.Spec](), reflect.TypeFor[client.ReceiverSpec]()},
		{reflect.TypeFor[receiver.Script](), reflect.TypeFor[client.ReceiverScript]()},
		{reflect.TypeFor[receiver.Reply](), reflect.TypeFor[client.ReceiverReply]()},
	} {
		forms := [2]map[string]string{{}, {}}
		for i, goType := range pair {
			for name, field := range fieldsOf(goType) {
				forms[i][name] = form(field.goType)
			}
		}
		require.Equal(t, forms[0], forms[1])
	}
}

func plainSchemas() []string {
	return []string{"Duration", "DeliveryState", "AttemptError", "Health", "Scenario"}
}

func TestEveryClientTypeHasASchemaAndTheReverse(t *testing.T) {
	t.Parallel()
	known := append(slices.Collect(maps.Keys(types())), plainSchemas()...)
	require.ElementsMatch(t, known, slices.Collect(maps.Keys(document(t).Components.Schemas)))
	structs := declared(t, "../../client/types.go")
	maps.Copy(structs, declared(t, "../../client/diff.go"))
	for _, file := range []string{"doctor", "script", "recording"} {
		maps.Copy(structs, declared(t, "../../client/"+file+".go"))
	}
	for name := range structs {
		require.Contains(t, known, name, "package client declares a type that the document does not have")
	}
}

func TestSchemasMatchTheTypes(t *testing.T) {
	t.Parallel()
	for name, schema := range document(t).Components.Schemas {
		goType, ok := types()[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, schema.Value.Description)
			require.NotNil(t, schema.Value.AdditionalProperties.Has)
			require.False(t, *schema.Value.AdditionalProperties.Has)
			fields := fieldsOf(goType)
			require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(schema.Value.Properties)))
			var always []string
			for name, field := range fields {
				property := schema.Value.Properties[name]
				require.NotEmpty(t, property.Value.Description+property.Ref, name)
				require.Equal(t, form(field.goType), seenForm(property.Value), name)
				require.Equal(t, field.goType.Kind() == reflect.Pointer && field.always, property.Value.Nullable, name)
				if field.always {
					always = append(always, name)
				}
			}
			if name != "ReceiverSpec" { // whose name has no default here
				require.ElementsMatch(t, always, schema.Value.Required)
			}
		})
	}
}

// TestRulesAreDescribedInTheirOwnWords: the words of package script are those of the document.
func TestRulesAreDescribedInTheirOwnWords(t *testing.T) {
	t.Parallel()
	described := 0
	for name, goType := range types() {
		if !strings.HasSuffix(goType.PkgPath(), "/script") {
			continue
		}
		for f := range goType.Fields() {
			property, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			schema := document(t).Components.Schemas[name].Value.Properties[property]
			if words := f.Tag.Get("doc"); words != "" && schema.Ref == "" {
				require.Equal(t, words, schema.Value.Description, "%s.%s", name, property)
				described++
			}
			if enum := f.Tag.Get("enum"); enum != "" {
				require.Equal(t, enum, strings.Join(texts(schema.Value.Enum), ","), "%s.%s", name, property)
			}
		}
	}
	require.Greater(t, described, 40)
}

func texts(values []any) []string {
	list := make([]string, len(values))
	for i := range values {
		list[i] = fmt.Sprint(values[i])
	}
	return list
}

type jsonField struct {
	goType reflect.Type
	always bool // written whatever its value
}

func fieldsOf(t reflect.Type) map[string]jsonField {
	fields := map[string]jsonField{}
	for f := range t.Fields() {
		if f.Anonymous {
			maps.Copy(fields, fieldsOf(f.Type))
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = jsonField{goType: f.Type, always: !strings.Contains(options, "omit")}
	}
	return fields
}

// form says how a Go type is written in JSON, in the words of a schema.
func form(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return form(t.Elem())
	case t == reflect.TypeFor[time.Time]():
		return "string/date-time"
	case t == reflect.TypeFor[[]byte]():
		return "string/byte"
	case t.Name() == "Value" || t.Kind() == reflect.Interface || severalForms(t):
		return "anything"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float64:
		return "number"
	case reflect.Int:
		return "integer"
	case reflect.Int64:
		return "integer/int64"
	case reflect.Uint64:
		return "integer/int64/from 0"
	case reflect.Slice:
		return "array of " + itemForm(t.Elem())
	case reflect.Map:
		return "map of " + itemForm(t.Elem())
	}
	return "object"
}

// severalForms: the type reads itself, from a word or from its usual form.
func severalForms(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.UnmarshalerFrom]())
}

func itemForm(t reflect.Type) string {
	if t.Kind() == reflect.Struct {
		return plainName(t.Name())
	}
	return form(t)
}

func seenForm(s *openapi3.Schema) string {
	switch {
	case s.Type == nil:
		return "anything"
	case s.Type.Is("array"):
		return "array of " + seenItem(s.Items)
	case s.Type.Is("object") && len(s.Properties) == 0 && s.AdditionalProperties.Schema != nil:
		return "map of " + seenItem(s.AdditionalProperties.Schema)
	case s.Type.Is("object") && len(s.Properties) == 0:
		return "map of anything"
	case s.Type.Is("string") && (s.Format == "date-time" || s.Format == "byte"):
		return "string/" + s.Format
	case s.Type.Is("integer") && s.Format == "int64":
		if s.Min != nil && *s.Min == 0 {
			return "integer/int64/from 0"
		}
		return "integer/int64"
	}
	return s.Type.Slice()[0]
}

func seenItem(s *openapi3.SchemaRef) string {
	if s.Ref != "" {
		return plainName(s.Ref[strings.LastIndexByte(s.Ref, '/')+1:])
	}
	return seenForm(s.Value)
}

// plainName: receiver.Reply is ReceiverReply in the document, and store.Row is StoredRow.
func plainName(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "Receiver"), "Stored")
}

// TestEnumsMatchTheComments: where a tag or a comment of package client lists the values of a string, the schema has the same.
func TestEnumsMatchTheComments(t *testing.T) {
	t.Parallel()
	list := regexp.MustCompile(`^[a-z_]+(, [a-z_]+)+$`)
	schemas := document(t).Components.Schemas
	checked := 0
	for name, structure := range declared(t, "../../client/types.go") {
		for _, field := range structure.Fields.List {
			if field.Tag == nil {
				continue // embedded
			}
			tag, _ := strconv.Unquote(field.Tag.Value)
			values := cmp.Or(strings.ReplaceAll(reflect.StructTag(tag).Get("enum"), ",", ", "), strings.TrimSpace(field.Comment.Text()))
			if !list.MatchString(values) {
				continue
			}
			property, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			var enum []string
			for _, v := range schemas[name].Value.Properties[property].Value.Enum {
				enum = append(enum, v.(string)) //nolint:forcetypeassert,errcheck // it is a string property
			}
			require.ElementsMatch(t, strings.Split(values, ", "), enum, "%s.%s", name, property)
			checked++
		}
	}
	require.Greater(t, checked, 5)
}

// declared returns the structs of a file.
func declared(t *testing.T, path string) map[string]*ast.StructType {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	require.NoError(t, err)
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if structure, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = structure
			}
		}
		return true
	})
	return structs
}

// TestAttemptErrorsAreTheClasses: the classes of package delivery are the enum of the document.
func TestAttemptErrorsAreTheClasses(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, constants(t, "../delivery/delivery.go", "Class"), enumOf(t, "AttemptError"))
	require.ElementsMatch(t, constants(t, "../delivery/delivery.go", "State"), enumOf(t, "DeliveryState"))
}

func enumOf(t *testing.T, schema string) []any {
	t.Helper()
	return document(t).Components.Schemas[schema].Value.Enum
}

// constants returns the string constants of a type that a file declares.
func constants(t *testing.T, path, typeName string) []any {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	var values []any
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if named, ok := spec.Type.(*ast.Ident); ok && named.Name == typeName {
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok)
			value, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return true
	})
	return values
}
