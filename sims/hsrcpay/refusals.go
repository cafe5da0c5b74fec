package hsrcpay

import (
	"fmt"
	"strconv"
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

func ruleOf(field sims.FieldError) string {
	name, _, _ := strings.Cut(field.Field, ".")
	switch {
	case name == "": // the body as a whole
		return ""
	case isLimit(field.Keyword) && (name != "endpoint" || field.Keyword != "minLength"):
		return "limits"
	case name == "enabled_events":
		return "enabled-events"
	case name == "endpoint" || name == "secret":
		return name
	}
	return ""
}

func isLimit(keyword string) bool {
	switch keyword {
	case "minLength", "maxLength", "minItems", "maxItems", "nullable":
		return true
	}
	return false
}

func missingToken(header string) error {
	saw := fmt.Sprintf("Authorization: %.12q", header)
	if header == "" {
		saw = "no Authorization header"
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Message: "Missing bearer token", Saw: saw, Want: "Authorization: Bearer <token>",
	}
}

func invalidToken(rule, token, want string) error {
	is := kind(token)
	if is == "" {
		is = "token of no known kind"
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: rule, Message: "Invalid token", Want: want,
		Saw: fmt.Sprintf("%s of %d characters, beginning with %.12q", is, len(token), token),
	}
}

func expiredToken(saw, want string) error {
	return sims.Failure{Kind: sims.Unauthorized, Rule: "credentials-jwt", Message: "Token expired", Saw: saw, Want: want}
}

func noPermission(operation string) error {
	permission := "account:webhook:read"
	if operation == "createWebhook" {
		permission = "account:webhook:create"
	}
	return sims.Failure{
		Kind: sims.Forbidden, Rule: "permission", Message: "Publishable keys cannot access webhooks",
		Fields: reason("permission", permission), Saw: "a " + publishableKey, Want: "a " + secretKey + " or an " + accessToken,
	}
}

func unknownEvents(names []string, unknown []int) error {
	f := sims.Failure{Kind: sims.Invalid, Rule: "unknown-event", Want: "types of the event catalogue"}
	saw := make([]string, len(unknown))
	for i, at := range unknown {
		f.Fields = append(f.Fields, sims.FieldError{
			In: "body", Field: "enabled_events." + strconv.Itoa(at), Keyword: keywordEvent, Value: names[at],
		})
		saw[i] = strconv.Quote(names[at])
	}
	f.Saw = strings.Join(saw, ", ")
	return f
}

func httpsRequired(endpoint string) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: "https-in-live", Saw: endpoint + " with a live token", Want: "an https URL, or a test token",
		Fields: []sims.FieldError{{In: "body", Field: "endpoint", Keyword: keywordHTTPS, Value: endpoint}},
	}
}

func wrongAccount(c *sims.Call, saw string) error {
	f := sims.Failure{
		Kind: sims.NotFound, Rule: "unknown-account", Message: "Account not found",
		Saw: fmt.Sprintf("account_id %q", saw), Want: caller(c).Account + ", the account of the token, or none",
	}
	if c.Policies.Enum("account_mismatch_status") == "403" {
		f.Kind, f.Message = sims.Forbidden, "No access to this account"
	}
	f.Fields = reason("account_id", f.Message)
	return f
}

func keyReused(key, since string) error {
	return sims.Failure{
		Kind: sims.Conflict, Rule: "idempotency-conflict", Message: "Idempotency key was used with a different request",
		Fields: reason("Idempotency-Key", "Already used with a different request"),
		Saw:    fmt.Sprintf("key %q, used at %s with other content", key, since), Want: "the same content, or another key",
	}
}
