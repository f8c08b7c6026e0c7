package intram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// word is a string of an answer that is most often one of those the docs list. Those are shared, and not made anew for each answer.
type word string

// knownWords has the docs' words as JSON writes them.
var knownWords = quoted(
	string(Sandbox), string(Live), string(XOF),
	string(OperationPayout), string(OperationPaymentRequest), string(OperationRefund), string(OperationTransfer),
	string(OperationQueued), string(OperationProcessing), string(OperationSucceeded), string(OperationFailed), string(OperationExpired),
	string(TransactionPending), string(TransactionSuccess), string(TransactionError), string(TransactionRefunded),
	string(TransactionCredit), string(TransactionDebit), string(TransactionRefund),
	string(MTNBenin), string(MoovBenin), string(SBINBenin),
)

func quoted(words ...string) map[string]string {
	known := make(map[string]string, len(words))
	for _, w := range words {
		known[`"`+w+`"`] = w
	}
	return known
}

// UnmarshalJSON reads a string. A word is acted on: another kind of value is an error.
func (w *word) UnmarshalJSON(data []byte) error {
	if known, ok := knownWords[string(data)]; ok {
		*w = word(known)
		return nil
	}
	if err := unmarshalString(data, (*string)(w)); err != nil {
		return fmt.Errorf("a word that is not a string: %w", err)
	}
	return nil
}

// ident is an id or a reference that is acted on: another kind of value than a string is an error.
type ident string

// UnmarshalJSON reads a string.
func (id *ident) UnmarshalJSON(data []byte) error {
	if err := unmarshalString(data, (*string)(id)); err != nil {
		return fmt.Errorf("an id that is not a string: %w", err)
	}
	return nil
}

// usableID reports whether an id that the API gave can be one, and become a segment of a path.
func usableID(id string) bool {
	var v validation
	v.pathID("id", id)
	return len(v.fields) == 0
}

// text is a string that describes. A number or a boolean is taken as it is written, and any other kind of value is no text: it
// must not make a payment unreadable.
type text string

// UnmarshalJSON reads a value of any kind.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = ""
	switch firstByte(data) {
	case '"':
		if known, ok := knownWords[string(data)]; ok {
			*t = text(known)
			return nil
		}
		_ = unmarshalString(data, (*string)(t)) // a string is one
	case '{', '[', 'n', 0:
	default:
		*t = text(bytes.TrimSpace(data))
	}
	return nil
}

// count is a whole number that describes, also one in a string. Any other value is 0.
type count int

// UnmarshalJSON reads a value of any kind.
func (c *count) UnmarshalJSON(data []byte) error {
	var t text
	_ = t.UnmarshalJSON(data) // reads everything
	n, err := strconv.Atoi(string(t))
	if err != nil {
		n = 0
	}
	*c = count(n)
	return nil
}

// flag is a boolean that describes, also one in a string or a number. Any other value is false.
type flag bool

// UnmarshalJSON reads a value of any kind.
func (b *flag) UnmarshalJSON(data []byte) error {
	var t text
	_ = t.UnmarshalJSON(data) // reads everything
	is, err := strconv.ParseBool(string(t))
	*b = flag(err == nil && is)
	return nil
}

// verdictFlag is the envelope's error, which is acted on: another kind of value than a boolean is an error. The zero
// value is a field that is absent.
type verdictFlag int8

const (
	saysSuccess verdictFlag = iota + 1
	saysFailure
)

// UnmarshalJSON reads the flag. null is as good as absent.
func (v *verdictFlag) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "false":
		*v = saysSuccess
	case "true":
		*v = saysFailure
	case "null":
		*v = 0
	default:
		return errors.New("the field error is not a boolean")
	}
	return nil
}

// unmarshalString is json.Unmarshal into a string. What needs no unescaping is taken as it stands.
func unmarshalString(data []byte, s *string) error {
	if n := len(data); n >= 2 && data[0] == '"' && data[n-1] == '"' && isPlain(data[1:n-1]) {
		*s = string(data[1 : n-1])
		return nil
	}
	return json.Unmarshal(data, s)
}

// isPlain reports whether text in JSON stands for itself.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// unmarshalWord reads one of the words that are known in any case, and any other string as it is.
func unmarshalWord[S ~string](data []byte, s *S, known ...S) error {
	var w word
	if err := w.UnmarshalJSON(data); err != nil {
		return err
	}
	*s = S(w)
	for _, k := range known {
		if foldedEqual(*s, k) {
			*s = k
		}
	}
	return nil
}

// foldedEqual compares words without their case.
func foldedEqual[S ~string](a, b S) bool { return strings.EqualFold(string(a), string(b)) }

// operationStatus reads a status in any case, and the word "completed".
func operationStatus(w word) OperationStatus {
	switch lower := OperationStatus(strings.ToLower(string(w))); lower {
	case "completed":
		return OperationSucceeded
	case OperationQueued, OperationProcessing, OperationSucceeded, OperationFailed, OperationExpired:
		return lower
	default:
		return OperationStatus(w)
	}
}

// transactionStatus reads a status in any case.
func transactionStatus(w word) TransactionStatus {
	switch upper := TransactionStatus(strings.ToUpper(string(w))); upper {
	case TransactionPending, TransactionSuccess, TransactionError, TransactionRefunded:
		return upper
	default:
		return TransactionStatus(w)
	}
}
