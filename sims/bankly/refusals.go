package bankly

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// rule names the ledger entry of what the engine found: that of the property, where all violations have the same.
func rule(c *sims.Call, f sims.Failure) string {
	switch {
	case c.Operation == opIssueToken && f.Kind == sims.Invalid && f.Rule == "schema":
		return cmp.Or(f.Closest(tokenRule), "token-errors")
	case c.Operation == opIssueToken && (f.Kind == sims.Malformed || f.Kind == sims.MissingBody):
		return "token-errors"
	case f.Kind == sims.MissingBody:
		return "malformed-json"
	case f.Rule != "schema":
		return ""
	}
	return f.Closest(func(field sims.FieldError) string { return ruleOf(c.Operation, field) })
}

func tokenRule(field sims.FieldError) string {
	switch {
	case field.Keyword == "required":
		return "token-request"
	case field.Field == "scope":
		return "token-scope"
	}
	return "token-errors"
}

func ruleOf(operation string, field sims.FieldError) string {
	if operation == "createConfiguration" || operation == "updateConfiguration" {
		return configurationRule(field)
	}
	switch field.Field {
	case "page", "pageSize":
		return "paging-limits"
	case "startDate", "endDate":
		return "search-dates"
	case "status":
		return "list-filter"
	case "state":
		return "message-filters"
	case "eventState":
		return "batch-request"
	}
	return ""
}

// configurationRule is the entry of a violation by a configuration; null and other types stay with schema.
func configurationRule(field sims.FieldError) string {
	isKey := field.Field == "privateKey" || field.Field == "publicKey"
	switch {
	case field.Keyword == "minProperties":
		return "partial-update"
	case field.Keyword == "required" || field.Value == "" || field.Keyword == "maxLength" && isKey:
		return "create-fields"
	case field.Keyword == "maxLength" || field.Keyword == "pattern":
		return "field-limits"
	case field.Keyword == "format":
		return "uri-format"
	}
	return ""
}

// refusals are the errors that a script can ask for by name.
func refusals() map[string]func(*sims.Call) error {
	parameter := func(rule, name, keyword, want string) func(*sims.Call) error {
		return func(*sims.Call) error {
			return invalid(rule, sims.SawScript, want, sims.FieldError{Field: name, Keyword: keyword})
		}
	}
	return map[string]func(*sims.Call) error{
		"invalid_token":       func(*sims.Call) error { return unauthorized(sims.SawScript) },
		"insufficient_scope":  func(*sims.Call) error { return scriptedScope() },
		"invalid_api_version": func(c *sims.Call) error { return invalidVersion(c.Header) },
		"invalid_client":      func(*sims.Call) error { return unknownClient(sims.SawScript) },
		"unsupported_grant": func(*sims.Call) error {
			return tokenRefused("token-errors", "unsupported_grant_type", "grant_type client_credentials")
		},
		"invalid_scope": func(*sims.Call) error {
			return tokenRefused("token-scope", "invalid_scope", "scopes that the client has")
		},
		"event_name_required": parameter("create-fields", "eventName", "required", "an eventName"),
		"uri_invalid":         parameter("uri-format", "uri", "format", "an absolute http or https address"),
		"configuration_unknown": func(c *sims.Call) error {
			return scriptedNotFound(c, "id", "the id of a configuration of this company")
		},
		"message_unknown": func(c *sims.Call) error {
			return scriptedNotFound(c, "idempotencyKey", "the idempotencyKey of a message of this company")
		},
		"duplicate_configuration": func(*sims.Call) error { return scriptedConflict("duplicate", "an event that no configuration has") },
		"reprocess_in_progress": func(*sims.Call) error {
			return scriptedConflict("reprocess-in-progress", "a message that has no attempts to come")
		},
		"reprocess_refused": func(*sims.Call) error {
			return sims.Failure{
				Kind: sims.Refused, Rule: "reprocess-refused", Saw: sims.SawScript, Want: "a message whose configuration is enabled",
			}
		},
	}
}

func scriptedScope() error {
	return sims.Failure{Kind: sims.Forbidden, Rule: "permission", Saw: sims.SawScript, Want: "a scope that the token has"}
}

func tokenRefused(rule, code, want string) error {
	return sims.Failure{Kind: sims.Invalid, Rule: rule, Code: code, Saw: sims.SawScript, Want: want}
}

func scriptedNotFound(c *sims.Call, param, want string) error {
	return sims.Failure{Kind: sims.NotFound, Rule: "unknown-object", Saw: sims.SawScript + ": " + param + " " + c.Params[param], Want: want}
}

func scriptedConflict(rule, want string) error {
	return sims.Failure{Kind: sims.Conflict, Rule: rule, Saw: sims.SawScript, Want: want}
}

func unknownClient(saw string) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: "token-client", Code: "invalid_client",
		Saw: "client_id " + sims.Excerpt(saw, 100), Want: sims.ReadyMade("client_id"),
	}
}

func unauthorized(saw string) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Saw: saw,
		Want: "Authorization: Bearer with " + sims.ReadyMade("token") + " or one issued by " + opIssueToken + " that has not expired",
	}
}

func forbidden(saw []string, want string) error {
	return sims.Failure{
		Kind: sims.Forbidden, Rule: "permission", Saw: "a token for " + strings.Join(saw, " "), Want: "the scope " + want,
	}
}

func invalidVersion(h http.Header) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: "api-version", Code: codeVersion, Saw: sims.SawHeader(h, "api-version"), Want: "api-version: 1.0",
	}
}

// notFound obeys unknown-object and malformed-id.
func notFound(what, id, want string) error {
	f := sims.Failure{Kind: sims.NotFound, Rule: "unknown-object", Saw: what + " " + sims.Excerpt(id, 100), Want: want}
	if !isUUID(id) {
		f.Rule, f.Want = "malformed-id", "a UUID: "+want
	}
	return f
}

func isUUID(text string) bool {
	form := func(r rune) rune {
		switch {
		case r == '-':
			return r
		case strings.ContainsRune("0123456789abcdefABCDEF", r):
			return 'x'
		}
		return '?'
	}
	return strings.Map(form, text) == "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
}

func duplicate(taken configuration) error {
	return sims.Failure{
		Kind: sims.Conflict, Rule: "duplicate",
		Saw:  fmt.Sprintf("event %s in context %s to %s, for which configuration %s exists", taken.EventName, taken.Context, taken.URI, taken.ID),
		Want: "an event (policy unique_by) that no configuration of the company has, disabled ones included",
	}
}

func stillSending(key string) error {
	return sims.Failure{
		Kind: sims.Conflict, Rule: "reprocess-in-progress", Saw: "message " + key + ", which has attempts to come",
		Want: "a message that was received, that failed for good, or that is held",
	}
}

func unreachable(m message) error {
	return sims.Failure{
		Kind: sims.Refused, Rule: "reprocess-refused", Saw: "configuration " + m.Configuration + ", which is disabled or deleted",
		Want: "a message whose configuration is enabled",
	}
}

func invalid(rule, saw, want string, fields ...sims.FieldError) error {
	return sims.Failure{Kind: sims.Invalid, Rule: rule, Saw: saw, Want: want, Fields: fields}
}

func nothingSent() error {
	return invalid("partial-update", "none of its fields", "privateKey, publicKey or uri", sims.FieldError{Keyword: "minProperties"})
}

func notAllSent(missing []string) error {
	fields := make([]sims.FieldError, len(missing))
	for i, name := range missing {
		fields[i] = sims.FieldError{Field: name, Keyword: "required"}
	}
	return invalid("partial-update", "no "+strings.Join(missing, ", no "), "privateKey, publicKey and uri together", fields...)
}

func noSuchDay(start string, first time.Time, end string, last time.Time) error {
	var fields []sims.FieldError
	if first.IsZero() {
		fields = append(fields, sims.FieldError{Field: "startDate", Keyword: "format"})
	}
	if last.IsZero() {
		fields = append(fields, sims.FieldError{Field: "endDate", Keyword: "format"})
	}
	return invalid("search-dates", start+" to "+end, "days of the calendar", fields...)
}

func tooEarly(saw string, earliest time.Time) error {
	return invalid("history-window", "startDate "+saw, "startDate "+earliest.Format(time.DateOnly)+" or later",
		sims.FieldError{Field: "startDate", Keyword: keywordHistoryWindow})
}

func wrongOrder(start, end string) error {
	return invalid("date-order", "endDate "+end, "endDate "+start+" or later",
		sims.FieldError{Field: "endDate", Keyword: keywordDateOrder})
}

func contextRequired(days period) error {
	return invalid("batch-context", "no context, and more than 30 days from "+days.start.Format(time.DateOnly)+" to "+days.end.Format(time.DateOnly),
		"context, or at most 30 days", sims.FieldError{Field: "context", Keyword: keywordBatchContext})
}
