package intram_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// transactionPage is a page of as many transactions as one can have, each with other
// values, as the API shows them.
func transactionPage(tb testing.TB) []byte {
	tb.Helper()
	var page struct {
		Error      bool             `json:"error"`
		HTTPStatus int              `json:"http_status"`
		Data       []map[string]any `json:"data"`
		Paging     json.RawMessage  `json:"paging"`
	}
	require.NoError(tb, json.Unmarshal([]byte(example(tb, "transactions.list.current.json")), &page))
	first := page.Data[0]
	page.Data = nil
	for i := range 100 {
		item := maps.Clone(first)
		item["reference"] = fmt.Sprintf("AB%08d", i)
		item["amount"] = 12000 + i
		page.Data = append(page.Data, item)
	}
	data, err := json.Marshal(page)
	require.NoError(tb, err)
	return data
}

func compact(tb testing.TB, document string) []byte {
	tb.Helper()
	var b bytes.Buffer
	require.NoError(tb, json.Compact(&b, []byte(document)))
	return b.Bytes()
}

// against runs own and base in turns, so that what else the machine does slows both, and
// reports the median of how much longer own took in a turn.
func against(b *testing.B, metric string, turn int, own, base func() error) {
	b.Helper()
	var ratios []float64
	var total time.Duration
	for b.Loop() {
		var times [2]time.Duration
		for i, f := range [...]func() error{own, base} {
			began := time.Now()
			for range turn {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = time.Since(began)
		}
		total += times[0]
		ratios = append(ratios, float64(times[0])/float64(times[1]))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], metric)
	b.ReportMetric(float64(total.Nanoseconds())/float64(b.N*turn), "ns/op")
}

// BenchmarkDecodeOperation compares reading the response to a payout with json.Unmarshal
// into the same struct: the difference is what makes sure that the response can be read
// in one way only.
func BenchmarkDecodeOperation(b *testing.B) {
	body := compact(b, example(b, "payout.accepted.current.json"))
	decode := func() error { _, err := intram.DecodeOperation(body); return err }
	against(b, "x/unmarshal", 20, decode, func() error {
		return json.Unmarshal(body, new(struct {
			Data intram.Operation `json:"data"`
		}))
	})
	b.ReportMetric(testing.AllocsPerRun(200, func() { _ = decode() }), "allocs/answer")
}

// BenchmarkDecodeTransactions is the same for a page of 100 transactions.
func BenchmarkDecodeTransactions(b *testing.B) {
	body := transactionPage(b)
	decode := func() error { _, err := intram.DecodeTransactions(body); return err }
	against(b, "x/unmarshal", 1, decode, func() error {
		return json.Unmarshal(body, new(struct {
			Data []intram.Transaction `json:"data"`
		}))
	})
	b.ReportMetric(testing.AllocsPerRun(20, func() { _ = decode() })/100, "allocs/item")
}
