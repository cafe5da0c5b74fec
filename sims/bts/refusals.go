package bts

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mocksrv/mocksrv/sims"
)

// rule names the ledger entry of what the engine found: that of the field, where all faults have the same.
func rule(c *sims.Call, f sims.Failure) string {
	switch {
	case f.Kind == sims.MissingBody:
		return "body-required"
	case f.Rule != "schema":
		return ""
	}
	return f.Closest(func(fault sims.FieldError) string {
		switch {
		case fault.Field == "":
			return "body-not-object"
		case c.Operation == "login" || c.Operation == "refresh":
			return "auth-fields"
		default:
			return configRule(fault, faultsOf(f.Fields, fault.Field))
		}
	})
}

// configRule is the entry of a fault of the webhook configuration; all are those of its field: length before format.
func configRule(fault sims.FieldError, all []sims.FieldError) string {
	if _, tooLong := withKeyword(all, "maxLength"); tooLong {
		return "too-long"
	}
	switch fault.Field {
	case "webhook_url":
		return "url-invalid"
	case "environment":
		return "environment-invalid"
	case "has_token":
		return "has-token-type"
	}
	if fault.Keyword == "pattern" {
		return "itx-api-key-value"
	}
	return "itx-api-key-type"
}

// refusals are the errors that a script can ask for by name.
func refusals() map[string]func(*sims.Call) error {
	field := func(rule, name, want string) func(*sims.Call) error {
		return func(*sims.Call) error {
			return sims.Failure{
				Kind: sims.Invalid, Rule: rule, Saw: sims.SawScript, Want: want,
				Fields: []sims.FieldError{{In: "body", Field: name, Keyword: "required"}},
			}
		}
	}
	return map[string]func(*sims.Call) error{
		"invalid_credentials": func(*sims.Call) error { return invalidCredentials(sims.SawScript) },
		"login_refused":       func(*sims.Call) error { return loginRefused(readyLogin, true) },
		"refresh_invalid":     func(*sims.Call) error { return refreshInvalid(sims.SawScript) },
		"not_acceptable":      func(*sims.Call) error { return notAcceptable(sims.SawScript) },
		"url_invalid":         field("url-invalid", "webhook_url", "an http or https address"),
		"environment_invalid": field("environment-invalid", "environment", "production or test"),
	}
}

func methodOff(saw string, allowed []string) error {
	return sims.Failure{
		Kind: sims.WrongMethod, Rule: "methods", Saw: saw + ", which the policy methods switches off",
		Want: strings.Join(allowed, " or "), Allow: allowed,
	}
}

func invalidCredentials(saw string) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Saw: saw,
		Want: "Authorization: Bearer with " + sims.ReadyMade("token") + " or an access_token issued by login or refresh that has not expired",
	}
}

// unknownToken shows a token that no row remembers: by its claims, as the start of a JWT tells nothing.
func unknownToken(jwt string) string {
	c := unverified(jwt)
	if c.UID == "" {
		return "the token " + sims.Excerpt(jwt, 12) + ", which is none of this provider"
	}
	return fmt.Sprintf("the token of uid %s with use %s and iat %d, which this sandbox does not know: issued elsewhere, changed, or expired",
		sims.Excerpt(c.UID, 36), sims.Excerpt(c.Use, 12), c.IssuedAt)
}

func notAcceptable(saw string) error {
	return sims.Failure{
		Kind: sims.Refused, Rule: "accept-header", Status: http.StatusNotAcceptable, Saw: saw, Want: "Accept: application/json",
	}
}

func loginRefused(login string, known bool) error {
	saw := "the login " + sims.Excerpt(login, 100) + ", which does not exist"
	if known {
		saw = "a wrong password for the login " + sims.Excerpt(login, 100)
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "login-refused", Message: "Incorrect login or password.", Saw: saw,
		Want: sims.ReadyMade("login and password"),
	}
}

func refreshInvalid(saw string) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: "refresh-invalid", Saw: saw, Want: "a refresh_token issued by login or refresh that has not expired",
		Fields: []sims.FieldError{{In: "body", Field: "refresh_token", Keyword: faultUnknown}},
	}
}
