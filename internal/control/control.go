// Package control is the control API under /_mocksrv/: what a test needs around the providers. It turns HTTP into calls
// of the engine and the delivery engine, and their values into the types of package client. It names no provider.
package control

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/doctor"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/stage"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// Prefix is where the control API lives.
const Prefix = "/_mocksrv/"

// MaxBody is how many bytes of a request body are read.
const MaxBody = 32 << 20

//go:embed openapi.yaml
var document []byte

// Options set up the control API.
type Options struct {
	Token      string        // when set, every call but health and ca.pem needs "Authorization: Bearer <token>"
	AllowHosts []string      // further Host names that may be used
	Seed       int64         // seed of sandboxes that name none
	CA         *authority.CA // signs the certificates of scripted receivers and of clients
	Log        *slog.Logger  // of defects; nil: nothing is logged
	// Idle is when sandboxes that say nothing else expire. 0: never.
	Idle time.Duration
	// Metrics writes the metrics in the text format of Prometheus.
	Metrics func() []byte
	// ProviderURL is where the providers are reached by those who reach the control API at a host, with or without TLS. Nil:
	// there, too.
	ProviderURL func(host string, secure bool) string
}

// API is the control API of one server.
type API struct {
	engine     *engine.Engine
	deliveries *delivery.Dispatcher
	stage      *stage.Stage
	receivers  *stage.Receivers
	recordings *recordings
	doctor     *doctor.Doctor
	closing    chan struct{} // closed when the streams must end
	interrupt  sync.Once
	options    Options
	handler    http.Handler
	names      atomic.Uint64 // for sandboxes without a name
	// streamWrite is how long a stream waits for its reader.
	streamWrite time.Duration
	sweeping    sync.Mutex
	stopSweep   func() // nil: nothing looks for idle sandboxes
}

// New returns the control API.
func New(e *engine.Engine, d *delivery.Dispatcher, st *stage.Stage, o Options) *API {
	if o.ProviderURL == nil {
		o.ProviderURL = sameURL
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = func() []byte { return nil }
	}
	a := &API{engine: e, deliveries: d, options: o, recordings: newRecordings(), stage: st, receivers: st.Receivers(), doctor: doctor.New(d.Prober(), doctor.Options{}), closing: make(chan struct{}), streamWrite: streamWrite}
	mux := http.NewServeMux()
	known := parameters()
	for pattern, route := range a.routes() {
		mux.Handle(pattern, a.wrap(checked(known[pattern], a.noted(pattern, route))))
	}
	a.handler = guard(routed(mux), o)
	return a
}

// Document is the OpenAPI document of the control API.
func Document() []byte { return document }

// Close ends what the control API has opened.
func (a *API) Close() {
	a.endSweep()
	a.stage.Close()
}

// Interrupt ends the live streams, which would never end by themselves.
func (a *API) Interrupt() { a.interrupt.Do(func() { close(a.closing) }) }

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// call is one request to the control API.
type call struct {
	*http.Request
	writer  http.ResponseWriter
	sandbox *engine.Sandbox // of routes with {sandbox}
	patient bool
	started bool // the answer is on its way: it can only be cut off
}

// route answers a call with a status and a value, or with an error.
type route func(c *call) (status int, body any, err error)

func (a *API) routes() map[string]route {
	const v1 = Prefix + "v1/"
	const sandbox = v1 + "sandboxes/{sandbox}"
	all := map[string]route{
		"GET " + Prefix + "health":               a.health,
		"GET " + Prefix + "ca.pem":               a.getCA,
		"GET " + Prefix + "openapi.yaml":         a.openapi,
		"GET " + Prefix + "metrics":              a.metrics,
		"GET " + Prefix + "scenario.schema.json": a.schema,
		"GET " + v1 + "sims":                     a.listSims,

		"POST " + v1 + "certificates/client": a.issueClient,

		"GET " + v1 + "sandboxes":    a.listSandboxes,
		"POST " + v1 + "sandboxes":   a.createSandbox,
		"POST " + v1 + "doctor":      a.examine,
		"GET " + sandbox:             a.getSandbox,
		"PATCH " + sandbox:           a.changeSandbox,
		"DELETE " + sandbox:          a.deleteSandbox,
		"POST " + sandbox + "/reset": a.resetSandbox,

		"GET " + sandbox + "/clock":          a.getClock,
		"PUT " + sandbox + "/clock":          a.setClock,
		"POST " + sandbox + "/clock/advance": a.advanceClock,

		"GET " + sandbox + "/webhooks":               a.listWebhooks,
		"POST " + sandbox + "/webhooks/{id}/unblock": a.unblockWebhook,

		"POST " + sandbox + "/events":                     a.emitEvent,
		"GET " + sandbox + "/deliveries":                  a.listDeliveries,
		"GET " + sandbox + "/deliveries/{id}":             a.getDelivery,
		"POST " + sandbox + "/deliveries/{id}/redeliver":  a.redeliver,
		"POST " + sandbox + "/deliveries/{id}/compare":    a.compareSignature,
		"GET " + sandbox + "/journal":                     a.listJournal,
		"DELETE " + sandbox + "/journal":                  a.clearJournal,
		"POST " + sandbox + "/journal/verify":             a.verifyJournal,
		"POST " + sandbox + "/deliveries/verify":          a.verifyDeliveries,
		"GET " + sandbox + "/stream":                      a.stream,
		"GET " + sandbox + "/recording":                   a.getRecording,
		"GET " + sandbox + "/snapshot":                    a.getSnapshot,
		"PUT " + sandbox + "/snapshot":                    a.putSnapshot,
		"POST " + sandbox + "/snapshot/diff":              a.diffSnapshot,
		"GET " + sandbox + "/receivers":                   a.listReceivers,
		"POST " + sandbox + "/receivers":                  a.openReceiver,
		"GET " + sandbox + "/receivers/{receiver}":        a.getReceiver,
		"PUT " + sandbox + "/receivers/{receiver}/script": a.scriptReceiver,
		"DELETE " + sandbox + "/receivers/{receiver}":     a.closeReceiver,
	}
	maps.Copy(all, a.scriptRoutes(sandbox))
	return all
}

// scriptRoutes are those of rules, actions and scenarios.
func (a *API) scriptRoutes(sandbox string) map[string]route {
	return map[string]route{
		"GET " + sandbox + "/rules":      a.listRules,
		"POST " + sandbox + "/rules":     a.addRules,
		"DELETE " + sandbox + "/rules":   a.deleteRules,
		"POST " + sandbox + "/actions":   a.act,
		"GET " + sandbox + "/state":      a.getState,
		"POST " + sandbox + "/scenarios": a.applyScenario,
	}
}

// wrap finds the sandbox of a route, calls it and writes what it returns.
func (a *API) wrap(next route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, writer: w}
		if name := r.PathValue("sandbox"); name != "" {
			sandbox, ok := a.engine.Enter(name)
			if !ok {
				writeProblem(w, noSandbox(name))
				return
			}
			defer sandbox.Leave()
			c.sandbox = sandbox
		}
		status, body, err := a.answer(c, next)
		c.limitAnswer()
		if err != nil {
			writeProblem(w, asProblem(err))
			return
		}
		writeValue(w, status, body)
	})
}

// answer calls a route. A panic of it becomes an error, and one of an answer that is on its way already cuts that off.
func (a *API) answer(c *call, next route) (status int, body any, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		a.options.Log.Error("defect of the control API", "method", c.Method, "path", c.URL.Path, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
		if c.started {
			panic(http.ErrAbortHandler)
		}
		err = fmt.Errorf("panic: %v", p)
	}()
	return next(c)
}

// text is a body that is not JSON.
type text struct {
	contentType string
	data        []byte
}

// written is the body of a route that has answered already.
type written struct{}

func writeValue(w http.ResponseWriter, status int, body any) {
	if _, done := body.(written); done {
		return
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	if t, ok := body.(text); ok {
		w.Header().Set("Content-Type", t.contentType)
		w.WriteHeader(status)
		_, _ = w.Write(t.data)
		return
	}
	data, err := strictjson.Encode(body)
	if err != nil {
		writeProblem(w, client.Problem{Title: "internal error", Status: http.StatusInternalServerError, Detail: err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

func writeProblem(w http.ResponseWriter, p client.Problem) {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	data, err := strictjson.Encode(p)
	if err != nil {
		data = []byte(`{"type":"about:blank","title":"internal error","status":500,"detail":"the problem does not encode"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(data, '\n'))
}

// asProblem gives the errors of the engines their status.
func asProblem(err error) client.Problem {
	if p, ok := errors.AsType[client.Problem](err); ok {
		return p
	}
	if wrong, ok := errors.AsType[*receiver.InvalidError](err); ok {
		return wrongReceiver(wrong)
	}
	for _, known := range []struct {
		err    error
		status int
		title  string
	}{
		{store.ErrNoSandbox, http.StatusNotFound, "no such sandbox"}, // deleted while the call was under way
		{engine.ErrSandboxExists, http.StatusConflict, "sandbox exists"},
		{engine.ErrDefaultSandbox, http.StatusConflict, "default sandbox"},
		{engine.ErrTooManySandbox, http.StatusTooManyRequests, "too many sandboxes"},
		{delivery.ErrUnknownDelivery, http.StatusNotFound, "no such delivery"},
		{delivery.ErrUnknownWebhook, http.StatusNotFound, "no such webhook"},
		{delivery.ErrBacklog, http.StatusTooManyRequests, "backlog full"},
		{engine.ErrSandboxFull, http.StatusTooManyRequests, "sandbox full"},
		{delivery.ErrEventTooLarge, http.StatusUnprocessableEntity, "event too large"},
		{engine.ErrSnapshot, http.StatusUnprocessableEntity, "snapshot not restored"},
		{stage.ErrScenario, http.StatusUnprocessableEntity, "scenario not applied"},
		{stage.ErrPlanned, http.StatusTooManyRequests, "too many planned actions"},
		{engine.ErrAccount, http.StatusUnprocessableEntity, "invalid account"},
		{engine.ErrAccountExists, http.StatusConflict, "account exists"},
		{context.DeadlineExceeded, http.StatusRequestTimeout, "not within the deadline"},
		{context.Canceled, http.StatusServiceUnavailable, "the server is stopping"}, // or the caller is gone
		{receiver.ErrNotFound, http.StatusNotFound, "no such receiver"},
		{syscall.EADDRINUSE, http.StatusConflict, "address in use"},
		{receiver.ErrExists, http.StatusConflict, "receiver exists"},
		{receiver.ErrLimit, http.StatusTooManyRequests, "too many receivers"},
		{receiver.ErrClosed, http.StatusConflict, "receiver closed"},
	} {
		if errors.Is(err, known.err) {
			return client.Problem{Title: known.title, Status: known.status, Detail: inWords(err)}
		}
	}
	return client.Problem{Title: "internal error", Status: http.StatusInternalServerError, Detail: err.Error()}
}

// inWords is the text of an error without the words of package context.
func inWords(err error) string {
	return strings.NewReplacer(
		context.DeadlineExceeded.Error(), "the time was over", context.Canceled.Error(), "the call was ended, or the server is stopping",
	).Replace(err.Error())
}

func wrongReceiver(err *receiver.InvalidError) client.Problem {
	p := client.Problem{Title: "invalid request", Status: http.StatusUnprocessableEntity, Detail: err.Error()}
	for _, f := range err.Fields {
		p.Errors = append(p.Errors, client.ProblemField{Field: f.Field, Detail: "saw " + f.Saw, Valid: []string{f.Want}})
	}
	return p
}

func noSandbox(name string) client.Problem {
	return client.Problem{
		Title: "no such sandbox", Status: http.StatusNotFound,
		Detail: fmt.Sprintf("there is no sandbox %q; GET %sv1/sandboxes lists them, POST creates one", name, Prefix),
	}
}

// WriteNotFound answers a request that is for no provider or no sandbox.
func WriteNotFound(w http.ResponseWriter, err error) {
	title := "no such provider"
	if errors.Is(err, engine.ErrNoSandbox) {
		title = "no such sandbox"
	}
	writeProblem(w, client.Problem{Title: title, Status: http.StatusNotFound, Detail: err.Error()})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, client.Problem{
		Title: "no such route", Status: http.StatusNotFound,
		Detail: fmt.Sprintf("%s %s is no route of the control API; they are listed at %sopenapi.yaml", r.Method, shorten(r.URL.Path), Prefix),
	})
}

// invalid is a problem with one field.
func invalid(field, detail string, valid ...string) client.Problem {
	return client.Problem{
		Title: "invalid request", Status: http.StatusUnprocessableEntity, Detail: field + ": " + detail,
		Errors: []client.ProblemField{{Field: field, Detail: detail, Valid: valid}},
	}
}

func (a *API) health(*call) (int, any, error) {
	return http.StatusOK, map[string]string{"status": "ok"}, nil
}

func (a *API) openapi(*call) (int, any, error) {
	return http.StatusOK, text{contentType: "application/yaml", data: document}, nil
}
