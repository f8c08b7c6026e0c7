package redact_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/internal/redact"
)

func TestTextKeepsWhatHelpsAndHidesWhoItIs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Subscriber not found":                       "Subscriber not found",
		"amount must be at most 500":                 "amount must be at most 500",
		"22961234567 is not registered":              "•••••••••67 is not registered",
		"call +229 61 23 45 67 now":                  "call +•••••••••••••67 now",
		"call 61.23.45.67.89":                        "call ••••••••••••89",
		"account BJ0610100100144390000769":           "account BJ••••••••••••••••••••69",
		"ada@example.com is unknown":                 "[e-mail] is unknown",
		"to <ada@example.com>":                       "to <[e-mail]>",
		"dial tcp 203.0.113.99:443: refused":         "dial tcp 203.0.113.99:443: refused",
		"two\nlines\r\nand\ta tab\x00":               "two lines and a tab",
		"bad \xff byte":                              "bad byte",
		"code 123456":                                "code 123456",
		"":                                           "",
		strings.Repeat("é", 400):                     strings.Repeat("é", 150) + "…",
		"HTTP 503, come back in 120 s":               "HTTP 503, come back in 120 s",
		"Refusé par l’opérateur":                     "Refusé par l’opérateur",
		"name \u2028 separated \u0085 oddly":         "name separated oddly",
		strings.Repeat("x", 5000):                    strings.Repeat("x", 300) + "…",
		strings.Repeat(" ", 5000) + "never reached!": "",
	} {
		assert.Equal(t, want, redact.Text(in), "Text(%q)", in)
	}
}

func TestNumberKeepsTwoDigitsOfALongNumberAndNoneOfAShortOne(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "•••••••••67", redact.Number("22961234567"))
	assert.Equal(t, "••••", redact.Number("1234"))
	assert.Empty(t, redact.Number(""))
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"22961234567", "a@b", "\x00\n", "1-2-3-4-5-6-7-8", strings.Repeat("9", 1000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := redact.Text(s)
		if strings.ContainsAny(got, "\r\n\x00") || len(got) > 300+len("…") {
			t.Errorf("Text(%q) = %q is not one short line", s, got)
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	path := strings.Repeat("abc.", 31) + "abcd" // 128 bytes
	assert.Equal(t, path, redact.Path(path))
	assert.Equal(t, "…", redact.Path(path+"e"))

	id := strings.Repeat("r", 64)
	assert.Equal(t, id, redact.ID(id))
	assert.Equal(t, id, redact.ID(id+"s"))

	// What stands behind the first 1,200 bytes is not looked at, however little of them
	// is left.
	assert.Equal(t, "x", redact.Text(strings.Repeat(" ", 1199)+"xy"))
}
