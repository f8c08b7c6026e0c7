package sqlinbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
)

// deliver sends a delivery to a handler, as Intram does.
func deliver(handler http.Handler, event, operationID, occurredAt string) int {
	body := fmt.Sprintf(`{"event":%q,"operation_id":%q,"occurred_at":%q,"data":{"amount":25000}}`, event, operationID, occurredAt)
	r := httptest.NewRequest(http.MethodPost, "/intram/webhook", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

// A receiver that was restarted knows what took effect before.
func ExampleOpenSQLite() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	verifier, err := intram.NewWebhookVerifier(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the process starts twice
		inbox, err := sqlinbox.OpenSQLite(filepath.Join(dir, "intram.db"))
		if err != nil {
			fmt.Println(err)
			return
		}
		handler := intram.NewWebhookHandler(verifier, inbox, func(_ context.Context, event *intram.Event) error {
			fmt.Println(event.Type, event.OperationID)
			return nil
		})
		fmt.Println(deliver(handler, "payout.completed", "op_1", "2026-05-20T10:31:14Z"))
		if err := inbox.Close(); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// payout.completed op_1
	// 200
	// 200
}

// recordPayout keeps the furthest state of a payout, whatever the order of its events:
// the row is read and written in one transaction, and intram.EventOrder decides. In MySQL
// and PostgreSQL the SELECT ends with FOR UPDATE; MySQL has INSERT IGNORE instead of ON
// CONFLICT, and PostgreSQL $1 instead of a question mark.
func recordPayout(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO payouts (operation_id, progress) VALUES (?, '{}') ON CONFLICT DO NOTHING", event.OperationID)
	if err != nil {
		return err
	}
	var progress intram.EventOrder
	err = tx.QueryRowContext(ctx, "SELECT progress FROM payouts WHERE operation_id = ?", event.OperationID).Scan(&progress)
	if err != nil {
		return err
	}
	next, moved := progress.Apply(event)
	if !moved {
		return nil // older news than what is known
	}
	_, err = tx.ExecContext(ctx, "UPDATE payouts SET progress = ? WHERE operation_id = ?", next, event.OperationID)
	return err
}

// shopInbox opens an inbox in a file with a table of the shop's beside it.
func shopInbox() (inbox *sqlinbox.Inbox, remove func()) {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		panic(err)
	}
	inbox, err = sqlinbox.OpenSQLite(filepath.Join(dir, "shop.db"))
	if err != nil {
		panic(err)
	}
	_, err = inbox.DB().ExecContext(context.Background(), "CREATE TABLE payouts (operation_id TEXT PRIMARY KEY, progress TEXT NOT NULL)")
	if err != nil {
		panic(err)
	}
	return inbox, func() {
		_ = inbox.Close()
		_ = os.RemoveAll(dir)
	}
}

// showPayouts prints the table of the shop.
func showPayouts(db *sql.DB) {
	var id, event string
	err := db.QueryRowContext(context.Background(), "SELECT operation_id, progress ->> 'event' FROM payouts").Scan(&id, &event)
	if err != nil {
		panic(err)
	}
	fmt.Println(id, event)
}

func ExampleInbox_InTx() {
	inbox, remove := shopInbox()
	defer remove()
	verifier, err := intram.NewWebhookVerifier(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := intram.NewWebhookHandler(verifier, inbox, inbox.InTx(recordPayout))
	fmt.Println(deliver(handler, "payout.completed", "op_1", "2026-05-20T10:31:14Z"))
	fmt.Println(deliver(handler, "payout.queued", "op_1", "2026-05-20T10:31:10Z"))
	showPayouts(inbox.DB())
	// Output:
	// 200
	// 200
	// op_1 payout.completed
}

func ExampleTx() {
	inbox, remove := shopInbox()
	defer remove()
	verifier, err := intram.NewWebhookVerifier(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		return recordPayout(ctx, sqlinbox.Tx(ctx), e)
	})
	handler := intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle))
	fmt.Println(deliver(handler, "payout.failed", "op_2", "2026-05-20T10:31:14Z"))
	showPayouts(inbox.DB())
	// Output:
	// 200
	// op_2 payout.failed
}

// The database of a shop that several machines share.
func ExampleNew() {
	open := func(ctx context.Context, dsn string) (*sqlinbox.Inbox, error) {
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			return nil, err
		}
		if err := sqlinbox.Migrate(ctx, db, sqlinbox.MySQL); err != nil {
			return nil, err
		}
		return sqlinbox.New(db, sqlinbox.MySQL)
	}
	_, err := open(context.Background(), "shop@/nowhere")
	fmt.Println(err != nil)
	// Output: true
}

// The steps as files, for a migration tool of yours.
func ExampleMigrations() {
	files, err := sqlinbox.Migrations(sqlinbox.PostgreSQL)
	if err != nil {
		fmt.Println(err)
		return
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(names)
	// Output: [0001_inbox.sql]
}

// An inbox forgets what no delivery can repeat any more.
func ExampleInbox_Prune() {
	inbox, remove := shopInbox()
	defer remove()
	deleted, err := inbox.Prune(context.Background(), intram.InboxRetention)
	fmt.Println(deleted, err)
	// Output: 0 <nil>
}
