package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheGeneratedFileIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := generate("../..")
	require.NoError(t, err)
	got, err := os.ReadFile("../../redact_gen.go")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "run go generate in the root")
}
