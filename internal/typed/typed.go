// Package typed reads amounts and phone numbers as people write them: in forms, in cells
// of spreadsheets and on command lines. Where a text can be read in two ways, it does not
// guess. No error repeats a phone number, or of an amount more than its digits and
// separators.
package typed

import (
	"strings"
	"unicode"
)

// visible replaces spaces of every kind, but for tabs and line breaks, by one,
// typographic apostrophes by plain ones, and leaves out what cannot be seen. The
// apostrophe by which spreadsheets mark a text goes too.
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
