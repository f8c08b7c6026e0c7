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

// Bind is what a journal of these lines belongs to.
func Bind(client *intram.Client, lines []Line) Binding { return bind(client, lines) }

// KeyOf is the idempotency key of a line.
func KeyOf(b Binding, reference string, generation int) (string, error) {
	return b.key(reference, generation)
}

// Unclear reports whether a failed operation with a code may have been paid.
func Unclear(code intram.ErrorCode) bool { return unclear(code) }

// Reason says in words what a status and a code mean.
func Reason(status State, code intram.ErrorCode) string { return reason(status, code) }
