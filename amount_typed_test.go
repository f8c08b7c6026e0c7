package intram_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

func TestParseTypedAmountReadsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"25000", "25000"}, {" 25000 ", "25000"}, {"0", "0"},
		{"25 000", "25000"}, {"25\u202f000", "25000"}, {"25\u00a0000", "25000"}, {"25\u2009000", "25000"}, {"1 250 000", "1250000"},
		{"25'000", "25000"}, {"25’000", "25000"}, {"'25000", "25000"}, {"\ufeff25\u200b000", "25000"},
		{"25 000 FCFA", "25000"}, {"25000 F CFA", "25000"}, {"25000F\u00a0CFA", "25000"}, {"25000 xof", "25000"}, {"25000 F", "25000"}, {"25000CFA", "25000"},
		{"25000,00", "25000.00"}, {"25000.0", "25000.0"}, {"25 000,00", "25000.00"}, {"25 000,00 FCFA", "25000.00"},
		{"25000.000", "25000.000"}, {"0.250", "0.250"}, {"25,5", "25.5"}, {"25.0000", "25.0000"},
		{"1.250.000", "1250000"}, {"1,250,000", "1250000"}, {"1.250,00", "1250.00"}, {"1,250.00", "1250.00"}, {"1.250.000,50", "1250000.50"},
		{"2.5E+04", "25000"}, {"2.500E+04", "25000"},
	} {
		got, err := intram.ParseTypedAmount(c.text, intram.XOF)
		require.NoError(t, err, "%q", c.text)
		assert.Equal(t, c.want, got.String(), "%q", c.text)
	}
}

// One reading pays a thousandth of the other.
func TestParseTypedAmountDoesNotGuessAtThousands(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"25.000":       "25.000: 25 or 25000? write it without separators",
		"25,000":       "25,000: 25 or 25000? write it without separators",
		"1.250":        "1.250: 1.25 or 1250? write it without separators",
		"180.000 FCFA": "180.000: 180 or 180000? write it without separators",
		"1.250,000":    "1.250,000: 1250 or 1250000? write it without separators",
	} {
		amount, err := intram.ParseTypedAmount(text, "")
		require.ErrorIs(t, err, intram.ErrAmbiguousAmount, text)
		assert.EqualError(t, err, "intram: amount: "+message)
		assert.False(t, amount.IsSet())
	}
}

func TestParseTypedAmountRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "-", "FCFA", "abc", "25 00", "2 5000", "25 0000", "1.25.000", "1.250.00", "1.2,3.4", "25.", ",5", "1,2,3", "25000 EUR",
		"-25000", "+25000", "0123", "00", "25e", "25e99", "1 2E+04", "0x10", "NaN", "٢٥٠٠٠", "25000 FCFA ttc", "Ada Lovelace",
		"1 250.000.000", "1'250 00", "25,000.000,00", "25..000", ".25.000", "25,,000", "1..250,00", strings.Repeat("9", 65),
		"500\n250", "500\r\n250", "500\t250", "500\u2028250", "1\u0085250 000",
	} {
		amount, err := intram.ParseTypedAmount(text, intram.XOF)
		require.Error(t, err, "%q was read as %s", text, amount)
		require.NotErrorIs(t, err, intram.ErrAmbiguousAmount, text)
		assert.False(t, amount.IsSet(), text)
		if strings.ContainsAny(text, "LF") {
			assert.NotContains(t, err.Error(), text, "the error repeats what stood there")
		}
	}
	// Another currency than the one that is expected is another amount.
	for _, text := range []string{"25000 XOF", "25000 FCFA", "25000 F"} {
		_, err := intram.ParseTypedAmount(text, "EUR")
		require.Error(t, err, text)
	}
	amount, err := intram.ParseTypedAmount("25,50 EUR", "EUR")
	require.NoError(t, err)
	assert.Equal(t, "25.50", amount.String())
}

// What is wrong is named, so that the person who typed it can correct it.
func TestParseTypedAmountSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const (
		negative = "negative: an amount is above zero"
		currency = "in another currency: write the amount in XOF, without a currency"
		rounded  = "rounded by a spreadsheet, and its last digits may be lost: format the column as a number without decimals and enter it again"
		none     = `not an amount: write digits, such as "25000" or "25 000"`
	)
	for text, want := range map[string]string{
		"-5": negative, "- 25 000": negative, "\u22125": negative, "(5 000)": negative, "-5 FCFA": negative, "-": none, "--5": none, "()": none,
		"25000 EUR": currency, "25000eur": currency, "25 000 €": currency, "€25000": currency, "USD 25,50": currency, "$5": currency, "250 euros": currency,
		"25000 kg": none, "XOF 25000": none, "25e": none, "EUR": none, "Euro 25 personnes": none, "€": none,
		"2,54E+04": rounded, "2,5E+04": rounded, "2,5e4": rounded, "1,2,3E+04": none,
	} {
		amount, err := intram.ParseTypedAmount(text, "")
		require.Error(t, err, text)
		if want != none || text == "-" {
			require.EqualError(t, err, "intram: amount: "+want, "%q", text)
		}
		require.NotContains(t, err.Error(), "Euro 25")
		assert.False(t, amount.IsSet())
	}
	_, err := intram.ParseTypedAmount("25000 FCFA", "EUR")
	require.EqualError(t, err, "intram: amount: in another currency: write the amount in EUR, without a currency")
}

func FuzzParseTypedAmount(f *testing.F) {
	for _, text := range []string{"25 000 FCFA", "25.000", "1.250,00", "2,5E+04", "'25000", "0.250"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := intram.ParseTypedAmount(text, intram.XOF)
		if err != nil {
			require.False(t, amount.IsSet())
			return
		}
		// What a program reads, a person's reading agrees with or refuses.
		if exact, err := intram.ParseAmount(text); err == nil {
			require.True(t, amount.Equal(exact), "%q is %s typed, and %s exact", text, amount, exact)
		}
		// What is shown is what was read, whatever it looked like.
		again, err := intram.ParseTypedAmount(amount.Grouped(), intram.XOF)
		if err == nil {
			require.True(t, amount.Equal(again), "%q is shown as %s", text, amount.Grouped())
		} else {
			require.Contains(t, amount.Grouped(), ".")
		}
	})
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "7": "7", "999": "999", "1000": "1 000", "205000.00": "205 000", "1250000": "1 250 000", "2.5E+04": "25 000",
		"-1234.50": "-1 234.5", "1e3": "1 000",
	} {
		a, err := intram.ParseAmount(text)
		require.NoError(t, err)
		assert.Equal(t, want, a.Grouped(), text)
	}
	assert.Equal(t, "0", intram.Amount{}.Grouped())
	_, err := intram.ParseAmount("x")
	require.Error(t, err)
}

// People call both CFA francs FCFA. Only their codes tell them apart.
func TestAmountsOfCameroonAreTypedAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"25 000 FCFA", "25000 XAF", "25 000 F CFA", "25000"} {
		a, err := intram.ParseTypedAmount(text, intram.XAF)
		require.NoError(t, err, text)
		assert.Equal(t, "25000", a.String(), text)
	}
	_, err := intram.ParseTypedAmount("25000 XOF", intram.XAF)
	require.Error(t, err)
	_, err = intram.ParseTypedAmount("25000 XAF", intram.XOF)
	require.Error(t, err)
}
