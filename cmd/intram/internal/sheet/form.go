package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
)

// form is how a file is written: what is written of it has the same form.
type form struct {
	workbook bool
	comma    rune              // what separates the cells of text
	encoding encoding.Encoding // nil for UTF-8
	mark     bool              // a byte order mark in front of UTF-8
	crlf     bool              // lines end as on Windows
	sep      bool              // Excel's line sep=; in front
}

// text is the form of a CSV file that no file gave: as French spreadsheets open it.
var textForm = form{comma: ';', mark: true, crlf: true}

// cells is a row to write. The numbers of a workbook are those of its columns named in
// numbers.
type cells struct {
	rows    [][]string
	numbers []int
}

// write writes rows, of which the first has the names of the columns.
func (f form) write(c cells) ([]byte, error) {
	if f.workbook {
		return writeWorkbook(c)
	}
	var b bytes.Buffer
	if f.sep {
		fmt.Fprintf(&b, "sep=%c", f.comma)
		b.WriteString(map[bool]string{true: "\r\n", false: "\n"}[f.crlf])
	}
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = f.comma, f.crlf
	for _, row := range c.rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = escaped(cell)
		}
		if err := w.Write(safe); err != nil {
			return nil, err
		}
	}
	w.Flush()
	switch {
	case f.encoding != nil:
		return encoding.ReplaceUnsupported(f.encoding.NewEncoder()).Bytes(b.Bytes())
	case f.mark:
		return slices.Concat([]byte("\ufeff"), b.Bytes()), w.Error()
	}
	return b.Bytes(), w.Error()
}

// escaped is a cell that no spreadsheet takes for a formula: an apostrophe in front says
// that it is text, and is left out when the file is read.
func escaped(cell string) string {
	if first := strings.TrimLeft(cell, " "); first != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(first)[0]) {
		return "'" + cell
	}
	return cell
}

const (
	sheetName  = "Sheet1"
	textFormat = 49 // "@": a cell of text stays as it was typed
)

// writeWorkbook writes an .xlsx file. Its cells are texts, which are never formulas, and
// numbers where all digits are kept.
func writeWorkbook(c cells) ([]byte, error) {
	book := excelize.NewFile()
	defer book.Close() //nolint:errcheck // it is in memory
	text, textErr := book.NewStyle(&excelize.Style{NumFmt: textFormat})
	bold, boldErr := book.NewStyle(&excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: true}})
	sheet, err := book.NewStreamWriter(sheetName)
	if err = errors.Join(textErr, boldErr, err); err != nil {
		return nil, err
	}
	errs := []error{
		sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}),
		sheet.SetColWidth(1, len(c.rows[0]), 20),
	}
	for i, row := range c.rows {
		values, style := make([]any, len(row)), text
		if i == 0 {
			style = bold
		}
		for j, cell := range row {
			values[j] = excelize.Cell{StyleID: style, Value: cell}
			if n, err := strconv.ParseInt(cell, 10, 64); i > 0 && slices.Contains(c.numbers, j) && err == nil && strconv.FormatInt(n, 10) == cell {
				values[j] = n
			}
		}
		errs = append(errs, sheet.SetRow("A"+strconv.Itoa(i+1), values))
	}
	return bytesOf(book, append(errs, sheet.Flush())...)
}

// bytesOf is the file of a workbook that was made without errors.
func bytesOf(book *excelize.File, errs ...error) ([]byte, error) {
	b, err := book.WriteToBuffer()
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
