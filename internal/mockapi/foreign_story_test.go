package mockapi_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// story is the SDK's side of it, step by step as in the scripts.
type story struct {
	t       *testing.T
	server  *mockapi.Server
	client  *intram.Client
	answers []answer
}

func (s *story) add(step string, f fields) {
	s.answers = append(s.answers, answer{step, forComparison(step, f)})
}

// called adds the response to a call: its fields when it succeeded, its error when it was
// refused.
func (s *story) called(step string, response intram.Response, f fields, err error) {
	s.t.Helper()
	if err != nil {
		var refused *intram.Error
		require.ErrorAs(s.t, err, &refused, step)
		f = errorFields(refused)
	} else {
		f["answer.status"] = strconv.Itoa(response.StatusCode)
		f["answer.replayed"] = strconv.FormatBool(response.Replayed)
	}
	s.add(step, f)
}

func newStoryClient(t *testing.T, server *mockapi.Server, spoil func(*http.Request)) *intram.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	keys := server.Merchant().Sandbox
	client, err := intram.NewClient(keys.Public, keys.Secret, intram.WithBaseURL(server.BaseURL()),
		intram.WithClock(server.Clock()), intram.WithMaxAttempts(1),
		intram.WithHTTPClient(&http.Client{Transport: spoiler{transport, spoil}}))
	require.NoError(t, err)
	return client
}

// spoiler changes a request after the SDK has signed it.
type spoiler struct {
	next  http.RoundTripper
	spoil func(*http.Request)
}

func (s spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.spoil != nil {
		r = r.Clone(r.Context())
		s.spoil(r)
	}
	return s.next.RoundTrip(r)
}

func sdkStory(t *testing.T) []answer {
	t.Helper()
	server := newForeignServer(t)
	s := &story{t: t, server: server, client: newStoryClient(t, server, nil)}
	s.refusals()
	receiver, hook := newReceiver(t)
	s.balance("balance.before")
	var response intram.Response
	subscription, err := s.client.Webhooks.Create(t.Context(),
		intram.WebhookParams{URL: hook, Event: intram.EventAll}, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("webhook.created", response, subscriptionFields(subscription), nil)

	s.payouts()
	paid := s.payments()
	s.refunds(paid)
	s.lists()

	s.subscriptions("webhooks.listed")
	err = s.client.Webhooks.SendTest(t.Context(), subscription.ID, intram.WithResponseInto(&response))
	s.called("webhook.tested", response, fields{}, err)
	require.NoError(t, server.Idle(t.Context()))
	s.deliveries(receiver, subscription.Secret)
	err = s.client.Webhooks.Delete(t.Context(), subscription.ID, intram.WithResponseInto(&response))
	s.called("webhook.deleted", response, fields{}, err)
	s.subscriptions("webhooks.left")
	s.balance("balance.after")
	return sortDeliveries(s.answers)
}

func (s *story) refusals() {
	t := s.t
	now := s.server.Clock().Now()
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	without := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Del(name) }
	}
	stamp := func(by time.Duration) func(*http.Request) {
		return with("X-Timestamp", now.Add(by).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	for _, tt := range []struct {
		reason string
		spoil  func(*http.Request)
	}{
		{"missing_api_key", without("X-Api-Key")},
		{"invalid_api_key", with("X-Api-Key", "pk_sandbox_nobody")},
		{"missing_signature", without("X-Signature")},
		{"missing_timestamp", without("X-Timestamp")},
		{"invalid_timestamp_format", with("X-Timestamp", "yesterday")},
		{"timestamp_out_of_window.late", stamp(-6 * time.Minute)},
		{"timestamp_out_of_window.early", stamp(6 * time.Minute)},
		{"signature_mismatch", with("X-Signature", "sha256="+strings.Repeat("0", 64))},
	} {
		_, err := newStoryClient(t, s.server, tt.spoil).Balance.Get(t.Context())
		require.Error(t, err, tt.reason)
		s.called("refused."+tt.reason, intram.Response{}, nil, err)
	}
	for _, tt := range []struct {
		reason string
		spoil  func(*http.Request)
	}{
		{"missing_idempotency_key", without("Idempotency-Key")},
		{"invalid_idempotency_key", with("Idempotency-Key", "short")},
		{"invalid_body", func(r *http.Request) {
			// Signed as it should be: it is the body that is refused.
			body := `{"amount":`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			mac := hmac.New(sha256.New, []byte(s.server.Merchant().Sandbox.Secret))
			mac.Write(fmt.Appendf(nil, "%s\nPOST\n/api/v1/merchant/payouts\n\n%s", r.Header.Get("X-Timestamp"), body))
			r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}},
	} {
		_, err := newStoryClient(t, s.server, tt.spoil).Payouts.Create(t.Context(), storyPayout(1000, "22961000000", "PO-NEVER"))
		require.Error(t, err, tt.reason)
		s.called("refused."+tt.reason, intram.Response{}, nil, err)
	}
}

func storyPayout(amount int64, msisdn, reference string) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(amount), Currency: intram.XOF,
		Destination: intram.MobileMoney{
			CountryCode: "BJ", ProviderCode: intram.MTNBenin, MSISDN: msisdn,
			AccountName: "Ada", AccountSurname: "Lovelace",
		},
		Reference: reference, Note: "Règlement hebdomadaire ✓",
		Metadata: map[string]any{"batch_id": "B-42", "lines": []any{1, 2, map[string]any{"deep": nil}}},
	}
}

func (s *story) payouts() {
	t, ctx := s.t, s.t.Context()
	var response intram.Response
	key := intram.WithIdempotencyKey("foreign-story-payout-1")
	accepted, err := s.client.Payouts.Create(ctx, storyPayout(25000, "22961000000", "PO-1"), key, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("payout.accepted", response, operationFields(t, accepted), nil)

	again, err := s.client.Payouts.Create(ctx, storyPayout(25000, "22961000000", "PO-1"), key, intram.WithResponseInto(&response))
	require.NoError(t, err)
	f := operationFields(t, again)
	f["answer.same_bytes"] = strconv.FormatBool(bytes.Equal(again.Raw, accepted.Raw))
	s.called("payout.replayed", response, f, nil)

	_, err = s.client.Payouts.Create(ctx, storyPayout(25001, "22961000000", "PO-1"), key)
	require.ErrorIs(t, err, intram.CodeIdempotencyConflict)
	s.called("payout.conflict", response, nil, err)
	s.finished("payout.finished", accepted)

	refused, err := s.client.Payouts.Create(ctx, storyPayout(5000, "22961000002", "PO-2"))
	require.NoError(t, err)
	s.finished("payout.failed", refused)

	bank, err := s.client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(40000), Reference: "PO-3",
		Destination: intram.BankAccount{SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada Lovelace"},
	})
	require.NoError(t, err)
	s.finished("payout.bank", bank)

	_, err = s.client.Payouts.Create(ctx, intram.PayoutParams{
		Currency: "xof", Reference: strings.Repeat("R", 101), Destination: intram.MobileMoney{MSISDN: "0022961000000"},
	})
	s.called("payout.invalid", intram.Response{}, nil, err)
}

// finished waits for an operation, and adds it as it is then.
func (s *story) finished(step string, accepted *intram.Operation) *intram.Operation {
	s.t.Helper()
	var failed *intram.OperationError
	if _, err := s.client.WaitForOperation(s.t.Context(), accepted.ID); err != nil {
		require.ErrorAs(s.t, err, &failed)
	}
	var response intram.Response
	op, err := s.client.Operations.Get(s.t.Context(), accepted.ID, intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	if step != "" {
		s.called(step, response, operationFields(s.t, op), nil)
	}
	return op
}

func (s *story) payments() (paid string) {
	t, ctx := s.t, s.t.Context()
	request := func(amount int64, order string) (*intram.Operation, intram.Response) {
		var response intram.Response
		op, err := s.client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
			Invoice: intram.Invoice{
				Amount: intram.NewAmount(amount), Currency: intram.XOF, Description: "Commande #" + order,
				Customer: intram.Customer{Email: "client@example.com", FirstName: "Ada", LastName: "Lovelace", Phone: "22961000000"},
			},
			PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: "22961000000"},
			ReturnURLs:    intram.ReturnURLs{Success: "https://shop.example.com/ok", Cancel: "https://shop.example.com/no"},
			WebhookData:   map[string]any{"order_id": order},
		}, intram.WithResponseInto(&response))
		require.NoError(t, err)
		return op, response
	}
	reference := func(op *intram.Operation) string {
		result, ok := op.Result.(*intram.PaymentRequestResult)
		require.True(t, ok, "the result is a %T", op.Result)
		return result.TransactionReference
	}
	accepted, response := request(12000, "4521")
	s.called("payment_request.accepted", response, operationFields(t, accepted), nil)
	paid = reference(s.finished("payment_request.finished", accepted))
	s.transaction("transaction.pending", paid)
	require.NoError(t, s.server.Pay(paid))
	s.transaction("transaction.paid", paid)

	accepted, _ = request(7000, "4522")
	declined := reference(s.finished("", accepted))
	require.NoError(t, s.server.Decline(declined))
	s.transaction("transaction.declined", declined)
	return paid
}

func (s *story) transaction(step, reference string) {
	s.t.Helper()
	var response intram.Response
	transaction, err := s.client.Transactions.Get(s.t.Context(), reference, intram.WithResponseInto(&response))
	require.NoError(s.t, err, step)
	s.called(step, response, transactionFields(s.t, transaction), nil)
}

func (s *story) refunds(paid string) {
	t, ctx := s.t, s.t.Context()
	var response intram.Response
	accepted, err := s.client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: paid, Amount: intram.NewAmount(5000), Reason: "Demandé par le client",
		Metadata: map[string]any{"ticket_id": "T-9001"},
	}, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("refund.accepted", response, operationFields(t, accepted), nil)
	s.finished("refund.finished", accepted)
	s.transaction("transaction.refunded", paid)
	_, err = s.client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: "ZZZZZZZZZZ"})
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	s.called("refund.unknown", response, nil, err)
}

func (s *story) lists() {
	t, ctx := s.t, s.t.Context()
	listed(s, "transactions.listed", s.client.Transactions.All(ctx, intram.TransactionListParams{Limit: 2}), transactionFields)
	listed(s, "operations.listed",
		s.client.Operations.All(ctx, intram.OperationListParams{Limit: 2, Type: intram.OperationPayout}), operationFields)
	_, err := s.client.Operations.Get(ctx, "op_none")
	require.ErrorIs(t, err, intram.CodeOperationNotFound)
	s.called("operation.unknown", intram.Response{}, nil, err)
	_, err = s.client.Transactions.Get(ctx, "ZZZZZZZZZZ")
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	s.called("transaction.unknown", intram.Response{}, nil, err)
}

func listed[T any](s *story, step string, items iter.Seq2[*T, error], fieldsOf func(*testing.T, *T) fields) {
	s.t.Helper()
	all, n := fields{}, 0
	for item, err := range items {
		require.NoError(s.t, err, step)
		for path, value := range fieldsOf(s.t, item) {
			all[strconv.Itoa(n)+"."+path] = value
		}
		n++
	}
	all["answer.several_pages"] = strconv.FormatBool(n > 2) // pages of two
	s.add(step, all)
}

func (s *story) subscriptions(step string) {
	s.t.Helper()
	var response intram.Response
	subscriptions, err := s.client.Webhooks.List(s.t.Context(), intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	f := fields{}
	for i := range subscriptions {
		for path, value := range subscriptionFields(&subscriptions[i]) {
			f[strconv.Itoa(i)+"."+path] = value
		}
	}
	s.called(step, response, f, nil)
}

func (s *story) balance(step string) {
	s.t.Helper()
	var response intram.Response
	balance, err := s.client.Balance.Get(s.t.Context(), intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	f := fields{}
	f.set("currency", string(balance.Currency))
	for i, method := range balance.PaymentMethods {
		path := fmt.Sprintf("payment_method_balances.%d.", i)
		f.set(path+"payment_method", method.PaymentMethod)
		f.set(path+"available", method.Available.String())
		f.set(path+"pending", method.Pending.String())
	}
	s.called(step, response, f, nil)
}

// receiver keeps the deliveries to a webhook endpoint on loopback.
type receiver struct {
	mu         sync.Mutex
	deliveries []delivered
}

type delivered struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) (*receiver, string) {
	t.Helper()
	received := &receiver{}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		received.mu.Lock()
		defer received.mu.Unlock()
		received.deliveries = append(received.deliveries, delivered{r.Header.Clone(), body})
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(endpoint.Close)
	return received, endpoint.URL + "/intram/webhook"
}

func (s *story) deliveries(received *receiver, secret string) {
	t := s.t
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	verifier = verifier.WithClock(s.server.Clock())
	received.mu.Lock()
	defer received.mu.Unlock()
	for _, d := range received.deliveries {
		event, err := verifier.Verify(d.header, d.body)
		require.NoError(t, err)
		_, forged := verifier.Verify(d.header, append(bytes.Clone(d.body), ' '))
		f := eventFields(t, event)
		f["delivery.verified"] = "true"
		f["delivery.forged"] = strconv.FormatBool(!errors.Is(forged, intram.ErrInvalidSignature))
		f["delivery.user_agent"] = d.header.Get("User-Agent")
		s.add("delivery", f)
	}
}
