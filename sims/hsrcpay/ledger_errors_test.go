package hsrcpay_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func errorTests() ledgerTests {
	return ledgerTests{
		"error-envelope":  errorEnvelope,
		"error-code":      errorCode,
		"error-messages":  errorMessages,
		"error-reasons":   errorReasons,
		"error-statuses":  errorStatuses,
		"rate-limit":      rateLimit,
		"scripted-errors": scriptedErrors(),
		"server-error":    serverError,
	}
}

// rendered is a failure of a kind that no request causes, in the provider's envelope.
func rendered(w *simtest.World, f sims.Failure) (status int, body string) {
	w.T.Helper()
	inside(w, func(e *sims.Env) {
		reply := w.Provider.Fail(&sims.Call{Env: e}, f)
		status, body = reply.Status, encoded(w, reply.Body)
	})
	return status, body
}

// kinds are all kinds of failure with status, message and reason.
func kinds() map[sims.Kind]struct {
	status          int
	message, reason string
} {
	type answer = struct {
		status          int
		message, reason string
	}
	return map[sims.Kind]answer{
		sims.Malformed:        {400, "Bad request", "Request body is not valid JSON"},
		sims.MissingBody:      {400, "Bad request", "Request body is not valid JSON"},
		sims.Refused:          {400, "Bad request", "Bad request"},
		sims.Unauthorized:     {401, "Unauthorized", "Invalid token"},
		sims.Forbidden:        {403, "Forbidden", "No access to this account"},
		sims.UnknownPath:      {404, "Not found", "Route not found"},
		sims.NotFound:         {404, "Not found", "Account not found"},
		sims.WrongMethod:      {405, "Method not allowed", "Method not allowed"},
		sims.Conflict:         {409, "Conflict", "Idempotency key was used with a different request"},
		sims.TooLarge:         {413, "Payload too large", "Request body must be at most 1048576 bytes"},
		sims.WrongContentType: {415, "Unsupported media type", "Content-Type must be application/json"},
		sims.Invalid:          {422, "Validation failed", "Request validation failed"},
		sims.RateLimited:      {429, "Too many requests", "Rate limit exceeded"},
		sims.Internal:         {500, "Internal server error", "Internal server error"},
	}
}

func errorEnvelope(w *simtest.World) {
	for kind, want := range kinds() {
		status, body := rendered(w, sims.Failure{Kind: kind})
		require.Equal(w.T, want.status, status)
		require.Equal(w.T, refusal(want.status, want.message, want.reason, "{}"), body)
	}
	w.Call(list, simtest.Request{Anonymous: true}).Is(401, `{"message":"Unauthorized","success":false,"error":{"code":401,"message":"Missing bearer token","details":{}}}`)
}

func errorCode(w *simtest.World) {
	for kind, want := range kinds() {
		status, body := rendered(w, sims.Failure{Kind: kind})
		require.Contains(w.T, body, `"error":{"code":`+strconv.Itoa(status)+`,`)
		status, body = rendered(w, sims.Failure{Kind: kind, Status: 503})
		if kind != sims.Invalid {
			require.Equal(w.T, 503, status)
			require.Equal(w.T, refusal(503, "Service Unavailable", want.reason, "{}"), body)
		}
	}
	w.SetPolicy("validation_status", "400")
	require.InDelta(w.T, 400, w.Call(create, simtest.Request{Body: `{}`}).Get("error.code"), 0)
}

func errorMessages(w *simtest.World) {
	for kind, want := range kinds() {
		_, body := rendered(w, sims.Failure{Kind: kind, Message: "reason"})
		require.Equal(w.T, refusal(want.status, want.message, "reason", "{}"), body)
	}
	w.SetPolicy("validation_status", "400")
	require.Equal(w.T, "Validation failed", w.Call(create, simtest.Request{Body: `{}`}).Get("message"))
	require.Equal(w.T, "Bad request", w.Call(create, simtest.Request{Body: `{`}).Get("message"))
}

// errorReasons gathers every reason a client can meet; the remaining ones no request causes.
func errorReasons(w *simtest.World) {
	reasons := []string{}
	add := func(r *simtest.Reply) { reasons = append(reasons, fmt.Sprint(r.Get("error.message"))) }
	add(as(w, list, ""))
	add(as(w, list, "Bearer x"))
	add(as(w, list, "Bearer "+jwt(`{"exp":1}`, "x")))
	add(as(w, list, "Bearer "+w.Credentials["publishable_key"]))
	add(w.Call(list, simtest.Request{Query: map[string]string{"account_id": "x"}}))
	w.SetPolicy("account_mismatch_status", "403")
	add(w.Call(list, simtest.Request{Query: map[string]string{"account_id": "x"}}))
	add(raw(w, http.MethodGet, "/x", "", nil))
	add(raw(w, http.MethodPut, "/v1/webhooks/", "", nil))
	keyed(w, "k", plainBody, nil)
	add(keyed(w, "k", `{"endpoint":"https://a.example","enabled_events":["*"]}`, nil))
	add(raw(w, http.MethodPost, "/v1/webhooks/", string(make([]byte, 1<<20+1)), nil))
	add(raw(w, http.MethodPost, "/v1/webhooks/", "x", map[string]string{"Authorization": "Bearer " + w.Credentials["secret_key"]}))
	add(w.Call(create, simtest.Request{Body: `{`}))
	add(w.Call(create, simtest.Request{Body: `{}`}))
	require.Equal(w.T, []string{
		"Missing bearer token", "Invalid token", "Token expired", "Publishable keys cannot access webhooks", "Account not found",
		"No access to this account", "Route not found", "Method not allowed", "Idempotency key was used with a different request",
		"Request body must be at most 1048576 bytes", "Content-Type must be application/json", "Request body is not valid JSON",
		"Request validation failed",
	}, reasons)
}

func errorStatuses(w *simtest.World) {
	statuses := []int{}
	for kind := range kinds() {
		status, _ := rendered(w, sims.Failure{Kind: kind})
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	require.Equal(w.T, []int{400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500}, slices.Compact(statuses))
	for _, operation := range []string{create, list} {
		for _, status := range []int{400, 401, 403, 404, 409, 422, 429, 500} {
			require.NotNil(w.T, w.Provider.Contract.Operations[operation].Spec.Responses.Status(status), "%s %d", operation, status)
		}
	}
}

func rateLimit(w *simtest.World) {
	for range 300 {
		w.Call(create, simtest.Request{Body: plainBody}).OK()
	}
	status, body := rendered(w, sims.Failure{Kind: sims.RateLimited})
	require.Equal(w.T, http.StatusTooManyRequests, status)
	require.Equal(w.T, refusal(429, "Too many requests", "Rate limit exceeded", "{}"), body)
}

func serverError(w *simtest.World) {
	status, body := rendered(w, sims.Failure{Kind: sims.Internal})
	require.Equal(w.T, http.StatusInternalServerError, status)
	require.Equal(w.T, refusal(500, "Internal server error", "Internal server error", "{}"), body)
}
