package batch_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
)

// A response that a later attempt need not get says nothing against the other lines.
func TestAResponseThatPassesCostsTheOtherLinesNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 6)
			var posts atomic.Int32
			var key atomic.Value
			run, done := b.start(t, b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
				if r.Method != http.MethodPost {
					return body
				}
				if posts.Add(1) == 3 {
					key.Store(r.Header.Get("Idempotency-Key"))
				}
				if key.Load() != r.Header.Get("Idempotency-Key") {
					return body
				}
				resp.StatusCode = status
				resp.Header.Set("Content-Type", "text/html")
				return []byte("<html></html>")
			}))
			run.SetConcurrency(1)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Paid: 5, batch.InDoubt: 1}, statuses(run))
			done()
			b.paysTheRest(t, 6)
		})
	}
}

// An operator may have two wallets, such as one by its name and one by its code: its
// lines are paid from both.
func TestTheWalletsOfAnOperatorAreCountedTogether(t *testing.T) {
	t.Parallel()
	balance := &intram.Balance{Currency: intram.XOF, Available: intram.NewAmount(5000), PaymentMethods: []intram.PaymentMethodBalance{
		{PaymentMethod: "MTN Bénin", Available: intram.NewAmount(600)}, {PaymentMethod: "Moov Africa Bénin", Available: intram.NewAmount(2000)},
		{PaymentMethod: string(intram.MTNBenin), Available: intram.NewAmount(400)},
	}}
	needs := batch.Needs(balance, []batch.Line{pay(1, "A", 700, "22961000000"), pay(2, "B", 301, "22961000001")})
	assert.Equal(t, []batch.Need{{
		Operator: string(intram.MTNBenin), Lines: 2, Total: intram.NewAmount(1001), Available: intram.NewAmount(1000), Short: intram.NewAmount(1),
	}}, needs)
}

// wrongClock is so much ahead of the API's, until it is corrected.
type wrongClock struct {
	intram.Clock

	ahead atomic.Int64
}

func (c *wrongClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// A clock that was hours ahead is corrected in the middle of a run: what was read of the
// list is of no time at all, and is read again.
func TestAListThatWasReadInTheFutureIsReadAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	b.stopped(t)
	b.server.Advance(26 * time.Hour)
	clock := &wrongClock{Clock: b.server.Clock()}
	clock.ahead.Store(int64(11 * time.Hour))
	var posts atomic.Int32
	run, _ := b.start(t, intram.WithClock(clock), b.changing(func(r *http.Request, _ *http.Response, body []byte) []byte {
		if r.Method == http.MethodPost && posts.Add(1) == 3 {
			for _, line := range b.lines[5:] { // another machine pays them, of another list and so with other keys
				_, err := b.server.Client().Payouts.Create(t.Context(), line.Params)
				assert.NoError(t, err)
			}
			clock.ahead.Store(0)
		}
		return body
	}))
	run.SetConcurrency(1)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(run))
	b.requireOnceEach(t)
}
