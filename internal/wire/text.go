package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sharedWords are words of the docs, as JSON writes them. A response that has one shares
// it, instead of allocating it again; a word that is missing here is read like any other.
var sharedWords = quoted("sandbox", "live", "XOF", "payout", "payment_request", "refund", "transfer",
	"queued", "processing", "succeeded", "failed", "expired", "PENDING", "SUCCESS", "ERROR", "REFUNDED", "CREDIT", "DEBIT", "REFUND",
	"payout.completed", "payout.failed", "payment_request.paid", "payment_request.failed", "refund.completed", "completed", "paid",
	"MTN_BENIN_229", "MOOV_AFRICA_BENIN_229", "SBIN_BENIN_229")

func quoted(words ...string) map[string]string {
	known := make(map[string]string, len(words))
	for _, w := range words {
		known[`"`+w+`"`] = w
	}
	return known
}

// Word is a string that is acted on, most often one of those the docs list: another kind
// of value is an error.
type Word string

// UnmarshalJSON reads a string.
func (w *Word) UnmarshalJSON(data []byte) error {
	if err := UnmarshalString(data, (*string)(w)); err != nil {
		return fmt.Errorf("a word that is not a string: %w", err)
	}
	return nil
}

// UnmarshalWord reads one of the words that are known in any case, and any other string
// as it is.
func UnmarshalWord[S ~string](data []byte, s *S, known ...S) error {
	var w Word
	if err := w.UnmarshalJSON(data); err != nil {
		return err
	}
	*s = S(w)
	for _, k := range known {
		if EqualFold(*s, k) {
			*s = k
		}
	}
	return nil
}

// EqualFold compares words without their case.
func EqualFold[S ~string](a, b S) bool { return strings.EqualFold(string(a), string(b)) }

// ID is an id or a reference that is acted on: another kind of value than a string is an
// error.
type ID string

// UnmarshalJSON reads a string.
func (id *ID) UnmarshalJSON(data []byte) error {
	if err := UnmarshalString(data, (*string)(id)); err != nil {
		return fmt.Errorf("an id that is not a string: %w", err)
	}
	return nil
}

// Text is a string that describes. A number or a boolean is taken as it is written, and
// any other kind of value is no text.
type Text string

// UnmarshalJSON reads a value of any kind.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = ""
	switch FirstByte(data) {
	case '"':
		_ = UnmarshalString(data, (*string)(t)) // a string is one
	case '{', '[', 'n', 0:
	default:
		*t = Text(bytes.TrimSpace(data))
	}
	return nil
}

// Count is a whole number that describes, also one in a string. Any other value is 0.
type Count int

// UnmarshalJSON reads a value of any kind.
func (c *Count) UnmarshalJSON(data []byte) error {
	var t Text
	_ = t.UnmarshalJSON(data) // reads everything
	n, err := strconv.Atoi(string(t))
	if err != nil {
		n = 0
	}
	*c = Count(n)
	return nil
}

// Flag is a boolean that describes, also one in a string or a number. Any other value is
// false.
type Flag bool

// UnmarshalJSON reads a value of any kind.
func (b *Flag) UnmarshalJSON(data []byte) error {
	var t Text
	_ = t.UnmarshalJSON(data) // reads everything
	is, err := strconv.ParseBool(string(t))
	*b = Flag(err == nil && is)
	return nil
}

// Status is an HTTP status in a body: a number, or a number in quotes. Any other value is
// 0, as if it were not there.
type Status int

// UnmarshalJSON reads a value of any kind.
func (n *Status) UnmarshalJSON(data []byte) error {
	if i, err := strconv.Atoi(strings.Trim(string(data), `"`)); err == nil {
		*n = Status(i)
	}
	return nil
}

// Verdict is the envelope's error, which is acted on: another kind of value than a
// boolean is an error. The zero value is a field that is absent.
type Verdict int8

// What an envelope says.
const (
	SaysSuccess Verdict = iota + 1
	SaysFailure
)

// UnmarshalJSON reads the flag. null is as good as absent.
func (v *Verdict) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "false":
		*v = SaysSuccess
	case "true":
		*v = SaysFailure
	case "null":
		*v = 0
	default:
		return errors.New("the field error is not a boolean")
	}
	return nil
}

// UnmarshalString is [json.Unmarshal] into a string. What needs no unescaping is taken as
// it stands.
func UnmarshalString(data []byte, s *string) error {
	if text, plain := String(data); plain {
		*s = text
		return nil
	}
	return json.Unmarshal(data, s)
}

// String returns a string of JSON that needs no unescaping, and whether it is one.
func String(data []byte) (text string, plain bool) {
	if known, ok := sharedWords[string(data)]; ok {
		return known, true
	}
	n := len(data)
	if n < 2 || data[0] != '"' || data[n-1] != '"' || !isPlain(data[1:n-1]) {
		return "", false
	}
	return string(data[1 : n-1]), true
}

// isPlain reports whether text in JSON stands for itself.
func isPlain(text []byte) bool {
	ascii := true
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(text)
}
