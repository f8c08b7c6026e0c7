package intram

import (
	"encoding/json"
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

// UnmarshalJSON reads a string.
func (w *word) UnmarshalJSON(data []byte) error {
	if known, ok := knownWords[string(data)]; ok {
		*w = word(known)
		return nil
	}
	return unmarshalString(data, (*string)(w))
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
