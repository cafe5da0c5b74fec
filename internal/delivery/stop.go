package delivery

import (
	"context"
	"sync"

	"github.com/mocksrv/mocksrv/internal/store"
)

// Left is what had not been delivered when the engine stopped.
type Left struct {
	Cut     int // attempts that were under way when the grace period ended
	Waiting int // deliveries that wait for an attempt or for their webhook, those that were cut included
}

// Stop ends the delivery engine: no new attempt starts, those under way may finish until ctx ends, then they are cut.
func (d *Dispatcher) Stop(ctx context.Context) Left {
	d.stopping.Store(true)
	var left Left
	var clocks sync.WaitGroup
	for _, s := range d.engine.Sandboxes() {
		clocks.Go(func() { _ = s.Clock.Stop(ctx) }) // what is still under way then is counted and cut below
	}
	clocks.Wait()
	left.Cut = int(d.sending.Load())
	d.sender.stop()
	for _, s := range d.engine.Sandboxes() {
		_ = s.Clock.Settle(context.Background()) // cut attempts report at once
	}
	left.Waiting = d.Waiting()
	d.sender.transport.CloseIdleConnections()
	return left
}

// Waiting returns how many deliveries of all sandboxes wait for an attempt or for their webhook.
func (d *Dispatcher) Waiting() int {
	n := 0
	for _, s := range d.engine.Sandboxes() {
		_ = s.View(func(tx store.Tx) error { // a sandbox that is gone has none
			n += table(tx).Count(string(Pending)) + table(tx).Count(string(Held))
			return nil
		})
	}
	return n
}

// Sending returns how many attempts are on the wire.
func (d *Dispatcher) Sending() int { return int(d.sending.Load()) }
