package hsrcpay

import (
	"fmt"
	"net/http"
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

// refusals are the errors that a script can ask for by name.
func refusals() map[string]func(*sims.Call) error {
	field := func(rule, name, keyword, want string) func(*sims.Call) error {
		return func(*sims.Call) error {
			return sims.Failure{
				Kind: sims.Invalid, Rule: rule, Saw: sims.SawScript, Want: want,
				Fields: []sims.FieldError{{In: "body", Field: name, Keyword: keyword}},
			}
		}
	}
	return map[string]func(*sims.Call) error{
		"missing_token": func(c *sims.Call) error { return missingToken(c.Header) },
		"invalid_token": func(c *sims.Call) error {
			return invalidToken("credentials", bearer(c.Header), sims.ReadyMade("secret_key"))
		},
		"token_expired":        func(*sims.Call) error { return expiredToken(sims.SawScript, "a token that has not expired") },
		"permission_denied":    func(c *sims.Call) error { return noPermission(c.Operation) },
		"account_unknown":      func(c *sims.Call) error { return wrongAccount(c, c.Query.Get("account_id")) },
		"idempotency_conflict": func(c *sims.Call) error { return keyReused(c.Header.Get("Idempotency-Key"), date(c.Now)) },
		"endpoint_invalid":     field("endpoint", "endpoint", "format", "an absolute http or https address"),
		"https_required":       field("https-in-live", "endpoint", keywordHTTPS, "an https address"),
		"unknown_event":        field("unknown-event", "enabled_events.0", keywordEvent, "an event type of the provider"),
	}
}

func missingToken(h http.Header) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Message: "Missing bearer token", Saw: sims.SawNoBearer(h),
		Want: "Authorization: Bearer with " + sims.ReadyMade("secret_key"),
	}
}

func invalidToken(rule, token, want string) error {
	saw := fmt.Sprintf("the %s %s of %d bytes, which this sandbox does not know", kind(token), sims.Excerpt(token, 12), len(token))
	if kind(token) == "" {
		saw = fmt.Sprintf("the token %s, which is no secret key (sk_), publishable key (pk_) or access token (JWT)", sims.Excerpt(token, 12))
	}
	return sims.Failure{Kind: sims.Unauthorized, Rule: rule, Message: "Invalid token", Saw: saw, Want: want}
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

func unknownEvents(e *sims.Env, names []string, unknown []int) error {
	f := sims.Failure{Kind: sims.Invalid, Rule: "unknown-event", Want: e.WantEvent(names[unknown[0]])}
	saw := make([]string, len(unknown))
	for i, at := range unknown {
		f.Fields = append(f.Fields, sims.FieldError{
			In: "body", Field: "enabled_events." + strconv.Itoa(at), Keyword: keywordEvent, Value: names[at],
		})
		saw[i] = sims.Excerpt(names[at], 100)
	}
	f.Saw = "enabled_events with " + strings.Join(saw, ", ")
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
		Saw: "account_id " + sims.Excerpt(saw, 100), Want: caller(c).Account + ", the account of the token, or none",
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
