package strictjson_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

type known struct {
	A int    `json:"a"`
	B string `json:"b"`
}

func TestWhatLenientDecodersLetPassIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {``, "not valid JSON at byte 0: "},
		"two values":          {`{} {}`, "not valid JSON at byte 3: "},
		"trailing text":       {`{"a":1}x`, "not valid JSON at byte 7: "},
		"trailing comma":      {`{"a":1,}`, "not valid JSON at byte "},
		"duplicate key":       {`{"a":1,"b":"","a":2}`, "duplicate key at byte 14: "},
		"duplicate, escaped":  {`{"a":1,"\u0061":2}`, "duplicate key at byte 7: "},
		"duplicate, deep":     {`{"a":{"x":[{"y":1,"y":2}]}}`, "duplicate key at byte 18: "},
		"not UTF-8":           {"{\"b\":\"\xff\"}", "not valid JSON at byte "},
		"not UTF-8 in a name": {"{\"\xc3\":1}", "not valid JSON at byte "},
		"lone surrogate":      {`{"b":"\ud800"}`, "not valid JSON at byte "},
		"byte order mark":     {"\ufeff{}", "not valid JSON at byte 0: "},
		"comment":             {`{/**/}`, "not valid JSON at byte 1: "},
		"single quotes":       {`{'a':1}`, "not valid JSON at byte 1: "},
		"leading zero":        {`01`, "not valid JSON at byte 1: "},
		"NaN":                 {`NaN`, "not valid JSON at byte 0: "},
		"control character":   {"\"\x01\"", "not valid JSON at byte "},
		"cut":                 {`{"a":`, "not valid JSON at byte 5: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := strictjson.Decode([]byte(c.text))
			require.ErrorContains(t, err, c.want)
			var into map[string]any
			require.Error(t, strictjson.Unmarshal([]byte(c.text), &into))
		})
	}
}

func TestLayoutIsChangedOnlyOfJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{} {}", "{'a':1}", "x"} {
		_, err := strictjson.Indent([]byte(text))
		require.ErrorContains(t, err, "not valid JSON at byte ")
		_, err = strictjson.Compact([]byte(text))
		require.ErrorContains(t, err, "not valid JSON at byte ")
	}
}

func TestDecodeGivesPlainValues(t *testing.T) {
	t.Parallel()
	v, err := strictjson.Decode([]byte(` {"a":[null,true,1.5,"ü\u2028",{}]} `))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": []any{nil, true, 1.5, "ü\u2028", map[string]any{}}}, v)
}

func TestUnknownMembersAreRefusedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	var v known
	require.NoError(t, strictjson.Unmarshal([]byte(`{"a":1,"c":2}`), &v))
	require.Equal(t, known{A: 1}, v)
	require.ErrorContains(t, strictjson.UnmarshalKnown([]byte(`{"a":1,"c":2}`), &v), "c")
	require.NoError(t, strictjson.UnmarshalKnown([]byte(`{"b":"x"}`), &v))
	require.Error(t, strictjson.UnmarshalKnown([]byte(`{"A":1}`), &v), "names are compared exactly")
	require.Error(t, strictjson.Unmarshal([]byte(`{"a":"1"}`), &v))
}

func TestEncodeSortsMapsKeepsFieldsAndEscapesNothing(t *testing.T) {
	t.Parallel()
	data, err := strictjson.Encode(struct {
		Z any
		A any `json:"a"`
	}{Z: map[string]any{"b": 1, "a": "<&>\u2028/ü\"\n"}, A: []string(nil)})
	require.NoError(t, err)
	require.Equal(t, `{"Z":{"a":"<&>`+"\u2028"+`/ü\"\n","b":1},"a":[]}`, string(data))
	_, err = strictjson.Encode(func() {})
	require.ErrorContains(t, err, "strictjson: encode func()")
}

func TestSetMember(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ object, member, value, want string }{
		"replaced":               {`{"a": 1 , "b":2}`, "a", "[3]", `{"a": [3] , "b":2}`},
		"last replaced":          {`{"a":1,"b": {"b":2} }`, "b", "null", `{"a":1,"b": null }`},
		"appended":               {"{\"a\":1\n}\n", "b", `"x"`, "{\"a\":1,\"b\":\"x\"\n}\n"},
		"appended to nothing":    {` { } `, "b", "1", ` {"b":1 } `},
		"inner member untouched": {`{"x":{"a":1}}`, "a", "2", `{"x":{"a":1},"a":2}`},
		"escaped name found":     {`{"\u0061":1}`, "a", "2", `{"\u0061":2}`},
		"odd name":               {`{}`, "\x01é\"</", "1", `{"\u0001é\"</":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := strictjson.SetMember([]byte(c.object), c.member, c.value)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
	for _, object := range []string{``, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,"b"}`, `{"b":1,"b":2,"a":3}`, `x{}`} {
		_, err := strictjson.SetMember([]byte(object), "a", "1")
		require.Error(t, err, object)
	}
}

func TestIndentAndCompactKeepTheOrder(t *testing.T) {
	t.Parallel()
	text := []byte(`{"b":[1.0,{}],"a":"\u00e9 <"}`)
	indented, err := strictjson.Indent(text)
	require.NoError(t, err)
	require.Equal(t, "{\n  \"b\": [\n    1.0,\n    {}\n  ],\n  \"a\": \"\\u00e9 <\"\n}", string(indented))
	tabs, err := strictjson.IndentWith(text, "\t")
	require.NoError(t, err)
	require.Equal(t, "{\n\t\"b\": [\n\t\t1.0,\n\t\t{}\n\t],\n\t\"a\": \"\\u00e9 <\"\n}", string(tabs))
	compact, err := strictjson.Compact(indented)
	require.NoError(t, err)
	require.Equal(t, string(text), string(compact))
	require.Equal(t, `{"b":[1.0,{}],"a":"\u00e9 <"}`, string(text), "the input is not written to")
}

// FuzzSetMember: the result is the object with one member set, and every other byte is where it was.
func FuzzSetMember(f *testing.F) {
	f.Add([]byte(`{"a":1}`), "a", int64(7))
	f.Add([]byte(` { "x" : [ {"a":1} ] , "a" : {} } `), "a", int64(-1))
	f.Add([]byte(`{"\u0061":"\u00e9"}`), "é\x00", int64(0))
	f.Add([]byte(`{}`), "\u2028\"\\", int64(9))
	f.Fuzz(func(t *testing.T, object []byte, name string, number int64) {
		value := strconv.FormatInt(number, 10)
		before, err := strictjson.Decode(object)
		old, isObject := before.(map[string]any)
		got, setErr := strictjson.SetMember(object, name, value)
		if err != nil || !isObject {
			return // it may find the member before it finds the mistake
		}
		if _, nameErr := strictjson.Encode(name); nameErr != nil {
			require.Error(t, setErr, "a name that is no UTF-8 cannot be written")
			return
		}
		require.NoError(t, setErr)
		after, err := strictjson.Decode(got)
		require.NoError(t, err, "%s", got)
		_, had := old[name]
		old[name] = float64(number)
		require.Equal(t, before, after)
		requireOneChange(t, object, got, had, len(value))
	})
}

// requireOneChange: what is before and after the change is byte for byte what it was.
func requireOneChange(t *testing.T, object, got []byte, had bool, valueLength int) {
	t.Helper()
	head := 0
	for head < len(object) && head < len(got) && object[head] == got[head] {
		head++
	}
	tail := 0
	for tail < len(object)-head && tail < len(got)-head && object[len(object)-1-tail] == got[len(got)-1-tail] {
		tail++
	}
	require.True(t, bytes.HasPrefix(got, object[:head]) && bytes.HasSuffix(got, object[len(object)-tail:]))
	if had {
		require.LessOrEqual(t, len(got)-head-tail, valueLength, "only the value changes")
	} else {
		require.Equal(t, len(object), head+tail, "nothing is taken away")
	}
}
