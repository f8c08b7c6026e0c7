package intram_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// A caller that keeps one of a hundred transactions must not keep the page, and a page
// whose buffer is used again must not change what was read from it.
func TestAnItemOfAPageKeepsItsOwnPartOnly(t *testing.T) {
	t.Parallel()
	body := transactionPage(t)
	page, err := intram.DecodeTransactions(body)
	require.NoError(t, err)
	require.Len(t, page.Items, 100)
	var whole struct {
		Data []json.RawMessage `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &whole))
	clear(body)
	for i, item := range page.Items {
		assert.Equal(t, string(whole.Data[i]), string(item.Raw))
		assert.Less(t, cap(item.Raw), 2*len(item.Raw))
	}
}

func TestWhatAnItemHoldsIsAPieceOfItsOwnPart(t *testing.T) {
	t.Parallel()
	body := []byte(`{"data":[{"reference":"AB12CD34EF","webhook_data":{"order_id":"4521"}},{"reference":"AB12CD34EG","webhook_data":null}]}`)
	page, err := intram.DecodeTransactions(body)
	require.NoError(t, err)
	clear(body)
	assert.JSONEq(t, `{"order_id":"4521"}`, string(page.Items[0].WebhookData))
	assert.Equal(t, len(page.Items[0].WebhookData), cap(page.Items[0].WebhookData), "appending to it leaves the rest alone")
	assert.Nil(t, page.Items[1].WebhookData)
}

// A whole response and the value alone are read by the same types in two ways: what comes
// of it must be one.
func TestAnAnswerIsReadAsItsValueAloneIs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"operation.payout.succeeded.current.json", "operation.payment_request.succeeded.earlier.json",
		"operation.failed.current.json", "operation.completed_word.seen.json", "payout.accepted.earlier.json",
	} {
		body := []byte(example(t, name))
		var alone struct {
			Data intram.Operation `json:"data"`
		}
		require.NoError(t, json.Unmarshal(body, &alone), name)
		op, err := intram.DecodeOperation(body)
		require.NoError(t, err, name)
		assert.Equal(t, alone.Data, *op, name)
	}
	body := transactionPage(t)
	var alone struct {
		Data []intram.Transaction `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &alone))
	page, err := intram.DecodeTransactions(body)
	require.NoError(t, err)
	assert.Equal(t, alone.Data, page.Items)
}

func TestAListWithHolesIsReadAsItIs(t *testing.T) {
	t.Parallel()
	page, err := intram.DecodeTransactions([]byte(`{"error":false,"DATA":[null,{"reference":"AB12CD34EF"},{}]}`))
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	assert.Equal(t, "AB12CD34EF", page.Items[0].Reference)
	require.Len(t, page.Unreadable, 2, "what is no transaction is not passed over")
	assert.Equal(t, []any{0, "null", 2, "{}"}, []any{
		page.Unreadable[0].Index, string(page.Unreadable[0].Raw), page.Unreadable[1].Index, string(page.Unreadable[1].Raw),
	})
	for _, body := range []string{`{"data":{}}`, `{"data":"AB12CD34EF"}`, `{"data":null}`, `{}`, `{"error":true,"data":[]}`, `{"data":[],"data":[]}`,
		`{"data":[],"paging":"x"}`, `{"data":[],"paging":[1]}`, `{"data":[],"paging":7}`, `{"data":[],"paging":{"next_before":7}}`,
	} {
		_, err := intram.DecodeTransactions([]byte(body))
		require.Error(t, err, body)
	}
}

// Words and short strings take a way of their own: it must lead where encoding/json's
// leads.
func TestWordsAreReadAsEncodingJSONReadsThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`"payout"`, `"XOF"`, `""`, `"a new word"`, `"pay\u006fut"`, `"a\nb"`, `"MTN Bénin"`, "\"broken \xff\"", `"\ud83d\ude42"`, "null",
	} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		op, err := intram.DecodeOperation([]byte(`{"data":{"operation_id":"op_1","type":` + text + `}}`))
		require.NoError(t, err, text)
		assert.Equal(t, want, string(op.Type), text)
		var method intram.TransactionPaymentMethod
		require.NoError(t, json.Unmarshal([]byte(text), &method), text)
		assert.Equal(t, want, method.Name, text)
	}
	_, err := intram.DecodeOperation([]byte(`{"data":{"operation_id":"op_1","type":7}}`))
	require.Error(t, err)
}

func TestShortAmountsAreReadAsLongOnesAre(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "7", "25000", "999999999999999999", "1000000000000000000", "153.00", "-5", "1e3", `"25000"`} {
		var amount intram.Amount
		require.NoError(t, json.Unmarshal([]byte(text), &amount), text)
		want, err := intram.ParseAmount(strings.Trim(text, `"`))
		require.NoError(t, err, text)
		assert.Equal(t, want.String(), amount.String(), text)
	}
	require.Error(t, new(intram.Amount).UnmarshalJSON([]byte("007")), "no number of JSON")
}
