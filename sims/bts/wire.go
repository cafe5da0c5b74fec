package bts

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// Texts of the application: the first three documented, the others those of the Yii2 catalogue (json-encoding).
const (
	textConfigured     = "Muvaffaqiyatli yaratildi."
	textInvalid        = "Tekshiruv xatosi."
	textBadURL         = "URL notog‘ri"
	textBadEnvironment = "Notog‘ri environment"
	textSignedIn       = "Kirish muvaffaqiyatli amalga oshdi."
	textBlank          = " to`ldirish shart."
	textNotString      = " qiymati satr bo`lishi kerak."
	textNotBoolean     = " qiymati «true» yoki «false» bo`lishi kerak."
	textBadFormat      = " qiymatining formati noto`g`ri."
	textBadValue       = " qiymati noto`g`ri."
)

func textTooLong(limit string) string {
	return " qiymati maksimum " + limit + " belgidan oshmasligi kerak."
}

// frameworkError is the body of errors that Yii2 answers by itself (error-envelopes).
type frameworkError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Code    int    `json:"code"`
	Status  int    `json:"status"`
	Type    string `json:"type,omitzero"`
}

// applicationError is the body of a failed validation (schema).
type applicationError struct {
	Status     bool        `json:"status"`
	Message    string      `json:"message"`
	StatusCode int         `json:"status_code"`
	Errors     sims.Object `json:"errors"`
}

// fail renders a failure: failed validations in the envelope of the application, all else in that of the framework.
func fail(c *sims.Call, f sims.Failure) sims.Reply {
	if f.Kind == sims.Invalid || f.Kind == sims.MissingBody {
		status := cmp.Or(f.Status, http.StatusUnprocessableEntity)
		return sims.Reply{Status: status, Body: applicationError{
			Message: cmp.Or(f.Message, textInvalid), StatusCode: status, Errors: fieldMessages(c.Operation, f.Fields),
		}}
	}
	status := statusOf(f)
	code, _ := strconv.Atoi(f.Code) // the framework's own is 0
	body := frameworkError{Name: http.StatusText(status), Message: f.Message, Code: code, Status: status}
	if body.Message == "" {
		body.Message = frameworkText(c.Policies, f, status)
	}
	if c.Policies.Bool("error_type") {
		body.Type = `yii\web\` + exception(status)
	}
	return sims.Reply{Status: status, Header: failHeader(f, status), Body: body}
}

func statusOf(f sims.Failure) int {
	if f.Status != 0 {
		return f.Status
	}
	switch f.Kind {
	case sims.UnknownPath, sims.NotFound:
		return http.StatusNotFound
	case sims.WrongMethod:
		return http.StatusMethodNotAllowed
	case sims.TooLarge:
		return http.StatusRequestEntityTooLarge
	case sims.WrongContentType:
		return http.StatusUnsupportedMediaType
	case sims.Malformed, sims.Refused:
		return http.StatusBadRequest
	case sims.Unauthorized:
		return http.StatusUnauthorized
	case sims.Forbidden:
		return http.StatusForbidden
	case sims.Conflict:
		return http.StatusConflict
	case sims.RateLimited:
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// frameworkText is the framework's own message of a status (framework-texts).
func frameworkText(p sims.Policies, f sims.Failure, status int) string {
	translated := func(uz, en string) string {
		if p.Enum("framework_texts") == "en" {
			return en
		}
		return uz
	}
	switch status {
	case http.StatusBadRequest:
		if f.Kind == sims.Malformed {
			return "Invalid JSON data in request body: Syntax error."
		}
	case http.StatusUnauthorized:
		return "Your request was made with invalid credentials."
	case http.StatusForbidden:
		return translated("Sizga ushbu amalni bajarishga ruhsat berilmagan.", "You are not allowed to perform this action.")
	case http.StatusNotFound:
		return translated("Sahifa topilmadi.", "Page not found.")
	case http.StatusMethodNotAllowed:
		return "Method Not Allowed. This URL can only handle the following request methods: " +
			strings.Join(shownMethods(p, f.Allow), ", ") + "."
	case http.StatusNotAcceptable:
		return "None of your requested content types is supported."
	case http.StatusUnsupportedMediaType:
		return "The requested content type is not supported."
	case http.StatusTooManyRequests:
		return "Rate limit exceeded."
	case http.StatusInternalServerError:
		return translated("Serverning ichki xatoligi yuz berdi.", "An internal server error occurred.")
	}
	return http.StatusText(status)
}

// exception is the class of the exception behind a status (error-type-key).
func exception(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "BadRequestHttpException"
	case http.StatusUnauthorized:
		return "UnauthorizedHttpException"
	case http.StatusForbidden:
		return "ForbiddenHttpException"
	case http.StatusNotFound:
		return "NotFoundHttpException"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowedHttpException"
	case http.StatusNotAcceptable:
		return "NotAcceptableHttpException"
	case http.StatusConflict:
		return "ConflictHttpException"
	case http.StatusUnsupportedMediaType:
		return "UnsupportedMediaTypeHttpException"
	case http.StatusTooManyRequests:
		return "TooManyRequestsHttpException"
	case http.StatusInternalServerError:
		return "ServerErrorHttpException"
	default:
		return "HttpException"
	}
}

// failHeader obeys credentials and rate-limit.
func failHeader(f sims.Failure, status int) http.Header {
	switch {
	case status == http.StatusUnauthorized && f.Rule != "login-refused":
		return http.Header{"Www-Authenticate": {`Bearer realm="api"`}}
	case status == http.StatusTooManyRequests:
		return http.Header{"X-Rate-Limit-Limit": {"100"}, "X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {"60"}}
	default:
		return nil
	}
}

// finish adds what every reply carries (json-encoding), and takes methods that are switched off out of Allow.
func finish(c *sims.Call, r *sims.Reply) {
	if r.Body != nil && r.ContentType == "" {
		r.ContentType = "application/json; charset=UTF-8"
	}
	if allow := r.Header.Get("Allow"); allow != "" {
		r.Header.Set("Allow", strings.Join(shownMethods(c.Policies, strings.Split(allow, ", ")), ", "))
	}
}

// shownMethods leaves out a method of the webhook configuration that is switched off (methods, wrong-method). No other
// path has GET.
func shownMethods(p sims.Policies, existing []string) []string {
	if !slices.Contains(existing, http.MethodGet) {
		return existing
	}
	return allowedMethods(p)
}

// zone is the provider's time zone, which has no summer time (configured-date).
func zone(p sims.Policies) *time.Location {
	if p.Enum("timezone") == "UTC" {
		return time.UTC
	}
	return time.FixedZone("Asia/Tashkent", 5*60*60)
}

// date is the provider's form of a day.
func date(p sims.Policies, at time.Time) string { return at.In(zone(p)).Format(time.DateOnly) }
