package typed_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/typed"
)

func TestAmountIsOneReadingOrNone(t *testing.T) {
	t.Parallel()
	got, err := typed.Amount("25 000,50 F CFA", "XOF")
	require.NoError(t, err)
	assert.Equal(t, "25000.50", got)
	got, err = typed.Amount("2.5E+04", "XOF")
	require.NoError(t, err)
	assert.Equal(t, "2.5E+04", got)
	_, err = typed.Amount("25.000", "XOF")
	var ambiguous *typed.AmbiguousError
	require.ErrorAs(t, err, &ambiguous)
	for _, text := range []string{"", "2,5E+04", "-5", "25 00", "012", "25000 EUR", "e5x"} {
		_, err := typed.Amount(text, "XOF")
		require.Error(t, err, "%q", text)
		assert.NotErrorAs(t, err, &ambiguous, "%q", text)
	}
}

func TestMSISDNHasItsCallingCode(t *testing.T) {
	t.Parallel()
	got, err := typed.MSISDN("01 61 23 45 67", "BJ")
	require.NoError(t, err)
	assert.Equal(t, "2290161234567", got)
	assert.Equal(t, typed.Wallet(got), typed.Wallet("+22961234567"))
	_, err = typed.MSISDN("01 61 23", "BJ")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "23")
}
