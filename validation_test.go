package intram_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// sealed is a transport that no request may reach.
type sealed struct{ t *testing.T }

func (s sealed) RoundTrip(req *http.Request) (*http.Response, error) {
	s.t.Errorf("%s %s was sent", req.Method, req.URL.Path)
	return nil, http.ErrNotSupported
}

// longText is n characters of two bytes each: limits count characters.
func longText(n int) string { return strings.Repeat("é", n) }

// Every rule of section 7 of the spec, field by field: what is refused, under the docs'
// own name, before anything is sent.
func TestParametersAreRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	type call func(*intram.Client) error
	payout := func(change func(*intram.PayoutParams)) call {
		return func(c *intram.Client) error {
			p := mobilePayout()
			change(&p)
			_, err := c.Payouts.Create(t.Context(), p)
			return err
		}
	}
	mobile := func(change func(*intram.MobileMoney)) call {
		return payout(func(p *intram.PayoutParams) {
			m, _ := p.Destination.(intram.MobileMoney)
			change(&m)
			p.Destination = m
		})
	}
	bank := func(change func(*intram.BankAccount)) call {
		return payout(func(p *intram.PayoutParams) {
			b := intram.BankAccount{AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ", AccountName: "Ada"}
			change(&b)
			p.Destination = b
		})
	}
	request := func(change func(*intram.PaymentRequestParams)) call {
		return func(c *intram.Client) error {
			p := paymentRequest()
			change(&p)
			_, err := c.PaymentRequests.Create(t.Context(), p)
			return err
		}
	}
	refunding := func(change func(*intram.RefundParams)) call {
		return func(c *intram.Client) error {
			p := refund()
			change(&p)
			_, err := c.Refunds.Create(t.Context(), p)
			return err
		}
	}
	subscribe := func(url string, event intram.EventType) call {
		return func(c *intram.Client) error {
			_, err := c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: url, Event: event})
			return err
		}
	}
	transactions := func(p intram.TransactionListParams) call {
		return func(c *intram.Client) error { _, err := c.Transactions.List(t.Context(), p); return err }
	}
	operations := func(p intram.OperationListParams) call {
		return func(c *intram.Client) error { _, err := c.Operations.List(t.Context(), p); return err }
	}
	const hook = "https://my-app.example.com/hook"
	tests := []struct {
		name string
		call call
		path string
		says string
	}{
		// Payouts.
		{"no amount", payout(func(p *intram.PayoutParams) { p.Amount = intram.Amount{} }), "amount", "greater than 0"},
		{"negative amount", payout(func(p *intram.PayoutParams) { p.Amount = intram.NewAmount(-1) }), "amount", "greater than 0"},
		{"smallest negative amount", payout(func(p *intram.PayoutParams) { p.Amount = amount(t, "-1e-64") }), "amount", "greater than 0"},
		{"decimals of XOF", payout(func(p *intram.PayoutParams) { p.Amount = amount(t, "0.5") }), "amount", "whole"},
		{"decimals of the default currency", payout(func(p *intram.PayoutParams) { p.Amount, p.Currency = amount(t, "25000.01"), "" }), "amount", "whole"},
		{"an amount that JSON readers round", payout(func(p *intram.PayoutParams) { p.Amount = amount(t, "9007199254740992") }), "amount", "at most 9007199254740991"},
		{"a huge amount", payout(func(p *intram.PayoutParams) { p.Amount = amount(t, "1e64") }), "amount", "at most"},
		{"currency of two letters", payout(func(p *intram.PayoutParams) { p.Currency = "XO" }), "currency", "ISO 4217"},
		{"currency of four letters", payout(func(p *intram.PayoutParams) { p.Currency = "XOFF" }), "currency", "ISO 4217"},
		{"currency in lower case", payout(func(p *intram.PayoutParams) { p.Currency = "xof" }), "currency", "ISO 4217"},
		{"currency in digits", payout(func(p *intram.PayoutParams) { p.Currency = "952" }), "currency", "ISO 4217"},
		{"no destination", payout(func(p *intram.PayoutParams) { p.Destination = nil }), "destination", "required"},
		{"a nil mobile money", payout(func(p *intram.PayoutParams) { p.Destination = (*intram.MobileMoney)(nil) }), "destination", "required"},
		{"a nil bank account", payout(func(p *intram.PayoutParams) { p.Destination = (*intram.BankAccount)(nil) }), "destination", "required"},
		{"an unknown destination", payout(func(p *intram.PayoutParams) { p.Destination = intram.UnknownDestination{Type: "x"} }), "destination.type", "mobile_money or bank_account"},
		{"an unknown destination by pointer", payout(func(p *intram.PayoutParams) { p.Destination = &intram.UnknownDestination{} }), "destination.type", "mobile_money or bank_account"},
		{"reference too long", payout(func(p *intram.PayoutParams) { p.Reference = longText(101) }), "reference", "longer than 100"},
		{"reference of another encoding", payout(func(p *intram.PayoutParams) { p.Reference = "caf\xe9" }), "reference", "UTF-8"},
		{"note too long", payout(func(p *intram.PayoutParams) { p.Note = longText(501) }), "note", "longer than 500"},
		{"note too long in UTF-16", payout(func(p *intram.PayoutParams) { p.Note = strings.Repeat("🙂", 251) }), "note", "longer than 500"},
		{"metadata with a function", payout(func(p *intram.PayoutParams) { p.Metadata = map[string]any{"f": func() {}} }), "metadata", "JSON"},
		{"metadata with NaN", payout(func(p *intram.PayoutParams) { p.Metadata = map[string]any{"f": math.NaN()} }), "metadata", "JSON"},
		{"metadata with a channel", payout(func(p *intram.PayoutParams) { p.Metadata = map[string]any{"c": make(chan int)} }), "metadata", "JSON"},
		{"no number", mobile(func(m *intram.MobileMoney) { m.MSISDN = "" }), "destination.msisdn", "required"},
		{"number with two pluses", mobile(func(m *intram.MobileMoney) { m.MSISDN = "++22961234567" }), "destination.msisdn", "8 to 15 digits"},
		{"number with spaces", mobile(func(m *intram.MobileMoney) { m.MSISDN = "229 61 23 45 67" }), "destination.msisdn", "digits"},
		{"number too short", mobile(func(m *intram.MobileMoney) { m.MSISDN = "2296123" }), "destination.msisdn", "8 to 15 digits"},
		{"number too long", mobile(func(m *intram.MobileMoney) { m.MSISDN = strings.Repeat("2", 16) }), "destination.msisdn", "8 to 15 digits"},
		{"number in other digits", mobile(func(m *intram.MobileMoney) { m.MSISDN = "٢٢٩٦١٢٣٤" }), "destination.msisdn", "digits"},
		{"country of three letters", mobile(func(m *intram.MobileMoney) { m.CountryCode = "BEN" }), "destination.country_code", "two capital letters"},
		{"country in lower case", mobile(func(m *intram.MobileMoney) { m.CountryCode = "bj" }), "destination.country_code", "two capital letters"},
		{"operator of another encoding", mobile(func(m *intram.MobileMoney) { m.ProviderCode = "\xff" }), "destination.provider_code", "UTF-8"},
		{"a test number of the other operator", mobile(func(m *intram.MobileMoney) { m.MSISDN, m.ProviderCode = "61000000", intram.MoovBenin }), "destination.msisdn", "calling code"},
		{"a number without its country", mobile(func(m *intram.MobileMoney) { m.MSISDN = "61000001" }), "destination.msisdn", "calling code"},
		{"name of another encoding", mobile(func(m *intram.MobileMoney) { m.AccountName = "\xff" }), "destination.account_name", "UTF-8"},
		{"no account", bank(func(b *intram.BankAccount) { b.AccountNumber = "" }), "destination.account_number", "required"},
		{"BIC too short", bank(func(b *intram.BankAccount) { b.SWIFT = "ECOCBJB" }), "destination.swift", "8 or 11"},
		{"BIC of nine", bank(func(b *intram.BankAccount) { b.SWIFT = "ECOCBJBJX" }), "destination.swift", "8 or 11"},
		{"BIC in lower case", bank(func(b *intram.BankAccount) { b.SWIFT = "ecocbjbj" }), "destination.swift", "capitals"},
		{"bank name of another encoding", bank(func(b *intram.BankAccount) { b.AccountName = "\xff" }), "destination.account_name", "UTF-8"},
		{"bank surname of another encoding", bank(func(b *intram.BankAccount) { b.AccountSurname = "\xff" }), "destination.account_surname", "UTF-8"},

		// Payment requests.
		{"no invoice amount", request(func(p *intram.PaymentRequestParams) { p.Invoice.Amount = intram.Amount{} }), "invoice.amount", "greater than 0"},
		{"invoice with decimals", request(func(p *intram.PaymentRequestParams) { p.Invoice.Amount = amount(t, "1.5") }), "invoice.amount", "whole"},
		{"invoice too large", request(func(p *intram.PaymentRequestParams) { p.Invoice.Amount = amount(t, "1e16") }), "invoice.amount", "at most"},
		{"invoice without currency", request(func(p *intram.PaymentRequestParams) { p.Invoice.Currency = "" }), "invoice.currency", "required"},
		{"invoice currency", request(func(p *intram.PaymentRequestParams) { p.Invoice.Currency = "FCFA" }), "invoice.currency", "ISO 4217"},
		{"description too long", request(func(p *intram.PaymentRequestParams) { p.Invoice.Description = longText(501) }), "invoice.description", "longer than 500"},
		{"email that is none", request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Email = "ada" }), "invoice.customer.email", "one e-mail address"},
		{"email with a name", request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Email = "Ada <ada@example.com>" }), "invoice.customer.email", "one e-mail address"},
		{"two emails", request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Email = "a@example.com, b@example.com" }), "invoice.customer.email", "one e-mail address"},
		{"first name of another encoding", request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.FirstName = "\xff" }), "invoice.customer.first_name", "UTF-8"},
		{"phone that is no text", request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Phone = "\xff" }), "invoice.customer.phone", "UTF-8"},
		{"suggested operator", request(func(p *intram.PaymentRequestParams) { p.PaymentMethod.Code = "\xff" }), "payment_method.code", "UTF-8"},
		{"suggested country", request(func(p *intram.PaymentRequestParams) { p.PaymentMethod.CountryCode = "B" }), "payment_method.country_code", "two capital letters"},
		{"suggested number", request(func(p *intram.PaymentRequestParams) { p.PaymentMethod.MSISDN = "61234567x" }), "payment_method.msisdn", "digits"},
		{"cancel to a path", request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Cancel = "/no" }), "return_urls.cancel", "absolute"},
		{"return to a script", request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Success = "JavaScript:alert(1)" }), "return_urls.success", "absolute"},
		{"webhook data with a function", request(func(p *intram.PaymentRequestParams) { p.WebhookData = map[string]any{"f": func() {}} }), "webhook_data", "JSON"},

		// Refunds.
		{"no transaction", refunding(func(p *intram.RefundParams) { p.TransactionReference = "" }), "transaction_reference", "required"},
		{"a reference with a slash", refunding(func(p *intram.RefundParams) { p.TransactionReference = "AB/CD" }), "transaction_reference", "letters and digits"},
		{"a reference that is too long", refunding(func(p *intram.RefundParams) { p.TransactionReference = strings.Repeat("A", 65) }), "transaction_reference", "letters and digits"},
		{"a negative refund", refunding(func(p *intram.RefundParams) { p.Amount = intram.NewAmount(-5) }), "amount", "greater than 0"},
		{"a refund with decimals", refunding(func(p *intram.RefundParams) { p.Amount = amount(t, "0.01") }), "amount", "whole"},
		{"reason too long", refunding(func(p *intram.RefundParams) { p.Reason = longText(501) }), "reason", "longer than 500"},
		{"refund metadata", refunding(func(p *intram.RefundParams) { p.Metadata = map[string]any{"f": func() {}} }), "metadata", "JSON"},

		// Lookups: an id may not step out of its place in the path.
		{"no operation id", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), ""); return err }, "operation_id", "required"},
		{"operation .", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "."); return err }, "operation_id", "not a path"},
		{"operation ..", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), ".."); return err }, "operation_id", "not a path"},
		{"operation ../balance", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "../balance"); return err }, "operation_id", "no id has"},
		{"operation with a backslash", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), `a\b`); return err }, "operation_id", "no id has"},
		{"operation %2e%2e", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "%2e%2e"); return err }, "operation_id", "no id has"},
		{"operation with a space", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "op 1"); return err }, "operation_id", "no id has"},
		{"operation with a line feed", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "op_1\n"); return err }, "operation_id", "no id has"},
		{"operation with an accent", func(c *intram.Client) error { _, err := c.Operations.Get(t.Context(), "opé"); return err }, "operation_id", "no id has"},
		{"operation id too long", func(c *intram.Client) error {
			_, err := c.Operations.Get(t.Context(), strings.Repeat("a", 129))
			return err
		}, "operation_id", "longer than 128"},
		{"no transaction reference", func(c *intram.Client) error { _, err := c.Transactions.Get(t.Context(), ""); return err }, "reference", "required"},
		{"transaction ..", func(c *intram.Client) error { _, err := c.Transactions.Get(t.Context(), ".."); return err }, "reference", "not a path"},
		{"no subscription", func(c *intram.Client) error { return c.Webhooks.Delete(t.Context(), "") }, "subscription_id", "required"},
		{"subscription ..", func(c *intram.Client) error { return c.Webhooks.Delete(t.Context(), "..") }, "subscription_id", "not a path"},
		{"test of no subscription", func(c *intram.Client) error { return c.Webhooks.SendTest(t.Context(), "") }, "subscription_id", "required"},
		{"test of ../x", func(c *intram.Client) error { return c.Webhooks.SendTest(t.Context(), "../x") }, "subscription_id", "no id has"},

		// Waits are lookups.
		{"wait for nothing", func(c *intram.Client) error { _, err := c.WaitForOperation(t.Context(), ""); return err }, "operation_id", "required"},
		{"wait for a payout ..", func(c *intram.Client) error { _, err := c.Payouts.Wait(t.Context(), ".."); return err }, "operation_id", "not a path"},
		{"wait for a refund", func(c *intram.Client) error { _, err := c.Refunds.Wait(t.Context(), "a/b"); return err }, "operation_id", "no id has"},
		{"wait for a page", func(c *intram.Client) error { _, err := c.PaymentRequests.Wait(t.Context(), ""); return err }, "operation_id", "required"},
		{"wait for no transaction", func(c *intram.Client) error { _, err := c.Transactions.Wait(t.Context(), ""); return err }, "reference", "required"},
		{"no poll interval", func(c *intram.Client) error {
			_, err := c.WaitForOperation(t.Context(), "op_1", intram.WithPollInterval(0, time.Second))
			return err
		}, "WithPollInterval", "above 0"},
		{"negative poll interval", func(c *intram.Client) error {
			_, err := c.WaitForOperation(t.Context(), "op_1", intram.WithPollInterval(-time.Second, time.Second))
			return err
		}, "WithPollInterval", "above 0"},
		{"poll interval upside down", func(c *intram.Client) error {
			_, err := c.Transactions.Wait(t.Context(), "AB12CD34EF", intram.WithPollInterval(2*time.Second, time.Second))
			return err
		}, "WithPollInterval", "below lowest"},
		{"negative wait", func(c *intram.Client) error {
			_, err := c.WaitForOperation(t.Context(), "op_1", intram.WithMaxWait(-1))
			return err
		}, "WithMaxWait", "negative"},

		// Lists.
		{"limit below", transactions(intram.TransactionListParams{Limit: -1}), "limit", "between 1 and 100"},
		{"limit above", transactions(intram.TransactionListParams{Limit: 101}), "limit", "between 1 and 100"},
		{"status with a space", transactions(intram.TransactionListParams{Status: "SUC CESS"}), "status", "one word"},
		{"status with an ampersand", transactions(intram.TransactionListParams{Status: "A&type=B"}), "status", "one word"},
		{"type with a percent", transactions(intram.TransactionListParams{Type: "%41"}), "type", "one word"},
		{"type too long", transactions(intram.TransactionListParams{Type: intram.TransactionType(strings.Repeat("A", 65))}), "type", "one word"},
		{"before year 1", transactions(intram.TransactionListParams{Before: time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)}), "before", "years"},
		{"after year 9998", transactions(intram.TransactionListParams{Before: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}), "before", "years"},
		{"operations: limit", operations(intram.OperationListParams{Limit: 1000}), "limit", "between 1 and 100"},
		{"operations: status", operations(intram.OperationListParams{Status: "é"}), "status", "one word"},
		{"operations: type", operations(intram.OperationListParams{Type: "a+b"}), "type", "one word"},
		{"operations: before", operations(intram.OperationListParams{Before: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}), "before", "years"},
		{"all transactions", func(c *intram.Client) error {
			return onlyError(t, c.Transactions.All(t.Context(), intram.TransactionListParams{Limit: 101}))
		}, "limit", "between 1 and 100"},
		{"all operations", func(c *intram.Client) error {
			return onlyError(t, c.Operations.All(t.Context(), intram.OperationListParams{Limit: -1}))
		}, "limit", "between 1 and 100"},

		// Subscriptions.
		{"no url", subscribe("", "payout.*"), "url", "required"},
		{"url over http", subscribe("http://my-app.example.com/hook", "payout.*"), "url", "https://"},
		{"url without scheme", subscribe("my-app.example.com/hook", "payout.*"), "url", "https://"},
		{"url without host", subscribe("https:///hook", "payout.*"), "url", "https://"},
		{"url with a port only", subscribe("https://:443/hook", "payout.*"), "url", "https://"},
		{"url with a user", subscribe("https://user:password@my-app.example.com/hook", "payout.*"), "url", "https://"},
		{"url of another scheme", subscribe("ftp://my-app.example.com/hook", "payout.*"), "url", "https://"},
		{"url that is none", subscribe("https://[::1", "payout.*"), "url", "https://"},
		{"url with a line feed", subscribe("https://my-app.example.com/\nhook", "payout.*"), "url", "https://"},
		{"url that looks like loopback", subscribe("http://127.0.0.1.example.com/hook", "payout.*"), "url", "https://"},
		{"no event", subscribe(hook, ""), "event", "required"},
		{"event without a family", subscribe(hook, "completed"), "event", "payout.completed"},
		{"event of three parts", subscribe(hook, "payout.completed.now"), "event", "payout.completed"},
		{"event with a space", subscribe(hook, "payout. completed"), "event", "payout.completed"},
		{"a star in the family", subscribe(hook, "*.completed"), "event", "payout.completed"},
		{"half a star", subscribe(hook, "payout.comp*"), "event", "payout.completed"},
		{"two stars", subscribe(hook, "**"), "event", "payout.completed"},
		{"a dot at the end", subscribe(hook, "payout."), "event", "payout.completed"},
		{"event too long", subscribe(hook, intram.EventType("payout."+strings.Repeat("a", 64))), "event", "payout.completed"},

		// Options.
		{"no attempts", func(c *intram.Client) error {
			_, err := c.Balance.Get(t.Context(), intram.WithMaxAttempts(0))
			return err
		}, "WithMaxAttempts", "at least 1"},
		{"negative attempts", func(c *intram.Client) error {
			_, err := c.Balance.Get(t.Context(), intram.WithMaxAttempts(-3))
			return err
		}, "WithMaxAttempts", "at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := refusal(t, tt.call(newClient(t, sealed{t})))
			require.Len(t, e.Details, 1, "%v", e.Details)
			assert.Equal(t, tt.path, e.Details[0].Path)
			assert.Contains(t, e.Details[0].Msg, tt.says)
			assert.Contains(t, e.Details[0].Msg, tt.path, "the message names the field")
			assert.Contains(t, e.Error(), e.Details[0].Msg, "and the text has it whole")
		})
	}
}

// onlyError is the one error that a sequence yields, and it yields nothing else.
func onlyError[T any](t *testing.T, seq func(func(*T, error) bool)) error {
	t.Helper()
	var last error
	n := 0
	for item, err := range seq {
		n++
		assert.Nil(t, item)
		last = err
	}
	assert.Equal(t, 1, n, "an error is yielded once, and ends the sequence")
	return last
}

func TestEveryMistakeIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	client := newClient(t, sealed{t})
	_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
		Currency: "x", Destination: intram.MobileMoney{CountryCode: "x", ProviderCode: "\xff"}, Reference: longText(101), Note: "\xff",
		Metadata: map[string]any{"f": func() {}},
	}, intram.WithIdempotencyKey("short"), intram.WithMaxAttempts(0))
	var paths []string
	for _, d := range refusal(t, err).Details {
		paths = append(paths, d.Path)
	}
	assert.ElementsMatch(t, []string{
		"amount", "currency", "destination.country_code", "destination.provider_code", "destination.msisdn", "reference", "note",
		"metadata", "idempotency_key", "WithMaxAttempts",
	}, paths)

	_, err = client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice:       intram.Invoice{Customer: intram.Customer{Email: "x", Phone: "\xff"}},
		PaymentMethod: intram.PaymentMethod{Code: "\xff", MSISDN: "x"}, ReturnURLs: intram.ReturnURLs{Success: "x", Cancel: "x"},
	})
	paths = nil
	for _, d := range refusal(t, err).Details {
		paths = append(paths, d.Path)
	}
	assert.ElementsMatch(t, []string{
		"invoice.amount", "invoice.currency", "invoice.customer.email", "invoice.customer.phone",
		"payment_method.code", "payment_method.msisdn", "return_urls.success", "return_urls.cancel",
	}, paths)
}

// What the docs allow is sent, up to the last character.
func TestParametersAtTheirLimitsAreSent(t *testing.T) {
	t.Parallel()
	payout := func(change func(*intram.PayoutParams)) func(context.Context, *intram.Client) error {
		return func(ctx context.Context, c *intram.Client) error {
			p := mobilePayout()
			change(&p)
			_, err := c.Payouts.Create(ctx, p)
			return err
		}
	}
	request := func(change func(*intram.PaymentRequestParams)) func(context.Context, *intram.Client) error {
		return func(ctx context.Context, c *intram.Client) error {
			p := paymentRequest()
			change(&p)
			_, err := c.PaymentRequests.Create(ctx, p)
			return err
		}
	}
	subscribe := func(url string, event intram.EventType) func(context.Context, *intram.Client) error {
		return func(ctx context.Context, c *intram.Client) error {
			_, err := c.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: event})
			return err
		}
	}
	for name, call := range map[string]func(context.Context, *intram.Client) error{
		"one":                 payout(func(p *intram.PayoutParams) { p.Amount = intram.NewAmount(1) }),
		"whole, written long": payout(func(p *intram.PayoutParams) { p.Amount = amount(t, "153.00") }),
		"largest":             payout(func(p *intram.PayoutParams) { p.Amount = intram.NewAmount(1<<53 - 1) }),
		"no currency":         payout(func(p *intram.PayoutParams) { p.Currency = "" }),
		"another currency":    payout(func(p *intram.PayoutParams) { p.Currency, p.Amount = "EUR", amount(t, "0.01") }),
		"longest reference":   payout(func(p *intram.PayoutParams) { p.Reference = longText(100) }),
		"longest note":        payout(func(p *intram.PayoutParams) { p.Note = strings.Repeat("🙂", 250) }),
		"note in lines":       payout(func(p *intram.PayoutParams) { p.Note = "one\r\n\ttwo" }),
		"any character":       payout(func(p *intram.PayoutParams) { p.Reference, p.Note = "a\x00\x1b\x7f", "\u0085\u2028" }),
		"empty metadata":      payout(func(p *intram.PayoutParams) { p.Metadata = map[string]any{} }),
		"shortest number":     payout(func(p *intram.PayoutParams) { p.Destination = intram.MobileMoney{MSISDN: "22961234"} }),
		"longest number":      payout(func(p *intram.PayoutParams) { p.Destination = intram.MobileMoney{MSISDN: strings.Repeat("2", 15)} }),
		"no operator":         payout(func(p *intram.PayoutParams) { p.Destination = intram.MobileMoney{MSISDN: "22961234567"} }),
		"an operator of tomorrow": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.MobileMoney{MSISDN: "22507000000", ProviderCode: "WAVE_CI_225"}
		}),
		"an operator in other letters": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.MobileMoney{MSISDN: "22507000000", ProviderCode: "Orange-Money CI"}
		}),
		"MTN's test number as printed": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.MobileMoney{MSISDN: "61000000", ProviderCode: intram.MTNBenin}
		}),
		"Moov's test number as printed": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.MobileMoney{MSISDN: "94000000", ProviderCode: intram.MoovBenin}
		}),
		"long account": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.BankAccount{AccountNumber: strings.Repeat("a", 101)}
		}),
		"long BIC": payout(func(p *intram.PayoutParams) {
			p.Destination = intram.BankAccount{AccountNumber: "1", SWIFT: "ECOCBJBJXXX"}
		}),
		"longest description":   request(func(p *intram.PaymentRequestParams) { p.Invoice.Description = longText(500) }),
		"no customer":           request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer = intram.Customer{} }),
		"plus address":          request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Email = "ada+shop@mail.example.com" }),
		"one return":            request(func(p *intram.PaymentRequestParams) { p.ReturnURLs = intram.ReturnURLs{Cancel: "https://x.example"} }),
		"plain http return":     request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Success = "http://shop.example.com/ok" }),
		"return to an app":      request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Success = "myshop://paid" }),
		"return to a user":      request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Success = "https://ada:secret@shop.example.com" }),
		"phone in two lines":    request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Phone = "a\r\nb\x00" }),
		"phone as it is typed":  request(func(p *intram.PaymentRequestParams) { p.Invoice.Customer.Phone = "(01) 61 23 45 67, le soir" }),
		"account as printed":    payout(func(p *intram.PayoutParams) { p.Destination = intram.BankAccount{AccountNumber: "BJ06 1010-0100/12"} }),
		"loopback return":       request(func(p *intram.PaymentRequestParams) { p.ReturnURLs.Success = "http://localhost:3000/ok" }),
		"exact event":           subscribe("https://my-app.example.com/hook?token=x", "payout.completed"),
		"family":                subscribe("https://my-app.example.com", "payment_request.*"),
		"star":                  subscribe("https://my-app.example.com:8443/hook", intram.EventAll),
		"all":                   subscribe("https://[2001:db8::1]/hook", "all"),
		"an event of tomorrow":  subscribe("https://my-app.example.com/hook", "dispute.opened2"),
		"loopback":              subscribe("http://127.0.0.1:8080/hook", "test.ping"),
		"loopback of version 6": subscribe("http://[::1]:8080/hook", "test.ping"),
		"refund of all": func(ctx context.Context, c *intram.Client) error {
			_, err := c.Refunds.Create(ctx, intram.RefundParams{TransactionReference: "67e9a1b2c3d4e5f6a7b8c9d0", Reason: longText(500)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, answer(202, `{"error":false,"data":{"operation_id":"op_1","subscription_id":"whs_1","status":"queued"}}`))
			require.NoError(t, call(t.Context(), client))
			assert.Len(t, s.requests(), 1)
		})
	}
}

// What a caller typed is not repeated: it goes into logs.
func TestRefusedParametersAreNotRepeated(t *testing.T) {
	t.Parallel()
	client := newClient(t, sealed{t})
	const canary = "canary61234567"
	_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(1), Currency: canary, Reference: canary + "\xff", Note: canary + "\xff",
		Destination: intram.MobileMoney{MSISDN: canary, ProviderCode: canary + "\xff", CountryCode: canary, AccountName: canary + "\xff"},
		Metadata:    map[string]any{canary: func() {}},
	}, intram.WithIdempotencyKey(canary+" "))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, err), "canary")
	}
	_, err = client.Operations.Get(t.Context(), canary+" ")
	assert.NotContains(t, err.Error(), "canary")
	_, err = client.WaitForOperation(t.Context(), canary+" ")
	assert.NotContains(t, err.Error(), "canary")
	_, err = client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "http://" + canary, Event: canary})
	assert.NotContains(t, err.Error(), "canary")
}
