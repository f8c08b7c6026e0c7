package fidelity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// What probes send. Payouts go to the published test numbers and nowhere else.
const (
	mtnNumber    = "22961000000"
	moovNumber   = "22994000000"
	mtnOperator  = "MTN_BENIN_229"
	mtnName      = "MTN Bénin"
	moovOperator = "MOOV_AFRICA_BENIN_229"
	smallAmount  = 100
	// foreignOperator is one of Côte d'Ivoire, for which a number of Benin is none.
	foreignOperator = "MTN_CI_225"
	// noOperator is an operator of Benin that does not exist.
	noOperator = "FIDELITY_BENIN_229"
)

// operation is one that a probe has created and waited for.
type operation struct {
	created *response // of the POST
	ended   *response // of the last GET
	err     error     // why there is none
	words   []string  // the statuses that it was seen in, in their order
}

// data is a field of the operation as it ended.
func (o *operation) data(names ...string) json.RawMessage {
	return dig(o.ended.body, append([]string{"data"}, names...)...)
}

// status is the operation's status, with its error code.
func (o *operation) status() string {
	status := word(o.data("status"))
	if code := word(o.data("error", "code")); code != "" {
		status += " " + code
	}
	return status
}

// ended are the statuses in which an operation stays, in the words of the documentation
// and in those that were seen.
var endedWords = []string{"succeeded", "completed", "failed", "expired"}

// create makes an operation, and waits for its end.
func (s *Session) create(ctx context.Context, target, body string) (*operation, error) {
	created, err := s.post(ctx, target, body)
	if err != nil {
		return nil, err
	}
	return s.follow(ctx, target, created)
}

// follow waits for the operation that a response has accepted.
func (s *Session) follow(ctx context.Context, target string, created *response) (*operation, error) {
	id := text(dig(created.body, "data", "operation_id"))
	if created.status >= http.StatusBadRequest || id == "" {
		return nil, &refusedError{target, created.refused()}
	}
	o := &operation{created: created}
	var err error
	wait := time.Second
	for waited := time.Duration(0); ; waited += wait {
		if o.ended, err = s.get(ctx, "/operations/"+url.PathEscape(id)); err != nil {
			return nil, err
		}
		status := word(o.data("status"))
		if len(o.words) == 0 || o.words[len(o.words)-1] != status {
			o.words = append(o.words, status)
		}
		if slices.Contains(endedWords, status) {
			return o, nil
		}
		if waited >= s.config.Longest {
			return nil, inconclusive("the operation of POST %s did not end within %s (last status %s)", target, s.config.Longest, status)
		}
		wait = min(wait*3/2, 10*time.Second)
		if err := s.config.Clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// shared creates an operation once for all probes that look at it.
func (s *Session) shared(ctx context.Context, kept map[string]*operation, name, target, body string) (*operation, error) {
	if o := kept[name]; o != nil {
		return o, o.err
	}
	o, err := s.create(ctx, target, body)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		o = &operation{err: err}
	}
	kept[name] = o
	return o, err
}

// payout is a payout to a published number, by its name shared between probes.
func (s *Session) payout(ctx context.Context, operator, number string) (*operation, error) {
	return s.shared(ctx, s.payouts, operator+" "+number, "/payouts", payoutBody(fmt.Sprintf(`"provider_code":%q,"msisdn":%q`, operator, number), ""))
}

// payment is a payment request that stays unpaid.
func (s *Session) payment(ctx context.Context) (*operation, error) {
	return s.shared(ctx, s.payments, "", "/payment-requests", paymentBody("100", ""))
}

// payoutBody is a payout of a small amount; destination are the fields behind its type,
// more those behind the destination.
func payoutBody(destination, more string) string {
	return fmt.Sprintf(`{"amount":%d,"currency":"XOF","destination":{"type":"mobile_money","country_code":"BJ",%s}%s}`, smallAmount, destination, more)
}

// paymentBody is a payment request; more are the fields behind the invoice. Its customer
// is made up.
func paymentBody(amount, more string) string {
	return fmt.Sprintf(`{"invoice":{"amount":%s,"currency":"XOF","description":"fidelity","customer":{"email":"fidelity@example.com"}}%s}`, amount, more)
}
