// Package batchtest tests implementations of [batch.Journal].
package batchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
)

// Store is where a journal under test keeps a batch. It is empty when the test gets it.
type Store struct {
	// Open returns a journal for the store's one batch, as another process would open it.
	// Required.
	Open func(t *testing.T) batch.Journal
	// Expire ends the hold of every run so far, as when a lease expires. Leave it nil if
	// a hold lasts as long as the process, like a file lock.
	Expire func(t *testing.T)
}

// TestJournal runs the suite that every [batch.Journal] must pass: one holder at a time,
// records that survive each step, fencing of lost holds, and concurrent writes. newStore
// is called once for each test.
//
//	func TestMyJournal(t *testing.T) {
//		batchtest.TestJournal(t, func(t *testing.T) batchtest.Store { … })
//	}
func TestJournal(t *testing.T, newStore func(t *testing.T) Store) { //nolint:tparallel // whether it runs in parallel is its caller's to say
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			if store.Open == nil {
				t.Fatal("batchtest: a Store needs Open")
			}
			c.run(&journalTest{T: t, store: store})
		})
	}
}

var cases = []struct {
	name string
	run  func(*journalTest)
}{
	{"a batch is begun with its binding, and keeps it", (*journalTest).binding},
	{"one run at a time holds a batch", (*journalTest).oneHolder},
	{"a record comes back with every field", (*journalTest).records},
	{"the last record of a line counts", (*journalTest).replaces},
	{"many lines are written at once", (*journalTest).concurrent},
	{"a hold that was lost writes no more", (*journalTest).lost},
}

// journalTest is one case of the suite.
type journalTest struct {
	*testing.T

	store Store
}

// begin is the binding that each test begins a batch with.
var begin = batch.Binding{
	Version: 2, SHA256: strings.Repeat("a", 64), Keys: strings.Repeat("b", 64), Environment: intram.Sandbox, PublicKey: "pk_sandbox_1",
}

func (t *journalTest) acquire(b batch.Binding) batch.Held {
	t.Helper()
	held, err := t.store.Open(t.T).Acquire(t.Context(), b)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return held
}

func (t *journalTest) release(held batch.Held) {
	t.Helper()
	if err := held.Release(); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func (t *journalTest) put(held batch.Held, line int, record batch.Record) {
	t.Helper()
	if err := held.Put(t.Context(), line, record); err != nil {
		t.Fatalf("Put of line %d: %v", line, err)
	}
}

// want compares all records with the expected ones, as JSON.
func (t *journalTest) want(held batch.Held, want map[int]batch.Record) {
	t.Helper()
	got, err := held.Records(t.Context())
	if err != nil {
		t.Fatalf("Records: %v", err)
	}
	for _, line := range slices.Sorted(maps.Keys(want)) {
		if g, w := text(t, got[line]), text(t, want[line]); g != w {
			t.Errorf("line %d is %s, want %s", line, g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d records, want %d", len(got), len(want))
	}
}

func text(t *journalTest, record batch.Record) string {
	t.Helper()
	data, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (t *journalTest) binding() {
	held := t.acquire(begin)
	if held.Binding() != begin {
		t.Errorf("the binding is %+v, want %+v", held.Binding(), begin)
	}
	t.want(held, nil)
	t.release(held)
	other := begin
	other.SHA256, other.PublicKey = strings.Repeat("c", 64), "pk_sandbox_2"
	held = t.acquire(other)
	if held.Binding() != begin {
		t.Errorf("the binding of a batch that was begun is %+v, want %+v: Open compares it", held.Binding(), begin)
	}
	t.release(held)
}

func (t *journalTest) oneHolder() {
	held := t.acquire(begin)
	if _, err := t.store.Open(t.T).Acquire(t.Context(), begin); !errors.Is(err, batch.ErrLocked) {
		t.Errorf("a second run gets %v, want ErrLocked", err)
	}
	t.put(held, 1, record(1))
	t.release(held)
	held = t.acquire(begin)
	t.want(held, map[int]batch.Record{1: record(1)})
	t.release(held)
}

// record returns a record with every field set.
func record(line int) batch.Record {
	at := time.Date(2026, time.May, 29, 8, 30, line%60, 123456789, time.UTC)
	return batch.Record{
		State: batch.Failed, Generation: 2, OperationID: fmt.Sprintf("op_%d", line), TransactionReference: "T-é", ProviderReference: "P<&>",
		Code: intram.CodeProviderError, Unclear: true, Fees: "12.50", AcceptedAt: at, EndedAt: at.Add(time.Second),
		Intent: &intram.Intent{
			IdempotencyKey: fmt.Sprintf("idem_%d", line), CallSHA256: strings.Repeat("d", 64), AccountSHA256: strings.Repeat("e", 64),
			KeyGiven: true, FirstSentAt: at,
		},
	}
}

func (t *journalTest) records() {
	want := map[int]batch.Record{1: record(1), 100_000: record(100_000), 7: {State: batch.Paid}}
	held := t.acquire(begin)
	for line, record := range want {
		t.put(held, line, record)
	}
	t.want(held, want)
	t.release(held)
	held = t.acquire(begin)
	t.want(held, want)
	t.release(held)
}

func (t *journalTest) replaces() {
	held := t.acquire(begin)
	t.put(held, 1, record(1))
	t.put(held, 2, record(2))
	t.put(held, 1, batch.Record{State: batch.Paid, OperationID: "op_1"})
	want := map[int]batch.Record{1: {State: batch.Paid, OperationID: "op_1"}, 2: record(2)}
	t.want(held, want)
	t.release(held)
	held = t.acquire(begin)
	t.want(held, want)
	t.release(held)
}

func (t *journalTest) concurrent() {
	const lines, workers = 1000, 32
	held := t.acquire(begin)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for line := worker + 1; line <= lines; line += workers {
				if err := held.Put(t.Context(), line, record(line)); err != nil {
					t.Errorf("Put of line %d: %v", line, err)
				}
			}
		})
	}
	group.Wait()
	t.release(held)
	want := map[int]batch.Record{}
	for line := 1; line <= lines; line++ {
		want[line] = record(line)
	}
	held = t.acquire(begin)
	t.want(held, want)
	t.release(held)
}

func (t *journalTest) lost() {
	if t.store.Expire == nil {
		return
	}
	first := t.acquire(begin)
	t.put(first, 1, record(1))
	t.store.Expire(t.T)
	second := t.acquire(begin)
	if err := first.Put(t.Context(), 2, record(2)); !errors.Is(err, batch.ErrLost) {
		t.Errorf("a run whose hold has ended writes, and gets %v, want ErrLost", err)
	}
	t.put(second, 3, record(3))
	_ = first.Release() // it must not end the hold of the second
	if _, err := t.store.Open(t.T).Acquire(context.WithoutCancel(t.Context()), begin); !errors.Is(err, batch.ErrLocked) {
		t.Errorf("the release of a run that had lost the batch freed it: %v", err)
	}
	t.want(second, map[int]batch.Record{1: record(1), 3: record(3)})
	t.release(second)
}
