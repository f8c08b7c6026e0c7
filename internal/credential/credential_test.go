package credential_test

import (
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/internal/credential"
)

func TestMistakesAreNamedAndShowNothing(t *testing.T) {
	t.Parallel()
	const body = "CANARY5f6a7b8c9d0e1f2"
	wide := func(s string, big bool) string {
		var out []byte
		for _, u := range utf16.Encode([]rune(s)) {
			hi, lo := byte(u>>8), byte(u)
			if big {
				out = append(out, hi, lo)
			} else {
				out = append(out, lo, hi)
			}
		}
		return string(out)
	}
	good := map[credential.Kind]string{
		credential.PublicKey: "pk_sandbox_" + body, credential.SecretKey: "sk_live_" + body, credential.WebhookSecret: "whsec_" + body,
		credential.PayinKey: body, credential.PayinSecret: body,
	}
	for kind, value := range good {
		assert.Empty(t, credential.MACMistake(kind, value))
		for name, tt := range map[string]struct{ value, says string }{
			"nothing":             {"", "is empty"},
			"white space":         {" \n", "is empty"},
			"double quotes":       {`"` + value + `"`, "quotes around it"},
			"single quotes":       {"'" + value + "'", "quotes around it"},
			"typographic quotes":  {"“" + value + "”", "quotes around it"},
			"French quotes":       {"«" + value + "»", "quotes around it"},
			"a BOM":               {"\uFEFF" + value, "byte order mark"},
			"a zero-width space":  {value[:8] + "\u200b" + value[8:], "invisible character"},
			"a no-break space":    {value[:8] + "\u00a0" + value[8:], "invisible character"},
			"a NUL":               {value + "\x00", "invisible character"},
			"a line break":        {value + "\n", "around it"},
			"a space before":      {" " + value, "around it"},
			"a written line feed": {value + `\n`, `(\n)`},
			"UTF-16 with a mark":  {wide("\uFEFF"+value, false), "UTF-16"},
			"big-endian UTF-16":   {wide("\uFEFF"+value, true), "UTF-16"},
			"UTF-16":              {wide(value, false), "UTF-16"},
			"another encoding":    {value + "\xe9", "UTF-8"},
		} {
			got := credential.Mistake(kind, tt.value)
			assert.Contains(t, got, tt.says, "%d: %s", kind, name)
			assert.NotContains(t, got, "CANARY")
		}
		for other, theirs := range good {
			if other == kind || other == credential.PayinKey || other == credential.PayinSecret {
				continue // they have no prefix to be told by
			}
			assert.Contains(t, credential.Mistake(kind, theirs), "give ", "%d for %d", other, kind)
		}
		if kind == credential.PayinSecret {
			continue
		}
		for name, tt := range map[string]struct{ value, says string }{
			"a comment":         {value + " # live", "comment behind it"},
			"a comment in C":    {value + " // live", "comment behind it"},
			"a space inside":    {value[:8] + " " + value[8:], "spaces"},
			"two lines":         {value + "\n" + value, "line break in it"},
			"one quote":         {value + `"`, "quote"},
			"a backslash in it": {value[:8] + `\` + value[8:], "backslash"},
		} {
			got := credential.Mistake(kind, tt.value)
			assert.Contains(t, got, tt.says, "%d: %s", kind, name)
			assert.NotContains(t, got, "CANARY")
		}
	}
	for kind, values := range map[credential.Kind][]string{
		credential.PublicKey: {"pk_", "pk_sandbox_", "pk_live_"}, credential.SecretKey: {"sk_", "sk_sandbox_", "sk_live_"}, credential.WebhookSecret: {"whsec_"},
	} {
		for _, value := range values {
			assert.Contains(t, credential.Mistake(kind, value), "ends after its prefix")
		}
	}
	assert.Contains(t, credential.Mistake(credential.PublicKey, "pk_live_clé"), "no key has")
	assert.Contains(t, credential.Mistake(credential.PayinKey, "clé"), "no key has")
	assert.Empty(t, credential.Mistake(credential.SecretKey, "sk_sandbox_clé"), "it is never sent")
	assert.Empty(t, credential.Mistake(credential.PayinSecret, "une phrase choisie à la main"), "a merchant may have chosen it")
	assert.False(t, credential.UTF16([]byte("a")))
}
