package match_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/match"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	v, err := strictjson.Decode([]byte(text))
	require.NoError(t, err)
	return v
}

func TestWhatMatches(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ want, got string }{
		"equal scalars":                     {`1`, `1`},
		"an object with more members":       {`{"a":1}`, `{"a":1,"b":2}`},
		"nested members":                    {`{"a":{"b":[1,{"c":true}]}}`, `{"a":{"b":[1,{"c":true,"d":0}]}}`},
		"anything":                          {`{"a":{"$any":true}}`, `{"a":null}`},
		"anything, also nothing":            {`{"a":{"$any":true}}`, `{}`},
		"absence":                           {`{"a":{"$exists":false}}`, `{"b":1}`},
		"presence of null":                  {`{"a":{"$exists":true}}`, `{"a":null}`},
		"a type":                            {`{"a":{"$type":"array"}}`, `{"a":[]}`},
		"a pattern":                         {`{"$regex":"^evt_[a-z]+$"}`, `"evt_abc"`},
		"a part of a string":                {`{"$contains":"b"}`, `"abc"`},
		"an item of a list":                 {`{"$contains":{"id":2}}`, `[{"id":1},{"id":2,"x":0}]`},
		"one of several":                    {`{"$in":[1,"x"]}`, `"x"`},
		"not":                               {`{"$not":{"$in":[1,2]}}`, `3`},
		"not equal when absent":             {`{"a":{"$not":1}}`, `{}`},
		"numbers in order":                  {`{"$gt":1,"$lte":2}`, `2`},
		"strings in order":                  {`{"$gte":"2026-01-01","$lt":"2026-02-01"}`, `"2026-01-08T10:00:00Z"`},
		"the length of a list":              {`{"$length":2}`, `[1,2]`},
		"the length of a string in letters": {`{"$length":3}`, `"aüo"`},
		"exactly these members":             {`{"$exact":{"a":1}}`, `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, match.Check(decode(t, tc.want)))
			require.Empty(t, match.Compare(decode(t, tc.want), decode(t, tc.got)))
		})
	}
}

func TestWhatDoesNotMatchSaysWhere(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		want, got string
		diff      match.Difference
	}{
		"another scalar":      {`{"a":{"b":1}}`, `{"a":{"b":2}}`, match.Difference{Path: "a.b", Want: `1`, Got: `2`}},
		"a missing member":    {`{"a":1}`, `{}`, match.Difference{Path: "a", Want: `1`, Got: "nothing"}},
		"another type":        {`{"a":1}`, `{"a":"1"}`, match.Difference{Path: "a", Want: `1`, Got: `"1"`}},
		"no object":           {`{"a":{"b":1}}`, `{"a":[]}`, match.Difference{Path: "a", Want: "an object", Got: `[]`}},
		"a longer list":       {`[1]`, `[1,2]`, match.Difference{Want: `[1]`, Got: `[1,2]`}},
		"an item":             {`[1,2]`, `[1,3]`, match.Difference{Path: "1", Want: `2`, Got: `3`}},
		"a pattern":           {`{"a":{"$regex":"^x"}}`, `{"a":"y"}`, match.Difference{Path: "a", Want: `{"$regex":"^x"}`, Got: `"y"`}},
		"one more member":     {`{"$exact":{"a":1}}`, `{"a":1,"b":2}`, match.Difference{Want: `{"$exact":{"a":1}}`, Got: `{"a":1,"b":2}`}},
		"a number as a text":  {`{"$gt":1}`, `"2"`, match.Difference{Want: `{"$gt":1}`, Got: `"2"`}},
		"one of two bounds":   {`{"$gt":1,"$lt":3}`, `5`, match.Difference{Want: `{"$lt":3}`, Got: `5`}},
		"present, not absent": {`{"a":{"$exists":false}}`, `{"a":0}`, match.Difference{Path: "a", Want: `{"$exists":false}`, Got: `0`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []match.Difference{tc.diff}, match.Compare(decode(t, tc.want), decode(t, tc.got)))
		})
	}
}

func TestWrongExpectationsAreRefused(t *testing.T) {
	t.Parallel()
	for want, message := range map[string]string{
		`{"$regexp":"x"}`:       "unknown operator $regexp; the operators are $any, $contains, $exact, $exists, $gt, $gte, $in, $length, $lt, $lte, $not, $regex, $type",
		`{"a":{"$regex":"("}}`:  "a: $regex: error parsing regexp: missing closing ): `(`",
		`{"a":1,"$any":true}`:   "operator $any stands beside members",
		`{"$exists":1}`:         "$exists: true or false expected, got 1",
		`{"$in":1}`:             "$in: a list expected, got 1",
		`{"$type":"integer"}`:   "$type: one of string, number, bool, object, array, null expected, got \"integer\"",
		`{"$gt":true}`:          "$gt: a number expected, got true",
		`{"$not":{"$what":1}}`:  "$not: unknown operator $what; the operators are $any, $contains, $exact, $exists, $gt, $gte, $in, $length, $lt, $lte, $not, $regex, $type",
		`[{"$length":"three"}]`: "0: $length: a number expected, got \"three\"",
		`{"$exact":[]}`:         "$exact: an object expected, got []",
	} {
		require.EqualError(t, match.Check(decode(t, want)), message)
	}
}

func TestALengthThatDiffersIsTold(t *testing.T) {
	t.Parallel()
	require.Equal(t, []match.Difference{{Path: "a", Want: `{"$length":3}`, Got: "length 2: [1,2]"}}, match.Compare(decode(t, `{"a":{"$length":3}}`), decode(t, `{"a":[1,2]}`)))
	require.Equal(t, []match.Difference{{Path: "", Want: `{"$length":3}`, Got: "5"}}, match.Compare(decode(t, `{"$length":3}`), decode(t, `5`)))
}
