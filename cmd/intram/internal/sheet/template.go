package sheet

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/xuri/excelize/v2"

	"github.com/intram/intram-go/batch"
)

// templateRows is how many rows of a template offer the operators' codes.
const templateRows = 5000

// templateBook is a workbook to be filled in. Its columns are text, so that no digit is
// lost, but for the amounts, and the operators are chosen from a list.
func templateBook() ([]byte, error) {
	data, err := writeWorkbook(cells{rows: [][]string{templateColumns}})
	if err != nil {
		return nil, err
	}
	book, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer book.Close() //nolint:errcheck // it is in memory
	text, textErr := book.NewStyle(&excelize.Style{NumFmt: textFormat})
	amounts, amountsErr := book.NewStyle(&excelize.Style{NumFmt: 3}) // #,##0
	var codes []string
	for _, code := range batch.Providers {
		codes = append(codes, string(code))
	}
	provider, amount := letterOf("provider"), letterOf("amount")
	choice := excelize.NewDataValidation(true)
	choice.SetSqref(fmt.Sprintf("%s2:%s%d", provider, provider, templateRows))
	return bytesOf(book, textErr, amountsErr,
		book.SetColStyle(sheetName, "A:"+letterOf(templateColumns[len(templateColumns)-1]), text),
		book.SetColStyle(sheetName, amount, amounts),
		choice.SetDropList(codes), book.AddDataValidation(sheetName, choice))
}

// letterOf is what a spreadsheet calls a column of a template.
func letterOf(name string) string {
	letter, _ := excelize.ColumnNumberToName(slices.Index(templateColumns, name) + 1) // it is one of the first 26
	return letter
}
