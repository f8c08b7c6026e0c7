package cli

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) operationsCommand() *cobra.Command {
	return a.calls(group("operations", "Look up what became of payouts, payments and refunds",
		`Look up what became of payouts, payment requests and refunds. Everything that moves
money is an operation: queued, then processing, then succeeded or failed.`,
		a.operationsListCommand(), a.operationsGetCommand(), a.operationsWaitCommand()))
}

// listing are the flags of a list.
type listing struct {
	limit       int
	before      string
	all         bool
	typ, status string
}

func (l *listing) flags(cmd *cobra.Command, types, statuses []string) {
	flags := cmd.Flags()
	flags.IntVar(&l.limit, "limit", 0, "how many, 1 to 100 (default 20)")
	flags.StringVar(&l.before, "before", "", "only what was created before this `time`")
	flags.BoolVar(&l.all, "all", false, "everything, page by page; nothing is lost between pages")
	flags.StringVar(&l.typ, "type", "", "only this type: "+join(types))
	flags.StringVar(&l.status, "status", "", "only this status: "+join(statuses))
	complete(cmd, "type", types...)
	complete(cmd, "status", statuses...)
}

// check reads --before. A --limit of 0 would be the default and is hardly meant: it is refused.
func (l *listing) check(cmd *cobra.Command) (before time.Time, err error) {
	if l.limit == 0 && cmd.Flags().Changed("limit") {
		return before, usagef("--limit must be between 1 and 100")
	}
	return parseBefore(l.before)
}

func (a *app) operationsListCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "list", Short: "List operations, newest first", Args: exactly(),
		Example: `  intram operations list --status failed
  intram operations list --type payout --all --json | jq -r '.[].operation_id'`,
	}
	l.flags(cmd, words(intram.OperationPayout, intram.OperationPaymentRequest, intram.OperationRefund),
		words(intram.OperationQueued, intram.OperationProcessing, intram.OperationSucceeded, intram.OperationFailed, intram.OperationExpired))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		before, err := l.check(cmd)
		if err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		params := intram.OperationListParams{
			Limit: l.limit, Type: intram.OperationType(l.typ), Status: intram.OperationStatus(l.status), Before: before,
		}
		items, odd, next, err := readList(cmd.Context(), l.all, params, client.Operations.All, client.Operations.List)
		if err != nil {
			return err
		}
		defer a.sayMore(next)
		if a.asJSON {
			return errors.Join(printRaws(a, items, func(op *intram.Operation) intram.RawMessage { return op.Raw }), odd.err())
		}
		var rows [][]string
		for _, op := range items {
			code := ""
			if op.Error != nil {
				code = string(op.Error.Code)
			}
			rows = append(rows, []string{op.ID, string(op.Type), clip(string(op.Status), 10), clip(code, 22), when(op.CreatedAt)})
		}
		// Ids are as long as the API makes them, so the columns that one can do without give way.
		a.printList([]string{"OPERATION", "TYPE", "STATUS", "ERROR", "CREATED"}, fit(rows, 4, 3), "There are no operations.")
		return odd.err()
	}
	return cmd
}

func (a *app) operationsGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "get OPERATION", Short: "Show one operation", Args: exactly("OPERATION"),
		Example: `  intram operations get op_2f4a8b1c`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		op, err := client.Operations.Get(cmd.Context(), args[0])
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

// waitForOperation waits, and prints the operation as it ended.
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

// printOperation shows an operation without what is personal in it; --json has it whole.
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
	}
	if op.Error != nil {
		fields = append(fields, field{"error", string(op.Error.Code)}, field{"operator", op.Error.Details.ResponseCode})
	}
	a.printFields(fields...)
	return nil
}

// printRaws writes a list as the API sent its items.
func printRaws[T any](a *app, items []T, raw func(T) intram.RawMessage) error {
	list := make([]json.RawMessage, len(items))
	for i, item := range items {
		list[i] = json.RawMessage(raw(item))
	}
	return a.printValue(list)
}
