package run

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/mocksrv/mocksrv/client"
)

// maxAttempts is how many failed attempts a failure shows.
const maxAttempts = 5

// failedAttempts says for deliveries that were missed why their last attempt failed, the newest first.
func failedAttempts(matched, all []entry) (lines []string) {
	more := 0
	for _, e := range slices.Backward(all) {
		if e.delivery == nil || len(e.delivery.Attempts) == 0 {
			continue
		}
		last := e.delivery.Attempts[len(e.delivery.Attempts)-1]
		expected := slices.ContainsFunc(matched, func(m entry) bool { return m.id == e.id })
		switch {
		case last.Error == "" || expected:
		case len(lines) == maxAttempts:
			more++
		default:
			lines = append(lines, e.id+" "+attemptText(last))
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more that failed", more))
	}
	return lines
}

// attemptText is an attempt that failed: which one, where it went, why it failed, and where nobody answered, who knows more.
func attemptText(a client.Attempt) string {
	target := a.Request.URL
	if u, err := url.Parse(target); err == nil {
		target = u.Redacted()
	}
	line := fmt.Sprintf("attempt %d to %s: %s", a.N, target, a.Error)
	if a.Detail != "" {
		line += ": " + a.Detail
	}
	switch {
	case a.Status != 0:
		return fmt.Sprintf("%s (status %d)", line, a.Status)
	case a.Error == unsent || target == "":
		return line
	}
	return line + "; try mocksrv doctor " + quoted(target)
}
