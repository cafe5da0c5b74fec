package control_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

func TestTheLogOfOperationsIsBounded(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen)
	s := srv.Control().In(mocksrv.DefaultSandbox)
	emit := func(data string) {
		_, err := s.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"note": data}})
		require.NoError(t, err)
	}
	log := func() client.Recording {
		r, err := s.Recording(t.Context())
		require.NoError(t, err)
		return r
	}
	emit(strings.Repeat("x", 2<<20))
	require.Equal(t, uint64(1), log().Dropped, "a body that is too long")
	for range 1001 {
		_, err := s.SetClock(t.Context(), client.ClockChange{Edge: "world"})
		require.NoError(t, err)
	}
	require.Equal(t, uint64(2), log().Dropped)
	require.Len(t, log().Operations, 1000)
	_, err := s.Reset(t.Context())
	require.NoError(t, err)
	require.Equal(t, []client.Operated{}, log().Operations)
	require.Zero(t, log().Dropped)
	for range 3 {
		emit(strings.Repeat("x", 400<<10))
	}
	require.Equal(t, uint64(1), log().Dropped, "all bodies together")
}

func TestWhatWasRefusedIsNotInTheLog(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen)
	s := srv.Control().In(mocksrv.DefaultSandbox)
	_, err := s.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "nonsense"})
	require.Error(t, err)
	r, err := s.Recording(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Operations)
	require.Equal(t, mocksrv.DefaultSandbox, r.Origin)
	require.Equal(t, "frozen", r.Clock.Mode)
}

// whileRead is a body; something happens when it is read for the first time.
type whileRead struct {
	io.Reader
	happens func()
}

func (w *whileRead) Read(p []byte) (int, error) {
	w.happens()
	w.happens = func() {}
	return w.Reader.Read(p)
}

// TestACallThatOutlivesItsSandboxLeavesNothing: the log used to keep the sandbox with all it held.
func TestACallThatOutlivesItsSandboxLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("POST", "", `{"name":"short"}`).is(201)
	body := &whileRead{Reader: strings.NewReader(`{"policies":{}}`), happens: func() { w.call("DELETE", "/short", "").is(204) }}
	req := httptest.NewRequestWithContext(t.Context(), "PATCH", "http://localhost/_mocksrv/v1/sandboxes/short", body)
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, req)
	require.Equal(t, 200, rec.Code, rec.Body)
	require.Zero(t, w.api.Recorded())
}
