package delivery

import (
	"context"

	"github.com/mocksrv/mocksrv/internal/store"
)

// Left is what had not been delivered when the engine stopped.
type Left struct {
	Cut     int // attempts that were under way when the grace period ended
	Waiting int // deliveries that wait for an attempt or for their webhook
}

// Stop ends the delivery engine: no new attempt starts, those under way may finish until ctx ends, then they are cut.
func (d *Dispatcher) Stop(ctx context.Context) Left {
	var left Left
	for _, s := range d.engine.Sandboxes() {
		if s.Clock.Stop(ctx) != nil {
			left.Cut += s.Clock.UnderWay()
		}
		_ = s.View(func(tx store.Tx) error { // a sandbox that is gone has nothing left
			left.Waiting += table(tx).Count(string(Pending)) + table(tx).Count(string(Held))
			return nil
		})
	}
	d.sender.stop()
	for _, s := range d.engine.Sandboxes() {
		_ = s.Clock.Settle(context.Background()) // cut attempts report at once
	}
	d.sender.transport.CloseIdleConnections()
	return left
}
