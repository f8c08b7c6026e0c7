package dashboard

import (
	"strings"
	"unicode"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
	"github.com/intram/intram-go/internal/mockapi"
)

const (
	// shortest is how many digits the end of a number has at least.
	shortest = 2
	// ends is how many digits of a number are shown.
	ends = 4
	// foundOfAKind is how many of a kind the search shows.
	foundOfAKind = 10
)

// seek is what a person looks for, in each of its readings.
type seek struct {
	text   string // part of a reference, an id or a key, in lower case
	digits string // the end of a number
	amount intram.Amount
}

func seekOf(q string) seek {
	q = strings.TrimLeft(strings.TrimSpace(q), "• ") // the end of a number as the pages show it
	s := seek{text: strings.ToLower(q)}
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("+.-/()", r) {
			return -1
		}
		return r
	}, q)
	if len(digits) >= shortest && strings.Trim(digits, "0123456789") == "" {
		s.digits = digits
	}
	if amount, err := typed.Amount(q, intram.XOF); err == nil {
		s.amount = amount
	}
	return s
}

func (s seek) finds(i item) bool {
	if s.text == "" {
		return true
	}
	for _, word := range i.words {
		if strings.Contains(strings.ToLower(word), s.text) {
			return true
		}
	}
	number := strings.TrimPrefix(i.number, "+")
	return s.digits != "" && number != "" && (strings.HasSuffix(number, s.digits) || intram.SameWallet(number, s.digits)) ||
		s.amount.IsSet() && i.amount != 0 && s.amount.Equal(intram.NewAmount(i.amount))
}

// end is what is shown of a wallet's number or an account's.
func end(number string) string {
	if number == "" {
		return ""
	}
	return "•••• " + number[max(len(number)-ends, 0):]
}

// searchView is what was found of each kind.
type searchView struct {
	Q            string
	Operations   found[operationRow]
	Transactions found[transactionRow]
	Payins       found[mockapi.Payin]
	Requests     found[requestRow]
	Deliveries   found[deliveryRow]
}

// found is the newest of a kind that was found, and how many there are in all.
type found[T any] struct {
	Items []T
	Total int
}

// Any reports whether anything was found.
func (v searchView) Any() bool {
	return v.Operations.Total+v.Transactions.Total+v.Payins.Total+v.Requests.Total+v.Deliveries.Total > 0
}

func find[T any](s seek, all []T, describe func(T) item) found[T] {
	var f found[T]
	for _, one := range all {
		if !s.finds(describe(one)) {
			continue
		}
		if f.Total++; len(f.Items) < foundOfAKind {
			f.Items = append(f.Items, one)
		}
	}
	return f
}

func (d *Dashboard) search(p *page) (any, bool) {
	v := searchView{Q: strings.TrimSpace(p.Query())}
	if v.Q == "" {
		return v, true
	}
	s := seekOf(v.Q)
	v.Operations = find(s, d.operationRows(p.Env), operationRow.item)
	v.Transactions = find(s, d.transactionRows(p.Env), transactionRow.item)
	v.Payins = find(s, d.payins(p.Env), payinItem)
	v.Requests = find(s, d.requestRows(p.Env, true), requestRow.item)
	v.Deliveries = find(s, d.deliveryRows(p.Env), deliveryRow.item)
	return v, true
}
