package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/scenario"
	runner "github.com/mocksrv/mocksrv/internal/scenario/run"
)

// watchInterval is how often the files of scenarios are looked at, in real time.
const watchInterval = 300 * time.Millisecond

// validateWatch refuses to watch nothing.
func (s *serveCommand) validateWatch() error {
	if s.Watch && len(s.Scenario) == 0 {
		return errors.New("--watch reads the files of --scenario again: want one, got none")
	}
	return nil
}

// watched are the files of the scenarios that are served, with those that they include. Built-in ones have none.
func (s *serveCommand) watched() (files []string) {
	if !s.Watch {
		return nil
	}
	for _, path := range s.Scenario {
		files = append(files, scenario.Files(path, runner.Read)...)
	}
	return files
}

// watch reads the scenarios again when their files change, or files that they include, until stop is called. seen are the stamps
// of the files from before they were read.
func (s *serveCommand) watch(server *mocksrv.Server, log *slog.Logger, seen map[string]string) (stop func()) {
	files := slices.Collect(maps.Keys(seen))
	if len(files) == 0 {
		log.Warn("--watch: only built-in scenarios are served, whose files do not change", "scenarios", strings.Join(s.Scenario, ", "))
		return func() {}
	}
	return clock.Every(watchInterval, func(time.Time) {
		now := stamps(files)
		if maps.Equal(now, seen) {
			return
		}
		known := s.watched()
		if err := server.Reload(); err != nil {
			log.Error("the scenario is wrong; the last good one is served on", "error", err)
			known = append(known, files...) // what a wrong file includes may be unknown
		} else {
			log.Info("scenarios read again; the default sandbox has started anew", "scenarios", strings.Join(s.Scenario, ", "))
		}
		files, seen = known, stampsSince(known, now)
	})
}

// stampsSince are the stamps of files as they were; of those that were not looked at, as they are.
func stampsSince(files []string, were map[string]string) map[string]string {
	all := stamps(files)
	for file := range all {
		if stamp, looked := were[file]; looked {
			all[file] = stamp
		}
	}
	return all
}

// stamps says when files were changed the last time, and how long they are.
func stamps(files []string) map[string]string {
	all := map[string]string{}
	for _, file := range slices.Compact(slices.Sorted(slices.Values(files))) {
		all[file] = "" // it is not there
		if info, err := os.Stat(file); err == nil {
			all[file] = fmt.Sprintf("%d %d", info.ModTime().UnixNano(), info.Size())
		}
	}
	return all
}
