package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// price is what an order costs, in XOF.
const price = 5000

// Numbers of customers. In the fake's sandbox the last six digits choose what happens.
const (
	defaultNumber  = "+2250700000000" // pays
	deliveredTwice = "+2250700000011" // pays, and the notification comes twice
)

// story is one run: who talks to what, and what came of it.
type story struct {
	out             io.Writer
	payin           *intram.PayinClient
	fake            *intramtest.Server // nil against the real sandbox
	msisdn, country string

	inbox    *inbox // nil without notifications
	sessions []*intram.Payin
	step     int
	checks   int
	wrong    []string
}

// tell runs the whole story. What does not hold is collected, and told at the end.
func (s *story) tell(ctx context.Context) error {
	// Names of our own that no other run has.
	run := rand.Text()[:8]
	fmt.Fprintln(s.out)
	defer func() {
		if s.inbox != nil {
			s.inbox.close()
		}
	}()
	for _, step := range []func(context.Context, string) error{s.listen, s.takePayment, s.seeDecline, s.seeExpiry, s.seeForgery} {
		if err := step(ctx, run); err != nil {
			return err
		}
	}
	return s.report()
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

// listen starts a receiver on loopback. Only a fake can reach it; for a real account the
// portal is where a public address and its secret are set.
func (s *story) listen(_ context.Context, _ string) error {
	if s.fake == nil {
		s.say("Notifications", "left out: the real sandbox cannot reach this machine")
		return nil
	}
	secret := rand.Text()
	box, err := openInbox(s.payin, secret)
	if err != nil {
		return err
	}
	s.inbox = box
	if err := s.fake.SetPayinWebhook(box.url, secret); err != nil {
		return err
	}
	s.say("Notifications", "go to %s, signed with the secret set in the portal", box.url)
	return nil
}

// create asks for a payment. The key comes from the order's own name: a program that asks
// again after a crash charges no customer twice.
func (s *story) create(ctx context.Context, reference, msisdn string) (*intram.Payin, error) {
	key, err := intram.DerivePayinKey(reference)
	if err != nil {
		return nil, err
	}
	return s.payin.CreateSession(ctx, intram.PayinSessionParams{
		Reference: reference, Amount: intram.NewAmount(price), MSISDN: msisdn, CustomerName: "Ada Lovelace", Country: s.country,
		SuccessURL: "https://shop.example.com/paid", FailureURL: "https://shop.example.com/not-paid",
	}, intram.WithIdempotencyKey(key))
}

func (s *story) takePayment(ctx context.Context, run string) error {
	reference := "ORDER-" + run + "-1"
	session, err := s.create(ctx, reference, s.msisdn)
	if err != nil {
		return err
	}
	s.check(session.Outcome() == intram.PayinOutcomePending, "a new session is %s", session.Outcome())
	s.check(session.Reference == reference, "the session's reference is %q", session.Reference)
	s.check(session.ChargedAmount.Equal(session.Amount.Add(session.Fee)), "charged %s is not amount %s and fee %s",
		session.ChargedAmount, session.Amount, session.Fee)
	s.say("Session", "%s: %s and a fee of %s, nothing is debited yet", reference, money(session.Amount), money(session.Fee))

	again, err := s.create(ctx, reference, s.msisdn)
	if err != nil {
		return err
	}
	s.check(again.ID == session.ID, "the same key made another session: %s and %s", session.ID, again.ID)
	s.say("Asked again", "with the same idempotency key: the same session, no customer is charged twice")

	if s.fake == nil {
		return s.letCustomerAnswer(ctx, session)
	}
	status, err := visit(ctx, session.PaymentURL, "confirm")
	if err != nil {
		return err
	}
	s.check(status == http.StatusOK, "the page responds with %d to a customer who confirms", status)
	s.say("Customer", "confirmed on the page %s", session.PaymentURL)
	if err := s.hear(ctx, notification{reference, intram.EventPayinConfirmed, intram.PayinOutcomePaid}, 2); err != nil {
		return err
	}
	paid, err := s.end(ctx, reference, intram.PayinOutcomePaid)
	if err != nil {
		return err
	}
	s.check(paid.Transaction != nil && paid.Transaction.Status == intram.PayinTransactionCompleted, "a paid session has no completed transaction")
	_, came, shipped, _ := s.inbox.count(reference)
	s.check(came == 2 && shipped == 1, "the order was shipped %d times after %d notifications", shipped, came)
	s.say("Paid", "Get says %s, %s left the customer: shipped once, though notified twice", paid.Outcome(), money(paid.ChargedAmount))
	return nil
}

// letCustomerAnswer waits for you, the customer of the real sandbox.
func (s *story) letCustomerAnswer(ctx context.Context, session *intram.Payin) error {
	const maxWait = 5 * time.Minute
	if session.ConfirmationRequired {
		s.say("Your turn", "open %s and confirm or decline, within %v", session.PaymentURL, maxWait)
	}
	ended, err := s.payin.Wait(ctx, session.Reference, intram.WithMaxWait(maxWait))
	if unfinished := (*intram.WaitError)(nil); errors.As(err, &unfinished) {
		s.say("No response", "session %s is still pending: look it up again later", session.Reference)
		return nil
	}
	if err != nil {
		return err
	}
	s.sessions = append(s.sessions, ended)
	s.say("Ended", "Get says %s", ended.Outcome())
	return nil
}

func (s *story) seeDecline(ctx context.Context, run string) error {
	if s.fake == nil {
		s.say("Decline, expiry", "left out: decline the session on its page, or leave it, and run this again")
		return nil
	}
	reference := "ORDER-" + run + "-2"
	session, err := s.create(ctx, reference, defaultNumber)
	if err != nil {
		return err
	}
	status, err := visit(ctx, session.PaymentURL, "decline")
	if err != nil {
		return err
	}
	s.check(status == http.StatusOK, "the page responds with %d to a customer who declines", status)
	s.say("Second session", "%s: the customer declined on the page", reference)
	if err := s.hear(ctx, notification{reference, intram.EventPayinDeclined, intram.PayinOutcomeDeclined}, 1); err != nil {
		return err
	}
	declined, err := s.end(ctx, reference, intram.PayinOutcomeDeclined)
	if err != nil {
		return err
	}
	s.check(declined.Transaction == nil, "a declined session has a transaction")
	s.say("Declined", "Get says %s: no money moved", declined.Outcome())
	return nil
}

func (s *story) seeExpiry(ctx context.Context, run string) error {
	if s.fake == nil {
		return nil
	}
	reference := "ORDER-" + run + "-3"
	session, err := s.create(ctx, reference, defaultNumber)
	if err != nil {
		return err
	}
	const unanswered = 10 * time.Minute
	s.fake.Advance(unanswered) // the fake's clock, not yours
	s.say("Third session", "%s: no customer response for %v", reference, unanswered)
	expired, err := s.end(ctx, reference, intram.PayinOutcomeExpired)
	if err != nil {
		return err
	}
	_, came, _, _ := s.inbox.count(reference)
	s.check(came == 0, "%d notifications came of a session that expired", came)
	status, err := visit(ctx, session.PaymentURL, "confirm")
	if err != nil {
		return err
	}
	s.check(status == http.StatusConflict, "confirming a session that has expired had the response %d", status)
	s.say("Expired", "Get says %s: no notification tells of that, and confirming now is too late", expired.Outcome())
	return nil
}

// seeForgery sends the receiver what a stranger without the secret would.
func (s *story) seeForgery(ctx context.Context, run string) error {
	if s.fake == nil {
		return nil
	}
	body := fmt.Appendf(nil, `{"id":"pr_1","reference":"ORDER-%s-2","status":"processed","confirmationStatus":"accepted"}`, run)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.inbox.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = intramtest.SignPayinNotification("a guess", body)
	status, err := send(request)
	if err != nil {
		return err
	}
	_, _, shipped, refused := s.inbox.count("ORDER-" + run + "-2")
	s.check(status == http.StatusUnauthorized && refused == 1 && shipped == 0, "a forged notification had the response %d, and %d orders shipped", status, shipped)
	s.say("Forgery", "a notification signed with a guess: response %d, nothing shipped", status)
	return nil
}

// hear waits for a notification.
func (s *story) hear(ctx context.Context, want notification, times int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := s.inbox.await(ctx, want, times); err != nil {
		return fmt.Errorf("%s of session %s did not arrive: %w", want.event, want.reference, err)
	}
	s.say("Notification", "%s, signature good: then Get, which says %s", want.event, want.outcome)
	return nil
}

// end looks up how a session ended.
func (s *story) end(ctx context.Context, reference string, want intram.PayinOutcome) (*intram.Payin, error) {
	ended, err := s.payin.Wait(ctx, reference)
	if err != nil {
		return nil, err
	}
	s.check(ended.Outcome() == want, "session %s is %s, not %s", reference, ended.Outcome(), want)
	s.sessions = append(s.sessions, ended)
	return ended, nil
}

// visit does what a customer does with the page: look at it, and press a button. It
// returns the status of what came then.
func visit(ctx context.Context, page, button string) (status int, err error) {
	for _, r := range []struct{ method, url string }{{http.MethodGet, page}, {http.MethodPost, page + "/" + button}} {
		request, err := http.NewRequestWithContext(ctx, r.method, r.url, http.NoBody)
		if err != nil {
			return 0, err
		}
		if status, err = send(request); err != nil {
			return 0, err
		}
	}
	return status, nil
}

func send(request *http.Request) (status int, err error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}
