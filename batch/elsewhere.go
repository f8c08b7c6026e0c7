package batch

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

const (
	// keysKnown is how long after the beginning of a batch the API is sure to know every
	// key that another run has sent since, from another machine with another journal. The
	// API keeps a key for 24 hours, and a corrected clock may have been 12 hours off: so
	// it is less than half of the 24.
	keysKnown = 11 * time.Hour
	// listServes is how long a reading of the list of operations stays valid. The machine
	// may be suspended in the middle of a run.
	listServes = time.Hour
)

// elsewhere holds what the list of operations says about lines that this journal has not
// sent. Another machine may have paid them from a copy of the list, with the same keys
// and its own journal, and the API forgets a key after a day.
type elsewhere struct {
	mu   sync.Mutex
	uses map[int]*intram.Operation // by line number
	read time.Time
}

// paidElsewhere returns the payout that has a line's reference in the list of operations
// since the batch was begun. It returns nil if there is none, or if the batch is so young
// that its keys still prevent a second payment.
func (r *Run) paidElsewhere(ctx context.Context, line Line) (*intram.Operation, error) {
	if age := r.wallTime().Sub(r.began); r.rules.AllowKnownReferences || 0 <= age && age < keysKnown {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	e := &r.elsewhere
	e.mu.Lock()
	defer e.mu.Unlock()
	now := r.wallTime()
	if age := now.Sub(e.read); e.uses == nil || age < 0 || age > listServes {
		uses, err := usesOf(ctx, r.client, r.lines, r.began)
		if err != nil {
			return nil, err
		}
		e.uses, e.read = uses, now
	}
	return e.uses[line.Number], nil
}

// isPaymentOf reports whether an operation pays the same amount to the same account as a
// line.
func isPaymentOf(op *intram.Operation, line Line) bool {
	var sent intram.PayoutParams
	if json.Unmarshal(op.Payload, &sent) != nil {
		return false
	}
	paid := payment(Line{Params: sent})
	return op.ID != "" && paid != "" && paid == payment(line)
}

// wallTime returns the time without its monotonic reading, which stops while a machine is
// suspended.
func (r *Run) wallTime() time.Time { return r.clock.Now().Round(0) }
