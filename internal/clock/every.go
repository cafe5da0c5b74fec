package clock

import (
	"sync"
	"time"
)

// Every calls fn again and again, after each interval of real time, with the machine's instant, until stop is called. It
// never runs twice at a time, and stop does not wait for it.
func Every(interval time.Duration, fn func(now time.Time)) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(interval, func() {
		fn(WallNow())
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			timer.Reset(interval)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}
