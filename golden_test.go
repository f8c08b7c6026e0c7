package intram_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// bodies is a transport that keeps the bodies of what it sends on.
type bodies struct {
	http.RoundTripper
	sent []string
}

func (b *bodies) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		b.sent = append(b.sent, string(data))
	}
	return b.RoundTripper.RoundTrip(req)
}

func everything() (intram.PayoutParams, intram.PayoutParams, intram.PaymentRequestParams, intram.RefundParams) {
	own := map[string]any{
		"order": 17, "<b>": "é & \u2028", "big": int64(9007199254740993), "ratio": 1.5,
		"nested": map[string]any{"b": nil, "a": []any{true, map[string]any{}}},
	}
	mobile := intram.PayoutParams{
		Amount: intram.NewAmount(25000), Currency: intram.XOF,
		Destination: intram.MobileMoney{
			ProviderCode: intram.MTNBenin, MSISDN: "22961234567", CountryCode: "BJ", AccountName: "Afi", AccountSurname: "Dossou",
		},
		Reference: "PO-1", Note: "août", Metadata: own,
	}
	bank := intram.PayoutParams{
		Amount: intram.NewAmount(1),
		Destination: intram.BankAccount{
			AccountNumber: "BJ6600100100000104200076", SWIFT: "ECOCBJBJ", AccountName: "Afi", AccountSurname: "Dossou",
		},
	}
	request := intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(10000), Currency: intram.XOF, Description: "Deux pagnes",
			Customer: intram.Customer{Email: "afi@example.com", FirstName: "Afi", LastName: "Dossou", Phone: "22961234567"},
		},
		PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: "22961234567"},
		ReturnURLs:    intram.ReturnURLs{Success: "https://shop.example.com/ok", Cancel: "https://shop.example.com/no"},
		WebhookData:   own,
	}
	refund := intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: intram.NewAmount(5000), Reason: "Retour", Metadata: own}
	return mobile, bank, request, refund
}

// The bytes of a request are part of its idempotency key's identity: an SDK or a Go
// release that wrote them otherwise would turn every key in doubt into a 409.
func TestTheBytesOfEveryRequestStay(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	wire := &bodies{RoundTripper: server.Transport()}
	client := server.Client(intram.WithHTTPClient(&http.Client{Transport: wire}))
	mobile, bank, request, refund := everything()
	smallest := intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF}}
	all := intram.RefundParams{TransactionReference: "AB12CD34EF"}
	for name, call := range map[string]func() error{
		"payout_mobile":            func() error { _, err := client.Payouts.Create(t.Context(), mobile); return err },
		"payout_bank":              func() error { _, err := client.Payouts.Create(t.Context(), bank); return err },
		"payment_request":          func() error { _, err := client.PaymentRequests.Create(t.Context(), request); return err },
		"payment_request_smallest": func() error { _, err := client.PaymentRequests.Create(t.Context(), smallest); return err },
		"refund":                   func() error { _, err := client.Refunds.Create(t.Context(), refund); return notFound(err) },
		"refund_all":               func() error { _, err := client.Refunds.Create(t.Context(), all); return notFound(err) },
		"webhook":                  func() error { return webhook(t, client) },
		"payin_session": func() error {
			return payinSession(t, client, "https://shop.example.com/ok", "https://shop.example.com/no")
		},
		"payin_session_without_urls": func() error { return notFound(payinSession(t, client, "", "")) },
	} {
		wire.sent = nil
		require.NoError(t, call(), name)
		require.NotEmpty(t, wire.sent, name)
		golden, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSuffix(string(golden), "\n"), wire.sent[0], name)
	}
}

// notFound takes a refusal for what it is: the request was sent.
func notFound(err error) error {
	if err == nil || intram.OutcomeOf(err) != intram.OutcomeRejected {
		return err
	}
	return nil
}

func webhook(t *testing.T, client *intram.Client) error {
	t.Helper()
	_, err := client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://shop.example.com/intram?a=1&b=2", Event: "payout.*"})
	return err
}

func payinSession(t *testing.T, client *intram.Client, success, failure string) error {
	t.Helper()
	_, err := client.Payin.CreateSession(t.Context(), intram.PayinSessionParams{
		Reference: "PAY-1", Amount: amount(t, "2500.0"), MSISDN: "+2250700000000", CustomerName: "Awa Koné", Country: "CI",
		SuccessURL: success, FailureURL: failure,
	})
	return err
}

func TestTheSameIntentIsTheSameBytes(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	for _, written := range []string{"25000", "25000.00", "25000.0", "2.5e4", "250e2", "25000000e-3"} {
		for _, own := range []map[string]any{nil, {}} {
			params := intentParams()
			params.Amount, params.Metadata = amount(t, written), own
			op, err := client.Payouts.Create(t.Context(), params, intram.WithIdempotencyKey("one-payout"))
			require.NoError(t, err, "%s %v", written, own)
			assert.Contains(t, string(op.Raw), `"amount":25000,`)

			refund := intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: amount(t, written), Metadata: own}
			_, err = client.Refunds.Create(t.Context(), refund, intram.WithIdempotencyKey("one-refund"))
			require.ErrorIs(t, err, intram.CodeTransactionNotFound)

			request := intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: amount(t, written), Currency: intram.XOF}, WebhookData: own}
			_, err = client.PaymentRequests.Create(t.Context(), request, intram.WithIdempotencyKey("one-request"))
			require.NoError(t, err)
		}
	}
	// Long amounts share their digits when they are copied. Writing one down changes
	// none.
	long := amount(t, strings.Repeat("9", 40)+".00")
	before := long.String()
	_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{Amount: long})
	require.Error(t, err)
	assert.Equal(t, before, long.String())
}

func TestIntentsOfVersion010AreHonoured(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener(),
		intramtest.WithFrozenClock(time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)))
	wire := &bodies{RoundTripper: server.Transport()}
	client := server.Client(intram.WithHTTPClient(&http.Client{Transport: wire}))
	saved, err := os.ReadFile("testdata/golden/intents_0.1.0.json")
	require.NoError(t, err)
	var intents map[string]*intram.Intent
	require.NoError(t, json.Unmarshal(saved, &intents))

	// What 0.1.0 had sent, and the API made its fingerprint of: amounts as they were
	// written, and empty objects.
	payout := intentParams()
	payout.Amount, payout.Metadata = amount(t, "25000.00"), map[string]any{}
	_, err = client.Payouts.Create(t.Context(), payout, intram.WithIntent(intents["payout"]))
	require.NoError(t, err)
	assert.Equal(t, `{"amount":25000.00,"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961234567"},`+
		`"reference":"PO-1","metadata":{}}`, wire.sent[0])
	refund := intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: amount(t, "25000.00"), Metadata: map[string]any{}}
	_, err = client.Refunds.Create(t.Context(), refund, intram.WithIntent(intents["refund"]))
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	request := intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: amount(t, "25000.00"), Currency: intram.XOF}, WebhookData: map[string]any{},
	}
	_, err = client.PaymentRequests.Create(t.Context(), request, intram.WithIntent(intents["payment_request"]))
	require.NoError(t, err)

	// Its parameters are its own all the same.
	payout.Amount = amount(t, "25000.01")
	_, err = client.Payouts.Create(t.Context(), payout, intram.WithIntent(intents["payout"]))
	require.Error(t, err)
	payout.Amount = intram.NewAmount(30000)
	_, err = client.Payouts.Create(t.Context(), payout, intram.WithIntent(intents["payout"]))
	require.ErrorIs(t, err, intram.ErrIntentMismatch)

	// After a day it is looked up like any other.
	server.Advance(25 * time.Hour)
	payout.Amount = amount(t, "25000.00")
	op, err := client.Payouts.Resume(t.Context(), payout, intents["payout"])
	require.NoError(t, err)
	assert.Equal(t, "PO-1", op.Reference())
}

func TestIntentIsForOneAccount(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	intent, err := server.Client().Payouts.Prepare(intentParams())
	require.NoError(t, err)
	saved, err := json.Marshal(intent)
	require.NoError(t, err)
	assert.NotContains(t, string(saved), server.PublicKey)

	merchant, err := server.AddMerchant("another")
	require.NoError(t, err)
	another, err := merchant.NewClient()
	require.NoError(t, err)
	for name, client := range map[string]*intram.Client{"live": server.LiveClient(), "another merchant": another} {
		_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(afterCrash(t, intent)))
		require.ErrorIs(t, err, intram.ErrIntentMismatch, name)
		assert.ErrorContains(t, err, "the environment is another", name)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
		_, err = client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
		require.ErrorIs(t, err, intram.ErrIntentMismatch, name)
	}
	assert.Empty(t, server.Requests())
}

func TestACopyOfAnIntentIsTheSameIntent(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client(intram.WithMaxAttempts(1))
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	fresh := *intent
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(&fresh))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	// Another client knows no doubt of its own. The copy that is left knows that it was
	// used.
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Refuse, On: "POST /payouts", Times: 1}))
	_, err = server.Client(intram.WithMaxAttempts(1)).Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
}

func TestParametersGoThroughJSONAndBack(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	mobile, bank, request, refund := everything()
	pointer := mobile
	pointer.Destination = &intram.BankAccount{AccountNumber: "1234567890"}
	for name, params := range map[string]intram.PayoutParams{"mobile": mobile, "bank": bank, "pointer": pointer} {
		intent, err := client.Payouts.Prepare(params)
		require.NoError(t, err)
		_, err = client.Payouts.Create(t.Context(), again(t, params), intram.WithIntent(afterCrash(t, intent)))
		require.NoError(t, err, name)
	}
	intent, err := client.PaymentRequests.Prepare(request)
	require.NoError(t, err)
	_, err = client.PaymentRequests.Create(t.Context(), again(t, request), intram.WithIntent(again(t, intent)))
	require.NoError(t, err)
	intent, err = client.Refunds.Prepare(refund)
	require.NoError(t, err)
	_, err = client.Refunds.Create(t.Context(), again(t, refund), intram.WithIntent(again(t, intent)))
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)

	// What is not set stays so.
	assert.Equal(t, intram.PayoutParams{}, again(t, intram.PayoutParams{}))
	assert.Equal(t, intram.RefundParams{}, again(t, intram.RefundParams{}))
	assert.Equal(t, intram.PaymentRequestParams{}, again(t, intram.PaymentRequestParams{}))
	unknown := intram.PayoutParams{Destination: intram.UnknownDestination{Type: "card", Raw: intram.RawMessage(`{"type":"card"}`)}}
	assert.Equal(t, unknown, again(t, unknown))

	// A queue may hold what version 0.1.0 wrote.
	var old intram.RefundParams
	require.NoError(t, json.Unmarshal([]byte(`{"TransactionReference":"AB12CD34EF","Amount":5000,"Reason":"","Metadata":null}`), &old))
	assert.Equal(t, intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: intram.NewAmount(5000)}, old)
	var asked intram.PaymentRequestParams
	require.NoError(t, json.Unmarshal([]byte(`{"Invoice":{"Amount":1000,"Currency":"XOF","Description":"","Customer":{}},`+
		`"PaymentMethod":{"code":"MTN_BENIN_229"},"ReturnURLs":{"success":"https://shop.example.com/ok"},"WebhookData":{"order":17}}`), &asked))
	assert.Equal(t, intram.MTNBenin, asked.PaymentMethod.Code)
	assert.Equal(t, "https://shop.example.com/ok", asked.ReturnURLs.Success)
	assert.Equal(t, map[string]any{"order": json.Number("17")}, asked.WebhookData)
}

// own is data of the caller's own that is not made of maps: JSON reads it back as
// something else.
type own struct {
	Order int64           `json:"order"`
	Area  string          `json:"area"`
	Lines json.RawMessage `json:"lines"`
}

// What the caller's own object is made of does not show in the bytes that are sent, nor
// in the intent.
func TestOwnDataOfEveryKindIsTheSameBytesAfterJSON(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"z": 1.50, "a": [9007199254740993, 1e3, -0], "e": "\u00e9\ud83d\ude00<&>", "Z": {}}`)
	pointer := &own{Order: 1 << 60, Area: "Cotonou"}
	data := map[string]any{
		"raw": raw, "struct": own{Order: 9007199254740993, Area: "é\u2028\ufffd", Lines: raw}, "pointer": pointer, "nil": (*own)(nil),
		"float": 0.1, "huge": 1e300, "uint": uint64(1<<64 - 1), "number": json.Number("1.00"), "time": time.Date(2026, 5, 20, 10, 30, 0, 7, time.UTC),
		"bytes": []byte{0xff}, "map": map[int]string{2: "b", 10: "a"}, "plain": []any{nil, true, int64(-1), "x", map[string]any{"z": 1, "a": 2}},
	}
	for name, value := range map[string]map[string]any{"all": data, "raw": {"x": raw}, "empty": {}} {
		server := intramtest.NewServer(t, intramtest.WithoutListener())
		wire := &bodies{RoundTripper: server.Transport()}
		client := server.Client(intram.WithHTTPClient(&http.Client{Transport: wire}))
		payout, request := intentParams(), intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF}}
		refund := intram.RefundParams{TransactionReference: "AB12CD34EF"}
		payout.Metadata, request.WebhookData, refund.Metadata = value, value, value

		intent, err := client.Payouts.Prepare(payout)
		require.NoError(t, err)
		made, err := client.Payouts.Resume(t.Context(), payout, intent)
		require.NoError(t, err)
		resumed, err := client.Payouts.Resume(t.Context(), again(t, again(t, payout)), afterCrash(t, intent))
		require.NoError(t, err, name)
		assert.Equal(t, made.ID, resumed.ID)
		intent, err = client.PaymentRequests.Prepare(request)
		require.NoError(t, err)
		for _, params := range []intram.PaymentRequestParams{request, again(t, again(t, request))} {
			_, err = client.PaymentRequests.Resume(t.Context(), params, afterCrash(t, intent))
			require.NoError(t, err, name)
		}
		intent, err = client.Refunds.Prepare(refund)
		require.NoError(t, err)
		for _, params := range []intram.RefundParams{refund, again(t, again(t, refund))} {
			_, err = client.Refunds.Resume(t.Context(), params, afterCrash(t, intent))
			require.ErrorIs(t, err, intram.CodeTransactionNotFound, name)
		}
		require.Len(t, wire.sent, 6)
		for i := 0; i < len(wire.sent); i += 2 {
			assert.Equal(t, wire.sent[i], wire.sent[i+1], name)
		}
	}
}

// Version 0.1.0 sent a struct in the order of its fields.
func TestAnIntentOfVersion010KeepsTheOrderOfItsStruct(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	wire := &bodies{RoundTripper: server.Transport()}
	client := server.Client(intram.WithHTTPClient(&http.Client{Transport: wire}))
	params := intram.RefundParams{TransactionReference: "AB12CD34EF", Metadata: map[string]any{"x": own{Order: 1, Area: "b", Lines: json.RawMessage("[]")}}}
	const old = `{"transaction_reference":"AB12CD34EF","metadata":{"x":{"order":1,"area":"b","lines":[]}}}`
	sum := sha256.Sum256([]byte("POST\n/refunds\n" + old))
	intent := &intram.Intent{IdempotencyKey: "a-key-of-version-010", CallSHA256: hex.EncodeToString(sum[:]), FirstSentAt: server.Now()}
	_, err := client.Refunds.Create(t.Context(), params, intram.WithIntent(intent))
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	assert.Equal(t, []string{old}, wire.sent)
}

// What JSON cannot hold is named, by what would send it and by what would store it.
func TestTextThatJSONCannotHoldIsNamed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	const bad = "caf\xe9"
	for name, data := range map[string]map[string]any{
		"a value": {"k": bad}, "a key": {bad: 1}, "deep": {"a": []any{map[string]any{"b": bad}}}, "a struct": {"k": own{Area: bad, Lines: json.RawMessage("0")}},
		"raw": {"k": json.RawMessage("\"" + bad + "\"")}, "half a pair": {"k": json.RawMessage(`"\ud83d"`)}, "the other half": {"k": json.RawMessage(`"\ude00\ud83d"`)},
		"half a pair and a letter": {"k": json.RawMessage(`"\ud83d\u0041"`)},
	} {
		payout := intentParams()
		payout.Metadata = data
		_, err := client.Payouts.Prepare(payout)
		assert.Equal(t, []intram.InvalidField{{Path: "metadata", Msg: "metadata has text that is not valid UTF-8"}}, refusal(t, err).Details, name)
		_, err = client.Refunds.Prepare(intram.RefundParams{TransactionReference: "AB12CD34EF", Metadata: data})
		assert.Equal(t, []intram.InvalidField{{Path: "metadata", Msg: "metadata has text that is not valid UTF-8"}}, refusal(t, err).Details, name)
		request := intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1), Currency: intram.XOF}, WebhookData: data}
		_, err = client.PaymentRequests.Prepare(request)
		assert.Equal(t, []intram.InvalidField{{Path: "webhook_data", Msg: "webhook_data has text that is not valid UTF-8"}}, refusal(t, err).Details, name)

		_, err = json.Marshal(payout)
		require.ErrorContains(t, err, "intram: metadata is not valid UTF-8", name)
		assert.NotContains(t, err.Error(), "caf")
		_, err = json.Marshal(request)
		require.ErrorContains(t, err, "intram: webhook_data is not valid UTF-8", name)
	}
	for path, params := range map[string]any{
		"note": intram.PayoutParams{Note: bad}, "destination.account_name": intram.PayoutParams{Destination: intram.BankAccount{AccountName: bad}},
		"reason": intram.RefundParams{Reason: bad}, "invoice.customer.first_name": intram.PaymentRequestParams{Invoice: intram.Invoice{Customer: intram.Customer{FirstName: bad}}},
		"return_urls.cancel": intram.PaymentRequestParams{ReturnURLs: intram.ReturnURLs{Cancel: bad}},
	} {
		_, err := json.Marshal(params)
		require.ErrorContains(t, err, "intram: "+path+" is not valid UTF-8", path)
	}
	for _, fine := range []string{"é", "\ufffd", `\ufffd`, `\\ufffd`, "\U0001f600", "<&>"} {
		params := intram.PayoutParams{Note: fine, Metadata: map[string]any{"k": fine, "s": own{Area: fine, Lines: json.RawMessage("0")}}}
		assert.Equal(t, fine, again(t, params).Note)
		assert.Equal(t, fine, again(t, params).Metadata["s"].(map[string]any)["area"])
	}
	request := intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(1), Currency: intram.XOF}, ReturnURLs: intram.ReturnURLs{Success: "https://shop.example.com/" + bad}}
	_, err := client.PaymentRequests.Prepare(request)
	assert.Equal(t, "return_urls.success", refusal(t, err).Details[0].Path)
	assert.Empty(t, server.Requests())
}

// A mistake elsewhere is not told of the caller's own object too.
func TestAnInvalidAmountDoesNotBlameMetadata(t *testing.T) {
	t.Parallel()
	client := newClient(t, sealed{t})
	ignored, _ := intram.ParseAmount("many")
	payout := intentParams()
	payout.Amount, payout.Metadata = ignored, map[string]any{"order": 17}
	_, err := client.Payouts.Prepare(payout)
	require.Len(t, refusal(t, err).Details, 1)
	assert.Equal(t, "amount", refusal(t, err).Details[0].Path)
	_, err = client.Refunds.Prepare(intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: ignored, Metadata: map[string]any{"order": 17}})
	require.Len(t, refusal(t, err).Details, 1)
	assert.Equal(t, "amount", refusal(t, err).Details[0].Path)
	_, err = client.PaymentRequests.Prepare(intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: ignored, Currency: intram.XOF}, WebhookData: map[string]any{"order": 17}})
	require.Len(t, refusal(t, err).Details, 1)
	assert.Equal(t, "invoice.amount", refusal(t, err).Details[0].Path)
}

// again is a value after JSON and back.
func again[T any](t *testing.T, value T) T {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	var read T
	require.NoError(t, json.Unmarshal(data, &read), "%s", data)
	return read
}

// A zero that was computed is not "all of it".
func TestAZeroThatWasSetIsRefused(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	price := intram.NewAmount(25000)
	ignored, _ := intram.ParseAmount("")
	var scanned, unmarshalled, text intram.Amount
	require.Error(t, scanned.Scan(nil))
	require.Error(t, json.Unmarshal([]byte(`"many"`), &unmarshalled))
	require.Error(t, text.UnmarshalText(nil))
	var stored intram.RefundParams
	require.NoError(t, json.Unmarshal([]byte(`{"transaction_reference":"AB12CD34EF","amount":0}`), &stored))
	require.ErrorContains(t, json.Unmarshal([]byte(`{"transaction_reference":"AB12CD34EF","amount":null}`), new(intram.RefundParams)), "amount is null")
	for name, computed := range map[string]intram.Amount{
		"a difference": price.Sub(price), "a sum of nothing": intram.Amount{}.Add(intram.Amount{}), "zero units": intram.NewAmount(0),
		"parsed": amount(t, "0.00"), "an ignored error": ignored, "a difference with it": price.Sub(ignored), "a sum with it": price.Add(ignored),
		"NULL": scanned, "an unreadable number": unmarshalled, "an empty text": text, "stored": stored.Amount,
		"an unset one through JSON": again(t, intram.Amount{}),
	} {
		_, err := client.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: computed})
		assert.Equal(t, "amount", refusal(t, err).Details[0].Path, name)
		params := intentParams()
		params.Amount = computed
		_, err = client.Payouts.Create(t.Context(), params)
		assert.Equal(t, "amount", refusal(t, err).Details[0].Path, name)
		_, err = client.Refunds.Prepare(intram.RefundParams{TransactionReference: "AB12CD34EF", Amount: computed})
		require.ErrorIs(t, err, intram.CodeValidationError)
	}
	assert.False(t, ignored.IsSet())
	assert.Empty(t, server.Requests())
	assert.False(t, intram.Amount{}.IsSet())
	assert.True(t, intram.NewAmount(0).IsSet())
	assert.Equal(t, "invalid", ignored.String())
	assert.False(t, ignored.Equal(ignored)) //nolint:gocritic // like NaN
	_, whole := ignored.Int64()
	assert.False(t, whole)
	_, err := json.Marshal(ignored)
	require.Error(t, err)
	_, err = ignored.Value()
	require.Error(t, err)
}
