package bankly

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/mocksrv/mocksrv/sims"
)

// linkBase is the start of every link, whatever address the simulator was called at (link-base).
const linkBase = "https://api-mtls.sandbox.bankly.com.br"

type link struct {
	URL    string `json:"url"`
	Rel    string `json:"rel"`
	Method string `json:"method"`
}

type meta struct {
	Page     int `json:"page"`
	PageSize int `json:"pageSize"`
	Total    int `json:"total"`
}

// list is a page of anything (meta, message-list).
type list struct {
	Data  any    `json:"data"`
	Links []link `json:"links"`
	Meta  meta   `json:"meta"`
}

// page is the part of a list a call asks for.
type page struct{ number, size int }

// pageOf obeys paging-defaults; the document has checked the limits.
func pageOf(c *sims.Call) page {
	return page{number: number(c, "page", 1), size: number(c, "pageSize", 10)}
}

func number(c *sims.Call, name string, absent int) int {
	if n, err := strconv.Atoi(c.Query.Get(name)); err == nil {
		return n
	}
	return absent
}

func (p page) offset() int { return (p.number - 1) * p.size }

// reply answers the page of a list with total results that is to be found at path.
func (p page) reply(c *sims.Call, data any, total int, path, rel string) sims.Reply {
	links := []link{}
	at := func(number int) link {
		return link{URL: fmt.Sprintf("%s%s?page=%d&pageSize=%d", linkBase, path, number, p.size), Rel: rel, Method: http.MethodGet}
	}
	switch {
	case p.offset()+p.size < total: // next-link
		links = append(links, at(p.number+1))
	case c.Policies.Enum("last_page_links") == "self": // last-page
		links = append(links, at(p.number))
	}
	return sims.Reply{Status: http.StatusOK, Body: list{Data: data, Links: links, Meta: meta{p.number, p.size, total}}}
}

// within returns the items of a list that lie on the page.
func within[T any](p page, items []T) []T {
	start := min(p.offset(), len(items))
	return items[start:min(start+p.size, len(items))]
}

// single is a reply that shows one object.
type single struct {
	Data  any    `json:"data"`
	Links []link `json:"links"`
}

// singleConfiguration obeys single-configuration.
func singleConfiguration(c *sims.Call, w configuration) single {
	if c.Policies.Enum("single_data") == "array" {
		return single{Data: []shownConfiguration{wire(w)}, Links: []link{}}
	}
	return single{Data: wire(w), Links: []link{}}
}

// written obeys write-success.
func written(c *sims.Call, w configuration) sims.Reply {
	if status := statusOf(c, "write_success_status"); status != http.StatusNoContent {
		return sims.Reply{Status: status, Body: singleConfiguration(c, w)}
	}
	return sims.Reply{Status: http.StatusNoContent}
}

// statusOf reads a policy whose values are statuses.
func statusOf(c *sims.Call, policy string) int {
	status, _ := strconv.Atoi(c.Policies.Enum(policy))
	return status
}
