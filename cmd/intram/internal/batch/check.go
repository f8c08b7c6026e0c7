package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
)

// Providers are the operators that a file may name without being asked about.
var Providers = []intram.ProviderCode{intram.MTNBenin, intram.MoovBenin, intram.SBINBenin}

// Rules are what a file is checked by beyond what every payout must be.
type Rules struct {
	// AllowProviders are operators that are taken besides the known ones.
	AllowProviders []string
	// AllowDuplicates takes two lines of the same amount to the same account.
	AllowDuplicates bool
}

// Check looks at all lines together, before anything is sent. The problems are in the order of the lines.
func Check(client *intram.Client, lines []Line, rules Rules) []Problem {
	var problems []Problem
	references, payments := map[string]int{}, map[string]int{}
	for _, line := range lines {
		add := func(format string, args ...any) {
			problems = append(problems, Problem{line.Number, fmt.Sprintf(format, args...)})
		}
		// What the SDK would refuse to send.
		if line.Params.Destination != nil {
			if _, err := client.Payouts.Prepare(line.Params); err != nil {
				for _, message := range fieldMessages(err) {
					add("%s", message)
				}
			}
		}
		if m, ok := line.Params.Destination.(intram.MobileMoney); ok {
			switch {
			case m.ProviderCode == "":
				add("provider is missing: without the operator's code the payout fails")
			case !slices.Contains(Providers, m.ProviderCode) && !slices.Contains(rules.AllowProviders, string(m.ProviderCode)):
				add("provider is not a known operator (%s): if it is right, give --allow-provider with it", joinCodes(Providers))
			case strings.HasSuffix(string(m.ProviderCode), "_229") && !strings.HasPrefix(m.MSISDN, "229"):
				add("provider is an operator of Benin, and msisdn does not begin with 229")
			}
		}
		if line.Params.Reference != "" {
			reference := sameReference(line.Params.Reference)
			if first, twice := references[reference]; twice {
				add("reference is the one of line %d", first)
				continue
			}
			references[reference] = line.Number
		}
		if rules.AllowDuplicates || line.Params.Destination == nil {
			continue
		}
		payment := destination(line.Params.Destination) + " " + line.Params.Amount.String()
		if first, twice := payments[payment]; twice {
			add("the same amount goes to the same account as in line %d: if both are meant, give --allow-duplicates", first)
			continue
		}
		payments[payment] = line.Number
	}
	return problems
}

// fieldMessages are the SDK's words on each field.
func fieldMessages(err error) []string {
	var call *intram.Error
	if !errors.As(err, &call) || len(call.Details) == 0 {
		return []string{"the line cannot be sent"}
	}
	messages := make([]string, len(call.Details))
	for i, d := range call.Details {
		messages[i] = strings.ReplaceAll(d.Msg, "destination.", "")
	}
	return messages
}

func destination(d intram.Destination) string {
	switch d := d.(type) {
	case intram.MobileMoney:
		return "mobile " + d.MSISDN
	case intram.BankAccount:
		return "bank " + d.AccountNumber
	default:
		return ""
	}
}

func joinCodes(codes []intram.ProviderCode) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

// Total is what the lines come to.
func Total(lines []Line) intram.Amount {
	var total intram.Amount
	for _, line := range lines {
		total = total.Add(line.Params.Amount)
	}
	return total
}

// CheckBalance compares what is left to send with the wallet.
func CheckBalance(balance *intram.Balance, lines []Line) []Problem {
	var problems []Problem
	for _, line := range lines {
		if line.Params.Currency != "" && line.Params.Currency != balance.Currency {
			problems = append(problems, Problem{line.Number, "currency is not the wallet's"})
		}
	}
	if total := Total(lines); total.Cmp(balance.Available) > 0 {
		problems = append(problems, Problem{0, fmt.Sprintf("the lines to send come to %s, and the wallet has %s available", total, balance.Available)})
	}
	return problems
}
