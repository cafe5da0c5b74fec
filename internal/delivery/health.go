package delivery

import (
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// blocking is a provider's rule for switching a webhook off, read from its policies.
type blocking struct {
	limit  int // more errors than this block; 0: never
	window time.Duration
	kind   string // none, first_error, sliding
	counts string // attempt, event
}

func blockingOf(p sims.Policies) blocking {
	return blocking{
		limit: p.Int(sims.PolicyBlockLimit), window: p.Duration(sims.PolicyBlockWindow),
		kind: p.Enum(sims.PolicyBlockWindowKind), counts: p.Enum(sims.PolicyBlockCounts),
	}
}

// failed counts a failed attempt. exhausted: it was the event's last.
func (b blocking) failed(h sims.Health, at time.Time, exhausted bool) sims.Health {
	h.ErrorCount++
	if h.ErrorFirstAt.IsZero() {
		h.ErrorFirstAt = at
	}
	h.ErrorLastAt = at
	if b.limit == 0 || h.Blocked || b.counts == "event" && !exhausted {
		return h
	}
	h.Window = append(b.within(h.Window, at), at)
	if len(h.Window) > b.limit {
		h.Blocked, h.BlockedAt, h.Window = true, at, nil
	}
	return h
}

// within returns the earlier errors that still count at an instant, in a slice of its own.
func (b blocking) within(window []time.Time, at time.Time) []time.Time {
	switch b.kind {
	case "sliding":
		return slices.DeleteFunc(slices.Clone(window), func(t time.Time) bool { return at.Sub(t) > b.window })
	case "first_error":
		if len(window) > 0 && at.Sub(window[0]) > b.window {
			return nil // the window that the first error opened is over: this error opens the next
		}
	}
	return slices.Clone(window)
}

// succeeded ends a run of errors. A block stays with the errors that led to it (an attempt under way may succeed after
// it): only unblocking lifts it.
func succeeded(h sims.Health) sims.Health {
	if h.Blocked {
		return h
	}
	return sims.Health{}
}
