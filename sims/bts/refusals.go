package bts

import (
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

func methodOff(saw string, allowed []string) error {
	return sims.Failure{
		Kind: sims.WrongMethod, Rule: "methods", Saw: saw + ", which the policy methods switches off",
		Want: strings.Join(allowed, " or "), Allow: allowed,
	}
}

func invalidCredentials(saw string) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Saw: saw,
		Want: "Authorization: Bearer <access token of this sandbox that has not expired>",
	}
}

func notAcceptable(saw string) error {
	return sims.Failure{
		Kind: sims.Refused, Rule: "accept-header", Status: http.StatusNotAcceptable, Saw: saw, Want: "Accept: application/json",
	}
}

func loginRefused(known bool) error {
	saw := "a login that does not exist"
	if known {
		saw = "a wrong password"
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "login-refused", Message: "Incorrect login or password.", Saw: saw,
		Want: "login and password of an account of this sandbox",
	}
}

func refreshInvalid(saw string) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: "refresh-invalid", Saw: saw, Want: "a refresh token of this sandbox that has not expired",
		Fields: []sims.FieldError{{In: "body", Field: "refresh_token", Keyword: faultUnknown}},
	}
}
