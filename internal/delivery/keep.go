package delivery

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/store"
)

// What is kept of a delivery, so that no loop of redeliveries and no large answer fills the memory.
const (
	MaxAttempts = 100 // attempts kept of a delivery: the first half and the last half. The others are counted
	scarce      = 2   // kept of it when the sandbox is full, without the answers' headers and bodies
)

// Made is how many attempts the delivery has had, those that are not kept included.
func (d Delivery) Made() int { return len(d.Attempts) + d.Omitted }

// Attempt returns an attempt by its number, from 1 on. False: it was not made, or is not kept.
func (d Delivery) Attempt(n int) (Attempt, bool) {
	for _, a := range d.Attempts {
		if a.N == n {
			return d.unpacked(a), true
		}
	}
	return Attempt{}, false
}

// shown is the delivery for those outside of the store: its attempts as they were sent.
func (d Delivery) shown() Delivery {
	sent := make([]Attempt, len(d.Attempts))
	for i, a := range d.Attempts {
		sent[i] = d.unpacked(a)
	}
	d.Attempts = sent
	return d
}

func shown(all []Delivery) []Delivery {
	for i := range all {
		all[i] = all[i].shown()
	}
	return all
}

// add returns the delivery with one more attempt. full: there is little room.
func (d Delivery) add(a Attempt, full bool) Delivery {
	keep := MaxAttempts
	if full {
		keep = scarce
		a.Response = Response{Truncated: a.Response.Truncated || len(a.Response.Header)+len(a.Response.Body) > 0}
	}
	attempts := append(slices.Clip(d.Attempts), d.packed(a)) // in a slice of its own
	if over := len(attempts) - keep; over > 0 {
		attempts = slices.Clip(slices.Delete(attempts, keep/2, keep/2+over))
		d.Omitted += over
	}
	d.Attempts = attempts
	return d
}

// packed is an attempt without the body that the delivery has already: once as what was sent, once in what was signed.
func (d Delivery) packed(a Attempt) Attempt {
	if len(d.Body) == 0 || a.SameBody || !bytes.Equal(a.Request.Body, d.Body) {
		return a
	}
	a.Request.Body, a.SameBody = nil, true
	if at := strings.Index(a.Signature.StringToSign, string(d.Body)); at >= 0 {
		rest := a.Signature.StringToSign[:at] + a.Signature.StringToSign[at+len(d.Body):]
		a.Signature.StringToSign = strings.Clone(rest) // a part of the text would keep all of it in memory
		a.BodySignedAt = at + 1
	}
	return a
}

func (d Delivery) unpacked(a Attempt) Attempt {
	if !a.SameBody {
		return a
	}
	a.Request.Body, a.SameBody = d.Body, false
	if at := a.BodySignedAt - 1; at >= 0 && at <= len(a.Signature.StringToSign) {
		a.Signature.StringToSign = a.Signature.StringToSign[:at] + string(d.Body) + a.Signature.StringToSign[at:]
	}
	a.BodySignedAt = 0
	return a
}

// What a delivery and an attempt keep in memory beside their texts.
const (
	perDelivery = 800
	perAttempt  = 700
	perHeader   = 64
)

// Size implements store.Sized.
func (d Delivery) Size() int {
	n := perDelivery + len(d.ID) + len(d.WebhookID) + len(d.URL) + len(d.Reason) + len(d.Event.ID) + len(d.ContentType) + len(d.Body)
	if d.Bound != nil {
		n += perAttempt + len(d.Bound.URL)
	}
	for _, a := range d.Attempts {
		n += perAttempt + len(a.Request.URL) + sizeOfHeader(a.Request.Header) + sizeOfHeader(a.Response.Header)
		n += len(a.Request.Body) + len(a.Response.Body) + len(a.Signature.StringToSign) + len(a.Signature.Value)
		if a.Error != nil {
			n += len(a.Error.Detail)
		}
	}
	return n
}

func sizeOfHeader(h http.Header) int {
	n := 0
	for name, values := range h {
		n += perHeader + len(name)
		for _, value := range values {
			n += len(value)
		}
	}
	return n
}

// roomy refuses what was made when the sandbox is over its limit. Final deliveries have made room already.
func (w *writer) roomy() error { return w.s.Room(w.tx, store.Usage{}) }

// full: attempts are recorded all the same when the sandbox is over its limit, but scarcely.
func (w *writer) full() bool { return w.roomy() != nil }

// tooMany: there are more final deliveries than are kept, or deliveries take more than half of what the sandbox may hold.
func (w *writer) tooMany() bool {
	final := table(w.tx).Count(finishedKey)
	return final > MaxFinished || final > 0 && w.tx.Usage(tableName).Bytes > w.s.Limits().Bytes/2
}
