package sims

import (
	"time"

	"github.com/brianvoe/gofakeit/v6"

	"github.com/mocksrv/mocksrv/internal/contract"
	"github.com/mocksrv/mocksrv/internal/derive"
	"github.com/mocksrv/mocksrv/internal/store"
)

// EventType is one entry of a provider's event catalogue, as the document lists it.
type EventType = contract.EventType

// Tx is a transaction on the state of one sim in one sandbox.
type Tx = store.Tx

// Table is a typed view of one table in a transaction.
type Table[T any] = store.Table[T]

// TableOf opens a table of a sim. keys computes the index keys of a row; it may be nil.
func TableOf[T any](tx Tx, name string, keys func(T) []string) Table[T] {
	return store.TableOf(tx, name, keys)
}

// DropOver deletes, of the two oldest rows under an index key of a table, those that are over. Called for every row that
// comes, it keeps a table whose rows end in the order in which they came from growing for ever.
func DropOver(tx Tx, table, key string, over func(id string) bool) {
	for _, id := range tx.IDs(table, key, 0, 2) {
		if over(id) {
			tx.Delete(table, id)
		}
	}
}

// Change gives the rows under an index key ("" for all) of a table what change makes of them, and returns how many it changed:
// those for which it returns true.
func Change[T any](tx Tx, name, key string, rows Table[T], change func(T) (T, bool)) int {
	changed := 0
	for _, id := range tx.IDs(name, key, 0, -1) {
		row, _ := rows.Get(id)
		if row, wanted := change(row); wanted {
			rows.Put(id, row)
			changed++
		}
	}
	return changed
}

// Derived is 32 bytes that depend on the seed, the sandbox, the sim, a kind and a number, with the usual notations.
type Derived = derive.Value

type deriver = derive.Key

// DefaultAccount is the account of the ready-made credentials.
const DefaultAccount = "default"

// Owner is the account that an Env stands for: its name, the key that everything derives from, and the credentials
// that were given for it.
type Owner struct {
	Account string
	Key     derive.Key
	Given   Credentials
}

// NewEnv is called by the engine.
func NewEnv(tx Tx, now, edge time.Time, policies Policies, catalogue []EventType, owner Owner) *Env {
	return &Env{
		Tx: tx, Now: now, Edge: edge, Policies: policies, Catalogue: catalogue,
		AccountName: owner.Account, derive: owner.Key, given: owner.Given,
	}
}

// Ready returns the value that was given for a credential, or else the derived one.
func (e *Env) Ready(name, derived string) string {
	if given, ok := e.given[name]; ok {
		return given
	}
	return derived
}

// NewID derives the next value of a kind. It counts in the transaction, so a call that fails uses up no id.
func (e *Env) NewID(kind string) Derived {
	return e.derive.Value(kind, e.Tx.Next(kind))
}

// Derived derives the n-th value of a kind, where the number is known from elsewhere (Call.N).
func (e *Env) Derived(kind string, n uint64) Derived { return e.derive.Value(kind, n) }

// Fixed derives a value of a kind that does not count: the same for the lifetime of the sandbox.
func (e *Env) Fixed(kind string) Derived { return e.derive.Value(kind, 0) }

// Fake returns a generator of realistic data that is seeded with a derived value. It is cheap to make and not safe for
// concurrent use. Its date functions read the machine's clock: take times from Now instead.
func Fake(seed Derived) *gofakeit.Faker { return gofakeit.NewCustom(seed.Source()) }
