package control

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// MaxPage is the greatest limit of a list. Without a limit the answer is everything.
const MaxPage = 1000

// page is the part of a list that a call asks for, in the words that all lists share.
type page struct {
	limit  int    // 0: everything
	after  string // "": from the beginning
	newest int    // 0: not asked for; then limit and after stand for nothing
}

// paging are the query parameters of every list, recent those of lists that grow at their end.
func paging(filters ...string) []string { return append(filters, "limit", "after") }
func recent(filters ...string) []string { return append(paging(filters...), "newest") }

func readPage(q url.Values) (p page, err error) {
	if p.limit, err = pageSize(q, "limit"); err != nil {
		return p, err
	}
	if p.newest, err = pageSize(q, "newest"); err != nil {
		return p, err
	}
	p.after = q.Get("after")
	if p.newest > 0 && (p.limit > 0 || p.after != "") {
		return p, invalid("newest", "stands alone: limit and after go from the beginning on")
	}
	return p, nil
}

func pageSize(q url.Values, name string) (int, error) {
	if !q.Has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 || n > MaxPage {
		return 0, invalid(name, fmt.Sprintf("%q is no whole number from 1 to %d", shorten(q.Get(name)), MaxPage))
	}
	return n, nil
}

// number reads the after of a list whose elements are numbered. What it is after need not be there any more, so the
// page that is left begins at the beginning of the list that comes after the number.
func (p page) number() (rest page, after uint64, err error) {
	if p.after == "" {
		return p, 0, nil
	}
	if after, err = strconv.ParseUint(p.after, 10, 64); err != nil {
		return p, 0, invalid("after", fmt.Sprintf("%q is no number", shorten(p.after)))
	}
	p.after = ""
	return p, after, nil
}

// paged takes a page of what passes a filter. next names its last element when there are more.
func paged[T any](p page, all []T, name func(T) string, wanted func(T) bool) (part []T, next string, err error) {
	if p.after != "" {
		last := slices.IndexFunc(all, func(v T) bool { return name(v) == p.after })
		if last < 0 {
			return nil, "", invalid("after", fmt.Sprintf("there is no %q in this list, or no more; begin again without after", shorten(p.after)))
		}
		all = all[last+1:]
	}
	for _, v := range all {
		if wanted(v) {
			part = append(part, v)
		}
	}
	switch {
	case p.newest > 0:
		part = part[max(0, len(part)-p.newest):]
	case p.limit > 0 && len(part) > p.limit:
		part = part[:p.limit]
		next = name(part[p.limit-1])
	}
	return part, next, nil
}

// everyOne is the filter of a list without one.
func everyOne[T any](T) bool { return true }
