package control

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/internal/rule"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// read decodes a JSON body strictly. An empty body leaves v as it is.
func read(c *call, v any) error { return readUpTo(c, v, MaxBody) }

func readUpTo(c *call, v any, limit int64) error {
	var data []byte
	var err error
	if c.ContentLength <= limit {
		data, err = io.ReadAll(http.MaxBytesReader(nil, c.Body, limit))
	}
	var tooLarge *http.MaxBytesError
	switch {
	case c.ContentLength > limit, errors.As(err, &tooLarge):
		c.writer.Header().Set("Connection", "close") // answered at once: the rest of the body is not waited for
		return client.Problem{
			Title: "body too large", Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("a body has at most %d bytes", limit),
		}
	case err != nil:
		return client.Problem{Title: "invalid body", Status: http.StatusBadRequest, Detail: "the body ended early: " + err.Error()}
	case strings.TrimSpace(string(data)) == "":
		return nil
	}
	plain, err := strictjson.Decode(data)
	if err != nil {
		return client.Problem{Title: "invalid body", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	if wrong := misfits("", plain, reflect.TypeOf(v)); len(wrong) > 0 {
		return invalidFields(wrong)
	}
	if err := strictjson.UnmarshalKnown(data, v); err != nil {
		return invalid("body", err.Error())
	}
	return nil
}

// maxWrong is how many wrong fields a problem names. Whoever looks for them stops there: a body may have millions.
const maxWrong = 100

// invalidFields is a problem with several fields.
func invalidFields(wrong []client.ProblemField) client.Problem {
	more := len(wrong) > maxWrong
	wrong = wrong[:min(len(wrong), maxWrong)]
	details := make([]string, 0, len(wrong)+1)
	for _, f := range wrong {
		details = append(details, f.Field+": "+f.Detail)
	}
	if more {
		details = append(details, "and so on")
	}
	return client.Problem{
		Title: "invalid request", Status: http.StatusUnprocessableEntity, Detail: strings.Join(details, "; "), Errors: wrong,
	}
}

// misfits says where plain data does not fit the Go type that it is about to be read into. null fits everywhere: it is
// the same as leaving out.
func misfits(path string, value any, t reflect.Type) []client.ProblemField {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case value == nil || t.Kind() == reflect.Interface || t.Name() == "Value": // jsontext.Value is looked at by whoever asked for it
		return nil
	case isShortForm(value, t):
		return nil
	case t == reflect.TypeFor[time.Time]():
		return instantMisfit(path, value)
	case t.Kind() == reflect.Struct:
		return objectMisfits(path, value, t)
	case t.Kind() == reflect.Slice:
		return listMisfits(path, value, t)
	case t.Kind() == reflect.Map:
		return mapMisfits(path, value, t)
	case !isKind(value, t.Kind()):
		return misfit(path, value, kindName(t.Kind()))
	}
	return nil
}

// isShortForm: the type can also be written as one word.
func isShortForm(value any, t reflect.Type) bool {
	_, word := value.(string)
	_, own := reflect.PointerTo(t).MethodByName("UnmarshalJSONFrom")
	return word && own
}

func misfit(path string, value any, want string) []client.ProblemField {
	if path == "" {
		path = "body"
	}
	seen, err := strictjson.Encode(value)
	if err != nil {
		seen = []byte("something else")
	}
	return []client.ProblemField{{Field: path, Detail: fmt.Sprintf("%s is not %s", shorten(string(seen)), want)}}
}

func instantMisfit(path string, value any) []client.ProblemField {
	const want = "an RFC 3339 instant such as 2026-01-08T10:30:00Z"
	word, ok := value.(string)
	if _, err := time.Parse(time.RFC3339Nano, word); !ok || err != nil {
		return misfit(path, value, want)
	}
	return nil
}

func objectMisfits(path string, value any, t reflect.Type) []client.ProblemField {
	object, ok := value.(map[string]any)
	if !ok {
		return misfit(path, value, "an object")
	}
	members := membersOf(t)
	var wrong []client.ProblemField
	for _, name := range sortedNames(object) {
		if len(wrong) > maxWrong {
			break
		}
		if member, known := members[name]; known {
			wrong = append(wrong, misfits(join(path, name), object[name], member)...)
			continue
		}
		wrong = append(wrong, unknown(join(path, name), name, "member", offered(path, t, members)))
	}
	return wrong
}

// offered are the members that a wrong name is compared with. Of actions that stand in no rule some verbs have no effect.
func offered(path string, t reflect.Type, members map[string]reflect.Type) []string {
	if t != reflect.TypeFor[script.Action]() || !strings.HasPrefix(path, "actions[") {
		return sortedNames(members)
	}
	names := append([]string{"after"}, rule.VerbsAt("")...)
	slices.Sort(names)
	return names
}

// membersOf returns the members of the JSON form of a struct.
func membersOf(t reflect.Type) map[string]reflect.Type {
	members := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		members[name] = field.Type
	}
	return members
}

func listMisfits(path string, value any, t reflect.Type) []client.ProblemField {
	list, ok := value.([]any)
	if !ok {
		return misfit(path, value, "a list")
	}
	var wrong []client.ProblemField
	for i, item := range list {
		if len(wrong) > maxWrong {
			break
		}
		wrong = append(wrong, misfits(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())...)
	}
	return wrong
}

func mapMisfits(path string, value any, t reflect.Type) []client.ProblemField {
	object, ok := value.(map[string]any)
	if !ok {
		return misfit(path, value, "an object")
	}
	var wrong []client.ProblemField
	for _, name := range sortedNames(object) {
		if len(wrong) > maxWrong {
			break
		}
		wrong = append(wrong, misfits(join(path, name), object[name], t.Elem())...)
	}
	return wrong
}

func isKind(value any, kind reflect.Kind) bool {
	switch v := value.(type) {
	case string:
		return kind == reflect.String
	case bool:
		return kind == reflect.Bool
	case float64:
		const limit = 1 << 63 // beyond it the value is refused when it is read
		signed := kind == reflect.Int || kind == reflect.Int64
		return kind == reflect.Float64 || v == math.Trunc(v) && (signed && v >= -limit && v <= limit || kind == reflect.Uint64 && v >= 0 && v <= 2*limit)
	}
	return false
}

func kindName(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

func join(path, name string) string {
	if path == "" {
		return shorten(name)
	}
	return path + "." + shorten(name)
}

// unknown is a name that is none of the known ones.
func unknown(field, name, what string, known []string) client.ProblemField {
	return client.ProblemField{Field: field, Detail: fmt.Sprintf("there is no %s %q%s", what, shorten(name), suggest(name, known)), Valid: known}
}

// suggest offers the most similar of the known names, if it is similar enough to be what was meant.
func suggest(wrong string, known []string) string {
	if best := near.Best(wrong, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// maxSeen is how much of a wrong value is repeated in a problem.
const maxSeen = 200

func shorten(text string) string {
	if len(text) > maxSeen {
		return strings.ToValidUTF8(text[:maxSeen], "") + "…"
	}
	return text
}
