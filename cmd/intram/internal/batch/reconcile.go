package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// clockSlack is how far this machine's clock and the API's may be apart when times are compared.
const clockSlack = time.Hour

// reconcile settles the lines whose intents are too old to be sent: it looks for their operations in the API's list, before anything new is
// sent. One that is not there was never made, and may be sent anew. The list goes back to the oldest of them.
func (r *Run) reconcile(ctx context.Context) error {
	expired := map[string]Line{} // by reference
	var oldest time.Time
	for _, line := range r.Lines {
		record, ok := r.record(line)
		if !ok || record.State != Intended || r.Clock.Now().Sub(record.Intent.FirstSentAt) <= intram.IntentHorizon {
			continue
		}
		expired[line.Params.Reference] = line
		if at := record.Intent.FirstSentAt; oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if len(expired) == 0 {
		return nil
	}
	found, err := r.lookUp(ctx, expired, oldest.Add(-clockSlack))
	if err != nil {
		return fmt.Errorf("%d lines may have been sent more than 23 hours ago, and the list of operations, which would tell, cannot be read: %w", len(expired), err)
	}
	for reference, line := range expired {
		ids := found[reference]
		record, _ := r.record(line)
		switch len(ids) {
		case 0:
			// An intent that old is not under way any more, and no operation came of it.
			generation := record.Generation + 1
			intent, err := r.prepare(line, generation)
			if err != nil {
				return err
			}
			record = Record{State: Intended, Intent: intent, Generation: generation}
		case 1:
			record = Record{State: Accepted, Intent: record.Intent, OperationID: ids[0]}
		default:
			return fmt.Errorf("%v: the API has %d payouts with its reference and amount, and one of them may be this one's: "+
				"look at them (intram operations list --type payout), and take the line out of a new file if it is paid", line, len(ids))
		}
		if err := r.put(line, record); err != nil {
			return err
		}
	}
	return nil
}

// lookUp finds the payouts of some references in the API's list, newest first, back to a time.
func (r *Run) lookUp(ctx context.Context, lines map[string]Line, since time.Time) (map[string][]string, error) {
	// What another line of this journal has is not this one's.
	taken := map[string]bool{}
	r.mu.Lock()
	for _, record := range r.records {
		taken[record.OperationID] = true
	}
	r.mu.Unlock()
	found := map[string][]string{}
	for op, err := range r.Client.Operations.All(ctx, intram.OperationListParams{Type: intram.OperationPayout, Limit: 100}) {
		if err != nil {
			return nil, err
		}
		if !op.CreatedAt.IsZero() && op.CreatedAt.Before(since) {
			break
		}
		var sent struct {
			Reference string        `json:"reference"`
			Amount    intram.Amount `json:"amount"`
		}
		if json.Unmarshal(op.Payload, &sent) != nil || taken[op.ID] {
			continue
		}
		if line, ok := lines[sent.Reference]; ok && line.Params.Amount.Equal(sent.Amount) {
			found[sent.Reference] = append(found[sent.Reference], op.ID)
		}
	}
	return found, nil
}
