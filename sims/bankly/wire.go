package bankly

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// The provider's error codes (error-shape).
const (
	codeInvalid      = "INVALID_PARAMETER"
	codeVersion      = "INVALID_API_VERSION"
	codeUnauthorized = "UNAUTHORIZED"
	codeForbidden    = "FORBIDDEN"
	codeNotFound     = "NOT_FOUND"
	codeMethod       = "METHOD_NOT_ALLOWED"
	codeConflict     = "CONFLICT"
	codeTooLarge     = "PAYLOAD_TOO_LARGE"
	codeMediaType    = "UNSUPPORTED_MEDIA_TYPE"
	codeRefused      = "UNPROCESSABLE"
	codeRateLimit    = "TOO_MANY_REQUESTS"
	codeInternal     = "INTERNAL_SERVER_ERROR"
)

// The texts that belong to the codes.
const (
	messageInvalid      = "O conteúdo da requisição não está de acordo com o esperado."
	messageVersion      = "A versão da API informada não é válida."
	messageUnauthorized = "Solicitação não autorizada."
	messageForbidden    = "O acesso ao recurso foi negado pelo servidor."
	messageNotFound     = "Recurso não encontrado."
	messageMethod       = "Recurso acessado com método não suportado."
	messageConflict     = "A sintaxe da requisição é válida, mas o recurso acessado está em um estado que não pode ser alterado ou já houve um processamento semelhante em andamento."
	messageTooLarge     = "O conteúdo da requisição excede o tamanho máximo permitido."
	messageMediaType    = "Formato de payload não suportado."
	messageRefused      = "Sintaxe válida, mas a requisição não pode ser processada, devido a uma regra de negócio."
	messageRateLimit    = "A operação foi recusada, pois muitas solicitações foram feitas dentro de um determinado período."
	messageInternal     = "Ocorreu um erro interno no servidor."
)

// The texts of errors[].messages (validation-messages).
const (
	textRequired      = "O campo {property} é obrigatório."
	textType          = "O campo {property} possui um tipo inválido."
	textNull          = "O campo {property} não pode ser nulo."
	textEnum          = "O campo {property} deve ser um dos seguintes valores: {limit}."
	textEmpty         = "O campo {property} não pode ser vazio."
	textMaxLength     = "O campo {property} deve ter no máximo {limit} caracteres."
	textFormat        = "O campo {property} possui um formato inválido."
	textMinimum       = "O campo {property} deve ser maior ou igual a {limit}."
	textMaximum       = "O campo {property} deve ser menor ou igual a {limit}."
	textMaxItems      = "O campo {property} deve ter no máximo {limit} itens."
	textNoField       = "Informe ao menos um dos campos privateKey, publicKey ou uri."
	textNoBody        = "O corpo da requisição é obrigatório."
	textMalformed     = "O corpo da requisição não é um JSON válido."
	textDateOrder     = "O campo endDate deve ser maior ou igual a startDate."
	textHistoryWindow = "O campo startDate deve ser no máximo seis meses anterior à data atual."
	textBatchContext  = "O campo context é obrigatório quando o período é maior que 30 dias."
)

// Keywords of the checks that a schema cannot express, beside those of schemas.
const (
	keywordDateOrder     = "dateOrder"
	keywordHistoryWindow = "historyWindow"
	keywordBatchContext  = "batchContext"
)

func textOf(keyword string) string {
	switch keyword {
	case "required":
		return textRequired
	case "type":
		return textType
	case "nullable":
		return textNull
	case "enum":
		return textEnum
	case "minLength":
		return textEmpty
	case "maxLength":
		return textMaxLength
	case "minimum":
		return textMinimum
	case "maximum":
		return textMaximum
	case "maxItems":
		return textMaxItems
	case "minProperties":
		return textNoField
	case keywordDateOrder:
		return textDateOrder
	case keywordHistoryWindow:
		return textHistoryWindow
	case keywordBatchContext:
		return textBatchContext
	default: // pattern, format
		return textFormat
	}
}

type errorBody struct {
	Errors  []propertyError `json:"errors,omitempty"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
}

type propertyError struct {
	Code         string   `json:"code"`
	PropertyName string   `json:"propertyName"`
	Messages     []string `json:"messages"`
}

// body is the property name of a body as a whole (malformed-json).
const body = "$"

// fail renders a failure as the ledger entries error-shape and token-errors say.
func fail(c *sims.Call, f sims.Failure) sims.Reply {
	switch f.Kind {
	case sims.MissingBody, sims.Malformed, sims.Invalid:
		if c.Operation == opIssueToken {
			return sims.Reply{Status: cmp.Or(f.Status, http.StatusBadRequest), Body: tokenError{Error: tokenErrorOf(f)}}
		}
		return sims.Reply{Status: cmp.Or(f.Status, http.StatusBadRequest), Body: chosen(badRequest(f), f)}
	}
	status, e := commonError(f.Kind)
	return sims.Reply{Status: cmp.Or(f.Status, status), Body: chosen(e, f)}
}

// chosen takes over what a script chose.
func chosen(e errorBody, f sims.Failure) errorBody {
	e.Code, e.Message = cmp.Or(f.Code, e.Code), cmp.Or(f.Message, e.Message)
	return e
}

func commonError(kind sims.Kind) (int, errorBody) {
	switch kind {
	case sims.UnknownPath, sims.NotFound:
		return http.StatusNotFound, errorBody{Code: codeNotFound, Message: messageNotFound}
	case sims.WrongMethod:
		return http.StatusMethodNotAllowed, errorBody{Code: codeMethod, Message: messageMethod}
	case sims.TooLarge:
		return http.StatusRequestEntityTooLarge, errorBody{Code: codeTooLarge, Message: messageTooLarge}
	case sims.WrongContentType:
		return http.StatusUnsupportedMediaType, errorBody{Code: codeMediaType, Message: messageMediaType}
	case sims.Unauthorized:
		return http.StatusUnauthorized, errorBody{Code: codeUnauthorized, Message: messageUnauthorized}
	case sims.Forbidden:
		return http.StatusForbidden, errorBody{Code: codeForbidden, Message: messageForbidden}
	case sims.Conflict:
		return http.StatusConflict, errorBody{Code: codeConflict, Message: messageConflict}
	case sims.Refused:
		return http.StatusUnprocessableEntity, errorBody{Code: codeRefused, Message: messageRefused}
	case sims.RateLimited:
		return http.StatusTooManyRequests, errorBody{Code: codeRateLimit, Message: messageRateLimit}
	default:
		return http.StatusInternalServerError, errorBody{Code: codeInternal, Message: messageInternal}
	}
}

func badRequest(f sims.Failure) errorBody {
	e := errorBody{Code: codeInvalid, Message: messageInvalid}
	switch {
	case f.Code == codeVersion:
		e.Code, e.Message = codeVersion, messageVersion
	case f.Kind == sims.MissingBody:
		e.Errors = []propertyError{{Code: codeInvalid, PropertyName: body, Messages: []string{textNoBody}}}
	case f.Kind == sims.Malformed:
		e.Errors = []propertyError{{Code: codeInvalid, PropertyName: body, Messages: []string{textMalformed}}}
	default:
		e.Errors = propertyErrors(f.Fields)
	}
	return e
}

// propertyErrors has one entry per property with all its texts (schema).
func propertyErrors(fields []sims.FieldError) []propertyError {
	var all []propertyError
	for _, f := range fields {
		name := propertyName(f.Field)
		at := slices.IndexFunc(all, func(e propertyError) bool { return e.PropertyName == name })
		if at < 0 {
			at = len(all)
			all = append(all, propertyError{Code: codeInvalid, PropertyName: name})
		}
		filled := strings.NewReplacer("{property}", name, "{limit}", f.Limit).Replace(textOf(f.Keyword))
		all[at].Messages = append(all[at].Messages, filled)
	}
	return all
}

// propertyName spells a field as the provider does: eventNames[0] for eventNames.0, $ for the body (validation-messages).
func propertyName(field string) string {
	if field == "" {
		return body
	}
	parts := strings.Split(field, ".")
	for i, part := range parts[1:] {
		if _, err := strconv.Atoi(part); err == nil {
			parts[i+1] = "[" + part + "]"
		} else {
			parts[i+1] = "." + part
		}
	}
	return strings.Join(parts, "")
}

type tokenError struct {
	Error string `json:"error"`
}

// tokenErrorOf obeys token-errors.
func tokenErrorOf(f sims.Failure) string {
	about := func(field, keyword string) bool {
		return slices.ContainsFunc(f.Fields, func(e sims.FieldError) bool {
			return e.Field == field && (keyword == "" || e.Keyword == keyword)
		})
	}
	switch {
	case f.Code != "":
		return f.Code
	case f.Kind != sims.Invalid:
		return "invalid_request"
	case about("grant_type", "enum"):
		return "unsupported_grant_type"
	case about("scope", ""):
		return "invalid_scope"
	default:
		return "invalid_request"
	}
}

// localTime is an instant as .NET prints it without a zone, trailing zeros trimmed (created-at).
func localTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999") }

// eventTime is an instant as .NET's round-trip format prints it (event-body).
func eventTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// elapsed is a duration as .NET prints a TimeSpan (elapsed-format).
func elapsed(d time.Duration) string {
	const day = 24 * time.Hour
	text := fmt.Sprintf("%02d:%02d:%02d", d%day/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
	if ticks := d % time.Second / 100; ticks != 0 {
		text += fmt.Sprintf(".%07d", ticks)
	}
	if d >= day {
		text = fmt.Sprintf("%d.%s", d/day, text)
	}
	return text
}
