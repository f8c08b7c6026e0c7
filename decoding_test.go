package intram_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

var (
	at1030 = time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	at1145 = time.Date(2026, 5, 20, 11, 45, 0, 0, time.UTC)
)

// get makes the call that a file of testdata/examples is a response to, and returns what
// the SDK made of it.
func get[T any](t *testing.T, body string, call func(*intram.Client) (T, error)) T {
	t.Helper()
	client, _ := scripted(t, answer(200, body))
	value, err := call(client)
	require.NoError(t, err)
	return value
}

func getBalance(t *testing.T, body string) *intram.Balance {
	t.Helper()
	return get(t, body, func(c *intram.Client) (*intram.Balance, error) { return c.Balance.Get(t.Context()) })
}

func getOperation(t *testing.T, body string) *intram.Operation {
	t.Helper()
	var asked struct {
		Data struct {
			ID string `json:"operation_id"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &asked))
	return get(t, body, func(c *intram.Client) (*intram.Operation, error) { return c.Operations.Get(t.Context(), asked.Data.ID) })
}

func getTransaction(t *testing.T, body string) *intram.Transaction {
	t.Helper()
	return get(t, body, func(c *intram.Client) (*intram.Transaction, error) {
		return c.Transactions.Get(t.Context(), "AB12CD34EF")
	})
}

// data is the data member of an envelope.
func data(t *testing.T, body string) string {
	t.Helper()
	var envelope struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &envelope))
	return string(envelope.Data)
}

// Every example is decoded by one of these, and what is marshalled again is what came in.
func TestEveryExampleDecodesAndComesBackAsItWas(t *testing.T) {
	t.Parallel()
	create := func(c *intram.Client) (*intram.Operation, error) {
		return c.Payouts.Create(t.Context(), mobilePayout())
	}
	ask := func(c *intram.Client) (*intram.Operation, error) {
		return c.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
			Invoice: intram.Invoice{Amount: intram.NewAmount(12000), Currency: intram.XOF},
		})
	}
	refund := func(c *intram.Client) (*intram.Operation, error) {
		return c.Refunds.Create(t.Context(), intram.RefundParams{TransactionReference: "AB12CD34EF"})
	}
	asWritten := func(t *testing.T, value any, want string) {
		t.Helper()
		out, err := json.Marshal(value)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(out))
	}
	decoders := []struct {
		prefix string
		decode func(t *testing.T, body string)
	}{
		{"balance.", func(t *testing.T, body string) {
			t.Helper()
			b := getBalance(t, body)
			asWritten(t, b, data(t, body))
			assert.JSONEq(t, data(t, body), string(b.Raw))
		}},
		{"operation.", func(t *testing.T, body string) {
			t.Helper()
			op := getOperation(t, body)
			asWritten(t, op, data(t, body))
			asWritten(t, *op, data(t, body))
			assert.JSONEq(t, data(t, body), string(op.Raw))
			if op.Result != nil {
				asWritten(t, op.Result, member(t, data(t, body), "result"))
			}
			if op.Payload != nil {
				asWritten(t, op.Payload, member(t, data(t, body), "payload"))
			}
		}},
		{"payout.accepted.", func(t *testing.T, body string) {
			t.Helper()
			asWritten(t, get(t, body, create), data(t, body))
		}},
		{"payment_request.accepted.", func(t *testing.T, body string) {
			t.Helper()
			asWritten(t, get(t, body, ask), data(t, body))
		}},
		{"refund.accepted.", func(t *testing.T, body string) {
			t.Helper()
			asWritten(t, get(t, body, refund), data(t, body))
		}},
		{"transaction.", func(t *testing.T, body string) {
			t.Helper()
			tx := getTransaction(t, body)
			asWritten(t, tx, data(t, body))
			assert.JSONEq(t, data(t, body), string(tx.Raw))
		}},
		{"transactions.", func(t *testing.T, body string) {
			t.Helper()
			page := get(t, body, func(c *intram.Client) (*intram.Page[intram.Transaction], error) {
				return c.Transactions.List(t.Context(), intram.TransactionListParams{})
			})
			asWritten(t, page.Items, data(t, body))
		}},
		{"webhooks.list.", func(t *testing.T, body string) {
			t.Helper()
			subs := get(t, body, func(c *intram.Client) ([]intram.WebhookSubscription, error) { return c.Webhooks.List(t.Context()) })
			assert.Len(t, subs, 1)
		}},
		{"webhook.created.", func(t *testing.T, body string) {
			t.Helper()
			sub := get(t, body, func(c *intram.Client) (*intram.WebhookSubscription, error) {
				return c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://my-app.example.com/intram/webhook", Event: "payout.*"})
			})
			assert.NotEmpty(t, sub.Secret)
		}},
		{"webhook.deleted.", func(t *testing.T, body string) {
			t.Helper()
			get(t, body, func(c *intram.Client) (any, error) { return nil, c.Webhooks.Delete(t.Context(), "whs_1") })
		}},
		{"webhook.test.", func(t *testing.T, body string) {
			t.Helper()
			get(t, body, func(c *intram.Client) (any, error) { return nil, c.Webhooks.SendTest(t.Context(), "whs_1") })
		}},
		{"error.", func(t *testing.T, body string) {
			t.Helper()
			var wire struct {
				Status int `json:"http_status"`
			}
			require.NoError(t, json.Unmarshal([]byte(body), &wire))
			if wire.Status == 0 {
				wire.Status = 401
			}
			client, _ := scripted(t, answer(wire.Status, body))
			_, err := client.Balance.Get(t.Context())
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			assert.NotEmpty(t, e.Code)
			assert.Equal(t, body, string(e.Body))
		}},
	}
	files, err := filepath.Glob("testdata/examples/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 44, "examples were lost")
	decoded := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, ".request.json") || strings.HasPrefix(name, "payin.") {
			continue // requests_test.go and payin_test.go
		}
		i := slices.IndexFunc(decoders, func(d struct {
			prefix string
			decode func(t *testing.T, body string)
		},
		) bool {
			return strings.HasPrefix(name, d.prefix)
		})
		if i < 0 {
			t.Errorf("nothing decodes %s", name)
			continue
		}
		decoded[decoders[i].prefix] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			decoders[i].decode(t, string(body))
			// And again with what may come at any time: fields that are unknown, at every
			// level.
			var v any
			require.NoError(t, json.Unmarshal(body, &v))
			strange, err := json.Marshal(withStrangers(v))
			require.NoError(t, err)
			decoders[i].decode(t, string(strange))
		})
	}
	assert.Len(t, decoded, len(decoders), "a decoder without an example")
}

// withStrangers adds unknown fields to every object but a list's own.
func withStrangers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = withStrangers(v[k])
		}
		v["zz_new_in_2027"] = map[string]any{"nested": []any{1, nil, "x"}, "": true}
		v["zz_null"] = nil
	case []any:
		for i := range v {
			v[i] = withStrangers(v[i])
		}
	}
	return v
}

func member(t *testing.T, object, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(object), &m))
	require.Contains(t, m, name)
	return string(m[name])
}

// sameBut compares two values field by field. Fields that only one of the two revisions
// carries are named, with the one that has them: they must be zero in the other, and set
// in the one.
func sameBut[T any](t *testing.T, current, earlier T, onlyCurrent, onlyEarlier []string) {
	t.Helper()
	c, e := reflect.ValueOf(current), reflect.ValueOf(earlier)
	for i := range c.NumField() {
		name := c.Type().Field(i).Name
		switch {
		case name == "Raw":
			assert.NotEmpty(t, c.Field(i).Interface())
			assert.NotEmpty(t, e.Field(i).Interface())
		case slices.Contains(onlyCurrent, name):
			assert.False(t, c.Field(i).IsZero(), "%s is in the current revision", name)
			assert.True(t, e.Field(i).IsZero(), "%s is not in the earlier revision", name)
		case slices.Contains(onlyEarlier, name):
			assert.True(t, c.Field(i).IsZero(), "%s is not in the current revision", name)
			assert.False(t, e.Field(i).IsZero(), "%s is in the earlier revision", name)
		default:
			assert.Equal(t, c.Field(i).Interface(), e.Field(i).Interface(), "%s is in both", name)
		}
	}
}

func TestBothRevisionsOfABalance(t *testing.T) {
	t.Parallel()
	current := getBalance(t, example(t, "balance.current.json"))
	assert.Equal(t, intram.XOF, current.Currency)
	assert.Equal(t, []intram.PaymentMethodBalance{
		{PaymentMethod: "MTN Bénin", Available: intram.NewAmount(800000), Pending: intram.NewAmount(0)},
		{PaymentMethod: "Moov Bénin", Available: intram.NewAmount(440000), Pending: intram.NewAmount(35000)},
	}, current.PaymentMethods)
	assert.Equal(t, "1240000", current.Available.String(), "the sum, where the API gives none")
	assert.Equal(t, "35000", current.Pending.String())
	assert.Zero(t, current.AsOf)

	earlier := getBalance(t, example(t, "balance.earlier.json"))
	assert.Equal(t, []intram.PaymentMethodBalance{{PaymentMethod: "MTN_BENIN_229", Available: intram.NewAmount(800000), Pending: intram.NewAmount(0)}}, earlier.PaymentMethods)
	assert.Equal(t, time.Date(2026, 5, 20, 10, 30, 0, 123e6, time.UTC), earlier.AsOf)
	assert.Equal(t, "1240000", earlier.Available.String(), "as given, not the sum")
	assert.Equal(t, "35000", earlier.Pending.String())
	earlier.PaymentMethods = current.PaymentMethods // the docs' two examples show other methods
	sameBut(t, *current, *earlier, nil, []string{"AsOf"})
}

func TestNoWalletYetIsNoError(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"balance.no_wallet.current.json", "balance.no_wallet.earlier.json"} {
		b := getBalance(t, example(t, file))
		assert.Empty(t, b.Currency)
		assert.NotNil(t, b.PaymentMethods)
		assert.Empty(t, b.PaymentMethods)
		assert.True(t, b.Available.IsZero())
		assert.True(t, b.Pending.IsZero())
	}
}

func TestBothRevisionsOfAnAcceptedPayout(t *testing.T) {
	t.Parallel()
	current := getOperation(t, example(t, "payout.accepted.current.json"))
	earlier := getOperation(t, example(t, "payout.accepted.earlier.json"))
	assert.Equal(t, "op_2f4a8b1c", current.ID)
	assert.Equal(t, intram.OperationPayout, current.Type)
	assert.Equal(t, intram.OperationQueued, current.Status)
	assert.Equal(t, intram.Live, current.Environment)
	assert.Equal(t, at1030, current.CreatedAt)
	assert.JSONEq(t, example(t, "payout.mobile_money.request.json"), string(current.Payload))
	assert.Nil(t, current.Result)
	assert.Nil(t, current.Error)
	assert.Zero(t, current.Attempts)
	sameBut(t, *current, *earlier, nil, nil)
}

func TestBothRevisionsOfAPaymentRequest(t *testing.T) {
	t.Parallel()
	current := getOperation(t, example(t, "operation.payment_request.succeeded.current.json"))
	earlier := getOperation(t, example(t, "operation.payment_request.succeeded.earlier.json"))
	sameResult, ok := current.Result.(*intram.PaymentRequestResult)
	require.True(t, ok, "%T", current.Result)
	earlierResult, ok := earlier.Result.(*intram.PaymentRequestResult)
	require.True(t, ok, "%T", earlier.Result)
	sameBut(t, *sameResult, *earlierResult, nil, nil)
	assert.Equal(t, intram.PaymentRequestResult{
		TransactionReference: "AB12CD34EF", Status: "pending", Amount: intram.NewAmount(12000), Currency: intram.XOF,
		GatewayURL: "https://gateway.intram.org/AB12CD34EF", ReceiptURL: "https://gateway.intram.org/AB12CD34EF",
		QRCode: "data:image/png;base64,iVBORw0KGgo=", Raw: sameResult.Raw,
	}, *sameResult)
	current.Result, earlier.Result = nil, nil
	sameBut(t, *current, *earlier, []string{"Payload", "Attempts", "UpdatedAt", "CompletedAt"}, nil)

	// payment_url alone is as good.
	alias := strings.Replace(example(t, "operation.payment_request.succeeded.current.json"), `"gateway_url"`, `"gateway_uri"`, 1)
	result, ok := getOperation(t, alias).Result.(*intram.PaymentRequestResult)
	require.True(t, ok)
	assert.Equal(t, "https://gateway.intram.org/AB12CD34EF", result.GatewayURL)
}

func TestBothRevisionsOfATransaction(t *testing.T) {
	t.Parallel()
	current := getTransaction(t, example(t, "transaction.current.json"))
	earlier := getTransaction(t, example(t, "transaction.earlier.json"))
	assert.Equal(t, intram.Transaction{
		Reference: "AB12CD34EF", Status: intram.TransactionSuccess, Type: intram.TransactionCredit,
		Amount: intram.NewAmount(12000), Fees: intram.NewAmount(240), NetAmount: intram.NewAmount(11760), Currency: intram.XOF,
		PaymentMethod: intram.TransactionPaymentMethod{Name: "MTN Bénin"},
		Customer:      intram.TransactionCustomer{Email: "client@example.com", Name: "Ada Lovelace"},
		Source:        intram.TransactionSource{Number: "22961234567"},
		CreatedAt:     at1030,
		Refunds: []intram.RefundEntry{{
			Reference: "9DEFGH1234", Status: intram.TransactionSuccess, Reason: "Demande client", CreatedAt: at1145,
		}},
		Raw: current.Raw,
	}, *current)
	assert.JSONEq(t, `{"order_id":"4521"}`, string(earlier.WebhookData))
	sameBut(t, current.PaymentMethod, earlier.PaymentMethod, nil, []string{"Code", "Type"})
	sameBut(t, current.Customer, earlier.Customer, nil, []string{"ID", "FirstName", "LastName"})
	sameBut(t, current.Refunds[0], earlier.Refunds[0], nil, []string{"ServiceReference"})
	assert.Equal(t, intram.TransactionPaymentMethod{Name: "MTN Bénin", Code: intram.MTNBenin, Type: "Mobile"}, earlier.PaymentMethod)
	earlier.PaymentMethod, earlier.Customer, earlier.Refunds = current.PaymentMethod, current.Customer, current.Refunds
	sameBut(t, *current, *earlier, nil, []string{"ID", "Environment", "ServiceReference", "WebhookData"})
}

func TestSparseTransaction(t *testing.T) {
	t.Parallel()
	tx := getTransaction(t, example(t, "transaction.sparse.current.json"))
	assert.Empty(t, tx.Currency)
	assert.Zero(t, tx.PaymentMethod)
	assert.Zero(t, tx.Customer)
	assert.Zero(t, tx.Source)
	assert.Empty(t, tx.Refunds)
	assert.Equal(t, "12000", tx.Amount.String())
	// Everything that may be missing is.
	tx = getTransaction(t, `{"error":false,"data":{"reference":"AB12CD34EF"}}`)
	assert.Equal(t, "AB12CD34EF", tx.Reference)
	assert.False(t, tx.Status.Finished())
	assert.True(t, tx.Amount.IsZero())
}

func TestBothRevisionsOfASubscription(t *testing.T) {
	t.Parallel()
	create := func(c *intram.Client) (*intram.WebhookSubscription, error) {
		return c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://my-app.example.com/intram/webhook", Event: "payout.*"})
	}
	current := get(t, example(t, "webhook.created.current.json"), create)
	earlier := get(t, example(t, "webhook.created.earlier.json"), create)
	assert.Equal(t, intram.WebhookSubscription{
		ID: "whs_b4c3a2", URL: "https://my-app.example.com/intram/webhook", Event: "payout.*",
		Secret: "whsec_b4c3a2d1e0f9a8b7", CreatedAt: at1030,
	}, *current)
	assert.Equal(t, "65a1b2c3d4e5f6a7b8c9d0e4", earlier.ID)
	earlier.ID = current.ID // two examples, two ids
	sameBut(t, *current, *earlier, nil, []string{"SecretHint"})

	list := func(c *intram.Client) ([]intram.WebhookSubscription, error) { return c.Webhooks.List(t.Context()) }
	currentList := get(t, example(t, "webhooks.list.current.json"), list)
	earlierList := get(t, example(t, "webhooks.list.earlier.json"), list)
	require.Len(t, currentList, 1)
	assert.Empty(t, currentList[0].Secret)
	assert.Equal(t, []intram.WebhookSubscription{{
		ID: "whs_b4c3a2", URL: "https://my-app.example.com/intram/webhook", Event: intram.EventAll,
		CreatedAt: time.Date(2026, 5, 20, 8, 0, 0, 0, time.UTC),
	}}, currentList)
	earlierList[0].ID = currentList[0].ID
	sameBut(t, currentList[0], earlierList[0], nil, []string{"SecretHint"})
	assert.Equal(t, "…ab12cd", earlierList[0].SecretHint)
}

func TestPayoutResults(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"operation.payout.succeeded.current.json", "operation.completed_word.seen.json"} {
		op := getOperation(t, example(t, file))
		assert.Equal(t, intram.OperationSucceeded, op.Status, "%s: completed is succeeded by another name", file)
		assert.True(t, op.Status.Finished())
		result, ok := op.Result.(*intram.PayoutResult)
		require.True(t, ok)
		assert.Equal(t, intram.PayoutResult{
			Reference: "PO-2026-0001", Amount: intram.NewAmount(25000), Currency: intram.XOF,
			Destination: intram.MobileMoney{MSISDN: "22961234567"}, Status: intram.PayoutCompleted,
			ProviderResponse: intram.ProviderResponse{ResponseCode: "00", ResponseMessage: "Success", ServiceReference: "MTN987654321"},
			Raw:              result.Raw,
		}, *result)
		assert.Equal(t, 1, op.Attempts)
		assert.Equal(t, at1030, op.CreatedAt)
		assert.Equal(t, at1030.Add(14*time.Second), op.UpdatedAt)
		assert.Equal(t, at1030.Add(14*time.Second), op.CompletedAt)
	}
	assert.Contains(t, string(getOperation(t, example(t, "operation.completed_word.seen.json")).Raw), `"status": "completed"`, "the original word is kept")

	op := getOperation(t, example(t, "operation.payout.queued_for_settlement.current.json"))
	result, ok := op.Result.(*intram.PayoutResult)
	require.True(t, ok)
	assert.Equal(t, intram.BankAccount{AccountNumber: "BJ0610100100144390000769"}, result.Destination)
	assert.Equal(t, intram.PayoutQueuedForSettlement, result.Status)
	assert.Zero(t, result.ProviderResponse)
}

func TestRefundResult(t *testing.T) {
	t.Parallel()
	op := getOperation(t, example(t, "operation.refund.succeeded.current.json"))
	result, ok := op.Result.(*intram.RefundResult)
	require.True(t, ok)
	assert.Equal(t, intram.RefundResult{
		Status: intram.RefundCompleted, RefundReference: "9DEFGH1234", Amount: intram.NewAmount(12000), TransactionReference: "AB12CD34EF",
		ProviderResponse: intram.ProviderResponse{ResponseCode: "00", ResponseMessage: "Success"}, Raw: result.Raw,
	}, *result)
}

func TestFailedOperations(t *testing.T) {
	t.Parallel()
	op := getOperation(t, example(t, "operation.failed.current.json"))
	assert.Equal(t, intram.OperationFailed, op.Status)
	assert.Nil(t, op.Result)
	require.NotNil(t, op.Error)
	require.ErrorIs(t, op.Error, intram.CodeInsufficientBalance)
	assert.Equal(t, "op_2f4a8b1c", op.Error.OperationID)
	assert.Equal(t, "Insufficient merchant balance", op.Error.Message)
	assert.Zero(t, op.Error.Details)

	op = getOperation(t, example(t, "operation.provider_rejected.current.json"))
	require.ErrorIs(t, op.Error, intram.CodeProviderRejected)
	assert.Equal(t, intram.ProviderResponse{ResponseCode: "102", ResponseMessage: "Subscriber not found"}, op.Error.Details)

	// Details of another shape are kept, not judged.
	for _, details := range []string{`{"responsecode":102}`, `"text"`, `[1,2]`, `7`, `true`} {
		body := `{"error":false,"data":{"operation_id":"op_1","status":"failed","error":{"code":"provider_error","details":` + details + `}}}`
		op = getOperation(t, body)
		require.ErrorIs(t, op.Error, intram.CodeProviderError, details)
		assert.JSONEq(t, details, string(op.Error.Details.Raw))
	}
}

// Unknown words are kept and mean "not finished"; the case of the known ones says
// nothing.
func TestWordsOfStatuses(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]intram.OperationStatus{
		"queued": intram.OperationQueued, "processing": intram.OperationProcessing, "succeeded": intram.OperationSucceeded,
		"failed": intram.OperationFailed, "expired": intram.OperationExpired, "completed": intram.OperationSucceeded,
		"SUCCEEDED": intram.OperationSucceeded, "Completed": intram.OperationSucceeded, "FAILED": intram.OperationFailed,
		"on_hold": "on_hold", "Under Review": "Under Review", "success": "success", "cancelled": "cancelled", "": "",
	} {
		op := getOperation(t, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"`+word+`"}}`)
		assert.Equal(t, want, op.Status)
		finished := want == intram.OperationSucceeded || want == intram.OperationFailed || want == intram.OperationExpired
		assert.Equal(t, finished, op.Status.Finished(), word)
	}
	for word, want := range map[string]intram.TransactionStatus{
		"PENDING": intram.TransactionPending, "SUCCESS": intram.TransactionSuccess, "ERROR": intram.TransactionError,
		"REFUNDED": intram.TransactionRefunded, "success": intram.TransactionSuccess, "Pending": intram.TransactionPending,
		"DISPUTED": "DISPUTED", "disputed": "disputed", "": "",
	} {
		tx := getTransaction(t, `{"error":false,"data":{"reference":"AB12CD34EF","status":"`+word+`"}}`)
		assert.Equal(t, want, tx.Status)
		finished := want == intram.TransactionSuccess || want == intram.TransactionError || want == intram.TransactionRefunded
		assert.Equal(t, finished, tx.Status.Finished(), word)
	}
}

// What the SDK does not know, or cannot read, is kept raw: it must not hide that the
// operation succeeded.
func TestUnknownResultsAreKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ typ, result string }{
		"a type that is not known":    {"transfer", `{"reference":"T-1","anything":[1]}`},
		"no type":                     {"", `{"reference":"T-1"}`},
		"a payout with another shape": {"payout", `["not","an","object"]`},
		"an amount that is none":      {"payout", `{"amount":"lots"}`},
		"a refund with a number":      {"refund", `{"status":7}`},
		"a request that is true":      {"payment_request", `true`},
	} {
		op := getOperation(t, `{"error":false,"data":{"operation_id":"op_1","status":"succeeded","type":"`+tt.typ+`","result":`+tt.result+`}}`)
		unknown, ok := op.Result.(*intram.UnknownResult)
		require.True(t, ok, "%s: %T", name, op.Result)
		assert.JSONEq(t, tt.result, string(unknown.Raw))
		out, err := json.Marshal(unknown)
		require.NoError(t, err)
		assert.JSONEq(t, tt.result, string(out))
	}
	op := getOperation(t, `{"error":false,"data":{"operation_id":"op_1","status":"succeeded","type":"payout","result":{
		"destination":{"type":"wallet_of_2027","handle":"@ada"},"status":"half_done"}}}`)
	result, ok := op.Result.(*intram.PayoutResult)
	require.True(t, ok)
	unknown, ok := result.Destination.(intram.UnknownDestination)
	require.True(t, ok)
	assert.Equal(t, "wallet_of_2027", unknown.Type)
	assert.JSONEq(t, `{"type":"wallet_of_2027","handle":"@ada"}`, string(unknown.Raw))
	assert.Equal(t, intram.PayoutStatus("half_done"), result.Status)
}

// A date that is written in a new way must not make a payment unreadable. Raw still has
// it.
func TestDatesThatAreNoDates(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Time{
		`"2026-05-20T10:30:00.000Z"`:       at1030,
		`"2026-05-20T11:30:00+01:00"`:      at1030,
		`"2026-05-20T10:30:00.123456789Z"`: at1030.Add(123456789),
		`"2026-05-20T10:30:00.5"`:          at1030.Add(500 * time.Millisecond),
		`"2026-05-20 10:30:00"`:            at1030,
		`"2026-05-20"`:                     time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC),
		`null`:                             {}, `""`: {}, `"soon"`: {}, `1779273000`: {}, `{"$date":1}`: {}, `[]`: {}, `true`: {},
	} {
		op := getOperation(t, `{"error":false,"data":{"operation_id":"op_1","date":`+in+`}}`)
		assert.True(t, want.Equal(op.CreatedAt), "%s is %v", in, op.CreatedAt)
		assert.Equal(t, time.UTC, op.CreatedAt.Location())
	}
	// The first name that says something wins.
	op := getOperation(t, `{"error":false,"data":{"operation_id":"op_1","date":null,"created_at":"2026-05-20T10:30:00.000Z"}}`)
	assert.Equal(t, at1030, op.CreatedAt)
}

// A 2xx that does not say what was done is no success. For a POST that leaves the money
// in doubt.
func TestAnswersThatAreNoAnswers(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"nothing": "", "a page": "<html>It works!</html>", "half": `{"error":false,"data":{"operation_id":"op_1"`,
		"null": "null", "a string": `"ok"`, "a list": "[]", "a number": "7", "an empty object": "{}", "no data": `{"error":false}`,
		"null data": `{"error":false,"data":null}`, "data of another kind": `{"error":false,"data":"ok"}`,
		"an empty operation": `{"error":false,"data":{}}`, "an empty id": `{"error":false,"data":{"operation_id":"","reference":"","subscription_id":""}}`,
		"failure in a 2xx": `{"error":true,"data":{"operation_id":"op_1","reference":"R","subscription_id":"w"}}`, "two documents": `{"error":false} {"error":false}`,
	}
	for name, body := range bodies {
		for callName, call := range everyCall {
			switch {
			case (callName == "unsubscribe" || callName == "test") && json.Valid([]byte(body)) && strings.HasPrefix(body, `{"error":false`):
				continue // these carry no data, so an envelope is all there is to ask for
			case (callName == "balance" || callName == "transactions" || callName == "operations" || callName == "subscriptions") && strings.HasPrefix(name, "an empty "):
				continue // an object is no list, see below; a balance may be empty
			}
			t.Run(callName+" "+name, func(t *testing.T) {
				t.Parallel()
				client, s := scripted(t, answer(202, body))
				err := call(t.Context(), client)
				var e *intram.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, intram.OutcomeUnknown, e.Outcome)
				assert.Equal(t, 202, e.StatusCode)
				assert.Equal(t, body, string(e.Body))
				assert.Equal(t, s.last().Header.Get("Idempotency-Key"), e.IdempotencyKey)
				assert.Len(t, s.requests(), 1, "an answer is not asked for again")
				assert.NotContains(t, err.Error(), "\n")
			})
		}
	}
}

// What is acted on and has another shape than the docs show is an error, never half a
// value.
func TestValuesOfAnotherShapeAreErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into any
		json []string
	}{
		{new(intram.Amount), []string{`true`, `[]`, `"x"`}},
		{new(intram.OperationStatus), []string{`7`, `{}`}},
		{new(intram.TransactionStatus), []string{`7`, `[]`}},
		{new(intram.TransactionCustomer), []string{`"Ada"`}},
		{new(intram.RefundEntry), []string{`"R"`}},
		{new(intram.Transaction), []string{`"R"`, `[]`, `{"amount":"lots"}`, `{"reference":7}`, `{"status":7}`}},
		{new(intram.Operation), []string{`"op_1"`, `{"operation_id":7}`, `{"status":{}}`, `{"type":["payout"]}`, `{"env":true}`}},
		{new(intram.Balance), []string{`7`, `{"payment_method_balances":{}}`, `{"available":"lots"}`}},
		{new(intram.PayoutResult), []string{`7`, `"x"`, `{"amount":"x"}`, `{"status":7}`}},
		{new(intram.PaymentRequestResult), []string{`7`, `{"amount":{}}`}},
		{new(intram.RefundResult), []string{`7`, `{"amount":{}}`}},
		{new(intram.WebhookSubscription), []string{`7`, `{"secret":7}`, `{"subscription_id":7}`}},
	} {
		for _, in := range tt.json {
			require.Error(t, json.Unmarshal([]byte(in), tt.into), "%T from %s", tt.into, in)
		}
	}
	// null is the absence of a value, as everywhere in JSON.
	raw := intram.RawMessage("x")
	require.NoError(t, json.Unmarshal([]byte("null"), &raw))
	assert.Nil(t, raw)
	out, err := json.Marshal(raw)
	require.NoError(t, err)
	assert.Equal(t, "null", string(out))
	var direct intram.RawMessage
	require.NoError(t, direct.UnmarshalJSON([]byte("null")))
	assert.Nil(t, direct)
	require.NoError(t, direct.UnmarshalJSON([]byte(` {"a":1} `)))
	assert.Equal(t, ` {"a":1} `, string(direct))
}

func TestListsOfAnotherShapeAreErrors(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"error":false,"data":{}}`, `{"error":false,"data":{"items":[]}}`, `{"error":false,"data":"none"}`} {
		for _, name := range []string{"transactions", "operations", "subscriptions"} {
			client, _ := scripted(t, answer(200, body))
			require.Error(t, everyCall[name](t.Context(), client), "%s: %s", name, body)
		}
	}
	client, _ := scripted(t, answer(200, `{"error":false,"data":[]}`))
	subs, err := client.Webhooks.List(t.Context())
	require.NoError(t, err)
	assert.NotNil(t, subs)
	assert.Empty(t, subs)
}

func TestPages(t *testing.T) {
	t.Parallel()
	list := func(body string) (*intram.Page[intram.Transaction], error) {
		client, _ := scripted(t, answer(200, body))
		return client.Transactions.List(t.Context(), intram.TransactionListParams{})
	}
	page, err := list(example(t, "transactions.list.current.json"))
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	assert.Equal(t, 20, page.Limit)
	assert.Equal(t, time.Date(2026, 5, 19, 12, 34, 56, 0, time.UTC), page.NextBefore)
	assert.True(t, page.HasMore())
	single := getTransaction(t, example(t, "transaction.current.json"))
	page.Items[0].Raw, single.Raw = nil, nil
	assert.Equal(t, *single, page.Items[0])

	page, err = list(example(t, "transactions.last_page.current.json"))
	require.NoError(t, err)
	assert.Empty(t, page.Items)
	assert.False(t, page.HasMore())
	page, err = list(`{"error":false,"data":[]}`)
	require.NoError(t, err)
	assert.False(t, page.HasMore())

	// A cursor that cannot be read is not the end: taking it for that would lose the
	// rest.
	for _, cursor := range []string{`"soon"`, `1779273000`, `{"id":"x"}`, `true`, `"eyJpZCI6MX0="`} {
		page, err = list(`{"error":false,"data":[],"paging":{"limit":20,"next_before":` + cursor + `}}`)
		require.Error(t, err, cursor)
		assert.Nil(t, page)
	}
	for _, end := range []string{`null`, `""`} {
		page, err = list(`{"error":false,"data":[],"paging":{"limit":20,"next_before":` + end + `}}`)
		require.NoError(t, err, end)
		assert.False(t, page.HasMore())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	refuse := func(status int, body string, headers ...string) *intram.Error {
		client, _ := scripted(t, answer(status, body, headers...))
		_, err := client.Balance.Get(t.Context())
		var e *intram.Error
		require.ErrorAs(t, err, &e)
		return e
	}
	e := refuse(400, example(t, "error.validation.json"), "X-Request-Id", "req-1")
	assert.Equal(t, []intram.InvalidField{{Path: "amount", Msg: "amount must be > 0"}}, e.Details)
	assert.Equal(t, "Invalid payout request", e.Message)
	assert.Equal(t, "req-1", e.RequestID)
	assert.Equal(t, "GET", e.Method)
	assert.Equal(t, "/balance", e.Path)
	assert.Equal(t, intram.OutcomeRejected, e.Outcome)
	assert.Equal(t, 1, e.Attempts)

	e = refuse(403, example(t, "error.ip_not_allowed.json"))
	require.ErrorIs(t, e, intram.CodeIPNotAllowed)
	assert.Equal(t, "203.0.113.99", e.ClientIP)
	e = refuse(409, example(t, "error.idempotency_conflict.json"))
	require.ErrorIs(t, e, intram.CodeIdempotencyConflict)
	e = refuse(401, example(t, "error.signature_invalid.json"))
	require.ErrorIs(t, e, intram.CodeSignatureInvalid)
	assert.Contains(t, e.Error(), "timestamp_out_of_window", "the reason is the whole point")

	// The code is stable, the rest is not: an odd message or odd details must not hide
	// it.
	for _, body := range []string{
		`{"error":true,"code":"merchant_inactive","message":{"en":"no","fr":"non"}}`,
		`{"error":true,"code":"merchant_inactive","message":7,"details":"text"}`,
		`{"error":true,"code":"merchant_inactive","details":{"responsecode":"1"}}`,
		`{"error":true,"code":"merchant_inactive","details":[{"path":["a","b"],"msg":1}]}`,
		`{"error":true,"code":"merchant_inactive","details":[1,2]}`,
		`{"error":"yes","code":"merchant_inactive","client_ip":["203.0.113.99"]}`,
		`{"code":"merchant_inactive"}`,
	} {
		e = refuse(403, body)
		require.ErrorIs(t, e, intram.CodeMerchantInactive, body)
		assert.Empty(t, e.Details)
		assert.Equal(t, body, string(e.Body))
	}
	// What is no refusal of the API's has no code, and says what it was.
	for body, says := range map[string]string{
		"<html>404</html>": "not JSON (text/html)", "": "not JSON", `["x"]`: "another kind", `"x"`: "another kind", `7`: "another kind", `{"code":7}`: "another kind",
	} {
		e = refuse(404, body, "Content-Type", "text/html; charset=utf-8")
		assert.Empty(t, e.Code, body)
		assert.Contains(t, e.Error(), says, body)
		assert.Equal(t, http.StatusNotFound, e.StatusCode)
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	files, err := filepath.Glob("testdata/examples/*.json")
	require.NoError(f, err)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(body)
	}
	for _, seed := range []string{
		"", "null", "{}", `{"error":true}`, `{"error":false,"data":{"operation_id":"op_1","status":"COMPLETED","result":[]}}`,
		`{"error":false,"data":[{"reference":"R","amount":1e65}],"paging":{"next_before":"x"}}`, `{"data":[{"reference":"R","date":7}]}`,
		`{"error":false,"data":{"operation_id":"op_1","type":"payout","result":{"destination":{"type":"x"}},"error":{"code":"c","details":[]}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if op, err := intram.DecodeOperation(body); err == nil {
			require.NotEmpty(t, op.ID, "an operation has an id")
			require.True(t, json.Valid(body))
			require.Equal(t, time.UTC, op.CreatedAt.Location())
			roundTrips(t, op, op.Raw)
			if op.Status.Finished() {
				require.Contains(t, []string{"succeeded", "completed", "failed", "expired"}, strings.ToLower(word(t, op.Raw, "status")))
			}
			again := new(intram.Operation)
			require.NoError(t, json.Unmarshal(op.Raw, again), "what came in once comes in again")
			require.Equal(t, op, again)
		} else {
			require.Nil(t, op)
		}
		if page, err := intram.DecodeTransactions(body); err == nil {
			require.NotNil(t, page.Items, "a page without data would end a list early")
			for i := range page.Items {
				roundTrips(t, page.Items[i], page.Items[i].Raw)
				_, err := json.Marshal(page.Items[i].Amount)
				require.NoError(t, err)
			}
		} else {
			require.Nil(t, page)
		}
	})
}

func roundTrips(t *testing.T, value any, raw intram.RawMessage) {
	t.Helper()
	if len(raw) == 0 {
		return // null in a list
	}
	out, err := json.Marshal(value)
	require.NoError(t, err)
	require.JSONEq(t, string(raw), string(out))
}

// word is a member that is a string, whatever the case of its name, as encoding/json
// reads it.
func word(t *testing.T, object []byte, name string) string {
	t.Helper()
	got := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"` + name + `"`),
	}}))
	require.NoError(t, json.Unmarshal(object, got.Interface()))
	return got.Elem().Field(0).String()
}

func FuzzDecodeError(f *testing.F) {
	files, err := filepath.Glob("testdata/examples/error.*.json")
	require.NoError(f, err)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(400, "application/json", body)
	}
	f.Add(404, "text/html; charset=utf-8", []byte("<html>22961234567 ada@example.com</html>"))
	f.Add(502, "", []byte("\r\n\x00"))
	f.Add(400, "application/json", []byte(`{"code":"x","message":{"a":1},"details":[{"path":"p\n","msg":"22961234567"}]}`))
	f.Add(400, "a\nb", []byte(`{"code":"a\nb"}`))
	f.Add(302, "text/plain", []byte(`{"code":"internal_error","details":{"responsecode":"102"}}`))
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		if status < 300 || status > 999 {
			return // not a refusal
		}
		e := intram.DecodeFailure(status, http.Header{"Content-Type": {contentType}}, body)
		require.Equal(t, status, e.StatusCode)
		require.Equal(t, string(body), string(e.Body))
		require.Equal(t, "key-00001", e.IdempotencyKey)
		var wire struct{ Code json.RawMessage }
		var code string
		if json.Unmarshal(body, &wire) == nil && json.Unmarshal(wire.Code, &code) == nil {
			require.Equal(t, code, string(e.Code), "a code that is there is never lost")
		}
		text := e.Error()
		require.True(t, strings.HasPrefix(text, "intram: POST /payouts: "), text)
		require.NotContains(t, text, "\n")
		require.NotContains(t, text, "\r")
		require.NotContains(t, text, "\x00")
		require.Less(t, len(text), 2000)
		require.True(t, json.Valid([]byte(`"x"`)))
		require.NotRegexp(t, `[0-9]{7,}`, strings.ReplaceAll(text, "key-00001", ""), "no number that could be a person's")
		require.NotRegexp(t, `[a-z0-9]@[a-z0-9]`, text, "no e-mail address")
	})
}
