// Package routers holds the code of docs/webhooks.md that needs other people's modules, so that it is compiled and run: a test
// compares the two.
package routers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/inbox/redisinbox"
)

// Chi mounts the handler on chi.
func Chi(webhooks http.Handler) http.Handler {
	router := chi.NewRouter()
	router.Method(http.MethodPost, "/intram/webhook", webhooks)
	return router
}

// Gin mounts the handler on gin.
func Gin(webhooks http.Handler) http.Handler {
	router := gin.New()
	router.POST("/intram/webhook", gin.WrapH(webhooks))
	return router
}

// Echo mounts the handler on echo.
func Echo(webhooks http.Handler) http.Handler {
	router := echo.New()
	router.POST("/intram/webhook", echo.WrapHandler(webhooks))
	return router
}

// Postgres makes a handler whose effects are in the inbox's PostgreSQL.
func Postgres(ctx context.Context, pool *pgxpool.Pool, verifier *intram.WebhookVerifier) (http.Handler, error) {
	if err := pginbox.Migrate(ctx, pool); err != nil {
		return nil, err
	}
	inbox, err := pginbox.New(pool)
	if err != nil {
		return nil, err
	}
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(recordPayout)), nil
}

func recordPayout(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
	if _, err := tx.Exec(ctx, "INSERT INTO payouts (operation_id) VALUES ($1) ON CONFLICT DO NOTHING", event.OperationID); err != nil {
		return err
	}
	var stored []byte // progress jsonb NOT NULL DEFAULT '{}'
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

// Routed makes a handler whose router writes in the inbox's transaction.
func Routed(inbox *pginbox.Inbox, verifier *intram.WebhookVerifier) (http.Handler, error) {
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		return recordPayout(ctx, pginbox.Tx(ctx), e)
	})
	return intram.NewWebhookHandler(verifier, inbox, inbox.Transactional(router.Handle)), nil
}

// Redis makes a handler whose effects are in the inbox's Redis.
func Redis(verifier *intram.WebhookVerifier) (http.Handler, error) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	inbox, err := redisinbox.New(client)
	if err != nil {
		return nil, err
	}
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(ctx context.Context, tx *redisinbox.Tx, event *intram.Event) error {
			key := "payout:" + event.OperationID
			stored, err := client.Get(ctx, key).Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			var progress intram.EventOrder
			if stored != "" {
				if err := json.Unmarshal([]byte(stored), &progress); err != nil {
					return err
				}
			}
			next, moved := progress.Apply(event)
			if !moved {
				return nil // older news than what is known
			}
			text, err := json.Marshal(next)
			if err != nil {
				return err
			}
			tx.Unchanged(key, stored) // or another event has come between, and this function is called again
			tx.Do("SET", key, text)
			return nil
		})), nil
}
