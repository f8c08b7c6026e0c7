package sheet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// A formula that failed names no person, and a rounded reference is another one.
func TestWhatASpreadsheetCouldNotSayIsNotPaid(t *testing.T) {
	t.Parallel()
	for reference, words := range map[string]string{
		"#REF!": "its formula has failed", "#N/A": "its formula has failed", "#VALEUR!": "its formula has failed",
		"2.02605E11": "rounded", "2,02605E+11": "rounded",
	} {
		file := sheet.Read([]byte("reference;amount;provider;msisdn\n" + reference + ";100;MTN_BENIN_229;22961000000\n"))
		require.Len(t, file.Problems, 1, reference)
		assert.Contains(t, file.Problems[0].Message, words)
	}
	file := sheet.Read([]byte("reference;amount;provider;msisdn;note\n#12;100;MTN_BENIN_229;22961000000;#REF!\n"))
	require.Len(t, file.Problems, 1, "#12 is a reference")
	assert.Contains(t, file.Problems[0].Message, "#REF!")
}

// ="…" keeps a spreadsheet from taking a text for a number.
func TestATextInAFormulaIsItsText(t *testing.T) {
	t.Parallel()
	file := sheet.Read([]byte("reference;amount;provider;msisdn\n" + `="007";100;MTN_BENIN_229;="0022961000000"` + "\nB;200;MTN_BENIN_229;22961000011\n"))
	require.Empty(t, file.Problems)
	require.Len(t, file.Lines, 2)
	assert.Equal(t, "007", file.Lines[0].Params.Reference)
}

// What is wrong with a quotation mark is said in words.
func TestAQuotationMarkInTheWayIsNamed(t *testing.T) {
	t.Parallel()
	for line, words := range map[string]string{
		`Jean "Jo" Doe;100;MTN_BENIN_229;22961000000`: "stands within a cell", `"Jean;100;MTN_BENIN_229;22961000000`: "is not closed",
	} {
		file := sheet.Read([]byte("reference;amount;provider;msisdn\n" + line + "\n"))
		require.NotEmpty(t, file.Problems)
		assert.Contains(t, file.Problems[0].Message, words)
	}
}

// All columns that are missing are named in one run.
func TestAllMissingColumnsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	file := sheet.Read([]byte("Montant;Téléphone;Nom\n100;22961000000;Ada\n200;22961000011;Bob\n"))
	require.Len(t, file.Problems, 2, "%v", file.Problems)
	assert.Contains(t, file.Problems[0].Message, "column reference is missing")
	assert.Contains(t, file.Problems[1].Message, "column provider is missing")
}
