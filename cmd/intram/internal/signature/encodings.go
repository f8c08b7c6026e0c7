package signature

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// encodings are the bytes that a body's letters beyond ASCII may have been signed as.
func encodings(text string) []option {
	const fix = "Write the body to bytes once, in UTF-8, sign those bytes and send the same ones."
	if !utf8.ValidString(text) {
		return []option{{id: "body-latin1-sent", what: "the body was sent in Latin-1 (Windows-1252) and signed in UTF-8", fix: fix, value: fromLatin1(text)}}
	}
	var options []option
	if once := latin1(text); once != text && utf8.ValidString(once) {
		options = append(options, option{id: "body-encoded-twice", what: "the body was sent with its UTF-8 encoded in UTF-8 once more", fix: fix, value: once})
	}
	for _, o := range []struct {
		id, what string
		write    func(string) string
	}{
		{"body-latin1", "the body was signed in Latin-1 (Windows-1252) and sent in UTF-8", latin1},
		{"body-latin1", "the body was signed in Latin-1 (Node's latin1 or binary) and sent in UTF-8", lowBytes},
		{"body-latin1", "the body was signed in Latin-1 with ? for what that has not (PHP's utf8_decode), and sent in UTF-8", questioned(0xff)},
		{"body-ascii", "the body was signed in ASCII, with ? for each other letter", questioned(0x7f)},
		{"body-encoded-twice", "the body was signed with its UTF-8 encoded in UTF-8 once more (PHP's utf8_encode)", fromLatin1},
		{"body-normalised", "the body was signed with accents in one with their letters, and sent with them apart", norm.NFC.String},
		{"body-normalised", "the body was signed with accents apart from their letters, and sent with them in one", norm.NFD.String},
	} {
		options = append(options, option{id: o.id, what: o.what, fix: fix, value: o.write(text), again: o.write})
	}
	return options
}

// latin1 is a text in Windows-1252, which has all letters of Latin-1. One that has others
// stays.
func latin1(text string) string {
	encoded, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		return text
	}
	return encoded
}

// fromLatin1 reads bytes as if they were Latin-1.
func fromLatin1(text string) string {
	decoded, err := charmap.Windows1252.NewDecoder().String(text)
	if err != nil {
		return text
	}
	return decoded
}

// lowBytes are the low bytes of a text's UTF-16.
func lowBytes(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteByte(byte(unit)) //nolint:gosec // that is the mistake
	}
	return b.String()
}

// questioned writes a byte for each letter up to the last one, and a question mark for
// others.
func questioned(last rune) func(string) string {
	return func(text string) string {
		var b strings.Builder
		for _, r := range text {
			if r > last {
				r = '?'
			}
			b.WriteByte(byte(r))
		}
		return b.String()
	}
}

// utf16le is a text in UTF-16, the low byte of each unit first.
func utf16le(text []byte) []byte {
	units := utf16.Encode([]rune(string(text)))
	encoded := make([]byte, 0, 2*len(units))
	for _, unit := range units {
		encoded = binary.LittleEndian.AppendUint16(encoded, unit)
	}
	return encoded
}
