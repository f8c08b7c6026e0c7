package sheet

import (
	"bytes"
	"fmt"

	"github.com/xuri/excelize/v2"

	"github.com/intram/intram-go/batch"
)

// templateRows is how many rows of a template offer the operators' codes.
const templateRows = 5000

// templateBook is a workbook to be filled in. Its columns are text, so that no digit is lost, but for the amounts, and the operators
// are chosen from a list.
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
	text, err := book.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return nil, err
	}
	amounts, err := book.NewStyle(&excelize.Style{NumFmt: 3}) // #,##0
	if err != nil {
		return nil, err
	}
	for i, name := range templateColumns {
		letter, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return nil, err
		}
		style := text
		if name == "amount" {
			style = amounts
		}
		if err := book.SetColStyle(sheetName, letter, style); err != nil {
			return nil, err
		}
		if name == "provider" {
			choice := excelize.NewDataValidation(true)
			choice.SetSqref(fmt.Sprintf("%s2:%s%d", letter, letter, templateRows))
			var codes []string
			for _, code := range batch.Providers {
				codes = append(codes, string(code))
			}
			if err := choice.SetDropList(codes); err != nil {
				return nil, err
			}
			if err := book.AddDataValidation(sheetName, choice); err != nil {
				return nil, err
			}
		}
	}
	b, err := book.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
