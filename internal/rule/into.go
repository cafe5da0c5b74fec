package rule

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Into reads plain data whose holes were filled into a value of a script. A number or a truth that came into a text is written
// as text.
func Into(plain, out any) error {
	data, err := strictjson.Encode(texts(plain, reflect.TypeOf(out)))
	if err != nil {
		return err
	}
	if err := strictjson.UnmarshalKnown(data, out); err != nil {
		return fmt.Errorf("what the holes were filled with does not fit: %w", err)
	}
	return nil
}

// texts is plain data with texts where a Go type wants them.
func texts(value any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case float64:
		if t.Kind() == reflect.String {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	case int:
		if t.Kind() == reflect.String {
			return strconv.Itoa(v)
		}
	case bool:
		if t.Kind() == reflect.String {
			return strconv.FormatBool(v)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i := range v {
				v[i] = texts(v[i], t.Elem())
			}
		}
	case map[string]any:
		return textMembers(v, t)
	}
	return value
}

func textMembers(object map[string]any, t reflect.Type) any {
	switch t.Kind() {
	case reflect.Map:
		for name, member := range object {
			object[name] = texts(member, t.Elem())
		}
	case reflect.Struct:
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if member, ok := object[name]; ok {
				object[name] = texts(member, field.Type)
			}
		}
	}
	return object
}
