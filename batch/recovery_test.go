package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/intramtest"
)

// A 409 speaks of another request, whatever its code: that one may have paid the line.
func TestAConflictOfAnyCodeLeavesItsLineInDoubt(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"idempotency_conflict", "idempotency_in_progress", "transaction_not_settled", "not_refundable", "code_of_next_year"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 3)
			var posts atomic.Int32
			run, done := b.start(t, intram.WithMaxAttempts(1), b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
				if r.Method != http.MethodPost || posts.Add(1) == 1 {
					return body
				}
				resp.StatusCode = http.StatusConflict
				return fmt.Appendf(nil, `{"error":true,"code":%q,"message":"no"}`, code)
			}))
			run.SetConcurrency(1)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Paid: 1, batch.InDoubt: 2}, statuses(run))
			assert.EqualValues(t, code, run.Results()[1].Code)
			assert.Len(t, run.Doubts(), 2)
			done()
			b.paysTheRest(t, 3)
		})
	}
}

// The machine sleeps for days between two attempts: the key of the first may be
// forgotten, so the list is asked.
func TestAMachineThatWasSuspendedLooksBack(t *testing.T) {
	t.Parallel()
	for name, executed := range map[string]bool{"executed": true, "never sent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1)
			var posts, pages atomic.Int32
			run, _ := b.start(t, intram.WithMaxAttempts(1), b.hooked(func(r *http.Request) error {
				switch {
				case r.Method != http.MethodPost:
					pages.Add(1)
					return nil
				case posts.Add(1) > 1:
					return nil
				}
				if executed {
					answer, err := b.server.Transport().RoundTrip(r.Clone(r.Context()))
					if err != nil {
						return err
					}
					_ = answer.Body.Close()
				}
				b.server.Advance(60 * time.Hour)
				return errors.New("the network is gone")
			}))
			run.SetMaxWait(0)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Unfinished: 1}, statuses(run))
			assert.EqualValues(t, map[bool]int{true: 1, false: 2}[executed], posts.Load())
			assert.Positive(t, pages.Load())
			b.requireOnceEach(t)
		})
	}
}

// No run sends what a wrong clock has dated, and the other lines go on.
func TestAnIntentOfTheFutureIsLookedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	run, done := b.start(t)
	intent, err := run.Client().Payouts.Prepare(b.lines[0].Params)
	require.NoError(t, err)
	intent.FirstSentAt = intent.FirstSentAt.Add(2 * time.Hour)
	require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
	done()
	run, _ = b.start(t, b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost && reference(t, r) == 0 {
			t.Error("the line was sent")
		}
		return nil
	}))
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1, batch.Paid: 1}, statuses(run))
	require.Len(t, run.Doubts(), 1)
	assert.Contains(t, run.Doubts()[0].Message, "the list shows none yet")
}

// Eight lines in a row without a response end the run, and not eight in all: a response
// in between shows that the API is there.
func TestALineWithAResponseBeginsTheCountAnew(t *testing.T) {
	t.Parallel()
	const lines = 30
	for _, answer := range []string{"accepted", "refused", "conflict"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, lines)
			run, _ := b.start(t, intram.WithMaxAttempts(1), intram.WithHTTPClient(&http.Client{Transport: replaced{
				hook{b.server.Transport(), func(r *http.Request) error {
					if reference(t, r)%8 != 7 && r.Method == http.MethodPost {
						return errors.New("the network is down")
					}
					return nil
				}},
				func(r *http.Request, resp *http.Response, body []byte) []byte {
					switch {
					case r.Method != http.MethodPost || answer == "accepted":
						return body
					case answer == "refused":
						resp.StatusCode = http.StatusUnprocessableEntity
						return []byte(`{"error":true,"code":"unknown_currency","message":"no"}`)
					default:
						resp.StatusCode = http.StatusConflict
						return []byte(`{"error":true,"code":"idempotency_conflict","message":"no"}`)
					}
				},
			}}))
			run.SetConcurrency(1)
			run.SetMaxWait(0)
			require.NoError(t, run.Pay(t.Context()))
			counts := statuses(run)
			assert.Zero(t, counts[batch.NotSent], "%v", counts)
		})
	}
}

// A line that a person has to settle is no sign that the API is away.
func TestManyLinesThatOnlyAPersonSettlesDoNotEndARun(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	run, done := b.start(t)
	for _, line := range b.lines[:10] {
		intent, err := run.Client().Payouts.Prepare(line.Params)
		require.NoError(t, err)
		require.NoError(t, run.Held().Put(t.Context(), line.Number, batch.Record{State: batch.Intended, Intent: intent}))
		for range 2 {
			_, err := run.Client().Payouts.Create(t.Context(), line.Params)
			require.NoError(t, err)
		}
		b.server.Advance(time.Millisecond)
	}
	done()
	b.server.Advance(60 * time.Hour)
	run, _ = b.start(t)
	run.SetConcurrency(1)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 10, batch.Paid: 2}, statuses(run))
	assert.Len(t, run.Doubts(), 10)
}

// reference is the number at the end of a payout's reference.
func reference(t *testing.T, r *http.Request) (n int) {
	t.Helper()
	if r.Method != http.MethodPost {
		return 0
	}
	body, err := r.GetBody()
	require.NoError(t, err)
	data := make([]byte, r.ContentLength)
	_, _ = body.Read(data)
	_, rest, _ := strings.Cut(string(data), "PAY-")
	_, err = fmt.Sscanf(rest, "%d", &n)
	require.NoError(t, err)
	return n
}

// Each generation of an intent has a key of its own, and each is in the journal before it
// is sent.
func TestEachIntentThatNothingCameOfHasAnotherKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	var keys []string
	down := b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost {
			if key := r.Header.Get("Idempotency-Key"); len(keys) == 0 || keys[len(keys)-1] != key {
				keys = append(keys, key)
			}
			return errors.New("the network is down")
		}
		return nil
	})
	var want []string
	for generation := range 3 {
		run, done := b.start(t, intram.WithMaxAttempts(1), down)
		key, err := run.Key(b.lines[0].Params.Reference, generation)
		require.NoError(t, err)
		want = append(want, key)
		require.NoError(t, run.Pay(t.Context()))
		assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
		records, err := run.Held().Records(t.Context())
		require.NoError(t, err)
		assert.Equal(t, generation, records[b.lines[0].Number].Generation)
		assert.Equal(t, key, records[b.lines[0].Number].Intent.IdempotencyKey)
		done()
		b.server.Advance(60 * time.Hour)
	}
	assert.Equal(t, want, keys)
	run, _ := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 1}, statuses(run))
	b.requireOnceEach(t)
}

// faulty is a journal of which some writes fail.
type faulty struct {
	batch.Journal

	fail func(batch.Record) error
}

type faultyHeld struct {
	batch.Held

	fail func(batch.Record) error
}

func (f faulty) Acquire(ctx context.Context, begin batch.Binding) (batch.Held, error) {
	held, err := f.Journal.Acquire(ctx, begin)
	return faultyHeld{held, f.fail}, err
}

func (f faultyHeld) Put(ctx context.Context, line int, record batch.Record) error {
	if err := f.fail(record); err != nil {
		return err
	}
	return f.Held.Put(ctx, line, record)
}

// A run whose lease has ended sends nothing more: neither a line, nor an intent anew.
func TestARunThatHasLostItsBatchSendsNothingMore(t *testing.T) {
	t.Parallel()
	for name, generation := range map[string]int{"a line": 0, "an intent anew": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1)
			if generation > 0 {
				run, done := b.start(t)
				intent, err := run.Client().Payouts.Prepare(b.lines[0].Params)
				require.NoError(t, err)
				require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
				done()
				b.server.Advance(60 * time.Hour)
			}
			client := b.server.Client(b.hooked(func(r *http.Request) error {
				if r.Method == http.MethodPost {
					t.Error("a line was sent")
				}
				return nil
			}))
			journal := faulty{boltjournal.At(b.path), func(r batch.Record) error {
				if r.State == batch.Intended && r.Generation == generation {
					return batch.ErrLost
				}
				return nil
			}}
			run, err := batch.Open(t.Context(), client, journal, b.lines)
			require.NoError(t, err)
			require.ErrorIs(t, run.Pay(t.Context()), batch.ErrLost)
			require.NoError(t, run.Close())
		})
	}
}

// Lines that cannot be prepared are found by Open; a line that changes behind its back is
// not sent, and the run says which it is.
func TestALineThatCannotBePreparedEndsTheRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	run, _ := b.start(t, b.hooked(func(*http.Request) error { t.Error("a call was made"); return nil }))
	spoiled := pay(b.lines[0].Number, "PAY-0", 0, "22961000000")
	run.SetLines([]batch.Line{spoiled})
	err := run.Pay(t.Context())
	require.ErrorIs(t, err, intram.CodeValidationError)
	require.ErrorContains(t, err, "line 2")
	assert.Equal(t, map[batch.State]int{batch.NotSent: 1}, statuses(run))
	assert.False(t, run.Begun())
}

// A bank sends a payout back, and says why.
func TestAResultThatFailedKeepsItsCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said string
		code intram.ErrorCode
		want batch.State
	}{
		{"", intram.CodeResultFailed, batch.Failed},
		{`,"error":{"code":"provider_rejected","message":"no","details":{"serviceref":"SR-1"}}`, intram.CodeProviderRejected, batch.Failed},
		{`,"error":{"code":"provider_error","message":"no"}`, intram.CodeProviderError, batch.FailedUnclear},
	} {
		b := newBench(t, 1)
		run, done := b.start(t, b.changing(func(_ *http.Request, _ *http.Response, body []byte) []byte {
			text := string(resultStatus.ReplaceAll(body, []byte(`${1}"failed"`)))
			if c.said != "" {
				text = strings.ReplaceAll(text, `"error":null`, c.said[1:])
			}
			return []byte(text)
		}))
		require.NoError(t, run.Pay(t.Context()))
		done()
		run, _ = b.start(t)
		assert.Equal(t, c.want, run.Results()[0].Status, c.said)
		assert.Equal(t, c.code, run.Results()[0].Code, c.said)
		assert.False(t, run.Results()[0].EndedAt.IsZero())
		if c.code == intram.CodeProviderRejected {
			assert.Equal(t, "SR-1", run.Results()[0].ProviderReference, "what to ask the operator about")
		}
	}
}

// What an operator calls a payment, and when it was made, is what an accountant asks for.
func TestTheTimesAndTheReferenceOfAPaymentAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, intramtest.WithWorker(intramtest.ByHand()))
	run, done := b.start(t)
	run.SetMaxWait(0)
	require.NoError(t, run.Pay(t.Context()))
	begun := b.server.Clock().Now()
	b.server.Advance(time.Hour)
	require.NoError(t, b.server.Complete(run.Results()[0].OperationID))
	require.NoError(t, b.server.Fail(run.Results()[1].OperationID, intram.CodeInsufficientBalance))
	done()
	b.server.Advance(time.Hour)
	run, done = b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	done()
	run, _ = b.start(t)
	op, err := b.server.Client().Operations.Get(t.Context(), run.Results()[0].OperationID)
	require.NoError(t, err)
	assert.Equal(t, op.Result.(*intram.PayoutResult).ProviderResponse.ServiceReference, run.Results()[0].ProviderReference)
	assert.NotEmpty(t, run.Results()[0].ProviderReference)
	for _, r := range run.Results() {
		assert.WithinDuration(t, begun, r.AcceptedAt, time.Minute)
		assert.WithinDuration(t, begun.Add(time.Hour), r.EndedAt, time.Minute)
	}
}
