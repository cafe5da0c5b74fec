package bts_test

import (
	"maps"
	"testing"

	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestLedger(t *testing.T) {
	tests := map[string]func(w *world){}
	for _, topic := range []map[string]func(w *world){requestLedger(), authLedger(), configLedger(), eventLedger(), deliveryLedger()} {
		maps.Copy(tests, topic)
	}
	simtest.Ledger(t, bts.New(), tests)
}
