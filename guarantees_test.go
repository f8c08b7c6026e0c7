package intram_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachGuaranteeNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	there := declaredTests(t)
	page, err := os.ReadFile(filepath.Join("docs", "guarantees.md"))
	require.NoError(t, err)

	promises := 0
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	for line := range strings.Lines(string(page)) {
		tests := named.FindAllStringSubmatch(line, -1)
		for _, test := range tests {
			assert.True(t, there[test[1]], "there is no %s, which is to prove: %s", test[1], line)
		}
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| promise ") {
			promises++
			assert.NotEmpty(t, tests, "nothing proves: %s", line)
		}
	}
	assert.Greater(t, promises, 20, "the promises are in tables")
}
