package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	intram "github.com/intram/intram-go"
)

// bind computes the binding of a journal for these lines.
func bind(client *intram.Client, lines []Line) Binding {
	keys, numbered := identify(lines)
	return Binding{
		Version: versionLines, SHA256: numbered, Keys: keys,
		Environment: client.Environment(), PublicKey: client.PublicKey(), Account: client.Account(),
	}
}

// identify hashes the lines twice: in any order, and with their numbers. The idempotency
// keys are derived from the first hash, so that the same lines in another order, or with
// other numbers, ask for the same payouts. The journal identifies lines by their numbers.
func identify(lines []Line) (keys, numbered string) {
	payouts := make([]string, len(lines))
	all := sha256.New()
	for i, line := range lines {
		payouts[i] = canonical(line.Params)
		number, _ := json.Marshal(line.Number) //nolint:errchkjson // a number
		_, _ = all.Write(slices.Concat(number, []byte(" "), []byte(payouts[i]), []byte("\n")))
	}
	slices.Sort(payouts)
	sum := sha256.Sum256([]byte(strings.Join(payouts, "\n")))
	return hex.EncodeToString(sum[:]), hex.EncodeToString(all.Sum(nil))
}

// match compares the binding that a journal was begun with to that of a run. fileSHA256
// is what version 1 was bound to, "" if unknown.
func (b Binding) match(found Binding, fileSHA256 string) error {
	content := b.SHA256
	if found.Version == versionBytes {
		content = fileSHA256
	}
	switch {
	case found.Version != versionBytes && found.Version != versionLines:
		return fmt.Errorf("%w: it has format %d, of another version of package batch: use that version", ErrOtherBatch, found.Version)
	case found.Environment != b.Environment:
		return fmt.Errorf("%w: it was begun in the %s environment, and the client's keys are %s: use keys of its environment", ErrOtherBatch, found.Environment, b.Environment)
	case found.Account != "" && b.Account != "" && found.Account != b.Account:
		return fmt.Errorf("%w: it was begun with credentials of another Account: use those", ErrOtherBatch)
	case found.PublicKey != b.PublicKey && (found.Account == "" || b.Account == ""):
		return fmt.Errorf("%w: it was begun with another public key: use that one", ErrOtherBatch)
	case content == "" || found.SHA256 != content:
		return fmt.Errorf("%w: the lines have changed since it was begun: restore them; a new batch needs a journal of its own, "+
			"and lines that failed go into a new batch, with new references", ErrOtherBatch)
	}
	return nil
}

// key derives the idempotency key of a line from the lines of the batch and the line's
// reference. A batch whose journal was lost, and that is run again within a day, is still
// the same payouts to the API. generation counts the intents that are proved to have made
// no payout.
func (b Binding) key(reference string, generation int) (string, error) {
	if b.Version == versionBytes {
		return intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch %s %d", b.SHA256, generation), reference)
	}
	return intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch lines %s %d", b.Keys, generation), sameReference(reference))
}

// canonical returns the text that a line is hashed as. It is part of the stored format:
// another text for the same line is another key, and a second payout.
func canonical(p intram.PayoutParams) string {
	words := []string{sameReference(p.Reference), plainAmount(p.Amount), string(p.Currency), p.Note}
	switch d := destination(p).(type) {
	case intram.MobileMoney:
		words = append(words, "mobile", string(d.ProviderCode), d.MSISDN, d.CountryCode, d.AccountName, d.AccountSurname)
	case intram.BankAccount:
		words = append(words, "bank", d.AccountNumber, d.SWIFT, d.AccountName, d.AccountSurname)
	}
	for _, more := range []struct {
		name   string
		values map[string]any
	}{{"metadata", p.Metadata}, {"extra", p.Extra}} {
		if len(more.values) > 0 {
			values, _ := json.Marshal(more.values) //nolint:errchkjson // what cannot be sent is found by Check
			words = append(words, more.name, string(values))
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(words) //nolint:errchkjson // strings
	return strings.TrimSuffix(b.String(), "\n")
}

// plainAmount returns 25000 for both 25000 and 25000.00.
func plainAmount(a intram.Amount) string {
	text := a.String()
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// sameReference returns a reference in the form in which references are compared. One
// program writes "é" as one character, another as "e" with an accent. References are sent
// as they were given.
func sameReference(reference string) string { return norm.NFC.String(reference) }
