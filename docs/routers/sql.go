package routers

import (
	"context"
	"database/sql"
	"fmt"
	"log" //nolint:depguard // a program's own log, as the README shows it
	"net/http"
	"os"
	"time"

	"github.com/jmoiron/sqlx"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
)

// Receive mounts the README's receiver.
func Receive() error {
	inbox, err := sqlinbox.OpenSQLite("intram.db") // remembers what took effect, also over restarts
	if err != nil {
		return err
	}
	verifier, err := intram.NewWebhookVerifier(os.Getenv("INTRAM_WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	receive := func(ctx context.Context, event *intram.Event) error { //nolint:revive // as the README shows it
		log.Printf("%s of operation %s", event.Type, event.OperationID)
		return nil // it has taken effect; an error has it sent again
	}
	http.Handle("/intram/webhook", intram.NewWebhookHandler(verifier, inbox, receive)) //nolint:forbidigo // a program's own mux
	return nil
}

// Serve is the receiver of docs/webhooks.md.
func Serve() error {
	verifier, err := intram.NewWebhookVerifier(os.Getenv("INTRAM_WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	router := new(intram.EventRouter)
	intram.OnData(router, intram.EventPayoutCompleted, func(ctx context.Context, e *intram.Event, payout *intram.PayoutEventData) error { //nolint:revive // as the documentation shows it
		fmt.Println("paid out", payout.Amount, payout.Currency, "for", payout.Reference) //nolint:forbidigo // a program's own output
		return nil                                                                       // an error has the event sent again
	})
	if err := router.Err(); err != nil {
		return err
	}
	inbox, err := sqlinbox.OpenSQLite("intram.db") // one machine; for several see below
	if err != nil {
		return err
	}
	defer func() { _ = inbox.Close() }()
	http.Handle("/intram/webhook", intram.NewWebhookHandler(verifier, inbox, router.Handle)) //nolint:forbidigo // a program's own mux
	return (&http.Server{Addr: ":8080", ReadTimeout: 10 * time.Second}).ListenAndServe()
}

// File makes a handler whose effects are in the file of the inbox.
func File(ctx context.Context, path string, verifier *intram.WebhookVerifier) (http.Handler, error) {
	inbox, err := sqlinbox.OpenSQLite(path)
	if err != nil {
		return nil, err
	}
	_, err = inbox.DB().ExecContext(ctx, "CREATE TABLE IF NOT EXISTS news (operation_id TEXT, event TEXT)")
	if err != nil {
		return nil, err
	}
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO news VALUES (?, ?)", event.OperationID, event.Type)
			return err
		})), nil
}

// MySQL makes a handler whose effects are in the inbox's MySQL.
func MySQL(ctx context.Context, db *sql.DB, verifier *intram.WebhookVerifier) (http.Handler, error) {
	if err := sqlinbox.Migrate(ctx, db, sqlinbox.MySQL); err != nil {
		return nil, err
	}
	inbox, err := sqlinbox.New(db, sqlinbox.MySQL)
	if err != nil {
		return nil, err
	}
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(keepPayout)), nil
}

func keepPayout(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
	_, err := tx.ExecContext(ctx, "INSERT IGNORE INTO payouts (operation_id, progress) VALUES (?, '{}')", event.OperationID)
	if err != nil {
		return err
	}
	var progress intram.EventOrder
	err = tx.QueryRowContext(ctx, "SELECT progress FROM payouts WHERE operation_id = ? FOR UPDATE", event.OperationID).Scan(&progress)
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

type payout struct {
	OperationID string `gorm:"primaryKey"`
	Progress    intram.EventOrder
}

// GORM makes a handler that writes with GORM in the inbox's transaction.
func GORM(db *gorm.DB, inbox *sqlinbox.Inbox, verifier *intram.WebhookVerifier) http.Handler {
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
			orm := db.Session(&gorm.Session{Context: ctx, NewDB: true})
			orm.Statement.ConnPool = tx // the inbox's transaction, and no other connection
			row := payout{OperationID: event.OperationID}
			if err := orm.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
				return err
			}
			if err := orm.Clauses(clause.Locking{Strength: "UPDATE"}).Take(&row).Error; err != nil {
				return err
			}
			next, moved := row.Progress.Apply(event)
			if !moved {
				return nil // older news than what is known
			}
			return orm.Model(&row).Update("progress", next).Error
		}))
}

// SQLX makes a handler that writes with sqlx in the inbox's transaction.
func SQLX(db *sqlx.DB, inbox *sqlinbox.Inbox, verifier *intram.WebhookVerifier) http.Handler {
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(ctx context.Context, tx *sql.Tx, event *intram.Event) error {
			txx := &sqlx.Tx{Tx: tx, Mapper: db.Mapper}
			_, err := txx.ExecContext(ctx, "INSERT IGNORE INTO payouts (operation_id, progress) VALUES (?, '{}')", event.OperationID)
			if err != nil {
				return err
			}
			var progress intram.EventOrder
			err = txx.GetContext(ctx, &progress, "SELECT progress FROM payouts WHERE operation_id = ? FOR UPDATE", event.OperationID)
			if err != nil {
				return err
			}
			next, moved := progress.Apply(event)
			if !moved {
				return nil // older news than what is known
			}
			_, err = txx.NamedExecContext(ctx, "UPDATE payouts SET progress = :progress WHERE operation_id = :operation_id",
				map[string]any{"progress": next, "operation_id": event.OperationID})
			return err
		}))
}
