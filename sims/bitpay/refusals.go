package bitpay

import (
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// rule names the ledger entry of what the engine found: that of the violation which is reported (check-order).
func rule(c *sims.Call, f sims.Failure) string {
	switch {
	case f.Kind == sims.MissingBody:
		return "malformed-json"
	case f.Rule != "schema":
		return ""
	case c.Operation == "generateToken":
		return "mandatory-parameter"
	}
	first := reported(f)
	text, _ := first.Value.(string)
	switch {
	case first.Field == "webhookId":
		return "unknown-webhook"
	case first.Field == "eventType" && text != "":
		return "event-types"
	case first.Field == "url":
		return urlRule(c, first, text)
	case first.Field == "status" && first.Value != nil:
		return statusRule(c, first)
	}
	return ""
}

func urlRule(c *sims.Call, first sims.FieldError, text string) string {
	switch {
	case first.Keyword == "maxLength":
		return "url-length"
	case first.Keyword == "required" && c.Operation == "updateWebhook":
		return "url-required"
	case text != "":
		return "url-format"
	}
	return ""
}

func statusRule(c *sims.Call, first sims.FieldError) string {
	switch {
	case !numeric(first):
		return "numeric"
	case c.Operation == "listWebhooks":
		return "list-status"
	}
	return "status-put"
}

// refusals are the errors that a script can ask for by name.
func refusals() map[string]func(*sims.Call) error {
	parameter := func(rule, name, want string) func(*sims.Call) error {
		return func(*sims.Call) error { return invalid(rule, name, "of "+sims.SawScript, want) }
	}
	return map[string]func(*sims.Call) error{
		"invalid_token":       func(*sims.Call) error { return unauthorized(sims.SawScript) },
		"api_key_malformed":   func(c *sims.Call) error { return malformedKey(c.Header) },
		"api_key_unknown":     func(c *sims.Call) error { return unknownKey(c.Header) },
		"signature_invalid":   func(c *sims.Call) error { return scriptedSignature(c.Query.Get("timestamp")) },
		"timestamp_outside":   func(*sims.Call) error { return scriptedWindow() },
		"timestamp_ahead":     func(*sims.Call) error { return scriptedAhead() },
		"duplicate_request":   func(*sims.Call) error { return repeated(sims.SawScript, "another request") },
		"webhook_unknown":     parameter("unknown-webhook", "webhookId", "the id of a webhook of this account"),
		"event_type_invalid":  parameter("event-types", "eventType", "an event type of the provider"),
		"url_invalid":         parameter("url-format", "url", "an http or https address"),
		"banned":              banned,
		"account_not_allowed": func(*sims.Call) error { return notAllowed() },
	}
}

func scriptedSignature(timestamp string) error {
	return wrongSignature("of "+sims.SawScript, "", "the right one", timestamp)
}

func scriptedWindow() error {
	return outsideWindow("window", textOutside, sims.SawScript, "a timestamp inside of the window")
}

func scriptedAhead() error {
	return outsideWindow("window-future", textAhead, sims.SawScript, "a timestamp that is not ahead")
}

// banTime is how long a ban says it lasts (rate-limit).
const banTime = 2 * time.Minute

// banned obeys rate-limit: what comes after 429 was ignored.
func banned(c *sims.Call) error {
	return sims.Failure{
		Kind: sims.RateLimited, Rule: "rate-limit", Status: http.StatusTeapot, Code: codeTooMany,
		Message: "Way too many requests; IP banned until " + millis(c.Now.Add(banTime)) + ". Please use the websocket for live updates to avoid bans.",
		Saw:     sims.SawScript, Want: "fewer requests",
	}
}

// notAllowed obeys api-access.
func notAllowed() error {
	return sims.Failure{
		Kind: sims.Forbidden, Rule: "api-access", Status: http.StatusBadRequest, Code: codeNotAllowed, Message: "Not an API user; contact customer service",
		Saw: sims.SawScript, Want: "an account with API access",
	}
}

func unauthorized(saw string) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "credentials", Saw: saw,
		Want: headerToken + " with " + sims.ReadyMade("token") + " or one issued by generateToken that has not expired",
	}
}

func malformedKey(h http.Header) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "api-key-format", Code: codeKeyFormat, Status: http.StatusUnauthorized,
		Message: "API-key format invalid.",
		Saw:     sims.SawHeader(h, headerAPIKey),
		Want:    headerAPIKey + " with 16 to 128 letters, digits, hyphens and underscores: " + sims.ReadyMade("api_key"),
	}
}

func unknownKey(h http.Header) error {
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "api-key-unknown", Code: codeKeyUnknown, Status: http.StatusUnauthorized,
		Message: "Invalid API-key, IP, or permissions for action.",
		Saw:     sims.SawHeader(h, headerAPIKey), Want: headerAPIKey + " with " + sims.ReadyMade("api_key"),
	}
}

func outsideWindow(rule, message, saw, want string) error {
	return sims.Failure{
		Kind: sims.Refused, Rule: rule, Code: codeTimestamp, Status: http.StatusBadRequest, Message: message, Saw: saw, Want: want,
	}
}

func wrongSignature(sent, mistake, want, timestamp string) error {
	saw := "signature " + sims.Excerpt(sent, 200)
	if mistake != "" {
		saw += ", " + mistake
	}
	return sims.Failure{
		Kind: sims.Unauthorized, Rule: "token-signature", Code: codeSignature, Status: http.StatusBadRequest,
		Message: "Signature for this request is not valid.",
		Saw:     saw, Want: want + ", the hex HMAC-SHA256 of timestamp=" + timestamp + " under the api_secret of this api_key",
	}
}

func invalid(rule, name, saw, want string) error {
	return sims.Failure{
		Kind: sims.Invalid, Rule: rule, Code: codeInvalid, Status: http.StatusBadRequest,
		Message: "Parameter " + name + " is invalid", Saw: name + " " + saw, Want: want,
	}
}

func repeated(saw, want string) error {
	return sims.Failure{
		Kind: sims.Conflict, Rule: "duplicate", Code: codeRepeated, Status: http.StatusBadRequest,
		Message: textRepeated, Saw: saw, Want: want,
	}
}
