package batch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every block that is marked golang in the documentation of batches is in the examples,
// to the letter but for its indentation.
func TestTheDocumentationShowsWhatCompiles(t *testing.T) {
	t.Parallel()
	examples, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	plain := func(text string) string {
		var lines []string
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
			lines = append(lines, strings.TrimSpace(line))
		}
		return strings.Join(lines, "\n")
	}
	for _, page := range []string{filepath.Join("..", "docs", "batch.md"), "README.md"} {
		doc, err := os.ReadFile(page)
		require.NoError(t, err)
		blocks := regexp.MustCompile("(?s)```golang\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
		require.NotEmpty(t, blocks, page)
		for _, block := range blocks {
			assert.Contains(t, plain(string(examples)), plain(block[1]), page)
		}
	}
}
