package sheet

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/intram/intram-go/batch"
)

// ResultColumns are the columns of a result file, behind those of the file itself.
var ResultColumns = []string{
	"line", "status", "error_code", "reason", "operation_id", "provider_reference", "transaction_reference", "fees", "accepted_at", "ended_at",
}

// Extension is that of a file in the same form.
func (f *File) Extension() string {
	if f.form.workbook {
		return ".xlsx"
	}
	return ".csv"
}

// formOf is the form in which a file of the name is written: the file's own, unless the
// name asks for another.
func (f *File) formOf(name string) form {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".xlsx":
		return form{workbook: true}
	case ".csv", ".txt", ".tsv":
		if f.form.workbook {
			return textForm
		}
	}
	return f.form
}

// Results is a file of the name with the file's own rows, and what became of each line
// behind it. words puts a reason into the words of its reader.
func (f *File) Results(name string, results []batch.Result, words func(string) string) ([]byte, error) {
	c := cells{rows: [][]string{slices.Concat(f.head.cells, ResultColumns)}, numbers: f.numbers()}
	for _, r := range results {
		c.rows = append(c.rows, slices.Concat(f.rows[r.Line].cells, []string{
			strconv.Itoa(r.Line), string(r.Status), string(r.Code), words(r.Reason), r.OperationID, r.ProviderReference, r.TransactionReference,
			r.Fees, timeText(r.AcceptedAt), timeText(r.EndedAt),
		}))
	}
	return f.formOf(name).write(c)
}

// timeText is a time as spreadsheets read it, in UTC.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// numbers are the columns whose cells are numbers in a workbook.
func (f *File) numbers() []int {
	if c, ok := f.columns["amount"]; ok {
		return []int{c.at}
	}
	return nil
}

// Retry is a file of the name with the rows of the lines that failed or were refused,
// each with a new reference, and how many they are. Lines that may have been paid, or
// that another run settles, are not among them.
func (f *File) Retry(name string, results []batch.Result) (data []byte, lines int, err error) {
	at := f.columns["reference"].at
	taken := map[string]bool{}
	for _, line := range f.Lines {
		taken[line.Params.Reference] = true
	}
	c := cells{rows: [][]string{f.head.cells}, numbers: f.numbers()}
	for _, r := range results {
		if r.Status != batch.Failed && r.Status != batch.Refused {
			continue
		}
		row := slices.Clone(f.rows[r.Line].cells)
		row[at] = nextReference(r.Reference, taken)
		c.rows = append(c.rows, row)
	}
	if lines = len(c.rows) - 1; lines == 0 {
		return nil, 0, nil
	}
	data, err = f.formOf(name).write(c)
	return data, lines, err
}

// longestReference is how many characters the API takes (Merchant API docs, Payouts).
const longestReference = 100

// nextReference is a reference for another attempt: SALARY-1 becomes SALARY-1-R2, and
// that SALARY-1-R3. It takes the first that is free.
func nextReference(reference string, taken map[string]bool) string {
	base, attempt := reference, 2
	if i := strings.LastIndex(reference, "-R"); i > 0 {
		if n, err := strconv.Atoi(reference[i+2:]); err == nil && n >= 2 {
			base, attempt = reference[:i], n+1
		}
	}
	for ; ; attempt++ {
		suffix := fmt.Sprintf("-R%d", attempt)
		front := base
		for utf8.RuneCountInString(front)+len(suffix) > longestReference {
			_, size := utf8.DecodeLastRuneInString(front)
			front = front[:len(front)-size]
		}
		if next := front + suffix; !taken[next] {
			taken[next] = true
			return next
		}
	}
}

// Holds reports whether every row of an older file is among those of a newer one: writing
// the newer loses nothing that a person has changed.
func Holds(newer, older []byte) bool {
	rows := map[string]bool{}
	for _, r := range readTable(newer).rows {
		rows[strings.Join(r.cells, "\x00")] = true
	}
	t := readTable(older)
	for _, r := range t.rows {
		if !rows[strings.Join(r.cells, "\x00")] {
			return false
		}
	}
	return len(t.rest) == 0
}

// templateColumns are the columns of a new file.
var templateColumns = []string{"reference", "amount", "provider", "msisdn", "account_name", "account_surname", "note"}

// Template is an empty file of the name, to be filled in: a workbook or CSV, by the
// name's extension.
func Template(name string) ([]byte, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".xlsx":
		return templateBook()
	case ".csv":
		return textForm.write(cells{rows: [][]string{templateColumns}})
	}
	return nil, fmt.Errorf("%s: a template is a .csv or an .xlsx file", filepath.Base(name))
}
