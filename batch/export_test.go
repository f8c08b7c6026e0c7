package batch

import (
	"time"

	intram "github.com/intram/intram-go"
)

// What tests of a run look at and change.

func (r *Run) Held() Held                 { return r.held }
func (r *Run) Client() *intram.Client     { return r.client }
func (r *Run) SetConcurrency(n int)       { r.concurrency = n }
func (r *Run) SetMaxWait(d time.Duration) { r.maxWait = d }
func (r *Run) SetLines(lines []Line)      { r.lines = lines }
func (r *Run) Key(reference string, generation int) (string, error) {
	return r.held.Binding().key(reference, generation)
}

// Bind returns the binding of a journal for these lines.
func Bind(client *intram.Client, lines []Line) Binding { return bind(client, lines) }

// KeyOf returns the idempotency key of a line.
func KeyOf(b Binding, reference string, generation int) (string, error) {
	return b.key(reference, generation)
}

// Unclear reports whether a failed operation with a code may have been paid.
func Unclear(code intram.ErrorCode) bool { return unclear(code) }

// Reason returns the meaning of a status and a code in words.
func Reason(status State, code intram.ErrorCode) string { return reason(status, code) }
