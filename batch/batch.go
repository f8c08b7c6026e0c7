// Package batch pays a list of payouts. Each one is paid exactly once, through crashes
// and lost responses.
//
// A program gives the lines to [Open], with a [Journal] that records what was sent, and
// calls [Run.Pay]. After a crash, run the same program again: it resumes where it
// stopped.
//
//	run, err := batch.Open(ctx, client, boltjournal.At("salaries-2026-05.journal"), lines)
//	if err != nil {
//		return err
//	}
//	defer run.Close()
//	err = run.Pay(ctx)
//	for _, result := range run.Results() { … }
//
// Each line's intent is in the journal before the first byte of its call leaves the
// machine. A line that may have been sent is sent again with the same idempotency key
// while the API knows the key. Afterwards it is looked up in the list of operations, and
// sent with a new key only if the list proves that the old key made no payout. Without
// proof the line stays in doubt ([InDoubt]), and [Run.Doubts] says why.
//
// Before money moves, [Check], [CheckHistory] and [CheckBalance] find mistakes in the
// lines, references that were paid before, and a balance that is too low. Open calls
// Check itself.
//
// Package boltjournal keeps the journal in a file. Tests for other journals are in
// package batchtest.
package batch

import (
	"fmt"
	"strings"

	intram "github.com/intram/intram-go"
)

// Line is one payout of a batch.
type Line struct {
	// Number identifies the line in the journal and in results, from 1: for example its
	// row in a file. Each number is used once.
	Number int
	// Params is the payout. Reference is required, and unique in the batch: the
	// idempotency key is derived from it.
	Params intram.PayoutParams
}

// Format implements [fmt.Formatter]. It prints the line's number, without personal data.
func (l Line) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "line %d", l.Number) }

// Problem describes what is wrong with a line. Its text contains no phone number, account
// or name.
type Problem struct {
	// Line is the number of the line, 0 for the whole batch.
	Line int `json:"line"`
	// Field is the field of the parameters as the API calls it, such as
	// destination.msisdn; empty for the whole line.
	Field string `json:"field,omitempty"`
	// Kind is set for problems that the caller can allow.
	Kind    ProblemKind `json:"kind,omitempty"`
	Message string      `json:"message"`
}

// String returns the problem with its line and field.
func (p Problem) String() string {
	var place []string
	if p.Line > 0 {
		place = append(place, fmt.Sprintf("line %d", p.Line))
	}
	if p.Field != "" {
		place = append(place, p.Field)
	}
	return strings.Join(append(place, p.Message), ": ")
}

// ProblemKind identifies a problem that the caller can allow.
type ProblemKind string

// The kinds of problems.
const (
	// UnknownProvider is an operator that is not in [Providers]: see
	// [Rules].AllowProviders.
	UnknownProvider ProblemKind = "unknown_provider"
	// DuplicatePayment is a line of the same amount to the same account as an earlier
	// one: see [Rules].AllowDuplicates.
	DuplicatePayment ProblemKind = "duplicate_payment"
	// KnownReference is a reference that an earlier payout has: see [CheckHistory].
	KnownReference ProblemKind = "known_reference"
)

// ProblemsError is the error of [Open] for lines that cannot be paid as they are. Nothing
// was sent.
type ProblemsError struct{ Problems []Problem }

// Error implements error. It shows the first problems, on one line.
func (e *ProblemsError) Error() string {
	const shown = 3
	var texts []string
	for _, p := range e.Problems[:min(len(e.Problems), shown)] {
		texts = append(texts, p.String())
	}
	if n := len(e.Problems); n > shown {
		texts = append(texts, fmt.Sprintf("%d more", n-shown))
	}
	return "batch: nothing was sent: " + strings.Join(texts, "; ")
}
