package sheet_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

func asIs(words string) string { return words }

// paidAt is a time of a result.
var paidAt = time.Date(2026, time.May, 29, 8, 30, 15, 123456789, time.FixedZone("", 3600))

// three are results of three lines.
func three() []batch.Result {
	return []batch.Result{
		{
			Line: 2, Reference: "PAYÉ-1", Status: batch.Paid, OperationID: "op_1", ProviderReference: "P-1", TransactionReference: "T-1", Fees: "25",
			AcceptedAt: paidAt.Add(-time.Minute), EndedAt: paidAt,
		},
		{Line: 3, Reference: "=1+1", Status: batch.Failed, Code: intram.CodeProviderRejected, Reason: "no money moved; the operator refused", OperationID: "op_2"},
		{Line: 5, Reference: "C", Status: batch.NotSent, Reason: "not sent"},
	}
}

const threeLines = "Référence;Montant;Opérateur;Téléphone\r\nPAYÉ-1;25 000 FCFA;MTN_BENIN_229;+229 01 61 23 45 01\r\n=1+1;500;MTN_BENIN_229;2290161234502\r\n\r\nC;7,00;MTN_BENIN_229;2290161234503\r\n"

// A result is opened by the program that wrote the file, so it is in that program's form.
func TestResultsRepeatTheFileInItsOwnForm(t *testing.T) {
	t.Parallel()
	want := "Référence;Montant;Opérateur;Téléphone;line;status;error_code;reason;operation_id;provider_reference;transaction_reference;fees;accepted_at;ended_at\r\n" +
		"PAYÉ-1;25 000 FCFA;MTN_BENIN_229;'+229 01 61 23 45 01;2;paid;;;op_1;P-1;T-1;25;2026-05-29 07:29:15;2026-05-29 07:30:15\r\n" +
		"'=1+1;500;MTN_BENIN_229;2290161234502;3;failed;provider_rejected;\"no money moved; the operator refused\";op_2;;;;;\r\n" +
		"C;7,00;MTN_BENIN_229;2290161234503;5;not_sent;;not sent;;;;;;\r\n"
	utf16 := func(order unicode.Endianness, mark unicode.BOMPolicy) func(string) string {
		return func(text string) string {
			out, err := unicode.UTF16(order, mark).NewEncoder().String(text)
			require.NoError(t, err)
			return out
		}
	}
	for name, in := range map[string]func(string) string{
		"UTF-8":               asIs,
		"a mark":              func(text string) string { return "\ufeff" + text },
		"sep=":                func(text string) string { return "sep=;\r\n" + text },
		"lines of Unix":       func(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") },
		"UTF-16 of Excel":     utf16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16, big end":     utf16(unicode.BigEndian, unicode.UseBOM),
		"UTF-16 without mark": utf16(unicode.LittleEndian, unicode.IgnoreBOM),
		"big without mark":    utf16(unicode.BigEndian, unicode.IgnoreBOM),
		"tabs":                func(text string) string { return strings.ReplaceAll(text, ";", "\t") },
		"Windows-1252": func(text string) string {
			out, err := charmap.Windows1252.NewEncoder().String(text)
			require.NoError(t, err)
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := sheet.Read([]byte(in(threeLines)))
			require.Empty(t, file.Problems)
			results := three()
			if name == "sep=" { // its lines are one further down
				for i := range results {
					results[i].Line++
				}
			}
			data, err := file.Results("x.results.csv", results, asIs)
			require.NoError(t, err)
			expected := want
			switch name {
			case "sep=":
				expected = strings.NewReplacer(";2;paid", ";3;paid", ";3;failed", ";4;failed", ";5;not_sent", ";6;not_sent").Replace(want)
			case "tabs":
				expected = strings.ReplaceAll(strings.ReplaceAll(want, "\"no money moved; the operator refused\"", "no money moved# the operator refused"), ";", "\t")
				assert.Equal(t, strings.ReplaceAll(expected, "#", ";"), string(data))
				return
			}
			assert.Equal(t, in(expected), string(data))
			assert.Equal(t, ".csv", file.Extension())
		})
	}
}

// A character that the file's encoding does not have is replaced, and loses no line.
func TestResultsOfAnOldEncodingAreWholeWhateverTheyTell(t *testing.T) {
	t.Parallel()
	file := sheet.Read([]byte("reference,amount,provider,msisdn,account_name\nA,500,MTN_BENIN_229,2290161234502,Ad\xe9\n"))
	data, err := file.Results("r.csv", []batch.Result{{Line: 2, Status: batch.Paid, ProviderReference: "Ω€"}}, asIs)
	require.NoError(t, err)
	assert.Contains(t, string(data), "Ad\xe9,2,paid,,,,\x1a\x80,") // the euro sign is in it
}

// What a spreadsheet would run as a formula is text.
func TestNoCellOfAResultIsAFormula(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=HYPERLINK(0)", "+1", "-1", "@SUM(1)", "\t=1", " =1", "＝1", "'=1"} {
		file := sheet.Read([]byte("reference,amount,provider,msisdn\nA,500,MTN_BENIN_229,2290161234502\n"))
		data, err := file.Results("r.csv", []batch.Result{{Line: 2, Reason: cell, OperationID: cell}}, asIs)
		require.NoError(t, err)
		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		require.NoError(t, err)
		for _, at := range []int{7, 8} {
			assert.Equal(t, "'"+strings.TrimPrefix(cell, "'"), rows[1][at])
		}
	}
}

func TestResultsOfAWorkbookAreAWorkbook(t *testing.T) {
	t.Parallel()
	file := sheet.Read(workbook(t, [][]any{
		{"Référence", "Montant", "Opérateur", "Téléphone"},
		{"PAYÉ-1", 25000, "MTN_BENIN_229", int64(2290161234501)},
		{"=1+1", "500 FCFA", "MTN_BENIN_229", "2290161234502"},
		nil,
		{"C", 7, "MTN_BENIN_229", int64(2290161234503)},
	}))
	require.Empty(t, file.Problems)
	assert.Equal(t, ".xlsx", file.Extension())
	data, err := file.Results("x.results.xlsx", three(), asIs)
	require.NoError(t, err)
	book, err := excelize.OpenReader(bytes.NewReader(data))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	rows, err := book.GetRows("Sheet1", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, []string{"PAYÉ-1", "25000", "MTN_BENIN_229", "2290161234501", "2", "paid", "", "", "op_1", "P-1", "T-1", "25", "2026-05-29 07:29:15", "2026-05-29 07:30:15"}, rows[1])
	assert.Equal(t, []string{"=1+1", "500 FCFA", "MTN_BENIN_229", "2290161234502", "3", "failed"}, rows[2][:6])
	for cell, want := range map[string]excelize.CellType{"B2": excelize.CellTypeUnset, "D2": excelize.CellTypeInlineString, "A3": excelize.CellTypeInlineString} {
		kind, err := book.GetCellType("Sheet1", cell)
		require.NoError(t, err)
		assert.Equal(t, want, kind, cell)
	}
	formula, err := book.GetCellFormula("Sheet1", "A3")
	require.NoError(t, err)
	assert.Empty(t, formula)

	// The name can ask for another form.
	data, err = file.Results("x.csv", three(), asIs)
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(data, []byte("\ufeffRéférence;Montant;")))
}

// Only what certainly moved no money is to be paid again.
func TestARetryFileHasTheLinesThatFailedForCertain(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("Montant;Référence;Opérateur;Téléphone;Note\n")
	states := []batch.State{
		batch.Failed, batch.Refused, batch.FailedUnclear, batch.InDoubt, batch.Unfinished, batch.NotSent, batch.Paid, batch.Queued, batch.Intended, batch.Accepted,
	}
	var results []batch.Result
	long := strings.Repeat("é", 99) + "x"
	references := []string{"A-R2", long, "C", "D", "E", "F", "A-R3", "H", "I", "J"}
	for i, state := range states {
		text.WriteString("25 000;" + references[i] + ";MTN_BENIN_229;22901612345" + string(rune('0'+i)) + "0;=x\n")
		results = append(results, batch.Result{Line: i + 2, Reference: references[i], Status: state})
	}
	file := sheet.Read([]byte(text.String()))
	require.Empty(t, file.Problems)
	data, lines, err := file.Retry("retry.csv", results)
	require.NoError(t, err)
	assert.Equal(t, 2, lines)
	assert.Equal(t, "Montant;Référence;Opérateur;Téléphone;Note\n"+
		"25 000;A-R4;MTN_BENIN_229;2290161234500;'=x\n"+ // A-R3 is another line's
		"25 000;"+strings.Repeat("é", 97)+"-R2;MTN_BENIN_229;2290161234510;'=x\n", string(data))
	again := sheet.Read(data)
	assert.Empty(t, again.Problems)
	assert.Len(t, again.Lines, 2)

	// Two references that are cut to the same length stay two.
	twins := sheet.Read([]byte("reference,amount,provider,msisdn\n" + strings.Repeat("x", 99) + "a,5,MTN_BENIN_229,2290161234501\n" +
		strings.Repeat("x", 99) + "b,6,MTN_BENIN_229,2290161234502\n"))
	require.Len(t, twins.Lines, 2)
	data, _, err = twins.Retry("retry.csv", []batch.Result{
		{Line: 2, Reference: twins.Lines[0].Params.Reference, Status: batch.Failed}, {Line: 3, Reference: twins.Lines[1].Params.Reference, Status: batch.Failed},
	})
	require.NoError(t, err)
	again = sheet.Read(data)
	require.Len(t, again.Lines, 2)
	assert.Equal(t, strings.Repeat("x", 97)+"-R2", again.Lines[0].Params.Reference)
	assert.Equal(t, strings.Repeat("x", 97)+"-R3", again.Lines[1].Params.Reference)

	_, lines, err = file.Retry("retry.csv", results[2:])
	require.NoError(t, err)
	assert.Zero(t, lines)
}

// A person corrects the file that was written; the command that wrote it is run again.
func TestARetryFileIsWrittenAnewOnlyWhenNothingIsLost(t *testing.T) {
	t.Parallel()
	newer := []byte("reference,amount\nA,1\nB,2\n")
	for older, want := range map[string]bool{
		"reference,amount\nA,1\nB,2\n": true, "reference,amount\nB,2\n": true, "reference,amount\n": true, "": true,
		"reference,amount\nA,3\n": false, "reference,amount\nA,1\nB,2\nC,3\n": false, "reference,amount\n\"A,1\n": false, "\x00": false,
	} {
		assert.Equal(t, want, sheet.Holds(newer, []byte(older)), "%q", older)
	}
}

func TestATemplateIsReadAsItIsFilledIn(t *testing.T) {
	t.Parallel()
	data, err := sheet.Template("new.csv")
	require.NoError(t, err)
	assert.Equal(t, "\ufeffreference;amount;provider;msisdn;account_name;account_surname;note\r\n", string(data))
	assert.Equal(t, []string{"1: no line below the header"}, told(sheet.Read(data).Problems))

	data, err = sheet.Template("new.XLSX")
	require.NoError(t, err)
	assert.Equal(t, []string{"1: no line below the header"}, told(sheet.Read(data).Problems))
	book, err := excelize.OpenReader(bytes.NewReader(data))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	// A person types into it what a spreadsheet would spoil elsewhere.
	require.NoError(t, book.SetSheetRow("Sheet1", "A2", &[]any{"007", 25000, "MTN_BENIN_229", "0161234501", "Adé"}))
	choices, err := book.GetDataValidations("Sheet1")
	require.NoError(t, err)
	require.Len(t, choices, 1)
	assert.Contains(t, choices[0].Formula1, "MTN_BENIN_229,MOOV_AFRICA_BENIN_229,SBIN_BENIN_229")
	assert.Equal(t, "C2:C5000", choices[0].Sqref)
	for column, want := range map[string]int{"A": 49, "B": 3, "D": 49} {
		id, err := book.GetColStyle("Sheet1", column)
		require.NoError(t, err)
		style, err := book.GetStyle(id)
		require.NoError(t, err)
		assert.Equal(t, want, style.NumFmt, column)
	}
	var filled bytes.Buffer
	require.NoError(t, book.Write(&filled))
	file := sheet.Read(filled.Bytes())
	assert.Empty(t, file.Problems)
	assert.Equal(t, []string{"007 25000 2290161234501 Adé"}, payments(file.Lines))

	_, err = sheet.Template("new.ods")
	require.ErrorContains(t, err, "new.ods: a template is a .csv or an .xlsx file")
}
