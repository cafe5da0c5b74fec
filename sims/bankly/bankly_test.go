package bankly_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, bankly.New()) }

// TestMessagesArePlainData: what the engine tells the provider about deliveries survives export and import.
func TestMessagesArePlainData(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bankly.New())
	id := made(w)
	record(w, sims.DeliveryRecord{
		ID: "dlv_1", Event: sims.Event{Type: tedIn, Group: "Ted"}, Endpoint: sims.Endpoint{WebhookID: id, URL: hook}, State: "delivered",
		Attempts: 2, FirstAt: simtest.Start(), LastAt: simtest.Start().Add(time.Minute), LastTook: 1500 * time.Microsecond,
	})
	before := found(w)
	require.Equal(t, "00:01:00", before["elapsedEventCapture"])
	require.Equal(t, "00:00:00.0015000", before["elapsedHttpCall"])
	require.EqualValues(t, 1, before["retryCount"])
	state, err := w.Sandbox.Export()
	require.NoError(t, err)
	require.NoError(t, w.Sandbox.Import(state))
	require.Equal(t, before, found(w))
}

func record(w *simtest.World, r sims.DeliveryRecord) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.Update(func(tx store.Tx) error {
		w.Provider.Delivery.Record(w.Sandbox.Env(w.Provider, tx), r)
		return nil
	}))
}

// TestDroppedBeforeItsFirstAttempt: such a message never was (delivery-disabled-events), one that was attempted stays.
func TestDroppedBeforeItsFirstAttempt(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bankly.New())
	r := sims.DeliveryRecord{ID: "dlv_1", Event: sims.Event{Type: tedIn, Group: "Ted"}, Endpoint: sims.Endpoint{WebhookID: made(w), URL: hook}}
	before := w.Dump()
	for _, r.State = range []string{"pending", "dropped"} {
		record(w, r)
		require.Empty(t, members(listed(w, search, days()), "id"))
	}
	require.Equal(t, before, w.Dump())
	r.Attempts, r.LastAt = 1, simtest.Start()
	record(w, r)
	require.Equal(t, "Failed", found(w)["state"])
}

// TestForgottenMessage: what the delivery engine keeps no longer is not found any more, instead of failing to be sent.
func TestForgottenMessage(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bankly.New())
	made(w, "uri", w.Receive(nil).URL)
	forgotten := w.Emit(simtest.Event{Type: tedIn})[0]
	key := keyOf(found(w))
	w.Emit(simtest.Event{Type: tedIn})
	require.NoError(t, w.Sandbox.Update(func(tx store.Tx) error {
		w.Provider.Delivery.Record(w.Sandbox.Env(w.Provider, tx), sims.DeliveryRecord{
			ID: forgotten.ID, Endpoint: sims.Endpoint{WebhookID: forgotten.WebhookID}, State: sims.DeliveryForgotten, Attempts: 1,
		})
		return nil
	}))
	again(w, key).Refused(404, "unknown-object").Is(404, notFound)
	require.NotEqual(t, key, keyOf(found(w)), "the other message stays")
	require.EqualValues(t, 1, post(w, batch, week()).OK().Get("data.total"))
}

// TestRefusalsSayWhatWasSeenAndWhatIsWanted: the journal tells a newcomer what to do next.
func TestRefusalsSayWhatWasSeenAndWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bankly.New())
	const want = "Authorization: Bearer with the ready-made token (GET /_mocksrv/v1/sandboxes/<name>) or one issued by issueToken that has not expired"
	raw(w, "GET", configurationsPath, "", "Authorization", "").Explained("no Authorization header", want)
	raw(w, "GET", configurationsPath, "", "Authorization", "Basic eDp5").
		Explained(`Authorization: "Basic eDp5", which has no token after the word "Bearer"`, want)
	raw(w, "GET", configurationsPath, "", "Authorization", "Bearer 0123456789abcdef").
		Explained(`the token "0123456789ab…", which this sandbox does not know: issued elsewhere, or expired`, want)
	raw(w, "GET", configurationsPath, "", "api-version", "").Explained("no api-version header", "api-version: 1.0")
	raw(w, "GET", configurationsPath, "", "api-version", "2.0").Explained(`api-version: "2.0"`, "api-version: 1.0")
	on(w, get, "x").Explained(`configuration "x"`, "a UUID: the id of a configuration of this company")
	on(w, get, unknownID).Explained(`configuration "`+unknownID+`"`, "the id of a configuration of this company")
	post(w, issue, form(w, "client_id", "me")).Explained(`client_id "me"`, "the ready-made client_id (GET /_mocksrv/v1/sandboxes/<name>)")
	token := issued(w, "webhook.read")
	later(w, time.Hour)
	w.Call(list, simtest.Request{Credentials: as(token)}).
		Explained("a token that expired at 2026-01-08T11:30:00.25Z; the world clock says 2026-01-08T11:30:00.25Z", want)
}
