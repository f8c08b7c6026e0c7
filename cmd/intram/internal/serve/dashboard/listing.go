package dashboard

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// perPage is how many items a page of a list shows.
const perPage = 50

// inputTime is how a browser writes the time of an <input type="datetime-local">. The
// forms say that it is UTC.
const inputTime = "2006-01-02T15:04"

// item is what the filters and the search look at in one line of a list.
type item struct {
	at                 time.Time
	kind, status, code string
	group              string // what the status filter offers besides, for several of them; may be empty
	amount             int64
	number             string
	words              []string // references, ids and keys: any part of one finds the item
}

// filter is what the address of a list asks for.
type filter struct {
	Q, Kind, Status, Code, From, To string
	seek                            seek
	from, to                        time.Time
}

// filterOf reads a filter. What is not a time filters nothing.
func filterOf(q url.Values) filter {
	f := filter{Q: strings.TrimSpace(strings.ToValidUTF8(q.Get("q"), "")), Kind: q.Get("type"), Status: q.Get("status"), Code: q.Get("code"), From: q.Get("from"), To: q.Get("to")}
	f.seek = seekOf(f.Q)
	f.from, _ = time.Parse(inputTime, f.From)
	f.to, _ = time.Parse(inputTime, f.To)
	return f
}

// Any reports whether the filter leaves anything out.
func (f filter) Any() bool {
	return f.Q != "" || f.Kind != "" || f.Status != "" || f.Code != "" || !f.from.IsZero() || !f.to.IsZero()
}

func (f filter) passes(i item) bool {
	return (f.Kind == "" || f.Kind == i.kind) && (f.Status == "" || f.Status == i.status || f.Status == i.group) && (f.Code == "" || f.Code == i.code) &&
		(f.from.IsZero() || !i.at.Before(f.from)) && (f.to.IsZero() || i.at.Before(f.to.Add(time.Minute))) && f.seek.finds(i)
}

// list is a page of a list, newest first.
type list[T any] struct {
	filter
	Items                  []T
	First, Last, Total     int // of what passes the filter, from 1
	Prev, Next             string
	Kinds, Statuses, Codes []string // that the filters offer: those that there are
}

// listOf is the page that an address asks for.
func listOf[T any](p *page, all []T, describe func(T) item) list[T] {
	query := p.request.URL.Query()
	l := list[T]{filter: filterOf(query)}
	kinds, statuses, codes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var found []T
	for _, one := range all {
		i := describe(one)
		kinds[i.kind], statuses[i.status], statuses[i.group], codes[i.code] = true, true, true, true
		if l.passes(i) {
			found = append(found, one)
		}
	}
	l.Kinds, l.Statuses, l.Codes = offered(kinds, l.Kind), offered(statuses, l.Status), offered(codes, l.Code)
	l.Total = len(found)
	number, _ := strconv.Atoi(query.Get("page"))
	number = min(max(number, 1), max((l.Total+perPage-1)/perPage, 1))
	begin := (number - 1) * perPage
	end := min(begin+perPage, l.Total)
	l.Items, l.First, l.Last = found[begin:end], begin+1, end
	at := func(page int) string {
		query.Set("page", strconv.Itoa(page))
		return "?" + query.Encode()
	}
	if number > 1 {
		l.Prev = at(number - 1)
	}
	if end < l.Total {
		l.Next = at(number + 1)
	}
	return l
}

// offered are the values of a filter in order, the chosen one among them.
func offered(values map[string]bool, chosen string) []string {
	values[chosen] = true
	delete(values, "")
	var all []string
	for v := range values {
		all = append(all, v)
	}
	slices.Sort(all)
	return all
}
