package batch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	intram "github.com/intram/intram-go"
)

// Providers lists the operators that lines may name without [Rules].AllowProviders.
var Providers = []intram.ProviderCode{intram.MTNBenin, intram.MoovBenin, intram.SBINBenin}

// Rules sets what lines are checked for beyond what every payout must satisfy.
type Rules struct {
	// AllowProviders lists operators that are allowed besides [Providers].
	AllowProviders []intram.ProviderCode
	// AllowDuplicates allows two lines of the same amount to the same account.
	AllowDuplicates bool
	// AllowKnownReferences allows references that earlier payouts have. [Run.Pay] then
	// does not check whether a run with another journal has paid a line.
	AllowKnownReferences bool
}

// Check checks all lines together, and sends nothing. It finds what the SDK would refuse
// to send, numbers and references that are used twice, unknown operators, and payments
// that look like duplicates: the same amount to the same account, or to the same wallet
// in either form of Benin's numbers. Each field has at most one problem. Problems are in
// the order of the lines.
func Check(client *intram.Client, lines []Line, rules Rules) []Problem {
	var problems []Problem
	numbers, references, payments := map[int]bool{}, map[string]int{}, map[string]int{}
	for _, line := range lines {
		found := map[string]bool{}
		add := func(field string, kind ProblemKind, format string, args ...any) {
			if field != "" && found[field] {
				return
			}
			found[field] = true
			problems = append(problems, Problem{Line: line.Number, Field: field, Kind: kind, Message: fmt.Sprintf(format, args...)})
		}
		if line.Number < 1 || numbers[line.Number] {
			add("", "", "invalid or repeated number: use each number from 1 once")
		}
		numbers[line.Number] = true
		if m, ok := destination(line.Params).(intram.MobileMoney); ok {
			switch {
			case m.ProviderCode == "":
				add("destination.provider_code", "", "missing: without the operator's code the payout fails")
			case !slices.Contains(Providers, m.ProviderCode) && !slices.Contains(rules.AllowProviders, m.ProviderCode):
				add("destination.provider_code", UnknownProvider, "not a known operator%s (%s)", near(m.ProviderCode), joinCodes(Providers))
			}
		}
		if line.Params.Reference == "" {
			add("reference", "", "missing: it tells one payout from another")
		}
		// Anything that the SDK would refuse to send.
		if _, err := client.Payouts.Prepare(line.Params); err != nil {
			refusedFields(err, add)
		}
		if line.Params.Reference != "" {
			reference := sameReference(line.Params.Reference)
			if first, twice := references[reference]; twice {
				add("reference", "", "the same as in line %d", first)
				continue
			}
			references[reference] = line.Number
		}
		payment := payment(line)
		if rules.AllowDuplicates || payment == "" {
			continue
		}
		if first, twice := payments[payment]; twice {
			add("", DuplicatePayment, "the same amount goes to the same account as in line %d", first)
			continue
		}
		payments[payment] = line.Number
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return problems
}

// refusedFields passes the SDK's message about each field to add.
func refusedFields(err error, add func(field string, kind ProblemKind, format string, args ...any)) {
	var call *intram.Error
	if !errors.As(err, &call) || len(call.Details) == 0 {
		add("", "", "the line cannot be sent: %v", err)
		return
	}
	for _, d := range call.Details {
		add(d.Path, "", "it %s", strings.TrimPrefix(d.Msg, d.Path+" "))
	}
}

// destination returns where a line pays to, as a value.
func destination(p intram.PayoutParams) intram.Destination {
	switch d := p.Destination.(type) {
	case *intram.MobileMoney:
		if d != nil {
			return *d
		}
	case *intram.BankAccount:
		if d != nil {
			return *d
		}
	}
	return p.Destination
}

// payment identifies a payment by its amount, in any notation, and its wallet or account,
// in any form of the number. It is "" for an incomplete line.
func payment(line Line) string {
	amount := plainAmount(line.Params.Amount)
	switch d := destination(line.Params).(type) {
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
		return "bank " + strings.ToUpper(strings.Join(strings.Fields(d.AccountNumber), "")) + " " + amount // an IBAN may be grouped
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

// Total returns the sum of the lines' amounts.
func Total(lines []Line) intram.Amount {
	var total intram.Amount
	for _, line := range lines {
		total = total.Add(line.Params.Amount)
	}
	return total
}

// CheckBalance compares lines that are still to be sent, such as [Run.Unsent], with a
// balance: as a whole, and per operator if the balance has a wallet for each.
func CheckBalance(balance *intram.Balance, lines []Line) []Problem {
	var problems []Problem
	for _, line := range lines {
		if line.Params.Currency != "" && line.Params.Currency != balance.Currency {
			problems = append(problems, Problem{Line: line.Number, Field: "currency", Message: "not the wallet's"})
		}
	}
	for _, n := range Needs(balance, lines) {
		if n.Short.Sign() > 0 {
			problems = append(problems, Problem{Message: fmt.Sprintf("%s: %s to %s, and its wallet has %s available: short by %s",
				n.Operator, countLines(n.Lines), n.Total.Grouped(), n.Available.Grouped(), n.Short.Grouped())})
		}
	}
	if total := Total(lines); len(problems) == 0 && total.Cmp(balance.Available) > 0 {
		problems = append(problems, Problem{Message: fmt.Sprintf("the lines to send come to %s, and the wallet has %s available: short by %s",
			total.Grouped(), balance.Available.Grouped(), total.Sub(balance.Available).Grouped())})
	}
	return problems
}

func countLines(n int) string {
	if n == 1 {
		return "1 line comes"
	}
	return fmt.Sprintf("%d lines come", n)
}

// Need is the money that the lines of one operator need in its wallet.
type Need struct {
	// Operator is the provider's code, or "bank".
	Operator string `json:"operator"`
	// Lines is how many lines pay through the operator, and Total is their sum.
	Lines int           `json:"lines"`
	Total intram.Amount `json:"total"`
	// Available is unset when the balance does not name the operator.
	Available intram.Amount `json:"available,omitzero"`
	// Short is what the wallet lacks, unset if nothing.
	Short intram.Amount `json:"short,omitzero"`
}

// Needs compares the lines with the balance per operator, sorted by the operators' codes.
func Needs(balance *intram.Balance, lines []Line) []Need {
	needs := map[string]*Need{}
	for _, line := range lines {
		operator := "bank"
		if m, ok := destination(line.Params).(intram.MobileMoney); ok {
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

// walletNames lists the balance's names for the wallets of the known operators (Merchant
// API docs, Balance).
var walletNames = map[intram.ProviderCode][]string{
	intram.MTNBenin:  {"mtn benin"},
	intram.MoovBenin: {"moov africa benin", "moov benin"},
	intram.SBINBenin: {"sbin benin", "celtiis", "celtiis benin"},
}

// near suggests the operator that a code may mean, such as MTN or mtn_benin_229.
func near(code intram.ProviderCode) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(withoutAccents(string(code)), "_", " "), " ")
	for _, operator := range Providers {
		for _, name := range walletNames[operator] {
			if known, _, _ := strings.Cut(name, " "); known == first {
				return fmt.Sprintf(", did you mean %s?", operator)
			}
		}
	}
	return ""
}

// isWalletOf reports whether a wallet of the balance, by its name or its code, belongs to
// the operator.
func isWalletOf(wallet, operator string) bool {
	return wallet == operator || slices.Contains(walletNames[intram.ProviderCode(operator)], withoutAccents(wallet))
}

// withoutAccents returns a wallet's name in lower case and without accents.
func withoutAccents(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(name)))
}
