package client

import "iter"

// Page says which part of a list is wanted. The zero Page is all of it.
type Page struct {
	Limit  int    // at most so many, from 1 to 1000; 0: no limit
	After  string // what follows the one of this id or name: the Next of the page before
	Newest int    // the newest so many, oldest first; stands alone, and only lists that grow at their end have it
}

func (p Page) pairs() []string {
	return []string{"limit", positive(p.Limit), "after", p.After, "newest", positive(p.Newest)}
}

func pageOf(given []Page) Page {
	if len(given) == 0 {
		return Page{}
	}
	return given[0]
}

// pageSize is how many elements are fetched at a time where nothing else is said.
const pageSize = 100

// pages goes through a list page by page. An error ends it.
func pages[T any](page Page, get func(Page) (part []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page := page
		if page.Limit == 0 && page.Newest == 0 {
			page.Limit = pageSize
		}
		for {
			part, next, err := get(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range part {
				if !yield(v, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			page.After = next
		}
	}
}
