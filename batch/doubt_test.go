package batch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
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

// replaced changes what comes back, after the API has done its work.
type replaced struct {
	next   http.RoundTripper
	change func(*http.Request, *http.Response, []byte) []byte
}

func (c replaced) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	body = c.change(r, resp, body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

func (b *bench) changing(change func(*http.Request, *http.Response, []byte) []byte) intram.ClientOption {
	return intram.WithHTTPClient(&http.Client{Transport: replaced{b.server.Transport(), change}})
}

// A firewall looks at what comes back: its page says nothing of what the API did.
func TestAnAnswerWithoutTheAPIsCodeStopsTheBatchAndCostsNoLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		page   string
	}{
		{"a firewall's page", 403, "<html>Forbidden</html>"},
		{"a proxy's page", 404, "<html>Not Found</html>"},
		{"a gateway's conflict", 409, `{"message":"Conflict"}`},
		{"a law", 451, ""},
		{"no error at all", 400, `{"error":false,"data":null}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 12)
			var posts atomic.Int32
			run, done := b.start(t, b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
				if r.Method != http.MethodPost || posts.Add(1) != 3 {
					return body
				}
				resp.StatusCode = test.status
				resp.Header.Set("Content-Type", "text/html")
				return []byte(test.page)
			}))
			run.SetConcurrency(1)
			require.ErrorContains(t, run.Pay(t.Context()), "batch: stopped")
			counts := statuses(run)
			assert.Equal(t, 1, counts[batch.InDoubt], "it was executed: %v", counts)
			assert.Zero(t, counts[batch.Refused]+counts[batch.Failed])
			assert.Equal(t, 9, counts[batch.NotSent])
			done()
			b.paysTheRest(t, 12)
		})
	}
}

func TestAKeyThatAnotherRequestHasLeavesItsLineInDoubt(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	run, done := b.start(t)
	// A copy of the file with a note was run by another program, with the keys of this
	// one.
	key, err := run.Key(b.lines[1].Params.Reference, 0)
	require.NoError(t, err)
	params := b.lines[1].Params
	params.Note = "for March"
	paid, err := b.server.Client().Payouts.Create(t.Context(), params, intram.WithIdempotencyKey(key))
	require.NoError(t, err)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 2, batch.InDoubt: 1}, statuses(run))
	assert.Equal(t, intram.CodeIdempotencyConflict, run.Results()[1].Code)
	require.Len(t, run.Doubts(), 1)
	assert.Equal(t, 3, run.Doubts()[0].Line)
	done()
	// When the key has expired, the line is looked for, and found.
	b.server.Advance(50 * time.Hour)
	run, _ = b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, paid.ID, run.Results()[1].OperationID)
	assert.Equal(t, map[batch.State]int{batch.Paid: 3}, statuses(run))
	b.requireOnceEach(t)
}

var resultStatus = regexp.MustCompile(`("status":\s*)"completed"`)

func TestOnlyTheWordsThatMeanItMakeALinePaid(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]batch.State{
		"completed": batch.Paid, "COMPLETED": batch.Paid, "queued_for_settlement": batch.Queued, "Queued_For_Settlement": batch.Queued,
		"failed": batch.Failed, "FAILED": batch.Failed, "reversed": batch.Unfinished, "returned_by_bank": batch.Unfinished, "": batch.Unfinished,
		"paid?": batch.Unfinished,
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1)
			run, done := b.start(t, b.changing(func(_ *http.Request, _ *http.Response, body []byte) []byte {
				return resultStatus.ReplaceAll(body, []byte(`${1}"`+word+`"`))
			}))
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{want: 1}, statuses(run))
			if want != batch.Unfinished {
				return
			}
			assert.EqualValues(t, "unknown_result", run.Results()[0].Code)
			done()
			// The word is asked for again, by a version that knows it or when it has
			// changed.
			run, _ = b.start(t)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Paid: 1}, statuses(run))
			assert.Empty(t, run.Results()[0].Code)
		})
	}
}

func TestAFailureThatTheOperatorMayHavePaidIsToldApart(t *testing.T) {
	t.Parallel()
	for code, want := range map[intram.ErrorCode]batch.State{
		intram.CodeInsufficientBalance: batch.Failed, intram.CodeProviderRejected: batch.Failed, intram.CodeMissingProviderCode: batch.Failed,
		intram.CodeProviderError: batch.FailedUnclear, intram.CodeProviderUnavailable: batch.FailedUnclear,
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1, intramtest.WithWorker(intramtest.ByHand()))
			run, done := b.start(t)
			run.SetMaxWait(0)
			require.NoError(t, run.Pay(t.Context()))
			done()
			require.NoError(t, b.server.Fail(run.Results()[0].OperationID, code))
			run, _ = b.start(t)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{want: 1}, statuses(run))
			// A new file with the same reference is only taken when no money can have
			// moved.
			known, err := batch.CheckHistory(t.Context(), b.server.Client(), b.lines, b.server.Clock().Now().Add(-time.Hour))
			require.NoError(t, err)
			assert.Len(t, known, map[batch.State]int{batch.Failed: 0, batch.FailedUnclear: 1}[want])
		})
	}
	assert.True(t, batch.Unclear(intram.CodeOperationExpired))
	assert.True(t, batch.Unclear(""))
}

// The status decides before the code: an operation that expired may have been paid,
// whatever its code says of failures.
func TestAnOperationThatExpiredMayHaveBeenPaid(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, intramtest.WithWorker(intramtest.ByHand()))
	run, done := b.start(t)
	run.SetMaxWait(0)
	require.NoError(t, run.Pay(t.Context()))
	done()
	require.NoError(t, b.server.Fail(run.Results()[0].OperationID, intram.CodeInsufficientBalance))
	run, done = b.start(t, b.changing(func(_ *http.Request, _ *http.Response, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"status":"failed"`), []byte(`"status":"expired"`))
	}))
	require.NoError(t, run.Pay(t.Context()))
	require.Equal(t, map[batch.State]int{batch.FailedUnclear: 1}, statuses(run))
	assert.Equal(t, intram.CodeInsufficientBalance, run.Results()[0].Code)
	done()
	run, _ = b.start(t)
	assert.Equal(t, map[batch.State]int{batch.FailedUnclear: 1}, statuses(run), "the journal remembers it")
}

func TestTheHistoryHasADayToSpare(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	_, err := b.server.Client().Payouts.Create(t.Context(), b.lines[0].Params)
	require.NoError(t, err)
	for since, want := range map[time.Duration]int{-time.Hour: 1, 20 * time.Hour: 1, 26 * time.Hour: 0} {
		known, err := batch.CheckHistory(t.Context(), b.server.Client(), b.lines, b.server.Clock().Now().Add(since))
		require.NoError(t, err)
		assert.Len(t, known, want, "this machine's clock is %v ahead", since)
	}
}

// ahead is a machine's clock that is wrong.
type ahead struct {
	intram.Clock

	by time.Duration
}

func (a ahead) Now() time.Time { return a.Clock.Now().Add(a.by) }

// interrupted makes a batch whose only line was executed, and whose response was lost.
func interrupted(t *testing.T, by time.Duration) *bench {
	t.Helper()
	b := newBench(t, 1)
	clock := ahead{b.server.Clock(), by}
	run, done := b.start(t, intram.WithClock(clock), intram.WithMaxAttempts(2), b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
		if r.Method == http.MethodPost && resp.StatusCode == http.StatusAccepted {
			resp.StatusCode = http.StatusBadGateway
			return []byte("Bad Gateway")
		}
		return body
	}))
	require.NoError(t, run.Pay(t.Context()))
	require.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
	require.Len(t, b.asked(t), 1)
	done()
	b.server.Advance(60 * time.Hour)
	return b
}

func TestAClockThatIsHoursOffPaysNoOldIntentTwice(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-5 * time.Hour, -3 * time.Hour, 3 * time.Hour, 8 * time.Hour} {
		b := interrupted(t, by)
		clock := ahead{b.server.Clock(), by}
		run, _ := b.start(t, intram.WithClock(clock))
		require.NoError(t, run.Pay(t.Context()))
		assert.Equal(t, map[batch.State]int{batch.Paid: 1}, statuses(run), "%v", by)
		b.requireOnceEach(t)
	}
}

func TestAListThatDoesNotSayEnoughProvesNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(item map[string]any) any{
		"no payload":           func(item map[string]any) any { delete(item, "payload"); delete(item, "result"); return item },
		"a payload of null":    func(item map[string]any) any { item["payload"] = nil; delete(item, "result"); return item },
		"an unreadable item":   func(map[string]any) any { return "operation" },
		"an unreadable status": func(item map[string]any) any { item["operation_id"] = []any{}; return item },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := interrupted(t, 0)
			run, _ := b.start(t, b.changing(func(r *http.Request, _ *http.Response, body []byte) []byte {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/operations") {
					return body
				}
				var page map[string]any
				require.NoError(t, json.Unmarshal(body, &page))
				items, _ := page["data"].([]any)
				for i := range items {
					items[i] = change(items[i].(map[string]any))
				}
				changed, err := json.Marshal(page)
				require.NoError(t, err)
				return changed
			}))
			_ = run.Pay(t.Context()) // some of these end the run
			assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
			b.requireOnceEach(t)
			_, err := batch.CheckHistory(t.Context(), run.Client(), b.lines, b.server.Clock().Now().Add(-100*time.Hour))
			require.ErrorContains(t, err, "nothing was sent")
		})
	}
}

func TestAnIntentThatNothingCameOfIsSentAnewWithANewKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run, done := b.start(t)
	intent, err := run.Client().Payouts.Prepare(b.lines[0].Params)
	require.NoError(t, err)
	require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
	done()
	b.server.Advance(60 * time.Hour)
	var keys []string
	run, _ = b.start(t, b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
		}
		return nil
	}))
	require.NoError(t, run.Pay(t.Context()))
	want, err := run.Key(b.lines[0].Params.Reference, 1)
	require.NoError(t, err)
	assert.Equal(t, []string{want}, keys)
	records, err := run.Held().Records(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, records[b.lines[0].Number].Generation)
	b.requireOnceEach(t)
}

// Every begun line is looked for before it is sent. What was read of the list serves them
// all.
func TestTheListIsReadOnceForAllOldLines(t *testing.T) {
	t.Parallel()
	for name, executed := range map[string]bool{"executed": true, "never sent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const lines = 200
			b := newBench(t, lines)
			run, done := b.start(t)
			for _, line := range b.lines {
				key, err := run.Key(line.Params.Reference, 0)
				require.NoError(t, err)
				intent, err := run.Client().Payouts.Prepare(line.Params, intram.WithIdempotencyKey(key))
				require.NoError(t, err)
				require.NoError(t, run.Held().Put(t.Context(), line.Number, batch.Record{State: batch.Intended, Intent: intent}))
				if executed {
					_, err = run.Client().Payouts.Create(t.Context(), line.Params, intram.WithIntent(intent))
					require.NoError(t, err)
				}
				b.server.Advance(time.Second)
			}
			done()
			b.server.Advance(60 * time.Hour)
			var posts, pages atomic.Int32
			var mu sync.Mutex
			cursors := map[string]int{}
			run, _ = b.start(t, b.hooked(func(r *http.Request) error {
				switch {
				case r.Method == http.MethodPost:
					posts.Add(1)
					b.server.Advance(time.Millisecond) // a page cannot hold more of one millisecond
				case strings.HasSuffix(r.URL.Path, "/operations"):
					pages.Add(1)
					mu.Lock()
					defer mu.Unlock()
					cursors[r.URL.Query().Get("before")]++
				}
				return nil
			}))
			run.SetConcurrency(8)
			run.SetMaxWait(0) // without the pages that waits read
			require.NoError(t, run.Pay(t.Context()))
			counts := statuses(run)
			assert.Equal(t, map[batch.State]int{batch.Unfinished: lines}, counts)
			assert.EqualValues(t, map[bool]int{true: 0, false: lines}[executed], posts.Load())
			if !executed {
				cursors[""]-- // once more for the lines, by reference, before new keys are used
			}
			for cursor, n := range cursors {
				assert.Equal(t, 1, n, "the page before %q was read again", cursor)
			}
			assert.LessOrEqual(t, int(pages.Load()), lines/100+2, "two full pages, and what proves that there are no more")
			b.requireOnceEach(t)
		})
	}
}

// listing changes the pages of operations before they are read.
func (b *bench) listing(t *testing.T, change func(resp *http.Response, items []any)) intram.ClientOption {
	t.Helper()
	return b.changing(func(r *http.Request, resp *http.Response, body []byte) []byte {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/operations") {
			return body
		}
		var page map[string]any
		if err := json.Unmarshal(body, &page); err != nil {
			return body
		}
		items, _ := page["data"].([]any)
		change(resp, items)
		changed, err := json.Marshal(page)
		if err != nil {
			return body
		}
		return changed
	})
}

// A list is as old as its items say, and not as one of them says.
func TestTheHistoryIsNotLeftBecauseOfOneDate(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	for _, line := range b.lines {
		_, err := b.server.Client().Payouts.Create(t.Context(), line.Params)
		require.NoError(t, err)
		b.server.Advance(time.Minute)
	}
	client := b.server.Client(b.listing(t, func(_ *http.Response, items []any) {
		if len(items) == len(b.lines) {
			newest := items[0].(map[string]any)
			newest["date"], newest["created_at"] = "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"
		}
	}))
	known, err := batch.CheckHistory(t.Context(), client, b.lines[:2], b.server.Clock().Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Len(t, known, 2)
}

func TestAHistoryThatACacheKeptProvesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	_, err := b.server.Client().Payouts.Create(t.Context(), b.lines[0].Params)
	require.NoError(t, err)
	client := b.server.Client(b.listing(t, func(resp *http.Response, _ []any) { resp.Header.Set("Age", "3600") }))
	_, err = batch.CheckHistory(t.Context(), client, b.lines, b.server.Clock().Now().Add(-time.Hour))
	require.ErrorContains(t, err, "cache")
	require.ErrorContains(t, err, "nothing was sent")
}

// Two people pay the same list, each with a journal: the first is stopped by an outage,
// the second pays it, and the first goes on.
func TestAListThatAnotherMachineHasPaidMeanwhileIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, after time.Duration }{
		{0, time.Hour},
		{0, 10 * time.Hour},
		{0, 26 * time.Hour},
		{0, 40 * 24 * time.Hour},
		{9 * time.Hour, 26 * time.Hour},
		{3 * 24 * time.Hour, 2 * 24 * time.Hour},
		{3 * 24 * time.Hour, 40 * 24 * time.Hour},
	} {
		t.Run(test.before.String()+" and "+test.after.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 12)
			here := b.stopped(t)
			b.server.Advance(test.before)
			b.path = filepath.Join(t.TempDir(), "journal of the other machine")
			run, _ := b.start(t)
			require.NoError(t, run.Pay(t.Context()))
			paid := run.Results()

			b.path = here
			b.server.Advance(test.after)
			run, _ = b.start(t)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(run))
			for i, result := range run.Results() {
				assert.Equal(t, paid[i].OperationID, result.OperationID)
			}
			b.requireOnceEach(t)
		})
	}
}

// stopped begins the batch, and a firewall stops it at the first line, which is in doubt
// and was not executed.
func (b *bench) stopped(t *testing.T) (journal string) {
	t.Helper()
	run, done := b.start(t)
	run.SetConcurrency(1)
	require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.ProxyRefusal, On: "POST /payouts"}))
	require.ErrorContains(t, run.Pay(t.Context()), "batch: stopped")
	require.Equal(t, map[batch.State]int{batch.InDoubt: 1, batch.NotSent: len(b.lines) - 1}, statuses(run))
	done()
	return b.path
}

func TestALineWhoseReferencePaidSomethingElseMeanwhileIsNotSent(t *testing.T) {
	t.Parallel()
	for _, number := range []int{0, 2} { // the one in doubt, and one that was never sent
		b := newBench(t, 3)
		b.stopped(t)
		b.server.Advance(3 * 24 * time.Hour)
		other := b.lines[number].Params
		other.Amount = intram.NewAmount(5000)
		op, err := b.server.Client().Payouts.Create(t.Context(), other)
		require.NoError(t, err)
		b.server.Advance(2 * 24 * time.Hour)
		run, done := b.start(t)
		require.NoError(t, run.Pay(t.Context()))
		assert.Equal(t, 2, statuses(run)[batch.Paid])
		require.Len(t, run.Doubts(), 1)
		assert.Equal(t, b.lines[number].Number, run.Doubts()[0].Line)
		assert.Equal(t, batch.KnownReference, run.Doubts()[0].Kind)
		assert.Contains(t, run.Doubts()[0].Message, op.ID)
		b.requireOnceEach(t)
		done()
		// A caller that knows of another payout allows its reference.
		run, err = batch.Open(t.Context(), b.server.Client(), boltjournal.At(b.path), b.lines, batch.WithRules(batch.Rules{AllowKnownReferences: true}))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, run.Close()) })
		require.NoError(t, run.Pay(t.Context()))
		assert.Equal(t, map[batch.State]int{batch.Paid: 3}, statuses(run))
		assert.Equal(t, 2, b.asked(t)[other.Reference])
	}
}

// A laptop is closed in the middle of a run, for the weekend.
func TestAListThatAnotherMachineHasPaidWhileThisOneSleptIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{0, 26 * time.Hour} { // the list is read before the laptop is closed, for the batch that is old by then
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 12)
			b.stopped(t)
			b.server.Advance(age)
			var posts atomic.Int32
			var run *batch.Run
			run, _ = b.start(t, b.changing(func(r *http.Request, _ *http.Response, body []byte) []byte {
				if r.Method == http.MethodPost && posts.Add(1) == 3 {
					for _, line := range b.lines[5:] { // what the other machine had not found paid
						key, err := run.Key(line.Params.Reference, 0)
						assert.NoError(t, err)
						_, err = b.server.Client().Payouts.Create(t.Context(), line.Params, intram.WithIdempotencyKey(key))
						assert.NoError(t, err)
					}
					b.server.Advance(60 * time.Hour)
				}
				return body
			}))
			run.SetConcurrency(1)
			require.NoError(t, run.Pay(t.Context()))
			assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(run))
			b.requireOnceEach(t)
		})
	}
}

func TestAListThatCannotBeReadSendsNoLineOfAnOldBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	b.stopped(t)
	b.server.Advance(26 * time.Hour)
	require.NoError(t, b.server.Fault(intramtest.Fault{Kind: intramtest.NotJSON, On: "GET /operations", Times: 1000}))
	run, done := b.start(t)
	require.ErrorContains(t, run.Pay(t.Context()), "the list of operations is needed")
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1, batch.NotSent: 2}, statuses(run))
	done()
	b.server.ClearFaults()
	assert.Empty(t, b.asked(t))
	b.paysTheRest(t, 3)
}
