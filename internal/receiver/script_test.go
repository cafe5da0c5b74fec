package receiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
)

func TestScript(t *testing.T) {
	t.Parallel()
	two := []Reply{{Status: 500, Times: 2}, {Status: 429}}
	tests := []struct {
		name   string
		script Script
		want   []string
	}{
		{"an empty script answers 200", Script{}, []string{"200", "200"}},
		{"each reply once, the last repeats", Script{Replies: []Reply{{Status: 500}, {Status: 204}}}, []string{"500", "204", "204"}},
		{"times", Script{Replies: two}, []string{"500", "500", "429", "429", "429"}},
		{"then last is the default", Script{Replies: two, Then: ThenLast}, []string{"500", "500", "429", "429", "429"}},
		{"then loop", Script{Replies: two, Then: ThenLoop}, []string{"500", "500", "429", "500", "500", "429", "500"}},
		{"then ok", Script{Replies: two, Then: ThenOK}, []string{"500", "500", "429", "200", "200"}},
		{"then loop without replies", Script{Then: ThenLoop}, []string{"200", "200"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, Config{Spec: Spec{Script: test.script}})
			require.Equal(t, test.want, statuses(t, r, len(test.want)))
		})
	}
}

func TestSetScript(t *testing.T) {
	t.Parallel()
	t.Run("begins at the first reply", func(t *testing.T) {
		t.Parallel()
		script := Script{Replies: []Reply{{Status: 500}, {Status: 200}}}
		r := open(t, Config{Spec: Spec{Script: script}})
		require.Equal(t, []string{"500", "200"}, statuses(t, r, 2))
		require.NoError(t, r.SetScript(script))
		require.Equal(t, []string{"500", "200"}, statuses(t, r, 2))
	})
	t.Run("leaves a request its reply", func(t *testing.T) {
		t.Parallel()
		r := openWith(t, Reply{Status: 201, Delay: "5ms"})
		conn := dial(t, r)
		send(t, conn, "")
		require.NoError(t, r.Wait(t.Context(), 1))
		require.NoError(t, r.SetScript(Script{Replies: []Reply{{Status: 500}}}))
		got := make([]byte, len("HTTP/1.1 201"))
		_, err := conn.Read(got)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 201", string(got))
	})
	t.Run("a refused script changes nothing", func(t *testing.T) {
		t.Parallel()
		r := openWith(t, Reply{Status: 500}, Reply{Status: 202})
		require.Equal(t, []string{"500"}, statuses(t, r, 1))
		require.Error(t, r.SetScript(Script{Replies: []Reply{{Status: 99}}}))
		require.Equal(t, []string{"202"}, statuses(t, r, 1))
	})
	t.Run("the writer's later changes have no effect", func(t *testing.T) {
		t.Parallel()
		replies := []Reply{{Status: 500, Header: map[string]string{"X-A": "b"}}}
		r := openWith(t, replies...)
		replies[0].Header["X-A"], replies[0].Status = "c", 501
		got, err := exchange(t, r)
		require.NoError(t, err)
		require.Contains(t, got, "X-A: b\r\n")
		require.Equal(t, []Reply{{Status: 500, Header: map[string]string{"X-A": "b"}}}, r.Info().Spec.Script.Replies)
	})
}

func TestScriptIsPlainJSON(t *testing.T) {
	t.Parallel()
	spec := Spec{
		Name: "shop", Address: "127.0.0.1:0", TLS: SelfSigned, KeepRequests: 5, KeepBytes: 6,
		Script: Script{Then: ThenLoop, Replies: []Reply{
			{Times: 2, Status: 307, Header: map[string]string{"X-A": "b"}, Body: "x", Delay: "2s", Fault: Redirect, Location: "/"},
			{Fault: ResetBefore},
		}},
	}
	const want = `{"name":"shop","address":"127.0.0.1:0","tls":"self_signed","script":{"replies":[{"times":2,` +
		`"status":307,"header":{"X-A":"b"},"body":"x","delay":"2s","fault":"redirect","location":"/"},` +
		`{"fault":"reset_before"}],"then":"loop"},"keep_requests":5,"keep_bytes":6}`
	data, err := strictjson.Encode(spec)
	require.NoError(t, err)
	require.Equal(t, want, string(data))
	var back Spec
	require.NoError(t, strictjson.Unmarshal(data, &back))
	require.Equal(t, spec, back)

	data, err = strictjson.Encode(Spec{Script: Script{Down: true}})
	require.NoError(t, err)
	require.Equal(t, `{"script":{"down":true}}`, string(data))
}

func TestValidation(t *testing.T) {
	t.Parallel()
	const nothing = "nothing: fault "
	reply := func(r Reply) Spec { return Spec{Script: Script{Replies: []Reply{{}, r}}} }
	header := func(name, value string) Spec { return reply(Reply{Header: map[string]string{name: value}}) }
	const framing = `nothing: the framing is the receiver's (fault "truncate" breaks it)`
	const name = "1 to 63 characters of a-z, 0-9, '-', '_', '.', the first a letter or digit"
	const noReply = "nothing: a receiver that is down gives no reply"
	tests := []struct {
		spec Spec
		want FieldError
	}{
		{Spec{Name: "Shop"}, FieldError{"name", `"Shop"`, name}},
		{Spec{Name: "-shop"}, FieldError{"name", `"-shop"`, name}},
		{Spec{Name: "é"}, FieldError{"name", `"é"`, name}},
		{Spec{Name: strings.Repeat("a", 64)}, FieldError{"name", `"` + strings.Repeat("a", 64) + `"`, name}},
		{
			Spec{Address: "localhost:0"},
			FieldError{"address", `"localhost:0"`, "a literal IP address and a port, such as 127.0.0.1:0"},
		},
		{
			Spec{Address: "[fe80::1%lo]:0"},
			FieldError{"address", `"[fe80::1%lo]:0"`, "a literal IP address and a port, such as 127.0.0.1:0"},
		},
		{Spec{TLS: "selfsigned"}, FieldError{
			"tls", `"selfsigned"`, `one of "", "trusted", "self_signed", "expired", "wrong_host", "handshake_cut"`,
		}},
		{Spec{KeepRequests: -1}, FieldError{"keep_requests", "-1", "a positive number, or 0 for the default of 1000"}},
		{Spec{KeepBytes: -1}, FieldError{"keep_bytes", "-1", "a positive number, or 0 for the default of 16 MiB"}},
		{Spec{Script: Script{Then: "stop"}}, FieldError{"script.then", `"stop"`, `one of "", "last", "loop", "ok"`}},
		{
			Spec{Script: Script{Replies: make([]Reply, 1001)}},
			FieldError{"script.replies", "1001 replies", "at most 1000"},
		},
		{Spec{Script: Script{Down: true, Then: ThenOK}}, FieldError{"script.then", `"ok"`, noReply}},
		{Spec{Script: Script{Down: true, Replies: []Reply{{}}}}, FieldError{"script.replies", "1 replies", noReply}},
		{reply(Reply{Fault: "refuse"}), FieldError{
			"script.replies[1].fault", `"refuse"`, `one of "", "reset_before", "reset_during", "hang", "dribble", ` +
				`"truncate", "garbage", "informational", "redirect", "huge"`,
		}},
		{reply(Reply{Times: -1}), FieldError{"script.replies[1].times", "-1", "a positive number, or 0 for the default of 1"}},
		{reply(Reply{Status: 103}), FieldError{
			"script.replies[1].status", "103", `200 to 599 (for a 1xx before the answer, fault "informational")`,
		}},
		{reply(Reply{Status: 600}), FieldError{
			"script.replies[1].status", "600", `200 to 599 (for a 1xx before the answer, fault "informational")`,
		}},
		{
			reply(Reply{Status: 204, Body: "x"}),
			FieldError{"script.replies[1].body", `"x"`, "nothing: an answer with status 204 has no body"},
		},
		{
			reply(Reply{Status: 304, Fault: Truncate}),
			FieldError{"script.replies[1].status", "304", `a status that allows the body fault "truncate" needs`},
		},
		{
			reply(Reply{Status: 200, Fault: Redirect, Location: "/"}),
			FieldError{"script.replies[1].status", "200", "301, 302, 303, 307 or 308"},
		},
		{reply(Reply{Fault: Redirect}), FieldError{"script.replies[1].location", `""`, "where the redirect leads, a URL"}},
		{
			reply(Reply{Fault: Redirect, Location: "/\r\n"}),
			FieldError{"script.replies[1].location", `"/\r\n"`, "where the redirect leads, a URL"},
		},
		{header("X A", "b"), FieldError{`script.replies[1].header["X A"]`, `"X A"`, "a header name"}},
		{header("", "b"), FieldError{`script.replies[1].header[""]`, `""`, "a header name"}},
		{header("content-length", "5"), FieldError{`script.replies[1].header["content-length"]`, `"5"`, framing}},
		{header("Transfer-Encoding", "x"), FieldError{`script.replies[1].header["Transfer-Encoding"]`, `"x"`, framing}},
		{
			header("X-A", "b\r\nX-B: c"),
			FieldError{`script.replies[1].header["X-A"]`, `"b\r\nX-B: c"`, "a value without control characters"},
		},
		{
			reply(Reply{Header: map[string]string{"X-A": "1", "x-a": "2"}}),
			FieldError{`script.replies[1].header["x-a"]`, `"x-a"`, "each header once, in whatever case"},
		},
		{
			reply(Reply{Body: strings.Repeat("x", 1<<20+1)}),
			FieldError{"script.replies[1].body", "1048577 bytes", "at most 1048576 bytes"},
		},
		{reply(Reply{Delay: "2"}), FieldError{"script.replies[1].delay", `"2"`, `a duration from 0 to 1h, such as "2s" or "150ms"`}},
		{reply(Reply{Delay: "-1s"}), FieldError{"script.replies[1].delay", `"-1s"`, `a duration from 0 to 1h, such as "2s" or "150ms"`}},
		{reply(Reply{Delay: "61m"}), FieldError{"script.replies[1].delay", `"61m"`, `a duration from 0 to 1h, such as "2s" or "150ms"`}},
		{reply(Reply{Location: "/"}), FieldError{"script.replies[1].location", `"/"`, nothing + `"" does not use it`}},
		{reply(Reply{Fault: Hang, Delay: "1s"}), FieldError{"script.replies[1].delay", `"1s"`, nothing + `"hang" does not use it`}},
		{reply(Reply{Fault: Garbage, Status: 500}), FieldError{"script.replies[1].status", "500", nothing + `"garbage" does not use it`}},
		{reply(Reply{Fault: Huge, Body: "x"}), FieldError{"script.replies[1].body", `"x"`, nothing + `"huge" does not use it`}},
		{
			reply(Reply{Fault: ResetBefore, Header: map[string]string{"X-A": "b"}}),
			FieldError{"script.replies[1].header", "1 headers", nothing + `"reset_before" does not use it`},
		},
	}
	for _, test := range tests {
		t.Run(test.want.Field+" "+test.want.Saw, func(t *testing.T) {
			t.Parallel()
			_, err := Open(Config{Spec: test.spec})
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, []FieldError{test.want}, invalid.Fields)
		})
	}
}

func TestValidationNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	err := Script{Then: "x", Replies: []Reply{{Status: 1}, {Fault: Fault("y" + strings.Repeat("é", 60))}}}.Validate()
	require.EqualError(t, err, `receiver: then: saw "x", want one of "", "last", "loop", "ok"; `+
		`replies[0].status: saw 1, want 200 to 599 (for a 1xx before the answer, fault "informational"); `+
		`replies[1].fault: saw "y`+strings.Repeat("é", 39)+`…, want one of "", "reset_before", "reset_during", "hang", `+
		`"dribble", "truncate", "garbage", "informational", "redirect", "huge"`)
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Fields, 3)
}
