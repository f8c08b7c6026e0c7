package sheet_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/unicode"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/intramtest"
)

// told is what a reader is told, one a line.
func told(problems []sheet.Problem) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, fmt.Sprintf("%d: %s", p.Line, p.Text()))
	}
	return lines
}

// inWords are problems in the words of a file.
func inWords(file *sheet.File, found []batch.Problem) []sheet.Problem {
	var problems []sheet.Problem
	for _, p := range found {
		problems = append(problems, file.Problem(p))
	}
	return problems
}

// payments are what a file asks for, one a line.
func payments(lines []batch.Line) []string {
	var all []string
	for _, l := range lines {
		m, _ := l.Params.Destination.(intram.MobileMoney)
		all = append(all, fmt.Sprintf("%s %s %s %s", l.Params.Reference, l.Params.Amount, m.MSISDN, strings.TrimSpace(m.AccountName+" "+m.AccountSurname)))
	}
	return all
}

// What offices really send; see testdata/people.
func TestTheFilesThatOfficesSend(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	for name, want := range map[string]struct{ problems, notes, payments []string }{
		"dot-thousands-semicolon": {problems: []string{
			"2: amount: 25.000: 25 or 25000? write it without separators", "3: amount: 180.000: 180 or 180000? write it without separators",
		}},
		"benin-twice": {problems: []string{"3: the same amount goes to the same account as in line 2: if both are meant, give --allow-duplicates"}},
		"dup-scale": {
			problems: []string{"3: the same amount goes to the same account as in line 2: if both are meant, give --allow-duplicates"},
			notes:    []string{"3: amount: 25000.0 was read as 25000"},
		},
		"french-amounts": {
			notes: []string{
				"2: amount: 25\u202f000 was read as 25000", "3: amount: 25\u00a0000 was read as 25000", "4: amount: 25000,00 was read as 25000",
				"5: amount: 25 000 FCFA was read as 25000",
			},
			payments: []string{"A-1 25000 2290161234501 ", "A-2 25000 2290161234502 ", "A-3 25000.00 2290161234503 ", "A-4 25000 2290161234504 "},
		},
		"tab": {payments: []string{"A-1 5000 2290161234501 "}},
		"plus-00": {
			notes: []string{
				"2: msisdn: it was read as 229••••••••01", "3: msisdn: it was read as 229••••••••02", "4: msisdn: it was read as 229••••••••03",
				"5: msisdn: it was read as 229••••••••04", "6: msisdn: it was read as 229••••••••05",
			},
			payments: []string{
				"A-1 5000 2290161234501 ", "A-2 6000 2290161234502 ", "A-3 7000 2290161234503 ", "A-4 8000 2290161234504 ", "A-5 9000 2290161234505 ",
			},
		},
		"trailing-columns": {payments: []string{"A-1 5000 2290161234501 "}},
		"blank-rows":       {payments: []string{"A-1 5000 2290161234501 "}, notes: []string{"0: 5 blank rows were left out"}},
		"latin1": {
			payments: []string{"A-1 5000 2290161234501 Adé Lovelacé"},
			notes:    []string{"0: the file is not UTF-8, and was read as Windows-1252: look at the accents"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", "people", name+".csv"))
			require.NoError(t, err)
			file := sheet.Read(data)
			assert.Equal(t, want.problems, told(file.Check(client, batch.Rules{})))
			if want.problems == nil || want.notes != nil {
				assert.Equal(t, want.notes, told(file.Notes))
			}
			if want.payments != nil {
				assert.Equal(t, want.payments, payments(file.Lines))
			}
		})
	}
}

// One payment in whatever a program writes.
func TestEveryFormOfOneFileAsksForTheSame(t *testing.T) {
	t.Parallel()
	plain := "reference,amount,provider,msisdn,account_name,account_surname\nPAYÉ-1,25000,MTN_BENIN_229,2290161234501,Adè,Hounkpè\n"
	want := payments(sheet.Read([]byte(plain)).Lines)
	require.Len(t, want, 1)
	encode := func(order unicode.Endianness, mark unicode.BOMPolicy, text string) string {
		out, err := unicode.UTF16(order, mark).NewEncoder().String(text)
		require.NoError(t, err)
		return out
	}
	semicolons := strings.ReplaceAll(plain, ",", ";")
	for name, file := range map[string]string{
		"CRLF":                    strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR alone":                strings.ReplaceAll(plain, "\n", "\r"),
		"semicolons":              semicolons,
		"tabs":                    strings.ReplaceAll(plain, ",", "\t"),
		"sep=":                    "sep=;\r\n" + semicolons,
		"a mark":                  "\ufeff" + plain,
		"UTF-16 of Excel":         encode(unicode.LittleEndian, unicode.UseBOM, strings.ReplaceAll(plain, ",", "\t")),
		"UTF-16, big end":         encode(unicode.BigEndian, unicode.UseBOM, plain),
		"UTF-16 without mark":     encode(unicode.LittleEndian, unicode.IgnoreBOM, plain),
		"UTF-16 big without mark": encode(unicode.BigEndian, unicode.IgnoreBOM, plain),
		"Windows-1252":            "reference,amount,provider,msisdn,account_name,account_surname\nPAY\xc9-1,25000,MTN_BENIN_229,2290161234501,Ad\xe8,Hounkp\xe8\n",
		"French columns":          strings.Replace(plain, "reference,amount,provider,msisdn,account_name,account_surname", "Référence,Montant (FCFA),Opérateur,N° de téléphone,Prénom,Nom", 1),
		"apostrophes":             "reference,amount,provider,msisdn,account_name,account_surname\n'PAYÉ-1,'25000,MTN_BENIN_229,'2290161234501,Adè,Hounkpè\n",
		"invisible signs":         "reference\u200b,amount,provider,msisdn,account_name,account_surname\nPAYÉ-1\u200e,\u202a25000\u202c,MTN_BENIN_229,\u200b2290161234501,Adè,Hounkpè\n",
		"empty columns":           "reference,amount,provider,msisdn,account_name,account_surname,,\nPAYÉ-1,25000,MTN_BENIN_229,2290161234501,Adè,Hounkpè,,\n",
		"more empty cells":        plain[:len(plain)-1] + ",,,\n",
		"blank rows":              "\n,,,,,\n" + plain + strings.Repeat(",,,,,\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := sheet.Read([]byte(file))
			assert.Empty(t, told(read.Problems))
			assert.Equal(t, want, payments(read.Lines))
		})
	}
}

// workbook writes rows as a spreadsheet stores them: numbers are numbers.
func workbook(t *testing.T, sheets ...[][]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	for n, rows := range sheets {
		sheet := fmt.Sprintf("Sheet%d", n+1)
		if n > 0 {
			_, err := book.NewSheet(sheet)
			require.NoError(t, err)
		}
		for i, cells := range rows {
			require.NoError(t, book.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &cells))
		}
	}
	var out bytes.Buffer
	require.NoError(t, book.Write(&out))
	return out.Bytes()
}

func TestAWorkbookIsReadAsItIsStored(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	header := []any{"Référence", "Montant", "Opérateur", "Téléphone", "Note"}
	file := sheet.Read(workbook(t, [][]any{
		header,
		{"A-1", 25000, "MTN_BENIN_229", int64(2290161234501), nil},
		{"A-2", 25000.5, "MTN_BENIN_229", "01 61 23 45 02"},
		nil,
		{"A-3", "25.000", "MTN_BENIN_229", 2290161234503.0, "x"},
		{"A-4", 1e6, "MTN_BENIN_229", 2.290161234504e12, "x"},
	}, [][]any{{"another"}}))
	assert.Equal(t, []string{
		"3: Montant: it must be whole: XOF has no decimals", "5: Montant: 25.000: 25 or 25000? write it without separators",
	}, told(file.Check(client, batch.Rules{})))
	assert.Equal(t, []string{"A-1 25000 2290161234501 ", "A-2 25000.5 2290161234502 ", "A-3 invalid 2290161234503 ", "A-4 1000000 2290161234504 "}, payments(file.Lines))
	assert.Equal(t, []string{
		`0: only the sheet "Sheet1" was read, and the workbook has more`, "3: Téléphone: it was read as 229••••••••02", "0: 1 blank row was left out",
	}, told(file.Notes))
}

// What a person cannot see is not paid.
func TestAHiddenSheetIsPassedOver(t *testing.T) {
	t.Parallel()
	header := []any{"reference", "amount", "provider", "msisdn"}
	book := func(hidden ...string) []byte {
		data := workbook(t, [][]any{header, {"OLD-1", 1, "MTN_BENIN_229", int64(2290161234501)}}, [][]any{header, {"NEW-1", 2, "MTN_BENIN_229", int64(2290161234502)}})
		file, err := excelize.OpenReader(bytes.NewReader(data))
		require.NoError(t, err)
		defer func() { require.NoError(t, file.Close()) }()
		file.SetActiveSheet(1)
		for _, name := range hidden {
			require.NoError(t, file.SetSheetVisible(name, false, name == "Sheet1"))
		}
		var out bytes.Buffer
		require.NoError(t, file.Write(&out))
		return out.Bytes()
	}
	file := sheet.Read(book("Sheet1"))
	assert.Empty(t, file.Problems)
	assert.Equal(t, []string{"NEW-1 2 2290161234502 "}, payments(file.Lines))
	assert.Equal(t, []string{`0: the sheet "Sheet1" is hidden, and was not read`}, told(file.Notes))
	file = sheet.Read(book("Sheet2"))
	file2 := sheet.Read(book())
	assert.Equal(t, payments(file2.Lines), payments(file.Lines))
}

// Some programs call a text .xls.
func TestATextIsReadWhateverItsNameIs(t *testing.T) {
	t.Parallel()
	file := sheet.Read([]byte("reference\tamount\tprovider\tmsisdn\nA\t5000\tMTN_BENIN_229\t2290161234501\n"))
	assert.Empty(t, file.Problems)
	assert.Len(t, file.Lines, 1)
}

// What stands around a table in an office.
func TestWhatStandsAroundATable(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	const names, one, two = "reference;amount;provider;msisdn\n", "A;5000;MTN_BENIN_229;2290161234501\n", "B;6000;MTN_BENIN_229;2290161234502\n"
	for name, c := range map[string]struct {
		file            string
		problems, notes []string
	}{
		"a title": {"Salaires mai 2026;;;\n\n" + names + one, []string{
			"1: column 1: unknown; the columns are reference, amount, currency, provider, msisdn, country, account_number, swift, account_name, account_surname, note",
			"1: column reference is missing", "1: column amount is missing", "3: the names of the columns: remove the lines above it",
		}, nil},
		"a total":               {names + one + "Total général;5000;;\n", []string{"3: neither a phone number nor an account number: if it is a total, remove the line"}, nil},
		"rows that are counted": {"N°;" + names + "1;" + one + ";;;;\n2;" + two, nil, []string{"1: N°: it counts the rows, and was left out", "0: 1 blank row was left out"}},
		"a sign for number":     {"#;" + names + "1;" + one, nil, []string{"1: #: it counts the rows, and was left out"}},
		"a number of something": {"N°;" + names + "1;" + one + "3;" + two, []string{
			"1: N°: column 1: unknown; the columns are reference, amount, currency, provider, msisdn, country, account_number, swift, account_name, account_surname, note",
		}, nil},
		"an operator's name": {names + "A;5000;MTN Bénin;2290161234501\nB;5000;mtn_benin_229;2290161234502\nC;5000;Celtiis;2290161234503\nD;5000;Orange;2290161234504\n", []string{
			"2: provider: not a known operator, did you mean MTN_BENIN_229? (MTN_BENIN_229, MOOV_AFRICA_BENIN_229, SBIN_BENIN_229): if it is right, give --allow-provider with it",
			"3: provider: not a known operator, did you mean MTN_BENIN_229? (MTN_BENIN_229, MOOV_AFRICA_BENIN_229, SBIN_BENIN_229): if it is right, give --allow-provider with it",
			"4: provider: not a known operator, did you mean SBIN_BENIN_229? (MTN_BENIN_229, MOOV_AFRICA_BENIN_229, SBIN_BENIN_229): if it is right, give --allow-provider with it",
			"5: provider: not a known operator (MTN_BENIN_229, MOOV_AFRICA_BENIN_229, SBIN_BENIN_229): if it is right, give --allow-provider with it",
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := sheet.Read([]byte(c.file))
			assert.Equal(t, c.problems, told(file.Check(client, batch.Rules{})))
			assert.Equal(t, c.notes, told(file.Notes))
		})
	}
}

// What a spreadsheet shows of a long number is not that number.
func TestANumberThatASpreadsheetHasRoundedIsRefused(t *testing.T) {
	t.Parallel()
	const lost = ": a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again"
	for _, cell := range []string{"2,05E+09", "2.05E+09", "2E+11"} {
		file := sheet.Read([]byte("reference;amount;account_number;swift\n" + cell + ";5;" + cell + ";ECOCBJBJ\n"))
		assert.Equal(t, []string{"2: reference" + lost, "2: account_number" + lost}, told(file.Problems))
	}
	for _, cell := range []string{"E+1", "1E5", "PAY-2E+05", "2E+x"} {
		assert.Empty(t, told(sheet.Read([]byte("reference;amount;account_number;swift\n"+cell+";5;BJ0610;ECOCBJBJ\n")).Problems), cell)
	}
}

func TestAHiddenColumnIsToldOf(t *testing.T) {
	t.Parallel()
	book, err := excelize.OpenReader(bytes.NewReader(workbook(t, [][]any{{"reference", "amount", "provider", "msisdn"}, {"A", 1, "MTN_BENIN_229", int64(2290161234501)}})))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	require.NoError(t, book.SetColVisible("Sheet1", "B", false))
	var out bytes.Buffer
	require.NoError(t, book.Write(&out))
	assert.Equal(t, []string{"0: the hidden column B was read too"}, told(sheet.Read(out.Bytes()).Notes))
}

// What a spreadsheet has shown of 25 432.
func TestAnAmountThatASpreadsheetHasRoundedIsRefused(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string][]string{
		"2,54E+04": {"2: amount: rounded by a spreadsheet, and its last digits may be lost: format the column as a number without decimals and enter it again"},
		"2,5e4":    {"2: amount: rounded by a spreadsheet, and its last digits may be lost: format the column as a number without decimals and enter it again"},
		"2.5E+04":  nil,
	} {
		assert.Equal(t, want, told(sheet.Read([]byte("reference;amount;provider;msisdn\nA;"+cell+";MTN_BENIN_229;2290161234501\n")).Problems), cell)
	}
}

func TestWhatIsNoTableIsToldInWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"an old workbook":   {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more", "save it as .xlsx or as CSV"},
		"a web page":        {"\ufeff \n<HTML><table><tr><td>reference</td></tr></table>", "a web page or XML, whatever its name says"},
		"XML of 2003":       {"<?xml version=\"1.0\"?><Workbook/>", "a web page or XML"},
		"another archive":   {"PK\x03\x04 and more", "not a workbook that can be read"},
		"a picture":         {"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "neither text nor an .xlsx workbook"},
		"half of UTF-16":    {"\xff\xfea\x00b\x00\x00\xd8c\x00", "damaged UTF-16"},
		"no known charset":  {"reference,amount\n\x81\x8d,1\n", "neither UTF-8 nor Windows-1252"},
		"an unnamed column": {"reference,amount,msisdn,\nA,1,22961000000,what\n", "something stands in column 4, which has no name"},
		"a split amount":    {"reference,msisdn,amount\nA,22961000000,25,000\n", "2: the line has 4 fields, and the header has 3"},
		"a given delimiter": {"sep=;\nreference;amount;msisdn\nA;1\n", "3: the line has 2 fields, and the header has 3"},
		"a typing mistake":  {"referenze,amount,msisdn\n", "column 1: unknown, did you mean reference?"},
		"another one":       {"reference,montnat,msisdn\n", "did you mean amount?"},
		"two of one":        {"reference,amount,montant,msisdn\n", "columns amount and montant are both the amount"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Contains(t, strings.Join(told(sheet.Read([]byte(c.file)).Problems), "\n"), c.want)
		})
	}
}

// A cell has one problem at most, and it is told with the header's own words.
func TestOneProblemACellInTheOrderOfTheLines(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	file := sheet.Read([]byte("Réf;Montant;Opérateur;Tél\n;1,5;MTN_BENIN_229;2,29E+12\nB;abc;ORANGE;\nC;100;MTN_BENIN_229;61000001\n"))
	assert.Equal(t, []string{
		"2: Réf: missing: it tells one payout from another",
		"2: Tél: a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again",
		"2: Montant: it must be whole: XOF has no decimals",
		`3: Montant: not an amount: write digits, such as "25000" or "25 000"`,
		"3: neither a phone number nor an account number",
	}, told(file.Check(client, batch.Rules{})))
}

// The whole wallet has enough, and one operator's has not: 8 of 20 failed in an office.
func TestTheBalanceIsComparedByOperator(t *testing.T) {
	t.Parallel()
	file := sheet.Read([]byte("reference,amount,provider,msisdn,account_number,swift\n" +
		"A,400000,MTN_BENIN_229,22961000001,,\nB,200190,MTN_BENIN_229,22961000002,,\nC,500,MOOV_AFRICA_BENIN_229,22961000003,,\nD,700,,,BJ0610,ECOCBJBJ\n"))
	balance := &intram.Balance{Currency: intram.XOF, Available: intram.NewAmount(5_000_000), PaymentMethods: []intram.PaymentMethodBalance{
		{PaymentMethod: "MTN Bénin", Available: intram.NewAmount(300_000)}, {PaymentMethod: "MTN_BENIN_229", Available: intram.NewAmount(76_728)}, {PaymentMethod: "MOOV_AFRICA_BENIN_229", Available: intram.NewAmount(500)},
	}}
	assert.Equal(t, []string{"0: MTN_BENIN_229: 2 lines come to 600 190, and its wallet has 376 728 available: short by 223 462"},
		told(inWords(file, batch.CheckBalance(balance, file.Lines))))
	needs := batch.Needs(balance, file.Lines)
	require.Len(t, needs, 3)
	assert.Equal(t, "MOOV_AFRICA_BENIN_229", needs[0].Operator)
	assert.True(t, needs[0].Available.Equal(intram.NewAmount(500)))
	assert.Equal(t, "bank", needs[2].Operator)
	assert.False(t, needs[2].Available.IsSet(), "the balance says nothing of it")
}
