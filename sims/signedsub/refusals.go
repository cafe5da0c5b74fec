package signedsub

import (
	"net/http"
	"strings"

	"github.com/mocksrv/mocksrv/sims"
)

// rule names the ledger entry of what the engine found: that of the field, where all violations have the same.
func rule(_ *sims.Call, f sims.Failure) string {
	switch {
	case f.Kind == sims.MissingBody:
		return "malformed-json"
	case f.Rule != "schema":
		return ""
	}
	return f.Closest(ruleOf)
}

// ruleOf is the entry of one violation; inside the payload, what is missing or of another type stays with schema.
func ruleOf(field sims.FieldError) string {
	_, isText := field.Value.(string)
	switch {
	case field.Field == "account":
		return "account-format"
	case field.Field == "payload":
		return "payload-required"
	case field.Field == "payload.requestId" && isText:
		return "request-id-format"
	case field.Field == "payload.url" && isText:
		return "url"
	case strings.HasPrefix(field.Field, "payload.notificationServiceTypes.") && isText:
		return "service-types"
	}
	return ""
}

// refusals are the errors that a script can ask for by name.
func refusals() map[string]func(*sims.Call) error {
	bad := func(rule, want string) func(*sims.Call) error {
		return func(*sims.Call) error { return badRequest(rule, sims.SawScript, want) }
	}
	return map[string]func(*sims.Call) error{
		"invalid_key":          invalidKey,
		"wrong_sign":           func(c *sims.Call) error { return wrongSign(c, "signature", "the right one", "") },
		"invalid_timestamp":    func(*sims.Call) error { return invalidTimestamp("timestamp-window", sims.SawScript, wantTimestamp) },
		"bad_request":          bad("schema", "another body"),
		"event_types_required": bad("event-types-required", "at least one of either"),
		"unknown_event_type":   bad("unknown-event-type", "types that the provider has"),
		"duplicate_request":    func(c *sims.Call) error { return duplicate("duplicate-request-id", requestID(c)) },
		"account_unknown":      func(c *sims.Call) error { return scriptedNotFound(c, "unknown-account") },
		"subscription_unknown": func(c *sims.Call) error { return scriptedNotFound(c, "unknown-object") },
	}
}

func scriptedNotFound(c *sims.Call, rule string) error {
	return notFound(c, rule, sims.SawScript, "what the provider knows")
}

func invalidKey(c *sims.Call) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Code: codeKey, Status: statusOf(c, "error_status_002"),
		Saw: sims.SawHeader(c.Header, "Key"), Want: "Key with " + sims.ReadyMade("key"),
	}
}

func wrongSign(c *sims.Call, rule, want, mistake string) error {
	saw := sims.SawHeader(c.Header, "Sign")
	if mistake != "" {
		saw += ", " + mistake
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: rule, Code: codeSign, Status: statusOf(c, "error_status_003"),
		Saw: saw, Want: "Sign: " + want + ", the lower-case hex HMAC-SHA512 of the raw body under the secret of this Key",
	}
}

func invalidTimestamp(rule, saw, want string) error {
	return sims.Failure{Kind: sims.Refused, Rule: rule, Code: codeTimestamp, Status: http.StatusBadRequest, Saw: saw, Want: want}
}

func badRequest(rule, saw, want string) error {
	return sims.Failure{Kind: sims.Invalid, Rule: rule, Code: codeBadRequest, Status: http.StatusBadRequest, Saw: saw, Want: want}
}

func notFound(c *sims.Call, rule, saw, want string) error {
	return sims.Failure{
		Kind: sims.NotFound, Rule: rule, Code: codeNotFound, Status: statusOf(c, "error_status_004"), Saw: saw, Want: want,
	}
}

func duplicate(rule, requestID string) error {
	return sims.Failure{
		Kind: sims.Conflict, Rule: rule, Code: codeDuplicate, Status: http.StatusBadRequest,
		Message: textDuplicate(requestID),
		Saw:     "requestId " + requestID + ", which is or was in use", Want: "a requestId that was not used before",
	}
}
