package mocksrv

import (
	"log/slog"
	"strings"

	"github.com/mocksrv/mocksrv/internal/control"
)

// serverLog takes what package net/http has to say of connections into the log.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer: one call is one message.
func (l serverLog) Write(line []byte) (int, error) {
	message := strings.TrimRight(string(line), "\n")
	if distrusts(message) {
		l.log.Warn(message, "hint", "the client may not trust the CA: see "+control.Prefix+"ca.pem")
	} else {
		l.log.Warn(message)
	}
	return len(line), nil
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
