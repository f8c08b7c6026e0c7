package batch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
)

// Its checksum is right, and a run cannot go on from it: it would send a line without its
// key, or wait for no operation.
func TestARecordThatSaysTooLittleIsRefused(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]batch.Record{
		"no intent": {State: batch.Intended}, "no operation": {State: batch.Accepted}, "a later version's word": {State: "held"}, "no state": {},
	} {
		b := newBench(t, 1)
		run, done := b.start(t)
		require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, record))
		done()
		_, err := b.open(t)
		require.ErrorIs(t, err, batch.ErrDamaged, name)
	}
}

// What a small bucket says of itself is checked before bbolt trusts it: a length beyond
// its end is memory that is not its own.
func TestADamagedSmallBucketIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	_, done := b.start(t)
	done()
	good, err := os.ReadFile(b.path)
	require.NoError(t, err)
	// A bucket without a page of its own: its head of zeros, and then a page with the
	// number 0, for a leaf with one element.
	mark := make([]byte, 16+16)
	order := binary.NativeEndian
	order.PutUint16(mark[24:], 2)
	order.PutUint16(mark[26:], 1)
	require.Positive(t, bytes.Count(good, mark))
	for name, change := range map[string]func(page []byte){
		"no leaf":           func(page []byte) { order.PutUint16(page[8:], 1) },
		"too many elements": func(page []byte) { order.PutUint16(page[10:], 1000) },
		"a bucket in it":    func(page []byte) { order.PutUint32(page[16:], 1) },
		"a far key":         func(page []byte) { order.PutUint32(page[20:], 1<<30) },
		"a long key":        func(page []byte) { order.PutUint32(page[24:], 1<<30) },
		"a long value":      func(page []byte) { order.PutUint32(page[28:], 1<<30) },
	} {
		data := bytes.Clone(good)
		for at := 0; ; {
			found := bytes.Index(data[at:], mark)
			if found < 0 {
				break
			}
			change(data[at+found+16:])
			at += found + len(mark)
		}
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err = acquire(t, path, b.binding())
		require.ErrorIs(t, err, batch.ErrDamaged, name)
		require.ErrorContains(t, err, "a small bucket is damaged", name)
	}
}

func TestHowOftenAnAPIThatIsAwayIsAsked(t *testing.T) {
	t.Parallel()
	b := newBench(t, 20)
	var posts atomic.Int32
	run, _ := b.start(t, intram.WithMaxAttempts(1), b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		return errors.New("the network is down")
	}))
	run.SetConcurrency(1)
	require.ErrorContains(t, run.Pay(t.Context()), "8 lines in a row had no response from the API")
	assert.EqualValues(t, 8*3, posts.Load(), "each line three times")
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 8, batch.NotSent: 12}, statuses(run))
	assert.Equal(t, batch.Progress{Lines: 20, InDoubt: 8}, run.Progress())
}

// A panic ends the run with an error, and its line stays in doubt.
func TestAPanicIsNoLossOfTheOtherLines(t *testing.T) {
	t.Parallel()
	for name, strike := range map[string]func(){
		"of the program": func() { panic("msisdn 22961000000") },
		"of Go":          func() { var none map[string]int; none["x"] = 1 }, //nolint:staticcheck // it must panic
	} {
		b := newBench(t, 6)
		var posts atomic.Int32
		run, done := b.start(t, b.hooked(func(r *http.Request) error {
			if r.Method == http.MethodPost && posts.Add(1) == 3 {
				strike()
			}
			return nil
		}))
		run.SetConcurrency(1)
		err := run.Pay(t.Context())
		require.ErrorContains(t, err, "internal error", name)
		assert.NotContains(t, err.Error(), "22961000000")
		counts := statuses(run)
		assert.Equal(t, 1, counts[batch.InDoubt], "%s: %v", name, counts)
		assert.Equal(t, 3, counts[batch.NotSent], "%s: %v", name, counts)
		done()
		b.paysTheRest(t, 6)
	}
}

func TestARunThatIsCutOffBetweenTwoAttemptsLeavesItsLineInDoubt(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run, _ := b.start(t, intram.WithMaxAttempts(1), b.hooked(func(*http.Request) error {
		cancel()
		return errors.New("the network is down")
	}))
	require.ErrorIs(t, run.Pay(ctx), context.Canceled)
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
}

// The record of a line has the intent of another call: what was sent is not what the file
// says now.
func TestAnIntentOfAnotherPayoutStopsTheBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	run, done := b.start(t)
	intent, err := run.Client().Payouts.Prepare(b.lines[1].Params)
	require.NoError(t, err)
	require.NoError(t, run.Held().Put(t.Context(), b.lines[0].Number, batch.Record{State: batch.Intended, Intent: intent}))
	done()
	run, _ = b.start(t, b.hooked(func(*http.Request) error { t.Error("a call was made"); return nil }))
	run.SetLines(b.lines[:1])
	err = run.Pay(t.Context())
	require.ErrorIs(t, err, intram.ErrIntentMismatch)
	require.ErrorContains(t, err, "batch: stopped")
	assert.Equal(t, map[batch.State]int{batch.InDoubt: 1}, statuses(run))
}

func TestWhatAResultTellsOfAPayoutIsKept(t *testing.T) {
	t.Parallel()
	for more, want := range map[string][2]string{
		`,"transaction_reference":"TX-1","fees":25`: {"TX-1", "25"},
		`,"transaction_reference":"TX-1","fees":0`:  {"TX-1", ""},
		`,"transaction_reference":"TX-1"`:           {"TX-1", ""},
		`,"transaction_reference":["TX-1"]`:         {},
	} {
		b := newBench(t, 1)
		run, done := b.start(t, b.changing(func(_ *http.Request, _ *http.Response, body []byte) []byte {
			return resultStatus.ReplaceAll(body, []byte(`${1}"completed"`+more))
		}))
		require.NoError(t, run.Pay(t.Context()))
		done()
		run, _ = b.start(t)
		result := run.Results()[0]
		assert.Equal(t, batch.Paid, result.Status, more)
		assert.Equal(t, want, [2]string{result.TransactionReference, result.Fees}, more)
	}
}

// bbolt believes the head of a page: a branch without a page below it would hide the
// lines that were paid.
func TestADamagedPageIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	_, done := b.start(t)
	done()
	db, err := bolt.Open(b.path, 0o600, nil)
	require.NoError(t, err)
	size := db.Info().PageSize
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		for line := range 400 {
			if err := tx.Bucket([]byte("lines")).Put(binary.BigEndian.AppendUint64(nil, uint64(line)), bytes.Repeat([]byte("x"), 200)); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
	good, err := os.ReadFile(b.path)
	require.NoError(t, err)
	order := binary.NativeEndian
	const branch, leaf = 1, 2
	for name, damage := range map[string]struct {
		flags  uint16
		change func(page []byte)
	}{
		"a branch without a page": {branch, func(page []byte) { order.PutUint16(page[10:], 0) }},
		"a branch of too many":    {branch, func(page []byte) { order.PutUint16(page[10:], 0xffff) }},
		"a branch's far key":      {branch, func(page []byte) { order.PutUint32(page[16:], 1<<30) }},
		"a branch's long key":     {branch, func(page []byte) { order.PutUint32(page[20:], 1<<30) }},
		"another number":          {branch, func(page []byte) { page[0]++ }},
		"another kind":            {branch, func(page []byte) { order.PutUint16(page[8:], 4) }},
		"too long":                {branch, func(page []byte) { order.PutUint32(page[12:], 1<<20) }},
		"a leaf of too many":      {leaf, func(page []byte) { order.PutUint16(page[10:], 0xffff) }},
		"a leaf's far key":        {leaf, func(page []byte) { order.PutUint32(page[20:], 1<<30) }},
		"a leaf's long value":     {leaf, func(page []byte) { order.PutUint32(page[28:], 1<<30) }},
	} {
		data, changed := bytes.Clone(good), 0
		for id := 2; (id+1)*size <= len(data); id++ {
			if page := data[id*size:]; order.Uint64(page) == uint64(id) && order.Uint16(page[8:]) == damage.flags {
				damage.change(page)
				changed++
			}
		}
		require.Positive(t, changed, name)
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err = acquire(t, path, b.binding())
		require.ErrorIs(t, err, batch.ErrDamaged, name)
		require.Regexp(t, `page \d+ is damaged`, err.Error(), name)
	}
}

// A disk that is full: no line is sent that is not written down, and one that was
// accepted is named with its operation.
func TestAJournalThatCannotBeWrittenStopsTheBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	run, done := b.start(t, b.hooked(func(*http.Request) error { t.Error("a call was made"); return nil }))
	done()
	require.ErrorContains(t, run.Pay(t.Context()), "the journal cannot be written")
	assert.Equal(t, map[batch.State]int{batch.NotSent: 3}, statuses(run))

	full := func() {}
	run, full = b.start(t, b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost {
			full()
		}
		return nil
	}))
	run.SetConcurrency(1)
	err := run.Pay(t.Context())
	require.ErrorContains(t, err, "was accepted as operation op_")
	require.ErrorContains(t, err, "the journal cannot be written")
	b.paysTheRest(t, 3)
}

// Which states a later run leaves alone. Each is written out: a state that is taken for
// ended is never paid, and one that is not is looked at again.
func TestWhatHasEnded(t *testing.T) {
	t.Parallel()
	for state, ended := range map[batch.State]bool{
		batch.Paid: true, batch.Queued: true, batch.Failed: true, batch.Refused: true,
		batch.FailedUnclear: false, // how a result tells Failed
		batch.NotSent:       false, batch.Intended: false, batch.InDoubt: false, batch.Accepted: false, batch.Unfinished: false,
	} {
		assert.Equal(t, ended, state.Ended(), state)
	}
}

// A person reads why a line is not paid, and what to do.
func TestEachStatusHasAReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status batch.State
		code   intram.ErrorCode
		want   string
	}{
		{batch.Paid, "", ""},
		{batch.Queued, "", "with the bank, not paid yet"},
		{batch.Failed, intram.CodeInsufficientBalance, "no money moved; the merchant's wallet has too little"},
		{batch.Failed, "new_code", "no money moved"},
		{batch.Refused, intram.CodeUnknownCurrency, "no money moved; the API does not know the currency"},
		{batch.FailedUnclear, intram.CodeProviderError, "may have been paid: ask the operator before you pay again; the operator failed"},
		{batch.InDoubt, "", "may have been sent: run the batch again to find out"},
		{batch.InDoubt, "cannot_tell", "may have been paid: compare it with the list of operations before you pay again"},
		{batch.InDoubt, intram.CodeIdempotencyConflict, "idempotency key used by another request, which may have paid it: compare it with the list of operations before you pay again"},
		{batch.Unfinished, "", "operation not finished: run the batch again to wait for it"},
		{batch.Unfinished, "unknown_result", "ended with a status that this version does not know: look the operation up"},
		{batch.NotSent, "", "not sent"},
	} {
		assert.Equal(t, c.want, batch.Reason(c.status, c.code), "%s %s", c.status, c.code)
	}
}
