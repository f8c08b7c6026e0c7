package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// clockSlack is how far this machine's clock and the API's may be apart when times are
// compared.
const clockSlack = 25 * time.Hour

// olderItems is how many items older than what is looked for come in a row before the
// list is left: a page. A single one may have a wrong date.
const olderItems = 100

// CheckHistory looks for payouts that the API has made, or is making, with the references
// of lines that were never sent. A batch that was corrected after most of its lines were
// paid would pay those again. Call it before a batch is begun ([Run.Begun]): [Run.Pay]
// itself looks for payouts that others have made with them since.
//
// It reads the list of operations back to since, and 25 hours more for a clock that is
// wrong. An operation that failed, and whose code says that no money moved, is no use of
// its reference. A payout in the list that does not say its reference proves nothing, and
// is an error; so is a page from a cache.
//
// Endpoint: GET /operations.
func CheckHistory(ctx context.Context, client *intram.Client, lines []Line, since time.Time) ([]Problem, error) {
	known, err := usesOf(ctx, client, lines, since)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, line := range lines {
		if op, ok := known[line.Number]; ok {
			problems = append(problems, usedBefore(line, op))
		}
	}
	return problems, nil
}

// usedBefore says which payout has a line's reference.
func usedBefore(line Line, op *intram.Operation) Problem {
	what := "used before, by operation %s of %s"
	if op.Status == intram.OperationFailed || op.Status == intram.OperationExpired {
		what += ", which failed and may have been paid all the same"
	}
	return Problem{
		Line: line.Number, Field: "reference", Kind: KnownReference, Message: fmt.Sprintf(what, op.ID, op.CreatedAt.UTC().Format(time.DateOnly)),
	}
}

// usesOf reads the list of operations for payouts with the references of lines, and
// returns them by the numbers of the lines.
func usesOf(ctx context.Context, client *intram.Client, lines []Line, since time.Time) (map[int]*intram.Operation, error) {
	byReference := map[string]Line{}
	for _, line := range lines {
		byReference[sameReference(line.Params.Reference)] = line
	}
	known, older := map[int]*intram.Operation{}, 0
	var page intram.Response
	params := intram.OperationListParams{Type: intram.OperationPayout, Limit: 100}
	for op, err := range client.Operations.All(ctx, params, intram.WithResponseInto(&page)) {
		if err == nil && page.Header.Get("Age") != "" {
			err = errors.New("it comes from a cache")
		}
		if err != nil {
			return nil, fmt.Errorf("batch: the list of operations is needed to check the references, and nothing was sent: %w", err)
		}
		if !op.CreatedAt.IsZero() && op.CreatedAt.Before(since.Add(-clockSlack)) {
			if older++; older == olderItems {
				break
			}
			continue
		}
		older = 0
		reference, told := referenceOf(op)
		if !told {
			return nil, &HistoryError{OperationID: op.ID, CreatedAt: op.CreatedAt}
		}
		line, ok := byReference[sameReference(reference)]
		if !ok || reference == "" || failedClearly(op) {
			continue
		}
		known[line.Number] = op
	}
	return known, nil
}

// HistoryError is the error of [CheckHistory] for a payout in the list that does not say
// its reference. Whether lines were paid before is not known.
type HistoryError struct {
	OperationID string
	CreatedAt   time.Time
}

// Error implements error.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("batch: operation %s of %s does not say its reference, so whether these payouts were made before is not known, "+
		"and nothing was sent: compare it with the lines", e.OperationID, e.CreatedAt.UTC().Format(time.DateOnly))
}

// failedClearly reports that no money came of an operation.
func failedClearly(op *intram.Operation) bool {
	return op.Status == intram.OperationFailed && op.Error != nil && !unclear(op.Error.Code)
}

// referenceOf returns the reference of a payout, "" if it was given none. It is not known
// if the payload does not show it.
func referenceOf(op *intram.Operation) (reference string, known bool) {
	var sent struct {
		Amount    json.RawMessage `json:"amount"` // every payout has one: without it the payload says nothing
		Reference *string         `json:"reference"`
	}
	if len(op.Payload) > 0 && json.Unmarshal(op.Payload, &sent) == nil && len(sent.Amount) > 0 {
		if sent.Reference == nil {
			return "", true
		}
		return *sent.Reference, true
	}
	if result, ok := op.Result.(*intram.PayoutResult); ok && result.Reference != "" {
		return result.Reference, true
	}
	return "", false
}
