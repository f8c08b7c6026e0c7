package intram_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// A response about something else is none, whatever it says, and leaves a creation in
// doubt.
func TestAResponseAboutSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	operation := func(fields string) string {
		return `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded","env":"live"` + fields + `}}`
	}
	create := func(ctx context.Context, c *intram.Client) error {
		_, err := c.Payouts.Create(ctx, mobilePayout())
		return err
	}
	refund := func(ctx context.Context, c *intram.Client) error {
		_, err := c.Refunds.Create(ctx, intram.RefundParams{TransactionReference: "AB12CD34EF"})
		return err
	}
	look := func(id string) func(context.Context, *intram.Client) error {
		return func(ctx context.Context, c *intram.Client) error { _, err := c.Operations.Get(ctx, id); return err }
	}
	lookTx := func(reference string) func(context.Context, *intram.Client) error {
		return func(ctx context.Context, c *intram.Client) error {
			_, err := c.Transactions.Get(ctx, reference)
			return err
		}
	}
	const internal = "65a1b2c3d4e5f6a7b8c9d0e4"
	for name, tt := range map[string]struct {
		call func(context.Context, *intram.Client) error
		body string
		ok   bool
	}{
		"the operation":               {look("op_1"), operation(""), true},
		"another operation":           {look("op_2"), operation(""), false},
		"the transaction":             {lookTx("AB12CD34EF"), `{"data":{"reference":"AB12CD34EF","id":"` + internal + `"}}`, true},
		"the transaction in small":    {lookTx("ab12cd34ef"), `{"data":{"reference":"AB12CD34EF"}}`, true},
		"the transaction by its id":   {lookTx(internal), `{"data":{"reference":"AB12CD34EF","id":"` + internal + `"}}`, true},
		"by an id that is not shown":  {lookTx(internal), `{"data":{"reference":"AB12CD34EF"}}`, true},
		"another id":                  {lookTx(internal), `{"data":{"reference":"AB12CD34EF","id":"75a1b2c3d4e5f6a7b8c9d0e4"}}`, false},
		"another transaction":         {lookTx("AB12CD34EG"), `{"data":{"reference":"AB12CD34EF","id":"` + internal + `"}}`, false},
		"another one without id":      {lookTx("AB12CD34EG"), `{"data":{"reference":"AB12CD34EF"}}`, false},
		"the payout":                  {create, operation(`,"payload":{"amount":25000,"reference":"PO-2026-0001"}`), true},
		"the payout, not echoed":      {create, operation(""), true},
		"the payout, without type":    {create, `{"data":{"operation_id":"op_1","status":"queued"}}`, true},
		"the payout, escaped":         {create, operation(`,"payload":{"note":"é","reference":"PO\u002d2026-0001"}`), true},
		"a refund for a payout":       {create, strings.Replace(operation(""), "payout", "refund", 1), false},
		"a sandbox one":               {create, strings.Replace(operation(""), "live", "sandbox", 1), false},
		"another reference":           {create, operation(`,"payload":{"destination":{"reference":"PO-2026-0001"},"reference":"PO-2026-0002"}`), false},
		"another reference, escaped":  {create, operation(`,"payload":{"reference":"PO\u002d2026-0002"}`), false},
		"the refund":                  {refund, strings.Replace(operation(`,"payload":{"transaction_reference":"AB12CD34EF"}`), "payout", "refund", 1), true},
		"a refund of another":         {refund, strings.Replace(operation(`,"payload":{"transaction_reference":"ZZ12CD34EF"}`), "payout", "refund", 1), false},
		"an id that goes up the path": {create, strings.Replace(operation(""), "op_1", "../webhooks", 1), false},
		"an id with a space":          {create, strings.Replace(operation(""), "op_1", "op 1", 1), false},
		"an id that is a space":       {create, strings.Replace(operation(""), "op_1", " ", 1), false},
		"an empty id":                 {create, strings.Replace(operation(""), "op_1", "", 1), false},
		"an id that is a number":      {create, strings.Replace(operation(""), `"op_1"`, "1", 1), false},
		"a subscription that is a path": {func(ctx context.Context, c *intram.Client) error {
			_, err := c.Webhooks.Create(ctx, intram.WebhookParams{URL: "https://example.com/", Event: intram.EventAll})
			return err
		}, `{"error":false,"data":{"subscription_id":"../payouts","secret":"whsec_1"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, answer(200, tt.body))
			err := tt.call(t.Context(), client)
			if tt.ok {
				require.NoError(t, err)
				return
			}
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, intram.OutcomeUnknown, e.Outcome)
			assert.Equal(t, s.last().Header.Get("Idempotency-Key"), e.IdempotencyKey)
			assert.Len(t, s.requests(), 1)
			assert.NotContains(t, err.Error(), "PO-2026", "ids of others are not in what prints")
		})
	}
}

// A session is created under the merchant's reference, and is found by both of its names.
func TestAnotherPayinSessionIsRefused(t *testing.T) {
	t.Parallel()
	params := payinParams()
	params.Reference = "order-1"
	for name, tt := range map[string]struct {
		reference, body string // looked up when there is a reference, else created
		ok              bool
	}{
		"created, first revision":  {"", `{"reference":"tr_1","customerReference":"order-1","status":"processing"}`, true},
		"created, newer revision":  {"", `{"id":"pr_1","reference":"order-1","status":"processing"}`, true},
		"another's, first":         {"", `{"reference":"tr_1","customerReference":"order-2"}`, false},
		"another's, newer":         {"", `{"id":"pr_1","reference":"order-2"}`, false},
		"an id that is a path":     {"", `{"id":"../payin","reference":"order-1"}`, false},
		"by the merchant's":        {"order-1", `{"reference":"tr_1","customerReference":"order-1"}`, true},
		"by the system's":          {"tr_1", `{"reference":"tr_1","customerReference":"order-1"}`, true},
		"by the newer system's":    {"pr_1", `{"id":"pr_1","reference":"order-1"}`, true},
		"by one of three":          {"tr_1", `{"id":"pr_1","reference":"tr_1","customerReference":"order-1"}`, true},
		"by one that is not shown": {"tr_1", `{"reference":"order-1"}`, true},
		"another session":          {"order-2", `{"reference":"tr_1","customerReference":"order-1"}`, false},
		"another of the system's":  {"tr_2", `{"id":"tr_1","reference":"order-1"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &payinServer{answers: []payinAnswer{{status: http.StatusOK, body: tt.body}}}
			client := newPayin(t, server)
			var err error
			if tt.reference == "" {
				_, err = client.CreateSession(t.Context(), params)
			} else {
				_, err = client.Get(t.Context(), tt.reference)
			}
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		})
	}
}

// A wait that is told of another operation looks again, and never takes its end for the
// end.
func TestAWaitIsNotEndedByAnotherOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := answer(200, `{"error":false,"data":{"operation_id":"op_2","type":"payout","status":"succeeded","result":{"status":"completed","reference":"other"}}}`)
		own := answer(200, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded","result":{"status":"completed","reference":"own"}}}`)
		client, s := scripted(t, other, other, own)
		result, err := client.Payouts.Wait(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Equal(t, "own", result.Reference)
		assert.Len(t, s.requests(), 3)

		client = newClient(t, &script{t: t, forever: other})
		_, err = client.Payouts.Wait(t.Context(), "op_1", intram.WithMaxWait(20*time.Second))
		require.ErrorIs(t, err, intram.ErrResponseMismatch)
		var ended *intram.WaitError
		require.ErrorAs(t, err, &ended)
		assert.Nil(t, ended.Operation, "it was never seen")
	})
}
