package client_test

import (
	"context"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// puller takes events one by one.
type puller struct {
	*testing.T
	pull func() (client.StreamEvent, error, bool)
}

func pull(t *testing.T, events iter.Seq2[client.StreamEvent, error], err error) puller {
	t.Helper()
	require.NoError(t, err)
	next, stop := iter.Pull2(events)
	t.Cleanup(stop)
	return puller{T: t, pull: next}
}

func (p puller) next() client.StreamEvent {
	p.Helper()
	event, err, ok := p.pull()
	require.NoError(p, err)
	require.True(p, ok, "the stream has ended")
	return event
}

func frozen() func(*mocksrv.Options) {
	return mocksrv.Frozen(time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC))
}

func TestTheStreamTellsEverythingThatHappens(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*mocksrv.Options){
		"over a network": func(*mocksrv.Options) {}, "in process": mocksrv.NoListener(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t, frozen(), option)
			box := srv.Control().In("default")
			events, err := box.Stream(t.Context())
			stream := pull(t, events, err)
			sandbox, err := box.Get(t.Context())
			require.NoError(t, err)
			shop, err := box.OpenReceiver(t.Context(), client.ReceiverSpec{Name: "shop"})
			require.NoError(t, err)
			hook(t, srv.Client(), sandbox.Sims["hsrcpay"], shop.URL)
			require.Equal(t, "hsrcpay", stream.next().Webhooks.Sim)
			require.Equal(t, "createWebhook", stream.next().Exchange.Operation)
			_, err = box.Emit(t.Context(), client.Event{Sim: "hsrcpay", Type: "payment.succeeded"})
			require.NoError(t, err)
			moved, err := box.Advance(t.Context(), client.Advance{By: "1s"})
			require.NoError(t, err)
			var last client.StreamEvent
			var delivered *client.Delivery
			for last.Clock == nil {
				last = stream.next()
				if last.Delivery != nil {
					delivered = last.Delivery
				}
			}
			require.Equal(t, "delivered", delivered.State)
			require.Equal(t, moved.Clock, *last.Clock)
			require.Equal(t, "clock", last.Kind)
		})
	}
}

// TestTheStreamGoesOnAfterABrokenConnection cuts every connection, again and again.
func TestTheStreamGoesOnAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen(), mocksrv.NoListener())
	server := httptest.NewServer(srv)
	t.Cleanup(server.Close)
	box := client.New(server.URL).In("default")
	events, err := box.Stream(t.Context())
	stream := pull(t, events, err)
	for id := range uint64(20) {
		if id%3 == 0 {
			server.CloseClientConnections()
		}
		skew := "1s"
		_, err := srv.Control().In("default").SetClock(t.Context(), client.ClockChange{Skew: &skew}) // in process
		require.NoError(t, err)
		require.Equal(t, id+1, stream.next().ID)
	}
}

// TestTheStreamWaitsForAServerThatComesBack: it listens again where it did, and its events begin anew.
func TestTheStreamWaitsForAServerThatComesBack(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	at := func(o *mocksrv.Options) { o.Address = address }
	first := mocksrv.RunT(t, frozen(), at)
	again := newTries(0, nil)
	restart := func() { mocksrv.RunT(t, frozen(), at) }
	box := client.New("http://"+address, client.WithHTTPClient(&http.Client{Transport: again}), client.WithStartupWait(time.Minute)).In("default")
	events, err := box.Stream(t.Context())
	stream := pull(t, events, err)
	again.before, again.do = again.count.Load()+3, restart
	_, err = first.Stop(t.Context())
	require.NoError(t, err)
	go func() {
		skew := "1s"
		_, _ = client.New("http://"+address, client.WithStartupWait(time.Minute)).In("default").SetClock(t.Context(), client.ClockChange{Skew: &skew})
	}()
	require.Equal(t, "1s", stream.next().Clock.Skew)
}

func TestTheStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(*mocksrv.Options){
		"over a network": func(*mocksrv.Options) {}, "in process": mocksrv.NoListener(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mocksrv.RunT(t, option)
			ctx, cancel := context.WithCancel(t.Context())
			events, err := srv.Control().In("default").Stream(ctx)
			require.NoError(t, err)
			context.AfterFunc(t.Context(), cancel)
			go cancel()
			for event, err := range events {
				require.Fail(t, "nothing has happened", "%v %v", event, err)
			}
		})
	}
}

func TestTheStreamEndsWithAProblemWhenThereIsNothingToStream(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	c := srv.Control()
	_, err := c.In("nobody").Stream(t.Context())
	require.ErrorContains(t, err, "no such sandbox")
	_, err = c.CreateSandbox(t.Context(), client.NewSandbox{Name: "brief"})
	require.NoError(t, err)
	events, err := c.In("brief").Stream(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.In("brief").Delete(t.Context()))
	n := 0
	for _, err := range events {
		require.ErrorContains(t, err, "no such sandbox")
		n++
	}
	require.Equal(t, 1, n)
}

func TestStreamAfterRepeatsWhatIsKept(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t, frozen())
	box := srv.Control().In("default")
	for range 3 {
		_, err := box.Advance(t.Context(), client.Advance{By: "1s"})
		require.NoError(t, err)
	}
	for after, want := range map[uint64]uint64{0: 1, 2: 3} {
		events, err := box.StreamAfter(t.Context(), after)
		require.Equal(t, want, pull(t, events, err).next().ID)
	}
}

// played answers every stream with the same text, and then breaks off.
func played(t *testing.T, text string) *client.SandboxClient {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
	t.Cleanup(server.Close)
	return client.New(server.URL, client.WithStartupWait(0)).In("default")
}

func TestEventsThatWereCutDoNotCount(t *testing.T) {
	t.Parallel()
	events, err := played(t, ": ready\nid: 4\n\nid: 5\nevent: missed\ndata: {\"missed\":2}\n\nid: 6\nevent: clock\ndata: {}").Stream(t.Context())
	stream := pull(t, events, err)
	for range 3 { // it is the same each time
		require.Equal(t, client.StreamEvent{ID: 5, Kind: "missed", Missed: 2, Data: []byte(`{"missed":2}`)}, stream.next())
	}
}

func TestTheStreamReadsGoneAndUnknownEventsAndRefusesOthers(t *testing.T) {
	t.Parallel()
	events, err := played(t, ": ready\n\n: alive\n\nid: 1\nevent: exchange\ndata: {\"gone\":true}\n\nid: 2\nevent: weather\ndata: {\"sun\":1}\n\nid: x\nevent: clock\ndata: {}\n\n").Stream(t.Context())
	stream := pull(t, events, err)
	require.Equal(t, client.StreamEvent{ID: 1, Kind: "exchange", Gone: true, Data: []byte(`{"gone":true}`)}, stream.next())
	require.Equal(t, client.StreamEvent{ID: 2, Kind: "weather", Data: []byte(`{"sun":1}`)}, stream.next())
	_, err, _ = stream.pull()
	require.ErrorContains(t, err, `has the id "x"`)
	_, _, ok := stream.pull()
	require.False(t, ok)
	for data, says := range map[string]string{"{": "decode an event", `{"now":1}`: `decode an event "clock"`} {
		events, err := played(t, ": ready\n\nid: 1\nevent: clock\ndata: "+data+"\n\n").Stream(t.Context())
		_, err, _ = pull(t, events, err).pull()
		require.ErrorContains(t, err, says)
	}
}

// TestTheStreamGivesUpWhenNobodyComesBack: as long as WithStartupWait says.
func TestTheStreamGivesUpWhenNobodyComesBack(t *testing.T) {
	t.Parallel()
	srv := mocksrv.RunT(t)
	events, err := client.New(srv.URL(), client.WithStartupWait(50*time.Millisecond)).In("default").Stream(t.Context())
	require.NoError(t, err)
	_, err = srv.Stop(t.Context())
	require.NoError(t, err)
	for _, err := range events {
		var network *net.OpError
		require.ErrorAs(t, err, &network)
		require.True(t, strings.HasPrefix(err.Error(), "client: "), err)
	}
}
