package fidelity

import (
	"context"
	"fmt"
)

// noReference has the form of a public reference, and is none.
const noReference = "ZZ99ZZ99ZZ"

var refundProbes = []Probe{
	{Line: Line{sectionRefunds, "`POST /refunds`: 202 with a queued operation; `transaction_not_found`: 404 at once, no operation"}, play: refusals(func(*Session) []step {
		return []step{
			posting("an unknown reference", "/refunds", fmt.Sprintf(`{"transaction_reference":%q}`, noReference)),
			posting("an amount of 0", "/refunds", fmt.Sprintf(`{"transaction_reference":%q,"amount":0}`, noReference)),
			posting("a reason that is no text", "/refunds", fmt.Sprintf(`{"transaction_reference":%q,"reason":1}`, noReference)),
		}
	})},
	{Line: Line{sectionRefunds, "`not_refundable`, `amount_exceeds_transaction`, `transaction_not_settled`: on the operation, with `refund.failed`"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		// A payment that stays unpaid: there is no money to move.
		payment, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		return s.fails(ctx, "/refunds", fmt.Sprintf(`{"transaction_reference":%q}`, text(payment.data("result", "transaction_reference"))))
	}},
}
