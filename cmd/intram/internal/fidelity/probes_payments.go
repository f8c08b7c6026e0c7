package fidelity

import (
	"bytes"
	"context"
	"encoding/base64"
	"math/big"
	"net/url"
	"strings"
)

var paymentProbes = []Probe{
	{Line: Line{sectionPayments, "`POST /payment-requests`: the operation succeeds with the checkout URL, and `payment_request.created` fires"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		o, err := s.payment(ctx)
		if outcome, refused := refusedAs(err); refused {
			return Observation{"response": outcome}, nil
		}
		if err != nil {
			return nil, err
		}
		gateway := text(o.data("result", "gateway_url"))
		return Observation{
			"response": o.created.outcome(), "operation": o.status(), "result": word(o.data("result", "status")),
			"gateway_url is https or a fake's": yes(strings.HasPrefix(gateway, "https://") || OnThisMachine(gateway)),
			"payment_url is gateway_url":       yes(gateway == text(o.data("result", "payment_url"))),
		}, nil
	}},
	{Line: Line{sectionPayments, "`missing_invoice`, `unknown_currency`, `amount_too_small`, `amount_too_large`: 400"}, play: steps(func(*Session) []step {
		return []step{
			posting("no invoice", "/payment-requests", `{}`),
			posting("a currency that is not known", "/payment-requests", strings.Replace(paymentBody("1000", ""), "XOF", "XXX", 1)),
			posting("an amount of 1", "/payment-requests", paymentBody("1", "")),
			posting("an amount of a billion", "/payment-requests", paymentBody("1000000000", "")),
		}
	})},
	{Line: Line{sectionPayments, "The sandbox has limits of its own, which are more permissive"}, play: steps(func(*Session) []step {
		return []step{posting("2 000 001", "/payment-requests", paymentBody("2000001", ""))}
	})},
	{Line: Line{sectionPayments, "Limits of an invoice: 100 to 2 000 000 XOF in live, to 20 000 000 in the sandbox"}, play: steps(func(*Session) []step {
		return []step{
			posting("99", "/payment-requests", paymentBody("99", "")), posting("100", "/payment-requests", paymentBody("100", "")),
			posting("20 000 000", "/payment-requests", paymentBody("20000000", "")), posting("20 000 001", "/payment-requests", paymentBody("20000001", "")),
		}
	})},
	{Line: Line{sectionPayments, "`payment_request.paid`: the fees are 2 %, as in the docs' example, unless they are set; both halves of them go to one account"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		payment, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		r, err := s.get(ctx, "/transactions/"+url.PathEscape(text(payment.data("result", "transaction_reference"))))
		if err != nil {
			return nil, err
		}
		amount, fees, net := number(dig(r.body, "data", "amount")), number(dig(r.body, "data", "fees")), number(dig(r.body, "data", "net_amount"))
		if amount == nil || fees == nil || net == nil {
			return nil, inconclusive("the transaction of an unpaid payment has no amount, fees and net_amount")
		}
		return Observation{
			"fees are 2 % of the amount":     yes(new(big.Rat).Mul(fees, big.NewRat(50, 1)).Cmp(amount) == 0),
			"net_amount is amount less fees": yes(new(big.Rat).Sub(amount, fees).Cmp(net) == 0),
		}, nil
	}},
	{Line: Line{sectionPayments, "The QR code is a PNG of the gateway URL, and scans"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		o, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		encoded, isPNG := strings.CutPrefix(text(o.data("result", "qr_code")), "data:image/png;base64,")
		image, err := base64.StdEncoding.DecodeString(encoded)
		return Observation{"it is a PNG in a data URL": yes(isPNG && err == nil && bytes.HasPrefix(image, []byte("\x89PNG\r\n\x1a\n")))}, nil
	}},
	{Line: Line{sectionPayments, "`unsupported_payment_method`: on the operation"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		return s.fails(ctx, "/payment-requests", paymentBody("100", `,"payment_method":{"code":"FIDELITY_NO_SUCH_METHOD"}`))
	}},
}
