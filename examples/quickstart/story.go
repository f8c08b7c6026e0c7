package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// The story's amounts, in XOF.
const (
	payoutAmount  = 25000
	paymentAmount = 12000
	refundAmount  = 2000
)

// testNumber succeeds in the sandbox, the real one and the fake's.
const testNumber = "22961000000"

// story is one run: who talks to what, and what came of it.
type story struct {
	out    io.Writer
	client *intram.Client
	fake   *intramtest.Server // nil against the real sandbox

	inbox         *inbox // nil without webhooks
	before, after *intram.Balance
	operations    []string
	expected      []expectation // the events that must arrive
	payment       *intram.Transaction
	step          int
	checks        int
	wrong         []string
}

// tell runs the whole story. What does not hold is collected, and told at the end.
func (s *story) tell(ctx context.Context) error {
	// Names of our own that no other run has: keys and references come from it.
	run := rand.Text()[:8]

	steps := []func(context.Context, string) error{
		s.readBalance, s.subscribe, s.payOut, s.payOutAgain, s.requestPayment, s.refundPart, s.readBack, s.receiveEvents,
	}
	defer func() {
		if s.inbox != nil {
			s.inbox.close()
		}
	}()
	for _, step := range steps {
		if err := step(ctx, run); err != nil {
			return err
		}
	}
	return s.report(ctx)
}

// say prints one numbered line of the story.
func (s *story) say(title, format string, args ...any) {
	s.step++
	fmt.Fprintf(s.out, "%2d. %-16s %s\n", s.step, title, fmt.Sprintf(format, args...))
}

// check notes whether something that the story says is true.
func (s *story) check(ok bool, format string, args ...any) {
	s.checks++
	if !ok {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func (s *story) readBalance(ctx context.Context, _ string) error {
	fmt.Fprintln(s.out)
	balance, err := s.client.Balance.Get(ctx)
	if err != nil {
		return err
	}
	s.before = balance
	s.say("Balance", "%s available", money(balance.Available))
	return nil
}

// subscribe starts a receiver on loopback and has every event sent to it. Only a fake can
// reach loopback.
func (s *story) subscribe(ctx context.Context, _ string) error {
	if s.fake == nil {
		s.say("Webhooks", "left out: the real sandbox cannot reach this machine")
		return nil
	}
	box, err := openInbox()
	if err != nil {
		return err
	}
	s.inbox = box
	subscription, err := s.client.Webhooks.Create(ctx, intram.WebhookParams{URL: box.url, Event: intram.EventAll})
	if err != nil {
		return err
	}
	// The secret is shown this once.
	verifier, err := intram.NewWebhookVerifier(subscription.Secret)
	if err != nil {
		return err
	}
	box.verifyWith(verifier)
	s.say("Webhooks", "subscription %s sends every event to %s", subscription.ID, box.url)
	return nil
}

func (s *story) payoutParams(run string) intram.PayoutParams {
	return intram.PayoutParams{
		Amount:      intram.NewAmount(payoutAmount),
		Currency:    intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: testNumber, CountryCode: "BJ"},
		Reference:   "PO-" + run,
	}
}

func (s *story) payOut(ctx context.Context, run string) error {
	key, err := intram.DeriveIdempotencyKey("payout", "PO-"+run)
	if err != nil {
		return err
	}
	op, err := s.client.Payouts.Create(ctx, s.payoutParams(run), intram.WithIdempotencyKey(key))
	if err != nil {
		return err
	}
	result, err := s.client.Payouts.Wait(ctx, op.ID)
	if err != nil {
		return err
	}
	s.operations = append(s.operations, op.ID)
	s.expect(intram.EventPayoutCompleted, op.ID)
	s.check(result.Status == intram.PayoutCompleted, "the payout's status is %q, not %q", result.Status, intram.PayoutCompleted)
	s.check(result.Amount.Equal(intram.NewAmount(payoutAmount)), "the payout is of %s, not %d", result.Amount, payoutAmount)
	s.check(result.Reference == "PO-"+run, "the payout's reference is %q", result.Reference)
	s.say("Payout", "%s to %s, reference %s: operation %s %s", money(result.Amount), intram.MTNBenin, result.Reference, op.ID, result.Status)
	return nil
}

// payOutAgain asks for the same payout with the same key, as a program does that crashed
// before it knew.
func (s *story) payOutAgain(ctx context.Context, run string) error {
	key, err := intram.DeriveIdempotencyKey("payout", "PO-"+run)
	if err != nil {
		return err
	}
	var answer intram.Response
	op, err := s.client.Payouts.Create(ctx, s.payoutParams(run), intram.WithIdempotencyKey(key), intram.WithResponseInto(&answer))
	if err != nil {
		return err
	}
	s.check(answer.Replayed, "the second response is not marked as a replay")
	s.check(op.ID == s.operations[0], "the same key made another operation: %s and %s", s.operations[0], op.ID)
	s.say("Asked again", "with the same idempotency key: the same operation %s, nothing is paid twice", op.ID)
	return nil
}

func (s *story) requestPayment(ctx context.Context, run string) error {
	op, err := s.client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(paymentAmount), Currency: intram.XOF, Description: "Order " + run,
			Customer: intram.Customer{FirstName: "Ada", LastName: "Lovelace", Email: "ada@example.com", Phone: testNumber},
		},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: testNumber},
		WebhookData:   map[string]any{"order": run},
	})
	if err != nil {
		return err
	}
	page, err := s.client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		return err
	}
	s.operations = append(s.operations, op.ID)
	s.expect(intram.EventPaymentRequestCreated, op.ID)
	s.check(strings.HasPrefix(page.QRCode, "data:image/png;base64,"), "the payment request has no QR code")
	s.say("Payment request", "%s, order %s: checkout page %s", money(page.Amount), run, page.GatewayURL)

	maxWait := 3 * time.Minute
	if s.fake != nil {
		if err := payOnPage(ctx, page.GatewayURL); err != nil {
			return err
		}
	} else {
		s.say("Your turn", "open that page and pay, within %v", maxWait)
	}
	payment, err := s.client.Transactions.Wait(ctx, page.TransactionReference, intram.WithMaxWait(maxWait))
	if unfinished := (*intram.WaitError)(nil); errors.As(err, &unfinished) && s.fake == nil {
		s.say("Not paid", "transaction %s is not paid: the refund is left out", page.TransactionReference)
		return nil
	}
	if err != nil {
		return err
	}
	s.payment = payment
	s.expect(intram.EventPaymentRequestPaid, op.ID)
	s.check(payment.Status == intram.TransactionSuccess, "the payment's status is %s", payment.Status)
	s.check(payment.Amount.Equal(intram.NewAmount(paymentAmount)), "the payment is of %s, not %d", payment.Amount, paymentAmount)
	s.check(payment.NetAmount.Equal(payment.Amount.Sub(payment.Fees)), "net %s is not amount %s less fees %s",
		payment.NetAmount, payment.Amount, payment.Fees)
	s.say("Customer paid", "transaction %s %s: %s, fees %s, net %s", payment.Reference, payment.Status,
		money(payment.Amount), money(payment.Fees), money(payment.NetAmount))
	return nil
}

// payOnPage does what a customer does with the checkout page: look at it, and press Pay.
func payOnPage(ctx context.Context, page string) error {
	for _, r := range []struct{ method, url string }{{http.MethodGet, page}, {http.MethodPost, page + "/pay"}} {
		request, err := http.NewRequestWithContext(ctx, r.method, r.url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the checkout page responds with %s to %s", response.Status, r.method)
		}
	}
	return nil
}

func (s *story) refundPart(ctx context.Context, run string) error {
	if s.payment == nil {
		return nil
	}
	op, err := s.client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: s.payment.Reference,
		Amount:               intram.NewAmount(refundAmount),
		Reason:               "Order " + run + ": one article came back",
	})
	if err != nil {
		return err
	}
	result, err := s.client.Refunds.Wait(ctx, op.ID)
	if err != nil {
		return err
	}
	s.operations = append(s.operations, op.ID)
	s.expect(intram.EventRefundCompleted, op.ID)
	s.check(result.Status == intram.RefundCompleted, "the refund's status is %q", result.Status)
	s.check(result.Amount.Equal(intram.NewAmount(refundAmount)), "the refund is of %s, not %d", result.Amount, refundAmount)
	s.say("Refund", "%s of transaction %s: refund %s %s", money(result.Amount), s.payment.Reference, result.RefundReference, result.Status)
	return nil
}

// readBack looks everything up again, by id and in the lists.
func (s *story) readBack(ctx context.Context, _ string) error {
	listed := map[string]bool{}
	for op, err := range s.client.Operations.All(ctx, intram.OperationListParams{}) {
		if err != nil {
			return err
		}
		listed[op.ID] = true
		if len(listed) >= 1000 {
			break // a sandbox of long standing has more than we look for
		}
	}
	for _, id := range s.operations {
		s.check(listed[id], "operation %s is not in the list", id)
	}
	transactions := 0
	paid := s.payment == nil
	for t, err := range s.client.Transactions.All(ctx, intram.TransactionListParams{}) {
		if err != nil {
			return err
		}
		paid = paid || t.Reference == s.payment.Reference
		if transactions++; transactions >= 1000 {
			break
		}
	}
	s.check(paid, "the payment is not in the list of transactions")
	if s.payment != nil {
		payment, err := s.client.Transactions.Get(ctx, s.payment.Reference)
		if err != nil {
			return err
		}
		s.check(len(payment.Refunds) == 1, "the payment shows %d refunds, not 1", len(payment.Refunds))
		s.check(payment.Status == intram.TransactionSuccess, "a payment refunded in part is %s", payment.Status)
	}
	balance, err := s.client.Balance.Get(ctx)
	if err != nil {
		return err
	}
	s.after = balance
	s.say("Read back", "%d operations and %d transactions in the lists", len(listed), transactions)
	return nil
}

// expectation is an event that must arrive.
type expectation struct {
	event       intram.EventType
	operationID string
}

func (s *story) expect(event intram.EventType, operationID string) {
	s.expected = append(s.expected, expectation{event, operationID})
}

// receiveEvents waits for each event that the story has caused.
func (s *story) receiveEvents(ctx context.Context, _ string) error {
	if s.inbox == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, want := range s.expected {
		event, err := s.inbox.await(ctx, want)
		if err != nil {
			return fmt.Errorf("%s of operation %s did not arrive: %w", want.event, want.operationID, err)
		}
		s.say("Event", "%s of operation %s, signature good", event.Type, event.OperationID)
	}
	return nil
}
