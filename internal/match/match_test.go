package match_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/internal/match"
	"github.com/intram/intram-go/internal/wire"
)

func TestCompareIsSureOfNothingThatIsNotTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, sent, payload string
		want                match.Sameness
	}{
		{"the reference and the amount", `{"reference":"A","amount":100}`, `{"reference":"A","amount":"100.00"}`, match.Same},
		{"no reference", `{"amount":100}`, `{"amount":100}`, match.Unknown},
		{"another reference", `{"reference":"A","amount":100}`, `{"reference":"B","amount":100}`, match.Differs},
		{"the amount is not told", `{"reference":"A","amount":100}`, `{"reference":"A"}`, match.Unknown},
		{"another amount under the reference", `{"reference":"A","amount":100}`, `{"reference":"A","amount":102}`, match.Unknown},
		{"another amount", `{"amount":100}`, `{"amount":102}`, match.Differs},
		{"an amount of a size that no amount has", `{"amount":100}`, `{"amount":1e999999999}`, match.Unknown},
		{"an account in another form", `{"destination":{"msisdn":"22961234567"}}`, `{"destination":{"msisdn":"+229 01 61 23 45 67"}}`, match.Unknown},
		{"another account", `{"destination":{"msisdn":"22961234567"}}`, `{"destination":{"msisdn":"22961234568"}}`, match.Differs},
	} {
		got := match.Compare(match.Payout, wire.ReadObject([]byte(tt.sent)), wire.ReadObject([]byte(tt.payload)), nil)
		assert.Equal(t, tt.want, got, tt.name)
	}
}

func TestCompareTellsRefundsAndPaymentsByWhatIdentifiesThem(t *testing.T) {
	t.Parallel()
	const (
		refund  = `"transaction_reference":"AB12CD34EF","amount":100`
		payment = `"invoice":{"amount":100,"currency":"XOF"}`
	)
	for _, tt := range []struct {
		name          string
		kind          match.Kind
		sent, payload string
		want          match.Sameness
	}{
		{"the same metadata", match.Refund, `{` + refund + `,"metadata":{"case":"C-1","n":1}}`, `{` + refund + `,"metadata":{"case":"C-1","n":1.0,"added":true}}`, match.Same},
		{"no metadata", match.Refund, `{` + refund + `}`, `{` + refund + `}`, match.Unknown},
		{"other metadata", match.Refund, `{` + refund + `,"metadata":{"case":"C-1"}}`, `{` + refund + `,"metadata":{"case":"C-2"}}`, match.Differs},
		{"metadata is not told", match.Refund, `{` + refund + `,"metadata":{"case":"C-1"}}`, `{` + refund + `}`, match.Unknown},
		{"another payment", match.Refund, `{"transaction_reference":"AB12CD34EF"}`, `{"transaction_reference":"AB12CD34EG"}`, match.Differs},
		{"the payment by its other reference", match.Refund, `{"transaction_reference":"AB12CD34EF"}`, `{"transaction_reference":"67e9a1b2c3d4e5f6a7b8c9d0"}`, match.Unknown},
		{"all of it, and a part", match.Refund, `{"transaction_reference":"AB12CD34EF","metadata":{"case":"C-1"}}`, `{` + refund + `,"metadata":{"case":"C-1"}}`, match.Unknown},
		{"the same own data", match.PaymentRequest, `{` + payment + `,"webhook_data":{"order":{"id":"O-1","tags":["a",null,true]}}}`, `{` + payment + `,"webhook_data":{"order":{"id":"O-1","tags":["a",null,true]}}}`, match.Same},
		{"a list that differs", match.PaymentRequest, `{` + payment + `,"webhook_data":{"tags":["a"]}}`, `{` + payment + `,"webhook_data":{"tags":["b"]}}`, match.Unknown},
		{"an empty object", match.PaymentRequest, `{` + payment + `,"webhook_data":{"order":{}}}`, `{` + payment + `,"webhook_data":{"order":{}}}`, match.Same},
		{"a number that was rounded", match.PaymentRequest, `{` + payment + `,"webhook_data":{"n":9007199254740993}}`, `{` + payment + `,"webhook_data":{"n":9007199254740992}}`, match.Unknown},
		{"a text that is a number now", match.PaymentRequest, `{` + payment + `,"webhook_data":{"n":"1"}}`, `{` + payment + `,"webhook_data":{"n":1}}`, match.Unknown},
		{"own data that is a text", match.PaymentRequest, `{` + payment + `,"webhook_data":{"n":"1"}}`, `{` + payment + `,"webhook_data":"{}"}`, match.Unknown},
		{"an accent written in another way", match.PaymentRequest, `{` + payment + `,"webhook_data":{"name":"Ren\u00e9"}}`, `{` + payment + `,"webhook_data":{"name":"Rene\u0301"}}`, match.Unknown},
		{"another case", match.Payout, `{"reference":"A-1","amount":1}`, `{"reference":"a-1","amount":1}`, match.Unknown},
		{"a reference that is a list", match.Payout, `{"reference":"A-1","amount":1}`, `{"reference":["A-1"],"amount":1}`, match.Unknown},
		{"the same account, hidden in part", match.Payout, `{"destination":{"account_number":"BJ0660"}}`, `{"destination":{"account_number":"XXXX60"}}`, match.Unknown},
		{"the same account", match.Payout, `{"reference":"A-1","amount":1,"destination":{"account_number":"BJ 0660"}}`, `{"reference":"A-1","amount":1,"destination":{"account_number":"bj0660"}}`, match.Same},
		{"a short account", match.Payout, `{"destination":{"account_number":"0660"}}`, `{"destination":{"account_number":"0661"}}`, match.Unknown},
	} {
		got := match.Compare(tt.kind, wire.ReadObject([]byte(tt.sent)), wire.ReadObject([]byte(tt.payload)), nil)
		assert.Equal(t, tt.want, got, tt.name)
	}
}
