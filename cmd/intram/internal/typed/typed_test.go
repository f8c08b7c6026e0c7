package typed_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
)

func TestMSISDN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, country string
		operator      intram.ProviderCode
		want          string
	}{
		{"01 61 23 45 67", "", intram.MTNBenin, "2290161234567"},
		{"61234567", "", intram.MTNBenin, "2290161234567"},
		{"61234567", "BJ", "", "2290161234567"},
		{"22961234567", "", intram.MTNBenin, "22961234567"}, // as it was sent before, to the byte
		{"2290161234567", "", intram.MTNBenin, "2290161234567"},
		{"+22961234567", "", "", "2290161234567"},
		{"0700000000", "", "ORANGE_CI_225", "2250700000000"},
		// A country that the SDK has no plan of.
		{"024 123 4567", "GH", "", "233241234567"},
		{"024 123 4567", "", "MTN_GHANA_233", "233241234567"},
		{"0612345678", "FR", "", "33612345678"},
		{"12", "GH", "", ""},
		{"61234567", "", "WAVE", "2290161234567"},
		{"2,29E+12", "BJ", "", ""},
		{"0261234567", "BJ", "", ""}, // the exact rule is not loosened
		{"call me", "BJ", "", ""},
	} {
		got, err := typed.MSISDN(c.text, c.country, c.operator)
		assert.Equal(t, c.want, got, "%q %s %s: %v", c.text, c.country, c.operator, err)
		assert.Equal(t, c.want == "", err != nil)
	}
	_, err := typed.MSISDN("6123456", "", intram.MTNBenin)
	require.EqualError(t, err, "a number of Benin has 10 digits that begin with 01, or the 8 digits of before 2024-11-30")
}

func TestAmount(t *testing.T) {
	t.Parallel()
	amount, err := typed.Amount("25 000 FCFA", "")
	require.NoError(t, err)
	assert.Equal(t, "25000", amount.String())
	_, err = typed.Amount("25.000", "")
	require.EqualError(t, err, "25.000: 25 or 25000? write it without separators")
}
