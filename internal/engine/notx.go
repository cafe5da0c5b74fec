package engine

import (
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mocksrv/mocksrv/internal/store"
)

type schema = *openapi3.Schema

// noTx stands in a Call outside of transactions: whatever code reads state there is wrong, and learns it at once.
type noTx struct{}

const outside = "state is read only inside a transaction"

func (noTx) Get(string, string) (any, bool)        { panic(outside) }
func (noTx) Put(string, string, any, ...string)    { panic(outside) }
func (noTx) Delete(string, string) bool            { panic(outside) }
func (noTx) IDs(string, string, int, int) []string { panic(outside) }
func (noTx) Count(string, string) int              { panic(outside) }
func (noTx) Usage(string) store.Usage              { panic(outside) }
func (noTx) Next(string) uint64                    { panic(outside) }
func (noTx) Copy() store.Copy                      { panic(outside) }
func (noTx) Changed() bool                         { panic(outside) }
func (noTx) Replace(store.State)                   { panic(outside) }
func (noTx) Claim(string)                          { panic(outside) }
func (noTx) Release(string)                        { panic(outside) }
