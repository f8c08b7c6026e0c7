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

// AltersText reports whether JSON holds a text that no reader gets back: encoding/json
// writes a byte that is not UTF-8 as the escape \ufffd, and reads half of a surrogate
// pair as that character.
func AltersText(document []byte) bool {
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
func AlteredField(data []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !AltersText(fields[name]) {
			continue
		}
		if name != "metadata" && name != "webhook_data" { // whose keys are the caller's, and are not shown
			if inner := AlteredField(fields[name]); inner != "" {
				return name + "." + inner
			}
		}
		return name
	}
	return ""
}
