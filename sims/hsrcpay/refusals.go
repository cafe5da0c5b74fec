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
