package rule

import (
	"fmt"
	"math"
	"time"

	"github.com/mocksrv/mocksrv/script"
)

// Longest is how long a scripted duration may be.
const Longest = 100 * 365 * 24 * time.Hour

// Duration reads a duration of a script: Go's notation, not negative. A text with a hole is looked at when it is filled.
func Duration(text string) (time.Duration, error) {
	if hasHole(text) {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > Longest {
		return 0, fmt.Errorf("want a duration such as \"30s\" or \"1h30m\", got %q", text)
	}
	return d, nil
}

// moment is an instant, or a distance from the start of the scenario.
type moment struct {
	at    time.Time
	after time.Duration
	set   bool
}

func parseMoment(text string) (moment, error) {
	if text == "" {
		return moment{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return moment{at: at.UTC(), set: true}, nil
	}
	d, err := Duration(text)
	if err != nil {
		return moment{}, fmt.Errorf("want an instant such as 2026-01-08T10:30:00Z, or a duration since the start such as \"2h\", got %q", text)
	}
	return moment{after: d, set: true}, nil
}

// Moment reads an instant, or a duration since the start.
func Moment(text string, start time.Time) (time.Time, error) {
	m, err := parseMoment(text)
	return m.from(start), err
}

func (m moment) from(start time.Time) time.Time {
	if m.at.IsZero() {
		return start.Add(m.after)
	}
	return m.at
}

// spread is a delay that may differ from time to time.
type spread struct {
	low, high time.Duration // of a uniform one, or of a fixed one twice
	sigma     float64       // of a log-normal one, whose median is low and 95th percentile high
}

func parseDelay(d script.Delay) (spread, error) {
	set := 0
	for _, text := range []string{d.Fixed, d.Min + d.Max, d.Median + d.P95} {
		if text != "" {
			set++
		}
	}
	if set != 1 {
		return spread{}, fmt.Errorf("want a duration, {min, max} or {median, p95}")
	}
	low, high := d.Fixed, d.Fixed
	switch {
	case d.Min+d.Max != "":
		low, high = d.Min, d.Max
	case d.Median+d.P95 != "":
		low, high = d.Median, d.P95
	}
	from, err := Duration(low)
	if err != nil {
		return spread{}, err
	}
	to, err := Duration(high)
	if err != nil {
		return spread{}, err
	}
	if to < from {
		return spread{}, fmt.Errorf("want the shorter duration first, got %s and %s", low, high)
	}
	s := spread{low: from, high: to}
	if d.Median != "" {
		if from <= 0 {
			return spread{}, fmt.Errorf("want a median above 0, got %q", d.Median)
		}
		const z95 = 1.6448536269514722 // of the normal distribution
		s.sigma = math.Log(float64(to)/float64(from)) / z95
	}
	return s, nil
}

// Draw is the delay for two numbers from 0 to 1, at most limit.
func Draw(d script.Delay, u, v float64, limit time.Duration) time.Duration {
	s, err := parseDelay(d)
	if err != nil {
		return 0
	}
	drawn := s.low + time.Duration(u*float64(s.high-s.low))
	if s.sigma > 0 {
		normal := math.Sqrt(-2*math.Log(1-u)) * math.Cos(2*math.Pi*v) // Box and Muller
		drawn = time.Duration(min(float64(s.low)*math.Exp(s.sigma*normal), float64(Longest)))
	}
	return min(drawn, limit).Truncate(time.Millisecond)
}
