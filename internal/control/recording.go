package control

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// The bounds of what is kept of a sandbox for recordings. What is over is counted.
const (
	maxOperations     = 1000
	maxOperationBytes = 1 << 20 // of all bodies together
)

// recordings keep what was asked of the control API for each sandbox: what happened to it beside the journal.
type recordings struct {
	mu        sync.Mutex
	bySandbox map[*engine.Sandbox]*recording
}

type recording struct {
	operations []client.Operated
	bytes      int
	dropped    uint64
}

func newRecordings() *recordings {
	return &recordings{bySandbox: map[*engine.Sandbox]*recording{}}
}

// add keeps an operation that was performed; one that is over the bounds is counted only.
func (r *recordings) add(s *engine.Sandbox, o client.Operated, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.bySandbox[s]
	if !ok {
		kept = &recording{}
		r.bySandbox[s] = kept
	}
	size := len(o.Body) + len(o.Subject)
	if over || len(kept.operations) >= maxOperations || kept.bytes+size > maxOperationBytes {
		kept.dropped++
		return
	}
	kept.operations = append(kept.operations, o)
	kept.bytes += size
}

// full reports whether no operation is kept any more, but counted.
func (r *recordings) full(s *engine.Sandbox) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.bySandbox[s]
	return ok && len(kept.operations) >= maxOperations
}

// forget drops what is kept of a sandbox that starts anew, or is gone.
func (r *recordings) forget(s *engine.Sandbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bySandbox, s)
}

func (r *recordings) of(s *engine.Sandbox) (operations []client.Operated, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.bySandbox[s]
	if !ok {
		return []client.Operated{}, 0
	}
	operations = append([]client.Operated{}, kept.operations...)
	for i := range operations {
		operations[i].Body = asJSON(operations[i].Body)
	}
	return operations, kept.dropped
}

// recorded are the routes whose calls change a sandbox, by what they do.
func recorded() map[string]string {
	const sandbox = Prefix + "v1/sandboxes/{sandbox}"
	return map[string]string{
		"PATCH " + sandbox:                                "policies",
		"PUT " + sandbox + "/clock":                       "clock",
		"POST " + sandbox + "/clock/advance":              "advance",
		"POST " + sandbox + "/webhooks/{id}/unblock":      "unblock",
		"POST " + sandbox + "/events":                     "emit",
		"POST " + sandbox + "/deliveries/{id}/redeliver":  "redeliver",
		"POST " + sandbox + "/receivers":                  "open_receiver",
		"PUT " + sandbox + "/receivers/{receiver}/script": "script_receiver",
		"DELETE " + sandbox + "/receivers/{receiver}":     "close_receiver",
		"POST " + sandbox + "/rules":                      "rules",
		"DELETE " + sandbox + "/rules":                    "drop_rules",
		"POST " + sandbox + "/actions":                    "actions",
		"POST " + sandbox + "/reset":                      "reset",
		"POST " + sandbox + "/scenarios":                  "scenario",
		"PUT " + sandbox + "/snapshot":                    "restore",
		"DELETE " + sandbox + "/journal":                  "clear_journal",
	}
}

// noted is a route whose successful calls are kept for recordings.
func (a *API) noted(pattern string, next route) route {
	does, ok := recorded()[pattern]
	if !ok {
		return next
	}
	return func(c *call) (int, any, error) {
		if does != "reset" && a.recordings.full(c.sandbox) {
			status, body, err := next(c)
			if err == nil {
				a.recordings.add(c.sandbox, client.Operated{}, true)
			}
			return status, body, err
		}
		o := client.Operated{Does: does, At: c.sandbox.Clock.Now(), Subject: c.PathValue("id") + c.PathValue("receiver")}
		if c.URL.RawQuery != "" {
			o.Subject += c.URL.Query().Get("name")
		}
		if last := c.sandbox.Journal.Last(); last != nil {
			o.After = last.ID
		}
		sent := &teeBody{ReadCloser: c.Body}
		c.Body = sent
		status, body, err := next(c)
		switch {
		case err != nil:
		case does == "reset":
			a.recordings.forget(c.sandbox) // it starts anew
		default:
			o.Body = sent.kept.Bytes() // as it came: it is read when somebody asks
			a.recordings.add(c.sandbox, o, sent.over)
			if now, ok := a.engine.Sandbox(c.sandbox.Name); !ok || now != c.sandbox { // deleted meanwhile
				a.recordings.forget(c.sandbox)
			}
		}
		return status, body, err
	}
}

// asJSON is a body as JSON: one that is YAML becomes a text.
func asJSON(body []byte) []byte {
	if v, err := strictjson.Compact(body); err == nil {
		return v
	}
	v, err := strictjson.Encode(string(body))
	if err != nil || len(body) == 0 {
		return nil
	}
	return v
}

// teeBody keeps what is read of a body.
type teeBody struct {
	io.ReadCloser
	kept bytes.Buffer
	over bool // it was too long to keep
}

// Read implements io.Reader.
func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.over = t.over || t.kept.Len()+n > maxOperationBytes; !t.over {
		t.kept.Write(p[:n])
	}
	return n, err
}

// getRecording answers what a recording needs beside the journal: from what the sandbox started, and what was asked of it.
func (a *API) getRecording(c *call) (int, any, error) {
	config := c.sandbox.Config()
	out := client.Recording{Seed: c.sandbox.Seed(), Origin: c.sandbox.Origin(), Clock: clockOf(config.Clock), Policies: map[string]any{}}
	maps.Copy(out.Policies, config.Policies)
	if out.Clock.Mode == "" {
		out.Clock = client.Clock{Mode: "real", Edge: "wall", Skew: time.Duration(0).String()}
	}
	out.Scenarios = append([]script.Scenario{}, a.stage.Kept(c.sandbox)...)
	out.Operations, out.Dropped = a.recordings.of(c.sandbox)
	return http.StatusOK, out, nil
}
