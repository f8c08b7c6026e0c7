package intram_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// operation is GET /operations/op_1's response.
func operation(status string) step {
	return answer(200, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"`+status+`","attempts":1}}`)
}

// finished is the response when a payout has succeeded.
func finished(t *testing.T) step {
	return answer(200, exampleOf(t, "operation.payout.succeeded.current.json"))
}

// gaps is the time between one request and the next.
func (s *script) gaps() []time.Duration {
	var out []time.Duration
	all := s.requests()
	for i := 1; i < len(all); i++ {
		out = append(out, all[i].At.Sub(all[i-1].At))
	}
	return out
}

// waiting is a client in a synctest bubble, whose jitter is always the same.
func waiting(t *testing.T, percent int, steps ...step) (*intram.Client, *script) {
	t.Helper()
	s := &script{t: t, steps: steps}
	return newClient(t, s, intram.WithJitter(percent)), s
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

// 1 s, then half as long again each time, up to 10 s (section 7).
func TestPollingSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = operation("processing")
		began := time.Now()
		op, err := client.WaitForOperation(t.Context(), "op_1")
		assert.Nil(t, op)
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, 60*sec, time.Since(began), "60 s by default")
		const us = time.Microsecond
		assert.Equal(t, []time.Duration{
			1000 * ms, 1500 * ms, 2250 * ms, 3375 * ms, 5062500 * us, 7593750 * us, 10 * sec, 10 * sec, 10 * sec,
			9218750 * us, // what is left of the wait
		}, s.gaps())
		assert.Zero(t, s.requests()[0].At.Sub(began), "the first look is at once")
	})
}

// The jitter spreads a wait by a quarter either way, and stays within the bounds that
// were asked for.
func TestPollingJitter(t *testing.T) {
	t.Parallel()
	for percent, want := range map[int][]time.Duration{
		0:   {1000 * ms, 1125 * ms, 1687 * ms, 2531 * ms, 3796 * ms, 5695 * ms, 7500 * ms, 7500 * ms},
		100: {1250 * ms, 1875 * ms, 2812 * ms, 4218 * ms, 6328 * ms, 9492 * ms, 10000 * ms, 10000 * ms},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, percent, slices.Repeat([]step{operation("queued")}, 8)...)
			s.forever = finished(t)
			_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(0))
			require.NoError(t, err)
			gaps := s.gaps()
			for i := range gaps {
				gaps[i] = gaps[i].Truncate(ms)
			}
			assert.Equal(t, want, gaps, "%d %%", percent)
		})
	}
}

func TestPollIntervalOption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, slices.Repeat([]step{operation("queued")}, 5)...)
		s.forever = finished(t)
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithPollInterval(200*ms, 500*ms), nil)
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{200 * ms, 300 * ms, 450 * ms, 500 * ms, 500 * ms}, s.gaps())
	})
}

// A Retry-After goes first, on success and on failure, and is bounded by the wait and by
// five minutes.
func TestRetryAfterPacesPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50,
			answer(200, `{"error":false,"data":{"operation_id":"op_1","status":"queued"}}`, "Retry-After", "7"),
			answer(429, `{"error":true,"code":"rate_limited"}`, "Retry-After", "20"),
			answer(503, "", "Retry-After", "40"), // beyond what one call waits for
			answer(503, "", "Retry-After", "garbage"),
			answer(503, "", "Retry-After", "999999999999999999999"),
			finished(t))
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(0))
		require.NoError(t, err)
		gaps := s.gaps()
		assert.Equal(t, []time.Duration{7 * sec, 20 * sec, 40 * sec}, gaps[:3])
		assert.Equal(t, 5*time.Minute, gaps[4])
	})
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = answer(429, "{}", "Retry-After", "3600")
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(90*sec))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 90*sec, time.Since(began), "not longer than the wait lasts")
	})
}

func TestWaitEndsWithTheOperationAsLastSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, operation("queued"))
		s.forever = operation("processing")
		began := time.Now()
		op, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(10*sec))
		assert.Nil(t, op)
		assert.Equal(t, 10*sec, time.Since(began))
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		require.NotNil(t, wait.Operation)
		assert.Equal(t, intram.OperationProcessing, wait.Operation.Status)
		assert.Nil(t, wait.Transaction)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "it may yet succeed")
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(fmt.Errorf("payout 7: %w", err)))
		assert.Contains(t, err.Error(), "wait for op_1")
		assert.Contains(t, err.Error(), "last seen processing")
		assert.Contains(t, err.Error(), "10s")
	})
	// Never seen at all: the last failure says why.
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = answer(503, `{"error":true,"code":"internal_error"}`)
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(10*sec))
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Nil(t, wait.Operation)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, err.Error(), "never seen")
		require.ErrorIs(t, err, intram.CodeInternalError, "what the last lookup said is in the chain")
		assert.Contains(t, err.Error(), "internal_error")
	})
}

func TestContextEndsAWait(t *testing.T) {
	t.Parallel()
	// Between two looks.
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = operation("processing")
		ctx, cancel := context.WithTimeout(t.Context(), 3*sec)
		defer cancel()
		began := time.Now()
		_, err := client.WaitForOperation(ctx, "op_1")
		assert.Equal(t, 3*sec, time.Since(began), "at once")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, intram.OperationProcessing, wait.Operation.Status)
	})
	// In the middle of a look.
	synctest.Test(t, func(t *testing.T) {
		client, _ := waiting(t, 50, operation("queued"), hang)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			assert.NoError(t, intram.SystemClock.Sleep(t.Context(), 5*sec))
			cancel()
		}()
		began := time.Now()
		_, err := client.WaitForOperation(ctx, "op_1")
		assert.Equal(t, 5*sec, time.Since(began))
		require.ErrorIs(t, err, context.Canceled)
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, intram.OperationQueued, wait.Operation.Status, "the last one seen")
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	})
	// Before it began.
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.WaitForOperation(ctx, "op_1")
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, s.requests())
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
	})
}

// A look that hangs does not outlast the wait.
func TestHangingLookIsBoundedByTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50, operation("queued"))
		s.forever = hang
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(10*sec))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 10*sec, time.Since(began))
	})
	// The look at the very end is given the time that a network needs, and no more.
	synctest.Test(t, func(t *testing.T) {
		slow := func(after time.Duration) step {
			return func(req *http.Request) (*http.Response, error) {
				if err := intram.SystemClock.Sleep(req.Context(), after); err != nil {
					return nil, err
				}
				return finished(t)(req)
			}
		}
		client, _ := waiting(t, 50, operation("queued"), slow(900*ms))
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(500*ms))
		require.NoError(t, err)
		assert.Equal(t, 1400*ms, time.Since(began))

		client, _ = waiting(t, 50, operation("queued"), slow(1100*ms))
		began = time.Now()
		_, err = client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(500*ms))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1500*ms, time.Since(began))
	})
	synctest.Test(t, func(t *testing.T) {
		client, _ := waiting(t, 50, hang, finished(t))
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(0))
		require.NoError(t, err)
		assert.Equal(t, 31*sec, time.Since(began), "the client's own timeout, and a pause")
	})
}

// What may pass does not end a wait: each look is one attempt, and the wait is the retry
// loop.
func TestPassingFailuresDoNotEndAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50,
			lost, refused, answer(500, `{"error":true,"code":"internal_error"}`), answer(502, "<html>"), answer(429, "{}"), answer(200, "<html>"),
			answer(200, `{"error":false,"data":{}}`), answer(408, ""), answer(200, `{"error":false,"data":{"operation_id":"op_1"`),
			operation("on_hold"), operation(""), operation("success"), finished(t))
		var seen []string
		result, err := client.Payouts.Wait(t.Context(), "op_1", intram.WithMaxWait(0), intram.WithProgress(func(op *intram.Operation) {
			seen = append(seen, string(op.Status))
		}))
		require.NoError(t, err)
		assert.Equal(t, "PO-2026-0001", result.Reference)
		assert.Len(t, s.requests(), 13)
		assert.Equal(t, []string{"on_hold", "", "success", "succeeded"}, seen, "an unknown status is not finished yet; failures are no progress")
	})
}

// A lookup can meet a replica that has not heard of the operation yet: that there is none
// is believed after 15 s.
func TestOperationThatIsNotFoundYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	unknown := func(code intram.ErrorCode) step { return answer(404, `{"error":true,"code":"`+string(code)+`"}`) }
	waits := map[string]struct {
		code intram.ErrorCode
		wait func(*intram.Client) error
		seen step
	}{
		"one": {intram.CodeOperationNotFound, func(c *intram.Client) error {
			_, err := c.Payouts.Wait(context.Background(), "op_1")
			return err
		}, finished(t)},
		"many": {intram.CodeOperationNotFound, func(c *intram.Client) (err error) {
			for _, one := range c.WaitMany(context.Background(), []string{"op_1"}) {
				err = one
			}
			return err
		}, finished(t)},
		"a transaction": {intram.CodeTransactionNotFound, func(c *intram.Client) error {
			_, err := c.Transactions.Wait(context.Background(), "AB12CD34EF")
			return err
		}, answer(200, `{"error":false,"data":{"reference":"AB12CD34EF","status":"SUCCESS"}}`)},
	}
	for name, tt := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				no := unknown(tt.code)
				client, _ := waiting(t, 50, no, no, no, no, tt.seen) // known after 8 s
				require.NoError(t, tt.wait(client))

				client, s := waiting(t, 50)
				s.forever = no
				began := time.Now()
				err := tt.wait(client)
				require.ErrorIs(t, err, tt.code)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 15*time.Second, time.Since(began), "asked once more at the end")
				assert.Len(t, s.requests(), 7)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // a wait that begins while another has been told so for a while
		client, s := waiting(t, 50)
		s.forever = unknown(intram.CodeOperationNotFound)
		go func() { _, _ = client.WaitForOperation(t.Context(), "op_1") }()
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 14*time.Second))
		began := time.Now()
		_, err := client.WaitForOperation(t.Context(), "op_1")
		require.ErrorIs(t, err, intram.CodeOperationNotFound)
		assert.Equal(t, 15*time.Second, time.Since(began))
	})
}

// A permanent refusal does.
func TestRefusalsEndAWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		code   intram.ErrorCode
	}{
		{404, intram.CodeOperationNotFound}, {401, intram.CodeSignatureInvalid}, {403, intram.CodeMerchantInactive}, {400, intram.CodeValidationError},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50, operation("processing"), answer(tt.status, `{"error":true,"code":"`+string(tt.code)+`"}`))
			op, err := client.WaitForOperation(t.Context(), "op_1")
			assert.Nil(t, op)
			var wait *intram.WaitError
			require.ErrorAs(t, err, &wait)
			assert.Equal(t, intram.OperationProcessing, wait.Operation.Status)
			require.ErrorIs(t, err, tt.code)
			var call *intram.Error
			require.ErrorAs(t, err, &call)
			assert.Equal(t, tt.status, call.StatusCode)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "the lookup was refused, not the payout")
			assert.Len(t, s.requests(), 2)
		})
	}
}

func TestFailedOperationEndsAWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body    string
		code    intram.ErrorCode
		outcome intram.Outcome
	}{
		"failed":              {exampleOf(t, "operation.failed.current.json"), intram.CodeInsufficientBalance, intram.OutcomeRejected},
		"rejected":            {exampleOf(t, "operation.provider_rejected.current.json"), intram.CodeProviderRejected, intram.OutcomeRejected},
		"expired":             {`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"expired"}}`, intram.CodeOperationExpired, intram.OutcomeUnknown},
		"expired, with words": {`{"error":false,"data":{"operation_id":"op_1","status":"expired","error":{"code":"provider_rejected"}}}`, intram.CodeProviderRejected, intram.OutcomeUnknown},
		"FAILED in capitals":  {`{"error":false,"data":{"operation_id":"op_1","status":"FAILED","error":{"code":"not_refundable"}}}`, intram.CodeNotRefundable, intram.OutcomeRejected},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50, operation("queued"), answer(200, tt.body))
			op, err := client.WaitForOperation(t.Context(), "op_1")
			assert.Nil(t, op, name)
			var failed *intram.OperationError
			require.ErrorAs(t, err, &failed, name)
			require.ErrorIs(t, err, tt.code, name)
			assert.Equal(t, tt.code, failed.Code)
			assert.NotEmpty(t, failed.OperationID)
			require.NotNil(t, failed.Operation, "the whole operation comes with it")
			assert.True(t, failed.Operation.Status.Finished())
			assert.Equal(t, tt.outcome, intram.OutcomeOf(err))
			assert.Len(t, s.requests(), 2)
			var wait *intram.WaitError
			assert.NotErrorAs(t, err, &wait, "the wait did not end first")
		})
	}
	// A failure without a word is one all the same.
	synctest.Test(t, func(t *testing.T) {
		client, _ := waiting(t, 50, operation("failed"))
		_, err := client.Payouts.Wait(t.Context(), "op_1")
		var failed *intram.OperationError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "it does not say that nothing moved")
		assert.Contains(t, err.Error(), "op_1")
	})
}

// Typed waits unpack the result, and take no other for it.
func TestTypedWaits(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"payout": "operation.payout.succeeded.current.json", "request": "operation.payment_request.succeeded.current.json",
		"refund": "operation.refund.succeeded.current.json",
	}
	waits := map[string]func(context.Context, *intram.Client) (any, error){
		"payout": func(ctx context.Context, c *intram.Client) (any, error) {
			r, err := c.Payouts.Wait(ctx, "op_1")
			if r == nil {
				return nil, err
			}
			return r.Reference, err
		},
		"request": func(ctx context.Context, c *intram.Client) (any, error) {
			r, err := c.PaymentRequests.Wait(ctx, "op_1")
			if r == nil {
				return nil, err
			}
			return r.TransactionReference, err
		},
		"refund": func(ctx context.Context, c *intram.Client) (any, error) {
			r, err := c.Refunds.Wait(ctx, "op_1")
			if r == nil {
				return nil, err
			}
			return r.RefundReference, err
		},
	}
	want := map[string]any{"payout": "PO-2026-0001", "request": "AB12CD34EF", "refund": "9DEFGH1234"}
	for waited, wait := range waits {
		for kind, file := range files {
			synctest.Test(t, func(t *testing.T) {
				client, _ := waiting(t, 50, answer(200, exampleOf(t, file)))
				got, err := wait(t.Context(), client)
				if kind == waited {
					require.NoError(t, err)
					assert.Equal(t, want[kind], got)
					return
				}
				require.ErrorIs(t, err, intram.ErrUnexpectedResult, "%s's id given to %s", kind, waited)
				assert.Nil(t, got)
				assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "it succeeded: nothing says that no money moved")
			})
		}
		// Succeeded, with nothing to show for it, or with something that cannot be read.
		for _, body := range []string{
			`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded","result":null}}`,
			`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded"}}`,
			`{"error":false,"data":{"operation_id":"op_1","type":"refund","status":"succeeded","result":[1]}}`,
		} {
			synctest.Test(t, func(t *testing.T) {
				client, _ := waiting(t, 50, answer(200, body))
				got, err := wait(t.Context(), client)
				require.ErrorIs(t, err, intram.ErrUnexpectedResult)
				assert.Nil(t, got)
			})
		}
	}
}

func TestWaitForATransaction(t *testing.T) {
	t.Parallel()
	tx := func(status string) step {
		return answer(200, `{"error":false,"data":{"reference":"AB12CD34EF","status":"`+status+`","amount":12000}}`)
	}
	for _, end := range []string{"SUCCESS", "ERROR", "REFUNDED", "success"} {
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 50, tx("PENDING"), lost, tx("IN_REVIEW"), tx(end))
			got, err := client.Transactions.Wait(t.Context(), "AB12CD34EF", intram.WithProgress(func(*intram.Operation) {
				t.Error("a transaction is no operation")
			}))
			require.NoError(t, err, "paid or not, it ended")
			assert.True(t, got.Status.Finished())
			assert.Len(t, s.requests(), 4)
			assert.Equal(t, "/v1/transactions/AB12CD34EF", s.last().Path)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = tx("PENDING")
		began := time.Now()
		got, err := client.Transactions.Wait(t.Context(), "AB12CD34EF")
		assert.Nil(t, got)
		assert.Equal(t, 6*time.Minute, time.Since(began), "a customer has 6 minutes")
		var wait *intram.WaitError
		require.ErrorAs(t, err, &wait)
		require.NotNil(t, wait.Transaction)
		assert.Equal(t, intram.TransactionPending, wait.Transaction.Status)
		assert.Nil(t, wait.Operation)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, err.Error(), "AB12CD34EF")
		assert.Contains(t, err.Error(), "last seen PENDING")
	})
	synctest.Test(t, func(t *testing.T) {
		client, s := waiting(t, 50)
		s.forever = answer(404, `{"error":true,"code":"transaction_not_found"}`)
		_, err := client.Transactions.Wait(t.Context(), "AB12CD34EF")
		require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	})
}

// The clock that is injected paces a wait, not the machine's.
func TestWaitsGoByTheInjectedClock(t *testing.T) {
	t.Parallel()
	clock := &countingClock{now: at1030}
	s := &script{t: t, forever: operation("queued")}
	client := newClient(t, s, intram.WithClock(clock), intram.WithJitter(50))
	_, err := client.WaitForOperation(t.Context(), "op_1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, at1030.Add(60*sec), clock.Now())
	assert.Equal(t, sec, clock.sleeps[0])
	for _, sent := range s.requests() {
		assert.NotEmpty(t, sent.Header.Get("X-Timestamp"))
	}
	assert.Equal(t, "2026-05-20T10:30:00.000Z", s.requests()[0].Header.Get("X-Timestamp"), "and dates the requests")
}

// countingClock moves when it is slept on.
type countingClock struct {
	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
}

func (c *countingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *countingClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.sleeps = c.now.Add(d), append(c.sleeps, d)
	return ctx.Err()
}

// A call's retries wait by the context: it ends them at once.
func TestContextEndsARetryAtOnce(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{
		"backoff": lost, "Retry-After": answer(429, "{}", "Retry-After", "25"), "hanging": hang,
	} {
		lasts := 100 * ms
		if name == "Retry-After" {
			lasts = 0 // the context cannot last that long: nothing is left to wait for
		}
		synctest.Test(t, func(t *testing.T) {
			client, s := waiting(t, 99, first)
			s.forever = hang
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			defer cancel()
			began := time.Now()
			_, err := client.Payouts.Create(ctx, mobilePayout())
			assert.Equal(t, lasts, time.Since(began), name)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.NotEmpty(t, e.IdempotencyKey)
			assert.Equal(t, http.MethodPost, e.Method)
		})
	}
}
