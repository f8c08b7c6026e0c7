package routers

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
)

// Reconcile finds what no delivery has brought in the last two days.
func Reconcile(ctx context.Context, logger *slog.Logger, client *intram.Client, pool *pgxpool.Pool, handle intram.EventHandler) error {
	inbox, err := pginbox.New(pool) // the handler's own; not a MemoryInbox, see below
	if err != nil {
		return err
	}
	reconciler, err := intram.NewReconciler(client, inbox, handle, intram.WithNotify(client))
	if err != nil {
		return err
	}
	result, err := reconciler.Run(ctx, time.Now().Add(-48*time.Hour))
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "reconciled", slog.Int("missing", result.Missing), slog.Int("failures", len(result.Failures)))
	return nil
}
