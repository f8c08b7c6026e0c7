package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	intram "github.com/intram/intram-go"
)

// table is the cells of a file, whichever program wrote it.
type table struct {
	rows  []row
	form  form
	notes []Problem // what the reader should know of how it was read
	rest  []Problem // what cannot be read at all
}

// row is one line of cells.
type row struct {
	number int // in the file, from 1
	cells  []string
	shown  map[int]string // what a cell of a workbook shows, where it holds something else
}

// blank reports whether nothing stands in the row.
func (r row) blank() bool {
	for _, cell := range r.cells {
		if clean(cell) != "" {
			return false
		}
	}
	return true
}

// readTable finds out what kind of file it is.
func readTable(data []byte) table {
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return readWorkbook(data)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return unreadable("an Excel workbook of the old kind (.xls), or one with a password: save it as .xlsx or as CSV")
	}
	text, form, note, err := decode(data)
	if err != nil {
		return unreadable(err.Error())
	}
	if markup.MatchString(text) {
		return unreadable("a web page or XML, whatever its name says: open it in a spreadsheet and save it as .xlsx or as CSV")
	}
	t := readCSV(text, form)
	if note != "" {
		t.notes = append([]Problem{{Message: note}}, t.notes...)
	}
	return t
}

// markup is how HTML and XML begin, which some programs call .xls.
var markup = regexp.MustCompile(`(?i)^\s*<(!doctype|html|head|body|table|meta|style|\?xml|!--)`)

func unreadable(message string) table { return table{rest: []Problem{{Message: message}}} }

// decode makes UTF-8 of what spreadsheets write.
func decode(data []byte) (text string, f form, note string, err error) {
	if rest, ok := bytes.CutPrefix(data, []byte("\ufeff")); ok {
		data, f.mark = rest, true
	}
	order, mark := unicode.LittleEndian, unicode.UseBOM
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = unicode.BigEndian
	case utf16Without(data, 1):
		mark = unicode.IgnoreBOM
	case utf16Without(data, 0):
		order, mark = unicode.BigEndian, unicode.IgnoreBOM
	case bytes.IndexByte(data, 0) >= 0:
		return "", f, "", errors.New("neither text nor an .xlsx workbook: save it as CSV or as .xlsx")
	case utf8.Valid(data):
		return string(data), f, "", nil
	default:
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			return "", f, "", errors.New("characters that are neither UTF-8 nor Windows-1252: save it as CSV UTF-8")
		}
		f.encoding = charmap.Windows1252
		return string(decoded), f, "the file is not UTF-8, and was read as Windows-1252: look at the accents", nil
	}
	f.encoding = unicode.UTF16(order, mark)
	decoded, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
		return "", f, "", errors.New("damaged UTF-16: save it as CSV UTF-8")
	}
	return string(decoded), f, "the file was read as UTF-16", nil
}

// utf16Without reports whether the text is UTF-16 without a mark: each second byte of its
// beginning is zero.
func utf16Without(data []byte, zero int) bool {
	if len(data) < 8 {
		return false
	}
	for i := range 8 {
		if (data[i] == 0) != (i%2 == zero) {
			return false
		}
	}
	return true
}

// textFormula is how people keep a spreadsheet from taking a text for a number:
// ="0022961234501".
var textFormula = regexp.MustCompile(`(^|[\n;,\t])="([^"\r\n]*)"`)

// notCSV says why a line cannot be taken apart.
func notCSV(err error) string {
	if errors.Is(err, csv.ErrBareQuote) {
		return `not a line of CSV: a quotation mark stands within a cell: take it out, or save the file again from the spreadsheet; nothing below is read`
	}
	return `not a line of CSV: a quotation mark is not closed: what follows it cannot be told apart, and is not read`
}

// readCSV reads text. The delimiter is what the first line has most of, or what a line
// sep= says.
func readCSV(text string, f form) table {
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // as Excel on the Mac once wrote it
	}
	skipped := 0
	first, rest, _ := strings.Cut(text, "\n")
	f.crlf = strings.HasSuffix(first, "\r")
	if f.comma, f.sep = delimiterLine(first); f.sep {
		text, skipped = rest, 1
	} else {
		f.comma = mostOf(first)
	}
	text = textFormula.ReplaceAllString(text, `${1}"${2}"`)
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = f.comma
	reader.FieldsPerRecord = -1 // counted later, to name the line
	t := table{form: f}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return t
		}
		if syntax, ok := errors.AsType[*csv.ParseError](err); ok {
			// What follows a quote that is not closed cannot be told apart.
			t.rest = append(t.rest, Problem{Line: syntax.StartLine + skipped, Message: notCSV(syntax.Err)})
			return t
		}
		if err != nil {
			t.rest = append(t.rest, Problem{Message: "the file cannot be read"})
			return t
		}
		if len(t.rows) > 2*maxLines {
			t.rest = append(t.rest, tooLong)
			return t
		}
		number, _ := reader.FieldPos(0)
		t.rows = append(t.rows, row{number: number + skipped, cells: record})
	}
}

// delimiterLine reads Excel's own first line, sep=;
func delimiterLine(line string) (comma rune, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "sep=")
	if !ok || len(rest) != 1 || !strings.ContainsRune(",;|\t", rune(rest[0])) {
		return 0, false
	}
	return rune(rest[0]), true
}

func mostOf(line string) rune {
	comma, most := ',', 0
	for _, c := range ",;\t|" {
		if n := strings.Count(line, string(c)); n > most {
			comma, most = c, n
		}
	}
	return comma
}

// maxWorkbook is how many bytes the parts of a workbook may come to, unpacked.
const maxWorkbook = 256 << 20

// tooLong says that rows were not read, among them perhaps one that is to be paid.
var tooLong = Problem{Message: fmt.Sprintf("there are more than %d rows: remove the blank ones, or split the file", 2*maxLines)}

// readWorkbook reads the first sheet of an .xlsx file that is shown and has anything in
// it. The cells are as they are stored, with what their format shows beside them where
// that is something else.
func readWorkbook(data []byte) table {
	book, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxWorkbook})
	if err != nil {
		return unreadable("not a workbook that can be read (an .ods file?): save it as .xlsx or as CSV")
	}
	defer book.Close() //nolint:errcheck // it was read from memory
	t, read := table{form: form{workbook: true}}, ""
	for _, sheet := range book.GetSheetList() {
		cells, err := book.GetRows(sheet)
		if err != nil {
			return unreadable("its sheet cannot be read: save it as CSV")
		}
		if len(cells) == 0 {
			continue
		}
		if visible, err := book.GetSheetVisible(sheet); err != nil || !visible {
			t.notes = append(t.notes, Problem{Message: fmt.Sprintf("the sheet %q is hidden, and was not read", sheet)})
			continue
		}
		if len(t.rows) > 0 {
			t.notes = append(t.notes, Problem{Message: fmt.Sprintf("only the sheet %q was read, and the workbook has more", read)})
			break
		}
		read = sheet
		shown, err := book.GetRows(sheet, excelize.Options{UnzipSizeLimit: maxWorkbook})
		if err != nil {
			return unreadable("its sheet cannot be read: save it as CSV")
		}
		t.addSheet(book, sheet, cells, shown)
	}
	t.pad()
	return t
}

// addSheet adds the rows of a sheet: its cells as they are stored, and what each shows.
func (t *table) addSheet(book *excelize.File, sheet string, cells, shown [][]string) {
	for j := range cells[0] {
		letter, err := excelize.ColumnNumberToName(j + 1)
		if err != nil {
			continue
		}
		if visible, err := book.GetColVisible(sheet, letter); err == nil && !visible {
			t.notes = append(t.notes, Problem{Message: fmt.Sprintf("the hidden column %s was read too", letter)})
		}
	}
	hidden := 0
	for i, record := range cells[:min(len(cells), 2*maxLines+1)] {
		r := row{number: i + 1, cells: record}
		for j, stored := range record {
			if i < len(shown) && j < len(shown[i]) && shown[i][j] != stored && !strings.Contains(shown[i][j], "E+") {
				if r.shown == nil {
					r.shown = map[int]string{}
				}
				r.shown[j] = shown[i][j]
			}
			if number := storedNumber(stored); number != stored && isNumber(book, sheet, i, j) {
				record[j] = number
			}
		}
		if visible, err := book.GetRowVisible(sheet, i+1); err == nil && !visible && !r.blank() {
			hidden++
		}
		t.rows = append(t.rows, r)
	}
	if len(cells) > 2*maxLines+1 {
		t.rest = append(t.rest, tooLong)
	}
	if hidden > 0 {
		t.notes = append(t.notes, Problem{Message: Count(hidden, "hidden row was", "hidden rows were") + " read too"})
	}
}

// storedNumber writes a number of a workbook in plain digits. What is stored as
// 2.290161234501E+12 has all of its digits, while the same in a CSV file is what was left
// of them on the screen.
func storedNumber(cell string) string {
	mantissa, exponent, ok := strings.Cut(cell, "E")
	if !ok || mantissa == "" || exponent == "" || strings.Trim(mantissa, "0123456789.") != "" {
		return cell
	}
	n, err := intram.ParseAmount(cell)
	if err != nil {
		return cell
	}
	return n.String()
}

// isNumber reports whether a cell holds a number, and not a text that looks like one.
func isNumber(book *excelize.File, sheet string, i, j int) bool {
	name, err := excelize.CoordinatesToCellName(j+1, i+1)
	if err != nil {
		return false
	}
	kind, err := book.GetCellType(sheet, name)
	return err == nil && (kind == excelize.CellTypeUnset || kind == excelize.CellTypeNumber)
}

// showsAnother reports whether a cell shows something else than it holds: 25 in the
// format 0.000 shows 25.000. Of amounts and numbers the digits count, however they are
// grouped.
func showsAnother(name, stored, shown string) bool {
	if name != "amount" && name != "msisdn" {
		return stored != shown
	}
	if i := strings.LastIndexAny(shown, ".,"); i >= 0 {
		if zeros := digits(shown[i:]); zeros == "0" || zeros == "00" {
			shown = shown[:i]
		}
	}
	return digits(stored) != digits(shown)
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// pad makes all rows as wide as the first: a workbook leaves out empty cells at their
// end.
func (t *table) pad() {
	if len(t.rows) == 0 {
		return
	}
	for i := range t.rows {
		for len(t.rows[i].cells) < len(t.rows[0].cells) {
			t.rows[i].cells = append(t.rows[i].cells, "")
		}
	}
}
