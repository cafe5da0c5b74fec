package store

import (
	"reflect"
	"time"
)

// Usage is how much a sandbox or a table holds: its rows, and an estimate of the memory they keep.
type Usage struct {
	Rows  int
	Bytes int
}

func (u *Usage) add(rows, bytes int) {
	u.Rows += rows
	u.Bytes += bytes
}

// Sized is a row that knows its size: one of which parts are shared with others, or that is large and changes often.
type Sized interface{ Size() int }

// What a row, an index key of it and a claimed name take beside their texts.
const (
	perRow   = 160
	perKey   = 48
	perClaim = 96
)

func sizeOfRow(id string, value any, keys []string) int {
	n := perRow + 2*len(id) + sizeOf(value)
	for _, key := range keys {
		n += perKey + len(key)
	}
	return n
}

// sizeOf estimates the memory of plain data.
func sizeOf(value any) int {
	switch v := value.(type) {
	case nil:
		return 0
	case Sized:
		return v.Size()
	case string:
		return len(v)
	case Raw:
		return len(v)
	}
	v := reflect.ValueOf(value)
	return int(v.Type().Size()) + behind(v)
}

// behind is what a value points to.
func behind(v reflect.Value) int {
	n := 0
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Slice:
		n = v.Len() * int(v.Type().Elem().Size())
		if simple(v.Type().Elem().Kind()) {
			return n
		}
		for i := range v.Len() {
			n += behind(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			n += behind(v.Index(i))
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			n += perKey + behind(entries.Key()) + behind(entries.Value())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			n = int(v.Elem().Type().Size()) + behind(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return 0 // its zone is shared
		}
		for _, field := range v.Fields() {
			if !simple(field.Kind()) {
				n += behind(field)
			}
		}
	default: // simple
	}
	return n
}

// simple kinds point to nothing.
func simple(k reflect.Kind) bool { return k <= reflect.Complex128 }
