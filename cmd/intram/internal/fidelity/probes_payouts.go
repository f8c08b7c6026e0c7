package fidelity

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// The lines of the test numbers that are published.
var (
	successNumber  = Line{sectionNumbers, "`000000`: success"}
	printedNumbers = Line{sectionNumbers, "`61000000` of MTN and `94000000` of Moov, as the docs print them, without a country code: success"}
)

var payoutProbes = []Probe{
	{Line: Line{sectionPayouts, "`GET /balance`: wallets by payment method"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		r, err := s.get(ctx, "/balance")
		if err != nil {
			return nil, err
		}
		wallets := items(dig(r.body, "data", "payment_method_balances"))
		if len(wallets) == 0 && kind(dig(r.body, "data", "payment_method_balances")) == "array" {
			return nil, inconclusive("the merchant has no wallet in the sandbox yet")
		}
		seen := Observation{"response": r.outcome(), "data": shape(dig(r.body, "data"))}
		if len(wallets) > 0 {
			seen["a wallet"] = shape(wallets[0])
		}
		return seen, nil
	}},
	{Line: Line{sectionPayouts, "`POST /payouts`: 202 with a queued operation; every field checked"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		o, err := s.payout(ctx, mtnOperator, mtnNumber)
		outcome, refused := refusedAs(err)
		if err != nil && !refused {
			return nil, err
		}
		good := fmt.Sprintf(`"provider_code":%q,"msisdn":%q`, mtnOperator, mtnNumber)
		seen, err := s.outcomes(ctx, []step{
			posting("an amount of 0", "/payouts", strings.Replace(payoutBody(good, ""), "100", "0", 1)),
			posting("no destination", "/payouts", `{"amount":100}`),
			posting("another type of destination", "/payouts", `{"amount":100,"destination":{"type":"cash","msisdn":"`+mtnNumber+`"}}`),
			posting("a number with +", "/payouts", payoutBody(fmt.Sprintf(`"provider_code":%q,"msisdn":"+%s"`, mtnOperator, mtnNumber), "")),
			posting("a bank account without a number", "/payouts", `{"amount":100,"destination":{"type":"bank_account"}}`),
			posting("a country in lower case", "/payouts", strings.Replace(payoutBody(good, ""), `"BJ"`, `"bj"`, 1)),
			posting("a currency in lower case", "/payouts", strings.Replace(payoutBody(good, ""), `"XOF"`, `"xof"`, 1)),
			posting("a currency that is not known", "/payouts", strings.Replace(payoutBody(good, ""), `"XOF"`, `"XXX"`, 1)),
			posting("a reference of 101 characters", "/payouts", payoutBody(good, `,"reference":"`+strings.Repeat("r", 101)+`"`)),
			posting("a note of 501 characters", "/payouts", payoutBody(good, `,"note":"`+strings.Repeat("n", 501)+`"`)),
			posting("metadata that is no object", "/payouts", payoutBody(good, `,"metadata":[]`)),
		}, (*response).refused)
		if err != nil {
			return nil, err
		}
		if refused {
			seen["response"] = outcome
			return seen, nil
		}
		seen["response"] = o.created.outcome()
		seen["status at first"] = word(dig(o.created.body, "data", "status"))
		return seen, nil
	}},
	{Line: Line{sectionPayouts, "A number that does not begin with its operator's calling code is a `validation_error`"}, play: refusals(func(*Session) []step {
		return []step{posting("an operator of +225", "/payouts", payoutBody(fmt.Sprintf(`"provider_code":%q,"msisdn":%q`, foreignOperator, mtnNumber), ""))}
	})},
	{Line: Line{sectionPayouts, "A payout debits the wallet of its operator; `payout.completed`"}, play: playDebit},
	{Line: Line{sectionPayouts, "`missing_provider_code`: accepted, and failed by the worker"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		return s.fails(ctx, "/payouts", payoutBody(fmt.Sprintf(`"msisdn":%q`, mtnNumber), ""))
	}},
	{Line: Line{sectionPayouts, "An operator that is not handled in the destination's country: accepted, and failed by the worker with `provider_unavailable`"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		return s.fails(ctx, "/payouts", payoutBody(fmt.Sprintf(`"provider_code":%q,"msisdn":%q`, noOperator, mtnNumber), ""))
	}},
	{Line: Line{sectionPayouts, "MTN Bénin, Moov Bénin and Carte Visa are called so in the balance, transactions, events and on the checkout page"}, play: playNames},
	{Line: Line{sectionPayouts, "A payout costs no fees unless they are set, since no page names a rate; its net_amount is its amount"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		tx, err := s.paidOut(ctx)
		if err != nil {
			return nil, err
		}
		return Observation{
			"fees are 0": yes(string(dig(tx, "fees")) == "0"), "net_amount is amount": yes(string(dig(tx, "net_amount")) == string(dig(tx, "amount"))),
		}, nil
	}},
	{Line: successNumber, play: succeeds(mtnNumber, moovNumber)},
	{Line: printedNumbers, play: succeeds(strings.TrimPrefix(mtnNumber, "229"), strings.TrimPrefix(moovNumber, "229"))},
}

// succeeds pays out to a number of MTN's and one of Moov's.
func succeeds(mtn, moov string) func(context.Context, *Session) (Observation, error) {
	return func(ctx context.Context, s *Session) (Observation, error) {
		seen := Observation{}
		for _, to := range [][2]string{{mtnOperator, mtn}, {moovOperator, moov}} {
			o, err := s.payout(ctx, to[0], to[1])
			if outcome, refused := refusedAs(err); refused {
				seen[to[0]] = outcome
				continue
			}
			if err != nil {
				return nil, err
			}
			seen[to[0]] = o.status()
			seen[to[0]+": result"] = word(o.data("result", "status"))
		}
		return seen, nil
	}
}

// paidOut is the newest transaction of a payout, of which there is one at least.
func (s *Session) paidOut(ctx context.Context) (json.RawMessage, error) {
	if _, err := s.payout(ctx, mtnOperator, mtnNumber); err != nil {
		return nil, err
	}
	r, err := s.get(ctx, "/transactions?limit=1&type=DEBIT")
	if err != nil {
		return nil, err
	}
	all := items(dig(r.body, "data"))
	if len(all) == 0 {
		return nil, inconclusive("the list of transactions has no payout")
	}
	return all[0], nil
}

// playNames compares the names of wallets with the published ones.
func playNames(ctx context.Context, s *Session) (Observation, error) {
	tx, err := s.paidOut(ctx)
	if err != nil {
		return nil, err
	}
	balance, err := s.get(ctx, "/balance")
	if err != nil {
		return nil, err
	}
	_, inBalance := wallets(balance)[`"`+mtnName+`"`]
	name := text(dig(tx, "payment_method"))
	return Observation{
		"the balance has MTN Bénin":     yes(inBalance),
		"a payout's transaction has it": yes(name == mtnName || name == text(dig(tx, "payment_method", "name"))),
	}, nil
}

// fails makes an operation that fails in the worker. One that is refused at once is seen
// as that.
func (s *Session) fails(ctx context.Context, target, body string) (Observation, error) {
	key := s.next("key")
	r, err := s.send(ctx, request{method: "POST", target: target, body: body, key: key})
	if err != nil {
		return nil, err
	}
	if r.status >= 400 {
		return Observation{"response": r.refused(), "operation": "none"}, nil
	}
	o, err := s.follow(ctx, target, r)
	if err != nil {
		return nil, err
	}
	return Observation{"response": o.created.outcome(), "operation": o.status()}, nil
}

// playDebit compares the wallets before and after a payout. Amounts are compared, and not
// written down.
func playDebit(ctx context.Context, s *Session) (Observation, error) {
	before, err := s.get(ctx, "/balance")
	if err != nil {
		return nil, err
	}
	o, err := s.create(ctx, "/payouts", payoutBody(fmt.Sprintf(`"provider_code":%q,"msisdn":%q`, mtnOperator, mtnNumber), ""))
	if err != nil {
		return nil, err
	}
	if status := o.status(); status != "succeeded" && status != "completed" {
		return nil, inconclusive("the payout to a published number ended as %s", status)
	}
	after, err := s.get(ctx, "/balance")
	if err != nil {
		return nil, err
	}
	was, is := wallets(before), wallets(after)
	changed, debited := 0, new(big.Rat)
	for name, amount := range was {
		if now, ok := is[name]; ok && now.Cmp(amount) != 0 {
			changed++
			debited.Add(debited, new(big.Rat).Sub(amount, now))
		}
	}
	by := "another amount"
	switch debited.Cmp(big.NewRat(smallAmount, 1)) {
	case 0:
		by = "the amount"
	case 1:
		by = "more than the amount"
	}
	return Observation{"wallets that changed": fmt.Sprint(changed), "debited by": by}, nil
}

// wallets is what can be paid out, by the names of the wallets.
func wallets(r *response) map[string]*big.Rat {
	all := map[string]*big.Rat{}
	for _, w := range items(dig(r.body, "data", "payment_method_balances")) {
		if amount := number(dig(w, "available")); amount != nil {
			all[string(dig(w, "payment_method"))] = amount
		}
	}
	return all
}
