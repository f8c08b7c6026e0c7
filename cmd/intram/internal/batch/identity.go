package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	intram "github.com/intram/intram-go"
)

// Identity says which payouts a file asks for. Its idempotency keys follow from it, and its journal belongs to it.
type Identity struct {
	// Keys is a hash of the lines as they were read, in whatever order: what keys follow from. A copy of the file with other
	// line breaks, another separator or sorted otherwise asks for the same payouts, so both must make the same keys.
	Keys string
	// Lines is a hash of the lines with their numbers, which is how the journal names them.
	Lines string
	// File is the hash of the file's bytes, to which version 0.1.0 bound its journals and keys.
	File string
}

// Identify computes the identity of a file and of the lines that [Read] found in it.
func Identify(data []byte, lines []Line) Identity {
	payouts := make([]string, len(lines))
	numbered := sha256.New()
	for i, line := range lines {
		payouts[i] = canonical(line.Params)
		number, _ := json.Marshal(line.Number) //nolint:errchkjson // a number
		_, _ = numbered.Write(slices.Concat(number, []byte(" "), []byte(payouts[i]), []byte("\n")))
	}
	slices.Sort(payouts)
	keys := sha256.Sum256([]byte(strings.Join(payouts, "\n")))
	file := sha256.Sum256(data)
	return Identity{
		Keys: hex.EncodeToString(keys[:]), Lines: hex.EncodeToString(numbered.Sum(nil)), File: hex.EncodeToString(file[:]),
	}
}

// canonical writes what a line asks for. It is part of the stored format: another text for the same line is another key, and a
// second payout.
func canonical(p intram.PayoutParams) string {
	words := []string{sameReference(p.Reference), plainAmount(p.Amount), string(p.Currency), p.Note}
	switch d := p.Destination.(type) {
	case intram.MobileMoney:
		words = append(words, "mobile", string(d.ProviderCode), d.MSISDN, d.CountryCode, d.AccountName, d.AccountSurname)
	case intram.BankAccount:
		words = append(words, "bank", d.AccountNumber, d.SWIFT, d.AccountName, d.AccountSurname)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(words) //nolint:errchkjson // strings
	return strings.TrimSuffix(b.String(), "\n")
}

// plainAmount writes 25000 and 25000.00 as the one amount that they are.
func plainAmount(a intram.Amount) string {
	text := a.String()
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// sameReference is a reference in the form in which references are compared. "é" is one character in a file of one program, and
// "e" with an accent in that of another; they are sent as they were written.
func sameReference(reference string) string { return norm.NFC.String(reference) }
