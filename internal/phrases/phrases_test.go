package phrases_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/phrases"
)

func keys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }

// TestBothLanguagesSayTheSame compares the keys, the places for values and what may be
// advised while money may have moved.
func TestBothLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	en, fr := phrases.In("en"), phrases.In("fr")
	assert.Same(t, en, phrases.In("de"), "a language without a catalogue")
	verbs := regexp.MustCompile(`%[a-z]`)
	texts := func(name string, en, fr map[string]string) {
		require.Equal(t, keys(en), keys(fr), name)
		for key := range en {
			assert.NotEmpty(t, en[key], "%s %s", name, key)
			assert.NotEqual(t, en[key], fr[key], "%s %s", name, key)
			assert.Equal(t, verbs.FindAllString(en[key], -1), verbs.FindAllString(fr[key], -1), "%s %s", name, key)
		}
	}
	reasons := func(name string, en, fr map[string]phrases.Reason) {
		require.Equal(t, keys(en), keys(fr), name)
		for key, reason := range en {
			assert.Equal(t, reason.Safe, fr[key].Safe, "%s %s", name, key)
			assert.NotEmpty(t, reason.Why+reason.Do, "%s %s", name, key)
			for part, pair := range map[string][2]string{"why": {reason.Why, fr[key].Why}, "do": {reason.Do, fr[key].Do}} {
				assert.Equal(t, pair[0] == "", pair[1] == "", "%s %s %s", name, key, part)
				assert.Equal(t, verbs.FindAllString(pair[0], -1), verbs.FindAllString(pair[1], -1), "%s %s %s", name, key, part)
				if pair[0] != "" {
					assert.NotEqual(t, pair[0], pair[1], "%s %s %s", name, key, part)
					assert.Regexp(t, `^[A-ZÀÉ].*[.]$`, pair[0], "%s %s %s", name, key, part)
					assert.Regexp(t, `^[A-ZÀÉ].*[.]$`, pair[1], "%s %s %s", name, key, part)
				}
			}
		}
	}
	texts("fates", en.Fates, fr.Fates)
	texts("signatures", en.Signatures, fr.Signatures)
	texts("fields", en.Fields, fr.Fields)
	reasons("codes", en.Codes, fr.Codes)
	reasons("reasons", en.Reasons, fr.Reasons)
}

// TestASafeAdviceAsksForNoSecondPayment reads the advice that is also given while money
// may have moved.
func TestASafeAdviceAsksForNoSecondPayment(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`with a new idempotency key|new operation|avec une nouvelle clé|nouvelle opération`)
	checked := 0
	for _, language := range []string{"en", "fr"} {
		c := phrases.In(language)
		for _, reasons := range []map[string]phrases.Reason{c.Codes, c.Reasons} {
			for key, reason := range reasons {
				if reason.Safe {
					assert.NotRegexp(t, forbidden, reason.Do, key)
					checked++
				}
			}
		}
	}
	assert.Greater(t, checked, 100)
}

// TestEachReasonIsUsed looks for the keys of reasons in the root's explain.go.
func TestEachReasonIsUsed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../explain.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			assert.NoError(t, err)
			used[text] = true
		}
		return true
	})
	known := map[string]bool{"unknown": true, "not_sent": true, "rejected": true}
	for key := range phrases.In("en").Reasons {
		assert.True(t, used[key], "reason %s is used by nothing", key)
	}
	for key := range phrases.In("en").Fates {
		fate, subject, _ := strings.Cut(key, ".")
		assert.True(t, known[fate] || used[fate], "fate %s is used by nothing", key)
		assert.True(t, subject == "" || used[subject], "fate %s is used by nothing", key)
	}
}

// TestFrenchHasItsSpaces checks that a line never breaks before a colon.
func TestFrenchHasItsSpaces(t *testing.T) {
	t.Parallel()
	c := phrases.In("fr")
	assert.Equal(t, "Aucun argent n'a bougé\u00a0: «\u00a0rien\u00a0» n'a été envoyé\u00a0; sûr\u00a0?", c.Respace("Aucun argent n'a bougé : « rien » n'a été envoyé ; sûr ?"))
	assert.Equal(t, "No: sure?", phrases.In("en").Respace("No: sure?"))
}
