package intram

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/transport"
)

// maxPageLimit is the largest page of the API.
const maxPageLimit = 100

// Page is one page of a list, newest first.
type Page[T any] struct {
	Items []T
	// Unreadable are the items of the page that the SDK cannot read. They are not in
	// Items: a list is read whole only when there are none, and what is missing from
	// Items may be one of them.
	Unreadable []*ItemError
	// Limit is the page's size, as the API took it.
	Limit int
	// NextBefore is the cursor of the next page: the Before of its parameters. It is zero
	// on the last page.
	//
	// The cursor leaves out what was created in its own millisecond, which may not all be
	// on this page. The All methods ask again for that millisecond and drop what was
	// seen.
	NextBefore time.Time

	dropped   int  // items of the API's page that are not what was asked for
	confirmed bool // the envelope says itself that nothing failed

	asked int // the limit that the page was asked for with in the end, when that was less than what the caller wanted
}

// ItemError is an item of a list that the SDK cannot read: an amount in words, an id that
// is none, a field that is there twice. It says nothing against the other items of its
// page. The item exists, and may be what was looked for.
type ItemError struct {
	// Index is the item's place on its page, from 0.
	Index int
	// ID is the operation's id or the transaction's reference, as far as it can be read.
	ID string
	// CreatedAt is when the item was created, as far as it can be read.
	CreatedAt time.Time
	// Raw is the item as it came.
	Raw RawMessage
	// Err is what is wrong with it.
	Err error
}

// Error implements error: one line, without personal data.
func (e *ItemError) Error() string {
	text := "intram: item " + strconv.Itoa(e.Index) + " of the page cannot be read"
	if e.ID != "" {
		text += " (" + scrubID(e.ID) + ")"
	}
	if e.Err != nil {
		text += ": " + causeText(ownWordsError{e.Err})
	}
	return text
}

// Format implements [fmt.Formatter]: every verb prints what Error returns, and so never
// the item.
func (e *ItemError) Format(f fmt.State, _ rune) { writeString(f, e.Error()) }

// Unwrap returns what is wrong with the item.
func (e *ItemError) Unwrap() error { return e.Err }

// Format implements [fmt.Formatter]: each item as it prints itself.
func (p Page[T]) Format(f fmt.State, _ rune) { writeString(f, hidden("Page", fmt.Sprint(p.Items))) }

// LogValue implements [slog.LogValuer].
func (p Page[T]) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// HasMore reports whether there is another page.
func (p *Page[T]) HasMore() bool { return !p.NextBefore.IsZero() }

// full reports whether the page has all the items that the API puts on one of the limit
// that was asked for.
func (p *Page[T]) full(limit int) bool {
	if p.Limit > 0 {
		limit = min(limit, p.Limit)
	}
	return len(p.Items)+len(p.Unreadable)+p.dropped >= limit
}

// ErrPageOverflow ends a sequence that cannot go on without losing items: more items may
// share one millisecond than the largest page holds. Narrow the list by type or status.
var ErrPageOverflow = redact.Sentinel("intram: pagination cannot advance: more than 100 items may share one millisecond; " +
	"filter by type or status")

// listQuery is the parameters that all lists share.
type listQuery struct {
	limit       int
	typ, status string
	only        string // the type whose list it is, of those that have one of their own
	before      time.Time
	since       time.Time // applied here: the API has no such parameter
}

func (q listQuery) encode(v *validation) string {
	v.pageLimit(q.limit)
	v.filter("type", q.typ)
	v.check(q.only == "" || q.typ == q.only, "type", "type must be empty or "+q.only+": this list has no others")
	v.filter("status", q.status)
	v.before(q.before)
	v.check(q.since.IsZero() || q.before.IsZero() || q.since.Before(q.before), "since", "since must be earlier than before")
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

// ErrEndlessList ends a sequence whose pages bring nothing and go on: the API's cursor
// has gone back over a thousand pages in a row without an item. Narrow the list by its
// dates, by type or by status.
var ErrEndlessList = redact.Sentinel(fmt.Sprintf("intram: %d pages in a row have no new item, and the list goes on; narrow the list by type, status or date", maxEmptyPages))

// maxEmptyPages is how many pages in a row may bring nothing. A server that filters after
// it has cut its pages has empty ones in between.
const maxEmptyPages = 1000

// defaultPageLimit is the size of a page that is asked for without one.
const defaultPageLimit = 20

// size is how many items the page is asked for with.
func (q listQuery) size() int {
	if q.limit == 0 {
		return defaultPageLimit
	}
	return q.limit
}

// listPage reads a page. One that is larger than the SDK reads is asked for in halves,
// down to a single item.
func listPage[T any, W shape[T]](ctx context.Context, c *Client, path string, q listQuery, opts []CallOption) (*Page[T], error) {
	asked := 0
	for {
		page, err := onePage[T, W](ctx, c, path, q, opts)
		switch {
		case err == nil && asked > 0:
			page.asked = asked
			if page.Limit == 0 || page.Limit > asked {
				page.Limit = asked
			}
			return page, nil
		case errors.Is(err, transport.ErrResponseTooLarge) && q.size() > 1:
			asked = (q.size() + 1) / 2 // pages of two can be gone through, those of one cannot
			q.limit = asked
		default:
			return page, err
		}
	}
}

func onePage[T any, W shape[T]](ctx context.Context, c *Client, path string, q listQuery, opts []CallOption) (*Page[T], error) {
	r := request{method: http.MethodGet, template: path, path: path}
	r.query = q.encode(&r.invalid)
	var page *Page[T]
	err := c.merchant.do(ctx, r, opts, func(body []byte) (_ string, err error) {
		page, err = readPage[T, W](body)
		return "", err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// listItem is an item that pagination can recognize.
type listItem[T any] interface {
	*T
	identity() string
	created() time.Time
}

// cut leaves out what was created before a time, and ends the list where its cursor has
// passed that. An item without a date that can be read stays.
func cut[T any, P listItem[T]](page *Page[T], since time.Time) *Page[T] {
	if since.IsZero() {
		return page
	}
	earlier := func(created time.Time) bool { return !created.IsZero() && created.Before(since) }
	page.drop(func(item *T) bool { return earlier(P(item).created()) }, func(item *ItemError) bool { return earlier(item.CreatedAt) })
	if page.NextBefore.Before(since) {
		page.NextBefore = time.Time{}
	}
	return page
}

// drop leaves items out, and keeps their number: the page was as full as it came.
func (p *Page[T]) drop(item func(*T) bool, unreadable func(*ItemError) bool) {
	came := len(p.Items) + len(p.Unreadable)
	p.Items = slices.DeleteFunc(p.Items, func(i T) bool { return item(&i) })
	p.Unreadable = slices.DeleteFunc(p.Unreadable, unreadable)
	p.dropped += came - len(p.Items) - len(p.Unreadable)
}

// allItems goes through all pages and yields each item once.
//
// The cursor is exclusive and has milliseconds, so items created in the cursor's own
// millisecond but not on the page would be lost. Each next page is therefore asked for
// from one millisecond later, and what was seen is dropped. When a page brings nothing
// new and the cursor does not move, either the millisecond holds more than a page, or it
// is the last one of a list whose cursor only ends with an empty page. So the page grows
// to the API's largest. If that is not full, the millisecond has been seen whole, and is
// stepped over; if it is, the sequence ends with an error instead of a gap.
//
// What cannot be read is yielded as an [*ItemError] in its place, and the sequence goes
// on.
func allItems[T any, P listItem[T]](q listQuery, page func(listQuery) (*Page[T], error)) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		q := q // each range starts anew
		var cursor time.Time
		seen := make(map[string]time.Time)
		stepped := false
		largest, empty := 0, 0
		for {
			asked := q
			if largest > 0 && asked.size() > largest {
				asked.limit = largest
			}
			p, err := page(asked)
			if err != nil {
				yield(nil, err)
				return
			}
			if p.asked > 0 {
				largest = p.asked // the next one would be as large again
			}
			fresh := 0
			for item, unreadable := range inOrder[T, P](p) {
				identity, created := identityOf(item, unreadable)
				if _, dup := seen[identity]; dup {
					continue
				}
				seen[identity] = created
				fresh++
				if unreadable != nil {
					if !yield(nil, unreadable) {
						return
					}
					continue
				}
				if !yield(item, nil) {
					return
				}
			}
			if !p.HasMore() {
				return
			}
			if empty++; fresh > 0 {
				empty = 0
			}
			if empty >= maxEmptyPages {
				yield(nil, ErrEndlessList)
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

// inOrder goes through all items of a page, those that cannot be read in their places.
func inOrder[T any, P listItem[T]](p *Page[T]) iter.Seq2[P, *ItemError] {
	return func(yield func(P, *ItemError) bool) {
		unreadable := p.Unreadable
		for i, n := 0, 0; n < len(p.Items)+len(p.Unreadable); n++ {
			if len(unreadable) > 0 && (unreadable[0].Index <= n || i == len(p.Items)) {
				if !yield(nil, unreadable[0]) {
					return
				}
				unreadable = unreadable[1:]
				continue
			}
			if !yield(P(&p.Items[i]), nil) {
				return
			}
			i++
		}
	}
}

// identityOf is what an item is recognized by when a page shows it again, and when it was
// created.
func identityOf[T any, P listItem[T]](item P, unreadable *ItemError) (string, time.Time) {
	if unreadable != nil {
		return string(unreadable.Raw), unreadable.CreatedAt
	}
	return item.identity(), item.created()
}

// queryParam is one parameter of a query.
type queryParam struct{ key, value string }

// sortedQuery joins the parameters that have a value, sorted by key. The same string is
// sent and signed.
//
// The docs do not say whether values are signed as encoded or as decoded, so the values
// are such that the two are the same (see needsNoEncoding); each caller has checked that.
func sortedQuery(params ...queryParam) string {
	params = slices.DeleteFunc(params, func(p queryParam) bool { return p.value == "" })
	slices.SortFunc(params, func(a, b queryParam) int { return strings.Compare(a.key, b.key) })
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// needsNoEncoding reports whether a query value reads the same encoded and decoded:
// unreserved characters and the colon, which is legal in a query.
func needsNoEncoding(value string) bool {
	for i := range len(value) {
		if c := value[i]; !isAlphanumeric(c) && !strings.ContainsRune("-_.~:", rune(c)) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// formatBefore writes a cursor. The API's times have milliseconds, so a finer one is
// rounded up: everything before it stays before it. The zero time is no cursor.
func formatBefore(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if floor := t.Truncate(time.Millisecond); !floor.Equal(t) {
		t = floor.Add(time.Millisecond)
	}
	return t.UTC().Format(timestampLayout)
}
