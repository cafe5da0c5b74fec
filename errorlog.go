package mocksrv

import (
	"context"
	"log/slog"
	"strings"

	"github.com/mocksrv/mocksrv/internal/control"
)

// hinting adds a hint to what package net/http has to say of connections, where one helps.
type hinting struct{ slog.Handler }

// Handle implements slog.Handler.
func (h hinting) Handle(ctx context.Context, r slog.Record) error {
	if distrusts(r.Message) {
		r.AddAttrs(slog.String("hint", "the client may not trust the CA: see "+control.Prefix+"ca.pem"))
	}
	return h.Handler.Handle(ctx, r)
}

// distrusts says of a message that it may be of a client that did not take the certificate. What clients say then differs: an
// alert, one that is not encrypted where it should be (a bad record MAC), or nothing before they hang up.
func distrusts(message string) bool {
	if !strings.Contains(message, "TLS handshake error") {
		return false
	}
	for _, sign := range []string{"bad certificate", "unknown certificate", "certificate unknown", "unsupported certificate", "bad record MAC", ": EOF"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}
