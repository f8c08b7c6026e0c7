package intram_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// everyCall is one call of each method that goes to the wire once, with parameters that
// every rule is content with.
var everyCall = map[string]func(context.Context, *intram.Client, ...intram.CallOption) error{
	"balance": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Balance.Get(ctx, opts...)
		return err
	},
	"payout": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Payouts.Create(ctx, mobilePayout(), opts...)
		return err
	},
	"payment request": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.PaymentRequests.Create(ctx, paymentRequest(), opts...)
		return err
	},
	"refund": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Refunds.Create(ctx, refund(), opts...)
		return err
	},
	"transaction": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Transactions.Get(ctx, "AB12CD34EF", opts...)
		return err
	},
	"transactions": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Transactions.List(ctx, intram.TransactionListParams{}, opts...)
		return err
	},
	"operation": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Operations.Get(ctx, "op_2f4a8b1c", opts...)
		return err
	},
	"operations": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Operations.List(ctx, intram.OperationListParams{}, opts...)
		return err
	},
	"subscribe": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Webhooks.Create(ctx, intram.WebhookParams{URL: "https://my-app.example.com/intram/webhook", Event: "payout.*"}, opts...)
		return err
	},
	"subscriptions": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		_, err := c.Webhooks.List(ctx, opts...)
		return err
	},
	"unsubscribe": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		return c.Webhooks.Delete(ctx, "whs_b4c3a2", opts...)
	},
	"test": func(ctx context.Context, c *intram.Client, opts ...intram.CallOption) error {
		return c.Webhooks.SendTest(ctx, "whs_b4c3a2", opts...)
	},
}

func paymentRequest() intram.PaymentRequestParams {
	return intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(12000), Currency: intram.XOF, Description: "Commande #4521",
			Customer: intram.Customer{Email: "client@example.com", FirstName: "Ada", LastName: "Lovelace", Phone: "22961234567"},
		},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: "22961234567"},
		ReturnURLs:    intram.ReturnURLs{Success: "https://shop.example.com/ok", Cancel: "https://shop.example.com/no"},
		WebhookData:   map[string]any{"order_id": "4521"},
	}
}

func refund() intram.RefundParams {
	return intram.RefundParams{
		TransactionReference: "AB12CD34EF", Amount: intram.NewAmount(12000), Reason: "Demande client",
		Metadata: map[string]any{"ticket_id": "T-9001"},
	}
}

// What goes on the wire, against the docs' own examples.
func TestRequestsOnTheWire(t *testing.T) {
	t.Parallel()
	before := time.Date(2026, 5, 19, 12, 34, 56, 0, time.UTC)
	tests := []struct {
		name          string
		call          func(*intram.Client) error
		method, path  string
		query         string
		body          string
		status        int
		answer        string
		reference     string // the response's, where the docs' example has another than the docs' request
		withoutAnswer bool
	}{
		{
			name:   "balance",
			call:   func(c *intram.Client) error { _, err := c.Balance.Get(t.Context()); return err },
			method: "GET", path: "/v1/balance", status: 200, answer: "balance.current.json",
		},
		{
			name:   "mobile money payout",
			call:   func(c *intram.Client) error { _, err := c.Payouts.Create(t.Context(), mobilePayout()); return err },
			method: "POST", path: "/v1/payouts", body: example(t, "payout.mobile_money.request.json"), status: 202, answer: "payout.accepted.current.json",
		},
		{
			name: "mobile money payout by pointer",
			call: func(c *intram.Client) error {
				p := mobilePayout()
				m := p.Destination.(intram.MobileMoney)
				p.Destination = &m
				_, err := c.Payouts.Create(t.Context(), p)
				return err
			},
			method: "POST", path: "/v1/payouts", body: example(t, "payout.mobile_money.request.json"), status: 202, answer: "payout.accepted.current.json",
		},
		{
			name: "bank payout",
			call: func(c *intram.Client) error {
				_, err := c.Payouts.Create(t.Context(), intram.PayoutParams{
					Amount: intram.NewAmount(500000), Currency: intram.XOF, Reference: "PO-2026-WIRE-001",
					Destination: intram.BankAccount{SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada Lovelace"},
				})
				return err
			},
			method: "POST", path: "/v1/payouts", body: example(t, "payout.bank_account.request.json"), status: 202, answer: "payout.accepted.current.json", reference: "PO-2026-WIRE-001",
		},
		{
			name: "bank payout by pointer",
			call: func(c *intram.Client) error {
				_, err := c.Payouts.Create(t.Context(), intram.PayoutParams{
					Amount: intram.NewAmount(500000), Currency: intram.XOF, Reference: "PO-2026-WIRE-001",
					Destination: &intram.BankAccount{SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada Lovelace"},
				})
				return err
			},
			method: "POST", path: "/v1/payouts", body: example(t, "payout.bank_account.request.json"), status: 202, answer: "payout.accepted.current.json", reference: "PO-2026-WIRE-001",
		},
		{
			name: "smallest payout",
			call: func(c *intram.Client) error {
				_, err := c.Payouts.Create(t.Context(), intram.PayoutParams{
					Amount: intram.NewAmount(1), Destination: intram.MobileMoney{MSISDN: "22961234567"},
				})
				return err
			},
			method: "POST", path: "/v1/payouts", status: 202, answer: "payout.accepted.current.json",
			body: `{"amount":1,"destination":{"type":"mobile_money","msisdn":"22961234567"}}`,
		},
		{
			name: "payment request",
			call: func(c *intram.Client) error {
				_, err := c.PaymentRequests.Create(t.Context(), paymentRequest())
				return err
			},
			method: "POST", path: "/v1/payment-requests", body: example(t, "payment_request.request.json"), status: 202, answer: "payment_request.accepted.current.json",
		},
		{
			name: "smallest payment request",
			call: func(c *intram.Client) error {
				_, err := c.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
					Invoice: intram.Invoice{Amount: intram.NewAmount(100), Currency: intram.XOF},
				})
				return err
			},
			method: "POST", path: "/v1/payment-requests", status: 202, answer: "payment_request.accepted.current.json",
			body: `{"invoice":{"amount":100,"currency":"XOF","customer":{}}}`,
		},
		{
			name:   "refund",
			call:   func(c *intram.Client) error { _, err := c.Refunds.Create(t.Context(), refund()); return err },
			method: "POST", path: "/v1/refunds", body: example(t, "refund.request.json"), status: 202, answer: "refund.accepted.current.json",
		},
		{
			name: "refund of all",
			call: func(c *intram.Client) error {
				_, err := c.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF", Metadata: map[string]any{}})
				return err
			},
			method: "POST", path: "/v1/refunds", status: 202, answer: "refund.accepted.current.json",
			body: `{"transaction_reference":"AB12CD34EF"}`,
		},
		{
			name:   "transaction",
			call:   func(c *intram.Client) error { _, err := c.Transactions.Get(t.Context(), "AB12CD34EF"); return err },
			method: "GET", path: "/v1/transactions/AB12CD34EF", status: 200, answer: "transaction.current.json",
		},
		{
			name: "transaction by internal id",
			call: func(c *intram.Client) error {
				_, err := c.Transactions.Get(t.Context(), "67e9a1b2c3d4e5f6a7b8c9d0")
				return err
			},
			method: "GET", path: "/v1/transactions/67e9a1b2c3d4e5f6a7b8c9d0", status: 200, answer: "transaction.earlier.json",
		},
		{
			name: "transactions",
			call: func(c *intram.Client) error {
				_, err := c.Transactions.List(t.Context(), intram.TransactionListParams{})
				return err
			},
			method: "GET", path: "/v1/transactions", status: 200, answer: "transactions.list.current.json",
		},
		{
			name: "transactions, narrowed",
			call: func(c *intram.Client) error {
				_, err := c.Transactions.List(t.Context(), intram.TransactionListParams{
					Limit: 100, Status: intram.TransactionSuccess, Type: intram.TransactionCredit, Before: before,
				})
				return err
			},
			method: "GET", path: "/v1/transactions", query: "before=2026-05-19T12:34:56.000Z&limit=100&status=SUCCESS&type=CREDIT",
			status: 200, answer: "transactions.list.current.json",
		},
		{
			name:   "operation",
			call:   func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "op_2f4a8b1c"); return err },
			method: "GET", path: "/v1/operations/op_2f4a8b1c", status: 200, answer: "operation.payout.succeeded.current.json",
		},
		{
			name: "operations, narrowed",
			call: func(c *intram.Client) error {
				_, err := c.Operations.List(t.Context(), intram.OperationListParams{
					Limit: 1, Status: intram.OperationQueued, Type: intram.OperationPaymentRequest, Before: before,
				})
				return err
			},
			method: "GET", path: "/v1/operations", query: "before=2026-05-19T12:34:56.000Z&limit=1&status=queued&type=payment_request",
			status: 200, answer: "transactions.last_page.current.json",
		},
		{
			name: "subscribe",
			call: func(c *intram.Client) error {
				_, err := c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://my-app.example.com/intram/webhook", Event: "payout.*"})
				return err
			},
			method: "POST", path: "/v1/webhooks", body: `{"url":"https://my-app.example.com/intram/webhook","event":"payout.*"}`,
			status: 201, answer: "webhook.created.current.json",
		},
		{
			name:   "subscriptions",
			call:   func(c *intram.Client) error { _, err := c.Webhooks.List(t.Context()); return err },
			method: "GET", path: "/v1/webhooks", status: 200, answer: "webhooks.list.current.json",
		},
		{
			name:   "unsubscribe",
			call:   func(c *intram.Client) error { return c.Webhooks.Delete(t.Context(), "whs_b4c3a2") },
			method: "DELETE", path: "/v1/webhooks/whs_b4c3a2", status: 200, answer: "webhook.deleted.current.json",
		},
		{
			name:   "send a test",
			call:   func(c *intram.Client) error { return c.Webhooks.SendTest(t.Context(), "whs_b4c3a2") },
			method: "POST", path: "/v1/webhooks/whs_b4c3a2/test", body: `{}`, status: 202, answer: "webhook.test.current.json",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, answer(tt.status, strings.ReplaceAll(example(t, tt.answer), "PO-2026-0001", cmp.Or(tt.reference, "PO-2026-0001"))))
			require.NoError(t, tt.call(client))
			require.Len(t, s.requests(), 1)
			sent := s.last()
			assert.Equal(t, tt.method, sent.Method)
			assert.True(t, strings.HasPrefix(sent.URL, "https://api.intram.org/v1/"), sent.URL)
			assert.Equal(t, tt.path, sent.Path)
			assert.Equal(t, tt.query, sent.Query)
			if tt.body == "" {
				assert.Empty(t, sent.Body)
			} else {
				assert.JSONEq(t, tt.body, sent.Body)
				assert.Equal(t, []string{"application/json"}, sent.Header["Content-Type"])
			}
			assert.Equal(t, []string{publicKey}, sent.Header["X-Api-Key"])
			assert.Equal(t, []string{"application/json"}, sent.Header["Accept"])
			assert.Len(t, sent.Header["User-Agent"], 1)
			// The signature on the wire covers exactly what is on the wire.
			timestamp := sent.Header.Get("X-Timestamp")
			at, err := time.Parse("2006-01-02T15:04:05.000Z", timestamp)
			require.NoError(t, err, "ISO 8601 in UTC with milliseconds")
			assert.WithinDuration(t, time.Now(), at, time.Minute)
			assert.Equal(t, secondSignature(secretKey, timestamp, tt.method, strings.TrimPrefix(tt.path, "/v1"), tt.query, sent.Body),
				sent.Header.Get("X-Signature"))
			for name := range sent.Header {
				assert.Contains(t, []string{
					"Accept", "Content-Type", "Idempotency-Key", "User-Agent", "X-Api-Key", "X-Signature", "X-Timestamp",
				}, name, "a header that the docs do not know")
			}
			for name, values := range sent.Header {
				assert.NotContains(t, strings.Join(values, " "), secretKey, "the secret is never sent: %s", name)
			}
		})
	}
}

// Amounts are numbers on the wire, never rounded, never with an exponent or zeros after
// the point.
func TestAmountsOnTheWire(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"25000": "25000", "153.00": "153", "1e3": "1000", "9007199254740991": "9007199254740991"} {
		client, s := scripted(t, answerFile(t, 202, "payout.accepted.current.json"))
		p := mobilePayout()
		p.Amount = amount(t, in)
		_, err := client.Payouts.Create(t.Context(), p)
		require.NoError(t, err)
		assert.Contains(t, s.last().Body, `"amount":`+want+`,`)
	}
	client, s := scripted(t, answerFile(t, 202, "payout.accepted.current.json"))
	p := mobilePayout()
	p.Currency, p.Amount = "GHS", amount(t, "10.55")
	_, err := client.Payouts.Create(t.Context(), p)
	require.NoError(t, err, "a currency with decimals")
	assert.Contains(t, s.last().Body, `"amount":10.55,`)
}

func TestIDsAreEscapedIntoPaths(t *testing.T) {
	t.Parallel()
	client, s := scripted(t)
	s.forever = answer(404, `{"error":true,"code":"operation_not_found"}`)
	for id, want := range map[string]string{
		"op_2f4a": "/v1/operations/op_2f4a", "a?b": "/v1/operations/a%3Fb", "a#b": "/v1/operations/a%23b", "a;b": "/v1/operations/a%3Bb",
		"...": "/v1/operations/...", "a..b": "/v1/operations/a..b", "a&b=c": "/v1/operations/a&b=c", "a+b": "/v1/operations/a+b",
	} {
		_, err := client.Operations.Get(t.Context(), id)
		require.ErrorIs(t, err, intram.CodeOperationNotFound, id)
		sent := s.last()
		assert.Equal(t, want, sent.Path)
		assert.Empty(t, sent.Query)
		assert.Equal(t, secondSignature(secretKey, sent.Header.Get("X-Timestamp"), "GET", strings.TrimPrefix(want, "/v1"), "", ""),
			sent.Header.Get("X-Signature"), "signed as sent")
	}
}

func TestUserAgent(t *testing.T) {
	t.Parallel()
	own := fmt.Sprintf("intram-go/%s go/%s (%s; %s)", intram.Version, strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
	for want, opts := range map[string][]intram.ClientOption{
		own:                 nil,
		own + " shop/1.2.3": {intram.WithAppInfo("shop", "1.2.3")},
		own + " shop":       {intram.WithAppInfo("shop", "")},
		own + " other/2":    {intram.WithAppInfo("shop", "1"), intram.WithAppInfo("other", "2")},
	} {
		s := &script{t: t, steps: []step{answerFile(t, 200, "balance.current.json")}}
		_, err := newClient(t, s, opts...).Balance.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{want}, s.last().Header["User-Agent"])
	}
}

func TestResponseInto(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t,
		answer(503, "", "Retry-After", "0"),
		answer(202, example(t, "payout.accepted.current.json"), "X-Request-Id", "req-1", "Idempotent-Replay", "true"),
		answer(400, `{"error":true,"code":"validation_error"}`, "X-Request-Id", "req-2", "Retry-After", "3"),
		lost)
	resp := intram.Response{RequestID: "stale", Replayed: true, Attempts: 99}
	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp), intram.WithIdempotencyKey("mine-0001"))
	require.NoError(t, err)
	assert.Equal(t, 202, resp.StatusCode)
	assert.Equal(t, "req-1", resp.RequestID)
	assert.Equal(t, "req-1", resp.Header.Get("X-Request-Id"))
	assert.Equal(t, "mine-0001", resp.IdempotencyKey)
	assert.True(t, resp.Replayed)
	assert.Equal(t, 2, resp.Attempts)
	assert.Zero(t, resp.RetryAfter)

	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp), intram.WithIdempotencyKey("mine-0002"))
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 400, resp.StatusCode)
	assert.Equal(t, "req-2", resp.RequestID)
	assert.Equal(t, "req-2", e.RequestID)
	assert.False(t, resp.Replayed)
	assert.Equal(t, 3*time.Second, resp.RetryAfter)
	assert.Equal(t, 3*time.Second, e.RetryAfter)

	_, err = client.Balance.Get(t.Context(), intram.WithResponseInto(&resp), intram.WithMaxAttempts(1))
	require.Error(t, err)
	assert.Equal(t, intram.Response{Attempts: 1}, resp, "no answer: nothing of an earlier call's is left")

	// And when nothing was sent, either.
	resp = intram.Response{StatusCode: 202, RequestID: "stale", Replayed: true, Attempts: 99, Header: http.Header{"X": {"y"}}}
	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{}, intram.WithResponseInto(&resp), intram.WithIdempotencyKey("mine-0003"))
	_ = refusal(t, err)
	assert.Equal(t, intram.Response{IdempotencyKey: "mine-0003"}, resp)
}

func TestNilOptionsAreIgnored(t *testing.T) {
	t.Parallel()
	for name, call := range everyCall {
		client, s := scripted(t)
		s.forever = answer(200, `{"error":false,"data":null}`)
		assert.NotPanics(t, func() { _ = call(t.Context(), client, nil, intram.WithResponseInto(nil), nil) }, name)
		assert.NotEmpty(t, s.requests(), name)
	}
}

// A nil context is a mistake that is named, not a panic.
func TestNilContext(t *testing.T) {
	t.Parallel()
	for name, call := range everyCall {
		client, s := scripted(t)
		assert.NotPanics(t, func() {
			e := refusal(t, call(nil, client))
			assert.Equal(t, "ctx", e.Details[0].Path, name)
		}, name)
		assert.Empty(t, s.requests())
	}
	client, _ := scripted(t)
	assert.NotPanics(t, func() {
		_, err := client.WaitForOperation(nil, "op_1") //nolint:staticcheck // the mistake under test
		_ = refusal(t, err)
		_, err = client.Transactions.Wait(nil, "AB12CD34EF") //nolint:staticcheck // the mistake under test
		_ = refusal(t, err)
		for _, err := range client.Transactions.All(nil, intram.TransactionListParams{}) { //nolint:staticcheck // the mistake under test
			_ = refusal(t, err)
		}
		for _, err := range client.Operations.All(nil, intram.OperationListParams{}) { //nolint:staticcheck // the mistake under test
			_ = refusal(t, err)
		}
	})
}
