package bankly_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/simtest"
)

func reprocessTests() ledgerTests {
	return ledgerTests{
		"reprocess":             reprocessing,
		"reprocess-status":      reprocessStatus,
		"reprocess-in-progress": reprocessInProgress,
		"reprocess-refused":     reprocessRefused,
	}
}

// again asks for a message to be sent again.
func again(w *simtest.World, key string) *simtest.Reply {
	w.T.Helper()
	return w.Call(reprocess, simtest.Request{Params: map[string]string{"idempotencyKey": key}})
}

func reprocessing(w *simtest.World) {
	old, fresh := w.Receive(failing(4)), w.Receive(failing(5))
	id := made(w, "uri", old.URL)
	w.Emit(simtest.Event{Type: tedIn})
	w.Idle()
	require.Equal(w.T, "Failed", found(w)["state"])
	change(w, id, object{"uri": fresh.URL}).OK()
	key := keyOf(found(w))
	again(w, key).Is(202, "")
	w.Idle()
	require.Len(w.T, old.Requests(), 4)
	require.Len(w.T, fresh.Requests(), 4, "three new attempts of its own")
	require.Equal(w.T, fresh.URL, found(w)["destination"])
	for range 2 { // failed, then received
		again(w, key).Is(202, "")
		w.Idle()
		require.Equal(w.T, "Success", found(w)["state"])
	}
	require.Len(w.T, fresh.Requests(), 7)
	for _, request := range append(old.Requests(), fresh.Requests()...) {
		require.Equal(w.T, string(old.Requests()[0].Body), string(request.Body))
		require.Equal(w.T, key, request.Header.Get("idempotency-Key"))
		require.Contains(w.T, string(request.Body), `"idempotencyKey":"`+key+`"`)
	}
}

func reprocessStatus(w *simtest.World) {
	made(w, "uri", w.Receive(nil).URL)
	w.Emit(simtest.Event{Type: tedIn})
	key := keyOf(found(w))
	for _, status := range []int{202, 200} {
		w.SetPolicy("reprocess_status", map[int]string{202: "202", 200: "200"}[status])
		again(w, key).Is(status, "")
		w.Idle()
		require.Equal(w.T, status, post(w, batch, week()).Status)
		w.Idle()
	}
}

func reprocessInProgress(w *simtest.World) {
	receiver := w.Receive(failing(4))
	made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	key := keyOf(found(w))
	for _, delay := range []time.Duration{0, time.Minute, 5 * time.Minute} {
		w.Advance(delay)
		again(w, key).Refused(409, "reprocess-in-progress").Is(409, conflict)
	}
	w.Advance(15 * time.Minute)
	again(w, key).Is(202, "")
	again(w, key).Refused(409, "reprocess-in-progress").Is(409, conflict)
	w.Advance(0)
	require.Len(w.T, receiver.Requests(), 5)
}

func reprocessRefused(w *simtest.World) {
	receiver := w.Receive(nil)
	id := made(w, "uri", receiver.URL)
	w.Emit(simtest.Event{Type: tedIn})
	key := keyOf(found(w))
	on(w, disable, id).OK()
	again(w, key).Refused(422, "reprocess-refused").Is(422, unprocessable)
	on(w, enable, id).OK()
	again(w, strings.ToLower(key)).Is(202, "")
	w.Idle()
	on(w, remove, id).OK()
	again(w, key).Refused(422, "reprocess-refused").Is(422, unprocessable)
	require.Len(w.T, receiver.Requests(), 2)
}
