package signedsub

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The provider's error codes and their texts (error-envelope).
const (
	codeInternal   = "000"
	codeBadRequest = "001"
	codeKey        = "002"
	codeSign       = "003"
	codeNotFound   = "004"
	codeTimestamp  = "011"
	codeDuplicate  = "016"
)

func text(code string) string {
	switch code {
	case codeInternal:
		return "Internal server error"
	case codeKey:
		return "Invalid api key"
	case codeSign:
		return "Wrong sign"
	case codeNotFound:
		return "Requested object is not found"
	case codeTimestamp:
		return "Invalid timestamp parameter"
	default:
		return "Bad request"
	}
}

type errorBody struct {
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message"`
}

// fail renders a failure. The provider's own constructors and scripts choose code, text and status; the rest is answered
// as the ledger entries unknown-path, wrong-method, content-type, malformed-json, too-large, schema and scripted-errors
// say.
func fail(c *sims.Call, f sims.Failure) sims.Reply {
	code, status := outcome(c, f.Kind)
	code, status = cmp.Or(f.Code, code), cmp.Or(f.Status, status)
	message := cmp.Or(f.Message, text(code))
	if f.Message == "" && code == codeDuplicate {
		message = textDuplicate(requestID(c))
	}
	return sims.Reply{Status: status, Body: errorBody{ErrorCode: code, Message: message}}
}

// outcome is the code and the status of a failure whose constructor chose none.
func outcome(c *sims.Call, kind sims.Kind) (code string, status int) {
	switch kind {
	case sims.Internal:
		return codeInternal, http.StatusInternalServerError
	case sims.UnknownPath:
		return codeNotFound, http.StatusNotFound
	case sims.NotFound:
		return codeNotFound, statusOf(c, "error_status_004")
	case sims.WrongMethod:
		return codeBadRequest, http.StatusMethodNotAllowed
	case sims.WrongContentType:
		return codeBadRequest, http.StatusUnsupportedMediaType
	case sims.TooLarge:
		return codeBadRequest, http.StatusRequestEntityTooLarge
	case sims.Unauthorized:
		return codeKey, statusOf(c, "error_status_002")
	case sims.Forbidden:
		return codeBadRequest, http.StatusForbidden
	case sims.Conflict:
		return codeDuplicate, http.StatusBadRequest
	case sims.RateLimited:
		return codeBadRequest, http.StatusTooManyRequests
	default:
		return codeBadRequest, http.StatusBadRequest
	}
}

func textDuplicate(requestID string) string {
	if requestID == "" { // a script asks for it on a call without one
		return "IdempotencyKey already exists"
	}
	return "IdempotencyKey " + requestID + " already exists"
}

func statusOf(c *sims.Call, policy string) int {
	status, _ := strconv.Atoi(c.Policies.Enum(policy))
	return status
}

// date is the provider's form of an instant (dates).
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
