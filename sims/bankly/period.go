package bankly

import (
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// period is a range of whole days in UTC, both included (search-dates).
type period struct{ start, end time.Time }

func (p period) contains(t time.Time) bool {
	return !t.Before(p.start) && t.Before(p.end.AddDate(0, 0, 1))
}

func (p period) longerThan(days int) bool { return p.end.After(p.start.AddDate(0, 0, days)) }

// searchPeriod obeys search-dates, history-window and date-order.
func searchPeriod(c *sims.Call, start, end string) (period, error) {
	first, last := day(start), day(end)
	if first.IsZero() || last.IsZero() {
		return period{}, noSuchDay(start, first, end, last)
	}
	if earliest := sixMonthsBefore(c.Now.UTC()); first.Before(earliest) {
		return period{}, tooEarly(start, earliest)
	}
	if last.Before(first) {
		return period{}, wrongOrder(start, end)
	}
	return period{start: first, end: last}, nil
}

// day reads both forms of a day. A day that is not in the calendar gives the zero time.
func day(text string) time.Time {
	for _, layout := range []string{time.DateOnly, "01/02/2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// sixMonthsBefore returns the same day of the month, or the last of a month that has no such day.
func sixMonthsBefore(now time.Time) time.Time {
	first := time.Date(now.Year(), now.Month()-6, 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1)
	return first.AddDate(0, 0, min(now.Day(), last.Day())-1)
}
