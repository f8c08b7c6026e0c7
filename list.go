package intram

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// maxPageLimit is the largest page of the API.
const maxPageLimit = 100

// Page is one page of a list, newest first.
type Page[T any] struct {
	Items []T
	// Limit is the page's size, as the API took it.
	Limit int
	// NextBefore is the cursor of the next page: the Before of its parameters. It is zero on the last page.
	//
	// The cursor leaves out what was created in its own millisecond, which may not all be on this page. The All
	// methods ask again for that millisecond and drop what was seen.
	NextBefore time.Time
}

// Format implements [fmt.Formatter]: each item as it prints itself.
func (p Page[T]) Format(f fmt.State, _ rune) { writeString(f, hidden("Page", fmt.Sprint(p.Items))) }

// LogValue implements [slog.LogValuer].
func (p Page[T]) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// HasMore reports whether there is another page.
func (p *Page[T]) HasMore() bool { return !p.NextBefore.IsZero() }

// full reports whether the page has all the items that the API puts on one of the limit that was asked for.
func (p *Page[T]) full(limit int) bool {
	if p.Limit > 0 {
		limit = min(limit, p.Limit)
	}
	return len(p.Items) >= limit
}

// ErrPageOverflow ends a sequence that cannot go on without losing items: the API's cursor stands still, because as many were
// created in one millisecond as the largest page holds, and there may be more. Narrow the list by type or status.
var ErrPageOverflow = errors.New("intram: the cursor stands still: one millisecond fills the largest page, and there may be more; " +
	"narrow the list by type or status")

// listQuery is the parameters that all lists share.
type listQuery struct {
	limit       int
	typ, status string
	before      time.Time
}

func (q listQuery) encode(v *validation) string {
	v.pageLimit(q.limit)
	v.filter("type", q.typ)
	v.filter("status", q.status)
	v.before(q.before)
	limit := ""
	if q.limit > 0 {
		limit = strconv.Itoa(q.limit)
	}
	return sortedQuery(
		queryParam{"before", formatBefore(q.before)},
		queryParam{"limit", limit},
		queryParam{"status", q.status},
		queryParam{"type", q.typ},
	)
}

func listPage[T any, W wire[T]](ctx context.Context, c *Client, path string, q listQuery, opts []CallOption) (*Page[T], error) {
	r := request{method: http.MethodGet, template: path, path: path}
	r.query = q.encode(&r.invalid)
	var page *Page[T]
	err := c.merchant.do(ctx, r, opts, func(body []byte) (err error) {
		page, err = readPage[T, W](body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// listItem is an item that pagination can recognise.
type listItem[T any] interface {
	*T
	identity() string
	created() time.Time
}

// allItems goes through all pages and yields each item once.
//
// The cursor is exclusive and has milliseconds, so items created in the cursor's own millisecond but not on the page would be lost.
// Each next page is therefore asked for from one millisecond later, and what was seen is dropped. When a page brings
// nothing new and the cursor stands still, either the millisecond holds more than a page, or it is the last one of a list whose
// cursor only ends with an empty page. So the page grows to the API's largest. If that is not full, the millisecond has been
// seen whole, and is stepped over; if it is, the sequence ends with an error instead of a gap.
func allItems[T any, P listItem[T]](q listQuery, page func(listQuery) (*Page[T], error)) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		q := q // each range starts anew
		var cursor time.Time
		seen := make(map[string]time.Time)
		stepped := false
		for {
			p, err := page(q)
			if err != nil {
				yield(nil, err)
				return
			}
			fresh := 0
			for i := range p.Items {
				item := P(&p.Items[i])
				if _, dup := seen[item.identity()]; dup {
					continue
				}
				seen[item.identity()] = item.created()
				fresh++
				if !yield(item, nil) {
					return
				}
			}
			if !p.HasMore() {
				return
			}
			next := p.NextBefore.Truncate(time.Millisecond)
			if fresh == 0 && !cursor.IsZero() && !next.Before(cursor) {
				switch {
				case q.limit < maxPageLimit:
					q.limit = maxPageLimit
				case stepped || p.full(q.limit):
					yield(nil, ErrPageOverflow)
					return
				default:
					stepped = true
					q.before = next
					continue
				}
			} else {
				stepped = false
			}
			cursor = next
			q.before = next.Add(time.Millisecond)
			// Only what the next page can show again is worth remembering.
			for id, created := range seen {
				if !created.IsZero() && !created.Before(q.before) {
					delete(seen, id)
				}
			}
		}
	}
}
