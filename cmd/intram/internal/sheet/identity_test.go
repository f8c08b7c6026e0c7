package sheet_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/intramtest"
)

const twoLines = "reference,amount,provider,msisdn\nPAY-1,100,MTN_BENIN_229,22961000000\nÉTÉ,25000,MTN_BENIN_229,22961000001\n"

// asked is a journal that notes what a batch asks for, and refuses it.
type asked struct{ binding batch.Binding }

var errAsked = errors.New("that was the question")

func (a *asked) Acquire(_ context.Context, begin batch.Binding) (batch.Held, error) {
	a.binding = begin
	return nil, errAsked
}

// identity is what the journal of a file belongs to.
func identity(t *testing.T, server *intramtest.Server, text string) batch.Binding {
	t.Helper()
	file := sheet.Read([]byte(text))
	require.Empty(t, file.Problems)
	a := new(asked)
	_, err := batch.Open(t.Context(), server.Client(), a, file.Lines)
	require.ErrorIs(t, err, errAsked)
	return a.binding
}

func TestCopiesOfAFileAskForTheSamePayouts(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	want := identity(t, server, twoLines)
	// Stored formats: another hash is another key, and a second payout.
	assert.Equal(t, "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", want.Keys)
	assert.Equal(t, "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", want.SHA256)
	for name, file := range map[string]string{
		"line breaks of Windows":    strings.ReplaceAll(twoLines, "\n", "\r\n"),
		"a mark in front":           "\ufeff" + twoLines,
		"semicolons":                strings.ReplaceAll(twoLines, ",", ";"),
		"no line break at its end":  strings.TrimSuffix(twoLines, "\n"),
		"other columns":             "msisdn,provider_code,reference,amount,note\n22961000000,MTN_BENIN_229,PAY-1,100,\n22961000001,MTN_BENIN_229,ÉTÉ,25000,\n",
		"sorted":                    "reference,amount,provider,msisdn\nÉTÉ,25000,MTN_BENIN_229,22961000001\nPAY-1,100,MTN_BENIN_229,22961000000\n",
		"blank lines":               strings.ReplaceAll(twoLines, "\n", "\n\n"),
		"decimals of a database":    strings.ReplaceAll(twoLines, "25000", "25000.00"),
		"accents in two characters": strings.ReplaceAll(twoLines, "ÉTÉ", "E\u0301TE\u0301"),
	} {
		assert.Equal(t, want.Keys, identity(t, server, file).Keys, name)
	}
	for name, file := range map[string]string{
		"amount": strings.ReplaceAll(twoLines, "25000", "2500"), "number": strings.ReplaceAll(twoLines, "61000001", "61000002"),
		"reference": strings.ReplaceAll(twoLines, "PAY-1", "PAY-2"), "operator": strings.ReplaceAll(twoLines, "MTN_BENIN_229,22961000001", "MOOV_AFRICA_BENIN_229,22961000001"),
		"a line less": strings.Split(twoLines, "ÉTÉ")[0],
	} {
		assert.NotEqual(t, want.Keys, identity(t, server, file).Keys, name)
	}
	moved := identity(t, server, strings.Replace(twoLines, "ÉTÉ", "\nÉTÉ", 1))
	assert.Equal(t, want.Keys, moved.Keys)
	assert.NotEqual(t, want.SHA256, moved.SHA256, "the journal names lines by their numbers")
}
