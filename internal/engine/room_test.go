package engine_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// TestAFullSandboxIsTheSimulatorsOwnRefusal: not in the provider's envelope, journaled, and without a trace in the state.
func TestAFullSandboxIsTheSimulatorsOwnRefusal(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]engine.SandboxLimits{"rows": {Rows: 5}, "bytes": {Bytes: 3000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fake(t)
			p.Finish = func(_ *sims.Call, r *sims.Reply) { r.ContentType = "application/provider" }
			e, err := engine.New(engine.Options{Providers: []*engine.Provider{p}, Limits: limits})
			require.NoError(t, err)
			sandbox, _ := e.Sandbox(engine.DefaultSandbox)
			n := 0
			rec := put(t, e, "/fake/things/0", `{}`)
			for ; rec.Code == http.StatusOK; rec = put(t, e, fmt.Sprintf("/fake/things/%d", n), `{}`) {
				n++
				require.Less(t, n, 100)
			}
			require.Equal(t, http.StatusInsufficientStorage, rec.Code)
			require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
			var problem map[string]any
			require.NoError(t, strictjson.Unmarshal(rec.Body.Bytes(), &problem))
			require.Equal(t, "limit of the simulator", problem["title"])
			require.Contains(t, problem["detail"], "; delete some, reset the sandbox, or start with --max-sandbox-"+name)
			refusal := sandbox.Journal.Last().Refusal
			require.Equal(t, engine.RuleLimit, refusal.Rule)
			require.Contains(t, refusal.Saw, name)
			before, err := sandbox.Export()
			require.NoError(t, err)
			require.Equal(t, http.StatusInsufficientStorage, put(t, e, fmt.Sprintf("/fake/things/%d", n), `{}`).Code)
			after, err := sandbox.Export()
			require.NoError(t, err)
			require.Equal(t, before, after)
			require.Equal(t, http.StatusOK, put(t, e, "/fake/things/0", `{}`).Code, "what adds nothing is served")
			require.NoError(t, sandbox.Reset())
			require.Equal(t, http.StatusOK, put(t, e, fmt.Sprintf("/fake/things/%d", n), `{}`).Code, "a reset makes room")
		})
	}
}

func TestASnapshotOfTooManyRowsIsNotRestored(t *testing.T) {
	t.Parallel()
	roomy, source := started(t, engine.Options{})
	for i := range 6 {
		put(t, roomy, fmt.Sprintf("/fake/things/%d", i), `{}`)
	}
	snap, err := source.Snapshot()
	require.NoError(t, err)
	_, small := started(t, engine.Options{Limits: engine.SandboxLimits{Rows: 5}})
	err = small.Restore(snap)
	require.ErrorIs(t, err, engine.ErrSandboxFull)
	require.EqualError(t, err, "the sandbox is full: it would hold 6 rows, and may hold 5; start with --max-sandbox-rows")
	require.NoError(t, source.Restore(snap))
}

// TestADefectOfTheAnswerIsNoSuccess: a reply that does not encode, and panics of what makes the envelope.
func TestADefectOfTheAnswerIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(p *engine.Provider)
		do     string
		status int
		body   string
	}{
		"a reply that does not encode": {func(p *engine.Provider) {
			p.Ops = map[string]sims.Handler{"putThing": func(*sims.Call) (sims.Reply, error) {
				return sims.Reply{Status: http.StatusOK, Body: func() {}}, nil
			}}
		}, `{}`, 400 + int(sims.Internal), `{"failed":""}`},
		"Finish panics once": {func(p *engine.Provider) {
			calls := 0
			p.Finish = func(*sims.Call, *sims.Reply) {
				if calls++; calls == 1 {
					panic("on purpose")
				}
			}
		}, `{}`, 400 + int(sims.Internal), `{"failed":""}`},
		"Finish always panics": {func(p *engine.Provider) {
			p.Finish = func(*sims.Call, *sims.Reply) { panic("on purpose") }
		}, `{}`, 500, `"title":"defect of the simulator"`},
		"Fail panics": {func(p *engine.Provider) {
			p.Fail = func(*sims.Call, sims.Failure) sims.Reply { panic("on purpose") }
		}, `{"do":"refuse"}`, 500, `"title":"defect of the simulator"`},
		"Fail does not encode": {func(p *engine.Provider) {
			p.Fail = func(*sims.Call, sims.Failure) sims.Reply { return sims.Reply{Status: 418, Body: func() {}} }
		}, `{"do":"refuse"}`, 500, `"title":"defect of the simulator"`},
		"Rule panics": {func(p *engine.Provider) {
			p.Rule = func(*sims.Call, sims.Failure) string { panic("on purpose") }
		}, `{"do":"refuse"}`, 400 + int(sims.Internal), `{"failed":""}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fake(t)
			c.spoil(p)
			e, err := engine.New(engine.Options{Providers: []*engine.Provider{p}})
			require.NoError(t, err)
			sandbox, _ := e.Sandbox(engine.DefaultSandbox)
			rec := put(t, e, "/fake/things/1", c.do)
			require.Equal(t, c.status, rec.Code)
			require.Contains(t, rec.Body.String(), c.body)
			written := sandbox.Journal.Last()
			require.Equal(t, c.status, written.Status)
			require.Equal(t, rec.Body.String(), string(written.Response.Body))
			require.Equal(t, engine.RuleInternal, written.Refusal.Rule)
		})
	}
}

// TestANameIsTakenWhileItsSandboxIsSeeded, and free again when that failed.
func TestANameIsTakenWhileItsSandboxIsSeeded(t *testing.T) {
	t.Parallel()
	p := fake(t)
	e, err := engine.New(engine.Options{Providers: []*engine.Provider{p}, MaxSandboxes: 2})
	require.NoError(t, err)
	seeding, goOn, fail := make(chan struct{}), make(chan struct{}), true
	p.Seed = func(*sims.Env) sims.Credentials {
		seeding <- struct{}{}
		<-goOn
		if fail {
			panic("on purpose")
		}
		return sims.Credentials{}
	}
	create := func() error { _, err := e.CreateSandbox(engine.SandboxConfig{Name: "a"}); return err }
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, fails := range []bool{true, false} {
		fail = fails
		made := make(chan error)
		wg.Go(func() { made <- create() })
		<-seeding
		require.Equal(t, http.StatusOK, put(t, e, "/fake/things/1", `{}`).Code, "others are served meanwhile")
		require.Len(t, e.Sandboxes(), 1)
		require.ErrorIs(t, create(), engine.ErrTooManySandbox, "it counts already")
		goOn <- struct{}{}
		require.Equal(t, fails, <-made != nil)
	}
	_, ok := e.Sandbox("a")
	require.True(t, ok)
	require.Error(t, create())
}

// TestASnapshotIsOfOneInstant: clock, calls and rows change together, and are seen together.
func TestASnapshotIsOfOneInstant(t *testing.T) {
	t.Parallel()
	e, sandbox := started(t, engine.Options{})
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range 300 {
			if err := sandbox.Update(func(tx store.Tx) error { tx.Put("fake/n", "1", i); return nil }); err != nil {
				t.Error(err)
			}
			put(t, e, "/fake/things/1", `{}`)
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		snap, err := sandbox.Snapshot()
		require.NoError(t, err)
		if rows := snap.State.Tables["fake/n"]; len(rows) == 1 {
			n := 0
			require.NoError(t, strictjson.Unmarshal(rows[0].Value, &n))
			require.GreaterOrEqual(t, snap.Calls, uint64(n))
			require.LessOrEqual(t, snap.Calls, uint64(n)+1)
		}
	}
}
