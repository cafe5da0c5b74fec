package bts

import (
	"slices"

	"github.com/mocksrv/mocksrv/sims"
)

// input is a field of a request body.
type input struct {
	name     string
	label    string // as Yii2 makes it from the name
	required bool
}

// inputs lists the fields of an operation in the order of its request (schema).
func inputs(operation string) []input {
	switch operation {
	case "login":
		return []input{{"login", "«Login»", true}, {"password", "«Password»", true}}
	case "refresh":
		return []input{{"refresh_token", "«Refresh Token»", true}}
	default:
		return []input{
			{"webhook_url", "«Webhook Url»", true},
			{"environment", "", true},
			{"has_token", "«Has Token»", false},
			{"itx-apiKey", "«Itx Api Key»", false},
		}
	}
}

// faultUnknown is a fault that no schema finds: a token nobody issued.
const faultUnknown = "unknown"

// fieldMessages names every faulty field once. A body that is no object lacks all required fields (body-not-object).
func fieldMessages(operation string, fields []sims.FieldError) sims.Object {
	var messages sims.Object
	for _, in := range inputs(operation) {
		faults := faultsOf(fields, in.name)
		if in.required && len(faultsOf(fields, "")) > 0 {
			faults = []sims.FieldError{{Field: in.name, Keyword: "required"}}
		}
		if len(faults) > 0 {
			messages = append(messages, sims.Member{Name: in.name, Value: []string{in.message(faults)}})
		}
	}
	return messages
}

// faultsOf returns those of one field; "" is the body as a whole.
func faultsOf(fields []sims.FieldError, name string) []sims.FieldError {
	return slices.DeleteFunc(slices.Clone(fields), func(f sims.FieldError) bool { return f.Field != name })
}

func withKeyword(faults []sims.FieldError, keyword string) (sims.FieldError, bool) {
	at := slices.IndexFunc(faults, func(f sims.FieldError) bool { return f.Keyword == keyword })
	if at < 0 {
		return sims.FieldError{}, false
	}
	return faults[at], true
}

// message says what is wrong with a field: its length before anything else (too-long).
func (in input) message(faults []sims.FieldError) string {
	has := func(keyword string) bool { _, ok := withKeyword(faults, keyword); return ok }
	long, tooLong := withKeyword(faults, "maxLength")
	switch {
	case tooLong:
		return in.label + textTooLong(long.Limit)
	case in.name == "webhook_url": // url-invalid
		return textBadURL
	case in.name == "environment": // environment-invalid
		return textBadEnvironment
	case in.name == "has_token": // has-token-type
		return in.label + textNotBoolean
	case has("type"): // itx-api-key-type, auth-fields
		return in.label + textNotString
	case has("pattern"): // itx-api-key-value
		return in.label + textBadFormat
	case has(faultUnknown): // refresh-invalid
		return in.label + textBadValue
	default: // required, nullable, minLength (auth-fields)
		return in.label + textBlank
	}
}
