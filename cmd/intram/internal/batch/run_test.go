package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/batch"
	"github.com/intram/intram-go/intramtest"
)

// bench is a batch of a test: a server, a file of so many good lines, and its journal.
type bench struct {
	server *intramtest.Server
	data   []byte
	lines  []batch.Line
	path   string
}

func newBench(t *testing.T, lines int, opts ...intramtest.Option) *bench {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("reference,amount,provider,msisdn\n")
	for i := range lines {
		fmt.Fprintf(&csv, "PAY-%d,%d,MTN_BENIN_229,22961%06d\n", i, 100+i, 100000+i)
	}
	b := &bench{server: intramtest.NewServer(t, opts...), data: []byte(csv.String()), path: filepath.Join(t.TempDir(), "journal")}
	var problems []batch.Problem
	b.lines, problems = readFile(b.data)
	require.Empty(t, problems)
	return b
}

// start opens the journal and reads it. The journal closes with the test, or by the function that is returned.
func (b *bench) start(t *testing.T, opts ...intram.ClientOption) (*batch.Run, func()) {
	t.Helper()
	binding := bindingOf(b.data, b.lines, b.server.PublicKey)
	journal, err := batch.OpenJournal(b.path, binding)
	require.NoError(t, err)
	var once sync.Once
	closeIt := func() { once.Do(func() { require.NoError(t, journal.Close()) }) }
	t.Cleanup(closeIt)
	run := &batch.Run{
		Client: b.server.Client(opts...), Clock: b.server.Clock(), Journal: journal, Lines: b.lines,
		Concurrency: 4, MaxWait: time.Minute,
	}
	require.NoError(t, run.Start())
	return run, closeIt
}

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
		records, err := run.Journal.Records()
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
	require.NoError(t, run.Do(t.Context()))
	assert.Equal(t, 20, seen)
	assert.Equal(t, map[batch.State]int{batch.Paid: 20}, statuses(run))
}

func TestARunThatIsDoneSendsNothingMore(t *testing.T) {
	t.Parallel()
	b := newBench(t, 5)
	run, done := b.start(t)
	require.NoError(t, run.Do(t.Context()))
	done()
	again, _ := b.start(t, b.hooked(func(*http.Request) error { t.Error("a call was made"); return nil }))
	assert.Empty(t, again.Unsent())
	require.NoError(t, again.Do(t.Context()))
	assert.Equal(t, batch.Progress{Lines: 5, Ended: 5}, again.Snapshot())
}

func TestAJournalThatWasLostPaysNothingTwiceWithinADay(t *testing.T) {
	t.Parallel()
	b := newBench(t, 5)
	run, done := b.start(t)
	require.NoError(t, run.Do(t.Context()))
	done()
	require.NoError(t, os.Remove(b.path))
	again, _ := b.start(t)
	assert.Len(t, again.Unsent(), 5)
	require.NoError(t, again.Do(t.Context()))
	b.requireOnceEach(t)
}

func TestOldIntentsAreLookedUpBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	// The first run is cut off: of each call that got through, no answer comes back; the others never arrive.
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
	run.Concurrency = 1
	require.ErrorIs(t, run.Do(ctx), context.Canceled)
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
	require.NoError(t, second.Do(t.Context()))
	assert.True(t, strings.HasPrefix(order[0], "GET ") && strings.Contains(order[0], "limit=100&type=payout"), "the list is read before anything is sent: %s", order[0])
	assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(second))
	b.requireOnceEach(t)
}

func TestTwoPayoutsOfOneReferenceAreNotGuessedAt(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run, done := b.start(t)
	intent, err := run.Client.Payouts.Prepare(b.lines[0].Params)
	require.NoError(t, err)
	require.NoError(t, run.Journal.Put(b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
	done()
	for range 2 {
		_, err := b.server.Client().Payouts.Create(t.Context(), b.lines[0].Params)
		require.NoError(t, err)
	}
	b.server.Advance(25 * time.Hour)
	run, _ = b.start(t)
	require.NoError(t, run.Do(t.Context()), "the other lines have no part in it")
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
	assert.EqualValues(t, "cannot_tell", run.Results()[0].Code)
	require.Len(t, run.Reasons(), 1)
	assert.Contains(t, run.Reasons()[0].Message, "2 operations may have come of it")
	assert.Len(t, b.asked(t), 1)
}

func TestARefusalOfTheMerchantStopsTheBatchAndCostsNoLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, 30)
	posts := 0
	var mu sync.Mutex
	run, done := b.start(t, b.hooked(func(r *http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			if posts++; posts == 10 {
				return b.server.SetMerchantActive(b.server.PublicKey, false)
			}
		}
		return nil
	}))
	err := run.Do(t.Context())
	require.ErrorIs(t, err, intram.CodeMerchantInactive)
	assert.Zero(t, statuses(run)[batch.Refused])
	assert.NotZero(t, statuses(run)[batch.NotSent])
	done()
	require.NoError(t, b.server.SetMerchantActive(b.server.PublicKey, true))
	run, _ = b.start(t)
	require.NoError(t, run.Do(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 30}, statuses(run))
	b.requireOnceEach(t)
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
	require.ErrorContains(t, run.Do(t.Context()), "lines in a row got no answer of the API")
	counts := statuses(run)
	assert.Less(t, counts[batch.InDoubt], 20)
	assert.Greater(t, counts[batch.NotSent], 80)
	done()
	mu.Lock()
	away = false
	mu.Unlock()
	run, _ = b.start(t, b.hooked(look))
	require.NoError(t, run.Do(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 100}, statuses(run))
	b.requireOnceEach(t)
}

func TestOperationsThatHaveNotEndedAreWaitedForByTheNextRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, 6, intramtest.WithWorker(intramtest.ByHand()))
	run, done := b.start(t)
	require.NoError(t, run.Do(t.Context()))
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
	require.NoError(t, run.Do(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 5, batch.Failed: 1}, statuses(run))
	assert.Equal(t, intram.CodeInsufficientBalance, run.Results()[0].Code)
	b.requireOnceEach(t)
}

func TestARefusedLineIsToldWithItsCode(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	b.lines[1].Params.Currency = "USD" // the file's check would have found it; the API does too
	run, _ := b.start(t)
	require.NoError(t, run.Do(t.Context()))
	results := run.Results()
	assert.Equal(t, batch.Refused, results[1].Status)
	assert.Equal(t, intram.CodeUnknownCurrency, results[1].Code)
	assert.Equal(t, batch.Progress{Lines: 3, Ended: 3, Refused: 1}, run.Snapshot())
}

func TestAJournalBelongsToItsFileItsKeysAndItsEnvironment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	binding := batch.Binding{Identity: batch.Identity{Keys: "keys", Lines: "lines", File: "file"}, Environment: intram.Sandbox, PublicKey: "pk_sandbox_1"}
	journal, err := batch.OpenJournal(path, binding)
	require.NoError(t, err)

	_, err = batch.OpenJournal(path, binding)
	require.ErrorIs(t, err, batch.ErrLocked)
	require.NoError(t, journal.Close())

	for name, change := range map[string]func(*batch.Binding){
		"the file has changed":                     func(b *batch.Binding) { b.Lines = "others" },
		"another public key":                       func(b *batch.Binding) { b.PublicKey = "pk_sandbox_2" },
		"begun in the sandbox environment, and th": func(b *batch.Binding) { b.Environment = intram.Live },
	} {
		other := binding
		change(&other)
		_, err = batch.OpenJournal(path, other)
		require.ErrorIs(t, err, batch.ErrOtherFile)
		require.ErrorContains(t, err, name)
	}
	journal, err = batch.OpenJournal(path, binding)
	require.NoError(t, err, "a refused run leaves it free")
	require.NoError(t, journal.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no journal ", 1000)), 0o600))
	_, err = batch.OpenJournal(text, binding)
	require.ErrorContains(t, err, "is no journal")
}

// Who was paid what is nobody else's to read: neither in the journal nor in the results.
func TestWhatABatchWritesIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run, _ := b.start(t)
	require.NoError(t, run.Do(t.Context()))
	results := filepath.Join(filepath.Dir(b.path), "results.csv")
	require.NoError(t, os.WriteFile(results, nil, 0o644)) // an earlier version wrote it
	require.NoError(t, os.Chmod(results, 0o644))
	require.NoError(t, batch.WriteResults(results, run.Results()))
	for _, path := range []string{b.path, results} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
	}
}
