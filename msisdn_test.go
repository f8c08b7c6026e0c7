package intram_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestParseMSISDNReadsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, country, want string }{
		{"2290161234501", "", "2290161234501"},
		{"2290161234501", "BJ", "2290161234501"},
		{"+229 01 61 23 45 01", "BJ", "2290161234501"},
		{"+229 (01) 61-23-45-01", "", "2290161234501"}, {"(+229) 01-61-23-45-01", "", "2290161234501"},
		{"00229 0161234501", "CI", "2290161234501"},
		{"0161234501", "BJ", "2290161234501"},
		{"01.61.23.45.01", "BJ", "2290161234501"},
		{"01\u202f61\u00a023\u200945\u200b01", "BJ", "2290161234501"}, // narrow, no-break, thin and zero-width
		{"\ufeff'0161234501", "BJ", "2290161234501"},
		{"01–61–23–45–01", "BJ", "2290161234501"},
		{"\u202a+229 0161234501\u202c", "", "2290161234501"}, // copied from an address book
		{"2290161234504.0", "BJ", "2290161234504"},
		{"161234504,00", "", ""},
		{"2290161234504,00", "", "2290161234504"},
		// Benin before 2024-11-30: 8 digits.
		{"61234501", "BJ", "2290161234501"},
		{"22961234501", "BJ", "2290161234501"},
		{"+229 61 23 45 01", "", "2290161234501"},
		// The others.
		{"07 00 00 00 00", "CI", "2250700000000"},
		{"+2250700000000", "BJ", "2250700000000"},
		{"2250700000000", "BJ", "2250700000000"},
		{"90123456", "TG", "22890123456"},
		{"770000000", "SN", "221770000000"},
		{"+33 (0)6 12 34 56 78", "BJ", "33612345678"},
		{"0033612345678", "", "33612345678"},
		// What is none.
		{"", "BJ", ""},
		{" - ", "BJ", ""},
		{"61234501", "", ""},              // whose?
		{"0161234501", "FR", ""},          // no plan is known
		{"6123450", "BJ", ""},             // a digit short
		{"161234501", "BJ", ""},           // a spreadsheet took the 0
		{"612345012", "BJ", ""},           // one too many
		{"0261234501", "BJ", ""},          // not 01
		{"229016123450", "BJ", ""},        // international, a digit short
		{"22901612345011", "", ""},        // one too many
		{"+229016123450", "BJ", ""},       // and behind +
		{"0700000000", "BJ", ""},          // Côte d'Ivoire's
		{"+0161234501", "BJ", ""},         // no country begins with 0
		{"000000000000", "BJ", ""},        //
		{"2,29E+12", "BJ", ""},            // rounded
		{"2.29016E+12", "BJ", ""},         //
		{"٠١٦١٢٣٤٥٠١", "BJ", ""},          // other digits
		{"01 61 23 45 01 / 97", "BJ", ""}, // two numbers in one cell
		{"0161234501 (Ada)", "BJ", ""},
		{"61+234501", "BJ", ""},
	} {
		got, err := intram.ParseMSISDN(c.text, c.country)
		assert.Equal(t, c.want, got, "%q of %q: %v", c.text, c.country, err)
		if c.want != "" {
			assert.NoError(t, err, c.text)
			continue
		}
		require.ErrorIs(t, err, intram.ErrInvalidMSISDN, c.text)
		for _, digits := range strings.FieldsFunc(c.text, func(r rune) bool { return r < '0' || r > '9' }) {
			assert.False(t, len(digits) > 3 && strings.Contains(err.Error(), digits), "the error tells the number: %v", err)
		}
	}
}

func TestANumberWithoutItsZeroSaysWhoTookIt(t *testing.T) {
	t.Parallel()
	_, err := intram.ParseMSISDN("161234501", "BJ")
	require.ErrorIs(t, err, intram.ErrInvalidMSISDN)
	assert.Contains(t, err.Error(), "the 0 in front is missing: a spreadsheet took it for a number")
}

func TestAParsedNumberIsReadAsItself(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"2290161234501", "2250700000000", "22890123456", "33612345678"} {
		for _, form := range []string{"+" + number, "00" + number, "+ " + number} {
			got, err := intram.ParseMSISDN(form, "")
			require.NoError(t, err)
			assert.Equal(t, number, got)
		}
	}
}

func FuzzParseMSISDN(f *testing.F) {
	f.Add("+229 01 61 23 45 01", "BJ")
	f.Add("61234501", "BJ")
	f.Add("2,29E+12", "")
	f.Fuzz(func(t *testing.T, text, country string) {
		number, err := intram.ParseMSISDN(text, country)
		if err != nil {
			require.ErrorIs(t, err, intram.ErrInvalidMSISDN)
			require.Empty(t, number)
			return
		}
		require.Regexp(t, `^[1-9][0-9]{7,14}$`, number)
		again, err := intram.ParseMSISDN("+"+number, "")
		require.NoError(t, err)
		require.Equal(t, number, again)
		require.True(t, intram.SameWallet(number, "+"+number))
	})
}

func TestSameWallet(t *testing.T) {
	t.Parallel()
	assert.True(t, intram.SameWallet("22961234501", "2290161234501"))
	assert.True(t, intram.SameWallet("+2290161234501", "22961234501"))
	assert.True(t, intram.SameWallet("2250700000000", "+2250700000000"))
	assert.False(t, intram.SameWallet("2290161234501", "2290161234502"))
	assert.False(t, intram.SameWallet("22561234501", "2250161234501"), "the change was Benin's")
	assert.False(t, intram.SameWallet("2290161234501", "0161234501"))
}

// One form goes to both APIs, and each gets its own.
func TestBothAPIsTakeAParsedNumber(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	payin, err := server.PayinClient()
	require.NoError(t, err)
	sent := func() string {
		requests := server.Requests()
		return string(requests[len(requests)-1].Body)
	}
	for _, number := range []string{"2290161234501", "+2290161234501"} {
		_, err = server.Client().Payouts.Create(t.Context(), intram.PayoutParams{
			Amount: intram.NewAmount(1000), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: number},
		})
		require.NoError(t, err, number)
		assert.Contains(t, sent(), `"msisdn":"2290161234501"`)
		_, err = server.Client().PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
			Invoice:       intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
			PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, MSISDN: number},
		})
		require.NoError(t, err, number)
		assert.Contains(t, sent(), `"msisdn":"2290161234501"`)
		_, err = payin.CreateSession(t.Context(), intram.PayinSessionParams{
			Amount: intram.NewAmount(1000), MSISDN: number, CustomerName: "Ada Lovelace", Country: "BJ",
			SuccessURL: "https://shop.example/paid", FailureURL: "https://shop.example/failed",
		})
		require.NoError(t, err, number)
		assert.Contains(t, sent(), `"msisdn":"+2290161234501"`)
	}
}

// A wallet at an operator of another country is unknown.
func TestANumberOfAnotherCountryIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	for _, number := range []string{"61234567", "2250700000000", "+33612345678"} {
		_, err := server.Client().Payouts.Create(t.Context(), intram.PayoutParams{
			Amount: intram.NewAmount(1000), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: number},
		})
		assertRefused(t, err, "destination.msisdn", "calling code of its operator")
		_, err = server.Client().PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
			Invoice:       intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
			PaymentMethod: intram.PaymentMethod{Code: intram.MoovBenin, MSISDN: number},
		})
		assertRefused(t, err, "payment_method.msisdn", "calling code of its operator")
	}
	assert.Empty(t, server.Requests())
	// An operator whose code names no country is the API's to judge.
	_, err := server.Client().Payouts.Prepare(intram.PayoutParams{
		Amount: intram.NewAmount(1000), Destination: intram.MobileMoney{ProviderCode: "WAVE", MSISDN: "2250700000000"},
	})
	require.NoError(t, err)
}

func assertRefused(t *testing.T, err error, path, message string) {
	t.Helper()
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, intram.OutcomeNotSent, e.Outcome)
	require.Len(t, e.Details, 1)
	assert.Equal(t, path, e.Details[0].Path)
	assert.Contains(t, e.Details[0].Msg, message)
}

// What is nearly a number is none: the .0 of a spreadsheet does not make an eighth digit,
// and 00 behind + is no second prefix.
func TestNearlyANumberIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"6123456.0", "612345.00", "+0022961234501", "+00229 61 23 45 01", "0.0", ".0"} {
		_, err := intram.ParseMSISDN(text, "BJ")
		assert.ErrorIs(t, err, intram.ErrInvalidMSISDN, text)
	}
	number, err := intram.ParseMSISDN("61234501.0", "BJ")
	require.NoError(t, err)
	assert.Equal(t, "2290161234501", number)
}

// The end of an operator's code is a calling code of one to three digits; a year is none.
func TestAnOperatorThatEndsInAYearHasNoCallingCode(t *testing.T) {
	t.Parallel()
	client, _ := scripted(t, answer(202, accepted))
	_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
		Amount: intram.NewAmount(1), Destination: intram.MobileMoney{ProviderCode: "WALLET_2024", MSISDN: "22961234567"},
	})
	require.NoError(t, err)
}
