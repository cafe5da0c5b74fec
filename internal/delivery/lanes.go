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
	waiting []work
	running int
	width   int
	alone   bool // what runs wants nothing beside it
	queued  bool // is in ready
}

// work of a webhook. Ordered work runs alone in its lane. do reports whether the lane may be wide from now on (the
// receiver answers well), and when the outcome has been recorded: what comes next in the lane starts after that, so that
// it knows of it.
type work struct {
	ordered bool
	do      func() (wide bool, recorded <-chan struct{})
}

// free: the lane can run the first that waits.
func (ln *lane) free() bool {
	if len(ln.waiting) == 0 || ln.alone || ln.running >= ln.width {
		return false
	}
	return !ln.waiting[0].ordered || ln.running == 0
}

func newLanes(limit, width int) *lanes {
	return &lanes{max: limit, width: width, byKey: map[laneKey]*lane{}}
}

// add hands work to a lane. It never blocks.
func (l *lanes) add(key laneKey, w work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln, ok := l.byKey[key]
	if !ok {
		ln = &lane{key: key, width: 1}
		l.byKey[key] = ln
	}
	ln.waiting = append(ln.waiting, w)
	l.enqueue(ln)
	l.start()
}

// enqueue puts a lane that can run something at the end of the turn. The caller holds the lock.
func (l *lanes) enqueue(ln *lane) {
	if !ln.queued && ln.free() {
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
		if !ln.free() { // it has become narrow meanwhile: run puts it in again
			continue
		}
		first := ln.waiting[0]
		ln.waiting[0] = work{}
		ln.waiting = ln.waiting[1:]
		ln.alone = first.ordered
		ln.running++
		l.running++
		l.enqueue(ln)
		go l.run(ln, first)
	}
}

func (l *lanes) run(ln *lane, w work) {
	wide, recorded := w.do()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	select {
	case <-recorded:
	default: // an advance records in its own order: others go on meanwhile
		l.start()
		l.mu.Unlock()
		<-recorded
		l.mu.Lock()
	}
	ln.running--
	ln.alone = false
	ln.width = 1
	if wide {
		ln.width = l.width
	}
	l.enqueue(ln)
	if ln.running == 0 && len(ln.waiting) == 0 {
		delete(l.byKey, ln.key) // nothing is kept of a webhook that is quiet
	}
	l.start()
}
