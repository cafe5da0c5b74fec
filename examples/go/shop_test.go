package shop_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	shop "github.com/mocksrv/mocksrv/examples/go"
)

// world is a provider of the test's own and an app that is registered there, both with one clock, which is frozen.
type world struct {
	provider *mocksrv.Server
	shop     *shop.Shop
	url      string
	outage   atomic.Bool // of the app's database
}

func start(t *testing.T) *world {
	t.Helper()
	at := time.Date(2026, 1, 8, 9, 0, 0, 0, time.UTC)
	w := &world{provider: mocksrv.RunT(t, mocksrv.Frozen(at), mocksrv.EdgeWorld())}
	w.shop = &shop.Shop{
		API: w.provider.BaseURL("hsrcpay"), Key: w.provider.Credentials("hsrcpay")["secret_key"], Now: w.provider.Now,
		Save: func(string, int) error {
			if w.outage.Load() {
				return errors.New("no database")
			}
			return nil
		},
	}
	public := httptest.NewServer(w.shop)
	t.Cleanup(public.Close)
	w.url = public.URL
	require.NoError(t, w.shop.Register(t.Context(), w.url))
	return w
}

// pay lets a customer pay order 1042, and waits until HSRCPAY's first attempt to say so is answered.
func (w *world) pay(t *testing.T) {
	t.Helper()
	payment := map[string]any{"amount": 12900, "metadata": map[string]any{"order_id": "1042"}} // the rest is made up
	_, err := w.provider.Emit(client.Event{
		Sim: "hsrcpay", Type: "payment.succeeded", Data: map[string]any{"data": map[string]any{"object": payment}},
	})
	require.NoError(t, err)
	w.advance(t, 0)
}

func (w *world) advance(t *testing.T, by time.Duration) {
	t.Helper()
	_, err := w.provider.Advance(by)
	require.NoError(t, err)
}

func (w *world) delivery(t *testing.T) client.Delivery {
	t.Helper()
	all, err := w.provider.Deliveries()
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func TestPaymentSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.outage.Store(true)
	w.pay(t)
	require.Zero(t, w.shop.Paid("1042"))

	w.outage.Store(false)
	w.advance(t, time.Minute) // to the first retry
	require.Equal(t, 12900, w.shop.Paid("1042"))
	d := w.delivery(t)
	require.Equal(t, "delivered", d.State, d.Reason)
	require.Len(t, d.Attempts, 2)
	require.Equal(t, http.StatusInternalServerError, d.Attempts[0].Status)
}

func TestAnEventThatComesTwiceIsPaidOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.pay(t)
	_, err := w.provider.Control().In(mocksrv.DefaultSandbox).Redeliver(t.Context(), w.delivery(t).ID)
	require.NoError(t, err)
	w.advance(t, 0)
	require.Len(t, w.delivery(t).Attempts, 2)
	require.Equal(t, 12900, w.shop.Paid("1042"))
}

func TestForgedAndStaleDeliveriesAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.pay(t)
	genuine := w.delivery(t).Attempts[0].Request // what HSRCPAY sent, to the byte
	post := func(body string) int {
		req, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header = genuine.Headers
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, post(genuine.Body))
	require.Equal(t, http.StatusUnauthorized, post(strings.Replace(genuine.Body, "12900", "99900", 1)))
	w.advance(t, 6*time.Minute)
	require.Equal(t, http.StatusUnauthorized, post(genuine.Body))
}

func TestRefusedRegistrationIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.shop.Key = w.provider.Credentials("hsrcpay")["publishable_key"]
	require.ErrorContains(t, w.shop.Register(t.Context(), w.url), "403")

	refused := w.provider.Journal().Exchanges[1]
	require.Equal(t, "createWebhook", refused.Operation)
	require.Equal(t, "permission", refused.Refusal.Rule)
	t.Logf("%+v", *refused.Refusal) // what was seen, what would pass, and what the rule rests on
}
