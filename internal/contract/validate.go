package contract

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
)

// FieldError is one violation of the contract by a request.
type FieldError struct {
	In      string // "body", "query", "path" or "header"
	Field   string // name; nested members and items are joined with dots: payload.url, events.0
	Keyword string // the violated schema keyword: required, type, enum, format, minimum, maxLength, …
	Value   any    // what was seen; nil when absent
	Want    string // what would pass
	Limit   string // the number or the values that the keyword sets; "" for other keywords
}

// schemaOptions are the options under which schemas are walked.
//
//nolint:gochecknoglobals // read-only, and made once instead of for every request
var schemaOptions = []openapi3.SchemaValidationOption{
	openapi3.MultiErrors(),
	openapi3.EnableFormatValidation(),
	openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
		"uri":  formatFunc(checkURI),
		"uuid": formatFunc(checkUUID),
	}),
}

type formatFunc func(string) error

// Validate implements openapi3.StringFormatValidator.
func (f formatFunc) Validate(s string) error { return f(s) }

// checkURI wants an absolute http or https URL that a request can be sent to.
func checkURI(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("scheme is not http or https")
	case !validHost(u.Hostname()):
		return errors.New("no valid host")
	case u.Port() != "" && !validPort(u.Port()):
		return errors.New("no valid port")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("white space or control characters")
	}
	return nil
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !validLabel(label) {
			return false
		}
	}
	return true
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func checkUUID(s string) error {
	if !uuidPattern.MatchString(s) {
		return errors.New("not a UUID")
	}
	return nil
}

// ValidateBody walks a decoded body against its schema. The order of the violations is fixed: by property name, then
// missing properties.
func ValidateBody(schema *openapi3.Schema, body any) []FieldError {
	return ValidateValue(schema, body, "body", "")
}

// ValidateValue walks any decoded value against a schema and places what it finds at in/name.
func ValidateValue(schema *openapi3.Schema, value any, in, name string) []FieldError {
	err := schema.VisitJSON(value, schemaOptions...)
	if err == nil {
		return nil
	}
	var found []FieldError
	collect(err, in, name, &found)
	return found
}

// maxFound is how many violations of one value are told: a hostile body has no end of them.
const maxFound = 50

func collect(err error, in, name string, found *[]FieldError) {
	//nolint:errorlint // the tree is walked node by node: unwrapping would skip the node that knows its path
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, one := range e {
			if len(*found) >= maxFound {
				return
			}
			collect(one, in, name, found)
		}
	case *openapi3.SchemaError:
		*found = append(*found, fieldError(e, in, name))
	default:
		*found = append(*found, FieldError{In: in, Field: name, Keyword: "schema", Want: err.Error()})
	}
}

func fieldError(schemaErr *openapi3.SchemaError, in, name string) FieldError {
	path := schemaErr.JSONPointer()
	if name != "" {
		path = append([]string{name}, path...)
	}
	field := FieldError{In: in, Field: strings.Join(path, "."), Keyword: schemaErr.SchemaField, Value: schemaErr.Value}
	if field.Keyword == "required" {
		field.Value = nil
	}
	field.Want, field.Limit = want(schemaErr), limit(schemaErr)
	return field
}

// limit is what a keyword sets: a number, or the values of an enum.
func limit(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "enum":
		return values(s)
	case "minLength":
		return strconv.FormatUint(s.MinLength, 10)
	case "maxLength":
		return strconv.FormatUint(*s.MaxLength, 10)
	case "minimum":
		return strconv.FormatFloat(*s.Min, 'f', -1, 64)
	case "maximum":
		return strconv.FormatFloat(*s.Max, 'f', -1, 64)
	case "minItems":
		return strconv.FormatUint(s.MinItems, 10)
	case "maxItems":
		return strconv.FormatUint(*s.MaxItems, 10)
	}
	return ""
}

func values(s *openapi3.Schema) string {
	list := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		list[i] = fmt.Sprint(v)
	}
	return strings.Join(list, ", ")
}

// missing describes the property that an object lacks: its type, or its values.
func missing(e *openapi3.SchemaError) string {
	path := e.JSONPointer()
	if len(path) == 0 || e.Schema.Properties[path[len(path)-1]] == nil {
		return ""
	}
	property := e.Schema.Properties[path[len(path)-1]].Value
	switch {
	case len(property.Enum) > 0:
		return ": one of " + values(property)
	case property.Format == "uri":
		return ": an absolute http or https URL with a host"
	case property.Type != nil:
		return ": " + strings.Join(property.Type.Slice(), " or ")
	}
	return ""
}

// want says what would pass, from the schema that refused.
func want(e *openapi3.SchemaError) string {
	bound := limit(e)
	switch e.SchemaField {
	case "required":
		return "a value" + missing(e)
	case "type":
		return strings.Join(e.Schema.Type.Slice(), " or ")
	case "enum":
		return "one of " + bound
	case "format":
		if e.Schema.Format == "uri" {
			return "an absolute http or https URL with a host"
		}
		return e.Schema.Format
	case "pattern":
		return "a match of " + e.Schema.Pattern
	case "minLength":
		return "at least " + bound + " characters"
	case "maxLength":
		return "at most " + bound + " characters"
	case "minimum":
		return "at least " + bound
	case "maximum":
		return "at most " + bound
	case "minItems":
		return "at least " + bound + " items"
	case "maxItems":
		return "at most " + bound + " items"
	case "nullable":
		return "a value that is not null"
	}
	return "a value that satisfies " + e.SchemaField
}

// ParseParam converts the text of a parameter to the type its schema declares. Text that does not convert stays a
// string, so that validation refuses its type.
func ParseParam(schema *openapi3.Schema, text string) any {
	switch {
	case schema.Type.Is("integer"):
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return float64(n)
		}
	case schema.Type.Is("number"):
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case schema.Type.Is("boolean"):
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}
