// Package sheet reads the files in which offices keep payouts: CSV in its many forms, and
// workbooks.
package sheet

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
)

// maxLines is more than anyone pays at once; a file beyond it is some other file.
const maxLines = 100_000

// Problem is what is wrong with a cell, a line, or the file. It shows no more of what
// stands there than amounts and references.
type Problem struct {
	// Line is the line of the file, 0 for all of it.
	Line int `json:"line"`
	// Column is the header's own text, empty for the whole line.
	Column  string `json:"column,omitempty"`
	Message string `json:"message"`
}

// Text is the problem with its column.
func (p Problem) Text() string {
	if p.Column == "" {
		return p.Message
	}
	return p.Column + ": " + p.Message
}

// File is what was found in a file.
type File struct {
	Lines []batch.Line
	// Problems are what must be corrected before anything is sent.
	Problems []Problem
	// Notes are what was read otherwise than it was written: to be shown before anything
	// is sent.
	Notes []Problem

	form    form
	head    row
	rows    map[int]row             // of the lines, by their numbers
	columns map[string]column       // for what the file calls them
	spoiled map[int]map[string]bool // the columns of a line in which something has been found already
}

// header is what the file calls a column.
func (f *File) header(name string) string {
	if text := f.columns[name].text; text != "" {
		return text
	}
	return name
}

// Check looks at all lines together, before anything is sent. The problems are those of
// the file too, at most one a cell, in the order of the lines.
func (f *File) Check(client *intram.Client, rules batch.Rules) []Problem {
	problems := slices.Clone(f.Problems)
	spoiled := map[int]map[string]bool{}
	for line, columns := range f.spoiled {
		spoiled[line] = maps.Clone(columns)
	}
	for _, p := range batch.Check(client, f.Lines, rules) {
		name := cmp.Or(columnOf(p.Field), p.Field)
		if name != "" && spoiled[p.Line][name] {
			continue
		}
		if name != "" && spoiled[p.Line] != nil {
			spoiled[p.Line][name] = true
		}
		problems = append(problems, f.Problem(p))
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return problems
}

// Problem is a problem of a line in the words of the file, with the flag that allows it.
func (f *File) Problem(p batch.Problem) Problem {
	message := p.Message
	if how, ok := map[batch.ProblemKind]string{
		batch.UnknownProvider:  "if it is right, give --allow-provider with it",
		batch.DuplicatePayment: "if both are meant, give --allow-duplicates",
		batch.KnownReference:   "if that is another payout, or you know that it was not paid, give --allow-known-references",
	}[p.Kind]; ok {
		message += ": " + how
	}
	column := ""
	if name := columnOf(p.Field); name != "" {
		column = f.header(name)
	}
	return Problem{Line: p.Line, Column: column, Message: message}
}

// columnOf is the column of a field of the parameters, such as destination.provider_code;
// "" for none.
func columnOf(field string) string {
	name := strings.TrimPrefix(field, "destination.")
	for _, name := range []string{name, strings.TrimSuffix(name, "_code")} {
		if slices.Contains(Columns, name) {
			return name
		}
	}
	return ""
}

// Read reads the lines of a CSV file or of an .xlsx workbook whose first row names the
// columns.
func Read(data []byte) *File {
	t := readTable(data)
	file := &File{Notes: t.notes, form: t.form, rows: map[int]row{}, spoiled: map[int]map[string]bool{}}
	var blank int
	rows := t.rows[:0:0]
	for _, r := range t.rows {
		if r.blank() {
			blank++
			continue
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		if file.Problems = t.rest; len(t.rest) == 0 {
			file.Problems = []Problem{{Line: 1, Message: "the file is empty: its first line names the columns, such as: reference,amount,provider,msisdn"}}
		}
		return file
	}
	columns, unnamed, notes, problems := readHeader(rows[0], rows[1:])
	if len(problems) > 0 {
		file.Problems = slices.Concat(problems, lowerHeader(rows))
		return file
	}
	file.Notes = append(file.Notes, notes...)
	file.head, file.columns = rows[0], columns
	width := len(rows[0].cells)
	for _, r := range rows[1:] {
		if len(file.Lines) == maxLines {
			file.Problems = append(file.Problems, Problem{Line: r.number, Message: fmt.Sprintf("there are more than %d lines: split the file", maxLines)})
			return file
		}
		for len(r.cells) > width && clean(r.cells[len(r.cells)-1]) == "" {
			r.cells = r.cells[:len(r.cells)-1]
		}
		if len(r.cells) != width {
			file.Problems = append(file.Problems, Problem{Line: r.number, Message: fmt.Sprintf("the line has %s, and the header has %d", Count(len(r.cells), "field", "fields"), width)})
			continue
		}
		for _, i := range unnamed {
			if clean(r.cells[i]) != "" {
				file.Problems = append(file.Problems, Problem{Line: r.number, Message: fmt.Sprintf("something stands in column %d, which has no name", i+1)})
			}
		}
		file.readLine(r)
	}
	if blank > 0 {
		file.Notes = append(file.Notes, Problem{Message: Count(blank, "blank row was", "blank rows were") + " left out"})
	}
	file.Problems = append(file.Problems, t.rest...)
	if len(file.Lines) == 0 && len(file.Problems) == 0 {
		file.Problems = []Problem{{Line: rows[0].number, Message: "no line below the header"}}
	}
	return file
}

// titleRows is how many rows may stand above the names of the columns.
const titleRows = 20

// lowerHeader says where the names of the columns stand below a title.
func lowerHeader(rows []row) []Problem {
	for i, r := range rows[1:min(len(rows), titleRows)] {
		if _, _, _, problems := readHeader(r, rows[i+2:]); len(problems) == 0 {
			return []Problem{{Line: r.number, Message: "the names of the columns: remove the lines above it"}}
		}
	}
	return nil
}

// rounded is what a spreadsheet shows of a long number.
var rounded = regexp.MustCompile(`^\d([.,]\d+)?[eE]\+\d+$|^\d[.,]\d+[eE]\d{2,}$`)

// cellError is what a spreadsheet shows of a formula that failed, in English and
// in French.
var cellError = regexp.MustCompile(`^#(REF!|N/A|NAME\?|NOM\?|VALUE!|VALEUR!|DIV/0!|NULL!|NUL!|NUM!|NOMBRE!|CALC!|SPILL!)$`)

// readLine makes a payout of a row. What the parameters must be is for [File.Check] to
// say.
func (f *File) readLine(r row) {
	line, columns, spoiled := batch.Line{Number: r.number}, f.columns, map[string]bool{}
	f.spoiled[r.number] = spoiled
	value := func(name string) string {
		if c, ok := columns[name]; ok {
			return clean(r.cells[c.at])
		}
		return ""
	}
	fail := func(name, message string) {
		if spoiled[name] {
			return
		}
		spoiled[name] = true
		f.Problems = append(f.Problems, Problem{Line: r.number, Column: f.header(name), Message: message})
	}
	note := func(name, message string) {
		f.Notes = append(f.Notes, Problem{Line: r.number, Column: f.header(name), Message: message})
	}
	for _, name := range Columns {
		if cellError.MatchString(value(name)) {
			fail(name, "its formula has failed in the spreadsheet ("+value(name)+"): enter the value")
		}
		c, ok := columns[name]
		shown, other := r.shown[c.at]
		switch {
		case !ok || !other || !showsAnother(name, r.cells[c.at], shown):
		case name == "amount" || name == "reference":
			fail(name, fmt.Sprintf("the cell shows %q and holds %q: enter it again in a column formatted as text", shown, r.cells[c.at]))
		default:
			fail(name, "the cell shows something else than it holds: enter it again in a column formatted as text")
		}
	}
	if next := r.cells[min(columns["amount"].at+1, len(r.cells)-1)]; f.form.comma == ',' && cutInTwo(columns, value("amount"), next) {
		fail("amount", fmt.Sprintf("%s,%s may be one number: put it between quotes, or write it without separators", value("amount"), next))
	}
	line.Params = intram.PayoutParams{Currency: intram.Currency(value("currency")), Reference: value("reference"), Note: value("note")}
	if line.Params.Reference == "" {
		fail("reference", "missing: it tells one payout from another")
	}
	for _, name := range []string{"reference", "account_number"} {
		if rounded.MatchString(value(name)) {
			fail(name, "a spreadsheet has rounded it, and its last digits are lost: format the column as text and enter it again")
		}
	}
	switch amount, err := typed.Amount(value("amount"), line.Params.Currency); {
	case value("amount") == "":
		fail("amount", "missing")
	case err != nil:
		line.Params.Amount = amount // which nothing sends
		fail("amount", err.Error())
	default:
		line.Params.Amount = amount
		if plain := strings.ReplaceAll(amount.Grouped(), " ", ""); plain != value("amount") {
			note("amount", value("amount")+" was read as "+plain)
		}
	}
	msisdn, account := value("msisdn"), value("account_number")
	switch {
	case msisdn != "" && account != "":
		fail("msisdn", "an account number stands beside it: a payout goes to one of them")
	case account != "":
		line.Params.Destination = intram.BankAccount{
			AccountNumber: account, SWIFT: value("swift"), AccountName: value("account_name"), AccountSurname: value("account_surname"),
		}
	case msisdn != "":
		operator := intram.ProviderCode(value("provider"))
		number, err := typed.MSISDN(msisdn, value("country"), operator)
		if err != nil {
			fail("msisdn", err.Error())
		} else if number != msisdn {
			note("msisdn", "it was read as "+hideMost(number))
		}
		line.Params.Destination = intram.MobileMoney{
			MSISDN: number, ProviderCode: operator, CountryCode: value("country"),
			AccountName: value("account_name"), AccountSurname: value("account_surname"),
		}
	default:
		message := "neither a phone number nor an account number"
		if first, _, _ := strings.Cut(plainWords(line.Params.Reference), " "); slices.Contains([]string{"total", "totaux", "sous", "somme", "sum"}, first) {
			message += ": if it is a total, remove the line"
		}
		f.Problems = append(f.Problems, Problem{Line: r.number, Message: message})
	}
	spoiled["destination"] = line.Params.Destination == nil
	f.Lines, f.rows[r.number] = append(f.Lines, line), r
}

// cutInTwo reports whether an amount and a text behind it may be one amount, whose comma
// was taken for the end of a cell.
func cutInTwo(columns map[string]column, amount, next string) bool {
	for _, name := range []string{"account_name", "account_surname", "note"} {
		if c, ok := columns[name]; ok && c.at == columns["amount"].at+1 {
			return len(amount) <= 3 && digits(amount) == amount && len(next) == 3 && digits(next) == next
		}
	}
	return false
}

// hideMost keeps the calling code and the last two digits of a number, by which its owner
// knows it.
func hideMost(number string) string {
	if len(number) < 6 {
		return strings.Repeat("•", len(number))
	}
	return number[:3] + strings.Repeat("•", len(number)-5) + number[len(number)-2:]
}

// Count is a number of things, in the singular or the plural.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
