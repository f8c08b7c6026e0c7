package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/intram/intram-go/batch"
)

// ResultColumns are the columns of the result file.
var ResultColumns = []string{"line", "reference", "operation_id", "transaction_reference", "status", "error_code", "fees"}

// WriteResults replaces the result file in one step.
func WriteResults(path string, results []batch.Result) error {
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
