// Package batch pays out a whole file: each of its lines exactly once, through crashes and lost answers.
package batch

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
)

// maxLines is more than anyone pays at once; a file beyond it is some other file.
const maxLines = 100_000

// Line is one payout of the file.
type Line struct {
	// Number is the line's in the file, from 1, with the header being the first.
	Number int
	Params intram.PayoutParams
}

// Format implements [fmt.Formatter]: the line's number, since the rest is a person's.
func (l Line) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "line %d", l.Number) }

// Problem is what is wrong with a line. It shows nothing of what stands there but a reference.
type Problem struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// Columns are the columns that a file can have. The first two are required.
var Columns = []string{
	"reference", "amount", "currency", "provider", "msisdn", "country", "account_number", "swift", "account_name", "account_surname", "note",
}

// Read reads the lines of a CSV file with a header. The problems are all that are found, in the order of the lines.
func Read(data []byte) ([]Line, []Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Excel's
	head, _, _ := strings.Cut(string(data), "\n")
	reader := csv.NewReader(bytes.NewReader(data))
	if strings.Count(head, ";") > strings.Count(head, ",") {
		reader.Comma = ';' // as spreadsheets write it where the comma is the decimal sign
	}
	reader.FieldsPerRecord = -1 // counted below, to name the line
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, []Problem{{1, "the file is empty: its first line names the columns, such as: reference,amount,provider,msisdn"}}
	}
	if err != nil {
		return nil, []Problem{{1, "the header cannot be read as CSV"}}
	}
	columns, problems := readHeader(header)
	if len(problems) > 0 {
		return nil, problems
	}
	var lines []Line
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if syntax, ok := errors.AsType[*csv.ParseError](err); ok {
			// What follows a quote that is not closed cannot be told apart.
			return lines, append(problems, Problem{syntax.StartLine, "the line is no CSV: " + syntax.Err.Error()})
		}
		if err != nil {
			return lines, append(problems, Problem{0, "the file cannot be read"})
		}
		number, _ := reader.FieldPos(0)
		if len(record) == 1 && strings.TrimSpace(record[0]) == "" {
			continue
		}
		if len(lines) == maxLines {
			return lines, append(problems, Problem{number, fmt.Sprintf("there are more than %d lines: split the file", maxLines)})
		}
		if len(record) != len(header) {
			problems = append(problems, Problem{number, fmt.Sprintf("the line has %d fields, and the header has %d", len(record), len(header))})
			continue
		}
		line, mistakes := readLine(number, columns, record)
		lines = append(lines, line)
		for _, m := range mistakes {
			problems = append(problems, Problem{number, m})
		}
	}
	if len(lines) == 0 && len(problems) == 0 {
		problems = append(problems, Problem{1, "there is no line below the header"})
	}
	return lines, problems
}

// readHeader finds out which column is what.
func readHeader(header []string) (columns map[string]int, problems []Problem) {
	columns = map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "provider_code" {
			name = "provider"
		}
		if name == "country_code" {
			name = "country"
		}
		if !slices.Contains(Columns, name) {
			problems = append(problems, Problem{1, fmt.Sprintf("column %d is none that a payout has: the columns are %s", i+1, strings.Join(Columns, ", "))})
			continue
		}
		if _, twice := columns[name]; twice {
			problems = append(problems, Problem{1, "column " + name + " is there twice"})
		}
		columns[name] = i
	}
	for _, name := range Columns[:2] {
		if _, ok := columns[name]; !ok {
			problems = append(problems, Problem{1, "column " + name + " is missing"})
		}
	}
	_, mobile := columns["msisdn"]
	_, bank := columns["account_number"]
	if !mobile && !bank && len(problems) == 0 {
		problems = append(problems, Problem{1, "there is no column msisdn, and none account_number: one of them says where to pay"})
	}
	return columns, problems
}

// readLine makes a payout of a record. What the parameters must be is for [Check] to say.
func readLine(number int, columns map[string]int, record []string) (Line, []string) {
	value := func(name string) string {
		if i, ok := columns[name]; ok {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	var problems []string
	line := Line{Number: number, Params: intram.PayoutParams{
		Currency: intram.Currency(value("currency")), Reference: value("reference"), Note: value("note"),
	}}
	if line.Params.Reference == "" {
		problems = append(problems, "reference is missing: it is what tells one payout from another")
	}
	if amount, err := intram.ParseAmount(value("amount")); err != nil {
		problems = append(problems, "amount must be a number in whole units of the currency, such as 25000, without spaces")
	} else {
		line.Params.Amount = amount
	}
	msisdn, account := value("msisdn"), value("account_number")
	switch {
	case msisdn != "" && account != "":
		problems = append(problems, "there are both msisdn and account_number: a payout goes to one of them")
	case account != "":
		line.Params.Destination = intram.BankAccount{
			AccountNumber: account, SWIFT: value("swift"), AccountName: value("account_name"), AccountSurname: value("account_surname"),
		}
	case msisdn != "":
		line.Params.Destination = intram.MobileMoney{
			MSISDN: msisdn, ProviderCode: intram.ProviderCode(value("provider")), CountryCode: value("country"),
			AccountName: value("account_name"), AccountSurname: value("account_surname"),
		}
	default:
		problems = append(problems, "there is neither msisdn nor account_number")
	}
	return line, problems
}
