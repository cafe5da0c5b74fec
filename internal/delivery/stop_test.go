package delivery_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// gate is a receiver that holds its answers back.
type gate struct {
	*simtest.Receiver
	arrived chan struct{} // one for each request
	open    func()
}

func gated(w *simtest.World) *gate {
	w.T.Helper()
	g, closed := &gate{arrived: make(chan struct{}, 100)}, make(chan struct{})
	g.open = sync.OnceFunc(func() { close(closed) })
	w.T.Cleanup(g.open)
	g.Receiver = w.Receive(func(int) (int, string) {
		g.arrived <- struct{}{}
		<-closed
		return 200, ""
	})
	return g
}

// observed is a context that tells when somebody waits for its end.
type observed struct {
	context.Context //nolint:containedctx // it is one

	waits chan struct{}
	once  *sync.Once
}

func (o observed) Done() <-chan struct{} {
	o.once.Do(func() { close(o.waits) })
	return o.Context.Done()
}

// stopping begins to stop a dispatcher, and returns when it waits for what is under way.
func stopping(w *simtest.World, ctx context.Context) <-chan delivery.Left { //nolint:revive // as helpers with a world go
	o := observed{Context: ctx, waits: make(chan struct{}), once: new(sync.Once)}
	stopped := make(chan delivery.Left, 1)
	go func() { stopped <- w.Dispatcher.Stop(o) }()
	<-o.waits
	return stopped
}

func TestStopLetsAttemptsFinishAndStartsNone(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	g := gated(w)
	subscribe(w, hookID, g.URL)
	sent, waiting := emitSoon(t, w)[0], emitSoon(t, w)[0]
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := stopping(w, ctx)
	g.open()
	require.Equal(t, delivery.Left{Cut: 0, Waiting: 1}, <-stopped)
	require.Equal(t, delivery.Delivered, get(w, sent.ID).State)
	require.Equal(t, delivery.Pending, get(w, waiting.ID).State)
	require.Empty(t, get(w, waiting.ID).Attempts)
	require.Len(t, g.Requests(), 1)
}

// TestStopLetsTheAttemptsOfAnAdvanceFinish: they have the same grace as those that started by themselves.
func TestStopLetsTheAttemptsOfAnAdvanceFinish(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	subscribe(w, hookID, played(w, receiver.Reply{Status: 500}).URL())
	sent := emit(w)
	g := gated(w)
	moveTo(w, hookID, g.URL)
	advanced := make(chan error, 1)
	go func() {
		_, err := w.Sandbox.Clock.AdvanceUntilIdle(context.Background(), 100)
		advanced <- err
	}()
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := stopping(w, ctx)
	g.open()
	require.Equal(t, delivery.Left{}, <-stopped)
	require.NoError(t, <-advanced)
	require.Equal(t, delivery.Delivered, get(w, sent.ID).State)
}

func TestStopCutsWhatDoesNotFinishInTime(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("attempt_timeout", "1h")
	g := gated(w)
	subscribe(w, hookID, g.URL)
	cut, waiting := emitSoon(t, w)[0], emitSoon(t, w)[0]
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	stopped := stopping(w, ctx)
	cancel()
	require.Equal(t, delivery.Left{Cut: 1, Waiting: 2}, <-stopped)
	d := get(w, cut.ID)
	require.Equal(t, delivery.Pending, d.State, "it waits as before")
	require.Equal(t, cut.NextAttemptAt, d.NextAttemptAt)
	require.Len(t, d.Attempts, 1)
	require.Equal(t, delivery.AttemptError{Class: "stopped", Detail: "the server stopped"}, *d.Attempts[0].Error)
	require.Len(t, outbound(w, cut.ID), 1)
	require.Empty(t, get(w, waiting.ID).Attempts)
	require.EqualValues(t, 0, shown(w, "errorCount"), "it says nothing of the receiver")
	require.Equal(t, delivery.Left{Waiting: 2}, w.Dispatcher.Stop(t.Context()), "a second time there is nothing to do")
}

// TestStopEndsEverySandboxAtOnce: while one has its grace, no alarm of another fires.
func TestStopEndsEverySandboxAtOnce(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	g := gated(w)
	subscribe(w, hookID, g.URL)
	emitSoon(t, w)
	<-g.arrived
	other := *w
	var err error
	other.Sandbox, err = w.Engine.CreateSandbox(engine.SandboxConfig{Name: "zzz", Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	fired := make(chan struct{}, 1)
	other.Sandbox.Clock.At(simtest.Start().Add(time.Second), func(done func(func())) { fired <- struct{}{}; go done(nil) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := stopping(w, ctx)
	for !errorsOut(other.Sandbox.Clock) { // the clocks stop beside each other
		require.Empty(t, stopped)
	}
	g.open()
	<-stopped
	require.Empty(t, fired)
}

// errorsOut says whether a clock has stopped.
func errorsOut(c *clock.World) bool {
	_, err := c.Advance(context.Background(), simtest.Start(), 0)
	if err != nil {
		return true
	}
	n, _ := c.Pending()
	_, err = c.AdvanceUntilIdle(context.Background(), 0)
	return n > 0 && err != nil && err.Error() == clock.ErrStopped.Error()
}

// TestAResetCutsWhatIsUnderWay: the new life of the sandbox neither waits for it nor hears of it.
func TestAResetCutsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	require.NoError(t, w.Sandbox.SetPolicies(map[string]any{"signedsub.attempt_timeout": "1h"}))
	g := gated(w)
	subscribe(w, hookID, g.URL)
	before := emitSoon(t, w)[0]
	queued := emitSoon(t, w)[0]
	<-g.arrived
	require.NoError(t, w.Sandbox.Reset())
	r := played(w)
	subscribe(w, hookID, r.URL())
	after := emit(w) // would wait an hour behind the attempt of the former life
	require.Equal(t, before.ID, after.ID, "the seed is the same")
	require.Equal(t, delivery.Delivered, after.State)
	require.Len(t, after.Attempts, 1)
	again := emit(w)
	require.Equal(t, queued.ID, again.ID)
	require.Len(t, again.Attempts, 1)
	require.Len(t, outbound(w, before.ID), 1, "the journal knows nothing of the former life")
	require.Len(t, arrived(r), 2)
	require.Len(t, g.Requests(), 1)
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
}

func TestADeletedSandboxLeavesNothingUnderWay(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "gone", Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	g := gated(w)
	require.NoError(t, sandbox.SetPolicies(map[string]any{"signedsub.attempt_timeout": "1h"}))
	state, err := withHook(w, g.URL)
	require.NoError(t, err)
	require.NoError(t, sandbox.Import(state))
	_, created, err := w.Dispatcher.Emit(sandbox, delivery.EventRequest{Sim: "signedsub", Type: payout, Account: w.Credentials["account"]})
	require.NoError(t, err)
	require.Len(t, created, 1)
	<-g.arrived
	_, err = w.Engine.DeleteSandbox("gone")
	require.NoError(t, err)
	require.NoError(t, sandbox.Clock.Settle(t.Context()))
	_, _, _, err = w.Dispatcher.List(sandbox)
	require.Error(t, err)
}

// TestResumingDoesNotRepeatWhatIsUnderWay: the turn has its alarm, whether it has fired or not.
func TestResumingDoesNotRepeatWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	under, first, others := make(chan struct{}, 100), make(chan struct{}), make(chan struct{})
	r := w.Receive(func(n int) (int, string) {
		under <- struct{}{}
		if n == 1 { // after a success several are under way at once
			<-first
		} else {
			<-others
		}
		return 200, ""
	})
	subscribe(w, hookID, r.URL)
	setting := w.Sandbox.Clock.Setting()
	setting.Mode = clock.Real // on a frozen clock the attempts to one webhook are made one by one
	w.Sandbox.Clock.Set(setting)
	for range 3 {
		emitSoon(t, w)
	}
	<-under
	close(first)
	<-under
	<-under
	require.NoError(t, w.Dispatcher.Resume(w.Sandbox))
	emitSoon(t, w) // comes after whatever was started anew
	<-under
	close(others)
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	require.Len(t, r.Requests(), 4)
}

// TestEveryAttemptIsToldByOneAdvance: also the one that a frozen clock started by itself.
func TestEveryAttemptIsToldByOneAdvance(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	subscribe(w, hookID, played(w, receiver.Reply{Status: 500}).URL())
	emitSoon(t, w)
	require.NoError(t, w.Sandbox.Clock.Settle(t.Context()))
	require.Len(t, w.Advance(0), 1)
	require.Empty(t, w.Advance(0))
	var mu sync.Mutex
	attempts := map[int]int{}
	var group sync.WaitGroup
	for range 4 { // beside each other: who tells is not said, but one does
		group.Go(func() {
			for _, fired := range w.Advance(time.Minute) {
				mu.Lock()
				attempts[fired.Attempt]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	made := w.Deliveries()[0].Attempts[1:]
	require.Len(t, attempts, len(made))
	for _, a := range made {
		require.Equal(t, 1, attempts[a.N])
	}
}
