// Package match tells whether an operation in a list is the one that a call may have
// made: it compares the call's body with what the operation says of itself. Two are the
// same only if something identifies them, and differ only where no server has a reason to
// write otherwise.
package match

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/intram/intram-go/internal/wire"
)

// Kind is a kind of call that makes an operation.
type Kind string

// The kinds, in the API's words.
const (
	Payout         Kind = "payout"
	Refund         Kind = "refund"
	PaymentRequest Kind = "payment_request"
)

// Sameness is the result of a comparison.
type Sameness int

// The results of a comparison.
const (
	Unknown Sameness = iota // not told, or told in another form: it may be the same
	Same
	Differs
)

// rules name what tells one call from another, with how each field is compared. Only what
// no server has a reason to write otherwise is a difference.
var rules = map[Kind][]rule{
	Payout: {
		{path: "reference", compare: sameText, identifies: true},
		{path: "amount", compare: sameNumber, needed: true},
		{path: "currency", compare: sameText},
		{path: "destination.type", compare: sameText},
		{path: "destination.msisdn", compare: sameAccount},
		{path: "destination.account_number", compare: sameAccount},
		{path: "metadata", compare: sameObject},
	},
	Refund: {
		{path: "transaction_reference", compare: sameTransaction, needed: true},
		{path: "amount", compare: sameNumber, needed: true, unsetIsAll: true},
		{path: "metadata", compare: sameObject, identifies: true},
	},
	PaymentRequest: {
		{path: "invoice.amount", compare: sameNumber, needed: true},
		{path: "invoice.currency", compare: sameText},
		{path: "webhook_data", compare: sameObject, identifies: true},
	},
}

type rule struct {
	path    string
	compare func(sent, told any) Sameness
	// identifies says that equal values name one call; needed, that a call is only
	// identified with it; unsetIsAll, that a call without it asks for all there is, which
	// a call that set it may not have.
	identifies, needed, unsetIsAll bool
}

// Compare compares a call's body with what an operation says of itself: its payload, and
// where that is silent, its result. It is the same only if something identifies it.
func Compare(kind Kind, sent, payload, result map[string]any) Sameness {
	identified, complete, doubtful := false, true, false
	for _, rule := range rules[kind] {
		value := wire.At(sent, rule.path)
		if value == nil {
			if rule.unsetIsAll && wire.At(payload, rule.path) != nil {
				complete = false
			}
			continue // not said by the caller: the server may have filled it in
		}
		told := wire.At(payload, rule.path)
		if told == nil {
			told = wire.At(result, rule.path)
		}
		s := Unknown
		if told != nil {
			s = rule.compare(value, told)
		}
		switch {
		case s == Differs && identified:
			doubtful = true // the reference is the stronger word: fees may be in the amount, an operator may write the number its way
		case s == Differs:
			return Differs
		case s == Same:
			identified = identified || rule.identifies
		case rule.needed:
			complete = false
		}
	}
	if identified && complete && !doubtful {
		return Same
	}
	return Unknown
}

// sameText compares words. A difference counts only between words that nothing on the way
// rewrites: normalised accents, escaped signs, trimmed spaces and changed case leave it
// open.
func sameText(sent, told any) Sameness {
	a, b := wire.TextOf(sent), wire.TextOf(told)
	switch {
	case a == "" || b == "":
		return Unknown
	case a == b:
		return Same
	case !isPlainWord(a) || !isPlainWord(b) || strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)):
		return Unknown
	}
	return Differs
}

func isPlainWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(" _-.:,/#", r) }) < 0
}

// sameNumber compares amounts, as a number or in a string, by their value.
func sameNumber(sent, told any) Sameness {
	a, ok := number(wire.TextOf(sent))
	b, ok2 := number(wire.TextOf(told))
	switch {
	case !ok || !ok2:
		return Unknown
	case a.Cmp(b) == 0:
		return Same
	}
	return Differs
}

// number reads a decimal number of a size that amounts have.
func number(text string) (*apd.Decimal, bool) {
	const longest = 64
	d, _, err := apd.NewFromString(text)
	return d, err == nil && len(text) <= longest && d.Form == apd.Finite && d.Exponent >= -longest && d.Exponent <= longest
}

// sameAccount compares phone and account numbers, which are written with and without
// spaces, +, country codes and the 01 that Benin put in front of its numbers. Their last
// eight signs stay.
func sameAccount(sent, told any) Sameness {
	const enough = 8
	a, b := accountOf(sent), accountOf(told)
	switch {
	case a == "" || b == "" || strings.IndexFunc(b, func(r rune) bool { return !isAlphanumeric(r) }) >= 0 || strings.Contains(b, "XX"):
		return Unknown // not told, or hidden in part
	case a == b:
		return Same
	case len(a) < enough || len(b) < enough || a[len(a)-enough:] == b[len(b)-enough:]:
		return Unknown
	}
	return Differs
}

func accountOf(value any) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", ".", "", "+", "", "(", "", ")", "").Replace(wire.TextOf(value)))
}

// sameTransaction compares the references of payments. One payment has two, of different
// lengths: the public one and an internal id.
func sameTransaction(sent, told any) Sameness {
	s := sameText(sent, told)
	if s == Differs && len(wire.TextOf(sent)) != len(wire.TextOf(told)) {
		return Unknown
	}
	return s
}

// sameObject compares the caller's own data, of which the server may have added to or
// rounded some.
func sameObject(sent, told any) Sameness {
	a, ok := sent.(map[string]any)
	b, ok2 := told.(map[string]any)
	if !ok || !ok2 || len(a) == 0 {
		return Unknown
	}
	result := Same
	for name, value := range a {
		switch sameValue(value, b[name]) {
		case Differs:
			return Differs
		case Unknown:
			result = Unknown
		}
	}
	return result
}

func sameValue(sent, told any) Sameness {
	switch a := sent.(type) {
	case map[string]any:
		if len(a) == 0 {
			break
		}
		return sameObject(a, told)
	case json.Number:
		if sameNumber(a, told) == Same {
			return Same
		}
		return Unknown // a server that counts in floats rounds it
	case string:
		if b, ok := told.(string); ok {
			if a == b {
				return Same
			}
			return sameText(a, b)
		}
		return Unknown
	}
	if a, err := json.Marshal(sent); err == nil {
		if b, err := json.Marshal(told); err == nil && bytes.Equal(a, b) {
			return Same
		}
	}
	return Unknown
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
