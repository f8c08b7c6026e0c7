package batch

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	intram "github.com/intram/intram-go"
)

// Result is what became of one line.
type Result struct {
	Line                 int              `json:"line"`
	Reference            string           `json:"reference"`
	OperationID          string           `json:"operation_id,omitempty"`
	TransactionReference string           `json:"transaction_reference,omitempty"`
	Status               State            `json:"status"`
	Code                 intram.ErrorCode `json:"error_code,omitempty"`
	Fees                 string           `json:"fees,omitempty"`
}

// Unclear reports whether an operation that failed with a code may have been paid all the same. An operator that was away, that made
// an error or that never said how it ended may have paid, although the wallet was credited back.
func Unclear(code intram.ErrorCode) bool {
	switch code {
	case intram.CodeProviderError, intram.CodeProviderUnavailable, intram.CodeOperationExpired, "":
		return true
	default:
		return false
	}
}

// ResultColumns are the columns of the result file.
var ResultColumns = []string{"line", "reference", "operation_id", "transaction_reference", "status", "error_code", "fees"}

// Results are what became of all lines so far.
func (r *Run) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	results := make([]Result, len(r.Lines))
	for i, line := range r.Lines {
		record, ok := r.records[line.Number]
		status := record.State
		switch {
		case !ok:
			status = NotSent
		case status == Intended:
			status = InDoubt
		case status == Accepted:
			status = Unfinished
		case status == Failed && Unclear(record.Code):
			status = FailedUnclear
		}
		results[i] = Result{
			Line: line.Number, Reference: line.Params.Reference, OperationID: record.OperationID,
			TransactionReference: record.TransactionReference, Status: status, Code: record.Code, Fees: record.Fees,
		}
	}
	return results
}

// WriteResults replaces the result file in one step.
func WriteResults(path string, results []Result) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{ResultColumns}
	for _, r := range results {
		rows = append(rows, []string{
			strconv.Itoa(r.Line), r.Reference, r.OperationID, r.TransactionReference, string(r.Status), string(r.Code), r.Fees,
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = b.WriteTo(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
