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
