package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	intram "github.com/intram/intram-go"
)

// CheckHistory looks for payouts that the API has already made, or is making, under the references of a file that is to be begun: a file that was
// corrected after most of its lines were paid would pay those again. It reads the list of operations back to a time.
func CheckHistory(ctx context.Context, client *intram.Client, lines []Line, since time.Time) ([]Problem, error) {
	byReference := map[string]Line{}
	for _, line := range lines {
		byReference[sameReference(line.Params.Reference)] = line
	}
	known := map[int]Problem{}
	for op, err := range client.Operations.All(ctx, intram.OperationListParams{Type: intram.OperationPayout, Limit: 100}) {
		if err != nil {
			return nil, fmt.Errorf("the list of operations is needed to check the references, and nothing was sent: %w", err)
		}
		if !op.CreatedAt.IsZero() && op.CreatedAt.Before(since) {
			break
		}
		var sent struct {
			Reference string `json:"reference"`
		}
		if json.Unmarshal(op.Payload, &sent) != nil || op.Status == intram.OperationFailed || op.Status == intram.OperationExpired {
			continue
		}
		if line, ok := byReference[sameReference(sent.Reference)]; ok && sent.Reference != "" {
			known[line.Number] = Problem{line.Number, fmt.Sprintf("reference was used before, by operation %s of %s: "+
				"if that is another payout, give --allow-known-references", op.ID, op.CreatedAt.UTC().Format(time.DateOnly))}
		}
	}
	var problems []Problem
	for _, line := range lines {
		if p, ok := known[line.Number]; ok {
			problems = append(problems, p)
		}
	}
	return problems, nil
}
