package intram

import (
	"slices"
	"strings"
	"time"
)

// queryParam is one parameter of a query.
type queryParam struct{ key, value string }

// sortedQuery joins the parameters that have a value, sorted by key. The same string is sent and signed.
//
// The docs do not say whether values are signed as encoded or as decoded, so the values are such that
// the two are the same (see needsNoEncoding); each caller has checked that.
func sortedQuery(params ...queryParam) string {
	params = slices.DeleteFunc(params, func(p queryParam) bool { return p.value == "" })
	slices.SortFunc(params, func(a, b queryParam) int { return strings.Compare(a.key, b.key) })
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// needsNoEncoding reports whether a query value reads the same encoded and decoded: unreserved
// characters and the colon, which is legal in a query.
func needsNoEncoding(value string) bool {
	for i := range len(value) {
		if c := value[i]; !isAlphanumeric(c) && !strings.ContainsRune("-_.~:", rune(c)) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// formatBefore writes a cursor. The API's times have milliseconds, so a finer one is rounded up: everything
// before it stays before it. The zero time is no cursor.
func formatBefore(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if floor := t.Truncate(time.Millisecond); !floor.Equal(t) {
		t = floor.Add(time.Millisecond)
	}
	return t.UTC().Format(timestampLayout)
}
