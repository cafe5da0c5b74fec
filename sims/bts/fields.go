package bts

import (
	"slices"

	"github.com/mocksrv/mocksrv/sims"
)

// input is a field of a request body.
type input struct {
	name     string
	label    string // as Yii2 makes it from the name
	limit    int    // characters
	required bool
}

// inputs lists the fields of an operation in the order of its request (schema).
func inputs(operation string) []input {
	switch operation {
	case "login":
		return []input{
			{name: "login", label: "«Login»", limit: 255, required: true},
			{name: "password", label: "«Password»", limit: 255, required: true},
		}
	case "refresh":
		return []input{{name: "refresh_token", label: "«Refresh Token»", limit: 4096, required: true}}
	default:
		return []input{
			{name: "webhook_url", label: "«Webhook Url»", limit: 2048, required: true},
			{name: "environment", required: true},
			{name: "has_token", label: "«Has Token»"},
			{name: "itx-apiKey", label: "«Itx Api Key»", limit: 255},
		}
	}
}

// faultUnknown is a fault that no schema finds: a token nobody issued.
const faultUnknown = "unknown"

// fieldMessages names every faulty field once. A body that is no object lacks all required fields (body-not-object).
func fieldMessages(operation string, fields []sims.FieldError) sims.Object {
	faults := map[string][]string{}
	for _, f := range fields {
		faults[f.Field] = append(faults[f.Field], f.Keyword)
	}
	var messages sims.Object
	for _, in := range inputs(operation) {
		if len(faults[""]) > 0 && in.required {
			faults[in.name] = []string{"required"}
		}
		if len(faults[in.name]) > 0 {
			messages = append(messages, sims.Member{Name: in.name, Value: []string{in.message(faults[in.name])}})
		}
	}
	return messages
}

// message says what is wrong with a field: its length before anything else (too-long).
func (in input) message(keywords []string) string {
	switch {
	case in.limit > 0 && slices.Contains(keywords, "maxLength"):
		return in.label + textTooLong(in.limit)
	case in.name == "webhook_url": // url-invalid
		return textBadURL
	case in.name == "environment": // environment-invalid
		return textBadEnvironment
	case in.name == "has_token": // has-token-type
		return in.label + textNotBoolean
	case slices.Contains(keywords, "type"): // itx-api-key-type, auth-fields
		return in.label + textNotString
	case slices.Contains(keywords, "pattern"): // itx-api-key-value
		return in.label + textBadFormat
	case slices.Contains(keywords, faultUnknown): // refresh-invalid
		return in.label + textBadValue
	default: // required, nullable, minLength (auth-fields)
		return in.label + textBlank
	}
}
