package serve

import (
	"fmt"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
	"github.com/intram/intram-go/internal/mockapi"
)

// openingBalance is the first balance of a mobile-money wallet, unless --balance says
// otherwise.
const openingBalance = 1_000_000

// openingBalances are the wallets of a new state, in both environments: --balance AMOUNT
// for each wallet of mobile money, and --balance OPERATOR=AMOUNT for one. The operator is
// a payment method's code, or its first word: MTN for MTN_BENIN_229.
func (o options) openingBalances() (map[string]map[string]int64, error) {
	wallets := map[string]int64{}
	set := func(units int64) {
		for _, m := range mockapi.Methods() {
			if m.Mobile {
				wallets[m.Code] = units
			}
		}
	}
	set(openingBalance)
	for _, flag := range o.balances {
		operator, text, named := strings.Cut(flag, "=")
		if !named {
			text = flag
		}
		amount, err := typed.Amount(text, intram.XOF)
		if err != nil {
			return nil, fmt.Errorf("--balance: %w", err)
		}
		units, whole := amount.Int64()
		if !whole || units < 0 {
			return nil, fmt.Errorf("--balance: %q, want whole units, as in 500000 or MTN=500000", text)
		}
		if !named {
			set(units)
			continue
		}
		code, err := methodCode(operator)
		if err != nil {
			return nil, err
		}
		wallets[code] = units
	}
	return map[string]map[string]int64{"sandbox": wallets, "live": wallets}, nil
}

func methodCode(operator string) (string, error) {
	var known []string
	for _, m := range mockapi.Methods() {
		first, _, _ := strings.Cut(m.Code, "_")
		if strings.EqualFold(operator, m.Code) || strings.EqualFold(operator, first) {
			return m.Code, nil
		}
		known = append(known, m.Code)
	}
	return "", fmt.Errorf("--balance: unknown operator %q, want one of %s", operator, strings.Join(known, ", "))
}
