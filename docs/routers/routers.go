// Package routers holds the code of docs/webhooks.md that needs other people's modules, so that it is compiled and run: a test
// compares the two.
package routers

import (
	"context"
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
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(ctx context.Context, tx pgx.Tx, event *intram.Event) error {
			_, err := tx.Exec(ctx, "UPDATE payouts SET state = $1 WHERE operation_id = $2", event.Type, event.OperationID)
			return err
		})), nil
}

// Redis makes a handler whose effects are in the inbox's Redis.
func Redis(verifier *intram.WebhookVerifier) (http.Handler, error) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	inbox, err := redisinbox.New(client)
	if err != nil {
		return nil, err
	}
	return intram.NewWebhookHandler(verifier, inbox, inbox.InTx(
		func(_ context.Context, tx *redisinbox.Tx, event *intram.Event) error {
			tx.Do("HSET", "payout:"+event.OperationID, "state", string(event.Type))
			return nil
		})), nil
}
