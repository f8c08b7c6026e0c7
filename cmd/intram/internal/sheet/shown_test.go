package sheet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// A cell that shows 25.000 and holds 25 was paid as 25, and said so nowhere.
func TestACellThatShowsAnotherNumberThanItHoldsIsRefused(t *testing.T) {
	t.Parallel()
	rows := []struct {
		column, format string
		value          any
		want           string
	}{
		{"B", "#,##0", 25000, ""},
		{"B", `#,##0.00" FCFA"`, 25000, ""},
		{"B", `#\ ##0`, 25000, ""},
		{"B", "0.000", 25, `amount: the cell shows "25.000" and holds "25": enter it again in a column formatted as text`},
		{"B", `0" 000"`, 25, `amount: the cell shows "25 000" and holds "25": enter it again in a column formatted as text`},
		{"B", "#,##0,", 25000, `amount: the cell shows "25" and holds "25000": enter it again in a column formatted as text`},
		{"B", "General", true, `amount: the cell shows "TRUE" and holds "1": enter it again in a column formatted as text`},
		{"A", "00000", 7, `reference: the cell shows "00007" and holds "7": enter it again in a column formatted as text`},
		{"D", "0000000000", 161234567, "msisdn: the cell shows something else than it holds: enter it again in a column formatted as text"},
		{"D", "0 00 00 00 00", int64(2290161234567), ""},
	}
	book := excelize.NewFile()
	require.NoError(t, book.SetSheetRow("Sheet1", "A1", &[]any{"reference", "amount", "provider", "msisdn"}))
	var want []string
	for i, r := range rows {
		require.NoError(t, book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+2), &[]any{fmt.Sprintf("R-%d", i), 100 + i, "MTN_BENIN_229", int64(2290161234501)}))
		cell := fmt.Sprintf("%s%d", r.column, i+2)
		style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &r.format})
		require.NoError(t, err)
		require.NoError(t, book.SetCellValue("Sheet1", cell, r.value))
		require.NoError(t, book.SetCellStyle("Sheet1", cell, cell, style))
		if r.want != "" {
			want = append(want, fmt.Sprintf("%d: %s", i+2, r.want))
		}
	}
	require.NoError(t, book.SetRowVisible("Sheet1", 2, false))
	var out bytes.Buffer
	require.NoError(t, book.Write(&out))
	file := sheet.Read(out.Bytes())
	assert.Equal(t, want, told(file.Problems))
	assert.Contains(t, fmt.Sprint(file.Notes), "1 hidden row was read too")
}

// A text is what a CSV file showed, whose last digits may be gone.
func TestATextOfAWorkbookIsNoStoredNumber(t *testing.T) {
	t.Parallel()
	file := sheet.Read(workbook(t, [][]any{{"reference", "amount", "provider", "msisdn"}, {"A", 100, "MTN_BENIN_229", "2.29016E+12"}}))
	assert.Equal(t, []string{
		"2: msisdn: a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again",
	}, told(file.Problems))
}

// 25,000 without quotes is two cells of a CSV file, and the second is a name or a note
// that is not looked at.
func TestAnAmountThatTheSeparatorCutsIsRefused(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"reference,provider,msisdn,amount,note\nA,MTN_BENIN_229,2290161234501,25,000\n": {
			"2: amount: 25,000 may be one number: put it between quotes, or write it without separators",
		},
		"reference;provider;msisdn;amount;note\nA;MTN_BENIN_229;2290161234501;25;000\n":      nil,
		"reference,provider,msisdn,amount,note\nA,MTN_BENIN_229,2290161234501,25,May 2026\n": nil,
		"reference,provider,msisdn,amount,note\nA,MTN_BENIN_229,2290161234501,2500,100\n":    nil,
		"amount,reference,provider,msisdn\n500,001,MTN_BENIN_229,2290161234501\n":            nil,
		"reference,provider,msisdn,amount\nA,MTN_BENIN_229,2290161234501,500\n":              nil,
	} {
		assert.Equal(t, want, told(sheet.Read([]byte(file)).Problems), file)
	}
}

// 25 in thousands is 25 000, and 25 euros are not 25 francs.
func TestAmountsOfAnotherUnitAreRefused(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]string{
		"Montant (FCFA)": "", "Montant (F CFA)": "", "Montant (net à payer)": "", "Montant (en francs CFA)": "",
		"Montant (milliers)": "milliers", "Montant (en milliers de FCFA)": "milliers", "Amount (EUR)": "eur", "Montant (k)": "k",
		"Montant €": "€", "Amount [$]": "$", "Montant (%)": "%", "Montant (net) (milliers)": "milliers",
	} {
		file := sheet.Read([]byte("reference;" + column + ";provider;msisdn\nA;25;MTN_BENIN_229;2290161234501\n"))
		if want == "" {
			assert.Empty(t, file.Problems, column)
			continue
		}
		assert.Equal(t, []string{fmt.Sprintf("1: %s: the amounts are read as francs: say them in francs, and leave %q out of the column's name", column, want)},
			told(file.Problems))
	}
}

// A workbook stores large numbers as 2.290161234501E+12, with all of their digits.
func TestStoredNumbersAreWrittenInPlainDigits(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]string{
		"2.290161234501E+12": "2290161234501", "1E+06": "1000000", "2.5E-1": "0.25",
		"25000": "25000", "1.5": "1.5", "E": "E", "1E": "1E", "E+5": "E+5", "1E+x": "1E+x", "1.2.3E+5": "1.2.3E+5", "PAYE-1": "PAYE-1", "1E+99": "1E+99",
	} {
		assert.Equal(t, want, sheet.StoredNumber(stored), stored)
	}
}

// A line far below is not left unpaid without a word.
func TestRowsThatAreNotReadAreTold(t *testing.T) {
	t.Parallel()
	text := "reference;amount;provider;msisdn\nA;25;MTN_BENIN_229;2290161234501\n" + strings.Repeat(";;;\n", 200_000) + "B;25;MTN_BENIN_229;2290161234502\n"
	assert.Equal(t, []string{"0: there are more than 200000 rows: remove the blank ones, or split the file"}, told(sheet.Read([]byte(text)).Problems))
}
