package batch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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

// Check looks at all lines together, before anything is sent. The problems are those of the file too, at most one a cell, in the order
// of the lines.
func Check(client *intram.Client, file File, rules Rules) []Problem {
	problems := slices.Clone(file.Problems)
	references, payments := map[string]int{}, map[string]int{}
	for _, line := range file.Lines {
		spoiled := map[string]bool{}
		maps.Copy(spoiled, line.spoiled)
		add := func(column, format string, args ...any) {
			if column != "" && spoiled[column] {
				return
			}
			p := Problem{Line: line.Number, Message: fmt.Sprintf(format, args...)}
			if column != "" {
				spoiled[column], p.Column = true, line.header(column)
			}
			problems = append(problems, p)
		}
		if m, ok := line.Params.Destination.(intram.MobileMoney); ok {
			switch {
			case m.ProviderCode == "":
				add("provider", "it is missing: without the operator's code the payout fails")
			case !slices.Contains(Providers, m.ProviderCode) && !slices.Contains(rules.AllowProviders, string(m.ProviderCode)):
				add("provider", "it is not a known operator (%s): if it is right, give --allow-provider with it", joinCodes(Providers))
			}
		}
		// What the SDK would refuse to send.
		if line.Params.Destination != nil {
			if _, err := client.Payouts.Prepare(line.Params); err != nil {
				refusedFields(err, add)
			}
		}
		if line.Params.Reference != "" {
			reference := sameReference(line.Params.Reference)
			if first, twice := references[reference]; twice {
				add("reference", "it is the one of line %d", first)
				continue
			}
			references[reference] = line.Number
		}
		payment := payment(line)
		if rules.AllowDuplicates || payment == "" {
			continue
		}
		if first, twice := payments[payment]; twice {
			add("", "the same amount goes to the same account as in line %d: if both are meant, give --allow-duplicates", first)
			continue
		}
		payments[payment] = line.Number
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return problems
}

// refusedFields gives the SDK's words on each field to add, by the column that it is.
func refusedFields(err error, add func(column, format string, args ...any)) {
	var call *intram.Error
	if !errors.As(err, &call) || len(call.Details) == 0 {
		add("", "the line cannot be sent")
		return
	}
	for _, d := range call.Details {
		name := strings.TrimPrefix(d.Path, "destination.")
		column := strings.TrimSuffix(name, "_code")
		message := strings.TrimPrefix(d.Msg, d.Path+" ")
		if !slices.Contains(Columns, column) {
			add("", "%s", d.Msg)
			continue
		}
		add(column, "it %s", message)
	}
}

// payment is what makes two lines one payment: the amount, however it is written, and the wallet or account, whatever the number's
// form. It is "" for a line that says too little.
func payment(line Line) string {
	amount := plainAmount(line.Params.Amount)
	switch d := line.Params.Destination.(type) {
	case intram.MobileMoney:
		if d.MSISDN == "" {
			return ""
		}
		number := d.MSISDN
		if wallet, err := intram.ParseMSISDN(number, ""); err == nil {
			number = wallet // Benin's two forms are one
		}
		return "mobile " + number + " " + amount
	case intram.BankAccount:
		return "bank " + d.AccountNumber + " " + amount
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

// CheckBalance compares what is left to send with the wallet: as a whole, and operator by operator where the API says what each has.
func CheckBalance(balance *intram.Balance, lines []Line) []Problem {
	var problems []Problem
	for _, line := range lines {
		if line.Params.Currency != "" && line.Params.Currency != balance.Currency {
			problems = append(problems, Problem{Line: line.Number, Column: line.header("currency"), Message: "it is not the wallet's"})
		}
	}
	for _, n := range Needs(balance, lines) {
		if n.Short.Sign() > 0 {
			problems = append(problems, Problem{Message: fmt.Sprintf("%s: %s %s to %s, and its wallet has %s available: short by %s",
				n.Operator, Count(n.Lines, "line", "lines"), comes(n.Lines), n.Total.Grouped(), n.Available.Grouped(), n.Short.Grouped())})
		}
	}
	if total := Total(lines); len(problems) == 0 && total.Cmp(balance.Available) > 0 {
		problems = append(problems, Problem{Message: fmt.Sprintf("the lines to send come to %s, and the wallet has %s available: short by %s",
			total.Grouped(), balance.Available.Grouped(), total.Sub(balance.Available).Grouped())})
	}
	return problems
}

func comes(lines int) string {
	if lines == 1 {
		return "comes"
	}
	return "come"
}

// Need is what the lines of one operator ask of its wallet.
type Need struct {
	// Operator is the provider's code, or "bank".
	Operator string `json:"operator"`
	Lines    int    `json:"lines"`
	// Available is unset when the balance does not name the operator.
	Total     intram.Amount `json:"total"`
	Available intram.Amount `json:"available,omitzero"`
	Short     intram.Amount `json:"short,omitzero"`
}

// Needs compares the lines with the balance by operator, in the order of the operators' codes.
func Needs(balance *intram.Balance, lines []Line) []Need {
	needs := map[string]*Need{}
	for _, line := range lines {
		operator := "bank"
		if m, ok := line.Params.Destination.(intram.MobileMoney); ok {
			operator = string(m.ProviderCode)
		}
		n := needs[operator]
		if n == nil {
			n = &Need{Operator: operator}
			needs[operator] = n
		}
		n.Lines++
		n.Total = n.Total.Add(line.Params.Amount)
	}
	var all []Need
	for _, operator := range slices.Sorted(maps.Keys(needs)) {
		n := needs[operator]
		for _, wallet := range balance.PaymentMethods {
			if !isWalletOf(wallet.PaymentMethod, operator) {
				continue
			}
			n.Available = n.Available.Add(wallet.Available)
		}
		if n.Available.IsSet() && n.Total.Cmp(n.Available) > 0 {
			n.Short = n.Total.Sub(n.Available)
		}
		all = append(all, *n)
	}
	return all
}

// walletNames are what the balance calls the wallets of the known operators (Merchant API docs, Balance).
var walletNames = map[intram.ProviderCode][]string{
	intram.MTNBenin:  {"mtn benin"},
	intram.MoovBenin: {"moov africa benin", "moov benin"},
	intram.SBINBenin: {"sbin benin", "celtiis", "celtiis benin"},
}

// isWalletOf reports whether a wallet of the balance, by its name or its code, is the operator's.
func isWalletOf(wallet, operator string) bool {
	return wallet == operator || slices.Contains(walletNames[intram.ProviderCode(operator)], plainWords(wallet))
}
