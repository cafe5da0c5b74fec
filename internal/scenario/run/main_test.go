package run_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// target is a server of its own.
func target(t *testing.T, options ...func(*mocksrv.Options)) run.Target {
	t.Helper()
	srv := mocksrv.RunT(t, options...)
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	return run.Target{Control: srv.Control(), HTTP: run.NewHTTP(), Providers: providers}
}

// steps is a case of a file with these steps.
func steps(t *testing.T, text string) run.Case {
	t.Helper()
	var plain any
	require.NoError(t, yaml.Unmarshal([]byte(text), &plain))
	data, err := strictjson.Encode(plain)
	require.NoError(t, err)
	var s script.Scenario
	require.NoError(t, strictjson.UnmarshalKnown(data, &s))
	s.Title = "A shop"
	return run.Case{File: "shop.yaml", Scenario: s, At: func(path string) string { return "shop.yaml@" + path }}
}

// passes runs steps that must pass.
func passes(t *testing.T, text string) {
	t.Helper()
	r := target(t).Run(t.Context(), steps(t, text), run.Options{})
	if r.Failure != nil {
		t.Fatal(r.Failure.Text())
	}
}

// fails runs steps of which one must fail, and returns how.
func fails(t *testing.T, text string) *run.Failure {
	t.Helper()
	r := target(t).Run(t.Context(), steps(t, text), run.Options{})
	require.NotNil(t, r.Failure, "it passed")
	return r.Failure
}

// shop is a customer endpoint that answers with these statuses, one after the other, and the last one for ever.
func shop(t *testing.T, statuses ...int) string {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[min(int(n.Add(1)), len(statuses))-1])
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
