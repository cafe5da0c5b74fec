// Package all is the one list of providers. Adding a provider is one line here.
package all

import (
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/signedsub"
)

// Sims returns every provider, in the order in which they are shown.
func Sims() []*sims.Sim {
	return []*sims.Sim{
		bts.New(),
		bitpay.New(),
		bankly.New(),
		signedsub.New(),
		hsrcpay.New(),
	}
}
