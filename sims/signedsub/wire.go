package signedsub

import (
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

// fail renders a failure. The provider's own constructors below chose code and status; what comes from the engine is
// answered as the ledger entries unknown-path, wrong-method, content-type, malformed-json, too-large and schema say.
func fail(_ *sims.Call, f sims.Failure) sims.Reply {
	code, status := f.Code, f.Status
	if code == "" {
		code, status = codeBadRequest, http.StatusBadRequest
	}
	switch f.Kind {
	case sims.Internal:
		code, status = codeInternal, http.StatusInternalServerError
	case sims.UnknownPath:
		code, status = codeNotFound, http.StatusNotFound
	case sims.WrongMethod:
		status = http.StatusMethodNotAllowed
	case sims.WrongContentType:
		status = http.StatusUnsupportedMediaType
	case sims.TooLarge:
		status = http.StatusRequestEntityTooLarge
	}
	message := f.Message
	if message == "" {
		message = text(code)
	}
	return sims.Reply{Status: status, Body: errorBody{ErrorCode: code, Message: message}}
}

func statusOf(c *sims.Call, policy string) int {
	status, _ := strconv.Atoi(c.Policies.Enum(policy))
	return status
}

// date is the provider's form of an instant (dates).
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
