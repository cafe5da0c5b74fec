package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/clock"
)

// watchInterval is how often the files of scenarios are looked at, in real time.
const watchInterval = 300 * time.Millisecond

// watch reads the scenarios again when their files change, until stop is called. Files that they include count when the file
// itself is saved again.
func (s *serveCommand) watch(server *mocksrv.Server, log *slog.Logger) (stop func()) {
	seen := stamps(s.Scenario)
	return clock.Every(watchInterval, func(time.Time) {
		now := stamps(s.Scenario)
		if now == seen {
			return
		}
		seen = now
		if err := server.Reload(); err != nil {
			log.Error("the scenario is wrong; the last good one is served on", "error", err)
			return
		}
		log.Info("scenarios read again", "scenarios", strings.Join(s.Scenario, ", "))
	})
}

// stamps says when files were changed the last time, and how long they are.
func stamps(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", file, info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}
