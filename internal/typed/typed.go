// Package typed reads amounts and phone numbers as people write them: in forms, in
// spreadsheet cells and on command lines. It does not guess: a text that can be read in
// two ways is an error. No error repeats a phone number, or more of an amount than its
// digits and separators.
package typed

import (
	"strings"
	"unicode"
)

// visible replaces spaces of every kind, except tabs and line breaks, by a plain one,
// replaces typographic apostrophes by plain ones, and removes invisible characters. It
// also removes the apostrophe by which spreadsheets mark a text.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case r == '\u2019' || r == '\u02bc':
			b.WriteByte('\'')
		case unicode.Is(unicode.Cf, r): // zero widths, byte order marks, directions, soft hyphens
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(b.String()), "'"))
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
