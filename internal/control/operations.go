package control

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/metrics"
)

func (a *API) metrics(*call) (int, any, error) {
	return http.StatusOK, text{contentType: metrics.ContentType, data: a.options.Metrics()}, nil
}

// Elsewhere answers calls at an address that is the providers' alone, because the control API has one of its own. Only
// health is answered there, too.
func (a *API) Elsewhere(w http.ResponseWriter, r *http.Request) {
	if r.URL.EscapedPath() == Prefix+"health" {
		a.ServeHTTP(w, r)
		return
	}
	writeProblem(w, client.Problem{
		Title: "no such route", Status: http.StatusNotFound,
		Detail: "the control API of this server has an address of its own (--control-listen); here are the providers",
	})
}

// The bounds of an idle time.
const (
	minIdle = time.Second
	maxIdle = 365 * 24 * time.Hour
)

// readIdle reads when a sandbox expires. 0: never.
func readIdle(word string) (time.Duration, error) {
	idle, err := time.ParseDuration(word)
	if err != nil || idle != 0 && (idle < minIdle || idle > maxIdle) {
		return 0, invalid("idle", fmt.Sprintf("%q is no duration such as \"10m\", of at least 1s and at most a year; \"0s\" is never", shorten(word)))
	}
	return idle, nil
}

// sweep is how often idle sandboxes are looked for.
const sweep = time.Second

// sweepIdle looks for idle sandboxes from now on. A server without such that may expire never does.
func (a *API) sweepIdle() {
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	if a.stopSweep == nil {
		a.stopSweep = clock.Every(sweep, func(now time.Time) { a.Expire(now) })
	}
}

func (a *API) endSweep() {
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	if a.stopSweep == nil {
		a.stopSweep = func() {} // and nothing will
	}
	a.stopSweep()
}

// Expire deletes the sandboxes that are idle at an instant of the machine's clock and returns their names.
func (a *API) Expire(now time.Time) []string {
	var names []string
	for _, s := range a.engine.Expire(now) {
		a.end(s)
		names = append(names, s.Name)
	}
	return names
}

// end frees what a sandbox that was deleted still holds.
func (a *API) end(s *engine.Sandbox) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Clock.Stop(over) // no alarm fires, no timer keeps the sandbox; what is under way is not waited for
	a.deliveries.Forget(s) // again, for those who waited while it went away
	a.stage.End(s)
	a.recordings.forget(s)
	s.Feed.End()
}
