package client

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mocksrv/mocksrv/script"
)

// Recording is the answer of GET …/recording: what a scenario made from the journal needs beside it.
type Recording struct {
	Seed       int64             `json:"seed"`
	Origin     string            `json:"origin"`
	Clock      Clock             `json:"clock"`      // as it was at the start
	Policies   map[string]any    `json:"policies"`   // as they were at the start
	Scenarios  []script.Scenario `json:"scenarios"`  // with which it was made
	Operations []Operated        `json:"operations"` // in the order in which they were asked for
	Dropped    uint64            `json:"dropped"`    // operations that are not kept
}

// Operated is a change of a sandbox that was asked of the control API.
type Operated struct {
	Does    string         `json:"does"`             // emit, advance, clock, policies, unblock, redeliver, rules, actions, …
	After   uint64         `json:"after"`            // the newest exchange of the journal before
	At      time.Time      `json:"at"`               // world clock, before
	Subject string         `json:"subject,omitzero"` // the webhook, delivery, receiver or rule in its path
	Body    jsontext.Value `json:"body,omitzero"`    // as it was sent
}

// Recording returns what was asked of the control API for the sandbox.
func (s *SandboxClient) Recording(ctx context.Context) (out Recording, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/recording", nil, &out)
}
