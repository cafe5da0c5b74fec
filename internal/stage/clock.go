package stage

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
)

// ClockOf reads the clock of a scenario: real, an instant, or {mode, now, edge, skew}.
func ClockOf(plain any) (clock.Setting, error) {
	setting := clock.Setting{Mode: clock.Real, Edge: clock.Wall}
	switch c := plain.(type) {
	case string:
		if c == string(clock.Real) {
			return setting, nil
		}
		at, err := time.Parse(time.RFC3339Nano, c)
		if err != nil {
			return setting, fmt.Errorf("want real, or an instant such as 2026-01-08T10:30:00Z, got %q", c)
		}
		setting.Mode, setting.Now = clock.Frozen, at.UTC()
		return setting, nil
	case map[string]any:
		return clockMembers(c, setting)
	}
	return setting, fmt.Errorf("want real, an instant or {mode, now, edge, skew}, got %v", plain)
}

func clockMembers(members map[string]any, setting clock.Setting) (clock.Setting, error) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, _ := members[name].(string)
		var err error
		switch name {
		case "mode":
			setting.Mode = clock.Mode(text)
		case "edge":
			setting.Edge = clock.Edge(text)
		case "now":
			setting.Now, err = time.Parse(time.RFC3339Nano, text)
			setting.Now = setting.Now.UTC()
			if members["mode"] == nil {
				setting.Mode = clock.Frozen
			}
		case "skew":
			setting.Skew, err = time.ParseDuration(text)
		default:
			err = fmt.Errorf("it is none of mode, now, edge, skew")
		}
		if err != nil {
			return setting, fmt.Errorf("%s: %w", name, err)
		}
	}
	if !setting.Valid() {
		return setting, fmt.Errorf("want mode real or frozen and edge wall or world, got %q and %q", setting.Mode, setting.Edge)
	}
	return setting, nil
}
