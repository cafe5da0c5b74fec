package engine

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/mocksrv/mocksrv/internal/store"
	"github.com/mocksrv/mocksrv/sims"
)

// SandboxLimits bound what a sandbox may hold, beside its journal: the rows of its state (webhooks, tokens, deliveries, …)
// and an estimate of the bytes they keep in memory.
type SandboxLimits struct {
	Rows  int
	Bytes int
}

// DefaultSandboxLimits are beyond what a test needs, and within what a machine has.
func DefaultSandboxLimits() SandboxLimits { return SandboxLimits{Rows: 500_000, Bytes: 512 << 20} }

// The rules of refusals that are the simulator's own, and in no provider's ledger.
const (
	RuleLimit    = "simulator-limit" // a limit that no provider has
	RuleInternal = "internal"        // a defect
)

// ErrSandboxFull refuses a change that would make a sandbox larger than it may be.
var ErrSandboxFull = errors.New("the sandbox is full")

// fullError is the refusal of a change: what there would be, and what there may be.
type fullError struct{ saw, want string }

func (e fullError) Error() string {
	return fmt.Sprintf("%v: it would hold %s, and may hold %s", ErrSandboxFull, e.saw, e.want)
}

func (e fullError) Is(target error) bool { return target == ErrSandboxFull }

// Limits are what the sandbox may hold.
func (s *Sandbox) Limits() SandboxLimits { return s.engine.options.Limits }

// Room refuses what a transaction has added since before when the sandbox is over a limit now. What makes it smaller, or
// no larger, always passes.
func (s *Sandbox) Room(tx store.Tx, before store.Usage) error {
	now, limits := tx.Usage(""), s.Limits()
	const advice = "; delete some, reset the sandbox, or start with "
	switch {
	case now.Rows > limits.Rows && now.Rows > before.Rows:
		return fullError{saw: fmt.Sprintf("%d rows", now.Rows), want: fmt.Sprintf("%d%s--max-sandbox-rows", limits.Rows, advice)}
	case now.Bytes > limits.Bytes && now.Bytes > before.Bytes:
		return fullError{saw: fmt.Sprintf("%d bytes", now.Bytes), want: fmt.Sprintf("%d%s--max-sandbox-bytes", limits.Bytes, advice)}
	}
	return nil
}

// roomForRows refuses a state of more rows than the sandbox may hold. The bytes of a snapshot say little about those that
// its rows take when they have been read.
func (s *Sandbox) roomForRows(tx store.Tx) error {
	if rows := tx.Usage("").Rows; rows > s.Limits().Rows {
		return fullError{saw: fmt.Sprintf("%d rows", rows), want: fmt.Sprintf("%d; start with --max-sandbox-rows", s.Limits().Rows)}
	}
	return nil
}

// refuse is the simulator's own answer when a sandbox is full. It is in no provider's envelope, because no provider says
// this: a client under test shall not learn to handle it.
func (e fullError) refuse() sims.Reply {
	return sims.Reply{Status: http.StatusInsufficientStorage, ContentType: "application/problem+json", Body: sims.Object{
		{Name: "type", Value: "about:blank"},
		{Name: "title", Value: "limit of the simulator"},
		{Name: "status", Value: http.StatusInsufficientStorage},
		{Name: "detail", Value: e.Error()},
	}}
}
