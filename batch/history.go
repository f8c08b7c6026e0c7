package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// clockSlack is the difference allowed between this machine's clock and the API's when
// times are compared.
const clockSlack = 25 * time.Hour

// olderItems is how many consecutive items older than the range end the reading of the
// list: one page. A single item may have a wrong date.
const olderItems = 100

// CheckHistory looks for payouts with the references of unsent lines that the API has
// already made, or is making. A batch that was corrected after most of its lines were
// paid would pay those again. Call it before a batch is begun ([Run.Begun]): [Run.Pay]
// itself looks for payouts that others have made with the references since.
//
// It reads the list of operations back to since, and 25 hours further in case a clock is
// wrong. An operation that failed with a code that says that no money moved does not
// count as a use of its reference. A payout in the list without its reference proves
// nothing, and is an error; so is a page from a cache.
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

// usedBefore returns the problem of a line whose reference an earlier payout has.
func usedBefore(line Line, op *intram.Operation) Problem {
	what := "used before, by operation %s of %s"
	if op.Status == intram.OperationFailed || op.Status == intram.OperationExpired {
		what += ", which failed and may have been paid all the same"
	}
	return Problem{
		Line: line.Number, Field: "reference", Kind: KnownReference, Message: fmt.Sprintf(what, op.ID, op.CreatedAt.UTC().Format(time.DateOnly)),
	}
}

// usesOf reads the list of operations for payouts with the references of lines. It
// returns them by line number.
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
			err = errors.New("the page comes from a cache")
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

// HistoryError is the error of [CheckHistory] for a payout in the list without its
// reference. It is not known whether lines were paid before.
type HistoryError struct {
	OperationID string
	CreatedAt   time.Time
}

// Error implements error.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("batch: operation %s of %s does not say its reference, so whether these payouts were made before is not known, "+
		"and nothing was sent: compare it with the lines", e.OperationID, e.CreatedAt.UTC().Format(time.DateOnly))
}

// failedClearly reports whether an operation failed and moved no money.
func failedClearly(op *intram.Operation) bool {
	return op.Status == intram.OperationFailed && op.Error != nil && !unclear(op.Error.Code)
}

// referenceOf returns the reference of a payout, "" if it has none. known is false if the
// payload does not show it.
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
