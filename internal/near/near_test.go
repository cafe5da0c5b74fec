package near_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/near"
)

func TestDistanceCountsLetters(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0, near.Distance("listen", "listen"))
	require.Equal(t, 2, near.Distance("listne", "listen"))
	require.Equal(t, 6, near.Distance("", "listen"))
	require.Equal(t, 3, near.Distance("kitten", "sitting"))
}

func TestLikenessPrefersTheMisspelt(t *testing.T) {
	t.Parallel()
	require.Greater(t, near.Likeness("payment.succeeded", "Payment.succeedd"), near.Likeness("payment.refunded", "Payment.succeedd"))
	require.Zero(t, near.Likeness("abc", "xyz"))
}
