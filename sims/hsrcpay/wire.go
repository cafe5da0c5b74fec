package hsrcpay

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// successBody obeys success-envelope.
type successBody struct {
	Message string `json:"message"`
	Success bool   `json:"success"`
	Data    any    `json:"data"`
}

func success(data any) successBody { return successBody{Message: "success", Success: true, Data: data} }

// errorBody obeys error-envelope.
type errorBody struct {
	Message string    `json:"message"`
	Success bool      `json:"success"`
	Error   errorPart `json:"error"`
}

type errorPart struct {
	Code    int         `json:"code"` // the HTTP status (error-code)
	Message string      `json:"message"`
	Details sims.Object `json:"details"`
}

// title obeys error-messages.
func title(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Bad request"
	case http.StatusNotFound:
		return "Not found"
	case http.StatusMethodNotAllowed:
		return "Method not allowed"
	case http.StatusRequestEntityTooLarge:
		return "Payload too large"
	case http.StatusUnsupportedMediaType:
		return "Unsupported media type"
	case http.StatusUnprocessableEntity:
		return "Validation failed"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusInternalServerError:
		return "Internal server error"
	default:
		return http.StatusText(status) // 401 Unauthorized, 403 Forbidden, 409 Conflict
	}
}

// outcome is the status and the reason of a failure whose constructor chose none (error-reasons).
func outcome(kind sims.Kind) (int, string) {
	switch kind {
	case sims.UnknownPath:
		return http.StatusNotFound, "Route not found"
	case sims.WrongMethod:
		return http.StatusMethodNotAllowed, "Method not allowed"
	case sims.TooLarge:
		return http.StatusRequestEntityTooLarge, "Request body must be at most 1048576 bytes"
	case sims.WrongContentType:
		return http.StatusUnsupportedMediaType, "Content-Type must be application/json"
	case sims.Malformed, sims.MissingBody:
		return http.StatusBadRequest, "Request body is not valid JSON"
	case sims.Invalid:
		return http.StatusUnprocessableEntity, "Request validation failed"
	case sims.Unauthorized:
		return http.StatusUnauthorized, "Invalid token"
	case sims.Forbidden:
		return http.StatusForbidden, "No access to this account"
	case sims.NotFound:
		return http.StatusNotFound, "Account not found"
	case sims.Conflict:
		return http.StatusConflict, "Idempotency key was used with a different request"
	case sims.Refused:
		return http.StatusBadRequest, "Bad request"
	case sims.RateLimited:
		return http.StatusTooManyRequests, "Rate limit exceeded"
	default:
		return http.StatusInternalServerError, "Internal server error"
	}
}

// fail renders a failure. What its constructor or a script chose stays.
func fail(c *sims.Call, f sims.Failure) sims.Reply {
	status, reason := outcome(f.Kind)
	message, details := "", reasons(f.Fields)
	switch f.Kind {
	case sims.MissingBody: // as one that is no JSON (malformed-json)
		details = sims.Object{}
	case sims.Invalid:
		status, _ = strconv.Atoi(c.Policies.Enum("validation_status"))
		message, details = title(http.StatusUnprocessableEntity), violations(f.Fields) // schema
	}
	status = cmp.Or(f.Status, status)
	code, err := strconv.Atoi(f.Code)
	if err != nil {
		code = status // error-code
	}
	return sims.Reply{Status: status, Body: errorBody{
		Message: cmp.Or(message, title(status)), Error: errorPart{Code: code, Message: cmp.Or(f.Message, reason), Details: details},
	}}
}

// violations has one list of texts for each field, in the order in which they were found.
func violations(fields []sims.FieldError) sims.Object {
	details := make(sims.Object, 0, len(fields))
	for _, f := range fields {
		name := f.Field
		if name == "" {
			name = "body"
		}
		at := slices.IndexFunc(details, func(m sims.Member) bool { return m.Name == name })
		if at < 0 {
			details, at = append(details, sims.Member{Name: name, Value: []string(nil)}), len(details)
		}
		texts, _ := details[at].Value.([]string)
		texts = append(texts, text(f))
		details[at].Value = texts
	}
	return details
}

// Keywords beside those of the schema.
const (
	keywordHTTPS = "https"
	keywordEvent = "event"
)

// text obeys schema-texts.
func text(f sims.FieldError) string {
	switch f.Keyword {
	case "required":
		return "Required"
	case "type", "nullable":
		return "Expected " + typeOf(f.Field)
	case "minLength":
		return "Must not be empty"
	case "maxLength":
		return "Must be at most " + f.Limit + " characters"
	case "minItems":
		return "Must contain at least 1 item"
	case "maxItems":
		return "Must contain at most " + f.Limit + " items"
	case keywordHTTPS:
		return "HTTPS is required in live mode"
	case keywordEvent:
		return "Unknown event type"
	default:
		return "Must be an absolute http or https URL"
	}
}

func typeOf(field string) string {
	switch field {
	case "":
		return "object"
	case "enabled_events":
		return "array"
	default:
		return "string"
	}
}

// reasons shows fields as the constructors below give them: Want is the one text of the field.
func reasons(fields []sims.FieldError) sims.Object {
	details := make(sims.Object, 0, len(fields))
	for _, f := range fields {
		details = append(details, sims.Member{Name: f.Field, Value: f.Want})
	}
	return details
}

func reason(field, text string) []sims.FieldError {
	return []sims.FieldError{{Field: field, Want: text}}
}

// date is the provider's form of an instant (timestamps).
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
