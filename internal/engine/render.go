package engine

import (
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/mocksrv/mocksrv/sims"
)

// rendered is an answer as it goes out.
type rendered struct {
	status  int
	header  http.Header
	body    []byte
	refusal *Refusal
}

// render makes bytes of a reply, or of the refusal when answering failed. A defect on the way (a panic of the provider's
// envelope, a reply that does not encode) is refused in the provider's envelope, and when that cannot be done either,
// plainly: what goes out is never half an answer, and no success. The error is the defect.
func (e *Engine) render(req *request, reply sims.Reply, failed error) (rendered, error) {
	out, defect := e.tryRender(req, reply, failed)
	if defect == nil {
		return out, nil
	}
	out, again := e.tryRender(req, sims.Reply{}, defect)
	if again == nil {
		return out, defect
	}
	return plainly(defect), errors.Join(defect, again)
}

func (e *Engine) tryRender(req *request, reply sims.Reply, failed error) (out rendered, defect error) {
	defer func() {
		if p := recover(); p != nil {
			defect = panicError{value: p, stack: string(debug.Stack())}
		}
	}()
	full, isFull := errors.AsType[fullError](failed)
	switch {
	case isFull:
		reply = full.refuse()
	case failed != nil:
		reply = e.fail(req, failed)
	}
	out.refusal = e.explain(req, failed)
	if req.provider.Finish != nil && !isFull {
		req.provider.Finish(req.call, &reply)
	}
	out.status = reply.Status
	out.body, out.header, defect = encode(reply)
	return out, defect
}

// plainly answers where the provider's envelope cannot be made.
func plainly(defect error) rendered {
	return rendered{
		status: http.StatusInternalServerError, header: http.Header{"Content-Type": {"application/problem+json"}},
		body:    []byte(`{"type":"about:blank","title":"defect of the simulator","status":500,"detail":"the answer could not be made; the journal says more"}`),
		refusal: ownFault(defect),
	}
}

// ownFault is the journal's account of a defect of the simulator.
func ownFault(defect error) *Refusal {
	return &Refusal{Rule: RuleInternal, Saw: defect.Error(), Want: "please report this defect of the simulator"}
}
