package pginbox_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
)

// recordPayout keeps the furthest state of a payout, whatever the order of its events:
// the row is locked while intram.EventOrder decides.
func recordPayout(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
	if _, err := tx.Exec(ctx, "INSERT INTO payouts (operation_id) VALUES ($1) ON CONFLICT DO NOTHING", event.OperationID); err != nil {
		return err
	}
	var stored []byte
	err := tx.QueryRow(ctx, "SELECT progress FROM payouts WHERE operation_id = $1 FOR UPDATE", event.OperationID).Scan(&stored)
	if err != nil {
		return err
	}
	var progress intram.EventOrder
	if err := json.Unmarshal(stored, &progress); err != nil {
		return err
	}
	next, moved := progress.Apply(event)
	if !moved {
		return nil // older news than what is known
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE payouts SET progress = $1 WHERE operation_id = $2", string(text), event.OperationID)
	return err
}

func ExampleInbox_InTx() {
	var verifier *intram.WebhookVerifier // of intram.NewWebhookVerifier
	var inbox *pginbox.Inbox             // of pginbox.New
	handler := intram.NewWebhookHandler(verifier, inbox, inbox.InTx(recordPayout))
	fmt.Println(handler != nil)
	// Output: true
}

func ExampleTx() {
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		return recordPayout(ctx, pginbox.Tx(ctx), e)
	})
	var inbox *pginbox.Inbox // of pginbox.New
	handle := inbox.Transactional(router.Handle)
	fmt.Println(handle != nil)
	// Output: true
}
