package sheet_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// The README lists every name of a column that is read, beside its column, and no other.
func TestTheReadmeListsTheNamesOfTheColumns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	listed := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		if slices.Contains(sheet.Columns, row[1]) {
			listed[row[1]] = strings.Split(row[2], ", ")
		}
	}
	assert.Equal(t, sheet.NamesOfColumns(), listed)
	for column, names := range listed {
		for _, name := range names {
			other := map[string]string{"reference": "amount"}[column]
			if other == "" {
				other = "reference"
			}
			problems := told(sheet.Read([]byte(name + "," + other + "\n")).Problems)
			assert.NotContains(t, strings.Join(problems, "\n"), ": unknown", name)
		}
	}
}
