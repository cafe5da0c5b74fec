package delivery

import "sync"

// lanes run attempts side by side: at most max in all, and for each webhook at most as many as its lane is wide, in the
// order in which they came. A lane is one attempt wide until a first success, and again after a failure, so that a dead
// receiver holds up one place and no more. Lanes take turns.
type lanes struct {
	mu      sync.Mutex
	max     int
	width   int
	running int
	byKey   map[laneKey]*lane
	ready   []*lane // lanes with waiting work and a free place, in turn
}

// laneKey is a webhook of a sandbox, from one reset to the next.
type laneKey struct {
	sandbox *state
	webhook string
}

type lane struct {
	key     laneKey
	waiting []func() (ok bool)
	running int
	width   int
	ordered bool
	queued  bool // is in ready
}

func newLanes(limit, width int) *lanes {
	return &lanes{max: limit, width: width, byKey: map[laneKey]*lane{}}
}

// add hands work to a lane. It never blocks. work reports whether the receiver took the delivery.
func (l *lanes) add(key laneKey, ordered bool, work func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln, ok := l.byKey[key]
	if !ok {
		ln = &lane{key: key, width: 1, ordered: ordered}
		l.byKey[key] = ln
	}
	ln.waiting = append(ln.waiting, work)
	l.enqueue(ln)
	l.start()
}

// enqueue puts a lane that can run something at the end of the turn. The caller holds the lock.
func (l *lanes) enqueue(ln *lane) {
	if !ln.queued && len(ln.waiting) > 0 && ln.running < ln.width {
		ln.queued = true
		l.ready = append(l.ready, ln)
	}
}

// start runs what may run. The caller holds the lock.
func (l *lanes) start() {
	for l.running < l.max && len(l.ready) > 0 {
		ln := l.ready[0]
		l.ready = l.ready[1:]
		ln.queued = false
		work := ln.waiting[0]
		ln.waiting[0] = nil
		ln.waiting = ln.waiting[1:]
		ln.running++
		l.running++
		l.enqueue(ln)
		go l.run(ln, work)
	}
}

func (l *lanes) run(ln *lane, work func() bool) {
	ok := work()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	ln.running--
	ln.width = 1
	if ok && !ln.ordered {
		ln.width = l.width
	}
	l.enqueue(ln)
	if ln.running == 0 && len(ln.waiting) == 0 {
		delete(l.byKey, ln.key) // nothing is kept of a webhook that is quiet
	}
	l.start()
}
