package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// item is a transaction or an operation, as far as lists care.
type item struct {
	id      string
	created time.Time
	kind    string
}

// listServer is the cursor of section 7 to the letter: newest first, before is exclusive,
// in milliseconds, and next_before is the date of the page's last item.
type listServer struct {
	t     *testing.T
	items []item // newest first
	// eager gives a cursor with every full page, even when nothing follows, and with
	// every page that is not empty when it is very eager.
	eager, veryEager bool
	// filterLate applies type and status after the page was cut, so that pages may be
	// short or empty and go on.
	filterLate bool
	// largest is the page size that the server does not go beyond.
	largest int
	queries []url.Values
}

func (s *listServer) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	s.queries = append(s.queries, q)
	limit := 20
	if q.Has("limit") {
		limit, _ = strconv.Atoi(q.Get("limit"))
	}
	if s.largest > 0 {
		limit = min(limit, s.largest)
	}
	rest := s.items
	if q.Has("before") {
		before, err := time.Parse("2006-01-02T15:04:05.000Z", q.Get("before"))
		if err != nil {
			s.t.Errorf("before=%s", q.Get("before"))
		}
		for len(rest) > 0 && !rest[0].created.Before(before) {
			rest = rest[1:]
		}
	}
	wanted := func(i item) bool { return !q.Has("type") || i.kind == q.Get("type") }
	if !s.filterLate {
		rest = slices.Clone(rest)
		rest = slices.DeleteFunc(rest, func(i item) bool { return !wanted(i) })
	}
	page := rest[:min(limit, len(rest))]
	var next any
	if len(page) > 0 && (len(rest) > len(page) || s.eager && len(page) == limit || s.veryEager) {
		next = page[len(page)-1].created.Format("2006-01-02T15:04:05.000Z")
	}
	data := []map[string]any{}
	for _, i := range page {
		if wanted(i) {
			data = append(data, map[string]any{
				"reference": i.id, "operation_id": i.id, "type": i.kind, "date": i.created.Format("2006-01-02T15:04:05.000Z"),
			})
		}
	}
	body, err := json.Marshal(map[string]any{"error": false, "data": data, "paging": map[string]any{"limit": limit, "next_before": next}})
	if err != nil {
		return nil, err
	}
	return answer(200, string(body))(req)
}

// itemsAt makes items at milliseconds after a fixed time, newest first as given.
func itemsAt(milliseconds ...int) []item {
	all := make([]item, 0, len(milliseconds))
	for n, ms := range milliseconds {
		all = append(all, item{
			id: fmt.Sprintf("T%09d", n), created: at1030.Add(time.Duration(ms) * time.Millisecond), kind: []string{"CREDIT", "DEBIT"}[n%2],
		})
	}
	slices.SortStableFunc(all, func(a, b item) int { return b.created.Compare(a.created) })
	return all
}

func ids(items []item) []string {
	out := []string{}
	for _, i := range items {
		out = append(out, i.id)
	}
	return out
}

// collect ranges over a sequence, and returns the ids and the error.
func collect[T any](seq iter.Seq2[*T, error], id func(*T) string) ([]string, error) {
	got := []string{}
	for one, err := range seq {
		if err != nil {
			return got, err
		}
		got = append(got, id(one))
	}
	return got, nil
}

func allTransactions(t *testing.T, s http.RoundTripper, p intram.TransactionListParams) ([]string, error) {
	t.Helper()
	return collect(newClient(t, s).Transactions.All(t.Context(), p), func(tx *intram.Transaction) string { return tx.Reference })
}

func allOperations(t *testing.T, s http.RoundTripper, p intram.OperationListParams) ([]string, error) {
	t.Helper()
	return collect(newClient(t, s).Operations.All(t.Context(), p), func(op *intram.Operation) string { return op.ID })
}

// Items of one millisecond on both sides of a page's end all come out, once each and in
// order.
func TestItemsOfOneMillisecondAreNotLost(t *testing.T) {
	t.Parallel()
	many := func(n, ms int) []int { return slices.Repeat([]int{ms}, n) }
	for name, ms := range map[string][]int{
		"none":                       {},
		"one":                        {5},
		"all apart":                  {9, 8, 7, 6, 5, 4, 3, 2, 1},
		"two at the first page end":  {9, 8, 8, 7},
		"three at a time":            {9, 9, 9, 8, 8, 8, 7, 7, 7},
		"everything at once":         many(50, 5),
		"almost a page at once":      append(many(99, 5), 4, 3, 3),
		"a crowd in the middle":      append(append([]int{9, 8}, many(60, 7)...), 6, 6, 5),
		"a crowd over a page's end":  append(append(many(70, 9), many(70, 8)...), many(70, 7)...),
		"a crowd at the end":         append([]int{9}, many(99, 1)...),
		"two hundred and one, apart": countDown(201),
	} {
		for _, limit := range []int{0, 1, 2, 3, 100} {
			if len(ms) > 120 && limit < 3 && limit != 0 {
				continue // hundreds of requests that show nothing new
			}
			for _, server := range []listServer{{}, {eager: true}, {veryEager: true}} {
				t.Run(fmt.Sprintf("%s by %d, eager %v %v", name, limit, server.eager, server.veryEager), func(t *testing.T) {
					t.Parallel()
					s := server
					s.t, s.items = t, itemsAt(ms...)
					got, err := allTransactions(t, &s, intram.TransactionListParams{Limit: limit})
					require.NoError(t, err)
					assert.Equal(t, ids(s.items), got)
					assert.LessOrEqual(t, len(s.queries), 3*len(s.items)+3, "it does not go round in circles")
				})
			}
		}
	}
}

func countDown(n int) []int {
	var all []int
	for i := range n {
		all = append(all, n-i)
	}
	return all
}

// Whatever the dates and the size of a page: everything once, in order.
func TestEveryItemComesOutOnce(t *testing.T) {
	t.Parallel()
	once := func(raw []uint8, spread, limit, kind uint8, operations bool) bool {
		ms := make([]int, len(raw))
		for i, r := range raw {
			ms[i] = int(r) % (int(spread)%40 + 1)
		}
		if len(ms) > 95 {
			ms = ms[:95] // more of one millisecond than a page holds is another test
		}
		s := &listServer{t: t, items: itemsAt(ms...), eager: kind&1 != 0, veryEager: kind&2 != 0}
		size := []int{0, 1, 2, 3, 5, 50, 100}[int(limit)%7]
		var got []string
		var err error
		if operations {
			got, err = allOperations(t, s, intram.OperationListParams{Limit: size})
		} else {
			got, err = allTransactions(t, s, intram.TransactionListParams{Limit: size})
		}
		return err == nil && slices.Equal(got, ids(s.items))
	}
	require.NoError(t, quick.Check(once, &quick.Config{MaxCount: 80}))
}

// More of one millisecond than the largest page holds ends with an error, never with a
// gap.
func TestPageOverflowIsAnError(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 101, 150} {
		for _, limit := range []int{0, 1, 100} {
			s := &listServer{t: t, items: itemsAt(append(slices.Repeat([]int{5}, n), 4, 3)...)}
			got, err := allTransactions(t, s, intram.TransactionListParams{Limit: limit})
			require.ErrorIs(t, err, intram.ErrPageOverflow, "%d by %d", n, limit)
			assert.Equal(t, ids(s.items)[:100], got, "what could be read came out, once each")
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		}
	}
	// A server that keeps its pages smaller than it is asked to.
	s := &listServer{t: t, items: itemsAt(append(slices.Repeat([]int{5}, 20), 4)...), largest: 10}
	got, err := allTransactions(t, s, intram.TransactionListParams{})
	require.ErrorIs(t, err, intram.ErrPageOverflow)
	assert.Len(t, got, 10)
	// A cursor that never moves, with nothing on the page.
	stuck := &script{t: t, forever: answer(200, `{"error":false,"data":[],"paging":{"limit":20,"next_before":"2026-05-19T12:34:56.000Z"}}`)}
	_, err = allTransactions(t, stuck, intram.TransactionListParams{})
	require.ErrorIs(t, err, intram.ErrPageOverflow)
	assert.LessOrEqual(t, len(stuck.requests()), 4)
}

func TestEmptyPageWithACursorGoesOn(t *testing.T) {
	t.Parallel()
	// Two of each ten are DEBIT, and the filter is applied after the page was cut: some
	// pages are empty.
	var items []item
	for n := range 60 {
		kind := "CREDIT"
		if n == 25 || n == 58 {
			kind = "DEBIT"
		}
		items = append(items, item{id: fmt.Sprintf("T%09d", n), created: at1030.Add(-time.Duration(n) * time.Millisecond), kind: kind})
	}
	for _, limit := range []int{2, 5, 10} {
		s := &listServer{t: t, items: items, filterLate: true}
		got, err := allTransactions(t, s, intram.TransactionListParams{Limit: limit, Type: intram.TransactionDebit})
		require.NoError(t, err)
		assert.Equal(t, []string{"T000000025", "T000000058"}, got)
		assert.Greater(t, len(s.queries), 60/limit, "it went on over the empty pages")
	}
}

// The parameters go with every page, and the cursor is one millisecond later than the
// server's.
func TestPagesAreAskedFor(t *testing.T) {
	t.Parallel()
	s := &listServer{t: t, items: itemsAt(9, 7, 5, 3, 1)}
	got, err := allTransactions(t, s, intram.TransactionListParams{
		Limit: 2, Type: intram.TransactionCredit, Status: intram.TransactionSuccess, Before: at1030.Add(8 * time.Millisecond),
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"T000000002", "T000000004"}, got)
	require.NotEmpty(t, s.queries)
	assert.Equal(t, url.Values{
		"limit": {"2"}, "type": {"CREDIT"}, "status": {"SUCCESS"}, "before": {"2026-05-20T10:30:00.008Z"},
	}, s.queries[0])

	s = &listServer{t: t, items: itemsAt(9, 7, 5, 3, 1)}
	_, err = allOperations(t, s, intram.OperationListParams{Limit: 2, Type: "CREDIT", Status: intram.OperationFailed})
	require.NoError(t, err)
	require.Len(t, s.queries, 2)
	assert.Equal(t, url.Values{"limit": {"2"}, "type": {"CREDIT"}, "status": {"failed"}}, s.queries[0])
	assert.Equal(t, url.Values{
		"limit": {"2"}, "type": {"CREDIT"}, "status": {"failed"}, "before": {"2026-05-20T10:30:00.006Z"},
	}, s.queries[1])
}

func TestBreakingOffAsksForNoMore(t *testing.T) {
	t.Parallel()
	s := &listServer{t: t, items: itemsAt(9, 8, 7, 6, 5, 4)}
	n := 0
	for tx, err := range newClient(t, s).Transactions.All(t.Context(), intram.TransactionListParams{Limit: 2}) {
		require.NoError(t, err)
		assert.NotNil(t, tx)
		if n++; n == 3 {
			break
		}
	}
	assert.Len(t, s.queries, 2, "pages are read as they are needed")
	assert.Empty(t, func() []url.Values {
		s := &listServer{t: t, items: itemsAt(1)}
		_ = newClient(t, s).Transactions.All(t.Context(), intram.TransactionListParams{})
		return s.queries
	}(), "and not before")
}

func TestSequenceStartsAnewEachTime(t *testing.T) {
	t.Parallel()
	s := &listServer{t: t, items: itemsAt(9, 8, 7, 6, 6, 5, 4)}
	seq := newClient(t, s).Transactions.All(t.Context(), intram.TransactionListParams{Limit: 2})
	id := func(tx *intram.Transaction) string { return tx.Reference }
	for range 3 {
		got, err := collect(seq, id)
		require.NoError(t, err)
		assert.Equal(t, ids(s.items), got)
	}
}

// An error is yielded once, with a nil item, after what was read before it; and the
// sequence is over.
func TestErrorEndsASequence(t *testing.T) {
	t.Parallel()
	first := answer(200, `{"error":false,"data":[{"reference":"A","operation_id":"A","date":"2026-05-20T10:30:00.000Z"}],
		"paging":{"limit":1,"next_before":"2026-05-20T10:30:00.000Z"}}`)
	client, s := scripted(t, first, answer(401, `{"error":true,"code":"signature_invalid"}`))
	var got []string
	var failures []error
	for tx, err := range client.Transactions.All(t.Context(), intram.TransactionListParams{Limit: 1}) {
		if err != nil {
			assert.Nil(t, tx)
			failures = append(failures, err)
			continue // a careless caller goes on
		}
		got = append(got, tx.Reference)
	}
	assert.Equal(t, []string{"A"}, got)
	require.Len(t, failures, 1)
	require.ErrorIs(t, failures[0], intram.CodeSignatureInvalid)
	assert.Len(t, s.requests(), 2)

	client, _ = scripted(t, first, answer(200, "{}"))
	n := 0
	for op, err := range client.Operations.All(t.Context(), intram.OperationListParams{Limit: 1}) {
		if n++; n == 2 {
			assert.Nil(t, op)
			require.Error(t, err, "a page that is none is no last page")
		}
	}
	assert.Equal(t, 2, n)
}

// Items without an id cannot be acted on: each comes out as an error of its own, and the
// others come out.
func TestItemsWithoutAReferenceAreNotDropped(t *testing.T) {
	t.Parallel()
	page := `{"error":false,"data":[{"amount":1},{"amount":2},{"id":"x","amount":3},{"id":"y","amount":3}],"paging":{"limit":20,"next_before":null}}`
	client, _ := scripted(t, answer(200, page))
	var sum intram.Amount
	var unreadable []int
	for tx, err := range client.Transactions.All(t.Context(), intram.TransactionListParams{}) {
		if odd, ok := errors.AsType[*intram.ItemError](err); ok {
			assert.Nil(t, tx)
			unreadable = append(unreadable, odd.Index)
			continue
		}
		require.NoError(t, err)
		sum = sum.Add(tx.Amount)
	}
	assert.Equal(t, []int{0, 1}, unreadable)
	assert.Equal(t, "6", sum.String())

	page = `{"error":false,"data":[{"attempts":1},{"attempts":2}],"paging":{}}`
	client, _ = scripted(t, answer(200, page))
	n := 0
	for _, err := range client.Operations.All(t.Context(), intram.OperationListParams{}) {
		var odd *intram.ItemError
		require.ErrorAs(t, err, &odd)
		n++
	}
	assert.Equal(t, 2, n)
}

// oddItems is a page in which every second item cannot be read, each in a way of its own.
const oddItems = `{"error":false,"data":[
	{"operation_id":"op_1","reference":"op_1","amount":1,"date":"2026-05-20T10:30:00.000Z"},
	{"operation_id":"op_2","reference":"op_2","status":{"word":"SUCCESS"},"date":"2026-05-20T10:29:00.000Z"},
	{"operation_id":"op_3","reference":"op_3"},
	{"operation_id":"op_4","reference":"op_4","status":"a","status":"b","created_at":"2026-05-20T10:27:00.000Z"},
	{"operation_id":"op_5","reference":"op_5"},
	{"operation_id":7,"reference":7,"type":"x"},
	{"operation_id":"op_7","reference":"op_7"},
	"op_8",
	{"operation_id":"../webhooks","reference":"../webhooks"},
	{"operation_id":"op 10","reference":"op 10"},
	{"operation_id":"op_11","reference":"op_11"}
],"paging":{"limit":20,"next_before":null}}`

// One item that cannot be read does not take the others with it, and is not passed over
// either.
func TestAnUnreadableItemIsAnItemWithAnError(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(200, oddItems), answer(200, oddItems), answer(200, oddItems))
	page, err := client.Operations.List(t.Context(), intram.OperationListParams{})
	require.NoError(t, err)
	got := make([]string, 0, len(page.Items))
	for _, op := range page.Items {
		got = append(got, op.ID)
	}
	assert.Equal(t, []string{"op_1", "op_3", "op_5", "op_7", "op_11"}, got)
	type odd struct {
		index   int
		id      string
		created bool
	}
	var unreadable []odd
	for _, item := range page.Unreadable {
		unreadable = append(unreadable, odd{item.Index, item.ID, !item.CreatedAt.IsZero()})
		require.Error(t, item.Err)
		assert.NotEmpty(t, item.Raw)
		assert.Contains(t, item.Error(), "cannot be read")
		assert.NotContains(t, fmt.Sprintf("%+v %#v", item, item), "SUCCESS", "the item is not in what prints")
		require.ErrorIs(t, item, item.Err)
	}
	assert.Equal(t, []odd{
		{1, "op_2", true}, {3, "op_4", true}, {5, "7", false}, {7, "", false}, {8, "../webhooks", false}, {9, "op 10", false},
	}, unreadable)

	// A sequence brings them in their places, and goes on.
	for name, all := range map[string]iter.Seq[error]{
		"operations":   onlyErrors(client.Operations.All(t.Context(), intram.OperationListParams{})),
		"transactions": onlyErrors(client.Transactions.All(t.Context(), intram.TransactionListParams{})),
	} {
		var places string
		for err := range all {
			var item *intram.ItemError
			switch {
			case err == nil:
				places += "."
			case errors.As(err, &item):
				places += "x"
			}
		}
		assert.Equal(t, ".x.x.x.xxx.", places, name)
	}
}

func onlyErrors[T any](all iter.Seq2[*T, error]) iter.Seq[error] {
	return func(yield func(error) bool) {
		for _, err := range all {
			if !yield(err) {
				return
			}
		}
	}
}

// An item that cannot be read counts for the cursor as any other: seen on two pages, it
// comes out once.
func TestAnUnreadableItemOnTwoPagesComesOutOnce(t *testing.T) {
	t.Parallel()
	odd := `{"operation_id":"op_2","status":7,"date":"2026-05-20T10:30:00.000Z"}`
	client, _ := scripted(t,
		answer(200, `{"error":false,"data":[{"operation_id":"op_1"},`+odd+`],"paging":{"limit":2,"next_before":"2026-05-20T10:30:00.000Z"}}`),
		answer(200, `{"error":false,"data":[`+odd+`,{"operation_id":"op_3"}],"paging":{"limit":2,"next_before":null}}`))
	var got []string
	for op, err := range client.Operations.All(t.Context(), intram.OperationListParams{Limit: 2}) {
		if err != nil {
			got = append(got, "x")
			continue
		}
		got = append(got, op.ID)
	}
	assert.Equal(t, []string{"op_1", "x", "op_3"}, got)
}

// A page that is larger than the SDK reads is asked for in halves, and the next ones at
// the size that went through.
func TestAPageThatIsTooLargeIsAskedForInHalves(t *testing.T) {
	t.Parallel()
	items := itemsAt(countDown(60)...)
	for _, most := range []int{50, 7, 2} {
		s := &listServer{t: t, items: items}
		weighed := roundTrip(func(req *http.Request) (*http.Response, error) {
			if limit, _ := strconv.Atoi(req.URL.Query().Get("limit")); limit > most {
				s.queries = append(s.queries, req.URL.Query())
				return answer(200, strings.Repeat(" ", 9<<20))(req)
			}
			return s.RoundTrip(req)
		})
		got, err := allTransactions(t, weighed, intram.TransactionListParams{Limit: 100})
		require.NoError(t, err)
		assert.Equal(t, ids(items), got, "nothing is lost")
		assert.LessOrEqual(t, len(s.queries), 60/most+60+8, "and not found out again for each page")

		page, err := newClient(t, weighed).Transactions.List(t.Context(), intram.TransactionListParams{Limit: 100})
		require.NoError(t, err)
		assert.LessOrEqual(t, len(page.Items), most)
		assert.True(t, page.HasMore())
		assert.LessOrEqual(t, page.Limit, most)
	}
	// Where only one item fits, there is no telling whether its millisecond has another.
	single := &listServer{t: t, items: items}
	got, err := allTransactions(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("limit") != "1" {
			return answer(200, strings.Repeat(" ", 9<<20))(req)
		}
		return single.RoundTrip(req)
	}), intram.TransactionListParams{Limit: 100})
	require.ErrorIs(t, err, intram.ErrPageOverflow)
	assert.Equal(t, ids(items)[:1], got)
	// One item alone that is too large cannot be gone past: its cursor is not known.
	client := newClient(t, &script{t: t, forever: answer(200, strings.Repeat(" ", 9<<20))})
	_, err = client.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 100})
	require.ErrorContains(t, err, "larger than")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A server whose pages are empty and whose cursor goes back without end ends the sequence
// with an error.
func TestEmptyPagesWithFallingCursorsEnd(t *testing.T) {
	t.Parallel()
	n := 0
	falling := roundTrip(func(req *http.Request) (*http.Response, error) {
		n++
		next := at1030.Add(-time.Duration(n) * time.Hour).Format("2006-01-02T15:04:05.000Z")
		return answer(200, `{"error":false,"data":[],"paging":{"limit":20,"next_before":"`+next+`"}}`)(req)
	})
	got, err := allTransactions(t, falling, intram.TransactionListParams{})
	require.ErrorIs(t, err, intram.ErrEndlessList)
	assert.Empty(t, got)
	assert.Equal(t, 1000, n)
}

// A transaction and its refund may share a reference; an item without a date may share it
// with nothing.
func TestItemsWithoutADateComeOutOnce(t *testing.T) {
	t.Parallel()
	first := answer(200, `{"error":false,"data":[{"reference":"A"},{"reference":"B"}],"paging":{"limit":2,"next_before":"2026-05-20T10:30:00.000Z"}}`)
	second := answer(200, `{"error":false,"data":[{"reference":"B"},{"reference":"C"}],"paging":{"limit":2,"next_before":null}}`)
	client, _ := scripted(t, first, second)
	got, err := collect(client.Transactions.All(t.Context(), intram.TransactionListParams{Limit: 2}), func(tx *intram.Transaction) string { return tx.Reference })
	require.NoError(t, err)
	assert.Equal(t, []string{"A", "B", "C"}, got)
}

// What cannot be read fills a page too: a millisecond that fills the largest page is an
// overflow, whatever is on it.
func TestPageOverflowCountsUnreadableItems(t *testing.T) {
	t.Parallel()
	item := func(i int, status string) string {
		return fmt.Sprintf(`{"operation_id":"op_%03d","status":%s,"date":"2026-05-20T10:30:00.000Z"}`, i, status)
	}
	var page []string
	for i := range 100 {
		page = append(page, item(i, []string{`"queued"`, "7"}[i%2]))
	}
	stuck := answer(200, `{"error":false,"data":[`+strings.Join(page, ",")+`],"paging":{"limit":100,"next_before":"2026-05-20T10:30:00.000Z"}}`)
	client := newClient(t, &script{t: t, forever: stuck})
	n := 0
	var last error
	for _, err := range client.Operations.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		n++
		last = err
	}
	assert.Equal(t, 101, n)
	require.ErrorIs(t, last, intram.ErrPageOverflow)
}

// What the reconciler cannot read is an event that may be missing: a failure, and never
// silence.
func TestReconcilerReportsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t,
		answer(200, `{"error":false,"data":[{"operation_id":"op_1","type":"transfer"},{"operation_id":"op_2","status":7},
			{"operation_id":"op_3","status":7,"date":"2020-05-20T10:30:00.000Z"},{"operation_id":"op_4","date":"2020-05-20T10:30:00.000Z"}]}`),
		answer(200, `{"error":false,"data":[{"reference":"AB12CD34EF","amount":"lots"}]}`))
	reconciler, err := intram.NewReconciler(client, &intram.MemoryInbox{}, func(context.Context, *intram.Event) error { return nil })
	require.NoError(t, err)
	result, err := reconciler.Run(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 1, result.Operations)
	require.Len(t, result.Failures, 2, "and what is too old is none")
	for i, id := range []string{"op_2", "AB12CD34EF"} {
		var odd *intram.ItemError
		require.ErrorAs(t, result.Failures[i].Err, &odd)
		assert.Equal(t, id, odd.ID)
		assert.Contains(t, result.Failures[i].String(), id)
	}
}

// A wait whose operation is on a page, and cannot be read there, looks it up by its id.
func TestAWaitLooksUpWhatItsListCannotShow(t *testing.T) {
	t.Parallel()
	ids := []string{"op_1", "op_2", "op_3", "op_4"}
	rt := roundTrip(func(req *http.Request) (*http.Response, error) {
		id := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
		done := func(id, status string) string {
			return `{"operation_id":"` + id + `","type":"payout","status":` + status + `,"result":{"status":"completed"}}`
		}
		if id == "operations" {
			return answer(200, `{"error":false,"data":[`+done("op_1", `"succeeded"`)+`,`+done("op_2", "7")+`,`+done("op_3", `"succeeded"`)+`,`+done("op_4", `"succeeded"`)+`]}`)(req)
		}
		return answer(200, `{"error":false,"data":`+done(id, `"succeeded"`)+`}`)(req)
	})
	got := map[string]bool{}
	for op, err := range newClient(t, rt).WaitMany(t.Context(), ids) {
		require.NoError(t, err)
		got[op.ID] = true
	}
	assert.Len(t, got, len(ids))
}

// Since is no parameter of the API: the SDK leaves out what is older, and asks for no
// page behind it.
func TestSinceEndsAList(t *testing.T) {
	t.Parallel()
	server := &listServer{t: t, items: itemsAt(9, 8, 7, 6, 5, 5, 5, 4, 3, 2, 1, 0)}
	since := func(ms int) time.Time { return at1030.Add(time.Duration(ms) * time.Millisecond) }

	got, err := allTransactions(t, server, intram.TransactionListParams{Limit: 2, Since: since(5)})
	require.NoError(t, err)
	assert.Equal(t, ids(server.items[:7]), got, "what was created at that very time is in the list")
	for _, q := range server.queries {
		assert.False(t, q.Has("since"))
	}
	last := server.queries[len(server.queries)-1].Get("before")
	assert.Greater(t, last, since(4).Format("2006-01-02T15:04:05.000Z"), "nothing is asked for that is older")

	client := newClient(t, server)
	page, err := client.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 10, Since: since(6)})
	require.NoError(t, err)
	assert.Len(t, page.Items, 4)
	assert.False(t, page.HasMore())

	page, err = client.Transactions.List(t.Context(), intram.TransactionListParams{Limit: 4, Since: since(6)})
	require.NoError(t, err)
	assert.Len(t, page.Items, 4)
	assert.True(t, page.HasMore(), "more may have been created in the millisecond at which the page ends")

	_, err = client.Transactions.List(t.Context(), intram.TransactionListParams{Since: since(6), Before: since(6)})
	assert.ErrorContains(t, err, "since must be earlier than before")
}

// What has no date may be what was looked for.
func TestSinceKeepsWhatHasNoDate(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(200, `{"error":false,"data":[{"operation_id":"op_1","status":"queued"},`+
		`{"operation_id":"op_2","status":7,"date":"2020-01-01T00:00:00Z"},{"operation_id":"op_3","status":7}]}`))
	page, err := client.Operations.List(t.Context(), intram.OperationListParams{Since: at1030})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Len(t, page.Unreadable, 1)
	assert.Equal(t, "op_3", page.Unreadable[0].ID)
}

// The lists and lookups of payouts, refunds and payment requests hold nothing of another
// type, also with a server that does not know the filter.
func TestListsOfOneType(t *testing.T) {
	t.Parallel()
	const list = `{"error":false,"data":[{"operation_id":"op_1","type":"payout","status":"queued"},` +
		`{"operation_id":"op_2","type":"refund","status":"queued"},{"operation_id":"op_3","type":"payment_request","status":"queued"},` +
		`{"operation_id":"op_4","status":"queued"}]}`
	type service interface {
		Get(ctx context.Context, id string, opts ...intram.CallOption) (*intram.Operation, error)
		List(ctx context.Context, p intram.OperationListParams, opts ...intram.CallOption) (*intram.Page[intram.Operation], error)
		All(ctx context.Context, p intram.OperationListParams, opts ...intram.CallOption) iter.Seq2[*intram.Operation, error]
	}
	for typ, c := range map[intram.OperationType]struct {
		of func(*intram.Client) service
		id string
	}{
		intram.OperationPayout:         {func(c *intram.Client) service { return c.Payouts }, "op_1"},
		intram.OperationRefund:         {func(c *intram.Client) service { return c.Refunds }, "op_2"},
		intram.OperationPaymentRequest: {func(c *intram.Client) service { return c.PaymentRequests }, "op_3"},
	} {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, answer(200, list), answer(200, list))
			page, err := c.of(client).List(t.Context(), intram.OperationListParams{Limit: 3})
			require.NoError(t, err)
			got := []string{}
			for _, op := range page.Items {
				got = append(got, op.ID)
			}
			assert.Equal(t, []string{c.id, "op_4"}, got)
			got, err = collect(c.of(client).All(t.Context(), intram.OperationListParams{}), func(op *intram.Operation) string { return op.ID })
			require.NoError(t, err)
			assert.Equal(t, []string{c.id, "op_4"}, got)
			assert.Equal(t, "limit=3&type="+string(typ), s.sent[0].Query)

			_, err = c.of(client).List(t.Context(), intram.OperationListParams{Type: intram.OperationTransfer})
			assert.ErrorContains(t, err, "type must be empty or "+string(typ))

			s.steps = []step{answer(200, `{"error":false,"data":{"operation_id":"op_1","status":"queued","type":"transfer"}}`)}
			_, err = c.of(client).Get(t.Context(), "op_1")
			require.ErrorIs(t, err, intram.ErrResponseMismatch)
			assert.ErrorContains(t, err, "is a transfer, not a "+string(typ))
			s.steps = []step{answer(200, `{"error":false,"data":{"operation_id":"op_1","status":"queued","type":"`+strings.ToUpper(string(typ))+`"}}`)}
			_, err = c.of(client).Get(t.Context(), "op_1")
			require.NoError(t, err)
		})
	}
}

// A page of which some is left out is as full as it came: the millisecond that fills it
// may have more.
func TestPageOverflowCountsWhatIsOfAnotherType(t *testing.T) {
	t.Parallel()
	same := make([]int, 150)
	server := &listServer{t: t, items: itemsAt(same...), filterLate: true}
	for i := range server.items {
		server.items[i].kind = []string{"payout", "refund"}[i%2]
	}
	deaf := &listServer{t: t, items: server.items}
	client := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		q := req.URL.Query()
		q.Del("type") // a server that does not know the filter
		req.URL.RawQuery = q.Encode()
		return deaf.RoundTrip(req)
	}))
	_, err := collect(client.Payouts.All(t.Context(), intram.OperationListParams{Limit: 100}), func(op *intram.Operation) string { return op.ID })
	require.ErrorIs(t, err, intram.ErrPageOverflow)
}

func TestOperationsSayTheirAmount(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"type":"payout","payload":{"amount":25000}}`:                                                           "25000",
		`{"type":"payout","payload":{"amount":"25000"},"result":{"amount":25250}}`:                               "25000",
		`{"type":"payment_request","payload":{"amount":7,"invoice":{"amount":1000.5}}}`:                          "1000.5",
		`{"type":"refund","payload":{"transaction_reference":"X"},"result":{"status":"completed","amount":300}}`: "300",
		`{"type":"refund","payload":{"transaction_reference":"X"}}`:                                              "",
		`{"type":"payout","payload":"none"}`:                                                                     "",
	} {
		var op intram.Operation
		require.NoError(t, json.Unmarshal([]byte(`{"operation_id":"op_1","status":"succeeded",`+body[1:]), &op))
		assert.Equal(t, want != "", op.Amount().IsSet(), body)
		if want != "" {
			assert.Equal(t, want, op.Amount().String(), body)
		}
	}
}
