package expression

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// instantLayout is RFC 3339 with milliseconds.
const instantLayout = "2006-01-02T15:04:05.000Z07:00"

var errResult = fmt.Errorf("the value is larger than %d bytes", maxResult)

// plain turns a result into plain data: string, bool, int, float64, nil, list, map, time.Time or time.Duration.
func plain(value any) (any, error) {
	p := &plainer{left: maxResult}
	return p.value(value, 0)
}

// plainer counts down the bytes a result may still have.
type plainer struct{ left int }

func (p *plainer) value(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if p.left--; p.left < 0 {
		return nil, errResult
	}
	switch v := value.(type) {
	case nil, bool, int, time.Time, time.Duration:
		return v, nil
	case float64:
		return number(v)
	case string:
		return p.text(v)
	case []any:
		return p.list(reflect.ValueOf(v), depth)
	case map[string]any:
		return p.object(v, depth)
	default:
		return p.other(reflect.ValueOf(value), depth)
	}
}

func number(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("the value is %v, which is not a number of JSON", f)
	}
	return f, nil
}

func (p *plainer) text(s string) (any, error) {
	if p.left -= len(s); p.left < 0 {
		return nil, errResult
	}
	return s, nil
}

func (p *plainer) list(v reflect.Value, depth int) (any, error) {
	if v.Len() > p.left {
		return nil, errResult
	}
	list := make([]any, v.Len())
	for i := range list {
		item, err := p.value(v.Index(i).Interface(), depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = item
	}
	return list, nil
}

func (p *plainer) object(m map[string]any, depth int) (any, error) {
	object := make(map[string]any, len(m))
	for name, item := range m {
		if _, err := p.text(name); err != nil {
			return nil, err
		}
		value, err := p.value(item, depth+1)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	return object, nil
}

// other is for what functions of the library return: typed lists and maps, months and the like.
func (p *plainer) other(v reflect.Value, depth int) (any, error) {
	switch v.Kind() {
	case reflect.String:
		return p.text(v.String())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return number(v.Float())
	case reflect.Slice, reflect.Array:
		return p.list(v, depth)
	case reflect.Map:
		return p.typedMap(v, depth)
	case reflect.Func:
		return nil, errors.New("the value is a function: call it with ()")
	default:
		return nil, fmt.Errorf("a %s is no plain value", v.Type())
	}
}

// typedMap takes maps whose keys are texts, such as those of groupBy; other keys become their text.
func (p *plainer) typedMap(v reflect.Value, depth int) (any, error) {
	object := make(map[string]any, v.Len())
	for _, key := range v.MapKeys() {
		name, err := inText(key.Interface())
		if err != nil {
			return nil, fmt.Errorf("a name in a map: %w", err)
		}
		object[name] = v.MapIndex(key).Interface()
	}
	return p.object(object, depth)
}

// written turns instants and durations into the texts that JSON has for them.
func written(value any) any {
	return mapped(value, func(scalar any) any {
		switch v := scalar.(type) {
		case time.Time:
			return v.UTC().Format(instantLayout)
		case time.Duration:
			return v.String()
		}
		return scalar
	})
}

// mapped copies lists and maps, with what scalar makes of everything in them that is neither.
func mapped(value any, scalar func(any) any) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = mapped(item, scalar)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, item := range v {
			object[name] = mapped(item, scalar)
		}
		return object
	}
	return scalar(value)
}

// inText is a value in the middle of a text.
func inText(value any) (string, error) {
	switch v := written(value).(type) {
	case nil:
		return "", errors.New(`the value is null; write ?? "…" to say what stands there instead`)
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		return jsonText(v)
	}
}

// describe names a value for messages.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "the text " + strconv.Quote(shorten(v))
	case bool, int, float64:
		return fmt.Sprint(v)
	case time.Time:
		return "an instant"
	case time.Duration:
		return "a duration"
	case map[string]any:
		return "a map"
	default:
		if reflect.ValueOf(value).Kind() == reflect.Slice {
			return "a list"
		}
		return fmt.Sprintf("a %T", value)
	}
}

func shorten(text string) string {
	const enough = 40
	if runes := []rune(text); len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return text
}
