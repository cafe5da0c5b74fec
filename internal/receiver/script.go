package receiver

import (
	"maps"
	"net/http"
	"time"
)

// Script says how a receiver answers. It is plain data; the zero Script answers 200 to everything.
type Script struct {
	// Down makes connections be refused: nothing listens, though the port is kept. It is a state of the whole receiver
	// rather than a reply, because who is refused cannot be counted. The next script without it brings the receiver
	// back.
	Down bool `json:"down,omitzero"`
	// Replies are given one after the other, in the order in which the requests arrived whole.
	Replies []Reply `json:"replies,omitempty"`
	// Then says what follows after the last of them.
	Then Then `json:"then,omitzero"`
}

// Then says how a script goes on at its end.
type Then string

// How a script goes on at its end.
const (
	ThenLast Then = "last" // the last reply repeats for ever; also what "" means
	ThenLoop Then = "loop" // from the first reply again
	ThenOK   Then = "ok"   // 200 for ever
)

// Reply is one answer. Which members a fault uses stands with the fault; the others must be left out, since they would
// have no effect.
type Reply struct {
	Times    int               `json:"times,omitzero" minimum:"1"` // for how many requests; default 1
	Status   int               `json:"status,omitzero"`            // 200 to 599; default 200 (redirect: 302)
	Header   map[string]string `json:"header,omitempty"`           // added to Date and, with a body, Content-Type: text/plain
	Body     string            `json:"body,omitzero"`              // at most 1 MiB
	Delay    string            `json:"delay,omitzero"`             // "2s": real time before the answer; at most 1h
	Fault    Fault             `json:"fault,omitzero"`             // how it goes wrong
	Location string            `json:"location,omitzero"`          // redirect: where to
}

// Fault is a way in which an answer goes wrong.
type Fault string

// The faults, and after the colon the members of a Reply that each uses beside times.
const (
	// None is a proper answer: status, header, body, delay.
	None Fault = ""
	// ResetBefore resets the connection instead of an answer: delay.
	ResetBefore Fault = "reset_before"
	// ResetDuring resets it after the head and half of the body, or half of the head when there is no body: status,
	// header, body, delay.
	ResetDuring Fault = "reset_during"
	// Hang gives no answer until the client goes away or the receiver stops: nothing.
	Hang Fault = "hang"
	// Dribble sends one byte at a time, from the status line on, with the delay between them instead of before: status,
	// header, body, delay.
	Dribble Fault = "dribble"
	// Truncate promises more in Content-Length than the body holds, and closes: status, header, body, delay.
	Truncate Fault = "truncate"
	// Garbage sends what is not HTTP, namely the body if there is one, and closes: body, delay.
	Garbage Fault = "garbage"
	// Informational sends 103 Early Hints, and the answer after the delay: status, header, body, delay.
	Informational Fault = "informational"
	// Redirect answers 302, or another redirecting status: location, status, header, body, delay.
	Redirect Fault = "redirect"
	// Huge sends a body without a declared length that ends only after 64 MiB: status, header, delay.
	Huge Fault = "huge"
)

// faultRule is what a reply with a fault may say.
type faultRule struct {
	fault    Fault
	uses     []string
	needBody bool // there is no such fault in an answer that cannot have a body
}

func faultRules() []faultRule {
	answer := []string{"status", "header", "body", "delay"}
	return []faultRule{
		{fault: None, uses: answer},
		{fault: ResetBefore, uses: []string{"delay"}},
		{fault: ResetDuring, uses: answer},
		{fault: Hang},
		{fault: Dribble, uses: answer},
		{fault: Truncate, uses: answer, needBody: true},
		{fault: Garbage, uses: []string{"body", "delay"}},
		{fault: Informational, uses: answer},
		{fault: Redirect, uses: append([]string{"location"}, answer...)},
		{fault: Huge, uses: []string{"status", "header", "delay"}, needBody: true},
	}
}

func (r Reply) clone() Reply {
	r.Header = maps.Clone(r.Header)
	return r
}

// step is a reply with its defaults filled in.
type step struct {
	Reply
	delay time.Duration
}

func (r Reply) step() step {
	r = r.clone()
	r.Times = max(r.Times, 1)
	if r.Status == 0 {
		r.Status = http.StatusOK
		if r.Fault == Redirect {
			r.Status = http.StatusFound
		}
	}
	delay, _ := parseDelay(r.Delay) // was validated
	return step{Reply: r, delay: delay}
}

// seenStatus is the status that reaches the client; 0 when none does.
func (s step) seenStatus() int {
	switch s.Fault {
	case ResetBefore, Hang, Garbage:
		return 0
	default:
		return s.Status
	}
}

// program is a script on its way: which reply is next.
type program struct {
	steps []step
	then  Then
	at    int // index of the present step
	used  int // how often it was given
}

func (s Script) compile() (program, error) {
	if err := s.Validate(); err != nil {
		return program{}, err
	}
	p := program{then: s.Then}
	for _, reply := range s.Replies {
		p.steps = append(p.steps, reply.step())
	}
	return p, nil
}

func (p *program) next() step {
	if p.at < len(p.steps) && p.used == p.steps[p.at].Times {
		p.at, p.used = p.at+1, 0
	}
	if p.at == len(p.steps) {
		p.atEnd()
	}
	if p.at == len(p.steps) {
		return Reply{}.step()
	}
	p.used++
	return p.steps[p.at]
}

// atEnd goes back to where the script continues, or stays at the end for ThenOK and an empty script.
func (p *program) atEnd() {
	switch {
	case len(p.steps) == 0 || p.then == ThenOK:
	case p.then == ThenLoop:
		p.at = 0
	default:
		p.at = len(p.steps) - 1
	}
}
