package dashboard

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Page by page, everything is shown once, whatever is left for the last page.
func TestThePagesOfAListHoldAllOfIt(t *testing.T) {
	t.Parallel()
	for _, total := range []int{0, 1, perPage - 1, perPage, perPage + 1, 2 * perPage, 2*perPage + 1} {
		all := make([]int, total)
		for i := range all {
			all[i] = i
		}
		var shown []int
		address, pages := "?status=", 0
		for address != "" {
			pages++
			require.LessOrEqual(t, pages, 3)
			p := &page{request: httptest.NewRequestWithContext(t.Context(), "GET", "/"+address, nil)}
			l := listOf(p, all, func(int) item { return item{} })
			assert.Equal(t, total, l.Total)
			assert.Equal(t, pages > 1, l.Prev != "", "page %d of %d items", pages, total)
			shown = append(shown, l.Items...)
			address = l.Next
		}
		assert.True(t, slices.Equal(all, shown), "%d items: %v", total, shown)
	}
}

// A form shows minutes, so the minute in which something happened is within both of its
// ends.
func TestAListIsFilteredByTheMinute(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 20, 10, 30, 59, 999_000_000, time.UTC)
	for query, passes := range map[string]bool{
		"?to=2026-05-20T10:30": true, "?to=2026-05-20T10:29": false, "?from=2026-05-20T10:30": true, "?from=2026-05-20T10:31": false,
		"?from=2026-05-20T10:30&to=2026-05-20T10:30": true, "?to=soon": true,
	} {
		p := &page{request: httptest.NewRequestWithContext(t.Context(), "GET", "/"+query, nil)}
		l := listOf(p, []time.Time{at}, func(at time.Time) item { return item{at: at} })
		assert.Equal(t, passes, l.Total == 1, query)
	}
}

// What has no amount is not what costs nothing.
func TestNothingIsFoundByAnAmountThatItDoesNotHave(t *testing.T) {
	t.Parallel()
	for _, q := range []string{"0", "0 FCFA", "00"} {
		assert.False(t, seekOf(q).finds(item{words: []string{"SAL-42"}}), q)
	}
	assert.True(t, seekOf("25 000 FCFA").finds(item{amount: 25000}))
}
