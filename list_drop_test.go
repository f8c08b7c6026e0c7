package intram_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// The API writes a type in small letters. One in capitals is the same, and no reason to
// leave an operation out.
func TestAListOfOneTypeReadsItsWordInAnyCase(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(200, `{"error":false,"data":[{"operation_id":"op_1","type":"PAYOUT","status":"queued"},`+
		`{"operation_id":"op_2","type":"Refund","status":"queued"},{"operation_id":"op_3","type":"Payout","status":"queued"}]}`))
	page, err := client.Payouts.List(t.Context(), intram.OperationListParams{})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	assert.Equal(t, "op_1", page.Items[0].ID)
	assert.Equal(t, "op_3", page.Items[1].ID)
}

// An item that cannot be read counts once: a page with many of them is not taken for a
// full one, and the list goes on.
func TestAPageIsNotFullerForWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	var items []string
	for i := range 70 {
		items = append(items, fmt.Sprintf(`{"operation_id":"op_%03d","type":"payout","status":%s,"date":"2026-05-20T10:30:00.000Z"}`,
			i, []string{`"queued"`, "7"}[i%2]))
	}
	stuck := answer(200, `{"error":false,"data":[`+strings.Join(items, ",")+`],"paging":{"limit":100,"next_before":"2026-05-20T10:30:00.000Z"}}`)
	older := answer(200, `{"error":false,"data":[{"operation_id":"op_070","type":"payout","status":"queued","date":"2026-05-20T10:29:00.000Z"}],`+
		`"paging":{"limit":100,"next_before":null}}`)
	client := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("before") == "2026-05-20T10:30:00.000Z" {
			return older(req)
		}
		return stuck(req)
	}))
	read, unreadable := 0, 0
	for op, err := range client.Payouts.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		if op == nil {
			require.ErrorAs(t, err, new(*intram.ItemError))
			unreadable++
			continue
		}
		read++
	}
	assert.Equal(t, 36, read)
	assert.Equal(t, 35, unreadable)
}
