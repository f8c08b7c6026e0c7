package wire

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// IsPlain reports whether a value is made of what JSON reads back as, at most that many
// levels deep. encoding/json writes it in one way only.
func IsPlain(value any, levels int) bool {
	switch v := value.(type) {
	case nil, bool, int, int64:
		return true
	case string:
		return utf8.ValidString(v)
	case map[string]any:
		for name, inner := range v {
			if levels == 0 || !utf8.ValidString(name) || !IsPlain(inner, levels-1) {
				return false
			}
		}
		return levels > 0
	case []any:
		for _, inner := range v {
			if levels == 0 || !IsPlain(inner, levels-1) {
				return false
			}
		}
		return levels > 0
	}
	return false
}

// AltersText reports whether document, which encoding/json wrote of value, holds a text
// that no reader gets back: half of a surrogate pair, or U+FFFD for a byte that is not
// UTF-8. Go 1.26 writes that as the escape \ufffd; Go 1.27 writes it as it writes a
// U+FFFD of the caller's, so that only value can tell. A method MarshalJSON that calls
// encoding/json itself hides it there.
func AltersText(value any, document []byte) bool {
	if altersText(document) {
		return true
	}
	_, replaced := replacedText(value, document)
	return replaced
}

// altersText is AltersText, as far as the document shows it.
func altersText(document []byte) bool {
	if !utf8.Valid(document) {
		return true
	}
	for i := 0; i+1 < len(document); i++ {
		if document[i] != '\\' {
			continue
		}
		i++
		if document[i] != 'u' {
			continue
		}
		r := escapedUnit(document[i-1:])
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, escapedUnit(document[min(i+5, len(document)):]))
			i += 6
		}
		if r == utf8.RuneError {
			return true
		}
	}
	return false
}

// escapedUnit returns the code unit that JSON begins with as an escape, \u0041. It is the
// replacement character if there is none.
func escapedUnit(document []byte) rune {
	if len(document) < 6 || document[0] != '\\' || document[1] != 'u' {
		return utf8.RuneError
	}
	unit, err := strconv.ParseUint(string(document[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(unit)
}

// AlteredField returns the path of the first field that AltersText is about.
func AlteredField(value any, document []byte) string {
	if !altersText(document) {
		path, _ := replacedText(value, document)
		return path
	}
	return alteredField(document)
}

func alteredField(document []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(document, &fields) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !altersText(fields[name]) {
			continue
		}
		if !ownedByCaller(name) {
			if inner := alteredField(fields[name]); inner != "" {
				return name + "." + inner
			}
		}
		return name
	}
	return ""
}

// ownedByCaller reports whether a field's keys are the caller's: they are not shown.
func ownedByCaller(name string) bool { return name == "metadata" || name == "webhook_data" }
