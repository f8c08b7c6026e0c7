package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) operationsCommand() *cobra.Command {
	return a.calls(group("operations", "Look up what became of payouts, payments and refunds",
		`Look up what became of payouts, payment requests and refunds. Everything that moves
money is an operation: queued, then processing, then succeeded or failed.`,
		a.operationsListCommand(), a.operationsGetCommand(), a.operationsWaitCommand()))
}

func (a *app) operationsListCommand() *cobra.Command {
	types := words(intram.OperationPayout, intram.OperationPaymentRequest, intram.OperationRefund)
	return a.operationList(operationList{
		things: "operations", types: types,
		columns: []string{"OPERATION", "TYPE", "STATUS", "AMOUNT", "REFERENCE", "ERROR", "CREATED"},
		example: `  intram operations list --status failed --since yesterday
  intram operations list --type payout --all --json | jq -r '.[].operation_id'`,
		all:  func(c *intram.Client) listAll { return c.Operations.All },
		page: func(c *intram.Client) listPage { return c.Operations.List },
	})
}

// operationList is a list of operations, of all types or of one.
type operationList struct {
	things  string
	types   []string // empty for a list of one type
	columns []string
	example string
	all     func(*intram.Client) listAll
	page    func(*intram.Client) listPage
}

// The two ways in which the SDK lists operations.
type (
	listAll  = func(context.Context, intram.OperationListParams, ...intram.CallOption) iter.Seq2[*intram.Operation, error]
	listPage = func(context.Context, intram.OperationListParams, ...intram.CallOption) (*intram.Page[intram.Operation], error)
)

// operationColumns are what a list can show of an operation.
var operationColumns = map[string]func(*intram.Operation) string{
	"OPERATION":   func(op *intram.Operation) string { return op.ID },
	"TYPE":        func(op *intram.Operation) string { return string(op.Type) },
	"STATUS":      func(op *intram.Operation) string { return clip(string(op.Status), 10) },
	"AMOUNT":      func(op *intram.Operation) string { return grouped(op.Amount()) },
	"REFERENCE":   func(op *intram.Operation) string { return clipStart(op.Reference(), 24) },
	"TRANSACTION": transactionOf,
	"CREATED":     func(op *intram.Operation) string { return when(op.CreatedAt) },
	"ERROR": func(op *intram.Operation) string {
		if op.Error == nil {
			return ""
		}
		return clip(string(op.Error.Code), 22)
	},
}

// transactionOf returns the transaction that an operation made, or is about.
func transactionOf(op *intram.Operation) string {
	switch r := op.Result.(type) {
	case *intram.PaymentRequestResult:
		return r.TransactionReference
	case *intram.RefundResult:
		return r.TransactionReference
	}
	var asked struct {
		TransactionReference string `json:"transaction_reference"`
	}
	if json.Unmarshal(op.Payload, &asked) != nil {
		return ""
	}
	return clip(asked.TransactionReference, 12)
}

// grouped returns an amount with its digits in groups, "" if unset.
func grouped(amount intram.Amount) string {
	if !amount.IsSet() {
		return ""
	}
	return amount.Grouped()
}

func (a *app) operationList(list operationList) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "list", Short: "List " + list.things + ", newest first", Args: exactly(), Example: list.example,
	}
	l.flags(cmd, list.types,
		words(intram.OperationQueued, intram.OperationProcessing, intram.OperationSucceeded, intram.OperationFailed, intram.OperationExpired))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		since, before, err := l.check(a, cmd)
		if err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		params := intram.OperationListParams{
			Limit: l.limit, Type: intram.OperationType(l.typ), Status: intram.OperationStatus(l.status), Since: since, Before: before,
		}
		items, odd, next, err := readList(cmd.Context(), l.all, params, list.all(client), list.page(client))
		if err != nil {
			return err
		}
		defer a.sayMore(next)
		if a.asJSON {
			return errors.Join(printRaws(a, items, func(op *intram.Operation) intram.RawMessage { return op.Raw }), odd.err())
		}
		var rows [][]string
		for _, op := range items {
			row := make([]string, len(list.columns))
			for i, column := range list.columns {
				row[i] = operationColumns[column](op)
			}
			rows = append(rows, row)
		}
		// Ids are as long as the API makes them, so the columns that one can do without
		// give way.
		header, rows := fit(list.columns, rows, narrowing{"CREATED", day}, narrowing{"ERROR", 14}, narrowing{"REFERENCE", 16}, narrowing{"ERROR", 10},
			narrowing{"REFERENCE", 12}, narrowing{"TYPE", 8}, narrowing{"ERROR", 8}, narrowing{"ERROR", 0}, narrowing{"REFERENCE", 8})
		a.printList(header, rows, "There are no "+list.things+".")
		return odd.err()
	}
	return cmd
}

func (a *app) operationsGetCommand() *cobra.Command {
	return a.operationGet("operation", `  intram operations get op_2f4a8b1c`, func(c *intram.Client) lookup { return c.Operations.Get })
}

// lookup looks up an operation, of any type or of one.
type lookup = func(context.Context, string, ...intram.CallOption) (*intram.Operation, error)

func (a *app) operationGet(thing, example string, get func(*intram.Client) lookup) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get OPERATION", Short: "Show one " + thing, Args: exactly("OPERATION"), Example: example,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		op, err := get(client)(cmd.Context(), args[0])
		if errors.Is(err, intram.ErrResponseMismatch) && thing != "operation" {
			return &exitError{exitRefused, fmt.Errorf("%w; see: intram operations get %s", err, shellQuote(args[0]))}
		}
		if err != nil {
			return err
		}
		return a.printOperation(op)
	}
	return cmd
}

func (a *app) operationsWaitCommand() *cobra.Command {
	return a.waitCommand("", "Wait until an operation has ended",
		`  intram operations wait op_2f4a8b1c --max-wait 5m && echo done`)
}

// waitCommand waits for operations of one type, or of any.
func (a *app) waitCommand(typ intram.OperationType, short, example string) *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use: "wait OPERATION", Short: short, Args: exactly("OPERATION"), Example: example,
		Long: short + `, however it ends. The exit status tells: 0 when it succeeded,
4 when it failed, 5 when it had not ended yet.`,
	}
	w.flags(cmd, operationWait)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		return a.waitForOperation(cmd, client, args[0], typ, &w)
	}
	return cmd
}

// waitForOperation waits, and prints the finished operation.
func (a *app) waitForOperation(cmd *cobra.Command, client *intram.Client, id string, typ intram.OperationType, w *waiting) error {
	opts, err := w.options(cmd)
	if err != nil {
		return err
	}
	op, err := client.WaitForOperation(cmd.Context(), id, opts...)
	var failed *intram.OperationError
	if errors.As(err, &failed) && failed.Operation != nil {
		return errors.Join(a.printOperation(failed.Operation), err)
	}
	if err != nil {
		return err
	}
	if typ != "" && op.Type != "" && op.Type != typ {
		return usagef("operation %s has ended, and is no %s but a %s: see: intram operations get %s", op.ID, typ, op.Type, op.ID)
	}
	return a.printOperation(op)
}

// printOperation prints an operation without personal data; --json prints all of it.
func (a *app) printOperation(op *intram.Operation) error {
	if a.asJSON {
		return a.printJSON(op.Raw)
	}
	fields := []field{
		{"operation", op.ID}, {"type", string(op.Type)}, {"status", string(op.Status)}, {"environment", string(op.Environment)},
		{"created", when(op.CreatedAt)}, {"completed", when(op.CompletedAt)},
	}
	if op.Attempts > 0 {
		fields = append(fields, field{"attempts", strconv.Itoa(op.Attempts)})
	}
	switch r := op.Result.(type) {
	case *intram.PayoutResult:
		state := string(r.Status)
		if r.Status == intram.PayoutQueuedForSettlement {
			state = "queued for settlement: the bank has not paid yet"
		}
		fields = append(fields, field{"reference", r.Reference}, field{"amount", money(r.Amount, r.Currency)}, field{"payout", state},
			field{"operator", r.ProviderResponse.ResponseCode})
	case *intram.PaymentRequestResult:
		fields = append(fields, field{"transaction", r.TransactionReference}, field{"amount", money(r.Amount, r.Currency)},
			field{"payment", r.Status}, field{"checkout page", r.GatewayURL}, field{"receipt", r.ReceiptURL})
	case *intram.RefundResult:
		fields = append(fields, field{"transaction", r.TransactionReference}, field{"refund", r.RefundReference},
			field{"amount", r.Amount.Grouped()}, field{"state", string(r.Status)})
	default:
		fields = append(fields, field{"reference", op.Reference()}, field{"transaction", transactionOf(op)}, field{"amount", grouped(op.Amount())})
	}
	if op.Error != nil {
		fields = append(fields, field{"error", string(op.Error.Code)}, field{"operator", op.Error.Details.ResponseCode})
	}
	a.printFields(fields...)
	return nil
}

// printRaws prints a list as the API sent its items.
func printRaws[T any](a *app, items []T, raw func(T) intram.RawMessage) error {
	list := make([]json.RawMessage, len(items))
	for i, item := range items {
		list[i] = json.RawMessage(raw(item))
	}
	return a.printValue(list)
}
