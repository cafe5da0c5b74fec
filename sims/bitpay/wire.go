package bitpay

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// The provider's error codes (error-envelope): four of VelaFi's dictionary, the others of the BHEX family.
const (
	codeInvalid    = "-4010"
	codeTooLong    = "-4011"
	codeNotNumeric = "-4021"
	codeRepeated   = "-1174"
	codeNotAllowed = "-5033"

	codeUnknown      = "-1000"
	codeUnauthorized = "-1002"
	codeTooMany      = "-1003"
	codeUnsupported  = "-1020"
	codeTimestamp    = "-1021"
	codeSignature    = "-1022"
	codeMandatory    = "-1102"
	codeKeyFormat    = "-2014"
	codeKeyUnknown   = "-2015"
)

type successBody struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

type errorBody struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
}

// success obeys success-envelope.
func success(data any) sims.Reply {
	return sims.Reply{Status: http.StatusOK, Body: successBody{Code: 200, Msg: "SUCCESS", Data: data}}
}

// fail renders a failure. The provider's own constructors and scripts choose code, text and status; what they leave open
// comes from render.
func fail(c *sims.Call, f sims.Failure) sims.Reply {
	f = render(c, f)
	code, err := strconv.Atoi(f.Code)
	if err != nil {
		code = -1000
	}
	return sims.Reply{Status: statusOf(c, f), Body: errorBody{Code: code, Msg: f.Message}}
}

// statusOf obeys business-error-status.
func statusOf(c *sims.Call, f sims.Failure) int {
	business := []string{codeInvalid, codeTooLong, codeNotNumeric, codeRepeated, codeNotAllowed}
	if f.Status == http.StatusBadRequest && slices.Contains(business, f.Code) && c.Policies.Enum("business_error_status") == "200" {
		return http.StatusOK
	}
	return f.Status
}

// render obeys unknown-path, wrong-method, content-type, too-large, malformed-json, rate-limit, server-error and scripted-errors.
func render(c *sims.Call, f sims.Failure) sims.Failure {
	switch f.Kind {
	case sims.UnknownPath:
		return with(f, http.StatusNotFound, codeUnsupported, "This operation is not supported.")
	case sims.WrongMethod:
		return with(f, http.StatusMethodNotAllowed, codeUnsupported, "This operation is not supported.")
	case sims.WrongContentType:
		return with(f, http.StatusUnsupportedMediaType, codeUnsupported, "This operation is not supported.")
	case sims.TooLarge:
		return with(f, http.StatusRequestEntityTooLarge, codeTooLong, tooLong("body", "1048576"))
	case sims.Malformed, sims.MissingBody:
		return with(f, http.StatusBadRequest, codeMandatory, "A mandatory parameter was not sent, was empty/null, or malformed.")
	case sims.Invalid:
		return renderField(c, f)
	case sims.Unauthorized, sims.Forbidden:
		return with(f, http.StatusUnauthorized, codeUnauthorized, "You are not authorized to execute this request.")
	case sims.NotFound:
		return with(f, http.StatusBadRequest, codeInvalid, "Parameter webhookId is invalid")
	case sims.Conflict:
		return with(f, http.StatusBadRequest, codeRepeated, textRepeated)
	case sims.RateLimited:
		return with(f, http.StatusTooManyRequests, codeTooMany, "Too many requests; current limit is 1200 requests per minute. "+
			"Please use the websocket for live updates to avoid polling the API.")
	default:
		return with(f, http.StatusInternalServerError, codeUnknown, "An unknown error occured while processing the request.")
	}
}

// with completes a failure; what was chosen stays.
func with(f sims.Failure, status int, code, message string) sims.Failure {
	f.Code, f.Status, f.Message = cmp.Or(f.Code, code), cmp.Or(f.Status, status), cmp.Or(f.Message, message)
	return f
}

// renderField reports the first violation of the schema (check-order): schema, url-format, url-length, numeric,
// unknown-webhook and mandatory-parameter.
func renderField(c *sims.Call, f sims.Failure) sims.Failure {
	first := reported(f)
	name := first.Field
	if name == "" {
		name = "body"
	}
	switch {
	case c.Operation == "generateToken":
		return with(f, http.StatusBadRequest, codeMandatory,
			fmt.Sprintf("Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name))
	case name == "url" && first.Keyword == "maxLength":
		return with(f, http.StatusBadRequest, codeTooLong, tooLong("url", first.Limit))
	case name == "status" && first.Value != nil && !numeric(first):
		return with(f, http.StatusBadRequest, codeNotNumeric, "Parameter status is not numeric type")
	default:
		return with(f, http.StatusBadRequest, codeInvalid, "Parameter "+name+" is invalid")
	}
}

// reported is the one violation that is reported; none is like one of the body.
func reported(f sims.Failure) sims.FieldError {
	if len(f.Fields) == 0 {
		return sims.FieldError{}
	}
	return slices.MinFunc(f.Fields, func(a, b sims.FieldError) int { return cmp.Compare(place(a), place(b)) })
}

// place orders violations: the path, the body as a whole, its fields in documented order.
func place(f sims.FieldError) int {
	return slices.Index([]string{"webhookId", "", "eventType", "url", "status", "timestamp", "signature"}, f.Field)
}

// numeric says whether a value that is no status is a number at all: 10.5 is, "20" in a body is not (numeric).
func numeric(f sims.FieldError) bool {
	value := f.Value
	if sent, ok := value.(string); ok && f.In == "query" {
		value, _ = strictjson.Decode([]byte(sent))
	}
	_, ok := value.(float64)
	return ok
}

func tooLong(name, limit string) string {
	return fmt.Sprintf("Parameter %s exceeds the limit length of %s", name, limit)
}

const textRepeated = "Repeated submit request"

// Texts of timestamps outside of the window (window, window-future).
const (
	textOutside = "Timestamp for this request is outside of the recvWindow."
	textAhead   = "Timestamp for this request was 1000ms ahead of the server's time."
)

// millis is the provider's form of an instant (token-format, delivery-numbers).
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
