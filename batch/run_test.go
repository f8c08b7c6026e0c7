package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// bench is a batch of a test: a server, so many good lines, and their journal.
type bench struct {
	server *intramtest.Server
	lines  []batch.Line
	path   string
}

// pay is a payout by mobile money.
func pay(number int, reference string, amount int64, msisdn string) batch.Line {
	return batch.Line{Number: number, Params: intram.PayoutParams{
		Reference: reference, Amount: intram.NewAmount(amount),
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
	}}
}

func newBench(t *testing.T, lines int, opts ...intramtest.Option) *bench {
	t.Helper()
	b := &bench{server: intramtest.NewServer(t, opts...), path: filepath.Join(t.TempDir(), "journal")}
	for i := range lines {
		b.lines = append(b.lines, pay(i+2, fmt.Sprintf("PAY-%d", i), int64(100+i), fmt.Sprintf("22961%06d", 100000+i)))
	}
	return b
}

// start opens the batch. It closes with the test, or by the function that is returned.
func (b *bench) start(t *testing.T, opts ...intram.ClientOption) (*batch.Run, func()) {
	t.Helper()
	run, err := b.open(t, opts...)
	require.NoError(t, err)
	var once sync.Once
	closeIt := func() { once.Do(func() { require.NoError(t, run.Close()) }) }
	t.Cleanup(closeIt)
	return run, closeIt
}

func (b *bench) open(t *testing.T, opts ...intram.ClientOption) (*batch.Run, error) {
	t.Helper()
	return batch.Open(t.Context(), b.server.Client(opts...), boltjournal.At(b.path), b.lines,
		batch.WithMaxWait(time.Minute), batch.WithFileSHA256(fileSHA256))
}

// binding is what the batch's journal belongs to.
func (b *bench) binding() batch.Binding { return batch.Bind(b.server.Client(), b.lines) }

// acquire opens a journal without a run.
func acquire(t *testing.T, path string, binding batch.Binding) (batch.Held, error) {
	t.Helper()
	return boltjournal.At(path).Acquire(t.Context(), binding)
}

// fileSHA256 is the hash of the file to which a journal of version 0.1.0 belongs.
const fileSHA256 = "5d41402abc4b2a76b9719d911017c592ae5d1d8a2b3c1c6a0f0e7a2c9d8b7a65"

// statuses counts the lines by what became of them.
func statuses(run *batch.Run) map[batch.State]int {
	counts := map[batch.State]int{}
	for _, r := range run.Results() {
		counts[r.Status]++
	}
	return counts
}

// asked counts the payouts that the API has, by reference.
func (b *bench) asked(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for op, err := range b.server.Client().Operations.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		var sent struct{ Reference string }
		require.NoError(t, json.Unmarshal(op.Payload, &sent))
		counts[sent.Reference]++
	}
	return counts
}

// paysTheRest runs the batch once more, after which all lines are paid, once each.
func (b *bench) paysTheRest(t *testing.T, lines int) {
	t.Helper()
	run, _ := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: lines}, statuses(run))
	b.requireOnceEach(t)
}

func (b *bench) requireOnceEach(t *testing.T) {
	t.Helper()
	asked := b.asked(t)
	require.Len(t, asked, len(b.lines))
	for reference, n := range asked {
		require.Equal(t, 1, n, reference)
	}
}

// hook is a transport that looks at each call before it goes out.
type hook struct {
	next http.RoundTripper
	look func(*http.Request) error
}

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := h.look(r); err != nil {
		return nil, err
	}
	return h.next.RoundTrip(r)
}

func (b *bench) hooked(look func(*http.Request) error) intram.ClientOption {
	return intram.WithHTTPClient(&http.Client{Transport: hook{b.server.Transport(), look}})
}

func TestALineIsInTheJournalBeforeItIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, 20)
	var run *batch.Run
	seen := 0
	var mu sync.Mutex
	run, _ = b.start(t, b.hooked(func(r *http.Request) error {
		if r.Method != http.MethodPost {
			return nil
		}
		records, err := run.Held().Records(t.Context())
		if err != nil {
			return err
		}
		for _, record := range records {
			if record.Intent.IdempotencyKey == r.Header.Get("Idempotency-Key") && record.State == batch.Intended {
				mu.Lock()
				defer mu.Unlock()
				seen++
				return nil
			}
		}
		t.Errorf("a call went out whose intent is not in the journal")
		return nil
	}))
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, 20, seen)
	assert.Equal(t, map[batch.State]int{batch.Paid: 20}, statuses(run))
}

func TestARunThatIsDoneSendsNothingMore(t *testing.T) {
	t.Parallel()
	b := newBench(t, 5)
	run, done := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	done()
	again, _ := b.start(t, b.hooked(func(*http.Request) error { t.Error("a call was made"); return nil }))
	assert.Empty(t, again.Unsent())
	require.NoError(t, again.Pay(t.Context()))
	assert.Equal(t, batch.Progress{Lines: 5, Ended: 5}, again.Progress())
}

func TestAJournalThatWasLostPaysNothingTwiceWithinADay(t *testing.T) {
	t.Parallel()
	b := newBench(t, 5)
	run, done := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	done()
	require.NoError(t, os.Remove(b.path))
	again, _ := b.start(t)
	assert.Len(t, again.Unsent(), 5)
	require.NoError(t, again.Pay(t.Context()))
	b.requireOnceEach(t)
}

func TestOldIntentsAreLookedUpBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	// The first run is cut off: the calls that get through have no response; the others
	// never arrive.
	calls := 0
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	run, done := b.start(t, intram.WithMaxAttempts(1), b.hooked(func(r *http.Request) error {
		if r.Method != http.MethodPost {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls == 6 {
			cancel()
		}
		if calls%2 == 0 {
			return errors.New("the network is down")
		}
		answer, err := b.server.Transport().RoundTrip(r.Clone(context.WithoutCancel(r.Context())))
		if err == nil {
			err = errors.Join(answer.Body.Close(), errors.New("the answer is lost"))
		}
		return err
	}))
	run.SetConcurrency(1)
	require.ErrorIs(t, run.Pay(ctx), context.Canceled)
	done()
	before := len(b.asked(t))
	require.Positive(t, before)
	b.server.Advance(25 * time.Hour)

	var order []string
	second, _ := b.start(t, b.hooked(func(r *http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, r.Method+" "+r.URL.RawQuery)
		return nil
	}))
	require.NoError(t, second.Pay(t.Context()))
	assert.True(t, strings.HasPrefix(order[0], "GET ") && strings.Contains(order[0], "limit=100&type=payout"), "the list is read before anything is sent: %s", order[0])
	assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(second))
	b.requireOnceEach(t)
}

func TestTwoPayoutsOfOneReferenceAreNotGuessedAt(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run, done := b.start(t)
	intent, err := run.Client().Payouts.Prepare(b.lines[0].Params)
	require.NoError(t, err)
	require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
	done()
	for range 2 {
		_, err := b.server.Client().Payouts.Create(t.Context(), b.lines[0].Params)
		require.NoError(t, err)
	}
	b.server.Advance(25 * time.Hour)
	run, _ = b.start(t)
	require.NoError(t, run.Pay(t.Context()), "the other lines have no part in it")
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
	assert.EqualValues(t, "cannot_tell", run.Results()[0].Code)
	require.Len(t, run.Doubts(), 1)
	assert.Contains(t, run.Doubts()[0].Message, "2 operations may have come of it")
	assert.Len(t, b.asked(t), 1)
}

// refusing refuses some calls in the API's own words, before the API has them: the
// merchant is not active.
type refusing struct {
	next http.RoundTripper
	when func(*http.Request) bool
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.when(r) {
		return f.next.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.WriteString(`{"error":true,"code":"merchant_inactive","message":"This merchant is not active"}`)
	return w.Result(), nil
}

func TestARefusalOfTheMerchantStopsTheBatchAndCostsNoLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, 30)
	var posts atomic.Int32
	run, done := b.start(t, intram.WithHTTPClient(&http.Client{Transport: refusing{b.server.Transport(), func(r *http.Request) bool {
		return r.Method == http.MethodPost && posts.Add(1) >= 10
	}}}))
	err := run.Pay(t.Context())
	require.ErrorIs(t, err, intram.CodeMerchantInactive)
	assert.Zero(t, statuses(run)[batch.Refused])
	assert.NotZero(t, statuses(run)[batch.NotSent])
	done()
	b.paysTheRest(t, 30)
}

func TestAnAPIThatIsAwayStopsTheBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	away := true
	var mu sync.Mutex
	look := func(*http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return errors.New("the network is down")
		}
		return nil
	}
	run, done := b.start(t, b.hooked(look), intram.WithMaxAttempts(1))
	require.ErrorContains(t, run.Pay(t.Context()), "lines in a row had no response from the API")
	counts := statuses(run)
	assert.Less(t, counts[batch.InDoubt], 20)
	assert.Greater(t, counts[batch.NotSent], 80)
	done()
	mu.Lock()
	away = false
	mu.Unlock()
	run, _ = b.start(t, b.hooked(look))
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 100}, statuses(run))
	b.requireOnceEach(t)
}

func TestOperationsThatHaveNotEndedAreWaitedForByTheNextRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, 6, intramtest.WithWorker(intramtest.ByHand()))
	run, done := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Unfinished: 6}, statuses(run))
	done()
	for i, r := range run.Results() {
		if i == 0 {
			require.NoError(t, b.server.Fail(r.OperationID, intram.CodeInsufficientBalance))
			continue
		}
		require.NoError(t, b.server.Complete(r.OperationID))
	}
	run, _ = b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 5, batch.Failed: 1}, statuses(run))
	assert.Equal(t, intram.CodeInsufficientBalance, run.Results()[0].Code)
	b.requireOnceEach(t)
}

func TestARefusedLineIsToldWithItsCode(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	b.lines[1].Params.Currency = "USD" // the file's check would have found it; the API does too
	run, _ := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	results := run.Results()
	assert.Equal(t, batch.Refused, results[1].Status)
	assert.Equal(t, intram.CodeUnknownCurrency, results[1].Code)
	assert.Equal(t, batch.Progress{Lines: 3, Ended: 3, Refused: 1}, run.Progress())
}

// A batch that was begun before keys changed goes on after that, by the account.
func TestABatchGoesOnAfterTheKeysHaveChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	named := intram.WithCredentials(b.server.CredentialsOf(b.server.PublicKey))
	_, done := b.start(t, named)
	done()
	_, _, err := b.server.RotateKeys(b.server.PublicKey, 0)
	require.NoError(t, err)
	other := intram.WithCredentials(func(ctx context.Context) (intram.Credentials, error) {
		c, err := b.server.CredentialsOf(b.server.PublicKey)(ctx)
		c.Account = "another"
		return c, err
	})
	_, err = b.open(t, other)
	require.ErrorIs(t, err, batch.ErrOtherBatch)
	require.ErrorContains(t, err, "another Account")
	run, done := b.start(t, named)
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, batch.Progress{Lines: 3, Ended: 3}, run.Progress())
	done()

	// One that was begun with fixed keys needs those.
	fixed := newBench(t, 1)
	_, done = fixed.start(t)
	done()
	named = intram.WithCredentials(fixed.server.CredentialsOf(fixed.server.PublicKey))
	_, done = fixed.start(t, named)
	done()
	_, _, err = fixed.server.RotateKeys(fixed.server.PublicKey, 0)
	require.NoError(t, err)
	_, err = fixed.open(t, named)
	require.ErrorContains(t, err, "another public key")
}

func TestAJournalBelongsToItsLinesItsKeysAndItsEnvironment(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	_, done := b.start(t)
	_, err := b.open(t)
	require.ErrorIs(t, err, batch.ErrLocked)
	done()

	changed := *b
	changed.lines = append([]batch.Line{pay(9, "PAY-9", 100, "22961000009")}, b.lines...)
	_, err = changed.open(t)
	require.ErrorIs(t, err, batch.ErrOtherBatch)
	require.ErrorContains(t, err, "the lines have changed")
	for words, keys := range map[string][2]string{
		"another public key":                      {"pk_sandbox_2", "sk_sandbox_2"},
		"in the sandbox environment, and the cli": {"pk_live_1", "sk_live_1"},
	} {
		client, err := intram.NewClient(keys[0], keys[1])
		require.NoError(t, err)
		_, err = batch.Open(t.Context(), client, boltjournal.At(b.path), b.lines)
		require.ErrorIs(t, err, batch.ErrOtherBatch)
		require.ErrorContains(t, err, words)
	}
	_, done = b.start(t) // a refused run leaves it free
	done()
	info, err := os.Stat(b.path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "who was paid what is its owner's alone to read")

	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no journal ", 1000)), 0o600))
	_, err = acquire(t, text, b.binding())
	require.ErrorIs(t, err, batch.ErrDamaged)
}
