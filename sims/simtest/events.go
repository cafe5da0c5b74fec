package simtest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

func itoa(i int) string { return strconv.Itoa(i) }

func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

// payload builds the document of one event for a webhook that need not exist.
func (w *World) payload(event sims.EventType, n uint64) any {
	w.T.Helper()
	var document any
	require.NoError(w.T, w.Sandbox.View(func(tx store.Tx) error {
		seed := derive.Root(int64(n), "payload").Value(event.Type, n)
		source := sims.Source{
			Env:      w.Sandbox.Env(w.Provider, tx),
			Event:    sims.Event{ID: seed.UUID(), Type: event.Type, Group: event.Group, At: Start().Add(time.Hour), Seed: seed},
			Endpoint: sims.Endpoint{WebhookID: seed.UUIDHex(), URL: "http://127.0.0.1:1/hook", Keys: map[string]string{}, Options: map[string]string{}},
			Fields:   event.Fields, Fake: sims.Fake(seed),
		}
		object := w.Provider.Delivery.Payload(source)
		document = object
		if w.Provider.Delivery.Document != nil {
			document = w.Provider.Delivery.Document(object)
		}
		return nil
	}))
	data, err := strictjson.Encode(document)
	require.NoError(w.T, err)
	decoded, err := strictjson.Decode(data)
	require.NoError(w.T, err)
	return decoded
}

// deliveries is where the delivery engine of a world will stand.
type deliveries struct{}

func (w *World) startDeliveries() {}
