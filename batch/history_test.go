package batch_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
)

// listed responds with one page to every request.
type listed struct{ items []map[string]any }

func (l listed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("type") != "payout" {
		return nil, fmt.Errorf("asked for %s", r.URL)
	}
	items := l.items
	if r.URL.Query().Get("before") != "" {
		items = nil
	}
	page, err := json.Marshal(map[string]any{"error": false, "data": slices.Concat([]map[string]any{}, items)})
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.Copy(w, strings.NewReader(string(page)))
	return w.Result(), nil
}

// What an operation of the list says of a reference that is to be paid: that it was used,
// that it is free, or nothing, which is an error. Only an operation that failed with a
// code that says so is no payout.
func TestTheHistoryReadsEachKindOfOperation(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	now := b.server.Clock().Now().UTC()
	item := func(change func(map[string]any)) map[string]any {
		op := map[string]any{
			"operation_id": "op_1", "type": "payout", "status": "succeeded", "date": now.Add(-time.Hour).Format("2006-01-02T15:04:05.000Z"),
			"payload": map[string]any{"amount": 100, "reference": "PAY-0"},
		}
		change(op)
		return op
	}
	set := func(pairs ...any) map[string]any {
		return item(func(op map[string]any) {
			for i := 0; i < len(pairs); i += 2 {
				if op[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
					delete(op, pairs[i].(string))
				}
			}
		})
	}
	failed := func(status, code string) map[string]any {
		return set("status", status, "error", map[string]any{"code": code, "message": "no"})
	}
	other := map[string]any{"amount": 100, "reference": "PAY-9"}
	paid := func(reference string) map[string]any {
		return map[string]any{"status": "completed", "amount": 100, "reference": reference}
	}
	number := 0
	rows := func(n int, ago time.Duration) []map[string]any {
		var all []map[string]any
		for range n {
			number++
			all = append(all, set("operation_id", fmt.Sprintf("op_r%d", number), "date", now.Add(-ago).Format("2006-01-02T15:04:05.000Z"), "payload", other))
		}
		return all
	}
	one := func(op map[string]any) []map[string]any { return []map[string]any{op} }
	const used, free, nothing = "used", "free", "nothing"
	for name, test := range map[string]struct {
		items []map[string]any
		want  string
	}{
		"succeeded":                      {one(set()), used},
		"queued":                         {one(set("status", "queued")), used},
		"processing":                     {one(set("status", "processing")), used},
		"a status that is not known":     {one(set("status", "paused")), used},
		"in capitals":                    {one(set("status", "SUCCEEDED")), used},
		"failed for want of money":       {one(failed("failed", "insufficient_balance")), free},
		"refused by the operator":        {one(failed("failed", "provider_rejected")), free},
		"failed at the operator":         {one(failed("failed", "provider_error")), used},
		"failed without a code":          {one(set("status", "failed")), used},
		"expired":                        {one(set("status", "expired")), used},
		"expired with a code":            {one(failed("expired", "insufficient_balance")), used},
		"queued with a code":             {one(failed("queued", "insufficient_balance")), used},
		"without a date":                 {one(set("date", nil)), used},
		"another reference":              {one(set("payload", other)), free},
		"no reference":                   {one(set("payload", map[string]any{"amount": 100})), free},
		"no payload":                     {one(set("payload", nil)), nothing},
		"a payload that says nothing":    {one(set("payload", map[string]any{"reference": "PAY-9"})), nothing},
		"an empty payload":               {one(set("payload", map[string]any{})), nothing},
		"a payload of words":             {one(set("payload", "gone")), nothing},
		"a reference of another kind":    {one(set("payload", map[string]any{"amount": 100, "reference": 7})), nothing},
		"the result says it":             {one(set("payload", nil, "result", paid("PAY-0"))), used},
		"the result says another":        {one(set("payload", nil, "result", paid("PAY-9"))), free},
		"the result does not say it":     {one(set("payload", nil, "result", paid(""))), nothing},
		"the payload is the better word": {one(set("result", paid("PAY-9"))), used},
		"behind some that are older":     {slices.Concat(rows(99, 900*time.Hour), one(set())), used},
		"behind older and newer ones":    {slices.Concat(rows(60, 900*time.Hour), rows(1, time.Hour), rows(60, 900*time.Hour), one(set())), used},
		"behind a page of older ones":    {slices.Concat(rows(100, 900*time.Hour), one(set())), free},
		"within the day to spare":        {one(set("date", now.Add(-48*time.Hour).Format("2006-01-02T15:04:05.000Z"))), used},
		"before the time and the day":    {one(set("date", now.Add(-50*time.Hour).Format("2006-01-02T15:04:05.000Z"))), free},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.server.Client(intram.WithHTTPClient(&http.Client{Transport: listed{test.items}}))
			known, err := batch.CheckHistory(t.Context(), client, b.lines, now.Add(-24*time.Hour))
			if test.want == nothing {
				require.ErrorContains(t, err, "does not say its reference")
				return
			}
			require.NoError(t, err)
			if test.want == free {
				assert.Empty(t, known)
				return
			}
			require.Len(t, known, 1)
			assert.Equal(t, b.lines[0].Number, known[0].Line)
			assert.Contains(t, known[0].Message, "op_1")
		})
	}
}

// The API has too much to do: that says nothing of the line, which is sent again later.
func TestALineThatHasToWaitIsNotRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	run, done := b.start(t, b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
		if r.Method != http.MethodPost {
			return body
		}
		resp.StatusCode = http.StatusTooManyRequests
		return []byte(`{"error":true,"code":"rate_limited","message":"later"}`)
	}))
	_ = run.Pay(t.Context())
	assert.Zero(t, statuses(run)[batch.Refused], "%v", statuses(run))
	done()
	b.paysTheRest(t, 2)
}
