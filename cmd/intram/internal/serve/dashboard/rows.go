package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/intram/intram-go/internal/mockapi"
)

// The rows of the lists: each with the merchant's own reference and the amount of what it
// is about.

// operationRow is an operation with the other side of it.
type operationRow struct {
	mockapi.Operation
	Own     string // the merchant's own reference, or what comes nearest to one
	Payment string // the status of the payment that a request asked for; empty for other operations
}

func (d *Dashboard) operationRow(op mockapi.Operation) operationRow {
	r := operationRow{Operation: op, Own: ownReference(op)}
	if tx, ok := d.Core.Transaction(op.Reference); ok {
		r.Number, r.Customer = or(tx.Number, r.Number), or(tx.Customer, r.Customer)
		if op.Type != "payout" { // whose transaction has the wallet that pays, and not where the money goes
			r.Method = or(tx.Method, r.Method)
		}
		if op.Type == "payment_request" {
			r.Payment = tx.Status
		}
	}
	if op.Type == "refund" {
		var asked struct {
			Reference string `json:"transaction_reference"`
		}
		_ = json.Unmarshal(op.Payload, &asked) // the fake has read it already
		if tx, ok := d.Core.Transaction(asked.Reference); ok {
			r.Number, r.Method, r.Customer = or(r.Number, tx.Number), or(r.Method, tx.Method), or(r.Customer, tx.Customer)
			if paid, ok := d.Core.Operation(tx.OperationID); ok {
				r.Own = ownReference(paid)
			}
		}
	}
	return r
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// Ended reports whether the operation does not change any more, but for a bank payout
// that is settled or rejected.
func (r operationRow) Ended() bool { return r.Status != "queued" && r.Status != "processing" }

// Returned reports whether a bank has returned the payout, whose operation had succeeded.
func (r operationRow) Returned() bool {
	return r.Type == "payout" && r.Status == "succeeded" && r.ResultStatus == "failed"
}

func (r operationRow) item() item {
	i := item{
		at: r.Created, kind: r.Type, status: r.Status, code: r.ErrorCode, amount: r.Amount, number: r.Number,
		words: []string{r.Own, r.ID, r.Reference, r.OwnReference, r.Description, r.IdempotencyKey, r.Customer},
	}
	if r.AwaitsSettlement {
		i.group = "queued_for_settlement"
	}
	if r.Returned() {
		i.group = "failed"
	}
	return i
}

// operationRows are the operations of an environment, newest first.
func (d *Dashboard) operationRows(env string) []operationRow {
	operations := d.Core.Operations(env, math.MaxInt)
	rows := make([]operationRow, len(operations))
	for i, op := range operations {
		rows[i] = d.operationRow(op)
	}
	return rows
}

// ownReference is the merchant's own reference of an operation. A payment request has
// none in the API, so merchants write one into its webhook_data, as into the metadata of
// the others; else its description has to do.
func ownReference(op mockapi.Operation) string {
	if op.OwnReference != "" {
		return op.OwnReference
	}
	var asked struct {
		WebhookData map[string]any `json:"webhook_data"`
		Metadata    map[string]any `json:"metadata"`
	}
	if bytes.Contains(op.Payload, []byte(`data"`)) {
		d := json.NewDecoder(bytes.NewReader(op.Payload))
		d.UseNumber()
		_ = d.Decode(&asked) // the fake has read it already
	}
	for _, own := range []map[string]any{asked.WebhookData, asked.Metadata} {
		for _, name := range slices.Sorted(maps.Keys(own)) {
			if !isReferenceName(name) {
				continue
			}
			switch value := own[name].(type) {
			case string:
				return value
			case json.Number:
				return value.String()
			}
		}
	}
	return op.Description
}

// isReferenceName reports whether a member of the merchant's own data sounds like a
// reference.
func isReferenceName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"ref", "order", "commande", "invoice", "facture", "number", "id"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// transactionRow is a transaction with its operation's own reference.
type transactionRow struct {
	mockapi.Transaction
	Own, Key string
}

func (d *Dashboard) transactionRow(tx mockapi.Transaction) transactionRow {
	r := transactionRow{Transaction: tx}
	if op, ok := d.Core.Operation(tx.OperationID); ok {
		r.Own, r.Key = d.operationRow(op).Own, op.IdempotencyKey
	}
	return r
}

func (r transactionRow) item() item {
	return item{
		at: r.Created, kind: r.Type, status: r.Status, amount: r.Amount, number: r.Number,
		words: []string{r.Reference, r.ID, r.Own, r.OperationID, r.Key, r.Customer},
	}
}

func (d *Dashboard) transactionRows(env string) []transactionRow {
	transactions := d.Core.Transactions(env, math.MaxInt)
	rows := make([]transactionRow, len(transactions))
	for i, tx := range transactions {
		rows[i] = d.transactionRow(tx)
	}
	return rows
}

func (d *Dashboard) payins(env string) []mockapi.Payin { return d.Core.Payins(env, math.MaxInt) }

func payinItem(one mockapi.Payin) item {
	return item{
		at: one.Created, status: one.Status, code: one.Failure, amount: one.Amount, number: one.Number, words: []string{one.Reference, one.ID},
	}
}

// subject is what a call or a delivery is about.
type subject struct {
	Own      string
	Amount   int64
	Currency string
	number   string
}

// subjectOf finds an object by the id that a call or a delivery names; false when there
// is none.
func (d *Dashboard) subjectOf(id string) (subject, bool) {
	if op, ok := d.Core.Operation(id); ok {
		r := d.operationRow(op)
		return subject{Own: r.Own, Amount: r.Amount, number: r.Number}, true
	}
	if tx, ok := d.Core.Transaction(id); ok {
		return subject{Own: d.transactionRow(tx).Own, Amount: tx.Amount, number: tx.Number}, true
	}
	if one, err := d.Core.Payin(id); err == nil {
		return subject{one.Reference, one.Amount, one.Currency, one.Number}, true
	}
	return subject{}, false
}

// deliveryRow is a delivery with what its event is about.
type deliveryRow struct {
	mockapi.Delivery
	subject
}

func (d *Dashboard) deliveryRow(one mockapi.Delivery) deliveryRow {
	s, _ := d.subjectOf(one.OperationID)
	return deliveryRow{one, s}
}

func (r deliveryRow) item() item {
	i := item{kind: r.Event, status: string(r.Status), amount: r.Amount, number: r.number, words: []string{r.ID, r.OperationID, r.Own, r.URL}}
	if len(r.Attempts) > 0 {
		last := r.Attempts[len(r.Attempts)-1]
		i.at, i.code = last.Time, or(last.Error, strconv.Itoa(last.Status))
	}
	return i
}

// deliveryRows are the deliveries of an environment, newest first.
func (d *Dashboard) deliveryRows(env string) []deliveryRow {
	var rows []deliveryRow
	for _, one := range slices.Backward(d.Core.Deliveries()) {
		if one.Environment == env {
			rows = append(rows, d.deliveryRow(one))
		}
	}
	return rows
}

// requestRow is a call with what it is about.
type requestRow struct {
	mockapi.Request
	subject
	Times int // how many equal polls had equal responses
}

func (r requestRow) item() item {
	status := strconv.Itoa(r.Status)
	if r.Status == 0 {
		status = "lost"
	}
	i := item{
		at: r.Time, kind: r.Method, status: status, code: r.Code, amount: r.Amount, number: r.number,
		words: []string{r.ID, r.Path + "?" + r.Query, r.IdempotencyKey, r.Own, operationIn(r.Response)},
	}
	if r.refused() {
		i.group = "refused"
	}
	return i
}

// requestRows are the calls of an environment, newest first, with those whose key was not
// known. Folded, repeated polls of the same that got the same response are one row, the
// newest of them.
func (d *Dashboard) requestRows(env string, folded bool) []requestRow {
	var rows []requestRow
	polls := map[string]int{}
	for _, r := range slices.Backward(d.Core.Requests()) {
		if r.Environment != env && r.Environment != "" {
			continue
		}
		if folded && r.Method == http.MethodGet {
			poll := fmt.Sprint(r.Path, "?", r.Query, " ", r.Status, r.Code, r.Fault)
			if i, seen := polls[poll]; seen {
				rows[i].Times++
				continue
			}
			polls[poll] = len(rows)
		}
		rows = append(rows, requestRow{r, d.subjectOfCall(r), 1})
	}
	return rows
}

// subjectOfCall is what a call names or made, or else what it asks for.
func (d *Dashboard) subjectOfCall(r mockapi.Request) subject {
	for _, id := range []string{operationIn(r.Response), r.Path[strings.LastIndexByte(r.Path, '/')+1:]} {
		if s, ok := d.subjectOf(id); ok && id != "" {
			return s
		}
	}
	var asked struct {
		Amount      json.Number `json:"amount"`
		Reference   string      `json:"reference"`
		Transaction string      `json:"transaction_reference"`
		Invoice     struct {
			Amount      json.Number `json:"amount"`
			Description string      `json:"description"`
		} `json:"invoice"`
	}
	if len(r.Body) == 0 || json.Unmarshal(r.Body, &asked) != nil {
		return subject{}
	}
	if s, ok := d.subjectOf(asked.Reference); ok && strings.HasPrefix(r.Path, "/v1/payin/") {
		return s // a session, which goes by the merchant's own reference
	}
	s := subject{Own: or(or(asked.Reference, asked.Invoice.Description), asked.Transaction)}
	for _, amount := range []json.Number{asked.Amount, asked.Invoice.Amount} {
		if units, err := amount.Int64(); err == nil {
			s.Amount = units
		}
	}
	return s
}

// operationIn returns the operation that a response names first; empty without one.
func operationIn(body []byte) string {
	_, rest, ok := bytes.Cut(body, []byte(`"operation_id":"`))
	if !ok || bytes.Count(body, []byte(`"operation_id"`)) > 1 { // a list is about none of them
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(id)
}
