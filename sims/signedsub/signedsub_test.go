package signedsub_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, signedsub.New()) }

func TestWebhookInTheNeutralShape(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	require.Empty(t, webhooks(w))
	reply := made(w)
	all := webhooks(w)
	require.Len(t, all, 1)
	require.Equal(t, string(reply.Body), encoded(w, all[0].Provider))
	all[0].Provider = nil
	require.Equal(t, sims.Webhook{
		ID: id, Account: w.Credentials["account"], URL: hook, State: sims.Active, Events: []string{"PAYOUT_CHANGE_STATUS"},
		CreatedAt: simtest.Start(),
	}, all[0])
}
