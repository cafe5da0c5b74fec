package engine

import "sync"

// feedSize is how many notes a feed keeps for readers that are behind.
const feedSize = 2000

// Note is one thing that happened in a sandbox, for those who watch it live. It names what changed; what that says now is
// looked up when the note is read.
type Note struct {
	ID    uint64
	Kind  NoteKind
	Value any
}

// NoteKind says what a note is about.
type NoteKind string

// The kinds of notes, and their values.
const (
	NoteExchange NoteKind = "exchange" // the id of an Exchange, uint64
	NoteDelivery NoteKind = "delivery" // the id of a delivery
	NoteClock    NoteKind = "clock"    // nil
	NoteWebhooks NoteKind = "webhooks" // the name of the sim whose state changed
)

// Feed keeps the newest notes of one sandbox. Writers never wait for readers: a reader that is too far behind misses
// notes, and learns how many.
type Feed struct {
	mu      sync.Mutex
	notes   []Note // at most feedSize
	last    uint64
	changed chan struct{} // closed at the next note; nil while nobody waits
	ended   bool
}

// Publish adds a note.
func (f *Feed) Publish(kind NoteKind, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	if len(f.notes) == feedSize {
		f.notes[0] = Note{}
		f.notes = f.notes[1:]
	}
	f.notes = append(f.notes, Note{ID: f.last, Kind: kind, Value: value})
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// End says that no note will follow, because the sandbox is gone.
func (f *Feed) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Ended reports whether no note will follow.
func (f *Feed) Ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// Last returns the id of the newest note.
func (f *Feed) Last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Read returns the notes after an id, how many of those are not kept any more, and a channel that is closed at the next
// note.
func (f *Feed) Read(after uint64) (notes []Note, missed uint64, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	after = min(after, f.last)
	first := f.last - uint64(len(f.notes)) + 1
	if after+1 < first {
		missed = first - after - 1
		after = first - 1
	}
	return append([]Note(nil), f.notes[len(f.notes)-int(f.last-after):]...), missed, f.changed
}
