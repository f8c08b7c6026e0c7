package jsstringify_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/jsstringify"
)

type vector struct {
	Document  string  `json:"document"`
	Rewritten *string `json:"rewritten"`
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(tb, err)
	var all []vector
	require.NoError(tb, json.Unmarshal(data, &all))
	require.Greater(tb, len(all), 30)
	return all
}

// TestDocumentsAreRewrittenAsNodeDoes holds the package against what Node made.
func TestDocumentsAreRewrittenAsNodeDoes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		got, ok := jsstringify.Rewrite([]byte(v.Document))
		if v.Rewritten == nil {
			assert.False(t, ok, v.Document)
			continue
		}
		require.True(t, ok, v.Document)
		assert.Equal(t, *v.Rewritten, string(got), v.Document)
	}
}

func TestWhatIsBeyondTheBoundsIsNotRewritten(t *testing.T) {
	t.Parallel()
	deep := func(levels int) []byte {
		return []byte(strings.Repeat(`{"1":[`, levels/2) + "1" + strings.Repeat(`]}`, levels/2))
	}
	_, ok := jsstringify.Rewrite(deep(jsstringify.MaxDepth))
	assert.True(t, ok)
	_, ok = jsstringify.Rewrite(deep(jsstringify.MaxDepth + 2))
	assert.False(t, ok)
	large := append(append([]byte{'"'}, bytes.Repeat([]byte("x"), jsstringify.MaxSize-2)...), '"')
	_, ok = jsstringify.Rewrite(large)
	assert.True(t, ok)
	_, ok = jsstringify.Rewrite(append(large, ' '))
	assert.False(t, ok)
	_, ok = jsstringify.Rewrite([]byte("\"\xff\""))
	assert.False(t, ok, "what Node makes of it is not what was sent")
}

func FuzzRewrite(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		once, ok := jsstringify.Rewrite(document)
		if !ok {
			if json.Valid(document) && utf8.Valid(document) && len(document) < 64 {
				t.Fatalf("%q was not rewritten", document)
			}
			return
		}
		if !json.Valid(once) || !utf8.Valid(once) {
			t.Fatalf("%q became %q, which is no JSON", document, once)
		}
		twice, ok := jsstringify.Rewrite(once)
		if len(once) <= jsstringify.MaxSize && (!ok || !bytes.Equal(once, twice)) {
			t.Fatalf("%q became %q and then %q", document, once, twice)
		}
	})
}
