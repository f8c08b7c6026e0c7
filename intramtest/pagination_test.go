package intramtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// TestPaginationAgainstItsModel makes operations at random moments, many in one
// millisecond, and lists them with the SDK through the fake's cursor, with any page size
// and filter, while more are made. What there was when a list began comes once, newest
// first; a millisecond that no page can hold ends it with an error, and never with a gap.
func TestPaginationAgainstItsModel(t *testing.T) {
	t.Parallel()
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithSeed(1), intramtest.WithFrozenClock(time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)),
			intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000))
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		m := &pagesMachine{ctx: outer.Context(), server: server, client: server.Client()}
		t.Repeat(rapid.StateMachineActions(m))
	})
}

// pagesMachine drives the fake and a model of what it holds: a list.
type pagesMachine struct {
	ctx    context.Context //nolint:containedctx // the test's own, for the actions that rapid calls
	server *intramtest.Server
	client *intram.Client
	made   []listed // oldest first
}

type listed struct {
	id     string
	at     time.Time
	failed bool
}

// make makes an operation that ends at once, well or badly.
func (m *pagesMachine) make(t *rapid.T, failed bool) {
	params := payout(1)
	number := "22961000000"
	if failed {
		number = "22961000001"
	}
	params.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: number}
	op, err := m.client.Payouts.Create(m.ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	m.made = append(m.made, listed{op.ID, m.server.Now().Truncate(time.Millisecond), failed})
}

// Make makes some operations in one millisecond.
func (m *pagesMachine) Make(t *rapid.T) {
	if len(m.made) > 60 {
		t.Skip("there are enough") // pages are what is tested, and long lists are slow under -race
	}
	n := rapid.SampledFrom([]int{1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 8, 13, 50}).Draw(t, "operations")
	failed := rapid.Bool().Draw(t, "failed")
	for i := range n {
		m.make(t, failed && i%2 == 0)
	}
}

// Wait lets time pass, less than a millisecond at times.
func (m *pagesMachine) Wait(t *rapid.T) {
	m.server.Advance(rapid.SampledFrom([]time.Duration{400 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, time.Hour}).Draw(t, "for"))
}

// List lists all operations, with more being made meanwhile.
func (m *pagesMachine) List(t *rapid.T) {
	params := intram.OperationListParams{Limit: rapid.SampledFrom([]int{0, 1, 4, 7, 20, 99, 100}).Draw(t, "limit")}
	failedOnly := rapid.Bool().Draw(t, "failed only")
	if failedOnly {
		params.Status = intram.OperationFailed
	}
	if len(m.made) > 0 && rapid.Bool().Draw(t, "before one of them") {
		params.Before = m.made[rapid.IntRange(0, len(m.made)-1).Draw(t, "before")].at
	}
	disturb := rapid.SampledFrom([]int{0, 0, 1, 10}).Draw(t, "made meanwhile")

	wanted := map[string]bool{} // what there is now, and is asked for
	crowd, most := map[time.Time]int{}, 0
	for _, o := range m.made {
		if (o.failed || !failedOnly) && (params.Before.IsZero() || o.at.Before(params.Before)) {
			wanted[o.id] = true
			crowd[o.at]++
			most = max(most, crowd[o.at])
		}
	}
	began := len(m.made)
	seen := map[string]bool{}
	var last time.Time
	var failure error
	for op, err := range m.client.Operations.All(m.ctx, params) {
		if err != nil {
			failure = err
			break
		}
		switch {
		case seen[op.ID]:
			t.Fatalf("operation %s came twice", op.ID)
		case !last.IsZero() && op.CreatedAt.After(last) && wanted[op.ID]:
			t.Fatalf("operation %s of %v came after one of %v", op.ID, op.CreatedAt, last)
		case !wanted[op.ID] && !slices.ContainsFunc(m.made[began:], func(o listed) bool { return o.id == op.ID }):
			t.Fatalf("operation %s was not asked for", op.ID)
		}
		seen[op.ID], last = true, op.CreatedAt
		if disturb > 0 && len(seen)%disturb == 0 && len(seen) < 5*disturb {
			m.make(t, failedOnly)
		}
	}
	// A page holds 100: with 99 of a millisecond there is always room for one that shows
	// that the millisecond is over.
	crowded := most + 5 // made meanwhile, in the same millisecond perhaps
	switch {
	case errors.Is(failure, intram.ErrPageOverflow):
		if crowded < 100 {
			t.Fatalf("%v, with %d in one millisecond", failure, most)
		}
	case failure != nil:
		t.Fatal(failure)
	case most > 100:
		t.Fatalf("%d operations of one millisecond were listed without an error", most)
	default:
		for id := range wanted {
			if !seen[id] {
				t.Fatalf("operation %s was lost: %d of %d came", id, len(seen), len(wanted))
			}
		}
	}
}

// Check asks for the first page: the newest, and as many as were asked for.
func (m *pagesMachine) Check(t *rapid.T) {
	page, err := m.client.Operations.List(m.ctx, intram.OperationListParams{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != min(3, len(m.made)) || page.HasMore() != (len(m.made) > 3) {
		t.Fatalf("the first page has %d of %d operations, more: %v", len(page.Items), len(m.made), page.HasMore())
	}
	for i := range page.Items {
		if want := m.made[len(m.made)-1-i]; page.Items[i].ID != want.id || !page.Items[i].CreatedAt.Equal(want.at) {
			t.Fatalf("item %d of the first page is %s of %v, want %s of %v", i, page.Items[i].ID, page.Items[i].CreatedAt, want.id, want.at)
		}
	}
}

// A millisecond with as many operations as a page holds, and one more.
func TestPaginationEndsWithAnErrorWhereThePageIsTooSmall(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]error{99: nil, 100: nil, 101: intram.ErrPageOverflow} {
		server := newServer(t, intramtest.WithoutListener())
		client := server.Client()
		for range n {
			_, err := client.Payouts.Create(t.Context(), payout(1))
			require.NoError(t, err)
		}
		count := 0
		var failure error
		for _, err := range client.Operations.All(t.Context(), intram.OperationListParams{}) {
			if failure = err; err == nil {
				count++
			}
		}
		require.ErrorIs(t, failure, want, fmt.Sprint(n))
		require.Equal(t, min(n, 100), count)
	}
}
