package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// clockSlack is how far this machine's clock and the API's may be apart when times are compared.
const clockSlack = 25 * time.Hour

// olderItems is how many items older than what is looked for come in a row before the list is left: a page. A single one may
// have a wrong date.
const olderItems = 100

// CheckHistory looks for payouts that the API has already made, or is making, under the references of a file that is to be begun: a file that was
// corrected after most of its lines were paid would pay those again. It reads the list of operations back to a time, and a day more, since
// the clock of this machine may be wrong. A payout in it that does not say its reference proves nothing, and is an error; so is
// a page that a cache kept.
func CheckHistory(ctx context.Context, client *intram.Client, lines []Line, since time.Time) ([]Problem, error) {
	byReference := map[string]Line{}
	for _, line := range lines {
		byReference[sameReference(line.Params.Reference)] = line
	}
	known, older := map[int]Problem{}, 0
	var page intram.Response
	params := intram.OperationListParams{Type: intram.OperationPayout, Limit: 100}
	for op, err := range client.Operations.All(ctx, params, intram.WithResponseInto(&page)) {
		if err == nil && page.Header.Get("Age") != "" {
			err = errors.New("it comes from a cache")
		}
		if err != nil {
			return nil, fmt.Errorf("the list of operations is needed to check the references, and nothing was sent: %w", err)
		}
		if !op.CreatedAt.IsZero() && op.CreatedAt.Before(since.Add(-clockSlack)) {
			if older++; older == olderItems {
				break
			}
			continue
		}
		older = 0
		reference, err := referenceOf(op)
		if err != nil {
			return nil, fmt.Errorf("operation %s of %s %w, so whether these payouts were made before is not known, and nothing was sent: "+
				"compare them yourself, and give --allow-known-references", op.ID, op.CreatedAt.UTC().Format(time.DateOnly), err)
		}
		line, ok := byReference[sameReference(reference)]
		if !ok || reference == "" || failedClearly(op) {
			continue
		}
		what := "it was used before, by operation %s of %s: if that is another payout, give --allow-known-references"
		if op.Status == intram.OperationFailed || op.Status == intram.OperationExpired {
			what = "it was used before, by operation %s of %s, which failed and may have been paid all the same: " +
				"if you know that it was not, give --allow-known-references"
		}
		known[line.Number] = Problem{Line: line.Number, Column: line.header("reference"), Message: fmt.Sprintf(what, op.ID, op.CreatedAt.UTC().Format(time.DateOnly))}
	}
	var problems []Problem
	for _, line := range lines {
		if p, ok := known[line.Number]; ok {
			problems = append(problems, p)
		}
	}
	return problems, nil
}

// failedClearly reports that no money came of an operation.
func failedClearly(op *intram.Operation) bool {
	return op.Status == intram.OperationFailed && op.Error != nil && !Unclear(op.Error.Code)
}

// referenceOf is the reference of a payout, empty when it was given none.
func referenceOf(op *intram.Operation) (string, error) {
	var sent struct {
		Amount    json.RawMessage `json:"amount"` // every payout has one: without it the payload says nothing
		Reference *string         `json:"reference"`
	}
	if len(op.Payload) > 0 && json.Unmarshal(op.Payload, &sent) == nil && len(sent.Amount) > 0 {
		if sent.Reference == nil {
			return "", nil
		}
		return *sent.Reference, nil
	}
	if result, ok := op.Result.(*intram.PayoutResult); ok && result.Reference != "" {
		return result.Reference, nil
	}
	return "", errors.New("does not say its reference")
}
